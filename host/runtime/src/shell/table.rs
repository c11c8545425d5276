//! The process table: who exists. Concurrent, without a guard to hold, and no pid is given twice.

use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use skep_kernel::Pid;
use skep_kernel::pid::PidSeal;

use super::Cell;
use super::sync::{AtomicU64, HashMap, Ordering, random};

/// All processes of a runtime.
pub(crate) struct Table {
    cells: HashMap<u64, Arc<Cell>, BuildHasherDefault<IdHasher>>,
    given: AtomicU64,
    seal: PidSeal,
}

/// Spreads the numbers of processes. They are counted, by the host, so nobody can choose some that meet.
#[derive(Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("a number is hashed whole");
    }

    fn write_u64(&mut self, id: u64) {
        // The golden ratio: neighbours end up far from each other, in the upper bits as in the lower.
        let spread = id.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = spread ^ (spread >> 32);
    }
}

impl Table {
    /// A table without processes.
    pub(crate) fn new() -> Self {
        Table { cells: HashMap::default(), given: AtomicU64::new(0), seal: PidSeal::new([random(), random()]) }
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
