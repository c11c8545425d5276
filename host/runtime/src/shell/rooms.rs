//! Room for instances: who has one, who is asked for his, who waits for one.
//!
//! The engine says when a class is full. Then the process that has had its instance there for longest, and can do without,
//! is asked to give it back; if none can now, the next one that comes to rest is. Locks are taken in the order holders,
//! process; whoever calls here holds neither.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use skep_kernel::{Pid, Signal};

use super::{Cell, Shell};
use crate::engine::Class;

/// A place among the holders of a class.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket {
    class: Class,
    number: u64,
}

/// The room of each class.
#[derive(Default)]
pub(super) struct Rooms {
    small: Room,
    large: Room,
}

#[derive(Default)]
struct Room {
    holders: Mutex<Holders>,
    waiting: Mutex<Waiting>,
    /// How many wait, to be looked at without the lock.
    wanted: AtomicUsize,
}

#[derive(Default)]
struct Holders {
    /// In the order in which they got their instance.
    by_ticket: BTreeMap<u64, Weak<Cell>>,
    given: u64,
}

#[derive(Default)]
struct Waiting {
    queue: VecDeque<(Weak<Cell>, Pid)>,
    /// Who is in the queue.
    pids: HashSet<Pid>,
}

impl Rooms {
    fn of(&self, class: Class) -> &Room {
        match class {
            Class::Small => &self.small,
            Class::Large => &self.large,
        }
    }

    /// A process is about to have an instance.
    pub(super) fn enter(&self, cell: &Arc<Cell>, class: Class) -> Ticket {
        let mut holders = self.of(class).holders.lock();
        holders.given += 1;
        let number = holders.given;
        holders.by_ticket.insert(number, Arc::downgrade(cell));
        Ticket { class, number }
    }

    /// A process got no instance after all.
    pub(super) fn withdraw(&self, ticket: Ticket) {
        self.of(ticket.class).holders.lock().by_ticket.remove(&ticket.number);
    }

    /// An instance is gone: whoever waits for one tries again. Of both classes, for the large one helps out.
    pub(super) fn leave(&self, ticket: Ticket, shell: &Shell) {
        self.withdraw(ticket);
        self.small.wake_next(shell);
        self.large.wake_next(shell);
    }

    /// A process has ended without an instance. If it had just been offered a place, nobody would take that, nor hear of
    /// it: the next one is told.
    pub(super) fn pass_on(&self, class: Class, shell: &Shell) {
        let usage = shell.engine.usage(class);
        if usage.live < usage.limit {
            self.of(class).wake_next(shell);
        }
    }

    /// A process found no room: somebody is asked to leave, and it is stirred when somebody has.
    pub(super) fn wait(&self, cell: &Arc<Cell>, class: Class, shell: &Shell) {
        let room = self.of(class);
        room.queue_up(cell);
        let usage = shell.engine.usage(class);
        if usage.live < usage.limit {
            // Somebody left before this one was in the queue, and could not know of it.
            room.wake_next(shell);
        } else {
            room.ask_somebody(shell);
        }
    }

    /// A process with an instance has come to rest: if somebody waits for one, it may be the one to give way. Whoever
    /// began to wait while everybody was busy would wait for ever otherwise.
    pub(super) fn rested(&self, shell: &Shell) {
        for room in [&self.small, &self.large] {
            if room.wanted.load(Ordering::SeqCst) > 0 {
                room.ask_somebody(shell);
            }
        }
    }

    /// Whether anybody of this class could give way now.
    pub(super) fn has_candidate(&self, class: Class) -> bool {
        self.of(class).candidate().is_some()
    }
}

impl Room {
    fn queue_up(&self, cell: &Arc<Cell>) {
        let mut waiting = self.waiting.lock();
        // Signals may stir it meanwhile, and it tries again in vain: it still waits once.
        if waiting.pids.insert(cell.pid) {
            waiting.queue.push_back((Arc::downgrade(cell), cell.pid));
            self.wanted.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn wake_next(&self, shell: &Shell) {
        while let Some(next) = self.next_waiting() {
            let Some(cell) = next.upgrade() else { continue };
            let mut process = cell.process.lock();
            if process.is_doomed() {
                continue;
            }
            let woken = process.stir();
            drop(process);
            if woken {
                shell.schedule(cell);
            }
            return;
        }
    }

    fn next_waiting(&self) -> Option<Weak<Cell>> {
        if self.wanted.load(Ordering::SeqCst) == 0 {
            return None;
        }
        let mut waiting = self.waiting.lock();
        let (cell, pid) = waiting.queue.pop_front()?;
        waiting.pids.remove(&pid);
        self.wanted.fetch_sub(1, Ordering::SeqCst);
        Some(cell)
    }

    fn ask_somebody(&self, shell: &Shell) {
        if let Some(victim) = self.candidate() {
            let _ = shell.deliver(victim.pid, Signal::Evict);
        }
    }

    fn candidate(&self) -> Option<Arc<Cell>> {
        let holders = self.holders.lock();
        holders.by_ticket.values().filter_map(Weak::upgrade).find(|cell| cell.process.lock().is_evictable())
    }
}
