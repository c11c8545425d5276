//! The life of one instance: made, restored, handed one step after the other, saved or lost.
//!
//! Runs on whatever worker has the turn, and suspends where the guest blocks, has used up its slice, or has nothing to
//! do. What the next step is, and what an answer means, is decided by the kernel.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use skep_kernel::process::Step;
use skep_kernel::{Action, Cause, ExitReason, Process, Time};

use super::guest::End;
use super::incidents::Manner;
use super::syscalls::GuestCalls;
use super::{Cell, Content};
use crate::engine::{Class, Failure, Instance, InstantiateError, Soundness};
use crate::observe::Level;

/// Messages handled in one turn at most: handlers too short to use up a slice of fuel must let others run too.
const MESSAGES_PER_TURN: u32 = 64;

/// Drives one instance of a process until it ends or is given back.
pub(super) async fn drive(cell: Arc<Cell>) -> End {
    match live(&cell).await {
        Ok(end) | Err(end) => end,
    }
}

async fn live(cell: &Arc<Cell>) -> Result<End, End> {
    let mut instance = make(cell).await?;
    let saved = cell.process.lock().take_saved();
    if let Some(state) = saved {
        instance.restore(state, Cause::Wake).await.map_err(|failure| crash(cell, failure))?;
    }
    let mut handled = 0_u32;
    loop {
        match cell.transition(Process::next_step) {
            Step::Init => begin(cell, &mut instance).await?,
            Step::Handle { event, waiting } => {
                match instance.handle(event, waiting).await {
                    Ok(outcome) => cell.transition(|process, now, actions| process.handled(outcome, now, actions)),
                    Err(Failure { reason, instance: Soundness::Sound, .. }) => cell.process.lock().failed(reason),
                    Err(failure) => return Err(crash(cell, failure)),
                }
                handled += 1;
                if handled.is_multiple_of(MESSAGES_PER_TURN) {
                    let_others_run().await;
                }
            }
            Step::Save => {
                if let Some(end) = save(cell, &mut instance).await? {
                    return Ok(end);
                }
            }
            Step::Terminate(reason) => return Ok(terminate(cell, &mut instance, reason).await),
            Step::Wait => wait().await,
            Step::Exit(reason) => return Ok(End::Exit { reason, manner: Manner::InOrder }),
        }
    }
}

/// An instance, in the class that the process belongs to. Where that is full of instances that cannot be given back, of
/// processes blocked in calls above all, the large class is the way out: whom they wait for must be able to wake.
async fn make(cell: &Arc<Cell>) -> Result<Instance, End> {
    let Content::Guest(guest) = &cell.content else { unreachable!("only guests are driven") };
    let (limits, grants) = (&guest.spec.limits, &guest.spec.grants);
    let calls = Arc::new(GuestCalls::new(Arc::clone(cell)));
    let usual = guest.class();
    let mut made = guest.module.instantiate_in(usual, calls.clone(), limits, grants).await;
    if matches!(made, Err(InstantiateError::Full)) && usual == Class::Small && !cell.can_expect_room(usual) {
        made = guest.module.instantiate_in(Class::Large, calls, limits, grants).await;
    }
    made.map_err(|error| match error {
        InstantiateError::Full => End::NoRoom,
        InstantiateError::Failed(reason) => End::Exit { manner: Manner::by_itself(&reason), reason },
    })
}

/// `init`, or the whole of a task.
async fn begin(cell: &Arc<Cell>, instance: &mut Instance) -> Result<(), End> {
    let Content::Guest(guest) = &cell.content else { unreachable!("only guests are driven") };
    let args = guest.spec.args.clone();
    if guest.module.is_task() {
        let result = instance.run(args).await.map_err(|failure| crash(cell, failure))?;
        cell.transition(|process, _, actions| process.finished(result, actions));
        return Err(End::Exit { reason: ExitReason::Normal, manner: Manner::InOrder });
    }
    let start = instance.init(args).await.map_err(|failure| crash(cell, failure))?;
    match cell.transition(|process, now, actions| process.started(start, now, actions)) {
        None => Ok(()),
        Some(reason) => Err(End::Exit { manner: Manner::by_itself(&reason), reason }),
    }
}

/// Saves and gives the instance back, unless the guest refuses: then it stays, which is said once.
async fn save(cell: &Arc<Cell>, instance: &mut Instance) -> Result<Option<End>, End> {
    if instance.holds_files() {
        cell.process.lock().save_postponed();
        return Ok(None);
    }
    match instance.save(None).await {
        Ok(state) => {
            cell.process.lock().saved(state);
            Ok(Some(End::GaveBack))
        }
        Err(Failure { reason, instance: Soundness::Sound, .. }) => {
            cell.process.lock().save_refused();
            cell.log(Level::Warn, format!("cannot be hibernated: its `save` refused: {reason}"));
            Ok(None)
        }
        Err(failure) => Err(crash(cell, failure)),
    }
}

/// The guest's last words. If they fail, that is why the process ends, as in OTP.
async fn terminate(cell: &Cell, instance: &mut Instance, reason: ExitReason) -> End {
    match instance.terminate(reason.clone()).await {
        Ok(()) => End::Exit { manner: Manner::by_itself(&reason), reason },
        Err(failure) => crash(cell, failure),
    }
}

/// The end by a failure. A process that a signal has ended, or that ended itself in order, has not crashed.
fn crash(cell: &Cell, failure: Failure) -> End {
    let crashed = !failure.reason.is_orderly() && !cell.process.lock().is_doomed();
    let manner = if crashed { Manner::Crash { trace: failure.trace } } else { Manner::InOrder };
    End::Exit { reason: failure.reason, manner }
}

/// Until a signal comes: whoever delivers it has the driver polled.
async fn wait() {
    once(|_| {}).await;
}

/// Until everybody else on the queue had a turn.
async fn let_others_run() {
    once(|waker| waker.wake_by_ref()).await;
}

async fn once(suspend: impl Fn(&std::task::Waker)) {
    let mut suspended = false;
    poll_fn(|context| {
        if suspended {
            return Poll::Ready(());
        }
        suspended = true;
        suspend(context.waker());
        Poll::Pending
    })
    .await;
}

impl Cell {
    /// Whether somebody can be asked to give back an instance.
    fn can_expect_room(&self, class: Class) -> bool {
        self.shell().is_some_and(|shell| shell.rooms.has_candidate(class))
    }

    /// One transition of the state machine, and all that follows from it.
    pub(super) fn transition<T>(&self, transition: impl FnOnce(&mut Process, Time, &mut Vec<Action>) -> T) -> T {
        let mut actions = Vec::new();
        let shell = self.shell();
        let now = shell.as_ref().map(|shell| shell.now()).unwrap_or_default();
        let result = transition(&mut self.process.lock(), now, &mut actions);
        if let Some(shell) = shell {
            shell.perform(self, actions);
        }
        result
    }
}
