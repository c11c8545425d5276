//! A task under test: it runs to its end at once.

use super::world::{self, World};
use crate::codec::{Codec, Message};
use crate::reference::written;
use crate::run;
use crate::task::Task;
use crate::types::{Event, ExitReason};

/// Runs a task to its end, with these events queued when it begins. Waiting costs no time: the clock jumps.
///
/// # Errors
///
/// The reason with which it ended instead of a result.
pub fn run_task<T: Task>(args: T::Args, events: impl IntoIterator<Item = Event>) -> Result<T::Output, ExitReason> {
    run_task_in::<T>(&mut World::new(), args, events)
}

/// As [`run_task`], in surroundings that the test has prepared and can look at afterwards.
///
/// # Errors
///
/// As `run_task`.
pub fn run_task_in<T: Task>(
    world: &mut World,
    args: T::Args,
    events: impl IntoIterator<Item = Event>,
) -> Result<T::Output, ExitReason> {
    world.inbox.extend(events);
    let body = written(&args, Codec::default());
    let output = world::inside(world, || run::task::<T>(body))?.map_err(ExitReason::Failed)?;
    T::Output::decode(output).map_err(|error| ExitReason::Failed(format!("the result cannot be read: {error}")))
}
