//! Tasks: processes that run once, and may wait in the middle.
//!
//! Owns the trait and the receiving; references to tasks, how they are waited for, and streams of them have files of their
//! own. Never keeps a state: a task that ends early is begun anew. Called by `run`.

mod reference;
mod stream;
mod waiting;

use std::ops::Deref;
use std::time::Duration;

use crate::codec::Message;
use crate::context::{Context, millis};
use crate::host::{inbox, timers};
use crate::outcome::Failure;
use crate::reference::Pending;
use crate::types::{CallError, Event, Mark};

pub(crate) use reference::Link;
pub use reference::TaskRef;
pub use stream::{OnTimeout, TaskStream};
pub use waiting::{AWAIT_TIMEOUT, TaskShutdown};

/// A process that computes one result.
///
/// It may wait in the middle: for messages, for answers, for tasks that it has started itself, of its own module or
/// another. That is why it is never hibernated and never changes its code: it ends on the code that it began with, and an
/// upgrade does not wait for it.
///
/// ```
/// use skep_sdk::prelude::*;
///
/// pub struct Sum;
///
/// impl Task for Sum {
///     type Args = Vec<u64>;
///     type Output = u64;
///
///     fn run(numbers: Vec<u64>, _: &TaskContext) -> Result<u64, Failure> {
///         numbers.into_iter().try_fold(0, u64::checked_add).ok_or_else(|| "too large".into())
///     }
/// }
///
/// skep_sdk::export!(task Sum);
/// # fn main() {
/// # assert_eq!(skep_sdk::testing::run_task::<Sum>(vec![1, 2], []), Ok(3));
/// # }
/// ```
#[diagnostic::on_unimplemented(message = "`{Self}` is no task", note = "write impl Task for {Self} {{ … }}")]
pub trait Task {
    /// What it is started with.
    type Args: Message;
    /// What it brings.
    type Output: Message;

    /// Does the work. The result goes to whoever started the task with [`start_task`](Context::start_task).
    ///
    /// # Errors
    ///
    /// A failure ends the task with [`ExitReason::Failed`](crate::ExitReason::Failed).
    fn run(args: Self::Args, context: &TaskContext) -> Result<Self::Output, Failure>;
}

/// What a task may do: all of a [`Context`], and receive.
#[derive(Debug)]
pub struct TaskContext(Context);

impl TaskContext {
    pub(crate) const fn new() -> TaskContext {
        TaskContext(Context::new())
    }

    /// The oldest event, waiting for it; `None` when the time is up. A time of zero looks once, `None` waits for ever.
    pub fn receive(&self, timeout: impl Into<Option<Duration>>) -> Option<Event> {
        inbox::receive(timeout.into().map(millis))
    }

    /// As [`receive`](TaskContext::receive), only an answer, a timer, a down or a change with one of these marks; the rest keeps
    /// its place.
    pub fn receive_only(&self, marks: &[Mark], timeout: impl Into<Option<Duration>>) -> Option<Event> {
        inbox::receive_only(marks, timeout.into().map(millis))
    }

    /// As [`receive`](TaskContext::receive), the oldest event that is `wanted`; the rest keeps its place and its order, in
    /// the mailbox, for later receives. The time is that of the whole search. Each event is looked at once: while it waits,
    /// only at what comes new. Where a mark will do, [`receive_only`](TaskContext::receive_only) need not look at any other.
    ///
    /// ```
    /// # use skep_sdk::prelude::*;
    /// # fn next_exit(context: &TaskContext) -> Option<Event> {
    /// context.receive_where(|event| matches!(event, Event::Exit(_)), None)
    /// # }
    /// # use skep_sdk::Event;
    /// ```
    pub fn receive_where(
        &self,
        mut wanted: impl FnMut(&Event) -> bool,
        timeout: impl Into<Option<Duration>>,
    ) -> Option<Event> {
        let timeout_ms = timeout.into().map(millis);
        let until_ms = timeout_ms.filter(|ms| *ms > 0).map(|ms| timers::now().saturating_add(ms));
        let (mut last, mut left_ms) = (None, timeout_ms);
        loop {
            let inbox::Seen { number, event } = inbox::look(last, left_ms)?;
            if wanted(&event) && inbox::take(number) {
                return Some(event);
            }
            last = Some(number);
            left_ms = until_ms.map(|until| until.saturating_sub(timers::now())).or(timeout_ms);
        }
    }

    /// Waits for one answer; `None` when the time is up, and then it may be waited for again: OTP's `wait_response`.
    pub fn wait<R: Message>(
        &self,
        pending: &Pending<R>,
        timeout: impl Into<Option<Duration>>,
    ) -> Option<Result<R, CallError>> {
        match self.receive_only(&[pending.mark()], timeout)? {
            Event::Answer(answer) => answer.of(pending),
            // A task ended without bringing its result: its monitor has the same mark.
            Event::Down(down) => Some(Err(CallError::Ended(down.reason))),
            _ => None,
        }
    }
}

/// Answers, with an end to the waiting.
impl TaskContext {
    /// As [`wait`](TaskContext::wait), but when the time is up the request is given up: OTP's `receive_response`. A later
    /// answer goes nowhere.
    pub fn receive_response<R: Message>(
        &self,
        pending: Pending<R>,
        timeout: impl Into<Option<Duration>>,
    ) -> Option<Result<R, CallError>> {
        let answer = self.wait(&pending, timeout);
        if answer.is_none() {
            self.abandon(&pending);
        }
        answer
    }
}

impl Deref for TaskContext {
    type Target = Context;

    fn deref(&self) -> &Context {
        &self.0
    }
}
