//! A process on its way to a worker and back: it is on the run queue once, on one worker, or on neither.
//!
//! Whoever gives it something to look at queues it, if nobody else has; if it comes during a turn, the worker does, when it
//! leaves. So no signal waits for another one to be seen, and no two workers are in one process.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::task::Wake;

use skep_kernel::process::{SliceEnd, Turn};
use skep_kernel::{Action, ExitReason, Process, Time};

use super::Cell;

impl Cell {
    /// One transition of the state machine, and all that follows from it.
    pub(super) fn transition<T>(&self, transition: impl FnOnce(&mut Process, Time, &mut Vec<Action>) -> T) -> T {
        let mut actions = Vec::new();
        let now = self.shell().now();
        let result = transition(&mut self.process.lock(), now, &mut actions);
        self.shell().perform(self, actions);
        result
    }

    /// A turn on this worker. If the process does not end in it, how it is left.
    pub(super) fn turn<End>(&self, slice: impl FnOnce(Turn) -> ControlFlow<End>) -> ControlFlow<End, SliceEnd> {
        let turn = self.process.lock().begin_slice();
        slice(turn)?;
        ControlFlow::Continue(self.process.lock().end_slice())
    }

    /// Its end: nobody finds it any more, then everybody hears of it (PROC-09).
    pub(super) fn end(&self, reason: &ExitReason) {
        self.transition(|process, _, actions| process.vanish(reason, actions));
        self.transition(|process, _, actions| process.exit(reason, actions));
    }
}

/// The waker of a guest's future: fuel that ran out for this turn, a file that was read, a signal it blocks on.
impl Wake for Cell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let queued = self.process.lock().wake();
        if queued {
            self.shell().schedule(Arc::clone(self));
        }
    }
}
