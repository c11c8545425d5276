//! The clock: monotonic time since the start, and a thread that delivers what is due.
//!
//! Deadlines are spread over shards by process, so that processes on different cores seldom meet. The thread sleeps until
//! the earliest of them; whoever sets an earlier one wakes it.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use skep_kernel::timer_queue::{TimerKey, TimerQueue};
use skep_kernel::{Mark, Pid, Signal, Time};

use super::Shell;
use super::spread::Spread;
use super::throttle::Throttle;

const SHARDS: u64 = 16;

/// Time, and what is due when.
pub(crate) struct Clock {
    start: Instant,
    shards: Vec<Mutex<Shard>>,
    /// Until when the thread means to sleep, in nanoseconds since the start.
    sleeps_until: AtomicU64,
    sleep: Mutex<()>,
    alarm: Condvar,
    closed: AtomicBool,
}

thread_local! {
    /// The time of the turn that this thread gives: reading the clock takes as long as a lock, and a turn is short.
    static TURN: Cell<Turn> = const { Cell::new(Turn::None) };
}

/// What a thread knows of the time of its turn.
#[derive(Clone, Copy)]
enum Turn {
    /// It gives none.
    None,
    /// Nobody has asked yet.
    Begun,
    /// When somebody asked first.
    At(Time),
}

#[derive(Default)]
struct Shard {
    queue: TimerQueue<(Pid, Mark)>,
    /// By process and mark, which the host draws at random.
    keys: HashMap<(u64, Mark), TimerKey, Spread>,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Clock {
            start: Instant::now(),
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            sleeps_until: AtomicU64::new(0),
            sleep: Mutex::new(()),
            alarm: Condvar::new(),
            closed: AtomicBool::new(false),
        }
    }

    pub(crate) fn now(&self) -> Time {
        self.start.elapsed()
    }

    /// This thread gives a turn. The next one begins anew.
    pub(super) fn begin_turn() {
        TURN.set(Turn::Begun);
    }

    /// The time of this turn, which may be past by as much as the turn has lasted: good enough to say when a process was
    /// active, and for nothing that must not come early.
    pub(super) fn of_turn(&self) -> Time {
        match TURN.get() {
            Turn::At(time) => time,
            Turn::None => self.now(),
            Turn::Begun => {
                let now = self.now();
                TURN.set(Turn::At(now));
                now
            }
        }
    }

    fn shard(&self, pid: Pid) -> &Mutex<Shard> {
        &self.shards[usize::try_from(pid.id % SHARDS).unwrap_or_default()]
    }

    pub(crate) fn set(&self, pid: Pid, mark: Mark, at: Time) {
        {
            let mut shard = self.shard(pid).lock();
            let key = shard.queue.insert(at, (pid, mark));
            shard.keys.insert((pid.id, mark), key);
        }
        self.nudge(at);
    }

    /// Somebody wants to be looked at by then.
    pub(super) fn nudge(&self, at: Time) {
        if nanos(at) < self.sleeps_until.load(Ordering::SeqCst) {
            let _sleep = self.sleep.lock();
            self.alarm.notify_one();
        }
    }

    pub(crate) fn cancel(&self, pid: Pid, mark: Mark) {
        let mut shard = self.shard(pid).lock();
        if let Some(key) = shard.keys.remove(&(pid.id, mark)) {
            shard.queue.remove(key);
        }
    }

    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        let _sleep = self.sleep.lock();
        self.alarm.notify_one();
    }

    fn pop_due(&self, now: Time) -> Option<(Pid, Mark)> {
        self.shards.iter().find_map(|shard| {
            let mut shard = shard.lock();
            let (pid, mark) = shard.queue.pop_due(now)?;
            shard.keys.remove(&(pid.id, mark));
            Some((pid, mark))
        })
    }

    fn next_at(&self) -> Option<Time> {
        self.shards.iter().filter_map(|shard| shard.lock().queue.next_at()).min()
    }

    /// Sleeps until something is due here or for those who wait for fuel, or an earlier deadline was set.
    fn sleep(&self, throttle: &Throttle) {
        let mut sleep = self.sleep.lock();
        // First say that everything wakes, then look: a deadline set in between is seen by one of the two.
        self.sleeps_until.store(u64::MAX, Ordering::SeqCst);
        let until = self.next_at().into_iter().chain(throttle.next_at()).min();
        self.sleeps_until.store(until.map_or(u64::MAX, nanos), Ordering::SeqCst);
        if self.closed.load(Ordering::SeqCst) {
            return;
        }
        match until.map(|at| at.saturating_sub(self.now())) {
            Some(Duration::ZERO) => {}
            Some(left) => {
                self.alarm.wait_for(&mut sleep, left);
            }
            None => self.alarm.wait(&mut sleep),
        }
    }
}

pub(super) fn nanos(at: Time) -> u64 {
    u64::try_from(at.as_nanos()).unwrap_or(u64::MAX)
}

/// Starts the thread. It holds no process and no shell while it sleeps beyond what `close` ends.
pub(super) fn start(shell: &Arc<Shell>) -> std::io::Result<()> {
    let shell = Arc::clone(shell);
    std::thread::Builder::new().name("skep-clock".into()).spawn(move || {
        let clock = &shell.clock;
        while !clock.closed.load(Ordering::SeqCst) {
            while let Some((pid, mark)) = clock.pop_due(clock.now()) {
                // A process that has ended needs no timer.
                let _ = shell.deliver(pid, Signal::TimeUp { mark });
            }
            shell.release_throttled(clock.now());
            clock.sleep(&shell.throttle);
        }
    })?;
    Ok(())
}
