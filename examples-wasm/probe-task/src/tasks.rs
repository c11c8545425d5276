//! The steps in which a task starts other tasks, of its own module, and waits for them.
//!
//! Owns their shapes and how each is performed. Only a task can wait, so `probe` has none of them.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use skep_sdk::OnTimeout;
use skep_sdk::prelude::*;
use skep_sdk::supervision::{Restart, Shutdown, TaskSpec};

use crate::ProbeTask;
use crate::steps::{self, Given};

/// This module, as tests call it.
const MODULE: &str = "probe-task";

/// What came of an earlier step, or a task as it stands, as somebody else may have started it.
#[derive(Deserialize)]
#[serde(untagged)]
pub enum Which {
    /// Of that step, counted from 0.
    Of {
        /// Which.
        step: usize,
    },
    /// As it stands.
    Literal(TaskRef<Vec<Value>>),
}

fn five_seconds() -> Option<u64> {
    Some(5000)
}

fn linked() -> bool {
    true
}

/// One thing to do with tasks. Times are in milliseconds, 5,000 unless said otherwise; null is for ever.
#[derive(Deserialize)]
#[allow(missing_docs, reason = "the fields are those of the SDK's functions")]
pub enum TaskStep {
    /// Brings the reference.
    StartTask {
        steps: Vec<Value>,
        #[serde(default = "linked")]
        link: bool,
        #[serde(default)]
        under: Option<Under>,
    },
    /// Starts one that nobody awaits. Brings its pid.
    StartTaskChild { steps: Vec<Value>, under: Under },
    /// Brings the result.
    Await {
        task: Which,
        #[serde(default = "five_seconds")]
        timeout_ms: Option<u64>,
    },
    /// Brings `{"Ok":result}`, `{"Err":reason}` or null.
    Yield { task: Which, timeout_ms: Option<u64> },
    /// As `Yield`; null kills.
    ShutdownTask { task: Which, timeout_ms: Option<u64> },
    /// As `Yield`.
    Ignore { task: Which },
    /// Brings the results.
    AwaitMany {
        tasks: Vec<Which>,
        #[serde(default = "five_seconds")]
        timeout_ms: Option<u64>,
    },
    /// Brings a list of what `Yield` brings.
    YieldMany { tasks: Vec<Which>, timeout_ms: Option<u64> },
    /// A task for each list of steps, unlinked, of its own or under a supervisor. Brings a list of `{"Ok":result}` or `{"Err":reason}`.
    Stream {
        items: Vec<Vec<Value>>,
        max: usize,
        #[serde(default = "linked")]
        ordered: bool,
        #[serde(default = "five_seconds")]
        timeout_ms: Option<u64>,
        #[serde(default)]
        under: Option<Under>,
    },
}

/// A supervisor, and what it is to make a task of: its template, unless said otherwise.
#[derive(Deserialize)]
pub struct Under {
    supervisor: Given<Address>,
    /// Of this module, and not of the template.
    #[serde(default)]
    module: bool,
    #[serde(default)]
    restart: Option<Restart>,
    #[serde(default)]
    shutdown: Option<Shutdown>,
}

impl Under {
    fn get(self, results: &[Value]) -> Result<(SupervisorRef, TaskSpec), String> {
        let mut task = if self.module { TaskSpec::of(MODULE) } else { TaskSpec::template() };
        if let Some(restart) = self.restart {
            task = task.restart(restart);
        }
        if let Some(shutdown) = self.shutdown {
            task = task.shutdown(shutdown);
        }
        Ok((SupervisorRef::at(steps::address(self.supervisor, results)?), task))
    }
}

/// The step, if it is one of these.
pub fn read(step: &Value) -> Option<TaskStep> {
    serde_json::from_value(step.clone()).ok()
}

/// Does it.
///
/// # Errors
///
/// If it names a step that brought no task.
pub fn perform(step: TaskStep, results: &[Value], context: &TaskContext) -> Result<Value, Failure> {
    Ok(match step {
        TaskStep::StartTask { steps, link, under: Some(under) } => {
            let (supervisor, task) = under.get(results)?;
            json!(if link {
                supervisor.start_task::<ProbeTask>(context, task, &steps)?
            } else {
                supervisor.start_task_nolink::<ProbeTask>(context, task, &steps)?
            })
        }
        TaskStep::StartTask { steps, link: true, .. } => json!(context.start_task::<ProbeTask>(MODULE, &steps)?),
        TaskStep::StartTask { steps, .. } => json!(context.start_task_nolink::<ProbeTask>(MODULE, &steps)?),
        TaskStep::StartTaskChild { steps, under } => {
            let (supervisor, task) = under.get(results)?;
            json!(supervisor.start_task_child::<ProbeTask>(context, task, &steps)?)
        }
        TaskStep::Await { task: which, timeout_ms } => {
            json!(context.await_task_within(task(which, results)?, time(timeout_ms)))
        }
        TaskStep::Yield { task: which, timeout_ms } => {
            json!(context.yield_task(&task(which, results)?, time(timeout_ms)))
        }
        TaskStep::ShutdownTask { task: which, timeout_ms } => {
            let how = time(timeout_ms).map_or(TaskShutdown::BrutalKill, TaskShutdown::After);
            json!(context.shutdown_task(task(which, results)?, how))
        }
        TaskStep::Ignore { task: which } => json!(context.ignore_task(task(which, results)?)),
        TaskStep::AwaitMany { tasks: which, timeout_ms } => {
            json!(context.await_many_within(tasks(which, results)?, time(timeout_ms)))
        }
        TaskStep::YieldMany { tasks: which, timeout_ms } => {
            json!(context.yield_many(&tasks(which, results)?, time(timeout_ms)))
        }
        TaskStep::Stream { items, max, ordered, timeout_ms, under } => {
            let stream = match under {
                Some(under) => {
                    let (supervisor, task) = under.get(results)?;
                    supervisor.task_stream::<ProbeTask, _>(context, task, items)
                }
                None => context.task_stream::<ProbeTask, _>(MODULE, items),
            };
            let stream = stream.nolink().max_concurrency(max);
            let stream = stream.timeout(time(timeout_ms)).on_timeout(OnTimeout::KillTask);
            json!(if ordered { stream.collect::<Vec<_>>() } else { stream.unordered().collect() })
        }
    })
}

fn time(ms: Option<u64>) -> Option<Duration> {
    ms.map(Duration::from_millis)
}

fn task(which: Which, results: &[Value]) -> Result<TaskRef<Vec<Value>>, Failure> {
    match which {
        Which::Literal(task) => Ok(task),
        Which::Of { step } => {
            let result = results.get(step).ok_or_else(|| format!("step {step} has no result yet"))?;
            Ok(serde_json::from_value(result.clone())?)
        }
    }
}

fn tasks(which: Vec<Which>, results: &[Value]) -> Result<Vec<TaskRef<Vec<Value>>>, Failure> {
    which.into_iter().map(|which| task(which, results)).collect()
}
