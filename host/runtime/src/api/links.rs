//! `skep:process/links`: links, monitors and exit signals.

use skep_kernel::ExitReason;

use super::bindings::links::Host;
use super::bindings::types;
use super::{Ended, convert};
use crate::engine::context::Context;
use crate::engine::fuel;

/// The size of what a reason carries.
pub(super) fn size(reason: &ExitReason) -> usize {
    match reason {
        ExitReason::Shutdown(Some(body)) | ExitReason::Custom(body) => body.len(),
        ExitReason::Trap(fault) => fault.kind.len() + fault.message.len() + fault.trace.len(),
        ExitReason::Limit(text) | ExitReason::Failed(text) => text.len(),
        _ => 0,
    }
}

impl Host for Context {
    fn link(&mut self, to: types::Pid) -> wasmtime::Result<Result<(), types::Refusal>> {
        let to = convert::pid(to)?;
        Ok(self.act("link", fuel::MESSAGE)?.link(to)?.map_err(types::Refusal::from))
    }

    fn unlink(&mut self, to: types::Pid) -> wasmtime::Result<()> {
        let to = convert::pid(to)?;
        Ok(self.act("unlink", fuel::MESSAGE)?.unlink(to)?)
    }

    async fn monitor(&mut self, target: types::Address) -> wasmtime::Result<u64> {
        let target = convert::address(target)?;
        Ok(self.act_with("monitor", fuel::MESSAGE, 0).await?.monitor(target)?.0)
    }

    fn demonitor(&mut self, mark: u64, flush: bool) -> wasmtime::Result<bool> {
        let mark = convert::mark(mark)?;
        Ok(self.act("demonitor", fuel::MESSAGE)?.demonitor(mark, flush)?)
    }

    fn trap_exit(&mut self, on: bool) -> wasmtime::Result<bool> {
        Ok(self.act("trap-exit", fuel::CALL)?.trap_exit(on)?)
    }

    async fn exit(&mut self, to: types::Pid, reason: types::ExitReason) -> wasmtime::Result<()> {
        let to = convert::pid(to)?;
        let reason = convert::reason(reason, self.body_bytes)?;
        let bytes = size(&reason);
        Ok(self.act_with("exit", fuel::MESSAGE, bytes).await?.exit(to, reason)?)
    }

    fn kill(&mut self, to: types::Pid) -> wasmtime::Result<()> {
        let to = convert::pid(to)?;
        Ok(self.act("kill", fuel::MESSAGE)?.kill(to)?)
    }

    fn stop(&mut self, reason: types::ExitReason) -> wasmtime::Result<()> {
        let reason = convert::reason(reason, self.body_bytes)?;
        self.act("stop", fuel::CALL)?;
        Err(Ended(reason).into())
    }
}
