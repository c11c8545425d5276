//! Version 2 of `tally-server`: "The" and "the" are the same word.
//!
//! Owns what version 1 owns, and which of it version 1 had counted. The step up merges those counts, so that the result
//! is as if all had been counted in lower case. There is no step down: how the words were written is not known any more,
//! and a version 1 that went on with what is left would mix two ways of counting, which nobody could see in its answers.

use skep_sdk::Message;
use skep_sdk::prelude::*;
use tally::{Counted, Piece, Ranges, Reply, Request, Totals, Verdict, Words};

/// The layout of version 1.
mod v1 {
    use tally::{Ranges, Words};

    #[derive(serde::Deserialize)]
    pub struct Server {
        pub added: Ranges,
        pub pieces: u64,
        pub lines: u64,
        pub rejected: u64,
        pub words: u64,
        pub counts: Words,
    }
}

/// The server, which is its own state.
#[derive(Default, Serialize, Deserialize)]
pub struct Server {
    added: Ranges,
    pieces: u64,
    /// Of these, pieces that version 1 had added.
    pieces_before: u64,
    lines: u64,
    rejected: u64,
    words: u64,
    /// By words in lower case.
    counts: Words,
}

/// Counts of words that differ only in case become one.
impl Migrate<v1::Server> for Server {
    fn migrate(old: v1::Server, _: &MigrateContext) -> Result<Self, Failure> {
        let v1::Server { added, pieces, lines, rejected, words, mut counts } = old;
        counts.rewrite(lower_cased);
        Ok(Server { added, pieces, pieces_before: pieces, lines, rejected, words, counts })
    }
}

/// `str::to_lowercase`, of which most words need nothing.
fn lower_cased(word: &str) -> Option<String> {
    if word.is_ascii() {
        return word.bytes().any(|byte| byte.is_ascii_uppercase()).then(|| word.to_ascii_lowercase());
    }
    Some(word.to_lowercase()).filter(|lower| lower != word)
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
            self.counts.add(lower_cased(&word).unwrap_or(word), count);
        }
        Ok(())
    }

    fn totals(&self) -> Totals {
        Totals {
            version: 2,
            lines: self.lines,
            rejected: self.rejected,
            words: self.words,
            distinct: self.counts.distinct(),
            pieces: self.pieces,
            pieces_before: self.pieces_before,
        }
    }
}

skep_sdk::export!(Server, version = 2, from = [v1::Server]);

#[cfg(test)]
mod tests;
