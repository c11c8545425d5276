//! `skep:process/links`: links, monitors and exit signals.

use skep_kernel::Body;
use skep_kernel::process::{AliasMode, Monitoring};

use super::bindings::links::{Host, MonitorAlias, Watch};
use super::bindings::types;
use super::{Ended, convert};
use crate::engine::context::Context;
use crate::engine::fuel;

impl From<MonitorAlias> for AliasMode {
    fn from(mode: MonitorAlias) -> Self {
        match mode {
            MonitorAlias::ExplicitUnalias => AliasMode::ExplicitUnalias,
            MonitorAlias::Demonitor => AliasMode::Demonitor,
            MonitorAlias::ReplyDemonitor => AliasMode::ReplyDemonitor,
        }
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
        let wanted = Monitoring::of(target);
        Ok(self.act_with("monitor", fuel::MESSAGE, 0).await?.monitor(wanted)?.0.0)
    }

    async fn monitor_with(
        &mut self,
        target: types::Address,
        tag: Option<types::Body>,
        alias: Option<MonitorAlias>,
    ) -> wasmtime::Result<Watch> {
        let (target, tag) = (convert::address(target)?, tag.map(Body::from));
        let bytes = tag.as_ref().map_or(0, Body::len);
        let wanted = Monitoring { target, tag, alias: alias.map(AliasMode::from) };
        let (mark, alias) = self.act_with("monitor-with", fuel::MESSAGE, bytes).await?.monitor(wanted)?;
        Ok(Watch { mark: mark.0, alias: alias.map(types::Alias::from) })
    }

    fn demonitor(&mut self, mark: u64, flush: bool) -> wasmtime::Result<bool> {
        let mark = convert::mark(mark)?;
        Ok(self.act("demonitor", fuel::MESSAGE)?.demonitor(mark, flush)?)
    }

    fn trap_exit(&mut self, on: bool) -> wasmtime::Result<bool> {
        Ok(self.act("trap-exit", fuel::LITTLE)?.trap_exit(on)?)
    }

    async fn exit(&mut self, to: types::Pid, reason: types::ExitReason) -> wasmtime::Result<()> {
        let to = convert::pid(to)?;
        let reason = convert::reason(reason, self.body_bytes)?;
        let bytes = reason.len();
        Ok(self.act_with("exit", fuel::MESSAGE, bytes).await?.exit(to, reason)?)
    }

    fn kill(&mut self, to: types::Pid) -> wasmtime::Result<()> {
        let to = convert::pid(to)?;
        Ok(self.act("kill", fuel::MESSAGE)?.kill(to)?)
    }

    fn stop(&mut self, reason: types::ExitReason) -> wasmtime::Result<()> {
        let reason = convert::reason(reason, self.body_bytes)?;
        self.act("stop", fuel::LITTLE)?;
        Err(Ended(reason).into())
    }
}
