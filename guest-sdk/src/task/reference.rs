//! A task that was started: what its owner holds until it has brought its result.
//!
//! Owns the reference, and what a server makes of the events that come of it. Never waits: `waiting` does. Made by
//! `Context`.

use std::fmt;
use std::marker::PhantomData;

use serde::{Deserialize, Serialize};

use crate::codec::Message;
use crate::context::Context;
use crate::types::{Answer, ExitReason, Lost, Mark, Pid};

/// Whether the end of a task that fails is that of its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    Linked,
    Unlinked,
}

/// A task that was started and will bring an `R`. Only its owner, who started it, may wait for it.
///
/// It lives in a state like any value, so a server may hold it through hibernation and upgrades:
///
/// ```
/// use skep_sdk::prelude::*;
///
/// pub struct Sum;
/// # impl Task for Sum {
/// #     type Args = Vec<u64>;
/// #     type Output = u64;
/// #     fn run(numbers: Vec<u64>, _: &TaskContext) -> Result<u64, Failure> { Ok(numbers.into_iter().sum()) }
/// # }
///
/// #[derive(Serialize, Deserialize)]
/// pub struct Accountant { at_work: Option<TaskRef<u64>>, total: u64, failed: u64 }
///
/// #[server]
/// impl Server for Accountant {
///     type Cast = Vec<u64>;
///
///     fn init(_: (), _: &Context) -> Start<Self> { Ok(Accountant { at_work: None, total: 0, failed: 0 }) }
///
///     fn handle_cast(&mut self, numbers: Vec<u64>, context: &Context) -> Outcome {
///         match context.start_task_nolink::<Sum>("sum", &numbers) {
///             Ok(task) => self.at_work = Some(task),
///             Err(error) => return fail(error),
///         }
///         noreply()
///     }
///
///     fn handle_answer(&mut self, answer: Answer, context: &Context) -> Outcome {
///         if let Some(Ok(sum)) = self.at_work.as_ref().and_then(|task| task.result(&answer, context)) {
///             self.total += sum;
///             self.at_work = None;
///         }
///         noreply()
///     }
///
///     fn handle_down(&mut self, down: Down, _: &Context) -> Outcome {
///         if self.at_work.as_ref().is_some_and(|task| task.ended(&down).is_some()) {
///             self.failed += 1;
///             self.at_work = None;
///         }
///         noreply()
///     }
/// }
/// # skep_sdk::export!(Accountant);
/// # fn main() {
/// # use skep_sdk::testing::{Harness, Played, World};
/// # let world = World::new().on_task(|_, args| Played::run::<Sum>(args));
/// # let mut accountant = Harness::<Accountant>::start_in(world, ()).unwrap().always_hibernating();
/// # accountant.cast(vec![1, 2]);
/// # accountant.advance(std::time::Duration::ZERO);
/// # assert!(matches!(accountant.server(), Some(Accountant { total: 3, failed: 0, at_work: None })));
/// # }
/// ```
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
#[must_use = "a task that is not waited for goes on, and its result stays in the mailbox: wait for it, or ignore it"]
pub struct TaskRef<R> {
    owner: Pid,
    pid: Pid,
    mark: Mark,
    #[serde(skip)]
    brings: PhantomData<fn() -> R>,
}

impl<R> TaskRef<R> {
    pub(crate) fn new(owner: Pid, pid: Pid, mark: Mark) -> TaskRef<R> {
        TaskRef { owner, pid, mark, brings: PhantomData }
    }

    /// The task itself.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Who started it.
    pub fn owner(&self) -> Pid {
        self.owner
    }

    /// The mark of its monitor, which its result and its end carry.
    pub fn mark(&self) -> Mark {
        self.mark
    }
}

impl<R: Message> TaskRef<R> {
    /// For `handle_answer`: the result, if this is the task's, or why it cannot be read. Takes its monitor off, so that no
    /// `handle_down` follows.
    pub fn result(&self, answer: &Answer, context: &Context) -> Option<Result<R, ExitReason>> {
        if answer.mark != self.mark {
            return None;
        }
        context.demonitor_flush(self.mark);
        Some(self.read(answer))
    }

    /// For `handle_down`: why it ended without a result, if this is the task.
    pub fn ended(&self, down: &Lost) -> Option<ExitReason> {
        (down.mark == self.mark).then(|| down.reason.clone())
    }

    pub(crate) fn read(&self, answer: &Answer) -> Result<R, ExitReason> {
        let failed = |why: &dyn fmt::Display| ExitReason::Failed(format!("the result of task {}: {why}", self.pid));
        match &answer.outcome {
            Ok(body) => R::decode(body.clone()).map_err(|error| failed(&error)),
            Err(error) => Err(failed(error)),
        }
    }
}

// By hand, since deriving would ask the same of `R`, which is only a name here.

impl<R> PartialEq for TaskRef<R> {
    fn eq(&self, other: &TaskRef<R>) -> bool {
        (self.pid, self.mark) == (other.pid, other.mark)
    }
}

impl<R> fmt::Debug for TaskRef<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskRef({})", self.pid)
    }
}
