//! Room for instances: who has one, who is asked for his, who waits for one.
//!
//! The engine says when it is full. Then the process that has had its instance for longest, and can do without, is asked
//! to give it back; if none can, whoever wants one waits until one is dropped.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use skep_kernel::Signal;

use super::{Cell, Shell};

/// How many holders are looked at for one that can do without. The rest are likely as busy as these.
const CANDIDATES: usize = 64;

/// A place among the holders.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket(u64);

#[derive(Default)]
pub(super) struct Room {
    holders: Mutex<Holders>,
    waiting: Mutex<VecDeque<Weak<Cell>>>,
}

#[derive(Default)]
struct Holders {
    /// In the order in which they got their instance, or were last asked for it.
    by_ticket: BTreeMap<u64, Weak<Cell>>,
    given: u64,
}

impl Holders {
    fn enter(&mut self, cell: Weak<Cell>) -> Ticket {
        self.given += 1;
        self.by_ticket.insert(self.given, cell);
        Ticket(self.given)
    }
}

impl Room {
    /// A process is about to have an instance.
    pub(super) fn enter(&self, cell: &Arc<Cell>) -> Ticket {
        self.holders.lock().enter(Arc::downgrade(cell))
    }

    /// An instance is gone: whoever waits for one tries again.
    pub(super) fn leave(&self, ticket: Ticket, shell: &Shell) {
        self.holders.lock().by_ticket.remove(&ticket.0);
        self.wake_next(shell);
    }

    fn wake_next(&self, shell: &Shell) {
        loop {
            let Some(next) = self.waiting.lock().pop_front() else { return };
            let Some(cell) = next.upgrade() else { continue };
            if cell.process.lock().stir() {
                shell.schedule(cell);
            }
            return;
        }
    }

    /// A process found no room: somebody is asked to leave, and it is stirred when somebody has.
    pub(super) fn wait(&self, cell: &Arc<Cell>, shell: &Shell) {
        self.waiting.lock().push_back(Arc::downgrade(cell));
        if let Some(victim) = self.candidate(cell) {
            let _ = shell.deliver(victim.pid, Signal::Evict);
        }
    }

    fn candidate(&self, wanting: &Arc<Cell>) -> Option<Arc<Cell>> {
        let oldest: Vec<Arc<Cell>> =
            self.holders.lock().by_ticket.values().filter_map(Weak::upgrade).take(CANDIDATES).collect();
        oldest.into_iter().find(|cell| !Arc::ptr_eq(cell, wanting) && cell.process.lock().is_evictable())
    }
}
