//! Counts the words of a file on the host, to check the app by.
//!
//! Owns the same rule as the app's parser, written a second time and in another way: code that they shared could not
//! find its own faults. Holds one line at a time, and the words.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use super::DemoError;

/// The longest line, as the app has it too.
const LINE_BYTES: u64 = 32 << 20;

/// What is in a file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Counted {
    /// Lines.
    pub(super) lines: u64,
    /// Of these, lines that are not valid UTF-8.
    pub(super) rejected: u64,
    /// How often each word occurs in the other lines.
    pub(super) words: HashMap<String, u64>,
}

/// Counts a file in one pass; `done` says how many bytes are read.
pub(super) fn count(path: &Path, done: &AtomicU64) -> Result<Counted, DemoError> {
    let unreadable = |error: io::Error| DemoError::Count { path: path.to_owned(), error };
    let mut file = BufReader::with_capacity(1 << 18, File::open(path).map_err(unreadable)?);
    let mut counted = Counted::default();
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = file.by_ref().take(LINE_BYTES + 1).read_until(b'\n', &mut line).map_err(unreadable)?;
        if read == 0 {
            return Ok(counted);
        }
        counted.lines += 1;
        if read as u64 > LINE_BYTES {
            return Err(DemoError::LineTooLong { path: path.to_owned(), line: counted.lines, most: LINE_BYTES });
        }
        done.fetch_add(read as u64, Ordering::Relaxed);
        match str::from_utf8(&line) {
            Ok(text) => add_words(text, &mut counted.words),
            Err(_) => counted.rejected += 1,
        }
    }
}

fn add_words(text: &str, words: &mut HashMap<String, u64>) {
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        *words.entry(word.to_lowercase()).or_default() += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(content: &[u8]) -> Result<Counted, DemoError> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("text");
        std::fs::write(&path, content).expect("it can be written");
        let done = AtomicU64::new(0);
        let counted = count(&path, &done)?;
        assert_eq!(done.into_inner(), content.len() as u64);
        Ok(counted)
    }

    #[test]
    fn lines_words_and_rejects() {
        type Words<'a> = &'a [(&'a str, u64)];
        let table: [(&[u8], u64, u64, Words<'_>); 7] = [
            (b"", 0, 0, &[]),
            (b"\n\n", 2, 0, &[]),
            (b"one Two\none", 2, 0, &[("one", 2), ("two", 1)]),
            (b"good\nb\xffad\ngood\n", 3, 1, &[("good", 2)]),
            (b"\xc3\n\xa4\n", 2, 2, &[]),
            ("ΟΔΟΣ, don’t\r\n".as_bytes(), 1, 0, &[("οδος", 1), ("don", 1), ("t", 1)]),
            ("猫が 2½ b_c".as_bytes(), 1, 0, &[("猫が", 1), ("2½", 1), ("b", 1), ("c", 1)]),
        ];
        for (content, lines, rejected, words) in table {
            let words = words.iter().map(|(word, count)| ((*word).to_owned(), *count)).collect();
            let expected = Counted { lines, rejected, words };
            assert_eq!(counted(content).expect("it can be counted"), expected, "{content:?}");
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_named() {
        let long = vec![b'x'; 32 << 20];
        assert_eq!(counted(&long).map(|counted| counted.lines).ok(), Some(1));
        let error = counted(&[b"one\n", long.as_slice(), b"x\n"].concat()).expect_err("it should be refused");
        assert!(matches!(error, DemoError::LineTooLong { line: 2, .. }), "{error}");
    }
}
