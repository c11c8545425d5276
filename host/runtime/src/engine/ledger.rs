//! What a process has of the outside that outlives its instances: what it has written, its time, its random
//! streams, what names stand for.
//!
//! Owns the counts. One for each process that uses WASI or logs, made when it first does.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use parking_lot::{Mutex, MutexGuard};
use skep_kernel::throttle::{Throttle, Verdict};
use skep_kernel::{LogLimits, Time};
use tokio::sync::Semaphore;
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
    log: Mutex<Option<Throttle>>,
}

impl Default for Ledger {
    fn default() -> Self {
        Ledger {
            start: Instant::now(),
            streams: OnceLock::new(),
            written: AtomicU64::new(0),
            pins: Mutex::default(),
            blocking: Arc::new(Semaphore::new(BLOCKING)),
            log: Mutex::new(None),
        }
    }
}

impl Ledger {
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

    /// Does something on a thread for blocking work, as soon as few enough of this process do. It counts until it is over,
    /// even if nobody waits for it any more.
    pub(super) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> AbortOnDropJoinHandle<T> {
        let permit = Arc::clone(&self.blocking).acquire_owned().await.expect("it is never closed");
        spawn_blocking(move || {
            let _permit = permit;
            work()
        })
    }

    /// Whether a line of the log is written.
    pub(crate) fn admit(&self, bytes: usize, limits: &LogLimits, now: Time) -> Verdict {
        self.log.lock().get_or_insert_with(|| Throttle::new(limits, now)).admit(bytes, limits, now)
    }

    /// How many lines were dropped of which nothing was said yet.
    pub(crate) fn take_dropped(&self) -> u64 {
        self.log.lock().as_mut().map_or(0, Throttle::take_dropped)
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
