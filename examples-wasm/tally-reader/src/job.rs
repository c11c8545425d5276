//! What is left to do of a file.
//!
//! Owns the order of the pieces, how large the next one is, and how often one was lost. Never sends anything and never
//! knows a parser. Asked by the server for each parser that waits.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tally::Piece;

use crate::lines::Lines;

/// The size of the first pieces: small, so that a small file keeps all parsers busy too.
const FIRST_BYTES: u64 = 16 << 10;
/// The size of a piece at most. A larger one has fewer different words for its length, and is cheaper to add up; a
/// smaller one wastes less when it is lost.
const PIECE_BYTES: u64 = 1 << 20;
/// How often the same piece may be lost. A cause that does not go away must not be tried for ever.
const LOSSES_MOST: u32 = 10;

/// What is left to do.
#[derive(Debug, Serialize, Deserialize)]
pub struct Job {
    file: String,
    length: u64,
    /// What was never given out begins here.
    next: u64,
    /// To be given out first, the last one soonest.
    first: Vec<Piece>,
    /// Gaps that an earlier reader left, the last one soonest: like the file, they are cut into pieces.
    gaps: Vec<Piece>,
    /// About how many bytes the next piece has.
    about: u64,
    /// Bytes that have been added up.
    done: u64,
    /// How often pieces that are not yet added were lost.
    losses: BTreeMap<Piece, u32>,
}

/// Where a piece comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Origin {
    /// Cut from the file: how it fares says how large the next one should be.
    File,
    /// It, or the piece that it is a part of, was given out before.
    Earlier,
}

/// When a piece was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// The process that it was sent to was gone already. Another one says so when it is there.
    NeverBegun,
    /// The process had it, as far as is known.
    Underway,
}

impl Job {
    /// All of a file but these pieces, which are in order and disjoint.
    pub fn new(file: String, length: u64, added: &[Piece]) -> Job {
        let mut next = 0;
        let mut gaps = Vec::new();
        for piece in added {
            if next < piece.start {
                gaps.push(Piece { start: next, end: piece.start });
            }
            next = piece.end;
        }
        gaps.reverse();
        let done = added.iter().map(|piece| piece.bytes()).sum();
        Job { file, length, next, first: Vec::new(), gaps, about: FIRST_BYTES, done, losses: BTreeMap::new() }
    }

    /// The file.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// How many bytes it has.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Bytes that have been added up.
    pub fn done(&self) -> u64 {
        self.done
    }

    /// Whether these are all.
    pub fn is_done(&self) -> bool {
        self.done >= self.length
    }

    /// The piece to give out now, if there is one that nobody has.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or has a line that is too long.
    pub fn next(&mut self, lines: &mut Lines) -> Result<Option<(Piece, Origin)>, String> {
        if let Some(piece) = self.first.pop() {
            return Ok(Some((piece, Origin::Earlier)));
        }
        if let Some(gap) = self.gaps.last_mut() {
            let piece = lines.cut(&self.file, gap.start, self.about, gap.end)?;
            gap.start = piece.end;
            if gap.start == gap.end {
                self.gaps.pop();
            }
            return Ok(Some((piece, Origin::File)));
        }
        if self.next >= self.length {
            return Ok(None);
        }
        let piece = lines.cut(&self.file, self.next, self.about, self.length)?;
        self.next = piece.end;
        Ok(Some((piece, Origin::File)))
    }

    /// A piece was parsed: the next may be larger.
    pub fn parsed(&mut self, origin: Origin) {
        if origin == Origin::File {
            self.about = self.about.saturating_mul(2).min(PIECE_BYTES);
        }
    }

    /// A parser crashed on a piece, which is tried again in two parts. The next piece is smaller as well, for bad lines
    /// come in swarms: in a file with nothing else, each soon costs one crash in place of two.
    pub fn halve(&mut self, piece: Piece, at: u64, origin: Origin) {
        if origin == Origin::File {
            self.about = (self.about / 2).max(1);
        }
        self.first.push(Piece { start: at, end: piece.end });
        self.first.push(Piece { start: piece.start, end: at });
    }

    /// A piece must be tried again as it is.
    ///
    /// # Errors
    ///
    /// It was lost too often.
    pub fn again(&mut self, piece: Piece, loss: Loss) -> Result<(), String> {
        if loss == Loss::Underway {
            let losses = self.losses.entry(piece).or_default();
            *losses += 1;
            if *losses > LOSSES_MOST {
                return Err(format!("bytes {} to {} were lost {losses} times", piece.start, piece.end));
            }
        }
        self.first.push(piece);
        Ok(())
    }

    /// A piece was added up.
    pub fn added(&mut self, piece: Piece) {
        self.losses.remove(&piece);
        self.done += piece.bytes();
    }
}
