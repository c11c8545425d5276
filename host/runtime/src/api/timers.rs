//! `skep:process/timers`: timers, which belong to the process and not to its instance.

use skep_kernel::{Body, ExitReason};

use super::bindings::timers::Host;
use super::bindings::types;
use super::{Ended, When, convert};
use crate::engine::context::Context;
use crate::engine::fuel;

/// A body that a timer keeps, or the end of the process.
fn kept(body: types::Body, limit: usize) -> Result<Body, Ended> {
    let body = Body::from(body);
    if body.len() > limit { Err(Ended(ExitReason::limit("body"))) } else { Ok(body) }
}

impl Host for Context {
    async fn send_after(&mut self, after_ms: u64, to: types::Address, body: types::Body) -> wasmtime::Result<u64> {
        let after_ms = convert::number(after_ms, "`after-ms`")?;
        let (to, body) = (convert::address(to)?, kept(body, self.body_bytes)?);
        let syscalls = self.act_with("send-after", fuel::MESSAGE, body.len()).await?;
        Ok(syscalls.start_timer(When::AfterMs(after_ms), Some(to), body)?.0)
    }

    async fn start(&mut self, after_ms: u64, body: types::Body) -> wasmtime::Result<u64> {
        let after_ms = convert::number(after_ms, "`after-ms`")?;
        let body = kept(body, self.body_bytes)?;
        let syscalls = self.act_with("start", fuel::MESSAGE, body.len()).await?;
        Ok(syscalls.start_timer(When::AfterMs(after_ms), None, body)?.0)
    }

    fn now(&mut self) -> wasmtime::Result<u64> {
        Ok(self.act("now", fuel::LITTLE)?.now()?)
    }

    async fn send_at(&mut self, at_ms: u64, to: types::Address, body: types::Body) -> wasmtime::Result<u64> {
        let at_ms = convert::number(at_ms, "`at-ms`")?;
        let (to, body) = (convert::address(to)?, kept(body, self.body_bytes)?);
        let syscalls = self.act_with("send-at", fuel::MESSAGE, body.len()).await?;
        Ok(syscalls.start_timer(When::AtMs(at_ms), Some(to), body)?.0)
    }

    async fn start_at(&mut self, at_ms: u64, body: types::Body) -> wasmtime::Result<u64> {
        let at_ms = convert::number(at_ms, "`at-ms`")?;
        let body = kept(body, self.body_bytes)?;
        let syscalls = self.act_with("start-at", fuel::MESSAGE, body.len()).await?;
        Ok(syscalls.start_timer(When::AtMs(at_ms), None, body)?.0)
    }

    fn cancel(&mut self, mark: u64) -> wasmtime::Result<Option<u64>> {
        let mark = convert::mark(mark)?;
        Ok(self.act("cancel", fuel::LITTLE)?.cancel_timer(None, mark)?)
    }

    fn left(&mut self, mark: u64) -> wasmtime::Result<Option<u64>> {
        let mark = convert::mark(mark)?;
        Ok(self.act("left", fuel::LITTLE)?.timer_left(None, mark)?)
    }

    fn cancel_of(&mut self, owner: types::Pid, mark: u64) -> wasmtime::Result<Option<u64>> {
        let (owner, mark) = (convert::pid(owner)?, convert::mark(mark)?);
        Ok(self.act("cancel-of", fuel::MESSAGE)?.cancel_timer(Some(owner), mark)?)
    }

    fn left_of(&mut self, owner: types::Pid, mark: u64) -> wasmtime::Result<Option<u64>> {
        let (owner, mark) = (convert::pid(owner)?, convert::mark(mark)?);
        Ok(self.act("left-of", fuel::MESSAGE)?.timer_left(Some(owner), mark)?)
    }
}
