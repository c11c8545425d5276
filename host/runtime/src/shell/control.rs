//! System messages from a guest to servers that it was granted the control of (SYS), performed in its name.
//!
//! Owns who may control whom. A grant names what processes were started as: a name that somebody took later, or was given,
//! gives nobody a right over him. What a request comes to is the kernel's business, as with operators.

use std::sync::Arc;
use std::time::Duration;

use skep_kernel::process::WaitsFor;
use skep_kernel::system::SystemRequest;
use skep_kernel::{Address, Refusal, State};

use super::guest::Guest;
use super::syscalls::{GuestCalls, milliseconds};
use super::{Cell, Content};
use crate::api::{Control, Ended, Looked, PendingSystem};
use crate::system::Replace;

/// A guest that may be controlled.
struct Controlled(Arc<Cell>);

impl Controlled {
    fn guest(&self) -> &Guest {
        match &self.0.content {
            Content::Guest(guest) => guest,
            Content::Supervisor(_) | Content::Client(_) => unreachable!("it was looked for among guests"),
        }
    }
}

impl GuestCalls {
    fn controlled(&self, to: &Address) -> Result<Result<Controlled, Refusal>, Ended> {
        let shell = self.shell()?;
        let cell = self.neighbour_at(shell, to)?;
        Ok(self.may_control(cell))
    }

    fn may_control(&self, cell: Option<Arc<Cell>>) -> Result<Controlled, Refusal> {
        let Content::Guest(own) = &self.cell.content else { return Err(Refusal::Denied("control".into())) };
        let grants = &own.spec.grants;
        if grants.control.is_empty() {
            // Not even who is there.
            return Err(Refusal::Denied("control".into()));
        }
        let cell = cell.ok_or_else(|| Refusal::Unknown("noproc".into()))?;
        if !matches!(cell.content, Content::Guest(_)) {
            return Err(Refusal::Invalid("only servers take system messages".into()));
        }
        let name = cell.content.started_as();
        if !grants.allows_control(name) {
            let name = if name.is_empty() { "*" } else { name };
            return Err(Refusal::Denied(format!("control = [{name:?}]")));
        }
        if cell.pid == self.cell.pid {
            return Err(Refusal::Invalid("a process cannot control itself".into()));
        }
        Ok(Controlled(cell))
    }
}

impl Control for GuestCalls {
    fn begin_system(
        &self,
        to: &Address,
        request: SystemRequest,
        replace: Option<State>,
        timeout_ms: Option<u64>,
    ) -> Result<Result<PendingSystem, Refusal>, Ended> {
        let shell = Arc::clone(self.shell()?);
        let target = match self.controlled(to)? {
            Ok(target) => target.0.pid,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let replace = replace.map(|state| -> Replace { Box::new(move |_| Ok(state)) });
        let within = timeout_ms.map_or(Duration::MAX, Duration::from_millis);
        self.process()?.begin_wait(WaitsFor::Reply(Some(target)));
        Ok(Ok(Box::pin(async move { shell.system(target, request, replace, within).await })))
    }

    fn look(&self, to: &Address) -> Result<Result<Looked, Refusal>, Ended> {
        let shell = self.shell()?;
        Ok(self.controlled(to)?.map(|target| {
            let usage = &target.guest().usage;
            let (fuel_used, memory_bytes) = (usage.fuel(), usage.memory_bytes());
            let process = target.0.process.lock();
            Looked {
                pid: target.0.pid,
                name: process.name().map(ToString::to_string),
                module: target.guest().spec.module.to_string(),
                parent: process.parent(),
                doing: process.status(),
                handling: process.handling(),
                suspended: process.is_held(),
                traps_exits: process.traps_exits(),
                mailbox_messages: process.mailbox().len(),
                mailbox_bytes: process.mailbox().bytes(),
                links: process.links().count(),
                monitors: process.monitors().count(),
                timers: process.timers_running(),
                statistics: process.statistics(),
                fuel_used,
                memory_bytes,
                up_ms: milliseconds(target.0.age(shell.now())),
            }
        }))
    }
}
