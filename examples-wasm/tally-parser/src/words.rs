//! What a word is, and how often each occurs.
//!
//! Owns the rule: a maximal run of characters for which `char::is_alphanumeric` holds, as it is written. Whether "The" is
//! "the" is the server's to decide. Traps on a line that is not valid UTF-8. Called for each chunk.

use std::collections::HashMap;

use tally::Counted;

type Counts<'a> = HashMap<&'a str, u64, foldhash::fast::RandomState>;

/// Counts the words of some lines.
///
/// # Panics
///
/// On a line that is not valid UTF-8. This is the bug that the app is built to survive: somebody took it for granted
/// that files hold text.
pub fn count(lines: &[u8]) -> Counted {
    let mut counted = Counted::default();
    let mut counts = Counts::default();
    // All lines before the first word: a chunk that ends in a crash then costs next to nothing.
    let lines: Vec<&str> = lines
        .split_inclusive(|byte| *byte == b'\n')
        .map(|line| std::str::from_utf8(line).expect("a line of text"))
        .collect();
    counted.lines = lines.len() as u64;
    for line in lines {
        each_word(line, |word| {
            counted.words += 1;
            *counts.entry(word).or_default() += 1;
        });
    }
    counted.counts = counts.into_iter().map(|(word, count)| (word.to_owned(), count)).collect();
    counted
}

/// Goes byte by byte where it is ASCII, which most of most texts is.
fn each_word<'a>(line: &'a str, mut word: impl FnMut(&'a str)) {
    let mut start = None;
    let mut at = 0;
    let bytes = line.as_bytes();
    while at < bytes.len() {
        let (inside, length) = if bytes[at].is_ascii() {
            (bytes[at].is_ascii_alphanumeric(), 1)
        } else {
            line[at..].chars().next().map_or((false, 1), |c| (c.is_alphanumeric(), c.len_utf8()))
        };
        match (inside, start) {
            (true, None) => start = Some(at),
            (false, Some(first)) => {
                word(&line[first..at]);
                start = None;
            }
            (true, Some(_)) | (false, None) => {}
        }
        at += length;
    }
    if let Some(first) = start {
        word(&line[first..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<(String, u64)> {
        let mut counts = count(text.as_bytes()).counts;
        counts.sort();
        counts
    }

    #[test]
    fn a_word_is_a_run_of_letters_and_digits() {
        let table: [(&str, &[(&str, u64)]); 9] = [
            ("", &[]),
            ("  \n\n--\u{feff}—\n", &[]),
            ("don't", &[("don", 1), ("t", 1)]),
            ("a_b 3,14 x86", &[("14", 1), ("3", 1), ("a", 1), ("b", 1), ("x86", 1)]),
            ("Über ÜBER über Über", &[("Über", 2), ("ÜBER", 1), ("über", 1)]),
            ("ΟΔΟΣ οδος", &[("ΟΔΟΣ", 1), ("οδος", 1)]),
            ("吾輩は猫、である。", &[("である", 1), ("吾輩は猫", 1)]),
            ("½ Ⅷ ٣ naïve İ", &[("naïve", 1), ("½", 1), ("İ", 1), ("Ⅷ", 1), ("٣", 1)]),
            ("Straße\r\nSTRASSE\r\nend", &[("STRASSE", 1), ("Straße", 1), ("end", 1)]),
        ];
        for (text, expected) in table {
            let mut expected: Vec<_> = expected.iter().map(|(word, count)| ((*word).to_owned(), *count)).collect();
            expected.sort();
            assert_eq!(words(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_line_ends_at_its_line_feed_and_the_last_needs_none() {
        let table = [("", 0), ("\n", 1), ("a", 1), ("a\n", 1), ("a\nb", 2), ("a\r\n\r\nb\n", 3)];
        for (text, lines) in table {
            assert_eq!(count(text.as_bytes()).lines, lines, "{text:?}");
        }
    }
}
