//! Tasks that a supervisor starts for a guest, which awaits the result.
//!
//! Owns what travels with such a start from the guest, through the supervisor, to the birth: which pid the task will have,
//! and who is tied to it. The ties are made beforehand, so that the task may end at once and be heard of all the same.

use std::sync::Arc;

use skep_kernel::supervisor::{ChildSpec, Restart};
use skep_kernel::{ExitReason, Pid, Refusal, Signal, process};

use super::{Cell, Shell};
use crate::spec::Blueprint;

/// Who awaits the result of a task, and which pid the task will have. Made by the runtime alone, for one start.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Awaited {
    pub(super) task: Pid,
    pub(super) by: process::Awaited,
}

impl Awaited {
    /// Has this child be the task. It is started once: another would have the same pid, and bring a second result.
    pub(super) fn attach(self, child: &mut ChildSpec<Blueprint>) -> Result<(), Refusal> {
        match &mut child.start {
            Blueprint::Process(spec) if child.restart == Restart::Temporary => {
                Arc::make_mut(spec).awaited = Some(self);
                Ok(())
            }
            Blueprint::Process(_) => Err(Refusal::Invalid("a task whose result is awaited is temporary".into())),
            Blueprint::Supervisor(_) => Err(Refusal::Invalid("a supervisor brings no result".into())),
        }
    }

    /// Of a child that is about to be started.
    pub(super) fn of(start: &Blueprint) -> Option<&Awaited> {
        match start {
            Blueprint::Process(spec) => spec.awaited.as_ref(),
            Blueprint::Supervisor(_) => None,
        }
    }
}

impl Shell {
    /// For whoever has ended before the task was there to hear of it, it does not run. Later ends reach it by the link.
    pub(super) fn end_unless_awaited(&self, task: &Cell, awaited: &Awaited) {
        let by = awaited.by.by;
        if self.table.get(by).is_none() {
            let _ = self.deliver(task.pid, Signal::Exit { from: by, reason: ExitReason::Noproc });
        }
    }
}
