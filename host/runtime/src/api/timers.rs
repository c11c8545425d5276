//! `skep:process/timers`: timers, which belong to the process and not to its instance.

use skep_kernel::{Body, ExitReason};

use super::bindings::timers::Host;
use super::bindings::types;
use super::{Ended, convert};
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
        Ok(syscalls.send_after(after_ms, to, body)?.0)
    }

    async fn start(&mut self, after_ms: u64, body: types::Body) -> wasmtime::Result<u64> {
        let after_ms = convert::number(after_ms, "`after-ms`")?;
        let body = kept(body, self.body_bytes)?;
        let syscalls = self.act_with("start", fuel::MESSAGE, body.len()).await?;
        Ok(syscalls.start_timer(after_ms, body)?.0)
    }

    fn cancel(&mut self, mark: u64) -> wasmtime::Result<Option<u64>> {
        let mark = convert::mark(mark)?;
        Ok(self.act("cancel", fuel::CALL)?.cancel_timer(mark)?)
    }

    fn left(&mut self, mark: u64) -> wasmtime::Result<Option<u64>> {
        let mark = convert::mark(mark)?;
        Ok(self.act("left", fuel::CALL)?.timer_left(mark)?)
    }
}
