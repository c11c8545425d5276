//! `skep:process/system`: what a guest asks of servers that it controls.

use std::future::Future;
use std::pin::Pin;

use skep_kernel::system::{SystemAnswer, SystemRequest};
use skep_kernel::{Address, Pid, Refusal, State};

use super::bindings::system::{self as wit, Error, Failure, Host};
use super::bindings::types;
use super::{Ended, convert};
use crate::engine::context::Context;
use crate::engine::fuel;
use crate::system::{Statistics, SystemError};

/// The answer to a system message, which is under way; withdrawn if it is dropped.
pub type PendingSystem = Pin<Box<dyn Future<Output = Result<SystemAnswer, SystemError>> + Send>>;

/// A process, as seen at one moment.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the contract says it")]
pub struct Looked {
    pub pid: Pid,
    pub name: Option<String>,
    pub module: String,
    pub parent: Option<Pid>,
    pub doing: &'static str,
    pub handling: Option<&'static str>,
    pub suspended: bool,
    pub traps_exits: bool,
    pub mailbox_messages: usize,
    pub mailbox_bytes: usize,
    pub links: usize,
    pub monitors: usize,
    pub timers: usize,
    pub statistics: Statistics,
    pub fuel_used: u64,
    pub memory_bytes: usize,
    pub up_ms: u64,
}

/// What may be asked of others in the name of one process, as far as it was granted. Nothing blocks.
pub trait Control {
    /// Sends a system message, and the state that is to replace the present one. The process blocks until
    /// [`Syscalls::answered`](super::Syscalls::answered) is called.
    fn begin_system(
        &self,
        to: &Address,
        request: SystemRequest,
        replace: Option<State>,
        timeout_ms: Option<u64>,
    ) -> Result<Result<PendingSystem, Refusal>, Ended>;
    /// Looks at a process.
    fn look(&self, to: &Address) -> Result<Result<Looked, Refusal>, Ended>;
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Error::Refused(refusal.into())
    }
}

impl From<SystemError> for Error {
    fn from(error: SystemError) -> Self {
        match error {
            SystemError::Noproc(_) => Error::Ended,
            SystemError::NotAServer(_) => Refusal::Invalid("only servers take system messages".into()).into(),
            SystemError::TooMany(_) => Refusal::Limit("requests that wait for this process".into()).into(),
            SystemError::Busy { .. } => Error::Timeout,
            SystemError::CallbackFailed(failed) => {
                Error::Failed(Failure { step: failed.step.to_owned(), reason: failed.reason.into() })
            }
        }
    }
}

fn denied() -> Refusal {
    Refusal::Denied("control".into())
}

impl Context {
    async fn system(
        &mut self,
        import: &'static str,
        target: types::Address,
        request: SystemRequest,
        replace: Option<State>,
        timeout_ms: Option<u64>,
    ) -> wasmtime::Result<Result<SystemAnswer, Error>> {
        let target = convert::address(target)?;
        let timeout_ms = convert::maybe_number(timeout_ms, "`timeout-ms`")?;
        let bytes = replace.as_ref().map_or(0, |state| state.body.len());
        let syscalls = self.act_with(import, fuel::SPAWN, bytes).await?.clone();
        let begun = match syscalls.control() {
            Some(control) => control.begin_system(&target, request, replace, timeout_ms)?,
            None => Err(denied()),
        };
        let pending = match begun {
            Ok(pending) => pending,
            Err(refusal) => return Ok(Err(refusal.into())),
        };
        let answer = pending.await;
        syscalls.answered();
        self.meter.waited();
        Ok(answer.map_err(Error::from))
    }

    async fn look(&mut self, import: &'static str, target: types::Address) -> wasmtime::Result<Result<Looked, Error>> {
        let target = convert::address(target)?;
        let syscalls = self.act_with(import, fuel::MESSAGE, size_of::<Looked>()).await?;
        Ok(match syscalls.control() {
            Some(control) => control.look(&target)?.map_err(Error::from),
            None => Err(denied().into()),
        })
    }
}

fn done(answer: Result<SystemAnswer, Error>) -> Result<(), Error> {
    answer.map(drop)
}

impl Host for Context {
    async fn suspend(
        &mut self,
        target: types::Address,
        timeout_ms: Option<u64>,
    ) -> wasmtime::Result<Result<(), Error>> {
        Ok(done(self.system("suspend", target, SystemRequest::Suspend, None, timeout_ms).await?))
    }

    async fn resume(&mut self, target: types::Address) -> wasmtime::Result<Result<(), Error>> {
        Ok(done(self.system("resume", target, SystemRequest::Resume, None, None).await?))
    }

    async fn get_state(
        &mut self,
        target: types::Address,
        timeout_ms: Option<u64>,
    ) -> wasmtime::Result<Result<types::State, Error>> {
        let state = match self.system("get-state", target, SystemRequest::GetState, None, timeout_ms).await? {
            Ok(SystemAnswer::State(state)) => state,
            Ok(SystemAnswer::Done) => return Ok(Err(Error::Ended)),
            Err(error) => return Ok(Err(error)),
        };
        // What is carried is paid for when it is known.
        self.pay(0, state.body.len()).await?;
        if state.body.len() > self.body_bytes {
            return Ok(Err(super::directory::too_much().into()));
        }
        Ok(Ok(state.into()))
    }

    async fn replace_state(
        &mut self,
        target: types::Address,
        state: types::State,
        timeout_ms: Option<u64>,
    ) -> wasmtime::Result<Result<(), Error>> {
        let state = State::from(state);
        if let Some(why) = super::messaging::too_large(&state.body, self.body_bytes) {
            return Ok(Err(Refusal::Limit(why).into()));
        }
        Ok(done(self.system("replace-state", target, SystemRequest::ReplaceState, Some(state), timeout_ms).await?))
    }

    async fn get_status(&mut self, target: types::Address) -> wasmtime::Result<Result<wit::Status, Error>> {
        Ok(self.look("get-status", target).await?.map(|looked| wit::Status {
            pid: looked.pid.into(),
            name: looked.name,
            module: looked.module,
            parent: looked.parent.map(types::Pid::from),
            doing: looked.doing.to_owned(),
            handling: looked.handling.map(str::to_owned),
            suspended: looked.suspended,
            traps_exits: looked.traps_exits,
            mailbox_messages: looked.mailbox_messages as u64,
            mailbox_bytes: looked.mailbox_bytes as u64,
            links: looked.links as u64,
            monitors: looked.monitors as u64,
            timers: looked.timers as u64,
        }))
    }

    async fn get_statistics(&mut self, target: types::Address) -> wasmtime::Result<Result<wit::Statistics, Error>> {
        Ok(self.look("get-statistics", target).await?.map(|looked| wit::Statistics {
            messages_in: looked.statistics.messages_in,
            messages_out: looked.statistics.messages_out,
            fuel_used: looked.fuel_used,
            memory_bytes: looked.memory_bytes as u64,
            up_ms: looked.up_ms,
        }))
    }
}
