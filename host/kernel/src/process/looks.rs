//! What can be seen of a process from outside, beyond its status: for whoever inspects it.

use super::calls::{Asked, Block};
use super::{Process, Watch};
use crate::{Address, Pid};

/// What a guest in the middle of a host function waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WaitsFor {
    /// The reply of this process; none if it is not known any more.
    Reply(Option<Pid>),
    /// The `init` of this process.
    Start(Option<Pid>),
    /// A message.
    Message,
    /// What a supervisor answers.
    Supervisor,
}

impl Process {
    /// Who started it.
    #[must_use]
    pub fn parent(&self) -> Option<Pid> {
        self.nature.parent()
    }

    /// Whether exit signals arrive as events.
    #[must_use]
    pub fn traps_exits(&self) -> bool {
        self.trap_exit
    }

    /// Whom it monitors: what was asked to be watched, and who that was.
    pub fn monitors(&self) -> impl Iterator<Item = (&Address, Option<Pid>)> {
        self.affairs.monitors.values().map(|monitor| (&monitor.target, monitor.pid))
    }

    /// Who monitors it, as often as they do.
    pub fn monitored_by(&self) -> impl Iterator<Item = Pid> {
        self.affairs.watchers.iter().filter(|watcher| watcher.why == Watch::Monitor).map(|watcher| watcher.pid)
    }

    /// Who waits for a reply of it.
    pub fn callers(&self) -> impl Iterator<Item = Pid> {
        self.affairs.watchers.iter().filter(|watcher| watcher.why == Watch::Call).map(|watcher| watcher.pid)
    }

    /// What its guest waits for in the middle of something.
    #[must_use]
    pub fn waits_for(&self) -> Option<WaitsFor> {
        let asked = |mark| self.affairs.requests.get(mark).map(|request| &request.what);
        match &self.affairs.block {
            Block::None => None,
            Block::Receive { .. } => Some(WaitsFor::Message),
            Block::Shell(whose) => Some(*whose),
            Block::Call { mark, .. } => Some(WaitsFor::Reply(match asked(mark) {
                Some(Asked::Call(to)) => to.pid(),
                Some(Asked::Spawn { .. }) | None => None,
            })),
            Block::Spawn { mark, .. } => Some(WaitsFor::Start(match asked(mark) {
                Some(Asked::Spawn { child, .. }) => Some(*child),
                Some(Asked::Call(_)) | None => None,
            })),
        }
    }
}
