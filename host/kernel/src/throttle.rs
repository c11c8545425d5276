//! How fast a log may be written, by a process or by all below a budget: so many bytes a second, and a burst at once.
//!
//! Owns counting what is dropped beyond it. Once a line was dropped, all are until half of the burst is there again: so a
//! flood is told of in one line, and not between any two that pass.

use crate::Time;
use crate::limits::LogLimits;

/// What a line counts beside its bytes: what surrounds it where it is written.
const LINE: u64 = 64;

/// The state of one log.
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

    /// Takes room for a line of so many bytes, which is written. If there is none, the line is dropped, and counted.
    pub fn take(&mut self, bytes: usize, limits: &LogLimits, now: Time) -> bool {
        self.grow(limits, now);
        let cost = cost(bytes);
        let wanted = if self.dropped > 0 { cost.max(limits.burst / 2) } else { cost };
        let fits = self.room >= wanted;
        if fits {
            self.room -= cost;
        } else {
            self.drop_line();
        }
        fits
    }

    /// Gives the room of a line back that others above did not let pass.
    pub fn give(&mut self, bytes: usize, limits: &LogLimits) {
        self.room = self.room.saturating_add(cost(bytes)).min(limits.burst);
    }

    /// One line is dropped.
    pub fn drop_line(&mut self) {
        self.dropped += 1;
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

fn cost(bytes: usize) -> u64 {
    (bytes as u64).saturating_add(LINE)
}

#[cfg(test)]
mod tests {
    use super::*;
    const LIMITS: LogLimits = LogLimits { bytes_per_second: 1_000, burst: 1_000 };

    /// Whether a line is written; if so, how many were dropped before it.
    fn admit(log: &mut Throttle, bytes: usize, limits: &LogLimits, now: Time) -> Option<u64> {
        log.take(bytes, limits, now).then(|| log.take_dropped())
    }

    fn ms(ms: u64) -> Time {
        Time::from_millis(ms)
    }

    #[test]
    fn a_burst_passes_and_what_is_beyond_is_dropped_and_told_once() {
        let mut log = Throttle::new(&LIMITS, ms(0));
        let line = 500 - 64;
        for (now, expected) in [
            (0, Some(0)),
            (0, Some(0)),
            (0, None),
            (400, None),
            (499, None),
            (500, Some(3)),
            (999, None),
            (1_000, Some(1)),
            (9_000, Some(0)),
            (9_000, Some(0)),
            (9_000, None),
        ] {
            assert_eq!(admit(&mut log, line, &LIMITS, ms(now)), expected, "at {now} ms");
        }
        assert_eq!((log.take_dropped(), log.take_dropped()), (1, 0));
    }

    #[test]
    fn small_lines_wait_for_half_a_burst_too_and_none_is_free() {
        let mut log = Throttle::new(&LIMITS, ms(0));
        let passed = (0..100).filter(|_| admit(&mut log, 0, &LIMITS, ms(0)) == Some(0)).count();
        assert_eq!(passed, 1_000 / 64);
        // What was left over, and what half a burst lacks.
        let left = 1_000 % 64;
        assert_eq!(admit(&mut log, 0, &LIMITS, ms(500 - left - 1)), None);
        assert_eq!(admit(&mut log, 0, &LIMITS, ms(500 - left)), Some(86));
        assert_eq!(admit(&mut log, 0, &LIMITS, ms(500 - left)), Some(0));
    }

    #[test]
    fn asking_often_does_not_stop_it_from_filling() {
        let mut log = Throttle::new(&LIMITS, ms(0));
        assert_eq!(admit(&mut log, 1_000 - 64, &LIMITS, ms(0)), Some(0));
        for tenth in 1..5_000 {
            assert_eq!(admit(&mut log, 1, &LIMITS, Time::from_micros(tenth * 100)), None);
        }
        assert!(admit(&mut log, 1, &LIMITS, ms(500)) == Some(4_999));
    }

    #[test]
    fn a_line_larger_than_a_burst_never_passes_and_without_a_rate_nothing_comes_back() {
        let mut log = Throttle::new(&LIMITS, ms(0));
        assert_eq!(admit(&mut log, 1_000, &LIMITS, ms(0)), None);
        let none = LogLimits { bytes_per_second: 0, burst: 100 };
        let mut log = Throttle::new(&none, ms(0));
        assert_eq!(admit(&mut log, 1, &none, ms(0)), Some(0));
        assert_eq!(admit(&mut log, 1, &none, ms(1_000_000)), None);
    }
}
