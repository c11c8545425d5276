//! How much may enter the log within a second, so that a storm fills neither the memory nor a disk.
//!
//! Owns the counts. Never looks at a clock: time is an argument.

use std::collections::{BTreeMap, HashMap};

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

/// Crash reports of one app within a window. A restart loop writes the same one again and again.
const CRASHES: u64 = 20;
/// Seconds of a window.
const WINDOW: u64 = 10;

/// Counts the crash reports of each app, and those that were left out.
#[derive(Debug, Default)]
pub(super) struct Crashes {
    window: u64,
    apps: BTreeMap<String, u64>,
}

impl Crashes {
    /// Goes on to this second: the apps of which reports were left out in the window before, and how many.
    pub(super) fn advance(&mut self, second: u64) -> Vec<(String, u64)> {
        if second / WINDOW == self.window {
            return Vec::new();
        }
        self.window = second / WINDOW;
        let apps = std::mem::take(&mut self.apps);
        apps.into_iter()
            .filter(|(_, crashes)| *crashes > CRASHES)
            .map(|(app, crashes)| (app, crashes - CRASHES))
            .collect()
    }

    /// Whether the report of a crash in this app is written down; if not, it is counted.
    pub(super) fn admits(&mut self, app: &str) -> bool {
        let crashes = self.apps.entry(app.to_owned()).or_default();
        *crashes += 1;
        *crashes <= CRASHES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restart_loop_is_written_down_a_few_times_and_then_counted() {
        let mut crashes = Crashes::default();
        assert_eq!((0..500).filter(|_| crashes.admits("loop")).count(), 20);
        assert!(crashes.admits("other"), "one app does not silence another");
        assert_eq!(crashes.advance(9), [], "the window is not over");
        assert_eq!(crashes.advance(10), [("loop".to_owned(), 480)]);
        assert!(crashes.admits("loop"), "a new window, a new start");
        assert_eq!(crashes.advance(u64::MAX), []);
    }

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
