//! A stream of tasks: one for each item, so many at a time. After Elixir's `Task.async_stream`.
//!
//! Owns which tasks run, which results wait for their turn, and the time that each has. Never runs ahead: tasks are started
//! when the next result is asked for. For tasks only.

use std::collections::VecDeque;
use std::time::Duration;

use super::{AWAIT_TIMEOUT, Link, Task, TaskContext, TaskRef};
use crate::context::millis;
use crate::host::timers;
use crate::supervision::{SupervisorRef, TaskSpec};
use crate::types::{Body, Event, ExitReason, Mark};

/// How many tasks run at a time, unless said otherwise.
const AT_A_TIME: usize = 8;

/// What becomes of the stream when a task takes too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnTimeout {
    /// The process that asked for it ends.
    Exit,
    /// The task is killed, and its result is the reason `limit` with the word `time`.
    KillTask,
}

/// The results of tasks, as they are asked for; made by [`TaskContext::task_stream`].
///
/// ```
/// use skep_sdk::prelude::*;
///
/// pub struct Square;
///
/// impl Task for Square {
///     type Args = u64;
///     type Output = u64;
///
///     fn run(number: u64, _: &TaskContext) -> Result<u64, Failure> { Ok(number * number) }
/// }
///
/// /// Asks for a task for each number, four at a time.
/// pub struct SumOfSquares;
///
/// impl Task for SumOfSquares {
///     type Args = u64;
///     type Output = u64;
///
///     fn run(up_to: u64, context: &TaskContext) -> Result<u64, Failure> {
///         let mut sum = 0;
///         for square in context.task_stream::<Square, _>("square", 1..=up_to).max_concurrency(4).unordered() {
///             sum += square.map_err(|reason| format!("{reason:?}"))?;
///         }
///         Ok(sum)
///     }
/// }
/// # fn main() {
/// # use skep_sdk::testing::{Played, World, run_task_in};
/// # let mut world = World::new().on_task(|_, args| Played::run::<Square>(args));
/// # assert_eq!(run_task_in::<SumOfSquares>(&mut world, 10, []), Ok(385));
/// # }
/// ```
#[must_use = "no task is started before a result is asked for"]
pub struct TaskStream<'a, T: Task, I> {
    context: &'a TaskContext,
    source: Source,
    items: I,
    slots: VecDeque<Slot<T::Output>>,
    at_a_time: usize,
    ordered: bool,
    link: Link,
    timeout: Option<Duration>,
    on_timeout: OnTimeout,
}

/// Where the tasks come from.
enum Source {
    /// They are this process's own, of this module.
    Own(String),
    Under(SupervisorRef, TaskSpec),
}

struct Slot<R> {
    task: TaskRef<R>,
    alarm: Option<Mark>,
    /// What came of it, until it is asked for.
    outcome: Option<Result<R, ExitReason>>,
}

impl TaskContext {
    /// A task for each of these items: the results in the order of the items, 8 tasks at a time with 5 seconds each,
    /// linked. All of that can be changed before the first result is asked for. If the stream is dropped, its tasks are
    /// killed.
    pub fn task_stream<T, I>(&self, module: &str, items: I) -> TaskStream<'_, T, I::IntoIter>
    where
        T: Task,
        I: IntoIterator<Item = T::Args>,
    {
        TaskStream::of(self, Source::Own(module.to_owned()), items.into_iter())
    }
}

impl<'a, T: Task, I> TaskStream<'a, T, I> {
    fn of(context: &'a TaskContext, source: Source, items: I) -> Self {
        TaskStream {
            context,
            source,
            items,
            slots: VecDeque::new(),
            at_a_time: AT_A_TIME,
            ordered: true,
            link: Link::Linked,
            timeout: Some(AWAIT_TIMEOUT),
            on_timeout: OnTimeout::Exit,
        }
    }

    pub(crate) fn under(
        context: &'a TaskContext,
        supervisor: SupervisorRef,
        task: TaskSpec,
        items: impl IntoIterator<IntoIter = I>,
    ) -> Self {
        TaskStream::of(context, Source::Under(supervisor, task), items.into_iter())
    }

    /// So many tasks at a time, at least one. A result that waits for its turn counts.
    pub fn max_concurrency(mut self, tasks: usize) -> Self {
        self.at_a_time = tasks.max(1);
        self
    }

    /// Results as they come, so that a slow task holds up nobody else.
    pub fn unordered(mut self) -> Self {
        self.ordered = false;
        self
    }

    /// So long for each task; with `None`, for ever.
    pub fn timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.timeout = timeout.into();
        self
    }

    /// What becomes of a task that takes too long, and of whoever asked.
    pub fn on_timeout(mut self, on_timeout: OnTimeout) -> Self {
        self.on_timeout = on_timeout;
        self
    }

    /// Tasks that fail end nobody else: the reason takes the place of the result.
    pub fn nolink(mut self) -> Self {
        self.link = Link::Unlinked;
        self
    }

    fn start(&mut self, item: &T::Args) {
        let started = match &self.source {
            Source::Own(module) => {
                self.context.start_task_with(module, item, self.link).map_err(|error| error.to_string())
            }
            Source::Under(supervisor, task) => {
                let started = supervisor.start_task_with::<T>(self.context, task.clone(), item, self.link);
                started.map_err(|error| error.to_string())
            }
        };
        match started {
            Ok(task) => {
                let alarm = self.timeout.map(|time| timers::start(millis(time), &Body::Raw(Vec::new())));
                self.slots.push_back(Slot { task, alarm, outcome: None });
            }
            Err(error) => self.context.stop(ExitReason::Failed(format!("a stream of tasks: {error}"))),
        }
    }

    /// The place of the result to hand out now.
    fn ready(&self) -> Option<usize> {
        let done = |slot: &Slot<T::Output>| slot.outcome.is_some();
        if self.ordered { self.slots.front().is_some_and(done).then_some(0) } else { self.slots.iter().position(done) }
    }

    /// Waits until something becomes of one of the tasks.
    fn wait(&mut self) {
        let running = self.slots.iter().filter(|slot| slot.outcome.is_none());
        let marks: Vec<Mark> = running.flat_map(|slot| [Some(slot.task.mark()), slot.alarm]).flatten().collect();
        let (mark, event) = match self.context.receive_only(&marks, None) {
            Some(Event::Timer(alarm)) => (alarm.mark, None),
            Some(Event::Down(down)) => (down.mark, Some(Err(down.reason))),
            Some(Event::Answer(answer)) => (answer.mark, Some(Ok(answer))),
            _ => return,
        };
        let of_it = |slot: &&mut Slot<T::Output>| slot.task.mark() == mark || slot.alarm == Some(mark);
        let Some(slot) = self.slots.iter_mut().find(of_it) else { return };
        let outcome = match event {
            Some(Ok(answer)) => slot.task.result(&answer, self.context).unwrap_or(Err(ExitReason::Normal)),
            Some(Err(reason)) => Err(reason),
            None if self.on_timeout == OnTimeout::KillTask => {
                let quicker = kill(self.context, &slot.task).and_then(Result::ok);
                quicker.ok_or_else(|| ExitReason::Limit("time".to_owned()))
            }
            None => {
                let late = slot.task.pid();
                self.context.stop(ExitReason::Failed(format!("timeout: waited in vain for task {late}")))
            }
        };
        if let Some(alarm) = slot.alarm.take().filter(|alarm| *alarm != mark) {
            self.context.quiet(alarm);
        }
        slot.outcome = Some(outcome);
    }
}

/// Ends a task that nobody waits for any longer, and leaves nothing of it behind.
fn kill<R: crate::codec::Message>(context: &TaskContext, task: &TaskRef<R>) -> Option<Result<R, ExitReason>> {
    context.exit_task(task, &ExitReason::Killed);
    context.yield_task(task, None)
}

impl<T: Task, I: Iterator<Item = T::Args>> Iterator for TaskStream<'_, T, I> {
    type Item = Result<T::Output, ExitReason>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            while self.slots.len() < self.at_a_time
                && let Some(item) = self.items.next()
            {
                self.start(&item);
            }
            if let Some(place) = self.ready() {
                return self.slots.remove(place)?.outcome;
            }
            if self.slots.is_empty() {
                return None;
            }
            self.wait();
        }
    }
}

/// Nobody asks for the rest.
impl<T: Task, I> Drop for TaskStream<'_, T, I> {
    fn drop(&mut self) {
        // Natively a process that stops unwinds, and is no longer to act.
        if std::thread::panicking() {
            return;
        }
        for slot in self.slots.drain(..).filter(|slot| slot.outcome.is_none()) {
            kill(self.context, &slot.task);
            if let Some(alarm) = slot.alarm {
                self.context.quiet(alarm);
            }
        }
    }
}
