//! The same names as the runtime's `sync`, on primitives that shuttle schedules; and the defects that can be planted.
//!
//! A deque is a queue under a lock here: what it does is one step, and before each the scheduler may choose another thread.

use std::cell::Cell;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

pub(crate) use crossbeam_deque::Steal;
use shuttle::rand::Rng;
use shuttle::sync as shuttled;
pub(crate) use shuttle::sync::atomic::{AtomicBool, Ordering, fence};
pub(crate) use shuttle::thread_local;

/// What can be planted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Defect {
    /// Whoever sleeps is not woken.
    DeafBell,
    /// Whoever queues sees no sleepers.
    BlindPush,
    /// Whoever goes to sleep sees nothing that is queued.
    BlindSleep,
    /// A process that was stirred during its turn is not queued again.
    ForgetStirred,
    /// A process is queued twice.
    QueueTwice,
    /// A message overtakes the one before.
    Overtake,
    /// Whoever closes wakes nobody.
    SilentClose,
    /// Links and unlinks of a pair are not one at a time.
    NoPairs,
    /// That something came during a turn is forgotten when the turn is over.
    DropStirred,
    /// A process is left before its turn is over.
    LeaveEarly,
    /// Everybody hears of an end while the process can still be found.
    TellFirst,
    /// Two that count at once may get the same number.
    CountTwice,
    /// What is taken out of the table stays.
    KeepEntry,
    /// A process is not told that it is to end.
    ForgetDoom,
    /// A signal leaves before what was sent before it.
    PastTheOutbox,
    /// What was collected stays when the turn is over.
    KeepOutbox,
}

std::thread_local! {
    /// Of the test that this thread runs; the threads that it simulates are none.
    static PLANTED: Cell<Option<Defect>> = const { Cell::new(None) };
}

pub(crate) fn plant(defect: Option<Defect>) {
    PLANTED.set(defect);
}

pub(crate) fn suffers(defect: Defect) -> bool {
    PLANTED.get() == Some(defect)
}

#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(shuttled::Mutex<T>);

/// Empty only while it waits for a bell.
pub(crate) struct MutexGuard<'a, T>(Option<shuttled::MutexGuard<'a, T>>);

impl<T> Mutex<T> {
    pub(crate) const fn new(value: T) -> Self {
        Mutex(shuttled::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        MutexGuard(Some(self.0.lock().expect("no thread panics")))
    }
}

impl<T> std::ops::Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_ref().expect("it is locked")
    }
}

impl<T> std::ops::DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.as_mut().expect("it is locked")
    }
}

#[derive(Debug, Default)]
pub(crate) struct Condvar(shuttled::Condvar);

impl Condvar {
    pub(crate) fn new() -> Self {
        Condvar(shuttled::Condvar::new())
    }

    pub(crate) fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
        let inner = guard.0.take().expect("it is locked");
        guard.0 = Some(self.0.wait(inner).expect("no thread panics"));
    }

    pub(crate) fn notify_one(&self) {
        if !suffers(Defect::DeafBell) {
            self.0.notify_one();
        }
    }

    pub(crate) fn notify_all(&self) {
        if !suffers(Defect::SilentClose) {
            self.0.notify_all();
        }
    }
}

#[derive(Debug)]
pub(crate) struct AtomicUsize(shuttled::atomic::AtomicUsize);

impl AtomicUsize {
    pub(crate) fn new(value: usize) -> Self {
        AtomicUsize(shuttled::atomic::AtomicUsize::new(value))
    }

    pub(crate) fn load(&self, order: Ordering) -> usize {
        let value = self.0.load(order);
        if suffers(Defect::BlindPush) { 0 } else { value }
    }

    pub(crate) fn fetch_add(&self, value: usize, order: Ordering) -> usize {
        self.0.fetch_add(value, order)
    }

    pub(crate) fn fetch_sub(&self, value: usize, order: Ordering) -> usize {
        self.0.fetch_sub(value, order)
    }
}

#[derive(Debug)]
pub(crate) struct AtomicU64(shuttled::atomic::AtomicU64);

impl AtomicU64 {
    pub(crate) fn new(value: u64) -> Self {
        AtomicU64(shuttled::atomic::AtomicU64::new(value))
    }

    pub(crate) fn load(&self, order: Ordering) -> u64 {
        self.0.load(order)
    }

    pub(crate) fn fetch_add(&self, value: u64, order: Ordering) -> u64 {
        if suffers(Defect::CountTwice) {
            let before = self.0.load(Ordering::SeqCst);
            self.0.store(before + value, Ordering::SeqCst);
            return before;
        }
        self.0.fetch_add(value, order)
    }
}

/// A number that is drawn, as all is that the scheduler does.
pub(crate) fn random() -> u64 {
    shuttle::rand::thread_rng().r#gen()
}

/// A map under a lock: what it does is one step.
#[derive(Debug)]
pub(crate) struct Sharded<V>(Mutex<BTreeMap<u64, V>>);

impl<V> Default for Sharded<V> {
    fn default() -> Self {
        Sharded(Mutex::new(BTreeMap::new()))
    }
}

impl<V> Sharded<V> {
    pub(crate) fn insert(&self, id: u64, value: V) -> bool {
        match self.0.lock().entry(id) {
            Entry::Vacant(vacant) => {
                vacant.insert(value);
                true
            }
            Entry::Occupied(_) => false,
        }
    }

    pub(crate) fn remove(&self, id: u64) {
        if !suffers(Defect::KeepEntry) {
            self.0.lock().remove(&id);
        }
    }

    pub(crate) fn read<R>(&self, id: u64, read: impl FnOnce(&V) -> R) -> Option<R> {
        self.0.lock().get(&id).map(read)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.lock().len()
    }

    pub(crate) fn each(&self, show: impl FnMut(&V)) {
        self.0.lock().values().for_each(show);
    }
}

/// A queue that anybody may take from.
struct Deque<T>(Arc<Mutex<VecDeque<T>>>);

impl<T> Deque<T> {
    fn new() -> Self {
        Deque(Arc::new(Mutex::new(VecDeque::new())))
    }

    fn share(&self) -> Self {
        Deque(Arc::clone(&self.0))
    }

    fn steal(&self) -> Steal<T> {
        // Now and then somebody else is in the way.
        if shuttle::rand::thread_rng().gen_range(0..8) == 0 {
            return Steal::Retry;
        }
        self.0.lock().pop_front().map_or(Steal::Empty, Steal::Success)
    }

    fn is_empty(&self) -> bool {
        self.0.lock().is_empty() || suffers(Defect::BlindSleep)
    }
}

pub(crate) struct Injector<T>(Deque<T>);

impl<T> Injector<T> {
    pub(crate) fn new() -> Self {
        Injector(Deque::new())
    }

    pub(crate) fn push(&self, item: T) {
        self.0.0.lock().push_back(item);
    }

    pub(crate) fn steal(&self) -> Steal<T> {
        self.0.steal()
    }

    /// Takes half: what is on the way is in neither queue.
    pub(crate) fn steal_batch_and_pop(&self, own: &Worker<T>) -> Steal<T> {
        let first = self.0.steal();
        if let Steal::Success(_) = first {
            let half = self.0.0.lock().len() / 2;
            for _ in 0..half {
                let item = self.0.0.lock().pop_front();
                item.into_iter().for_each(|item| own.push(item));
            }
        }
        first
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

pub(crate) struct Worker<T>(Deque<T>);

impl<T> Worker<T> {
    pub(crate) fn new_fifo() -> Self {
        Worker(Deque::new())
    }

    pub(crate) fn push(&self, item: T) {
        self.0.0.lock().push_back(item);
    }

    pub(crate) fn pop(&self) -> Option<T> {
        self.0.0.lock().pop_front()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.0.lock().is_empty()
    }

    pub(crate) fn stealer(&self) -> Stealer<T> {
        Stealer(self.0.share())
    }
}

pub(crate) struct Stealer<T>(Deque<T>);

impl<T> Stealer<T> {
    pub(crate) fn steal(&self) -> Steal<T> {
        self.0.steal()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
