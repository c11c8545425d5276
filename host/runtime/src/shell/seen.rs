//! What is seen of all processes: counted by each worker for itself, and told to whoever wants to know.
//!
//! Owns the counters, one set for each worker and one for all other threads, each set in cache lines of its own: nothing
//! here is written by two workers, and what a worker counts costs it a load and a store. Never formats, never adds up
//! before it is asked.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use skep_kernel::ExitReason;

use super::Cell;
use super::telemetry::Hub;
use crate::metrics::{BUCKETS, Eviction, Evictions, Histogram, TIMED_EVERY};
use crate::telemetry::{Event, Kind};

/// All that is seen.
pub(crate) struct Seen {
    /// Who wants to know of it.
    pub(crate) hub: Arc<Hub>,
    /// Of threads that are no workers, which share it.
    others: Shard,
    workers: Box<[Shard]>,
}

/// What one worker counts. Two cache lines at once is what some processors fetch.
#[repr(align(128))]
#[derive(Default)]
pub(super) struct Shard {
    spawns: Count,
    exits: Count,
    hits: Count,
    wakes: Count,
    idle: Count,
    room: Count,
    budget: Count,
    fuel: Count,
    handled: Count,
    wake_times: Times,
    handle_times: Times,
}

#[derive(Default)]
struct Count(AtomicU64);

#[derive(Default)]
struct Times {
    counts: [Count; BUCKETS + 1],
    sum_ns: Count,
}

/// Since when something goes on.
#[derive(Clone, Copy)]
pub(super) struct Since {
    at: Instant,
    /// Whether it is one of those that are timed, or only somebody wants to know.
    counts: bool,
}

/// What the sums were.
pub(crate) struct Sums {
    pub(crate) spawns: u64,
    pub(crate) exits: u64,
    pub(crate) hits: u64,
    pub(crate) wakes: u64,
    pub(crate) evictions: Evictions,
    pub(crate) fuel: u64,
    pub(crate) wake_times: Histogram,
    pub(crate) handle_times: Histogram,
}

thread_local! {
    /// What the worker that this thread is counts in, if it is one.
    static HERE: RefCell<Option<(Arc<Seen>, usize)>> = const { RefCell::new(None) };
}

impl Count {
    /// Only its own worker writes it, so that nothing can come between the load and the store.
    fn add(&self, more: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(more), Ordering::Relaxed);
    }

    /// Whoever shares it.
    fn add_shared(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Times {
    fn add(&self, time: Duration) {
        self.counts[Histogram::bucket(time)].add(1);
        self.sum_ns.add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }
}

impl Seen {
    /// For so many workers.
    pub(super) fn new(workers: usize) -> Arc<Self> {
        let workers = (0..workers).map(|_| Shard::default()).collect();
        Arc::new(Seen { hub: Arc::default(), others: Shard::default(), workers })
    }

    /// From now on this thread is the worker of this number. No two are.
    pub(super) fn work(self: &Arc<Self>, number: usize) {
        HERE.with(|here| here.replace(Some((Arc::clone(self), number))));
    }

    /// A process was born, on whatever thread.
    pub(super) fn spawned(&self, cell: &Cell) {
        self.count(|shard| &shard.spawns);
        self.hub.tell(Kind::Spawn, || {
            let parent = cell.process.lock().parent().unwrap_or(cell.pid);
            Event::Spawn { subject: cell.subject(), parent }
        });
    }

    /// A process has ended, on whatever thread.
    pub(super) fn exited(&self, cell: &Cell, reason: &ExitReason, lived: Duration) {
        self.count(|shard| &shard.exits);
        self.hub.tell(Kind::Exit, || Event::Exit { subject: cell.subject(), reason: reason.clone(), lived });
    }

    fn count(&self, which: impl Fn(&Shard) -> &Count) {
        let counted = here(|seen, shard| {
            // A worker of another runtime may have called its way into this one.
            let mine = std::ptr::eq(seen, self);
            if mine {
                which(shard).add(1);
            }
            mine
        });
        if counted != Some(true) {
            which(&self.others).add_shared(1);
        }
    }

    /// The sums at this moment, more or less.
    pub(crate) fn sums(&self) -> Sums {
        let shards = || self.workers.iter().chain([&self.others]);
        let sum = |which: fn(&Shard) -> &Count| shards().map(|shard| which(shard).get()).sum();
        let times = |which: fn(&Shard) -> &Times| {
            let mut all = Histogram::default();
            for times in shards().map(which) {
                all.counts.iter_mut().zip(&times.counts).for_each(|(all, count)| *all += count.get());
                all.sum_ns += times.sum_ns.get();
            }
            all
        };
        Sums {
            spawns: sum(|shard| &shard.spawns),
            exits: sum(|shard| &shard.exits),
            hits: sum(|shard| &shard.hits),
            wakes: sum(|shard| &shard.wakes),
            evictions: Evictions {
                idle: sum(|shard| &shard.idle),
                room: sum(|shard| &shard.room),
                budget: sum(|shard| &shard.budget),
            },
            fuel: sum(|shard| &shard.fuel),
            wake_times: times(|shard| &shard.wake_times),
            handle_times: times(|shard| &shard.handle_times),
        }
    }
}

/// What the worker that this thread is counts in; nothing happens on another thread. No lock, and no count of references
/// that workers share.
fn here<T>(count: impl FnOnce(&Seen, &Shard) -> T) -> Option<T> {
    HERE.with(|here| here.borrow().as_ref().map(|(seen, number)| count(seen, &seen.workers[*number])))
}

/// A process begins to wake: since when, if this one is timed.
pub(super) fn wakes() -> Option<Since> {
    here(|seen, shard| {
        let counts = shard.wakes.get().is_multiple_of(TIMED_EVERY);
        (counts || seen.hub.wants(Kind::Wake)).then(|| Since { at: Instant::now(), counts })
    })?
}

/// It has its instance again.
pub(super) fn woke(cell: &Cell, since: Option<Since>) {
    here(|seen, shard| {
        shard.wakes.add(1);
        let Some(Since { at, counts }) = since else { return };
        let took = at.elapsed();
        if counts {
            shard.wake_times.add(took);
        }
        seen.hub.tell(Kind::Wake, || Event::Wake { subject: cell.subject(), took });
    });
}

/// A process begins with an event, and had its instance already or not. Whether this one is timed.
pub(super) fn begins(had_instance: bool) -> bool {
    let is_timed = here(|_, shard| {
        shard.hits.add(u64::from(had_instance));
        let handled = shard.handled.get();
        shard.handled.add(1);
        handled.is_multiple_of(TIMED_EVERY)
    });
    is_timed == Some(true)
}

/// It has handled an event that was timed, or failed to.
pub(super) fn handled(took: Duration) {
    here(|_, shard| shard.handle_times.add(took));
}

/// A process has given its instance back, with so many bytes of state. Nobody holds its lock.
pub(super) fn gave_back(cell: &Cell, why: Eviction, state_bytes: usize) {
    here(|seen, shard| {
        match why {
            Eviction::Idle => &shard.idle,
            Eviction::Room => &shard.room,
            Eviction::Budget => &shard.budget,
        }
        .add(1);
        seen.hub.tell(Kind::Hibernate, || Event::Hibernate { subject: cell.subject(), why, state_bytes });
    });
}

/// Guests have used so much fuel.
pub(super) fn burnt(fuel: u64) {
    here(|_, shard| shard.fuel.add(fuel));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thread_counts_for_itself_and_sums_have_all() {
        let seen = Seen::new(2);
        std::thread::scope(|scope| {
            for number in 0..2 {
                let seen = &seen;
                scope.spawn(move || {
                    seen.work(number);
                    for _ in 0..1_000 {
                        seen.count(|shard| &shard.spawns);
                        if begins(number == 0) {
                            handled(Duration::from_nanos(1));
                        }
                    }
                    burnt(5);
                });
                scope.spawn(move || (0..1_000).for_each(|_| seen.count(|shard| &shard.spawns)));
            }
        });
        let sums = seen.sums();
        assert_eq!((sums.spawns, sums.exits, sums.hits, sums.fuel), (4_000, 0, 1_000, 10));
        // Of a thousand the first, and each sixteenth from there.
        assert_eq!(sums.handle_times.count(), 2 * 63);
    }

    #[test]
    fn who_is_no_worker_here_is_counted_among_the_others() {
        let (one, other) = (Seen::new(1), Seen::new(1));
        one.work(0);
        other.count(|shard| &shard.exits);
        one.count(|shard| &shard.exits);
        assert_eq!((one.sums().exits, other.sums().exits), (1, 1));
        assert_eq!((other.others.exits.get(), one.others.exits.get()), (1, 0));
        HERE.with(|here| here.replace(None));
        assert!(wakes().is_none() && !begins(true));
    }
}
