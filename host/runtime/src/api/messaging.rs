//! `skep:process/messaging`: talking to other processes.

use std::future::poll_fn;

use skep_kernel::process::AliasMode;
use skep_kernel::{Address, Body, CallError, ExitReason, Name, Refusal};

use super::bindings::messaging::{AliasMode as WitAliasMode, Host};
use super::bindings::types;
use super::{Asked, Ended, convert};
use crate::engine::context::{Context, Misuse};
use crate::engine::fuel;
use crate::observe::Level;

/// Why a body is not sent.
pub(crate) fn too_large(body: &Body, limit: usize) -> Option<String> {
    (body.len() > limit).then(|| format!("the body has {} bytes; {limit} are allowed", body.len()))
}

impl Context {
    async fn send_body(
        &mut self,
        import: &'static str,
        to: Address,
        body: Body,
    ) -> wasmtime::Result<Result<(), Refusal>> {
        let limit = self.body_bytes;
        let syscalls = self.act_with(import, fuel::MESSAGE, body.len()).await?;
        if let Some(why) = too_large(&body, limit) {
            return Ok(Err(Refusal::Limit(why)));
        }
        let sent = syscalls.send(to, body)?;
        Ok(sent.map(|waiting| self.meter.press(waiting)))
    }
}

impl Host for Context {
    fn me(&mut self) -> wasmtime::Result<types::Pid> {
        self.meter.pay(fuel::LITTLE)?;
        match self.syscalls() {
            Some(syscalls) => Ok(syscalls.pid().into()),
            None => Err(Misuse::SideEffect { import: "me", phase: self.phase }.into()),
        }
    }

    async fn send(&mut self, to: types::Pid, body: types::Body) -> wasmtime::Result<Result<(), types::Refusal>> {
        let to = Address::Pid(convert::pid(to)?);
        Ok(self.send_body("send", to, body.into()).await?.map_err(types::Refusal::from))
    }

    async fn send_named(&mut self, name: String, body: types::Body) -> wasmtime::Result<Result<(), types::Refusal>> {
        self.pay(0, name.len()).await?;
        if let Err(why) = convert::check_name(&name) {
            return Ok(Err(types::Refusal::Invalid(why)));
        }
        let to = Address::Name(Name::from(name));
        Ok(self.send_body("send-named", to, body.into()).await?.map_err(types::Refusal::from))
    }

    async fn send_to(&mut self, to: types::Address, body: types::Body) -> wasmtime::Result<Result<(), types::Refusal>> {
        let to = convert::address(to)?;
        Ok(self.send_body("send-to", to, body.into()).await?.map_err(types::Refusal::from))
    }

    async fn open_alias(&mut self, mode: WitAliasMode) -> wasmtime::Result<types::Alias> {
        let mode = match mode {
            WitAliasMode::ExplicitUnalias => AliasMode::ExplicitUnalias,
            WitAliasMode::Reply => AliasMode::Reply,
        };
        Ok(self.act("open-alias", fuel::LITTLE)?.open_alias(mode)?.into())
    }

    async fn unalias(&mut self, alias: types::Alias) -> wasmtime::Result<bool> {
        let alias = convert::alias(alias)?;
        Ok(self.act("unalias", fuel::LITTLE)?.unalias(alias)?)
    }

    async fn is_alive(&mut self, pid: types::Pid) -> wasmtime::Result<bool> {
        let pid = convert::pid(pid)?;
        let syscalls = self.act_with("is-alive", fuel::MESSAGE, 0).await?.clone();
        let asked = syscalls.begin_alive(pid)?;
        let alive = match asked {
            Asked::Known(alive) => alive,
            Asked::Waits(mark) => poll_fn(|cx| syscalls.poll_call(mark, cx)).await?.is_ok(),
        };
        self.meter.waited();
        Ok(alive)
    }

    async fn cast(&mut self, to: types::Address, body: types::Body) -> wasmtime::Result<()> {
        let (to, body) = (convert::address(to)?, Body::from(body));
        let limit = self.body_bytes;
        let syscalls = self.act_with("cast", fuel::MESSAGE, body.len()).await?;
        match too_large(&body, limit) {
            None => {
                let waiting = syscalls.cast(to, body)?;
                self.meter.press(waiting);
            }
            Some(why) => syscalls.log(Level::Warn, &format!("a cast was dropped: {why}")),
        }
        Ok(())
    }

    async fn call(
        &mut self,
        to: types::Address,
        body: types::Body,
        timeout_ms: Option<u64>,
    ) -> wasmtime::Result<Result<types::Body, types::CallError>> {
        let (to, body) = (convert::address(to)?, Body::from(body));
        let timeout_ms = convert::maybe_number(timeout_ms, "`timeout-ms`")?;
        let limit = self.body_bytes;
        let syscalls = self.act_with("call", fuel::MESSAGE, body.len()).await?.clone();
        if let Some(why) = too_large(&body, limit) {
            return Ok(Err(types::CallError::Refused(why)));
        }
        let answer: Result<Body, CallError> = match syscalls.begin_call(to, body, timeout_ms)? {
            Ok(mark) => poll_fn(|cx| syscalls.poll_call(mark, cx)).await?,
            Err(refused) => Err(refused),
        };
        self.meter.waited();
        self.pay(0, answer.as_ref().map_or(0, Body::len)).await?;
        Ok(answer.map(types::Body::from).map_err(types::CallError::from))
    }

    async fn request(
        &mut self,
        to: types::Address,
        body: types::Body,
        timeout_ms: Option<u64>,
    ) -> wasmtime::Result<u64> {
        let (to, body) = (convert::address(to)?, Body::from(body));
        let timeout_ms = convert::maybe_number(timeout_ms, "`timeout-ms`")?;
        let limit = self.body_bytes;
        let syscalls = self.act_with("request", fuel::MESSAGE, body.len()).await?;
        if body.len() > limit {
            return Err(Ended(ExitReason::limit("body")).into());
        }
        Ok(syscalls.request(to, body, timeout_ms)?.0)
    }

    async fn stop_server(
        &mut self,
        to: types::Address,
        reason: types::ExitReason,
        timeout_ms: Option<u64>,
    ) -> wasmtime::Result<Result<(), types::CallError>> {
        let to = convert::address(to)?;
        let reason = convert::reason(reason, self.body_bytes)?;
        let timeout_ms = convert::maybe_number(timeout_ms, "`timeout-ms`")?;
        let bytes = reason.len();
        let syscalls = self.act_with("stop-server", fuel::MESSAGE, bytes).await?.clone();
        let answer = match syscalls.begin_stop(to, reason.clone(), timeout_ms)? {
            Ok(mark) => poll_fn(|cx| syscalls.poll_call(mark, cx)).await?,
            Err(refused) => Err(refused),
        };
        self.meter.waited();
        Ok(match answer {
            Err(CallError::Ended(ended)) if ended == reason => Ok(()),
            Err(error) => Err(error.into()),
            Ok(_) => Err(types::CallError::Refused("it answered, and did not end".to_owned())),
        })
    }

    fn abandon(&mut self, mark: u64) -> wasmtime::Result<bool> {
        let mark = convert::mark(mark)?;
        Ok(self.act("abandon", fuel::MESSAGE)?.abandon(mark)?)
    }

    async fn reply(&mut self, to: types::Caller, body: types::Body) -> wasmtime::Result<()> {
        let (to, body) = (convert::caller(to)?, Body::from(body));
        let limit = self.body_bytes;
        let syscalls = self.act_with("reply", fuel::MESSAGE, body.len()).await?;
        if body.len() > limit {
            return Err(Ended(ExitReason::limit("body")).into());
        }
        Ok(syscalls.reply(to, body)?)
    }
}
