//! Room for instances: who has one, who is asked for his, who waits for one.
//!
//! The engine says when it is full. Then the process that has had its instance for longest, and can do without, is asked
//! to give it back; if none can, whoever wants one waits until one is dropped.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use skep_kernel::{Pid, Signal};

use super::{Cell, Shell};

/// How many holders are looked at for one that can do without. The rest are likely as busy as these.
const CANDIDATES: usize = 64;

/// A place among the holders.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket(u64);

#[derive(Default)]
pub(super) struct Room {
    holders: Mutex<Holders>,
    waiting: Mutex<Waiting>,
    /// How many wait, to be looked at without the lock.
    wanted: AtomicUsize,
}

#[derive(Default)]
struct Holders {
    /// In the order in which they got their instance, or were last asked for it.
    by_ticket: BTreeMap<u64, Weak<Cell>>,
    given: u64,
}

#[derive(Default)]
struct Waiting {
    queue: VecDeque<(Weak<Cell>, Pid)>,
    /// Who is in the queue.
    pids: HashSet<Pid>,
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
            let Some(cell) = self.next_waiting() else { return };
            let Some(cell) = cell.upgrade() else { continue };
            if cell.process.lock().stir() {
                shell.schedule(cell);
            }
            return;
        }
    }

    fn next_waiting(&self) -> Option<Weak<Cell>> {
        let mut waiting = self.waiting.lock();
        let next = waiting.queue.pop_front()?;
        waiting.pids.remove(&next.1);
        self.wanted.fetch_sub(1, Ordering::SeqCst);
        Some(next.0)
    }

    /// A process found no room: somebody is asked to leave, and it is stirred when somebody has.
    pub(super) fn wait(&self, cell: &Arc<Cell>, shell: &Shell) {
        let mut waiting = self.waiting.lock();
        // Signals may stir it meanwhile, and it tries again in vain: it still waits once.
        if waiting.pids.insert(cell.pid) {
            waiting.queue.push_back((Arc::downgrade(cell), cell.pid));
            self.wanted.fetch_add(1, Ordering::SeqCst);
        }
        drop(waiting);
        self.ask_somebody(shell);
    }

    /// A process with an instance has come to rest: if somebody waits for one, it may be the one to give way. Whoever
    /// began to wait while everybody was busy would wait for ever otherwise.
    pub(super) fn rested(&self, shell: &Shell) {
        if self.wanted.load(Ordering::SeqCst) > 0 {
            self.ask_somebody(shell);
        }
    }

    fn ask_somebody(&self, shell: &Shell) {
        if let Some(victim) = self.candidate() {
            let _ = shell.deliver(victim.pid, Signal::Evict);
        }
    }

    fn candidate(&self) -> Option<Arc<Cell>> {
        let oldest: Vec<Arc<Cell>> =
            self.holders.lock().by_ticket.values().filter_map(Weak::upgrade).take(CANDIDATES).collect();
        oldest.into_iter().find(|cell| cell.process.lock().is_evictable())
    }
}
