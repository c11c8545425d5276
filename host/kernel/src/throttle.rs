//! How fast a process may write its log: so many bytes a second, and a burst at once.
//!
//! Owns counting what is dropped beyond it. Once a line was dropped, all are until half of the burst is there again: so a
//! flood is told of in one line, and not between any two that pass.

use crate::Time;
use crate::limits::LogLimits;

/// What a line counts beside its bytes: what surrounds it where it is written.
const LINE: u64 = 64;

/// What becomes of a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It is written. Before it, so many were dropped of which nothing was said yet.
    Passes {
        /// How many.
        dropped: u64,
    },
    /// It is dropped.
    Dropped,
}

/// The state of one process's log.
#[derive(Clone, Debug)]
pub struct Throttle {
    /// Bytes that may be written now.
    room: u64,
    /// Up to when the room has grown.
    grown: Time,
    dropped: u64,
}

impl Throttle {
    /// Room for a whole burst.
    #[must_use]
    pub fn new(limits: &LogLimits, now: Time) -> Self {
        Throttle { room: limits.burst, grown: now, dropped: 0 }
    }

    /// Whether a line of so many bytes is written.
    pub fn admit(&mut self, bytes: usize, limits: &LogLimits, now: Time) -> Verdict {
        self.grow(limits, now);
        let cost = (bytes as u64).saturating_add(LINE);
        let wanted = if self.dropped > 0 { cost.max(limits.burst / 2) } else { cost };
        if self.room < wanted {
            self.dropped += 1;
            return Verdict::Dropped;
        }
        self.room -= cost;
        Verdict::Passes { dropped: self.take_dropped() }
    }

    /// How many lines were dropped of which nothing was said yet.
    pub fn take_dropped(&mut self) -> u64 {
        std::mem::take(&mut self.dropped)
    }

    fn grow(&mut self, limits: &LogLimits, now: Time) {
        const SECOND: u128 = 1_000_000_000;
        let rate = u128::from(limits.bytes_per_second);
        if rate == 0 {
            return;
        }
        let gained = now.saturating_sub(self.grown).as_nanos() * rate / SECOND;
        // Of the time only as much as whole bytes took: what is left counts the next time.
        let taken = u64::try_from((gained * SECOND).div_ceil(rate)).unwrap_or(u64::MAX);
        self.grown += Time::from_nanos(taken);
        self.room = self.room.saturating_add(u64::try_from(gained).unwrap_or(u64::MAX)).min(limits.burst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Verdict::{Dropped, Passes};

    const LIMITS: LogLimits = LogLimits { bytes_per_second: 1_000, burst: 1_000 };

    fn ms(ms: u64) -> Time {
        Time::from_millis(ms)
    }

    #[test]
    fn a_burst_passes_and_what_is_beyond_is_dropped_and_told_once() {
        let mut log = Throttle::new(&LIMITS, ms(0));
        let line = 500 - 64;
        for (now, expected) in [
            (0, Passes { dropped: 0 }),
            (0, Passes { dropped: 0 }),
            (0, Dropped),
            (400, Dropped),
            (499, Dropped),
            (500, Passes { dropped: 3 }),
            (999, Dropped),
            (1_000, Passes { dropped: 1 }),
            (9_000, Passes { dropped: 0 }),
            (9_000, Passes { dropped: 0 }),
            (9_000, Dropped),
        ] {
            assert_eq!(log.admit(line, &LIMITS, ms(now)), expected, "at {now} ms");
        }
        assert_eq!((log.take_dropped(), log.take_dropped()), (1, 0));
    }

    #[test]
    fn small_lines_wait_for_half_a_burst_too_and_none_is_free() {
        let mut log = Throttle::new(&LIMITS, ms(0));
        let passed = (0..100).filter(|_| log.admit(0, &LIMITS, ms(0)) == Passes { dropped: 0 }).count();
        assert_eq!(passed, 1_000 / 64);
        // What was left over, and what half a burst lacks.
        let left = 1_000 % 64;
        assert_eq!(log.admit(0, &LIMITS, ms(500 - left - 1)), Dropped);
        assert_eq!(log.admit(0, &LIMITS, ms(500 - left)), Passes { dropped: 86 });
        assert_eq!(log.admit(0, &LIMITS, ms(500 - left)), Passes { dropped: 0 });
    }

    #[test]
    fn asking_often_does_not_stop_it_from_filling() {
        let mut log = Throttle::new(&LIMITS, ms(0));
        assert_eq!(log.admit(1_000 - 64, &LIMITS, ms(0)), Passes { dropped: 0 });
        for tenth in 1..5_000 {
            assert_eq!(log.admit(1, &LIMITS, Time::from_micros(tenth * 100)), Dropped);
        }
        assert!(matches!(log.admit(1, &LIMITS, ms(500)), Passes { dropped: 4_999 }));
    }

    #[test]
    fn a_line_larger_than_a_burst_never_passes_and_without_a_rate_nothing_comes_back() {
        let mut log = Throttle::new(&LIMITS, ms(0));
        assert_eq!(log.admit(1_000, &LIMITS, ms(0)), Dropped);
        let none = LogLimits { bytes_per_second: 0, burst: 100 };
        let mut log = Throttle::new(&none, ms(0));
        assert_eq!(log.admit(1, &none, ms(0)), Passes { dropped: 0 });
        assert_eq!(log.admit(1, &none, ms(1_000_000)), Dropped);
    }
}
