//! What the processes of an app had done that have ended, and how often its supervisors have restarted one.

use std::sync::atomic::{AtomicU64, Ordering};

use skep_kernel::Process;

/// The sums.
#[derive(Default)]
pub(crate) struct Tally {
    messages_in: AtomicU64,
    messages_out: AtomicU64,
    dropped: AtomicU64,
    restarts: AtomicU64,
}

/// The sums at one moment.
pub(crate) struct Sums {
    pub(crate) messages_in: u64,
    pub(crate) messages_out: u64,
    pub(crate) dropped: u64,
    pub(crate) restarts: u64,
}

impl Tally {
    /// A process has ended.
    pub(super) fn add(&self, process: &Process) {
        let done = process.statistics();
        self.messages_in.fetch_add(done.messages_in, Ordering::Relaxed);
        self.messages_out.fetch_add(done.messages_out, Ordering::Relaxed);
        self.dropped.fetch_add(process.mailbox().dropped(), Ordering::Relaxed);
    }

    /// A child was started anew.
    pub(super) fn restarted(&self) {
        self.restarts.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> Sums {
        let now = |sum: &AtomicU64| sum.load(Ordering::Relaxed);
        Sums {
            messages_in: now(&self.messages_in),
            messages_out: now(&self.messages_out),
            dropped: now(&self.dropped),
            restarts: now(&self.restarts),
        }
    }
}
