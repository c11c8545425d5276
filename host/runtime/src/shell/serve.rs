//! What system messages need of guest code: a state told, a state replaced.
//!
//! A state is replaced as new code takes one over: in an instance of its own, which must read it and save it again before
//! the process goes on with it. The running instance is only asked to save. Called by the driver of the process.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use skep_kernel::system::{CallbackFailed, SystemId};
use skep_kernel::{Cause, ExitReason, State};

use super::Cell;
use super::drive::{MakeError, crash, guest, make};
use super::guest::End;
use super::rooms::Full;
use crate::engine::{Failure, Instance, Soundness, fault};

fn failed(step: &'static str, failure: &Failure) -> CallbackFailed {
    CallbackFailed { step, reason: failure.reason.clone(), trace: failure.trace.clone() }
}

fn refused(step: &'static str, why: impl Into<Arc<str>>) -> CallbackFailed {
    CallbackFailed { step, reason: ExitReason::failed(why), trace: String::new() }
}

const SAVE: &str = "the state was not saved";
const REPLACE: &str = "the state was not replaced";
const RESTORE: &str = "the code does not take this state";
const SAVE_ANEW: &str = "the code does not save what it took";

/// Tells the state of a live instance, which goes on. One that traps when it saves is ruined, and the process ends.
pub(super) async fn tell_state(cell: &Arc<Cell>, instance: &mut Instance, id: SystemId) -> Result<(), End> {
    let saved = instance.save(None).await;
    let told = saved.as_ref().map(State::clone).map_err(|failure| failed(SAVE, failure));
    cell.transition(|process, now, actions| process.state_told(id, told, now, actions));
    match saved {
        Err(failure) if failure.instance == Soundness::Ruined => Err(crash(cell, failure)),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Replaces the state of a process with a live instance, which stays if that fails.
pub(super) async fn replace_live(cell: &Arc<Cell>, instance: &mut Instance, id: SystemId) -> Result<Option<End>, End> {
    if instance.holds_files() {
        finish(cell, id, Err(refused(SAVE, "it holds open files, which no state can carry")));
        return Ok(None);
    }
    let present = match instance.save(None).await {
        Ok(present) => present,
        Err(failure) => {
            finish(cell, id, Err(failed(SAVE, &failure)));
            return match failure.instance {
                Soundness::Sound => Ok(None),
                Soundness::Ruined => Err(crash(cell, failure)),
            };
        }
    };
    let Some(full) = replace(cell, id, present.clone()).await else { return Ok(None) };
    // It gives its own place, for want of another.
    cell.process.lock().saved(present);
    Ok(Some(End::NoRoom(full)))
}

/// Replaces the state of a process without an instance, which is not woken for that.
pub(super) async fn replace_asleep(cell: &Arc<Cell>, id: SystemId) -> End {
    let present = cell.process.lock().saved_state();
    let present = present.expect("it sleeps, and nothing wakes it but this driver");
    if let Some(full) = replace(cell, id, present).await {
        return End::NoRoom(full);
    }
    cell.process.lock().discarded();
    End::GaveBack
}

/// What is full, if there was no room for it now.
async fn replace(cell: &Arc<Cell>, id: SystemId, present: State) -> Option<Full> {
    match attempt(cell, id, present).await {
        Ok(after) => {
            finish(cell, id, after);
            None
        }
        Err(full) => {
            cell.transition(|process, now, actions| process.replacement_postponed(id, now, actions));
            Some(full)
        }
    }
}

fn finish(cell: &Arc<Cell>, id: SystemId, after: Result<State, CallbackFailed>) {
    cell.transition(|process, now, actions| process.state_replaced(id, after, now, actions));
}

/// What is full, if there is no room for an instance.
async fn attempt(cell: &Arc<Cell>, id: SystemId, present: State) -> Result<Result<State, CallbackFailed>, Full> {
    let mut copy = match make(cell, &guest(cell).module()).await {
        Ok(copy) => copy,
        Err(MakeError::NoRoom(full)) => return Err(full),
        Err(MakeError::Failed(reason)) => return Ok(Err(refused(RESTORE, reason.to_string()))),
    };
    // Only now: it can be had once.
    let wanted = match wanted(cell, id, present) {
        Ok(wanted) => wanted,
        Err(why) => return Ok(Err(why)),
    };
    if let Err(failure) = copy.restore(wanted, Cause::Wake).await {
        return Ok(Err(failed(RESTORE, &failure)));
    }
    Ok(copy.save(None).await.map_err(|failure| failed(SAVE_ANEW, &failure)))
}

/// The state that the operator makes of the present one. His function may panic: that is a failure like any other.
fn wanted(cell: &Cell, id: SystemId, present: State) -> Result<State, CallbackFailed> {
    let replace = cell.shell().operators.take_replacement(id);
    let replace = replace.ok_or_else(|| refused(REPLACE, "nobody waits for it any more"))?;
    let limit = cell.process.lock().limits().body_bytes;
    let made = catch_unwind(AssertUnwindSafe(|| replace(present)));
    let wanted = match made {
        Ok(wanted) => wanted.map_err(|why| refused(REPLACE, why))?,
        Err(panic) => return Err(refused(REPLACE, fault::host_panic(panic.as_ref()).to_string())),
    };
    match wanted.body.len() {
        length if length > limit => {
            Err(refused(REPLACE, format!("the state has {length} bytes; {limit} are allowed for a body")))
        }
        _ => Ok(wanted),
    }
}
