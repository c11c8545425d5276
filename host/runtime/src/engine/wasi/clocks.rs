//! The clocks of a guest: exact, coarse, or standing still.

use std::time::{Duration, Instant};

use wasmtime_wasi::{HostMonotonicClock, HostWallClock};

use crate::spec::Clocks;

/// What coarse clocks are rounded down to.
const STEP: Duration = Duration::from_millis(1);
/// What a clock that stands still shows: 2000-01-01T00:00:00Z.
const STANDSTILL: Duration = Duration::from_secs(946_684_800);

/// Both clocks of WASI.
pub(super) struct Clock {
    pub(super) exactness: Clocks,
    /// The process's start, at which the monotonic clock begins: how long the host has been up is nobody's business.
    pub(super) start: Instant,
}

impl Clock {
    fn seen(&self, exact: Duration, standstill: Duration) -> Duration {
        match self.exactness {
            Clocks::Real => exact,
            Clocks::Coarse => Duration::from_millis(u64::try_from(exact.as_millis()).unwrap_or(u64::MAX)),
            Clocks::Frozen => standstill,
        }
    }

    fn step(&self) -> Duration {
        match self.exactness {
            Clocks::Real => Duration::from_nanos(1),
            Clocks::Coarse => STEP,
            Clocks::Frozen => Duration::from_secs(1),
        }
    }
}

impl HostWallClock for Clock {
    fn resolution(&self) -> Duration {
        self.step()
    }

    fn now(&self) -> Duration {
        // A host whose clock is before 1970 shows 1970.
        let exact = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        self.seen(exact, STANDSTILL)
    }
}

impl HostMonotonicClock for Clock {
    fn resolution(&self) -> u64 {
        nanoseconds(self.step())
    }

    fn now(&self) -> u64 {
        nanoseconds(self.seen(self.start.elapsed(), Duration::ZERO))
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(exactness: Clocks, age: Duration) -> Clock {
        Clock { exactness, start: Instant::now().checked_sub(age).expect("the host is up for longer") }
    }

    #[test]
    fn coarse_clocks_show_whole_milliseconds() {
        let clock = clock(Clocks::Coarse, Duration::from_micros(1_500));
        assert_eq!(HostMonotonicClock::now(&clock) % 1_000_000, 0);
        assert!(HostMonotonicClock::now(&clock) >= 1_000_000);
        assert_eq!(HostWallClock::now(&clock).subsec_nanos() % 1_000_000, 0);
        assert_eq!((HostMonotonicClock::resolution(&clock), HostWallClock::resolution(&clock)), (1_000_000, STEP));
    }

    #[test]
    fn frozen_clocks_show_the_same_to_everybody() {
        for age in [Duration::ZERO, Duration::from_millis(5)] {
            let clock = clock(Clocks::Frozen, age);
            assert_eq!((HostMonotonicClock::now(&clock), HostWallClock::now(&clock)), (0, STANDSTILL));
        }
    }

    #[test]
    fn real_clocks_go_on_from_the_start_of_the_process() {
        let clock = clock(Clocks::Real, Duration::from_nanos(1_000_001));
        assert!(HostMonotonicClock::now(&clock) >= 1_000_001);
        let seen = HostWallClock::now(&clock);
        assert!(
            seen.abs_diff(std::time::SystemTime::UNIX_EPOCH.elapsed().expect("after 1970")) < Duration::from_secs(60)
        );
    }
}
