//! Room for instances: who has one, who is asked for his, who waits for one.
//!
//! The engine says when a class is full, and a budget when there is no place in it. Then the process there whose last turn is
//! longest ago, and that can do without, is asked to give it back; if none can now, the next one that comes to rest is. Locks are taken in the order holders,
//! process; whoever calls here holds neither.

use std::collections::{HashSet, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use skep_kernel::budget::Budget;
use skep_kernel::{Pid, Signal, Want};

use super::holders::{Holders, Seat};
use super::{Cell, Shell};
use crate::Engine;
use crate::engine::Class;

/// A place among the holders of a class.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket {
    class: Class,
    seat: Seat,
}

/// The room of each class.
pub(super) struct Rooms {
    small: Room,
    large: Room,
    /// Those who wait for a place in a budget, while there are any.
    budgets: Mutex<Vec<(Arc<Budget>, Waiting)>>,
    /// How many budgets that are.
    budgets_wanted: AtomicUsize,
}

/// What has no place.
#[derive(Clone, Debug)]
pub(super) enum Full {
    /// All places of a class are taken.
    Class(Class),
    /// Those of a budget; so many instances of the process's budgets had gone before it was asked.
    Budget { budget: Arc<Budget>, since: u64 },
}

impl Full {
    /// For whom an instance is given up where this is full.
    pub(super) fn want(&self) -> Want {
        match self {
            Full::Class(_) => Want::Room,
            Full::Budget { .. } => Want::Budget,
        }
    }
}

struct Room {
    holders: Holders,
    waiting: Mutex<Waiting>,
    /// How many wait, to be looked at without the lock.
    wanted: AtomicUsize,
}

#[derive(Default)]
struct Waiting {
    queue: VecDeque<(Weak<Cell>, Pid)>,
    /// Who is in the queue.
    pids: HashSet<Pid>,
}

impl Waiting {
    /// False if it waits already: signals may stir it meanwhile, and it tries again in vain.
    fn push(&mut self, cell: &Arc<Cell>) -> bool {
        let is_new = self.pids.insert(cell.pid);
        if is_new {
            self.queue.push_back((Arc::downgrade(cell), cell.pid));
        }
        is_new
    }

    fn pop(&mut self) -> Option<Weak<Cell>> {
        let (cell, pid) = self.queue.pop_front()?;
        self.pids.remove(&pid);
        Some(cell)
    }
}

impl Rooms {
    /// Empty rooms, with the places of this engine.
    pub(super) fn new(engine: &Engine) -> Self {
        let room = |class| Room {
            holders: Holders::new(engine.usage(class).limit),
            waiting: Mutex::default(),
            wanted: AtomicUsize::new(0),
        };
        Rooms {
            small: room(Class::Small),
            large: room(Class::Large),
            budgets: Mutex::default(),
            budgets_wanted: AtomicUsize::new(0),
        }
    }

    fn of(&self, class: Class) -> &Room {
        match class {
            Class::Small => &self.small,
            Class::Large => &self.large,
        }
    }

    /// A process is about to have an instance.
    pub(super) fn enter(&self, cell: &Arc<Cell>, class: Class) -> Ticket {
        Ticket { class, seat: self.of(class).holders.enter(cell) }
    }

    /// A process has had a turn: it is not the next to give way. Of no interest where nobody need.
    pub(super) fn used(&self, ticket: Ticket, shell: &Shell) {
        if shell.engine.usage(ticket.class).is_scarce() {
            self.of(ticket.class).holders.touch(ticket.seat);
        }
    }

    /// A process got no instance after all.
    pub(super) fn withdraw(&self, ticket: Ticket) {
        self.of(ticket.class).holders.leave(ticket.seat);
    }

    /// An instance is gone: whoever waits for one tries again. Of both classes, for the large one helps out.
    pub(super) fn leave(&self, ticket: Ticket, cell: &Cell, shell: &Shell) {
        self.withdraw(ticket);
        cell.budget.note_departure();
        self.wake_within(&cell.budget, shell);
        self.small.wake_next(shell);
        self.large.wake_next(shell);
    }

    /// A process has ended without an instance. If it had just been offered a place, nobody would take that, nor hear of
    /// it: the next one is told.
    pub(super) fn pass_on(&self, class: Class, cell: &Cell, shell: &Shell) {
        self.wake_within(&cell.budget, shell);
        let usage = shell.engine.usage(class);
        if usage.live < usage.limit {
            self.of(class).wake_next(shell);
        }
    }

    /// A process found no room: somebody is asked to leave, and it is stirred when somebody has.
    pub(super) fn wait(&self, cell: &Arc<Cell>, full: Full, shell: &Shell) {
        match full {
            Full::Class(class) => self.wait_in_class(cell, class, shell),
            Full::Budget { budget, since } => self.wait_in_budget(cell, &budget, since, shell),
        }
    }

    fn wait_in_class(&self, cell: &Arc<Cell>, class: Class, shell: &Shell) {
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
    pub(super) fn rested(&self, cell: &Cell, shell: &Shell) {
        if self.is_wanted_within(&cell.budget) && cell.process.lock().is_evictable() {
            let _ = shell.deliver(cell.pid, Signal::Evict(Want::Budget));
        }
        for room in [&self.small, &self.large] {
            if room.wanted.load(Ordering::SeqCst) > 0 {
                room.ask_somebody(shell);
            }
        }
    }

    fn wait_in_budget(&self, cell: &Arc<Cell>, budget: &Arc<Budget>, since: u64, shell: &Shell) {
        {
            let mut budgets = self.budgets.lock();
            let known = budgets.iter().position(|(known, _)| Arc::ptr_eq(known, budget));
            let at = known.unwrap_or_else(|| {
                budgets.push((Arc::clone(budget), Waiting::default()));
                budgets.len() - 1
            });
            budgets[at].1.push(cell);
            self.budgets_wanted.store(budgets.len(), Ordering::SeqCst);
        }
        if cell.budget.departures() > since {
            // Somebody left before this one was in the queue, and could not know of it.
            self.wake_within(budget, shell);
        } else if let Some(victim) = self.candidate_within(budget) {
            let _ = shell.deliver(victim.pid, Signal::Evict(Want::Budget));
        }
    }

    /// The next one tries again in each budget in which a process with this one above it counts.
    fn wake_within(&self, budget: &Arc<Budget>, shell: &Shell) {
        self.wake_of(shell, |waiting| waiting.is_above(budget), 1);
    }

    /// Budgets have other bounds: all try again.
    pub(super) fn budgets_changed(&self, shell: &Shell) {
        self.wake_of(shell, |_| true, usize::MAX);
    }

    fn wake_of(&self, shell: &Shell, which: impl Fn(&Budget) -> bool, most: usize) {
        if self.budgets_wanted.load(Ordering::SeqCst) == 0 {
            return;
        }
        let mut next = Vec::new();
        {
            let mut budgets = self.budgets.lock();
            for (_, waiting) in budgets.iter_mut().filter(|(budget, _)| which(budget)) {
                let asleep = std::iter::from_fn(|| waiting.pop()).filter_map(|cell| cell.upgrade());
                next.extend(asleep.filter(|cell| cell.process.lock().can_take_place()).take(most));
            }
            budgets.retain(|(_, waiting)| !waiting.queue.is_empty());
            self.budgets_wanted.store(budgets.len(), Ordering::SeqCst);
        }
        next.iter().for_each(|cell| shell.stir(cell));
    }

    /// Whether an instance below this budget should go as soon as it can.
    fn is_wanted_within(&self, budget: &Budget) -> bool {
        let is_waited_for = || self.budgets.lock().iter().any(|(waiting, _)| waiting.is_above(budget));
        (self.budgets_wanted.load(Ordering::SeqCst) > 0 && is_waited_for()) || budget.is_tight()
    }

    fn candidate_within(&self, budget: &Budget) -> Option<Arc<Cell>> {
        let is_within = |cell: &Cell| budget.is_above(&cell.budget);
        self.small.candidate(is_within).or_else(|| self.large.candidate(is_within))
    }

    /// Whether anybody below this budget could give way now.
    pub(super) fn has_candidate_within(&self, budget: &Budget) -> bool {
        self.candidate_within(budget).is_some()
    }

    /// Whether anybody of this class could give way now.
    pub(super) fn has_candidate(&self, class: Class) -> bool {
        self.of(class).candidate(|_| true).is_some()
    }
}

impl Room {
    fn queue_up(&self, cell: &Arc<Cell>) {
        if self.waiting.lock().push(cell) {
            self.wanted.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn wake_next(&self, shell: &Shell) {
        while let Some(next) = self.next_waiting() {
            let Some(cell) = next.upgrade() else { continue };
            let mut process = cell.process.lock();
            if !process.can_take_place() {
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
        let cell = self.waiting.lock().pop()?;
        self.wanted.fetch_sub(1, Ordering::SeqCst);
        Some(cell)
    }

    fn ask_somebody(&self, shell: &Shell) {
        if let Some(victim) = self.candidate(|_| true) {
            let _ = shell.deliver(victim.pid, Signal::Evict(Want::Room));
        }
    }

    fn candidate(&self, is_meant: impl Fn(&Cell) -> bool) -> Option<Arc<Cell>> {
        self.holders.first(is_meant)
    }
}
