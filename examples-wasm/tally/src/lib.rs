//! What the processes of the app `tally` say to each other, and to `skep demo`.
//!
//! Owns the messages of its guests, the names under which they are found, and the parts of which both versions of the
//! server make their states. Is no guest: one that depended on another would export everything twice. Beside it lie the
//! manifest `tally.toml` and a text to count.

mod ranges;
mod words;

pub use ranges::{Ranges, Verdict};
use serde::{Deserialize, Serialize};
use skep_sdk::{Body, Never, Pid, Protocol, Raw};
pub use words::Words;

/// The name of the one reader.
pub const READER: &str = "reader";
/// The name of the one server that adds up.
pub const SERVER: &str = "tally";

/// Some whole lines of the file, named by their bytes: from `start` up to, not including, `end`. Never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Piece {
    /// The offset of the first byte.
    pub start: u64,
    /// The offset behind the last byte.
    pub end: u64,
}

impl Piece {
    /// How many bytes it has.
    #[must_use]
    pub fn bytes(self) -> u64 {
        self.end - self.start
    }
}

/// What a parser found in a piece.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// How many lines.
    pub lines: u64,
    /// How many words, counting each as often as it occurs.
    pub words: u64,
    /// How often each word occurs, as it is written and in no order.
    pub counts: Vec<(String, u64)>,
}

/// A parser: takes the bytes of a piece, raw, and answers with [`Counted`], which the reader passes on unopened.
#[derive(Debug)]
pub enum Parser {}

impl Protocol for Parser {
    type Args = ();
    type Call = Raw;
    type Reply = Raw;
    type Cast = Never;
    type Info = Never;
}

/// The reader: hears from each parser when it has started, and can be asked how far it is.
#[derive(Debug)]
pub enum Reader {}

impl Protocol for Reader {
    type Args = Input;
    type Call = Query;
    type Reply = Progress;
    type Cast = Ready;
    type Info = Never;
}

/// What the reader is started with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// The file, as the reader sees it: in the folder that it is granted.
    pub file: String,
    /// Whether the end of the file is kept back until [`Query::GoOn`]: whoever wants to change the app while it is at
    /// work can be sure that something is left to do afterwards, however small the file.
    #[serde(default)]
    pub keep_end: bool,
}

/// A parser has started and waits for work. It says so by itself, also after a restart, so that nobody has to guess.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// Which.
    pub parser: Pid,
}

/// What the reader can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Query {
    /// How far it is.
    Progress,
    /// The same, but not before half of the bytes have been added up, or all that is not kept back.
    Half,
    /// Keep the end of the file back no longer. How far it is.
    GoOn,
}

/// How far the reader is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Bytes of the file.
    pub bytes: u64,
    /// Of these, bytes whose words have been added up.
    pub done: u64,
    /// Whether it keeps the end of the file back, now or when it gets there.
    pub keeps_end: bool,
    /// What it is at.
    pub stage: Stage,
}

/// What the reader is at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// At work.
    Running,
    /// Every byte has been added up.
    Done,
    /// It cannot go on, for this reason.
    Failed(String),
}

/// The server that adds up.
#[derive(Debug)]
pub enum Server {}

impl Protocol for Server {
    type Args = ();
    type Call = Request;
    type Reply = Reply;
    type Cast = Never;
    type Info = Never;
}

/// What the server that adds up can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Add a piece, unless it has been added. Asking again does no harm.
    Add {
        /// Which.
        piece: Piece,
        /// What is in it.
        result: Outcome,
    },
    /// Which bytes have been added: a reader that was restarted goes on from there.
    Added,
    /// The sums.
    Totals,
    /// Some of the counts, by words in ascending order of their bytes.
    Page {
        /// Only words behind this one; from the first, if there is none.
        after: Option<String>,
    },
}

/// What came of a piece.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// A parser's answer: [`Counted`].
    Counted(Body),
    /// It is a single line, and a parser crashed on it.
    Rejected,
}

/// What the server that adds up answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// The piece has been added, now or earlier.
    Done,
    /// All bytes that have been added, ascending; neighbours are joined.
    Added(Vec<Piece>),
    /// The sums.
    Totals(Totals),
    /// The next counts; none if there are no more.
    Page(Vec<(String, u64)>),
}

/// The sums over all pieces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Which version of the server says so: 1 counts words as they are written, 2 in lower case.
    pub version: u32,
    /// Lines, those rejected included.
    pub lines: u64,
    /// Lines that no parser could read.
    pub rejected: u64,
    /// Words, counting each as often as it occurs.
    pub words: u64,
    /// Different words.
    pub distinct: u64,
    /// Pieces of the file.
    pub pieces: u64,
    /// Of these, pieces that an older version had added when the server was upgraded.
    pub pieces_before: u64,
}
