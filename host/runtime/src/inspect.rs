//! What can be seen of a runtime from outside: processes and trees, as plain data taken at one moment.

use std::time::Duration;

use skep_kernel::supervisor::ChildKind;
use skep_kernel::{Name, Pid};

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
    /// The name it holds.
    pub name: Option<Name>,
    /// `server`, `task`, `supervisor` or `client`.
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
