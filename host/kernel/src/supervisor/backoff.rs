//! How long a supervisor waits before it restarts a child that does not stay up. Beyond OTP, and off unless asked for.
//!
//! Owns one child's row of failures. Never sets a timer: it says until when to wait. The first restart of a row is at once,
//! as in OTP; the second waits for [`Backoff::first`], and each after that twice as long, up to [`Backoff::most`]. A child
//! that was up for as long as the longest wait begins a new row.

use std::time::Duration;

use crate::Time;

/// The waits of a supervisor that restarts with back-off.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Backoff {
    /// Before the second restart in a row; above zero.
    pub first: Duration,
    /// The longest, and how long a child must be up for its row to be forgotten.
    pub most: Duration,
}

impl Backoff {
    /// Before the restart of this number in a row, counted from 0.
    fn wait(&self, number: u32) -> Duration {
        match number.checked_sub(1) {
            None => Duration::ZERO,
            // 2^32 doublings of a nanosecond are longer than any wait.
            Some(doublings) => self.first.saturating_mul(1 << doublings.min(31)).min(self.most),
        }
    }
}

/// One child's failures in a row.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Row {
    failures: u32,
    up_since: Option<Time>,
}

impl Row {
    /// The child is up.
    pub(super) fn up(&mut self, now: Time) {
        self.up_since = Some(now);
    }

    /// The child ended, or did not start. Until when its restart is to wait; none: it is due now.
    pub(super) fn failed(&mut self, now: Time, backoff: Backoff) -> Option<Time> {
        let up_for = self.up_since.take().map_or(Duration::ZERO, |since| now.saturating_sub(since));
        if up_for >= backoff.most {
            self.failures = 0;
        }
        let wait = backoff.wait(self.failures);
        self.failures = self.failures.saturating_add(1);
        (!wait.is_zero()).then(|| now.saturating_add(wait))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    const BACKOFF: Backoff = Backoff { first: ms(100), most: ms(1_000) };

    #[test]
    fn waits_double_up_to_the_longest() {
        let mut row = Row::default();
        let waits: Vec<_> = (0..8).map(|_| row.failed(ms(5), BACKOFF).map_or(0, |at| at.as_millis() - 5)).collect();
        assert_eq!(waits, [0, 100, 200, 400, 800, 1_000, 1_000, 1_000]);
        row.failures = u32::MAX;
        assert_eq!(row.failed(ms(0), BACKOFF), Some(ms(1_000)));
        assert_eq!(row.failures, u32::MAX);
    }

    #[test]
    fn a_child_that_stays_up_begins_a_new_row() {
        let after = |up_ms: u64| {
            let mut row = Row::default();
            let _ = row.failed(ms(0), BACKOFF);
            let _ = row.failed(ms(0), BACKOFF);
            row.up(ms(50));
            row.failed(ms(50 + up_ms), BACKOFF).map(|at| at - ms(50 + up_ms))
        };
        assert_eq!(after(999), Some(ms(200)));
        assert_eq!(after(1_000), None);
    }

    #[test]
    fn time_before_a_start_that_failed_does_not_count() {
        let mut row = Row::default();
        row.up(ms(0));
        assert_eq!(row.failed(ms(10), BACKOFF), None);
        assert_eq!(row.failed(ms(5_000), BACKOFF), Some(ms(5_100)));
    }
}
