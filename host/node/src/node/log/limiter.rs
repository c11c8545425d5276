//! How much may enter the log within a second, so that a storm fills neither the memory nor a disk.
//!
//! Owns the counts. Never looks at a clock: time is an argument.

use std::collections::HashMap;

/// Entries of one process name in a second: a person cannot read more, and the others must be heard.
const LINES_PER_SOURCE: u32 = 200;
/// Entries of all in a second.
const LINES: u32 = 1_000;
/// Bytes of all in a second: a day-long storm stays below 25 GB, and an hour of it is 1 GB.
const BYTES: usize = 256 << 10;

/// Counts what was admitted in this second, and what was not.
#[derive(Debug, Default)]
pub(super) struct Limiter {
    second: u64,
    lines: u32,
    bytes: usize,
    /// Has at most [`LINES`] entries.
    sources: HashMap<String, u32>,
    suppressed: u64,
}

impl Limiter {
    /// Goes on to this second; how many were suppressed in the one before, if any were.
    pub(super) fn advance(&mut self, second: u64) -> Option<u64> {
        if second == self.second {
            return None;
        }
        let suppressed = std::mem::take(self).suppressed;
        self.second = second;
        (suppressed > 0).then_some(suppressed)
    }

    /// Whether an entry of so many bytes is within the bounds; if not, it is counted.
    pub(super) fn admits(&mut self, source: &str, bytes: usize) -> bool {
        let room = self.lines < LINES
            && self.bytes + bytes <= BYTES
            && self.sources.get(source).is_none_or(|lines| *lines < LINES_PER_SOURCE);
        if room {
            self.lines += 1;
            self.bytes += bytes;
            *self.sources.entry(source.to_owned()).or_default() += 1;
        } else {
            self.suppressed += 1;
        }
        room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_is_loud_does_not_silence_the_others() {
        let mut limiter = Limiter::default();
        let admitted = (0..1_000).filter(|_| limiter.admits("loud", 10)).count();
        assert_eq!(admitted, 200);
        assert!(limiter.admits("quiet", 10));
        assert_eq!(limiter.advance(0), None, "the second is not over");
        assert_eq!(limiter.advance(1), Some(800));
        assert_eq!(limiter.advance(2), None);
        assert!(limiter.admits("loud", 10), "a new second, a new start");
    }

    #[test]
    fn all_together_are_bounded_in_lines_and_bytes() {
        let mut limiter = Limiter::default();
        let admitted = (0..5_000).filter(|n| limiter.admits(&n.to_string(), 10)).count();
        assert_eq!(admitted, 1_000);
        assert_eq!(limiter.sources.len(), 1_000);
        assert_eq!(limiter.advance(1), Some(4_000));
        let admitted = (0..1_000).filter(|n| limiter.admits(&n.to_string(), 4_096)).count();
        assert_eq!(admitted, BYTES / 4_096);
    }
}
