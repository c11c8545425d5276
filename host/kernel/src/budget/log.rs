//! How fast the logs of all processes below a budget are written, and how much they have written.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::{Budget, Exceeded};
use crate::throttle::Throttle;
use crate::{LogLimits, Time};

/// The log of one budget.
#[derive(Default)]
pub(super) struct Log {
    /// Whether there is a bound, to be looked at without the lock.
    is_bounded: AtomicBool,
    state: Mutex<Option<(LogLimits, Throttle)>>,
    written: AtomicU64,
}

impl Log {
    /// Gives it another bound. What flowed in stays, if there was one.
    pub(super) fn set(&self, limits: Option<&LogLimits>, now: Time) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        *state = limits.map(|limits| match state.take() {
            Some((_, throttle)) => (limits.clone(), throttle),
            None => (limits.clone(), Throttle::new(limits, now)),
        });
        self.is_bounded.store(state.is_some(), Ordering::SeqCst);
    }

    /// What `look` sees of the throttle, if there is one.
    fn with<T>(&self, look: impl FnOnce(&LogLimits, &mut Throttle) -> T) -> Option<T> {
        if !self.is_bounded.load(Ordering::Relaxed) {
            return None;
        }
        // A throttle is sound between any two of its steps.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.as_mut().map(|(limits, throttle)| look(limits, throttle))
    }

    pub(super) fn limits(&self) -> Option<LogLimits> {
        self.with(|limits, _| limits.clone())
    }

    fn take(&self, bytes: usize, now: Time) -> bool {
        self.with(|limits, throttle| throttle.take(bytes, limits, now)).unwrap_or(true)
    }

    fn give(&self, bytes: usize) {
        self.with(|limits, throttle| throttle.give(bytes, limits));
    }

    /// A line was written: whatever was dropped before is told of by those who lost it.
    fn count(&self, bytes: usize) {
        self.with(|_, throttle| throttle.take_dropped());
        self.written.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

impl Budget {
    /// A line of so many bytes is to be written. It passes all budgets from here up, or is dropped and counts in none.
    pub fn write_log(&self, bytes: usize, now: Time) -> Result<(), Exceeded> {
        if let Some(full) = self.chain().find(|budget| !budget.log.take(bytes, now)) {
            self.chain().take_while(|budget| !std::ptr::eq(*budget, full)).for_each(|budget| budget.log.give(bytes));
            return Err(Exceeded { what: "log_bytes", whose: full.whose.clone() });
        }
        self.chain().for_each(|budget| budget.log.count(bytes));
        Ok(())
    }

    /// Bytes of the lines that its processes have logged so far.
    #[must_use]
    pub fn logged_bytes(&self) -> u64 {
        self.log.written.load(Ordering::Relaxed)
    }
}
