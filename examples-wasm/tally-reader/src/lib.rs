//! Streams a file to the parsers in pieces of whole lines, and their answers to the server that adds up.
//!
//! Owns the messages: who is asked, and what an answer means. What to do next is decided by `job`; the file is `lines`'s.
//! Never looks into an answer. Started with the name of a file, by the app's supervisor; parsers come to it by themselves.

mod job;
mod lines;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use job::{Job, Loss, Origin};
use lines::Lines;
use skep_sdk::Raw;
use skep_sdk::prelude::*;
use tally::{Input, Piece, Progress, Query, Ready, Reply, Request, SERVER, Stage};

/// How long a parser, or the server that adds up, may take for a piece. Several hundred times what they need.
const TIMEOUT: Duration = Duration::from_secs(120);
/// Answers on their way to the server that adds up. Beyond, no further piece is given out, so that a slow server slows
/// down the reading and does not fill its mailbox.
const ADDING_MOST: usize = 4;

/// The server.
#[derive(Serialize, Deserialize)]
pub struct Reader {
    job: Job,
    /// Parsers that wait for work. Each has one piece at a time, so that a crash blames no other.
    idle: VecDeque<Pid>,
    /// Pieces that parsers have, by the mark of the request.
    parsing: BTreeMap<Mark, Parsing>,
    /// Pieces whose result the server that adds up has, by the mark of the request.
    adding: BTreeMap<Mark, Piece>,
    end: End,
    /// Who wants to hear when half of it is done.
    half: Vec<From<Reader>>,
    /// Why it cannot go on.
    failed: Option<String>,
    #[serde(skip)]
    lines: Lines,
}

/// What becomes of the piece with which the file ends. Not the piece is kept back but its result: whatever it falls into,
/// the last of it is what is left for later.
#[derive(Serialize, Deserialize)]
enum End {
    /// It is added like any other.
    Free,
    /// It is to be kept back when it is there.
    ToKeep,
    /// It is kept back.
    Kept { piece: Piece, result: tally::Outcome },
}

/// A piece that a parser has.
#[derive(Serialize, Deserialize)]
struct Parsing {
    piece: Piece,
    origin: Origin,
    /// Where it falls into two; nowhere, if it is a single line.
    split: Option<u64>,
    parser: Pid,
}

#[server]
impl Server for Reader {
    type Args = Input;
    type Call = Query;
    type Reply = Progress;
    type Cast = Ready;

    /// Begins where an earlier reader of this app ended.
    fn init(input: Input, context: &Context) -> Start<Self> {
        let length = Lines::length(&input.file)?;
        let added = match Ref::<tally::Server>::named(SERVER).call(context, Request::Added)? {
            Reply::Added(pieces) => pieces,
            other => return Err(format!("{SERVER} answers {other:?}").into()),
        };
        Ok(Reader {
            job: Job::new(input.file, length, &added),
            idle: VecDeque::new(),
            parsing: BTreeMap::new(),
            adding: BTreeMap::new(),
            end: if input.keep_end { End::ToKeep } else { End::Free },
            half: Vec::new(),
            failed: None,
            lines: Lines::default(),
        })
    }

    fn handle_call(&mut self, query: Query, from: From<Self>, context: &Context) -> Outcome<Progress> {
        match query {
            Query::Progress => {}
            Query::Half if self.is_half() => {}
            Query::Half => {
                self.half.push(from);
                return noreply();
            }
            Query::GoOn => {
                if let End::Kept { piece, result } = std::mem::replace(&mut self.end, End::Free) {
                    self.add(piece, result, context);
                }
            }
        }
        reply(self.progress())
    }

    fn handle_cast(&mut self, ready: Ready, context: &Context) -> Outcome {
        self.idle.push_back(ready.parser);
        self.go_on(context)
    }

    fn handle_answer(&mut self, answer: Answer, context: &Context) -> Outcome {
        if let Some(parsing) = self.parsing.remove(&answer.mark) {
            self.parsed(parsing, answer.outcome, context);
        } else if let Some(piece) = self.adding.remove(&answer.mark) {
            match answer.outcome {
                Ok(_) => self.job.added(piece),
                Err(error) => self.lost(piece, &error),
            }
        }
        self.go_on(context)
    }
}

impl Reader {
    fn progress(&self) -> Progress {
        let stage = match &self.failed {
            Some(why) => Stage::Failed(why.clone()),
            None if self.job.is_done() => Stage::Done,
            None => Stage::Running,
        };
        let keeps_end = !matches!(self.end, End::Free);
        Progress { bytes: self.job.length(), done: self.job.done(), keeps_end, stage }
    }

    /// Whether half of the bytes are added up, or all that is not kept back: that may be more than half.
    fn is_half(&self) -> bool {
        let kept = match &self.end {
            End::Kept { piece, .. } => piece.bytes(),
            End::Free | End::ToKeep => 0,
        };
        let (done, length) = (self.job.done(), self.job.length());
        done >= length.div_ceil(2) || done + kept == length
    }

    /// A parser has answered, or has not.
    fn parsed(&mut self, parsing: Parsing, outcome: Result<Body, CallError>, context: &Context) {
        let Parsing { piece, origin, split, parser } = parsing;
        match outcome {
            Ok(counted) => {
                self.idle.push_back(parser);
                self.job.parsed(origin);
                self.counted(piece, tally::Outcome::Counted(counted), context);
            }
            // The piece is to blame. Whoever takes the parser's place will say so.
            Err(CallError::Ended(reason @ (ExitReason::Trap(_) | ExitReason::Limit(_)))) => match (split, reason) {
                (Some(at), _) => self.job.halve(piece, at, origin),
                (None, ExitReason::Trap(_)) => self.counted(piece, tally::Outcome::Rejected, context),
                (None, reason) => {
                    let line = Lines::number(self.job.file(), piece.start);
                    self.failed = Some(
                        line.map_or_else(|why| why, |line| format!("line {line} is too much for a parser: {reason:?}")),
                    );
                }
            },
            Err(error) => {
                if error == CallError::Timeout {
                    // It may still be at it, and would be blamed for this piece while it has the next.
                    context.kill(parser);
                }
                self.lost(piece, &error);
            }
        }
    }

    fn counted(&mut self, piece: Piece, result: tally::Outcome, context: &Context) {
        if piece.end == self.job.length() && matches!(self.end, End::ToKeep) {
            self.end = End::Kept { piece, result };
        } else {
            self.add(piece, result, context);
        }
    }

    fn add(&mut self, piece: Piece, result: tally::Outcome, context: &Context) {
        let request = Request::Add { piece, result };
        let pending = Ref::<tally::Server>::named(SERVER).request(context, request, TIMEOUT);
        self.adding.insert(pending.mark(), piece);
    }

    /// A piece got lost, and is nobody's fault. To parse it again does no harm: added is it only once.
    fn lost(&mut self, piece: Piece, error: &CallError) {
        let loss = match error {
            CallError::Ended(ExitReason::Noproc) => Loss::NeverBegun,
            _ => Loss::Underway,
        };
        if let Err(why) = self.job.again(piece, loss) {
            self.failed = Some(format!("{why}: {error}"));
        }
    }

    /// Gives a piece to each parser that waits, and tells those who want to hear of it that half is done.
    fn go_on(&mut self, context: &Context) -> Outcome {
        if self.is_half() {
            let progress = self.progress();
            self.half.drain(..).for_each(|from| from.reply(context, &progress));
        }
        while self.failed.is_none() && self.adding.len() < ADDING_MOST {
            let Some(parser) = self.idle.pop_front() else { break };
            match self.give(parser, context) {
                Ok(true) => {}
                Ok(false) => {
                    self.idle.push_front(parser);
                    break;
                }
                Err(why) => self.failed = Some(why),
            }
        }
        noreply()
    }

    /// Whether there was a piece to give.
    fn give(&mut self, parser: Pid, context: &Context) -> Result<bool, String> {
        let Some((piece, origin)) = self.job.next(&mut self.lines)? else { return Ok(false) };
        let (bytes, split) = self.lines.halved(self.job.file(), piece, self.job.length())?;
        let chunk = Raw(Body::Raw(bytes.to_vec()));
        let pending = Ref::<tally::Parser>::pid(parser).request(context, chunk, TIMEOUT);
        self.parsing.insert(pending.mark(), Parsing { piece, origin, split, parser });
        Ok(true)
    }
}

skep_sdk::export!(Reader);

#[cfg(test)]
mod tests;
