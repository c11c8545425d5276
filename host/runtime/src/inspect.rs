//! What can be seen of a runtime from outside: processes and trees, as plain data taken at one moment.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use skep_kernel::budget::BudgetSpec;
use skep_kernel::directory::Table;
use skep_kernel::supervisor::ChildKind;
use skep_kernel::system::Statistics;
use skep_kernel::{Body, Limits, Name, Pid};

pub use crate::observe::Peer;
use crate::spec::Grants;

/// One process in a listing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProcessInfo {
    /// Its pid.
    pub pid: Pid,
    /// Its app.
    pub app: Name,
    /// Its child id, or its name where no supervisor started it.
    pub label: Option<Name>,
    /// Its module; none for a process of the host.
    pub module: Option<Name>,
    /// What it runs; none for a process of the host.
    pub code: Option<Code>,
    /// The name it holds.
    pub name: Option<Name>,
    /// `server`, `task`, `command`, `supervisor` or `client`.
    pub kind: &'static str,
    /// What it is doing: `starting`, `runnable`, `running`, `blocked`, `waiting`, `hibernating`, `stopping`.
    pub status: &'static str,
    /// Events in its mailbox.
    pub mailbox_messages: usize,
    /// Bytes of bodies in its mailbox.
    pub mailbox_bytes: usize,
    /// Casts and exit signals of strangers dropped because the mailbox was full.
    pub dropped: u64,
    /// How many processes it is linked to.
    pub links: usize,
    /// Timers running.
    pub timers: usize,
    /// Bytes of its saved state; none while it has an instance.
    pub saved_bytes: Option<usize>,
    /// Bytes of its linear memory, up to the last event that it handled; 0 without an instance, none for a process of the
    /// host.
    pub memory_bytes: Option<usize>,
    /// Fuel that it has used, up to the last event that it handled.
    pub fuel_used: Option<u64>,
    /// What it has done.
    pub statistics: Statistics,
}

/// What all that count in one budget use together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BudgetUsage {
    /// Whose budget, as refusals call it: `app tally`, `supervisor parsers`.
    pub whose: Name,
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
    /// Files, folders and sockets that are open, beyond the folders granted.
    pub open_files: u64,
    /// Operations under way that block a thread.
    pub blocking_operations: u64,
    /// Fuel used since it was started.
    pub fuel_used: u64,
    /// Bytes that guests have logged since then.
    pub logged_bytes: u64,
    /// What there may be.
    pub bounds: BudgetSpec,
}

/// What an app uses.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AppUsage {
    /// Its name.
    pub app: Name,
    /// What is counted in its budget.
    pub total: BudgetUsage,
    /// Of that, what is below each supervisor with a budget of its own, by its path (`tally/parsers`), in this order.
    pub supervisors: BTreeMap<String, BudgetUsage>,
    /// Events that wait.
    pub mailbox_messages: u64,
    /// Processes that wait for fuel.
    pub throttled: u64,
    /// Processes on the run queue, which wait for a worker.
    pub runnable: u64,
    /// Events that processes were handed since it was started.
    pub messages_in: u64,
    /// Messages, calls and replies that they have sent.
    pub messages_out: u64,
    /// Casts and exit signals of strangers dropped because a mailbox was full.
    pub dropped: u64,
    /// How often a supervisor has restarted a child.
    pub restarts: u64,
}

/// One entry of a registry, a group or a topic.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EntryInfo {
    /// Where.
    pub table: Table,
    /// The key, the group or the topic.
    pub key: Name,
    /// Whose.
    pub pid: Pid,
    /// Its value; of members and subscribers, null.
    pub value: Arc<Body>,
}

/// A supervisor or a process in its tree.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TreeNode {
    /// Its child id.
    pub id: Name,
    /// What it is.
    pub kind: ChildKind,
    /// Its pid, if it has one now.
    pub pid: Option<Pid>,
    /// `running`, `starting`, `restarting`, `stopping` or `stopped`.
    pub status: &'static str,
    /// Its module; none for a supervisor.
    pub module: Option<Name>,
    /// What it runs; none for a supervisor, or without a process.
    pub code: Option<Code>,
    /// The name that it holds.
    pub name: Option<Name>,
    /// How often it was restarted by its supervisor.
    pub restarts: u64,
    /// How long its next restart waits still, where its supervisor lets it wait.
    pub restart_in: Option<Duration>,
    /// Of a partitioned supervisor: how many partitions are in use, of how many.
    pub partitions: Option<(usize, usize)>,
    /// Children of a supervisor, in start order.
    pub children: Vec<TreeNode>,
}

impl TreeNode {
    /// Restarts in this subtree.
    #[must_use]
    pub fn restarts_total(&self) -> u64 {
        self.restarts + self.children.iter().map(TreeNode::restarts_total).sum::<u64>()
    }
}

/// One process, from all sides. Of what it is tied to, the first hundred of each kind are listed.
#[derive(Clone, PartialEq, Debug)]
pub struct Inspection {
    /// What a listing shows of it.
    pub process: ProcessInfo,
    /// The child ids that lead to it: `tally/parsers/parser.3`.
    pub path: String,
    /// Who started it.
    pub parent: Option<Peer>,
    /// When it was started.
    pub started: SystemTime,
    /// How often its supervisor has restarted it; none if it has no supervisor.
    pub restarts: Option<u64>,
    /// Whom it is linked to.
    pub links: Vec<Peer>,
    /// Whom it monitors.
    pub monitors: Vec<Watched>,
    /// Who monitors it.
    pub monitored_by: Vec<Peer>,
    /// Who waits for a reply.
    pub callers: Vec<Peer>,
    /// The first ten in its mailbox, the oldest first.
    pub oldest: Vec<Mail>,
    /// What it is in the middle of: the kind of event, or `init`, or `terminate`.
    pub handling: Option<&'static str>,
    /// What its guest waits for meanwhile.
    pub waits_for: Option<Waits>,
    /// Why it handles nothing.
    pub suspended: Option<Suspended>,
    /// Whether exit signals arrive as messages.
    pub traps_exits: bool,
    /// Its bounds.
    pub limits: Arc<Limits>,
}

/// What a guest may do beyond computing, and where that comes from.
#[derive(Clone, PartialEq, Debug)]
pub struct Rights {
    /// Its module.
    pub module: Name,
    /// What it may do.
    pub grants: Arc<Grants>,
    /// What its module may do now, where guests start it, as far as these may.
    pub of_module: Arc<Grants>,
    /// The guest that has started it, by itself or by a supervisor of its own; none if its app declares it.
    pub from: Option<Peer>,
    /// Interfaces that its code imports and that refuse whatever it does through them.
    pub refused: Vec<String>,
}

/// What a process runs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Code {
    /// The version of its state's layout; none for a task.
    pub version: Option<u32>,
    /// The digest of the component.
    pub digest: String,
}

/// Somebody who is monitored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Watched {
    /// The name, where it was one that was asked to be watched.
    pub name: Option<Name>,
    /// Who that is.
    pub peer: Option<Peer>,
}

/// Something in a mailbox.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mail {
    /// What kind of event.
    pub kind: &'static str,
    /// How large.
    pub bytes: usize,
}

/// What a guest waits for in the middle of an event.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Waits {
    /// The reply of this process.
    Reply(Option<Peer>),
    /// The start of this process.
    Start(Option<Peer>),
    /// A message.
    Message,
    /// What a supervisor answers.
    Supervisor,
}

/// Who wants a process to stand still.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Suspended {
    /// An operator, until he lets it go on.
    ByOperator,
    /// An upgrade, which is over soon.
    ByUpgrade,
}
