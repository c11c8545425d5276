//! Adds up the counts of pieces of a file, by words as they are written.
//!
//! Owns the sums and which bytes are in them, so that a piece which arrives twice counts once. Never reads or counts
//! anything itself. Called by the reader, and by `skep demo`, which upgrades it to `tally-server-v2` while it is at work.

use skep_sdk::Message;
use skep_sdk::prelude::*;
use tally::{Counted, Piece, Ranges, Reply, Request, Totals, Verdict, Words};

/// The server, which is its own state.
#[derive(Default, Serialize, Deserialize)]
pub struct Server {
    added: Ranges,
    pieces: u64,
    lines: u64,
    rejected: u64,
    words: u64,
    counts: Words,
}

#[server]
impl skep_sdk::Server for Server {
    type Call = Request;
    type Reply = Reply;

    fn init(_: (), _: &Context) -> Start<Self> {
        Ok(Server::default())
    }

    fn handle_call(&mut self, request: Request, _: From<Self>, _: &Context) -> Outcome<Reply> {
        match request {
            Request::Add { piece, result } => match self.add(piece, result) {
                Ok(()) => reply(Reply::Done),
                // It cannot be told any longer what has been counted: to begin anew is the only way to be right.
                Err(why) => fail(why),
            },
            Request::Added => reply(Reply::Added(self.added.pieces().to_vec())),
            Request::Totals => reply(Reply::Totals(self.totals())),
            Request::Page { after } => reply(Reply::Page(self.counts.page(after.as_deref()))),
        }
    }
}

impl Server {
    fn add(&mut self, piece: Piece, result: tally::Outcome) -> Result<(), String> {
        // Before the piece is noted, for an answer that cannot be read must not pass for counted.
        let (counted, rejected) = match result {
            tally::Outcome::Counted(body) => (Counted::decode(body).map_err(|error| error.to_string())?, 0),
            tally::Outcome::Rejected => (Counted { lines: 1, ..Counted::default() }, 1),
        };
        match self.added.insert(piece) {
            Verdict::Seen => return Ok(()),
            Verdict::Torn => return Err(format!("bytes {} to {} are in part counted already", piece.start, piece.end)),
            Verdict::New => {}
        }
        self.pieces += 1;
        self.lines += counted.lines;
        self.rejected += rejected;
        self.words += counted.words;
        for (word, count) in counted.counts {
            self.counts.add(word, count);
        }
        Ok(())
    }

    fn totals(&self) -> Totals {
        Totals {
            version: 1,
            lines: self.lines,
            rejected: self.rejected,
            words: self.words,
            distinct: self.counts.distinct(),
            pieces: self.pieces,
            pieces_before: 0,
        }
    }
}

skep_sdk::export!(Server);

#[cfg(test)]
mod tests {
    use skep_sdk::Codec;
    use skep_sdk::testing::Harness;

    use super::*;

    fn add(start: u64, end: u64, words: &[(&str, u64)]) -> Request {
        let counts = words.iter().map(|(word, count)| ((*word).to_owned(), *count)).collect();
        let counted = Counted { lines: 1, words: words.iter().map(|(_, count)| count).sum(), counts };
        let body = counted.encode(Codec::default()).expect("it can be written");
        Request::Add { piece: Piece { start, end }, result: tally::Outcome::Counted(body) }
    }

    fn page(server: &mut Harness<Server>, after: Option<&str>) -> Vec<(String, u64)> {
        match server.call(Request::Page { after: after.map(str::to_owned) }) {
            Ok(Reply::Page(page)) => page,
            other => panic!("no page but {other:?}"),
        }
    }

    #[test]
    fn a_torn_piece_ends_it() {
        let mut server = Harness::<Server>::start(()).expect("init succeeds");
        assert_eq!(server.call(add(0, 10, &[("a", 1)])), Ok(Reply::Done));
        let Err(CallError::Ended(ExitReason::Failed(why))) = server.call(add(5, 15, &[("a", 1)])) else {
            panic!("it should have failed");
        };
        assert_eq!(why, "bytes 5 to 15 are in part counted already");
    }

    #[test]
    fn an_answer_that_cannot_be_read_is_not_counted() {
        let mut server = Harness::<Server>::start(()).expect("init succeeds");
        let result = tally::Outcome::Counted(Body::Text("many".into()));
        let add = Request::Add { piece: Piece { start: 0, end: 1 }, result };
        assert!(matches!(server.call(add), Err(CallError::Ended(ExitReason::Failed(_)))));
    }

    #[test]
    fn a_piece_counts_once_and_words_as_they_are_written() {
        let mut server = Harness::<Server>::start(()).expect("init succeeds").always_hibernating();
        let rejected = Request::Add { piece: Piece { start: 10, end: 12 }, result: tally::Outcome::Rejected };
        for _ in 0..2 {
            assert_eq!(server.call(add(0, 10, &[("b", 2), ("A", 1)])), Ok(Reply::Done));
            assert_eq!(server.call(rejected.clone()), Ok(Reply::Done));
        }
        assert_eq!(server.call(add(12, 20, &[("b", 5), ("a", 1)])), Ok(Reply::Done));
        let totals = Totals { version: 1, lines: 3, rejected: 1, words: 9, distinct: 3, pieces: 3, pieces_before: 0 };
        assert_eq!(server.call(Request::Totals), Ok(Reply::Totals(totals)));
        assert_eq!(server.call(Request::Added), Ok(Reply::Added(vec![Piece { start: 0, end: 20 }])));
        let words = [("A".to_owned(), 1), ("a".to_owned(), 1), ("b".to_owned(), 7)];
        assert_eq!(page(&mut server, None), words);
        assert_eq!(page(&mut server, Some("A")), words[1..]);
        assert_eq!(page(&mut server, Some("b")), []);
    }
}
