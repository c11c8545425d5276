//! What a process has of the outside that outlives its instances: what it has written, its time, its random
//! streams, what names stand for.
//!
//! Owns the counts. One for each process that uses WASI or logs, made when it first does.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use parking_lot::{Mutex, MutexGuard};
use skep_kernel::budget::{Budget, Turn};
use skep_kernel::throttle::Throttle;
use skep_kernel::{LogLimits, Name, Time};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime_wasi::runtime::{AbortOnDropJoinHandle, spawn_blocking};

use super::wasi::{Pins, Streams};

/// Operations of one process on files, and look-ups of names, that block a thread at the same moment.
const BLOCKING: usize = 4;

/// What outlives an instance.
pub struct Ledger {
    start: Instant,
    streams: OnceLock<Streams>,
    written: AtomicU64,
    pins: Mutex<Pins>,
    blocking: Arc<Semaphore>,
    log: Mutex<Log>,
    /// What it shares with others.
    budget: Option<Arc<Budget>>,
}

/// How it logs.
#[derive(Default)]
struct Log {
    throttle: Option<Throttle>,
    /// Whose budget the last line was too much for that was dropped, if it was not too much for the process's own bound.
    full: Option<Name>,
}

/// Lines of which nothing was said yet that they were dropped.
#[derive(Default)]
pub(crate) struct Dropped {
    pub(crate) lines: u64,
    /// Whose budget they were too much for; none if they were too much for the process's own bound.
    pub(crate) whose: Option<Name>,
}

/// May go on that blocks a thread, for as long as this is held.
pub(super) struct Permit {
    _process: OwnedSemaphorePermit,
    _budgets: Option<Turn>,
}

impl Default for Ledger {
    fn default() -> Self {
        Ledger::new(None)
    }
}

impl Ledger {
    /// Of a process in this budget.
    pub(crate) fn new(budget: Option<Arc<Budget>>) -> Self {
        Ledger {
            start: Instant::now(),
            streams: OnceLock::new(),
            written: AtomicU64::new(0),
            pins: Mutex::default(),
            blocking: Arc::new(Semaphore::new(BLOCKING)),
            log: Mutex::default(),
            budget,
        }
    }

    /// When the process first saw a clock.
    pub(super) fn start(&self) -> Instant {
        self.start
    }

    /// Its random numbers. The seed of a process stays the same.
    pub(super) fn streams(&self, seed: u64) -> &Streams {
        self.streams.get_or_init(|| Streams::new(seed))
    }

    /// Counts bytes before they are written to a file; an error like that of a full disk if they are too many.
    pub(super) fn write(&self, bytes: u64, limit: u64) -> io::Result<()> {
        let more = |written: u64| written.checked_add(bytes).filter(|sum| *sum <= limit);
        match self.written.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more) {
            Ok(_) => Ok(()),
            Err(_) => Err(rustix::io::Errno::NOSPC.into()),
        }
    }

    /// What the names stand for that it has asked for.
    pub(super) fn pins(&self) -> MutexGuard<'_, Pins> {
        self.pins.lock()
    }

    /// Waits until something may begin that blocks a thread: few enough of this process do, and of all budgets above it.
    pub(super) async fn permit(&self) -> Permit {
        let process = Arc::clone(&self.blocking).acquire_owned().await.expect("it is never closed");
        let mut turn = self.budget.clone().map(Turn::new);
        if let Some(turn) = &mut turn {
            turn.await;
        }
        Permit { _process: process, _budgets: turn }
    }

    /// Does something on a thread for blocking work, as soon as it may. It counts until it is over, even if nobody waits for
    /// it any more.
    pub(super) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> AbortOnDropJoinHandle<T> {
        let permit = self.permit().await;
        spawn_blocking(move || {
            let _permit = permit;
            work()
        })
    }

    /// Whether a line of the log is written; if so, what was dropped before it.
    pub(crate) fn admit(&self, bytes: usize, limits: &LogLimits, now: Time) -> Option<Dropped> {
        let mut log = self.log.lock();
        let throttle = log.throttle.get_or_insert_with(|| Throttle::new(limits, now));
        if !throttle.take(bytes, limits, now) {
            log.full = None;
            return None;
        }
        if let Some(Err(full)) = self.budget.as_ref().map(|budget| budget.write_log(bytes, now)) {
            throttle.give(bytes, limits);
            throttle.drop_line();
            log.full = Some(full.whose);
            return None;
        }
        Some(log.take_dropped())
    }

    /// What was dropped of which nothing was said yet.
    pub(crate) fn take_dropped(&self) -> Dropped {
        self.log.lock().take_dropped()
    }
}

impl Log {
    fn take_dropped(&mut self) -> Dropped {
        let lines = self.throttle.as_mut().map_or(0, Throttle::take_dropped);
        Dropped { lines, whose: self.full.take() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_adds_up_to_the_limit_exactly() {
        let ledger = Ledger::default();
        assert!(ledger.write(60, 100).is_ok());
        assert!(ledger.write(41, 100).is_err());
        assert!(ledger.write(40, 100).is_ok(), "what was refused does not count");
        assert!(ledger.write(0, 100).is_ok());
        assert!(ledger.write(u64::MAX, u64::MAX).is_err());
    }
}
