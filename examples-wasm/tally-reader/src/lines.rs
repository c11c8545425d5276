//! The file, as pieces of whole lines.
//!
//! Owns the bytes read last, which are a cache and no state: whoever restores the reader begins with none. Never holds
//! the file open between two messages, for an open file would tie the process to its instance. Called by `job`.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use tally::Piece;

/// How much is read at once: a piece and its neighbours, to which the reader returns when it halves one.
const READ_BYTES: u64 = 1 << 20;
/// How far an end of line is looked for at first, beyond the size of a piece: longer than most lines.
const LINE_GUESS_BYTES: u64 = 64 << 10;
/// The longest line. A message has 64 MiB, and what a parser finds in a line can be twice as long as the line.
pub const LINE_BYTES: u64 = 32 << 20;

/// Some bytes of the file.
#[derive(Debug, Default)]
pub struct Lines {
    start: u64,
    bytes: Vec<u8>,
}

impl Lines {
    /// How long the file is.
    ///
    /// # Errors
    ///
    /// It cannot be opened.
    pub fn length(file: &str) -> Result<u64, String> {
        let length = || File::open(file)?.metadata().map(|file| file.len());
        length().map_err(|error| format!("cannot open {file}: {error}"))
    }

    /// The lines that begin at `start`: as many whole ones as fit in `about` bytes, but one at least.
    ///
    /// # Errors
    ///
    /// The line is too long, or the file cannot be read.
    pub fn cut(&mut self, file: &str, start: u64, about: u64, length: u64) -> Result<Piece, String> {
        let whole = |end| Ok(Piece { start, end });
        let end = length.min(start.saturating_add(about));
        if end == length && end - start <= LINE_BYTES {
            return whole(end);
        }
        let piece = Piece { start, end };
        if let Some(at) = memchr::memrchr(b'\n', self.read(file, piece, length)?) {
            return whole(start + at as u64 + 1);
        }
        let mut searched = end - start;
        while searched <= LINE_BYTES {
            let end = length.min(start + searched.saturating_mul(2).max(LINE_GUESS_BYTES));
            let bytes = self.read(file, Piece { start, end }, length)?;
            let skipped = usize::try_from(searched).unwrap_or(usize::MAX);
            match memchr::memchr(b'\n', &bytes[skipped..]) {
                Some(at) if searched + (at as u64) < LINE_BYTES => return whole(start + searched + at as u64 + 1),
                Some(_) => break,
                None if end == length && end - start <= LINE_BYTES => return whole(end),
                None if end == length => break,
                None => searched = end - start,
            }
        }
        let most = LINE_BYTES >> 20;
        Err(format!(
            "line {} is longer than {most} MiB, which is the longest line there may be",
            Self::number(file, start)?
        ))
    }

    /// The bytes of a piece, and where it falls into two at an end of line, nearest to its middle: nowhere, if it is a
    /// single line.
    ///
    /// # Errors
    ///
    /// The file cannot be read.
    pub fn halved(&mut self, file: &str, piece: Piece, length: u64) -> Result<(&[u8], Option<u64>), String> {
        let bytes = self.read(file, piece, length)?;
        // The last byte does not count: behind it the piece ends.
        let (before, behind) = bytes[..bytes.len() - 1].split_at(bytes.len() / 2);
        let left = memchr::memrchr(b'\n', before);
        let right = memchr::memchr(b'\n', behind).map(|at| before.len() + at);
        let at = match (left, right) {
            (Some(left), Some(right)) => Some(if before.len() - left <= right - before.len() { left } else { right }),
            (left, right) => left.or(right),
        };
        Ok((bytes, at.map(|at| piece.start + at as u64 + 1)))
    }

    fn read(&mut self, file: &str, piece: Piece, length: u64) -> Result<&[u8], String> {
        if piece.start < self.start || piece.end > self.start + self.bytes.len() as u64 {
            let end = length.min(piece.end.max(piece.start + READ_BYTES));
            self.load(file, Piece { start: piece.start, end }).map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => format!("{file} became shorter while it was read"),
                _ => format!("cannot read {file}: {error}"),
            })?;
        }
        let within = |offset: u64| usize::try_from(offset - self.start).unwrap_or(usize::MAX);
        Ok(&self.bytes[within(piece.start)..within(piece.end)])
    }

    fn load(&mut self, file: &str, piece: Piece) -> io::Result<()> {
        // If it fails, nothing is held.
        self.bytes = Vec::new();
        let size = usize::try_from(piece.bytes()).map_err(io::Error::other)?;
        let mut bytes = vec![0; size];
        let mut file = File::open(file)?;
        file.seek(SeekFrom::Start(piece.start))?;
        file.read_exact(&mut bytes)?;
        *self = Lines { start: piece.start, bytes };
        Ok(())
    }

    /// Which line begins at this offset, counted from 1. Only for an error: it reads the file once more.
    ///
    /// # Errors
    ///
    /// The file cannot be read.
    pub fn number(file: &str, offset: u64) -> Result<u64, String> {
        let count = || {
            let mut before = File::open(file)?.take(offset);
            let mut buffer = vec![0; 1 << 16];
            let mut line = 1;
            loop {
                match before.read(&mut buffer)? {
                    0 => return Ok(line),
                    read => line += memchr::memchr_iter(b'\n', &buffer[..read]).count() as u64,
                }
            }
        };
        count().map_err(|error: io::Error| format!("cannot read {file}: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(content: &[u8]) -> (tempfile::TempDir, String) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("text");
        std::fs::write(&path, content).expect("it can be written");
        let path = path.to_str().expect("a plain path").to_owned();
        (folder, path)
    }

    fn pieces(content: &[u8], about: u64) -> Vec<String> {
        let (_folder, path) = file(content);
        let length = Lines::length(&path).expect("it can be opened");
        let mut lines = Lines::default();
        let mut pieces = Vec::new();
        let mut at = 0;
        while at < length {
            let piece = lines.cut(&path, at, about, length).expect("a piece");
            let (bytes, _) = lines.halved(&path, piece, length).expect("its bytes");
            pieces.push(String::from_utf8_lossy(bytes).into_owned());
            at = piece.end;
        }
        pieces
    }

    #[test]
    fn pieces_are_whole_lines() {
        let table: [(&str, u64, &[&str]); 8] = [
            ("", 4, &[]),
            ("\n", 4, &["\n"]),
            ("ab", 4, &["ab"]),
            ("ab\ncd\n", 3, &["ab\n", "cd\n"]),
            ("ab\ncd\n", 5, &["ab\n", "cd\n"]),
            ("ab\ncd\nef", 6, &["ab\ncd\n", "ef"]),
            ("a long line\nb\n", 1, &["a long line\n", "b\n"]),
            ("\n\n\n\nno end", 2, &["\n\n", "\n\n", "no end"]),
        ];
        for (text, about, expected) in table {
            assert_eq!(pieces(text.as_bytes(), about), expected, "{text:?} by {about}");
        }
    }

    #[test]
    fn a_long_line_is_a_piece_of_its_own() {
        let long = "x".repeat(5 << 20);
        let text = format!("a\n{long}\nb\n{long}");
        assert_eq!(pieces(text.as_bytes(), 16), ["a\n", &format!("{long}\n"), "b\n", &long]);
    }

    #[test]
    fn a_line_that_is_too_long_is_named() {
        for end in ["", "\n", "\nmore\n"] {
            let (_folder, path) = file(format!("one\ntwo\n{}{end}", "x".repeat(32 << 20)).as_bytes());
            let length = Lines::length(&path).expect("it can be opened");
            let cut = Lines::default().cut(&path, 8, 1 << 20, length);
            match end {
                // Without an end of line it is just short enough.
                "" => assert_eq!(cut, Ok(Piece { start: 8, end: length })),
                _ => {
                    assert_eq!(cut, Err("line 3 is longer than 32 MiB, which is the longest line there may be".into()))
                }
            }
        }
    }

    #[test]
    fn halves_are_whole_lines() {
        let table = [
            ("a\n", None),
            ("a", None),
            ("\n", None),
            ("a\nb", Some(2)),
            ("a\nb\n", Some(2)),
            ("a\nb\nc\nd\n", Some(4)),
            ("a\na long line\n", Some(2)),
            ("a long line\na\n", Some(12)),
            ("\n\n", Some(1)),
        ];
        for (text, at) in table {
            let (_folder, path) = file(format!("before\n{text}").as_bytes());
            let piece = Piece { start: 7, end: 7 + text.len() as u64 };
            let mut lines = Lines::default();
            let (bytes, split) = lines.halved(&path, piece, piece.end).expect("its bytes");
            assert_eq!((bytes, split), (text.as_bytes(), at.map(|at| at + 7)), "{text:?}");
        }
    }

    #[test]
    fn a_file_that_shrinks_is_told() {
        let (_folder, path) = file(b"short\n");
        let piece = Piece { start: 0, end: 100 };
        let error = Lines::default().halved(&path, piece, 100).expect_err("it ends early");
        assert!(error.ends_with("became shorter while it was read"), "{error}");
    }
}
