//! Which bytes have been added.
//!
//! Owns a set of pieces, neighbours joined, so that it stays small however many there are. Asked before a piece is added.

use serde::{Deserialize, Serialize};

use crate::Piece;

/// Disjoint pieces in ascending order, with bytes between each and the next.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ranges(Vec<Piece>);

/// Whether a piece is to be added.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// None of it has been added; from now on all of it has.
    New,
    /// All of it has been added.
    Seen,
    /// Some of it has been added, and some not; or it is empty.
    Torn,
}

impl Ranges {
    /// Takes a piece in, if it is new.
    pub fn insert(&mut self, piece: Piece) -> Verdict {
        if piece.start >= piece.end {
            return Verdict::Torn;
        }
        // The first that does not lie wholly before the piece; one that ends where it begins does.
        let at = self.0.partition_point(|other| other.end <= piece.start);
        if let Some(next) = self.0.get(at)
            && next.start < piece.end
        {
            let seen = next.start <= piece.start && piece.end <= next.end;
            return if seen { Verdict::Seen } else { Verdict::Torn };
        }
        let joins_before = at > 0 && self.0[at - 1].end == piece.start;
        let joins_after = self.0.get(at).is_some_and(|next| next.start == piece.end);
        match (joins_before, joins_after) {
            (true, true) => {
                self.0[at - 1].end = self.0[at].end;
                self.0.remove(at);
            }
            (true, false) => self.0[at - 1].end = piece.end,
            (false, true) => self.0[at].start = piece.start,
            (false, false) => self.0.insert(at, piece),
        }
        Verdict::New
    }

    /// The pieces, joined.
    #[must_use]
    pub fn pieces(&self) -> &[Piece] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(start: u64, end: u64) -> Piece {
        Piece { start, end }
    }

    #[test]
    fn each_byte_is_added_once() {
        let mut ranges = Ranges::default();
        let table = [
            (piece(10, 20), Verdict::New, "10-20"),
            (piece(10, 20), Verdict::Seen, "10-20"),
            (piece(12, 15), Verdict::Seen, "10-20"),
            (piece(5, 11), Verdict::Torn, "10-20"),
            (piece(19, 21), Verdict::Torn, "10-20"),
            (piece(5, 25), Verdict::Torn, "10-20"),
            (piece(7, 7), Verdict::Torn, "10-20"),
            (piece(30, 40), Verdict::New, "10-20 30-40"),
            (piece(15, 35), Verdict::Torn, "10-20 30-40"),
            (piece(0, 5), Verdict::New, "0-5 10-20 30-40"),
            (piece(20, 22), Verdict::New, "0-5 10-22 30-40"),
            (piece(28, 30), Verdict::New, "0-5 10-22 28-40"),
            (piece(22, 28), Verdict::New, "0-5 10-40"),
            (piece(21, 29), Verdict::Seen, "0-5 10-40"),
            (piece(5, 10), Verdict::New, "0-40"),
        ];
        for (step, (piece, verdict, after)) in table.into_iter().enumerate() {
            assert_eq!(ranges.insert(piece), verdict, "step {step}");
            let shown: Vec<String> = ranges.pieces().iter().map(|p| format!("{}-{}", p.start, p.end)).collect();
            assert_eq!(shown.join(" "), after, "step {step}");
        }
    }
}
