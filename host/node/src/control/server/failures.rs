//! How often somebody may show a wrong token.
//!
//! Owns the counting, by address and in all; time is an argument. Decides nothing about a token that is right.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

/// Wrong tokens from one address within a minute; then none of its tokens is looked at until the minute is over.
pub(super) const FAILURES: usize = 10;
/// Failures that are written down within a minute, from wherever they come.
const WRITTEN: usize = 60;
/// For how long failures are counted.
pub(super) const WINDOW: Duration = Duration::from_secs(60);
/// Addresses that are remembered. Whoever has more of them is not slowed down, and still has 256 bits to guess.
const ADDRESSES: usize = 1_000;

/// What happened within a minute.
#[derive(Debug)]
struct Count {
    since: Instant,
    times: usize,
}

/// Who failed, and how often.
#[derive(Debug, Default)]
pub(super) struct Failures {
    by: HashMap<IpAddr, Count>,
    written: Option<Count>,
}

impl Count {
    fn is_over(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) >= WINDOW
    }
}

impl Failures {
    /// Whether a token from there is looked at.
    pub(super) fn may_try(&self, address: IpAddr, now: Instant) -> bool {
        self.by.get(&network(address)).is_none_or(|count| count.is_over(now) || count.times < FAILURES)
    }

    /// A token from there was wrong.
    pub(super) fn failed(&mut self, address: IpAddr, now: Instant) {
        let network = network(address);
        self.by.retain(|_, count| !count.is_over(now));
        if self.by.len() >= ADDRESSES && !self.by.contains_key(&network) {
            let oldest = self.by.iter().min_by_key(|(_, count)| count.since).map(|(address, _)| *address);
            oldest.map(|address| self.by.remove(&address));
        }
        self.by.entry(network).or_insert(Count { since: now, times: 0 }).times += 1;
    }

    /// Whether one more failure is written down; it is, then.
    pub(super) fn may_write(&mut self, now: Instant) -> bool {
        let written = self.written.take().filter(|count| !count.is_over(now));
        let count = self.written.insert(written.unwrap_or(Count { since: now, times: 0 }));
        count.times += 1;
        count.times <= WRITTEN
    }
}

/// Of IPv6, whoever has an address has the 2^64 beside it.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("it is an address")
    }

    #[test]
    fn after_ten_failures_an_address_waits_for_the_minute_to_end_and_no_other_does() {
        let (mut failures, start) = (Failures::default(), Instant::now());
        let (guesser, other) = (address("10.0.0.1"), address("10.0.0.2"));
        for failure in 0..FAILURES {
            assert!(failures.may_try(guesser, start), "{failure}");
            failures.failed(guesser, start + Duration::from_secs(1));
        }
        let end = start + Duration::from_secs(1) + WINDOW;
        assert!(!failures.may_try(guesser, start + Duration::from_secs(1)));
        assert!(!failures.may_try(guesser, end - Duration::from_nanos(1)));
        assert!(!failures.may_try(address("::ffff:10.0.0.1"), end - Duration::from_nanos(1)));
        assert!(failures.may_try(other, start));
        assert!(failures.may_try(guesser, end));
    }

    #[test]
    fn neighbours_in_ipv6_are_one() {
        let (mut failures, start) = (Failures::default(), Instant::now());
        for last in 0..FAILURES {
            failures.failed(address(&format!("2001:db8:1:2::{last:x}")), start);
        }
        assert!(!failures.may_try(address("2001:db8:1:2:ffff::1"), start));
        assert!(failures.may_try(address("2001:db8:1:3::1"), start));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (mut failures, start) = (Failures::default(), Instant::now());
        for number in (0..2_u32).flat_map(|high| (0..1_000).map(move |low| high << 16 | low)) {
            failures.failed(IpAddr::V4(number.into()), start + Duration::from_millis(number.into()));
        }
        assert_eq!(failures.by.len(), ADDRESSES);
        let written = (0..2 * WRITTEN).filter(|_| failures.may_write(start)).count();
        assert_eq!(written, WRITTEN);
        assert!(failures.may_write(start + WINDOW));
    }
}
