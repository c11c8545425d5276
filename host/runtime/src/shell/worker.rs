//! The workers: threads that take processes off the run queue and give each a turn.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use skep_kernel::ExitReason;
use skep_kernel::process::{SliceEnd, Turn};

use super::clock::Clock;
use super::incidents::Manner;
use super::{Cell, Content, Shell};
use crate::engine::fault;
use crate::observe::Decision;

/// How a process ends.
pub(super) struct Ended {
    pub(super) reason: ExitReason,
    pub(super) manner: Manner,
}

/// Starts the workers. They do what the guests' blocking files and sockets need within this tokio. The last one to end takes
/// everything down: processes and the table that they are in hold on to each other.
pub(super) fn start(shell: &Arc<Shell>, tokio: &tokio::runtime::Handle) -> std::io::Result<()> {
    let working = Arc::new(());
    for number in 0..shell.queue.workers() {
        let (shell, tokio, working) = (Arc::clone(shell), tokio.clone(), Arc::clone(&working));
        std::thread::Builder::new().name(format!("skep-worker-{number}")).spawn(move || {
            let _tokio = tokio.enter();
            shell.seen.work(number);
            shell.queue.serve(|cell| shell.guarded_turn(&cell));
            if Arc::into_inner(working).is_some() {
                shell.take_down();
            }
        })?;
    }
    Ok(())
}

impl Shell {
    /// Ends all processes, whose guests run no more. The embedding program's own hear of it, and end when it lets go of them.
    fn take_down(&self) {
        for cell in self.table.all() {
            if !matches!(cell.content, Content::Client(_)) {
                self.finish(&cell, &ExitReason::Killed, Manner::InOrder);
            }
        }
        self.queue.forget_all();
        self.throttle.forget_all();
    }

    /// A turn after which the worker lives, whatever happened: a broken invariant costs the process whose turn it was.
    fn guarded_turn(self: &Arc<Self>, cell: &Arc<Cell>) {
        let turn = catch_unwind(AssertUnwindSafe(|| self.turn(cell)));
        if let Err(panic) = turn {
            let reason = fault::host_panic(panic.as_ref());
            self.finish(cell, &reason, Manner::by_itself(&reason));
        }
    }

    fn turn(self: &Arc<Self>, cell: &Arc<Cell>) {
        Clock::begin_turn();
        if matches!(cell.content, Content::Guest(_)) && self.throttled(cell) {
            return;
        }
        match cell.turn(|turn| self.slice(cell, turn)) {
            ControlFlow::Break(Ended { reason, manner }) => self.finish(cell, &reason, manner),
            ControlFlow::Continue(SliceEnd::Preempted) => self.queue.push_behind(Arc::clone(cell)),
            ControlFlow::Continue(SliceEnd::Spent) => self.queue.push_spent(Arc::clone(cell)),
            ControlFlow::Continue(SliceEnd::Waiting) => self.rooms.rested(cell, self),
        }
    }

    fn slice(self: &Arc<Self>, cell: &Arc<Cell>, turn: Turn) -> ControlFlow<Ended> {
        match (turn, &cell.content) {
            (Turn::Exit(reason), _) => ControlFlow::Break(Ended { manner: manner_of_doom(&reason), reason }),
            (turn, Content::Guest(guest)) => guest.slice(self, cell, &turn),
            (_, Content::Supervisor(overseer)) => overseer.slice(self, cell),
            (_, Content::Client(_)) => ControlFlow::Continue(()),
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
        // What the host's own hands do is not the app's.
        if !matches!(cell.content, Content::Client(_)) {
            cell.app.tally.add(&cell.process.lock());
            self.seen.exited(cell, reason, cell.age(self.now()));
        }
        cell.end(reason);
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
