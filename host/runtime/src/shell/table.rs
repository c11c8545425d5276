//! The process table: who exists. No pid is given twice.

use std::sync::Arc;

use skep_kernel::Pid;
use skep_kernel::pid::PidSeal;

use super::Cell;
use super::sync::{AtomicU64, Ordering, Sharded, random};

/// All processes of a runtime.
pub(crate) struct Table {
    cells: Sharded<Arc<Cell>>,
    given: AtomicU64,
    seal: PidSeal,
}

impl Table {
    /// A table without processes.
    pub(crate) fn new() -> Self {
        Table { cells: Sharded::default(), given: AtomicU64::new(0), seal: PidSeal::new([random(), random()]) }
    }

    /// A pid that was never used, with a tag that nobody can guess.
    pub(crate) fn new_pid(&self) -> Pid {
        let id = self.given.fetch_add(1, Ordering::Relaxed) + 1;
        self.seal.pid(id)
    }

    /// Whether there was ever a process of this pid, or is; else somebody has made it up.
    pub(crate) fn has_given(&self, pid: Pid) -> bool {
        pid.id <= self.given.load(Ordering::Relaxed) && self.seal.made(pid)
    }

    pub(crate) fn insert(&self, cell: Arc<Cell>) {
        let new = self.cells.insert(cell.pid.id, cell);
        assert!(new, "a pid was given twice");
    }

    pub(crate) fn remove(&self, pid: Pid) {
        self.cells.remove(pid.id);
    }

    /// The process, if there is one and the tag is right.
    pub(crate) fn get(&self, pid: Pid) -> Option<Arc<Cell>> {
        self.cells.read(pid.id, |cell| (cell.pid == pid).then(|| Arc::clone(cell))).flatten()
    }

    /// The process of this number, for whoever has been shown its tag in another way.
    pub(crate) fn by_id(&self, id: u64) -> Option<Arc<Cell>> {
        self.cells.read(id, Arc::clone)
    }

    /// All processes at this moment, more or less, in the order of their pids.
    pub(crate) fn all(&self) -> Vec<Arc<Cell>> {
        let mut cells = Vec::with_capacity(self.cells.len());
        self.cells.each(|cell| cells.push(Arc::clone(cell)));
        cells.sort_unstable_by_key(|cell| cell.pid.id);
        cells
    }
}
