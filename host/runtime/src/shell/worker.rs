//! The workers: threads that take processes off the run queue and give each a turn.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use skep_kernel::ExitReason;
use skep_kernel::process::{SliceEnd, Turn};

use super::incidents::Manner;
use super::{Cell, Content, Shell};
use crate::engine::fault;
use crate::observe::Decision;

/// What came of a turn.
#[must_use]
pub(super) enum Slice {
    /// The process goes on, now or when something comes.
    Over,
    /// The process ends.
    Ended { reason: ExitReason, manner: Manner },
}

/// Starts the workers. They do what the guests' blocking files and sockets need within this tokio.
pub(super) fn start(shell: &Arc<Shell>, tokio: &tokio::runtime::Handle) -> std::io::Result<()> {
    for number in 0..shell.queue.workers() {
        let (shell, tokio) = (Arc::clone(shell), tokio.clone());
        std::thread::Builder::new().name(format!("skep-worker-{number}")).spawn(move || {
            let _tokio = tokio.enter();
            shell.queue.serve(|cell| shell.guarded_turn(&cell));
        })?;
    }
    Ok(())
}

impl Shell {
    /// A turn after which the worker lives, whatever happened: a broken invariant costs the process whose turn it was.
    fn guarded_turn(self: &Arc<Self>, cell: &Arc<Cell>) {
        let turn = catch_unwind(AssertUnwindSafe(|| self.turn(cell)));
        if let Err(panic) = turn {
            let reason = fault::host_panic(panic.as_ref());
            self.finish(cell, &reason, Manner::by_itself(&reason));
        }
    }

    fn turn(self: &Arc<Self>, cell: &Arc<Cell>) {
        let turn = cell.process.lock().begin_slice();
        let slice = match (turn, &cell.content) {
            (Turn::Exit(reason), _) => Slice::Ended { manner: manner_of_doom(&reason), reason },
            (turn, Content::Guest(guest)) => guest.slice(self, cell, &turn),
            (_, Content::Supervisor(overseer)) => overseer.slice(self, cell),
            (_, Content::Client(_)) => Slice::Over,
        };
        match slice {
            Slice::Ended { reason, manner } => self.finish(cell, &reason, manner),
            Slice::Over => {
                let end = cell.process.lock().end_slice();
                match end {
                    SliceEnd::Preempted => self.queue.push(Arc::clone(cell)),
                    SliceEnd::Waiting => self.rooms.rested(self),
                }
            }
        }
    }

    /// The end of a process: its instance first, then its name and its place in the table, then everybody hears of it.
    pub(super) fn finish(&self, cell: &Cell, reason: &ExitReason, manner: Manner) {
        if let Content::Guest(guest) = &cell.content {
            guest.discard(self, cell);
        }
        if let Manner::Crash { trace, message } = manner {
            self.crashed(cell, reason, trace, message);
        }
        cell.transition(|process, _, actions| process.vanish(reason, actions));
        cell.transition(|process, _, actions| process.exit(reason, actions));
        if let Content::Supervisor(overseer) = &cell.content {
            let unheard = overseer.crashes.close();
            unheard.into_iter().for_each(|crash| self.observer.report(crash.decided(Decision::SupervisorEnded)));
        }
        // After it can be found no more, so that nobody begins to look behind this.
        self.traces.gone(cell.pid, reason);
    }
}

/// An exit signal is no crash of its receiver, but one that no other process sent: its own `init` took too long.
fn manner_of_doom(reason: &ExitReason) -> Manner {
    if *reason == ExitReason::limit("time") { Manner::by_itself(reason) } else { Manner::InOrder }
}
