//! The app's words against the host's.
//!
//! Owns what is lost and what is doubled. Takes the app's words page by page, so that no message holds them all.

use std::cmp::Reverse;
use std::collections::HashMap;

use skep_runtime::Runtime;

use super::{DemoError, app};

/// How many words make the top.
const TOP: usize = 10;

/// How the two differ, and what is most frequent.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Compared {
    /// Words that the app counted too few.
    pub(super) lost: u64,
    /// Words that the app counted too many.
    pub(super) doubled: u64,
    /// The most frequent words, by the app.
    pub(super) top: Vec<(String, u64)>,
}

/// Compares all words of the app with those of the host.
pub(super) async fn compare(runtime: &Runtime, host: HashMap<String, u64>) -> Result<Compared, DemoError> {
    let mut comparison = Comparison { host, ..Comparison::default() };
    let mut after = None;
    loop {
        let page = app::page(runtime, after.as_deref()).await?;
        let Some((last, _)) = page.last() else { return Ok(comparison.end()) };
        after = Some(last.clone());
        comparison.add(page);
    }
}

#[derive(Default)]
struct Comparison {
    /// What the app has not named yet.
    host: HashMap<String, u64>,
    so_far: Compared,
}

impl Comparison {
    fn add(&mut self, page: Vec<(String, u64)>) {
        for (word, by_app) in page {
            let by_host = self.host.remove(&word).unwrap_or(0);
            self.so_far.lost += by_host.saturating_sub(by_app);
            self.so_far.doubled += by_app.saturating_sub(by_host);
            self.so_far.top.push((word, by_app));
            if self.so_far.top.len() >= 1_000 {
                self.keep_top();
            }
        }
    }

    fn keep_top(&mut self) {
        self.so_far.top.sort_by(|(a, n), (b, m)| (Reverse(n), a).cmp(&(Reverse(m), b)));
        self.so_far.top.truncate(TOP);
    }

    fn end(mut self) -> Compared {
        self.so_far.lost += self.host.values().sum::<u64>();
        self.keep_top();
        self.so_far
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Words<'a> = &'a [(&'a str, u64)];

    fn compared(host: Words<'_>, pages: &[Words<'_>]) -> Compared {
        let owned = |words: Words<'_>| words.iter().map(|(word, n)| ((*word).to_owned(), *n)).collect::<Vec<_>>();
        let mut comparison = Comparison { host: owned(host).into_iter().collect(), ..Comparison::default() };
        pages.iter().for_each(|page| comparison.add(owned(page)));
        comparison.end()
    }

    #[test]
    fn what_differs_is_lost_or_doubled() {
        let table: [(Words<'_>, Words<'_>, u64, u64); 6] = [
            (&[], &[], 0, 0),
            (&[("a", 1), ("b", 2)], &[("a", 1), ("b", 2)], 0, 0),
            (&[("a", 1), ("b", 5)], &[("a", 1), ("b", 2)], 3, 0),
            (&[("a", 1), ("b", 2)], &[("a", 4), ("b", 2)], 0, 3),
            (&[("a", 1), ("b", 2)], &[("a", 1), ("c", 2)], 2, 2),
            (&[("a", 7)], &[], 7, 0),
        ];
        for (host, app, lost, doubled) in table {
            let Compared { lost: l, doubled: d, .. } = compared(host, &[app]);
            assert_eq!((l, d), (lost, doubled), "{host:?} {app:?}");
        }
    }

    #[test]
    fn the_top_is_by_count_and_then_by_alphabet() {
        let words: Vec<(String, u64)> = (0..5_000).map(|n| (format!("w{n:04}"), n % 100)).collect();
        let words: Vec<(&str, u64)> = words.iter().map(|(word, n)| (word.as_str(), *n)).collect();
        let top = compared(&[], &[&words[..2_500], &words[2_500..]]).top;
        let expected: Vec<(String, u64)> = (0..10).map(|n| (format!("w{:04}", 99 + n * 100), 99)).collect();
        assert_eq!(top, expected);
    }
}
