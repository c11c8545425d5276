//! How often each word occurs.
//!
//! Owns the counts, and how they are handed out in parts that fit into a message. Never decides which words are the same:
//! the server does, each version in its own way.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

/// Bytes of words in one page, about: far below what a message may have, and enough for 100,000 words.
const PAGE_BYTES: usize = 1 << 20;
/// Words in one page: those of the whole text are searched for them.
const PAGE_WORDS: usize = 100_000;

/// How often each word occurs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Words(HashMap<String, u64, foldhash::fast::RandomState>);

impl Words {
    /// The word occurs so often more.
    pub fn add(&mut self, word: String, count: u64) {
        *self.0.entry(word).or_default() += count;
    }

    /// Different words.
    #[must_use]
    pub fn distinct(&self) -> u64 {
        self.0.len() as u64
    }

    /// Writes each word anew for which there is `another` form; the counts of words that become the same are added. The
    /// others stay where they are, for there may be millions.
    pub fn rewrite(&mut self, another: impl Fn(&str) -> Option<String>) {
        let mut rewritten = Vec::new();
        self.0.retain(|word, count| match another(word) {
            Some(word) => {
                rewritten.push((word, *count));
                false
            }
            None => true,
        });
        for (word, count) in rewritten {
            self.add(word, count);
        }
    }

    /// The next words in order, as many as a message should have.
    #[must_use]
    pub fn page(&self, after: Option<&str>) -> Vec<(String, u64)> {
        let behind = |word: &str| after.is_none_or(|after| word > after);
        let mut words: Vec<(&String, u64)> =
            self.0.iter().filter(|(word, _)| behind(word)).map(|(word, count)| (word, *count)).collect();
        if words.len() > PAGE_WORDS {
            words.select_nth_unstable(PAGE_WORDS);
            words.truncate(PAGE_WORDS);
        }
        words.sort_unstable();
        let mut bytes = 0;
        let fits = |(word, _): &(&String, u64)| {
            let first = bytes == 0;
            bytes += word.len() + 1;
            first || bytes <= PAGE_BYTES
        };
        words.into_iter().take_while(fits).map(|(word, count)| (word.clone(), count)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(counts: &[(&str, u64)]) -> Words {
        let mut words = Words::default();
        counts.iter().for_each(|(word, count)| words.add((*word).to_owned(), *count));
        words
    }

    #[test]
    fn pages_are_in_order_and_none_is_too_large() {
        let long = "z".repeat(PAGE_BYTES + 1);
        let longer = format!("{long}z");
        let words = words(&[(&longer, 1), ("é", 4), (&long, 2), ("a", 3)]);
        let mut pages = Vec::new();
        let mut after = None;
        loop {
            let page = words.page(after.as_deref());
            let Some((last, _)) = page.last() else { break };
            after = Some(last.clone());
            pages.push(page.iter().map(|(_, count)| *count).collect::<Vec<_>>());
        }
        assert_eq!(pages, [vec![3], vec![2], vec![1], vec![4]]);
    }

    #[test]
    fn words_that_become_the_same_are_counted_together() {
        let mut words = words(&[("a", 1), ("A", 2), ("b", 4), ("C", 8), ("D", 16)]);
        let another = |word: &str| match word {
            "A" => Some("a".to_owned()),
            "C" | "D" => Some("c".to_owned()),
            _ => None,
        };
        words.rewrite(another);
        assert_eq!(words.page(None), [("a".to_owned(), 3), ("b".to_owned(), 4), ("c".to_owned(), 24)]);
        assert_eq!(words.distinct(), 3);
    }
}
