//! The run queue: processes that a worker must look at.
//!
//! Each worker has a queue of its own, first in first out, from which the others steal; what comes from elsewhere goes
//! through a shared one. A worker without work sleeps, and is woken by whoever queues.

use std::cell::RefCell;
use std::sync::Arc;

use super::Cell;
use super::sync::{
    AtomicBool, AtomicUsize, Condvar, Injector, Mutex, Ordering, Steal, Stealer, Worker, fence, thread_local,
};

/// After so many turns a worker looks at the shared queue first, so that nothing there starves.
const SHARED_EVERY: u32 = 31;

/// The run queue.
pub(crate) struct RunQueue {
    shared: Injector<Arc<Cell>>,
    stealers: Vec<Stealer<Arc<Cell>>>,
    /// The workers' own ends, taken once by each.
    ends: Mutex<Vec<Worker<Arc<Cell>>>>,
    sleepers: AtomicUsize,
    bed: Mutex<()>,
    bell: Condvar,
    closed: AtomicBool,
}

thread_local! {
    /// The own queue of the worker that this thread is, if it is one.
    static OWN: RefCell<Option<Worker<Arc<Cell>>>> = const { RefCell::new(None) };
}

impl RunQueue {
    pub(crate) fn new(workers: usize) -> Self {
        let ends: Vec<_> = (0..workers).map(|_| Worker::new_fifo()).collect();
        RunQueue {
            shared: Injector::new(),
            stealers: ends.iter().map(Worker::stealer).collect(),
            ends: Mutex::new(ends),
            sleepers: AtomicUsize::new(0),
            bed: Mutex::new(()),
            bell: Condvar::new(),
            closed: AtomicBool::new(false),
        }
    }

    pub(crate) fn workers(&self) -> usize {
        self.stealers.len()
    }

    /// Puts a process on the queue.
    pub(crate) fn push(&self, cell: Arc<Cell>) {
        OWN.with(|own| match &*own.borrow() {
            Some(own) => own.push(cell),
            None => self.shared.push(cell),
        });
        // Pairs with the fence in `sleep`: either the sleeper is seen here, or the process there.
        fence(Ordering::SeqCst);
        if self.sleepers.load(Ordering::Relaxed) > 0 {
            let _bed = self.bed.lock();
            self.bell.notify_one();
        }
    }

    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        let _bed = self.bed.lock();
        self.bell.notify_all();
    }

    /// Makes this thread a worker: hands it one process after the other until the queue is closed.
    pub(crate) fn serve(&self, mut turn: impl FnMut(Arc<Cell>)) {
        let end = self.ends.lock().pop();
        OWN.with(|own| own.replace(end));
        let mut turns = 0_u32;
        while !self.closed.load(Ordering::SeqCst) {
            turns = turns.wrapping_add(1);
            match self.take(turns.is_multiple_of(SHARED_EVERY)) {
                Some(cell) => turn(cell),
                None => self.sleep(),
            }
        }
        OWN.with(|own| own.replace(None));
    }

    fn take(&self, shared_first: bool) -> Option<Arc<Cell>> {
        let own = || OWN.with(|own| own.borrow().as_ref().and_then(Worker::pop));
        let first = if shared_first { self.take_shared().or_else(own) } else { own().or_else(|| self.take_shared()) };
        first.or_else(|| self.steal())
    }

    fn take_shared(&self) -> Option<Arc<Cell>> {
        settle(|| {
            OWN.with(|own| match &*own.borrow() {
                Some(own) => self.shared.steal_batch_and_pop(own),
                None => self.shared.steal(),
            })
        })
    }

    fn steal(&self) -> Option<Arc<Cell>> {
        self.stealers.iter().find_map(|stealer| settle(|| stealer.steal()))
    }

    fn sleep(&self) {
        let mut bed = self.bed.lock();
        self.sleepers.fetch_add(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        let nothing = self.shared.is_empty() && self.stealers.iter().all(Stealer::is_empty);
        if nothing && !self.closed.load(Ordering::SeqCst) {
            self.bell.wait(&mut bed);
        }
        self.sleepers.fetch_sub(1, Ordering::Relaxed);
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
