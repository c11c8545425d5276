//! How long a request may take, and how much it may carry, whatever the guest and the server want.
//!
//! Owns the defaults. Held by `send` and by `body`.

use std::time::Duration;

/// Bounds of each request of a guest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RequestBounds {
    /// How long it may take to look up, connect and speak TLS.
    pub connect: Duration,
    /// How long a server may take for the head of an answer, and for each part of its body.
    pub silence: Duration,
    /// Bytes of a body, of a request or of an answer: what passes through is held by neither side for long.
    pub body: u64,
}

impl Default for RequestBounds {
    fn default() -> Self {
        RequestBounds { connect: Duration::from_secs(30), silence: Duration::from_secs(300), body: 1 << 30 }
    }
}

/// How long something is waited for: as long as the guest asks, if it does, and no longer than it may.
pub(super) fn patience(asked: Option<Duration>, most: Duration) -> Duration {
    asked.map_or(most, |asked| asked.min(most))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_waits_as_long_as_it_asks_and_no_longer_than_it_may() {
        let [short, most, long] = [1, 2, 3].map(Duration::from_secs);
        for (asked, waits) in [(None, most), (Some(short), short), (Some(most), most), (Some(long), most)] {
            assert_eq!(patience(asked, most), waits, "{asked:?}");
        }
    }

    #[test]
    fn requests_are_bounded_as_is_promised_if_nobody_says_otherwise() {
        let [half_a_minute, five_minutes] = [30, 5 * 60].map(Duration::from_secs);
        let promised = RequestBounds { connect: half_a_minute, silence: five_minutes, body: 1 << 30 };
        assert_eq!(RequestBounds::default(), promised);
    }
}
