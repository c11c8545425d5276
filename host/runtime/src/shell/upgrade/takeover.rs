//! One state taken over by new code, in an instance of its own that is thrown away afterwards.
//!
//! The running instance is not touched: if anything goes wrong here, it goes on as if nothing had been. What the new code
//! made of the state is saved again at once, so that nothing is committed that could not be hibernated. Called by the
//! driver of the process.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use skep_kernel::upgrade::{MigrationStep, NoPath, NotMigrated, Path, path};
use skep_kernel::{Body, Cause, ExitReason, State};

use super::super::Cell;
use super::super::drive::{MakeError, guest, make};
use super::super::rooms::Full;
use crate::Module;
use crate::engine::Failure;

/// What a state is to be taken over by.
#[derive(Debug)]
pub(crate) struct Successor {
    pub(crate) code: Module,
    /// Handed to the migration.
    pub(crate) extra: Option<Body>,
}

/// What came of it.
pub(in super::super) enum Taken {
    Over(State),
    Not(NotMigrated),
    /// There is no room for an instance now.
    NoRoom(Full),
    /// The upgrade was called off meanwhile.
    Unwanted,
}

/// The running code did not save.
pub(in super::super) fn not_saved(reason: ExitReason) -> NotMigrated {
    NotMigrated { step: MigrationStep::Save, reason, trace: String::new() }
}

/// Has the successor take the state over. Stops as soon as that is no longer wanted.
pub(in super::super) async fn take_over(cell: &Arc<Cell>, before: State) -> Taken {
    let mut attempt = pin!(attempt(cell, before));
    let finished = poll_fn(|context| {
        if !cell.process.lock().is_migrating() {
            return Poll::Ready(None);
        }
        attempt.as_mut().poll(context).map(Some)
    })
    .await;
    match finished {
        None => Taken::Unwanted,
        Some(Ok(after)) => Taken::Over(after),
        Some(Err(taken)) => taken,
    }
}

async fn attempt(cell: &Arc<Cell>, before: State) -> Result<State, Taken> {
    use MigrationStep::{Restore, SaveAnew, Start, StepDown};
    let old = guest(cell).module();
    let Some(successor) = guest(cell).successor() else { return Err(Taken::Unwanted) };
    let new = &successor.code;
    let (Some(from), Some(to)) = (old.shape(), new.shape()) else { return Err(Taken::Unwanted) };
    let carried = match path(from, to) {
        Ok(Path::Up) => before,
        Ok(Path::Down(version)) => {
            // On a copy: a trap in here must not cost the running instance.
            let mut copy = make(cell, &old).await.map_err(|error| no_instance(StepDown, error))?;
            copy.restore(before, Cause::Wake).await.map_err(|failure| failed(StepDown, failure))?;
            copy.save(Some(version)).await.map_err(|failure| failed(StepDown, failure))?
        }
        // Of code that came only after all was looked at.
        Err(NoPath::Version) => return Err(refused(format!("there is no way from version {}", from.version))),
        Err(NoPath::Form) => return Err(refused(format!("the new code reads no states in {}", from.writes))),
    };
    let mut instance = make(cell, new).await.map_err(|error| no_instance(Start, error))?;
    let cause = Cause::Upgrade { version: from.version, extra: successor.extra.clone() };
    instance.restore(carried, cause).await.map_err(|failure| failed(Restore, failure))?;
    instance.save(None).await.map_err(|failure| failed(SaveAnew, failure))
}

fn failed(step: MigrationStep, failure: Failure) -> Taken {
    Taken::Not(NotMigrated { step, reason: failure.reason, trace: failure.trace })
}

fn refused(why: String) -> Taken {
    Taken::Not(NotMigrated { step: MigrationStep::StepDown, reason: ExitReason::failed(why), trace: String::new() })
}

fn no_instance(step: MigrationStep, error: MakeError) -> Taken {
    match error {
        MakeError::NoRoom(full) => Taken::NoRoom(full),
        MakeError::Failed(reason) => Taken::Not(NotMigrated { step, reason, trace: String::new() }),
    }
}
