//! What apps use, and what they may.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use skep_runtime::inspect::{AppUsage, BudgetUsage};
use skep_runtime::kernel::budget::{BudgetSpec, WhenOut};

/// One of `GET /v1/usage`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Usage {
    /// The app.
    pub app: String,
    /// What its budget counts.
    #[serde(flatten)]
    pub total: Total,
    /// Of that, what is below each supervisor with a budget of its own, by its path.
    pub supervisors: BTreeMap<String, Total>,
    /// Events that wait.
    pub mailbox_messages: u64,
    /// Processes that wait for fuel.
    pub throttled: u64,
    /// Processes on the run queue, which wait for a worker.
    #[serde(default)]
    pub runnable: u64,
    /// Events that processes were handed since the app was started.
    pub messages_in: u64,
    /// Messages, calls and replies that they have sent.
    pub messages_out: u64,
    /// What was dropped because a mailbox was full.
    pub dropped: u64,
    /// How often a supervisor has restarted a child.
    pub restarts: u64,
}

/// What all that count in one budget use together.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Total {
    /// Processes, supervisors among them.
    pub processes: u64,
    /// Live instances.
    pub instances: u64,
    /// Bytes of linear memory of these, and of saved states.
    pub memory_bytes: u64,
    /// Bytes of the bodies of events that wait.
    pub mailbox_bytes: u64,
    /// Timers that run.
    pub timers: u64,
    /// Files, folders and sockets that are open.
    pub open_files: u64,
    /// Operations under way that block a thread.
    pub blocking_operations: u64,
    /// Fuel used since the start.
    pub fuel_used: u64,
    /// Bytes that guests have logged since then.
    pub logged_bytes: u64,
    /// What there may be.
    pub budget: Budget,
}

/// What an app may use; what is not there is not bounded.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Budget {
    /// Bytes of memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Live instances.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instances: Option<u64>,
    /// Processes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processes: Option<u64>,
    /// Bytes that wait in mailboxes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mailbox_bytes: Option<u64>,
    /// Timers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timers: Option<u64>,
    /// Files, folders and sockets that are open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_files: Option<u64>,
    /// Operations under way that block a thread.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocking_operations: Option<u64>,
    /// Bytes logged in a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_bytes: Option<u64>,
    /// Bytes logged at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_burst: Option<u64>,
    /// Fuel that flows in every second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fuel_per_second: Option<u64>,
    /// Fuel that may be used at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub burst: Option<u64>,
    /// `throttle` or `end`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when_out_of_fuel: Option<String>,
}

impl From<&BudgetSpec> for Budget {
    fn from(spec: &BudgetSpec) -> Self {
        let word = |when_out| match when_out {
            WhenOut::Throttle => "throttle".to_owned(),
            WhenOut::End => "end".to_owned(),
        };
        Budget {
            memory_bytes: spec.memory_bytes,
            instances: spec.instances,
            processes: spec.processes,
            mailbox_bytes: spec.mailbox_bytes,
            timers: spec.timers,
            open_files: spec.open_files,
            blocking_operations: spec.blocking_operations,
            log_bytes: spec.log.as_ref().map(|log| log.bytes_per_second),
            log_burst: spec.log.as_ref().map(|log| log.burst),
            fuel_per_second: spec.fuel.map(|rate| rate.per_second),
            burst: spec.fuel.map(|rate| rate.burst),
            when_out_of_fuel: spec.fuel.map(|rate| word(rate.when_out)),
        }
    }
}

impl From<&BudgetUsage> for Total {
    fn from(usage: &BudgetUsage) -> Self {
        Total {
            processes: usage.processes,
            instances: usage.instances,
            memory_bytes: usage.memory_bytes,
            mailbox_bytes: usage.mailbox_bytes,
            timers: usage.timers,
            open_files: usage.open_files,
            blocking_operations: usage.blocking_operations,
            fuel_used: usage.fuel_used,
            logged_bytes: usage.logged_bytes,
            budget: Budget::from(&usage.bounds),
        }
    }
}

impl From<&AppUsage> for Usage {
    fn from(usage: &AppUsage) -> Self {
        Usage {
            app: usage.app.to_string(),
            total: Total::from(&usage.total),
            supervisors: usage.supervisors.iter().map(|(path, below)| (path.clone(), Total::from(below))).collect(),
            mailbox_messages: usage.mailbox_messages,
            throttled: usage.throttled,
            runnable: usage.runnable,
            messages_in: usage.messages_in,
            messages_out: usage.messages_out,
            dropped: usage.dropped,
            restarts: usage.restarts,
        }
    }
}
