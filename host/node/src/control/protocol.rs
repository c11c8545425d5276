//! What is sent over the control socket.
//!
//! Owns the JSON shapes, for both sides. Log entries are `node::log::Entry`.

mod bounds;
mod children;
mod deploy;
mod inspect;
mod names;
mod rights;
mod upgrade;
mod usage;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use skep_runtime::inspect::{ProcessInfo, TreeNode};
use skep_runtime::kernel::supervisor::ChildKind;

pub(in crate::control) use bounds::{maybe_name, maybe_text, name};
pub use children::{AskChildren, ChildLine, ChildOrder, Children, RestartWord};
pub use deploy::{Agreed, DeployLine, DeployStep, Deployed, FailedChild, Proposal, Undeploy, Undeployed, Wanted};
pub use inspect::{Answered, Ask, Asked, Bounds, Inspected, TraceLine, Waiting};
pub use names::Known;
pub use rights::{Granted, Right};
pub use upgrade::{Step, UpgradeLine, Upgraded};
pub use usage::{Budget, Total, Usage};

/// `GET /v1/node`
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NodeInfo {
    /// The node's name.
    pub name: String,
    /// The version of Skep.
    pub version: String,
    /// Its process id on the machine.
    pub os_process: u32,
    /// When it was started, in milliseconds since 1970.
    pub started_ms: u64,
    /// The apps that run.
    pub apps: Vec<String>,
}

/// One of `GET /v1/processes`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Process {
    /// Its pid, without the tag.
    pub pid: String,
    /// Its app.
    pub app: String,
    /// Its child id.
    pub id: Option<String>,
    /// The name it holds.
    pub name: Option<String>,
    /// Its module; none for a supervisor.
    pub module: Option<String>,
    /// The version of its state's layout, and with it of its code; none for a task, or a process of the host.
    pub version: Option<u32>,
    /// The digest of its code; none for a process of the host.
    pub digest: Option<String>,
    /// `server`, `task`, `command`, `supervisor` or `client`.
    pub kind: String,
    /// What it is doing.
    pub status: String,
    /// Events in its mailbox.
    pub mailbox_messages: usize,
    /// Bytes in its mailbox.
    pub mailbox_bytes: usize,
    /// What was dropped because the mailbox was full.
    pub dropped: u64,
    /// Links.
    pub links: usize,
    /// Timers that run.
    pub timers: usize,
    /// Bytes of its saved state; none while it has an instance.
    pub saved_bytes: Option<usize>,
    /// Bytes of its linear memory; 0 without an instance, none for a process of the host.
    pub memory_bytes: Option<usize>,
    /// Fuel used up to the last event it handled; none for a process of the host.
    pub fuel_used: Option<u64>,
    /// Events it was handed.
    pub messages_in: u64,
    /// Messages, calls and replies it has sent.
    pub messages_out: u64,
}

impl From<&ProcessInfo> for Process {
    fn from(info: &ProcessInfo) -> Self {
        let text = |text: &Option<skep_runtime::kernel::Name>| text.as_deref().map(str::to_owned);
        Process {
            pid: info.pid.to_string(),
            app: info.app.to_string(),
            id: text(&info.label),
            name: text(&info.name),
            module: text(&info.module),
            version: info.code.as_ref().and_then(|code| code.version),
            digest: info.code.as_ref().map(|code| code.digest.clone()),
            kind: info.kind.to_owned(),
            status: info.status.to_owned(),
            mailbox_messages: info.mailbox_messages,
            mailbox_bytes: info.mailbox_bytes,
            dropped: info.dropped,
            links: info.links,
            timers: info.timers,
            saved_bytes: info.saved_bytes,
            memory_bytes: info.memory_bytes,
            fuel_used: info.fuel_used,
            messages_in: info.statistics.messages_in,
            messages_out: info.statistics.messages_out,
        }
    }
}

/// One of `GET /v1/tree`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AppTree {
    /// The app.
    pub app: String,
    /// Its root supervisor.
    pub root: Branch,
}

/// A supervisor or a process in a tree.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Branch {
    /// Its child id.
    pub id: String,
    /// `worker` or `supervisor`.
    pub kind: String,
    /// Its pid, if it has one now.
    pub pid: Option<String>,
    /// `running`, `starting`, `restarting`, `stopping` or `stopped`.
    pub status: String,
    /// Its module; none for a supervisor.
    pub module: Option<String>,
    /// As in [`Process`]; none where there is no process now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// As in [`Process`]; none where there is no process now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// The name that it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How often its supervisor restarted it.
    pub restarts: u64,
    /// How long its next restart waits still, where its supervisor lets it wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart_in_ms: Option<u64>,
    /// Of a partitioned supervisor: how many partitions are in use, of how many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partitions: Option<(usize, usize)>,
    /// Its children, in start order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<Branch>,
}

impl From<&TreeNode> for Branch {
    fn from(node: &TreeNode) -> Self {
        let kind = match node.kind {
            ChildKind::Worker => "worker",
            ChildKind::Supervisor => "supervisor",
        };
        Branch {
            id: node.id.to_string(),
            kind: kind.to_owned(),
            pid: node.pid.map(|pid| pid.to_string()),
            status: node.status.to_owned(),
            module: node.module.as_deref().map(str::to_owned),
            version: node.code.as_ref().and_then(|code| code.version),
            digest: node.code.as_ref().map(|code| code.digest.clone()),
            name: node.name.as_deref().map(str::to_owned),
            restarts: node.restarts,
            restart_in_ms: node.restart_in.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
            partitions: node.partitions,
            children: node.children.iter().map(Branch::from).collect(),
        }
    }
}

/// `POST /v1/call` and `POST /v1/cast`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Message {
    /// A name, `app/name`, or a pid.
    #[serde(deserialize_with = "bounds::name")]
    pub to: String,
    /// Any JSON; the process gets the text as it is.
    pub body: Box<RawValue>,
    /// How long a call waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
}

/// A cast was handed over.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Sent {
    /// Always.
    pub sent: bool,
}

/// Everything has been stopped.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Halted {
    /// Always.
    pub stopped: bool,
}

/// Why it was not done.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Problem {
    /// A stable word: `bad_request`, `not_found`, `unknown_process`, `ambiguous`, `timeout`, `ended`, `refused`,
    /// `stopping`, `busy`, `not_a_server`, `too_many`, `callback_failed`, and those of
    /// [`crate::node::code::refused::Refused`], [`crate::node::deployment::NotDeployed`] and
    /// [`crate::node::children::NotDone`].
    pub code: String,
    /// What went wrong, in one line.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// More lines, such as a backtrace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Where in the manifest it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Box<Spot>>,
}

/// A place in a manifest.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Spot {
    /// For people: `/srv/app.toml:3:7`.
    pub at: String,
    /// The first byte of it in the text.
    pub start: usize,
    /// The byte after it.
    pub end: usize,
}
