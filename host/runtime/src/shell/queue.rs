//! The run queue: processes that a worker must look at.
//!
//! Each worker has a queue of its own, first in first out, from which the others steal; what comes from elsewhere goes
//! through a shared one. Whoever has used up a turn and is not done goes to a third, behind all others, so that those who
//! are soon done do not wait for those who compute. A worker without work sleeps, and is woken by whoever queues what the
//! pusher's own worker does not take at once.

use std::cell::RefCell;
use std::sync::Arc;

use super::Cell;
use super::sync::{
    AtomicBool, AtomicUsize, Condvar, Injector, Mutex, Ordering, Steal, Stealer, Worker, fence, thread_local,
};

/// After so many turns a worker looks at the shared queue first, so that nothing there starves.
const SHARED_EVERY: u32 = 31;
/// After so many turns a worker looks first at those who have used up a turn. A turn that is used up lasts some 20 µs, a
/// short one some 2: those who compute get a third of the time, however many others there are.
const SPENT_EVERY: u32 = 16;
/// So many turns in a row go to who was woken last, at most: two that play ping-pong must let the others have theirs.
const NEXT_IN_A_ROW: u32 = 32;

/// The run queue.
pub(crate) struct RunQueue {
    shared: Injector<Arc<Cell>>,
    /// Those who have used up a turn.
    spent: Injector<Arc<Cell>>,
    stealers: Vec<Stealer<Arc<Cell>>>,
    /// The workers' own ends, taken once by each.
    ends: Mutex<Vec<Worker<Arc<Cell>>>>,
    /// Workers that sleep, but for those who were called.
    sleepers: AtomicUsize,
    /// Sleepers who were called and have not got up yet.
    called: Mutex<usize>,
    bell: Condvar,
    closed: AtomicBool,
}

/// What only one worker puts into.
struct Own {
    /// Who has the next turn: woken by whoever had this one, so what it was sent is in this core's cache. Nobody steals it,
    /// and no other worker is woken for it: it waits for the rest of one turn at most.
    next: Option<Arc<Cell>>,
    /// How many turns in a row were given so.
    in_a_row: u32,
    queue: Worker<Arc<Cell>>,
}

thread_local! {
    /// What the worker that this thread is has of its own, if it is one.
    static OWN: RefCell<Option<Own>> = const { RefCell::new(None) };
}

impl Own {
    fn new(queue: Worker<Arc<Cell>>) -> Self {
        Own { next: None, in_a_row: 0, queue }
    }

    fn is_empty(&self) -> bool {
        self.next.is_none() && self.queue.is_empty()
    }

    fn take(&mut self) -> Option<Arc<Cell>> {
        if self.next.is_some() && self.in_a_row < NEXT_IN_A_ROW {
            self.in_a_row += 1;
            return self.next.take();
        }
        self.in_a_row = 0;
        self.queue.pop()
    }
}

impl RunQueue {
    pub(crate) fn new(workers: usize) -> Self {
        let ends: Vec<_> = (0..workers).map(|_| Worker::new_fifo()).collect();
        RunQueue {
            shared: Injector::new(),
            spent: Injector::new(),
            stealers: ends.iter().map(Worker::stealer).collect(),
            ends: Mutex::new(ends),
            sleepers: AtomicUsize::new(0),
            called: Mutex::new(0),
            bell: Condvar::new(),
            closed: AtomicBool::new(false),
        }
    }

    pub(crate) fn workers(&self) -> usize {
        self.stealers.len()
    }

    /// Puts a process on the queue that was woken.
    pub(crate) fn push(&self, cell: Arc<Cell>) {
        let is_next = |own: &Own| own.next.is_none();
        self.put(cell, is_next);
    }

    /// Puts a process on the queue that has just had a turn: behind those who wait for theirs.
    pub(crate) fn push_behind(&self, cell: Arc<Cell>) {
        let is_next = |own: &Own| own.is_empty();
        self.put(cell, is_next);
    }

    fn put(&self, cell: Arc<Cell>, is_next: impl FnOnce(&Own) -> bool) {
        let is_seen = OWN.with(|own| match &mut *own.borrow_mut() {
            Some(own) if is_next(own) => {
                own.next = Some(cell);
                false
            }
            Some(own) => {
                own.queue.push(cell);
                true
            }
            None => {
                self.shared.push(cell);
                true
            }
        });
        if is_seen {
            self.ring();
        }
    }

    /// Puts a process on the queue that has used up its turn: behind all others.
    pub(crate) fn push_spent(&self, cell: Arc<Cell>) {
        // With nothing else to do, this worker takes it itself: two workers would only pass it to and fro.
        let is_next = OWN.with(|own| own.borrow().as_ref().is_some_and(Own::is_empty));
        let is_alone = is_next && self.shared.is_empty() && self.spent.is_empty();
        self.spent.push(cell);
        if !is_alone {
            self.ring();
        }
    }

    /// Wakes a worker, if one sleeps.
    fn ring(&self) {
        // Pairs with the fence in `sleep`: either the sleeper is seen here, or the process there.
        fence(Ordering::SeqCst);
        if self.sleepers.load(Ordering::Relaxed) == 0 {
            return;
        }
        let mut called = self.called.lock();
        if self.sleepers.load(Ordering::Relaxed) > 0 {
            // Counted off here, not when it gets up: until then nobody else need call it.
            self.sleepers.fetch_sub(1, Ordering::Relaxed);
            *called += 1;
            self.bell.notify_one();
        }
    }

    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        let _called = self.called.lock();
        self.bell.notify_all();
    }

    /// Empties a queue that is closed and has no workers any more.
    pub(crate) fn forget_all(&self) {
        while self.take_shared().or_else(|| self.steal()).or_else(|| self.take_spent()).is_some() {}
    }

    /// Makes this thread a worker: hands it one process after the other until the queue is closed.
    pub(crate) fn serve(&self, mut turn: impl FnMut(Arc<Cell>)) {
        let end = self.ends.lock().pop();
        OWN.with(|own| own.replace(end.map(Own::new)));
        let mut turns = 0_u32;
        while !self.closed.load(Ordering::SeqCst) {
            turns = turns.wrapping_add(1);
            match self.take(turns) {
                Some(cell) => turn(cell),
                None => self.sleep(),
            }
        }
        OWN.with(|own| own.replace(None));
    }

    fn take(&self, turns: u32) -> Option<Arc<Cell>> {
        let mut first = None;
        if turns.is_multiple_of(SPENT_EVERY) {
            first = self.take_spent();
        }
        if first.is_none() && turns.is_multiple_of(SHARED_EVERY) {
            first = self.take_shared();
        }
        let own = || OWN.with(|own| own.borrow_mut().as_mut().and_then(Own::take));
        let next = || OWN.with(|own| own.borrow_mut().as_mut().and_then(|own| own.next.take()));
        first
            .or_else(own)
            .or_else(|| self.take_shared())
            // It has had its turns in a row, and nobody else wants one.
            .or_else(next)
            .or_else(|| self.steal())
            .or_else(|| self.take_spent())
    }

    fn take_shared(&self) -> Option<Arc<Cell>> {
        settle(|| {
            OWN.with(|own| match &*own.borrow() {
                Some(own) => self.shared.steal_batch_and_pop(&own.queue),
                None => self.shared.steal(),
            })
        })
    }

    /// One at a time: in a worker's own queue they would be in front again.
    fn take_spent(&self) -> Option<Arc<Cell>> {
        settle(|| self.spent.steal())
    }

    fn steal(&self) -> Option<Arc<Cell>> {
        self.stealers.iter().find_map(|stealer| settle(|| stealer.steal()))
    }

    fn sleep(&self) {
        let mut called = self.called.lock();
        self.sleepers.fetch_add(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        let nothing = self.shared.is_empty() && self.spent.is_empty() && self.stealers.iter().all(Stealer::is_empty);
        if !nothing {
            self.sleepers.fetch_sub(1, Ordering::Relaxed);
            return;
        }
        while *called == 0 && !self.closed.load(Ordering::SeqCst) {
            self.bell.wait(&mut called);
        }
        *called = called.saturating_sub(1);
    }
}

/// Tries again where another thread was in the way.
fn settle(mut attempt: impl FnMut() -> Steal<Arc<Cell>>) -> Option<Arc<Cell>> {
    loop {
        match attempt() {
            Steal::Success(cell) => return Some(cell),
            Steal::Empty => return None,
            Steal::Retry => {}
        }
    }
}
