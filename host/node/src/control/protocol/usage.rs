//! What apps use, and what they may.

use serde::{Deserialize, Serialize};
use skep_runtime::inspect::AppUsage;
use skep_runtime::kernel::budget::{BudgetSpec, WhenOut};

/// One of `GET /v1/usage`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Usage {
    /// The app.
    pub app: String,
    /// Processes, supervisors among them.
    pub processes: u64,
    /// Live instances.
    pub instances: u64,
    /// Bytes of linear memory of these, and of saved states.
    pub memory_bytes: u64,
    /// Timers that run.
    pub timers: u64,
    /// Events that wait.
    pub mailbox_messages: u64,
    /// Bytes of their bodies.
    pub mailbox_bytes: u64,
    /// Processes that wait for fuel.
    pub throttled: u64,
    /// Fuel used since the app was started.
    pub fuel_used: u64,
    /// Events that processes were handed since then.
    pub messages_in: u64,
    /// Messages, calls and replies that they have sent.
    pub messages_out: u64,
    /// What was dropped because a mailbox was full.
    pub dropped: u64,
    /// How often a supervisor has restarted a child.
    pub restarts: u64,
    /// What it may use.
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
            fuel_per_second: spec.fuel.map(|rate| rate.per_second),
            burst: spec.fuel.map(|rate| rate.burst),
            when_out_of_fuel: spec.fuel.map(|rate| word(rate.when_out)),
        }
    }
}

impl From<&AppUsage> for Usage {
    fn from(usage: &AppUsage) -> Self {
        Usage {
            app: usage.app.to_string(),
            processes: usage.processes,
            instances: usage.instances,
            memory_bytes: usage.memory_bytes,
            timers: usage.timers,
            mailbox_messages: usage.mailbox_messages,
            mailbox_bytes: usage.mailbox_bytes,
            throttled: usage.throttled,
            fuel_used: usage.fuel_used,
            messages_in: usage.messages_in,
            messages_out: usage.messages_out,
            dropped: usage.dropped,
            restarts: usage.restarts,
            budget: Budget::from(&usage.bounds),
        }
    }
}
