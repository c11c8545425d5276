//! Waiting for tasks: await, yield, shutdown, ignore, for one or many. After Elixir's `Task`.
//!
//! Owns what each of them leaves behind: no result, no down and no exit signal of a task that is done with. For tasks only;
//! a server is handed the events. Never starts a task.

use std::time::Duration;

use super::{TaskContext, TaskRef};
use crate::codec::Message;
use crate::context::millis;
use crate::host::timers;
use crate::types::{Body, Event, ExitReason, Mark};

/// How long [`await_task`](TaskContext::await_task) waits, as in OTP.
pub const AWAIT_TIMEOUT: Duration = Duration::from_secs(5);

/// How a task is shut down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskShutdown {
    /// By an exit signal `shutdown`, and killed if it has not ended after this time.
    After(Duration),
    /// Killed at once.
    BrutalKill,
}

impl TaskContext {
    /// The result of a task, waiting 5 seconds for it. If it fails, or the time is up, this process ends: with the task's
    /// reason, or `failed` and a text.
    pub fn await_task<R: Message>(&self, task: TaskRef<R>) -> R {
        self.await_task_within(task, AWAIT_TIMEOUT)
    }

    /// As [`await_task`](TaskContext::await_task), waiting this long; with `None`, for ever.
    pub fn await_task_within<R: Message>(&self, task: TaskRef<R>, timeout: impl Into<Option<Duration>>) -> R {
        match self.yield_task(&task, timeout) {
            Some(Ok(value)) => value,
            Some(Err(reason)) => self.fall_with(&task, reason),
            None => self.give_up(&[task]),
        }
    }

    /// The result of a task, or why it ended without one; `None` when the time is up, and then the task goes on and may be
    /// waited for again. Once it has brought its result there is nothing more to wait for.
    pub fn yield_task<R: Message>(
        &self,
        task: &TaskRef<R>,
        timeout: impl Into<Option<Duration>>,
    ) -> Option<Result<R, ExitReason>> {
        self.only_owner(task);
        match self.receive_only(&[task.mark()], timeout)? {
            Event::Down(down) => Some(Err(down.reason)),
            Event::Answer(answer) => task.result(&answer, self),
            _ => None,
        }
    }

    /// Ends a task, and waits until it has ended. Its result if it was quicker, the reason if it ended otherwise, and
    /// `None` if it ended as it was told.
    pub fn shutdown_task<R: Message>(&self, task: TaskRef<R>, how: TaskShutdown) -> Option<Result<R, ExitReason>> {
        self.only_owner(&task);
        let (expected, ended) = match how {
            TaskShutdown::BrutalKill => {
                self.exit_task(&task, &ExitReason::Killed);
                (ExitReason::Killed, self.yield_task(&task, None))
            }
            TaskShutdown::After(patience) => {
                let shutdown = ExitReason::Shutdown(None);
                self.exit_task(&task, &shutdown);
                let ended = self.yield_task(&task, patience).or_else(|| {
                    self.kill(task.pid());
                    self.yield_task(&task, None)
                });
                (shutdown, ended)
            }
        };
        ended.filter(|ended| !matches!(ended, Err(reason) if *reason == expected))
    }

    /// Lets a task go on without this process: whether it succeeds or fails, nothing of it arrives. A result that is
    /// already there, or why it has ended.
    pub fn ignore_task<R: Message>(&self, task: TaskRef<R>) -> Option<Result<R, ExitReason>> {
        let there = self.yield_task(&task, Duration::ZERO);
        self.forget_task(&task);
        // What came in between.
        there.or_else(|| self.yield_task(&task, Duration::ZERO))
    }

    /// The results of all these tasks in their order, waiting 5 seconds for all together. As soon as one fails, or if the
    /// time is up, this process ends, as with [`await_task`](TaskContext::await_task).
    pub fn await_many<R: Message>(&self, tasks: Vec<TaskRef<R>>) -> Vec<R> {
        self.await_many_within(tasks, AWAIT_TIMEOUT)
    }

    /// As [`await_many`](TaskContext::await_many), waiting this long; with `None`, for ever.
    pub fn await_many_within<R: Message>(
        &self,
        tasks: Vec<TaskRef<R>>,
        timeout: impl Into<Option<Duration>>,
    ) -> Vec<R> {
        let mut results: Vec<Option<R>> = Vec::new();
        results.resize_with(tasks.len(), || None);
        self.each_that_ends(&tasks, timeout.into(), |place, ended| match ended {
            Ok(value) => results[place] = Some(value),
            Err(reason) => {
                tasks.iter().for_each(|task| self.forget_task(task));
                self.fall_with(&tasks[place], reason)
            }
        });
        if results.iter().any(Option::is_none) {
            self.give_up(&tasks);
        }
        results.into_iter().flatten().collect()
    }

    /// What has become of each of these tasks by then, in their order; those with `None` go on. Waits until the time is up
    /// or all have ended.
    pub fn yield_many<R: Message>(
        &self,
        tasks: &[TaskRef<R>],
        timeout: impl Into<Option<Duration>>,
    ) -> Vec<Option<Result<R, ExitReason>>> {
        let mut ends = Vec::new();
        ends.resize_with(tasks.len(), || None);
        self.each_that_ends(tasks, timeout.into(), |place, ended| ends[place] = Some(ended));
        ends
    }

    /// Waits for all of them together, and tells of each when it ends.
    fn each_that_ends<R: Message>(
        &self,
        tasks: &[TaskRef<R>],
        timeout: Option<Duration>,
        mut ended: impl FnMut(usize, Result<R, ExitReason>),
    ) {
        tasks.iter().for_each(|task| self.only_owner(task));
        let mut wanted: Vec<Mark> = tasks.iter().map(TaskRef::mark).collect();
        // With no time at all what is there is looked through, and no timer could be quick enough.
        let looks_once = timeout.is_some_and(|time| time.is_zero());
        let alarm = timeout.filter(|_| !looks_once).map(|time| timers::start(millis(time), &Body::Raw(Vec::new())));
        wanted.extend(alarm);
        while wanted.len() > usize::from(alarm.is_some()) {
            let (mark, outcome) = match self.receive_only(&wanted, looks_once.then_some(Duration::ZERO)) {
                Some(Event::Down(down)) => (down.mark, Err(down.reason)),
                Some(Event::Answer(answer)) => {
                    self.demonitor_flush(answer.mark);
                    match tasks.iter().find(|task| task.mark() == answer.mark) {
                        Some(task) => (answer.mark, task.read(&answer)),
                        None => return,
                    }
                }
                // The time is up.
                _ => return,
            };
            wanted.retain(|wanted| *wanted != mark);
            if let Some(place) = tasks.iter().position(|task| task.mark() == mark) {
                ended(place, outcome);
            }
        }
        if let Some(alarm) = alarm {
            self.quiet(alarm);
        }
    }

    /// Stops a timer, and takes it out of the mailbox if it was quicker.
    pub(super) fn quiet(&self, alarm: Mark) {
        if timers::cancel(alarm).is_none() {
            self.receive_only(&[alarm], Duration::ZERO);
        }
    }

    /// OTP raises an argument error; the result would go to the owner in any case.
    pub(super) fn only_owner<R>(&self, task: &TaskRef<R>) {
        let me = self.me();
        if task.owner() != me {
            let (task, owner) = (task.pid(), task.owner());
            self.stop(ExitReason::Failed(format!("task {task} belongs to {owner}, and {me} cannot wait for it")));
        }
    }

    /// Ends with the task's reason, as one linked to it would; a task that just ended is an error all the same.
    fn fall_with<R>(&self, task: &TaskRef<R>, reason: ExitReason) -> ! {
        self.stop(match reason {
            ExitReason::Normal => ExitReason::Failed(format!("task {} ended without a result", task.pid())),
            reason => reason,
        })
    }

    fn give_up<R>(&self, tasks: &[TaskRef<R>]) -> ! {
        tasks.iter().for_each(|task| _ = self.demonitor_flush(task.mark()));
        let late: Vec<String> = tasks.iter().map(|task| task.pid().to_string()).collect();
        self.stop(ExitReason::Failed(format!("timeout: waited in vain for task {}", late.join(", "))))
    }
}
