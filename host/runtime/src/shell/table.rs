//! The process table: who exists. Concurrent, without a guard to hold, and no pid is given twice.

use std::sync::Arc;

use skep_kernel::Pid;
use skep_kernel::pid::NUMBER_LIMIT;

use super::Cell;
use super::sync::{AtomicU64, HashMap, Ordering, random};

/// All processes of a runtime.
#[derive(Default)]
pub(crate) struct Table {
    cells: HashMap<u64, Arc<Cell>>,
    given: AtomicU64,
}

impl Table {
    /// A pid that was never used, with a tag that nobody can guess.
    pub(crate) fn new_pid(&self) -> Pid {
        let id = self.given.fetch_add(1, Ordering::Relaxed) + 1;
        let tag: u64 = random();
        Pid { node: 0, id, tag: tag % NUMBER_LIMIT }
    }

    pub(crate) fn insert(&self, cell: Arc<Cell>) {
        let new = self.cells.insert_sync(cell.pid.id, cell).is_ok();
        assert!(new, "a pid was given twice");
    }

    pub(crate) fn remove(&self, pid: Pid) {
        self.cells.remove_sync(&pid.id);
    }

    /// The process, if there is one and the tag is right.
    pub(crate) fn get(&self, pid: Pid) -> Option<Arc<Cell>> {
        self.cells.read_sync(&pid.id, |_, cell| (cell.pid == pid).then(|| Arc::clone(cell))).flatten()
    }

    /// The process of this number, for whoever has been shown its tag in another way.
    pub(crate) fn by_id(&self, id: u64) -> Option<Arc<Cell>> {
        self.cells.read_sync(&id, |_, cell| Arc::clone(cell))
    }

    /// All processes at this moment, more or less, in the order of their pids.
    pub(crate) fn all(&self) -> Vec<Arc<Cell>> {
        let mut cells = Vec::with_capacity(self.cells.len());
        self.cells.iter_sync(|_, cell| {
            cells.push(Arc::clone(cell));
            true
        });
        cells.sort_unstable_by_key(|cell| cell.pid.id);
        cells
    }
}
