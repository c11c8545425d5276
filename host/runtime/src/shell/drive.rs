//! The life of one instance: made, restored, handed one step after the other, saved or lost.
//!
//! Runs on whatever worker has the turn, and suspends where the guest blocks, has used up its slice, or has nothing to
//! do. What the next step is, and what an answer means, is decided by the kernel.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use skep_kernel::budget::{Exceeded, Resource};
use skep_kernel::process::Step;
use skep_kernel::{Body, Cause, Event, ExitReason, State, Want};

use super::guest::{End, Guest};
use super::incidents::Manner;
use super::rooms::Full;
use super::serve;
use super::syscalls::GuestCalls;
use super::upgrade::takeover::{self, Taken};
use super::{Cell, Content, seen};
use crate::Module;
use crate::engine::{Class, Failure, Instance, InstantiateError, Soundness};
use crate::metrics::Eviction;
use crate::observe::{Excerpt, Level};
use crate::spec::WhenFull;

/// Messages handled in one turn at most: handlers too short to use up a slice of fuel must let others run too.
const MESSAGES_PER_TURN: u32 = 64;

/// Drives one instance of a process until it ends or is given back.
pub(super) async fn drive(cell: Arc<Cell>) -> End {
    let (Ok(end) | Err(end)) = live(&cell).await;
    guest(&cell).usage.instance_gone();
    end
}

async fn live(cell: &Arc<Cell>) -> Result<End, End> {
    let (step, is_waking) = cell.transition(|process, now, actions| {
        let step = process.step_asleep(now, actions);
        (step, process.saved_bytes().is_some())
    });
    if let Some(step) = step {
        return Ok(asleep(cell, step).await);
    }
    let code = guest(cell).module();
    let begun = if is_waking { seen::wakes() } else { None };
    let calls = Arc::new(GuestCalls::new(Arc::clone(cell)));
    let mut instance = make_for(cell, &code, Arc::clone(&calls)).await.map_err(no_instance)?;
    let saved = cell.process.lock().take_saved();
    let mut is_warm = saved.is_none();
    if let Some(state) = saved {
        instance.restore(state, Cause::Wake).await.map_err(|failure| crash(cell, failure))?;
        seen::woke(cell, begun);
    }
    // In this turn.
    let mut handled = 0_u32;
    // What it was handling when it failed, so that it has only its last words to say.
    let mut culprit = None;
    loop {
        match next_step(cell, &code) {
            Step::Init => begin(cell, &mut instance).await?,
            Step::Handle { event, more } => {
                calls.begins_timing(std::mem::replace(&mut is_warm, true));
                culprit = handle(cell, &mut instance, event, more).await?;
                calls.ends();
                handled += 1;
                if handled.is_multiple_of(MESSAGES_PER_TURN) {
                    let_others_run(cell).await;
                }
            }
            Step::Save => {
                if let Some(end) = save(cell, &mut instance).await? {
                    return Ok(end);
                }
            }
            Step::Migrate => {
                if let Some(end) = migrate(cell, &mut instance).await? {
                    return Ok(end);
                }
            }
            Step::GetState(id) => serve::tell_state(cell, &mut instance, id).await?,
            Step::ReplaceState(id) => {
                if let Some(end) = serve::replace_live(cell, &mut instance, id).await? {
                    return Ok(end);
                }
            }
            Step::Discard => {
                cell.process.lock().discarded();
                return Ok(End::GaveBack);
            }
            Step::Terminate(reason) => return Ok(terminate(cell, &mut instance, reason, culprit).await),
            Step::Wait => {
                wait().await;
                handled = 0;
                instance.has_waited();
            }
            Step::Exit(reason) => return Ok(End::Exit { reason, manner: Manner::InOrder }),
        }
    }
}

/// One event, shown to whoever looks. What it was, if the handler answered with an error.
async fn handle(cell: &Arc<Cell>, instance: &mut Instance, event: Event, more: bool) -> Result<Option<Excerpt>, End> {
    let traces = &cell.shell().traces;
    traces.begins(cell.pid, &event);
    match instance.handle(event, more).await {
        Ok(outcome) => {
            traces.handled(cell.pid, &outcome);
            cell.transition(|process, now, actions| process.handled(outcome, now, actions));
            Ok(None)
        }
        Err(failure) => {
            let message = instance.excerpt();
            traces.failed(cell.pid, &failure.reason);
            match failure.instance {
                Soundness::Sound => cell.process.lock().failed(failure.reason),
                Soundness::Ruined => return Err(crash_at(cell, failure, message)),
            }
            Ok(message)
        }
    }
}

/// What a guest that is driven is made from.
pub(super) fn guest(cell: &Cell) -> &Guest {
    let Content::Guest(guest) = &cell.content else { unreachable!("only guests are driven") };
    guest
}

/// The next step of an instance of this code. Until `init` a process has no state, so an upgrade just puts other code in
/// the place of what it would have begun on: an instance of that is of no use any more.
fn next_step(cell: &Cell, code: &Module) -> Step {
    cell.transition(|process, now, actions| {
        if process.is_new() && !guest(cell).runs(code) { Step::Discard } else { process.next_step(now, actions) }
    })
}

/// A suspended process without an instance is not woken for an upgrade.
async fn asleep(cell: &Arc<Cell>, step: Step) -> End {
    match step {
        Step::Migrate => {
            let before = cell.process.lock().saved_state();
            let before = before.expect("it sleeps, and nothing wakes it but this driver");
            if let Some(full) = take_over(cell, before).await {
                return End::NoRoom(full);
            }
        }
        Step::ReplaceState(id) => return serve::replace_asleep(cell, id).await,
        Step::Exit(reason) => return End::Exit { reason, manner: Manner::InOrder },
        Step::Save
        | Step::Discard
        | Step::Wait
        | Step::Init
        | Step::Handle { .. }
        | Step::GetState(_)
        | Step::Terminate(_) => {}
    }
    cell.process.lock().discarded();
    End::GaveBack
}

/// Has the new code take the state over, and keeps the instance of the old one, unless there is no room beside it.
async fn migrate(cell: &Arc<Cell>, instance: &mut Instance) -> Result<Option<End>, End> {
    if instance.holds_files() {
        let reason = ExitReason::failed("it holds open files, which no state can carry");
        cell.transition(|process, _, actions| process.not_migrated(takeover::not_saved(reason), actions));
        return Ok(None);
    }
    let before = match instance.save(None).await {
        Ok(before) => before,
        Err(failure) => {
            let why = takeover::not_saved(failure.reason.clone());
            cell.transition(|process, _, actions| process.not_migrated(why, actions));
            return match failure.instance {
                Soundness::Sound => Ok(None),
                Soundness::Ruined => Err(crash(cell, failure)),
            };
        }
    };
    let Some(full) = take_over(cell, before.clone()).await else { return Ok(None) };
    // It gives its own place, for want of another, and goes on as if it had been hibernated.
    give_back(cell, Some(full.want()), before);
    Ok(Some(End::NoRoom(full)))
}

/// What is full, if there was no room for it now.
async fn take_over(cell: &Arc<Cell>, before: State) -> Option<Full> {
    match takeover::take_over(cell, before).await {
        Taken::Over(after) => {
            cell.transition(|process, _, actions| process.migrated(after, actions));
        }
        Taken::Not(why) => cell.transition(|process, _, actions| process.not_migrated(why, actions)),
        Taken::Unwanted => {}
        Taken::NoRoom(full) => {
            cell.process.lock().migration_postponed();
            return Some(full);
        }
    }
    None
}

/// Why no instance could be made.
pub(super) enum MakeError {
    /// All places are taken.
    NoRoom(Full),
    /// The guest is at fault.
    Failed(ExitReason),
}

fn no_instance(error: MakeError) -> End {
    match error {
        MakeError::NoRoom(full) => End::NoRoom(full),
        MakeError::Failed(reason) => End::Exit { manner: Manner::by_itself(&reason), reason },
    }
}

/// An instance, in the class that the process belongs to. Where that is full of instances that cannot be given back, of
/// processes blocked in calls above all, the large class is the way out: whom they wait for must be able to wake.
pub(super) async fn make(cell: &Arc<Cell>, code: &Module) -> Result<Instance, MakeError> {
    make_for(cell, code, Arc::new(GuestCalls::new(Arc::clone(cell)))).await
}

/// As [`make`], with these for its way to the host.
async fn make_for(cell: &Arc<Cell>, code: &Module, calls: Arc<GuestCalls>) -> Result<Instance, MakeError> {
    // Not those that it was born with: they may have been changed since.
    let limits = Arc::clone(cell.process.lock().limits());
    let grants = &guest(cell).spec.grants;
    let usual = code.class_for(limits.memory_bytes);
    let since = cell.budget.departures();
    compiled(code, usual).await;
    let mut made = code.instantiate_in(usual, calls.clone(), &limits, grants).await;
    if matches!(made, Err(InstantiateError::Full)) && usual == Class::Small && !cell.can_expect_room(usual) {
        compiled(code, Class::Large).await;
        made = code.instantiate_in(Class::Large, calls, &limits, grants).await;
    }
    made.map_err(|error| match error {
        InstantiateError::Full => cell.no_slot(usual),
        InstantiateError::OverBudget(exceeded) => cell.no_place(exceeded, since),
        InstantiateError::Failed(reason) => MakeError::Failed(reason),
    })
}

/// Has code compiled for a class in which none of it has run yet. Not by a worker: it may take seconds. What comes of it is
/// seen when an instance is made.
async fn compiled(code: &Module, class: Class) {
    if !code.is_prepared(class) {
        let code = code.clone();
        let _ = tokio::task::spawn_blocking(move || code.prepare_for(class)).await;
    }
}

/// `init`, or the whole of a task or of a command.
async fn begin(cell: &Arc<Cell>, instance: &mut Instance) -> Result<(), End> {
    let guest = guest(cell);
    let args = guest.take_args();
    if guest.module().is_command() {
        let outcome = instance.command().await;
        outcome.map_err(|failure| crash_at(cell, failure, None))?;
        let nothing = Body::Json("null".to_owned());
        cell.transition(|process, _, actions| process.finished(nothing, actions));
        return Err(End::Exit { reason: ExitReason::Normal, manner: Manner::InOrder });
    }
    if guest.module().is_task() {
        let result = instance.run(args).await;
        let result = result.map_err(|failure| crash_at(cell, failure, instance.excerpt()))?;
        cell.transition(|process, _, actions| process.finished(result, actions));
        return Err(End::Exit { reason: ExitReason::Normal, manner: Manner::InOrder });
    }
    let start = instance.init(args).await.map_err(|failure| crash(cell, failure))?;
    match cell.transition(|process, now, actions| process.started(start, now, actions)) {
        None => Ok(()),
        Some(reason) => Err(End::Exit { manner: Manner::by_itself(&reason), reason }),
    }
}
/// The state is all that is left. Gone for these, or for whoever has wanted the instance back.
fn give_back(cell: &Cell, want: Option<Want>, state: State) {
    let bytes = state.body.len();
    let why = {
        let mut process = cell.process.lock();
        let why = Eviction::from(want.or(process.wanted_back()));
        process.saved(state);
        why
    };
    seen::gave_back(cell, why, bytes);
}

/// Saves and gives the instance back, unless the guest refuses: then it stays, which is said once.
async fn save(cell: &Arc<Cell>, instance: &mut Instance) -> Result<Option<End>, End> {
    if instance.holds_files() {
        cell.process.lock().save_postponed();
        return Ok(None);
    }
    match instance.save(None).await {
        Ok(state) => {
            give_back(cell, None, state);
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
async fn terminate(cell: &Cell, instance: &mut Instance, reason: ExitReason, culprit: Option<Excerpt>) -> End {
    match instance.terminate(reason.clone()).await {
        Ok(()) => End::Exit { manner: Manner::by_itself(&reason).at(culprit), reason },
        Err(failure) => crash(cell, failure),
    }
}

/// The end by a failure. A process that a signal has ended, or that ended itself in order, has not crashed.
pub(super) fn crash(cell: &Cell, failure: Failure) -> End {
    crash_at(cell, failure, None)
}

/// The same, while it was handling something.
fn crash_at(cell: &Cell, failure: Failure, message: Option<Excerpt>) -> End {
    let crashed = !failure.reason.is_orderly() && !cell.process.lock().is_doomed();
    let manner = if crashed { Manner::Crash { trace: failure.trace, message } } else { Manner::InOrder };
    End::Exit { reason: failure.reason, manner }
}

/// Until a signal comes: whoever delivers it has the driver polled.
async fn wait() {
    let mut suspended = false;
    poll_fn(|_| if std::mem::replace(&mut suspended, true) { Poll::Ready(()) } else { Poll::Pending }).await;
}

/// Until everybody else on the queue had a turn. Its own were short, so it does not go behind those who compute.
async fn let_others_run(cell: &Cell) {
    // On a worker it is not queued twice.
    let _ = cell.process.lock().stir();
    wait().await;
}

impl Cell {
    /// What becomes of a process that a budget has no place for. It waits, as for a place of its class; but to begin, it needs
    /// memory that somebody can give back, or it would wait for what may never come.
    fn no_place(&self, exceeded: Exceeded, since: u64) -> MakeError {
        let failed = || MakeError::Failed(ExitReason::limit(&exceeded.to_string()));
        let Some(budget) = self.budget.called(&exceeded.whose) else { return failed() };
        let begins = self.process.lock().is_new();
        if begins && exceeded.what == Resource::Memory.word() && !self.shell().rooms.has_candidate_within(&budget) {
            return failed();
        }
        MakeError::NoRoom(Full::Budget { budget, since })
    }

    /// What becomes of a process that its class has no place for. It waits, unless it only begins and that is not how it is
    /// to be; where somebody can give one back, it is there in a moment.
    fn no_slot(&self, class: Class) -> MakeError {
        let refuses = self.shell().policy.when_full == WhenFull::Refuse;
        if refuses && self.process.lock().is_new() && !self.can_expect_room(class) {
            return MakeError::Failed(ExitReason::limit("instances"));
        }
        MakeError::NoRoom(Full::Class(class))
    }

    /// Whether somebody can be asked to give back an instance.
    fn can_expect_room(&self, class: Class) -> bool {
        self.shell().rooms.has_candidate(class)
    }
}
