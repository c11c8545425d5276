//! The reader against parsers and a server that the test plays.

use std::collections::{BTreeMap, BTreeSet};

use skep_sdk::testing::{Action, Harness, World};
use skep_sdk::{Codec, Fault, Message};

use super::*;

/// A reader, and what it has asked so far.
struct Play {
    reader: Harness<Reader>,
    folder: tempfile::TempDir,
    parsing: BTreeMap<Mark, (Pid, Vec<u8>)>,
    adding: BTreeMap<Mark, (Piece, bool)>,
    killed: BTreeSet<Pid>,
    /// Pieces that the server has added, and whether they were rejected.
    added: BTreeMap<Piece, bool>,
    crashes: u64,
}

impl Play {
    fn new(text: &[u8], added: Vec<Piece>, parsers: usize) -> Play {
        Play::start(text, added, parsers, false)
    }

    /// A reader that keeps the end back.
    fn keeping(text: &[u8], added: Vec<Piece>, parsers: usize) -> Play {
        Play::start(text, added, parsers, true)
    }

    fn start(text: &[u8], added: Vec<Piece>, parsers: usize, keep_end: bool) -> Play {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("text");
        std::fs::write(&path, text).expect("it can be written");
        let file = path.to_str().expect("a plain path").to_owned();
        let world = World::new().on_call(move |to, _| {
            assert_eq!(*to, Address::from(SERVER));
            Ok(Reply::Added(added.clone()).encode(Codec::default()).expect("it can be written"))
        });
        let reader = Harness::start_in(world, Input { file, keep_end }).expect("init succeeds");
        let mut play = Play {
            reader,
            folder,
            parsing: BTreeMap::new(),
            adding: BTreeMap::new(),
            killed: BTreeSet::new(),
            added: BTreeMap::new(),
            crashes: 0,
        };
        (0..parsers).for_each(|_| play.parser_starts());
        play
    }

    fn parser_starts(&mut self) {
        let parser = self.reader.world().pid();
        self.reader.cast(Ready { parser });
        self.look();
    }

    /// Takes note of what the reader did.
    fn look(&mut self) {
        for action in self.reader.actions() {
            match action {
                Action::Request { mark, to: Address::Pid(parser), body: Body::Raw(bytes) } => {
                    assert!(self.parsing.values().all(|(busy, _)| *busy != parser), "one piece at a time");
                    self.parsing.insert(mark, (parser, bytes));
                }
                Action::Request { mark, to: Address::Name(name), body } if name == SERVER => {
                    let Ok(Request::Add { piece, result }) = Request::decode(body) else { panic!("no piece") };
                    self.adding.insert(mark, (piece, result == tally::Outcome::Rejected));
                }
                Action::Kill(pid) => drop(self.killed.insert(pid)),
                Action::Call { .. } => {}
                other => panic!("unexpected: {other:?}"),
            }
        }
    }

    fn answer(&mut self, mark: Mark, outcome: Result<Raw, CallError>) {
        self.reader.answer(mark, outcome);
        self.look();
    }

    /// The oldest piece that a parser has.
    fn oldest(&self) -> Mark {
        *self.parsing.keys().next().expect("a parser has a piece")
    }

    /// A parser answers, or crashes and is restarted, as its piece deserves.
    fn parse(&mut self) {
        let mark = self.oldest();
        let (_, bytes) = self.parsing.remove(&mark).expect("it is there");
        if std::str::from_utf8(&bytes).is_ok() {
            self.answer(mark, Ok(Raw(Body::Raw(bytes))));
        } else {
            self.crashes += 1;
            self.parser_fails(mark, trap());
        }
    }

    fn parser_fails(&mut self, mark: Mark, reason: ExitReason) {
        self.parsing.remove(&mark);
        self.answer(mark, Err(CallError::Ended(reason)));
        self.parser_starts();
    }

    /// The server adds what is on its way, each piece once.
    fn add(&mut self) {
        for (mark, (piece, rejected)) in std::mem::take(&mut self.adding) {
            assert!(self.added.insert(piece, rejected).is_none_or(|earlier| earlier == rejected));
            let done = Reply::Done.encode(Codec::default()).expect("it can be written");
            self.answer(mark, Ok(Raw(done)));
        }
    }

    fn finish(&mut self) {
        while !self.parsing.is_empty() || !self.adding.is_empty() {
            if !self.parsing.is_empty() {
                self.parse();
            }
            self.add();
        }
    }

    fn progress(&mut self) -> Progress {
        self.reader.call(Query::Progress).expect("a reply")
    }

    /// The texts of the rejected lines, after checking that each byte of the file was added once.
    fn rejected(&mut self, begin: u64) -> Vec<Vec<u8>> {
        assert_eq!(self.progress().stage, Stage::Done);
        let text = std::fs::read(self.folder.path().join("text")).expect("it can be read");
        let end = self.added.keys().fold(begin, |at, piece| {
            assert_eq!(piece.start, at, "no gap and no overlap");
            piece.end
        });
        assert_eq!(end, text.len() as u64);
        let bytes = |piece: &Piece| {
            text[usize::try_from(piece.start).expect("small")..usize::try_from(piece.end).expect("small")].to_vec()
        };
        self.added.iter().filter(|(_, rejected)| **rejected).map(|(piece, _)| bytes(piece)).collect()
    }
}

fn trap() -> ExitReason {
    ExitReason::Trap(Fault { kind: "unreachable".into(), message: "a line of text".into(), trace: String::new() })
}

/// Lines of different lengths; those for which `bad` holds are not UTF-8.
fn text(lines: usize, bad: impl Fn(usize) -> bool) -> Vec<u8> {
    let line = |n: usize| {
        let end: &[u8] = if bad(n) { b" \xff\n" } else { b"\n" };
        [format!("line {n}: ").into_bytes(), vec![b'x'; n % 97], end.to_vec()].concat()
    };
    (0..lines).flat_map(line).collect()
}

#[test]
fn a_file_that_is_not_there_is_told() {
    let Err(NotStarted::Failed(why)) =
        Harness::<Reader>::start(Input { file: "/nowhere/text".into(), keep_end: false })
    else {
        panic!("it should have failed");
    };
    assert!(why.starts_with("cannot open /nowhere/text: "), "{why}");
}

#[test]
fn an_empty_file_is_done_at_once() {
    let mut play = Play::new(b"", vec![], 2);
    assert_eq!(play.progress(), Progress { bytes: 0, done: 0, keeps_end: false, stage: Stage::Done });
    assert!(play.parsing.is_empty());
}

#[test]
fn every_byte_is_added_once_and_bad_lines_stand_alone() {
    type Bad = fn(usize) -> bool;
    let table: [(&str, Bad); 5] = [
        ("none", |_| false),
        ("one", |n| n == 1_234),
        ("first and last", |n| n == 0 || n == 2_999),
        ("some", |n| n % 100 < 3),
        ("all", |_| true),
    ];
    for (name, bad) in table {
        let mut play = Play::new(&text(3_000, bad), vec![], 3);
        play.reader = play.reader.always_hibernating();
        play.finish();
        let rejected = play.rejected(0);
        let expected = (0..3_000).filter(|n| bad(*n)).count();
        assert_eq!(rejected.len(), expected, "{name}");
        assert!(
            rejected.iter().all(|line| line.ends_with(b" \xff\n") && line.iter().filter(|b| **b == b'\n').count() == 1)
        );
        if name == "all" {
            // Once the pieces have become small, a bad line costs one crash, and not two.
            assert!(play.crashes < 4_500, "{}", play.crashes);
        }
    }
}

#[test]
fn no_more_pieces_are_out_than_there_are_parsers() {
    let mut play = Play::new(&text(50_000, |_| false), vec![], 3);
    assert_eq!(play.parsing.len(), 3);
    for _ in 0..20 {
        // The server adds nothing: soon nothing more is given out.
        if !play.parsing.is_empty() {
            play.parse();
        }
    }
    assert!(play.parsing.is_empty());
    assert_eq!(play.adding.len(), ADDING_MOST + 2);
    play.finish();
    assert!(play.rejected(0).is_empty());
}

#[test]
fn a_parser_that_ends_without_a_fault_of_the_piece_blames_nobody() {
    for reason in [ExitReason::Noproc, ExitReason::Killed, ExitReason::Shutdown(None)] {
        let mut play = Play::new(b"a single line", vec![], 1);
        play.parser_fails(play.oldest(), reason);
        play.finish();
        assert!(play.rejected(0).is_empty());
    }
}

#[test]
fn a_piece_that_gets_lost_again_and_again_is_given_up() {
    let mut play = Play::new(b"a single line", vec![], 1);
    for _ in 0..100 {
        // It never even got there.
        play.parser_fails(play.oldest(), ExitReason::Noproc);
    }
    for _ in 0..10 {
        play.parser_fails(play.oldest(), ExitReason::Killed);
    }
    assert_eq!(play.progress().stage, Stage::Running);
    play.parser_fails(play.oldest(), ExitReason::Killed);
    let Stage::Failed(why) = play.progress().stage else { panic!("it should have failed") };
    assert_eq!(why, "bytes 0 to 13 were lost 11 times: the callee ended: Killed");
    assert!(play.parsing.is_empty());
}

#[test]
fn a_parser_that_takes_too_long_is_killed() {
    let mut play = Play::new(b"a single line", vec![], 1);
    let mark = play.oldest();
    let (parser, _) = play.parsing.remove(&mark).expect("it is there");
    play.answer(mark, Err(CallError::Timeout));
    assert!(play.killed.contains(&parser));
    assert!(play.parsing.is_empty(), "no work for one that was killed");
    play.parser_starts();
    play.finish();
    assert!(play.rejected(0).is_empty());
}

#[test]
fn a_line_that_is_too_much_for_a_parser_is_told_with_its_number() {
    let mut play = Play::new(b"one\ntwo\nthree", vec![], 1);
    let limit = || ExitReason::Limit("memory".into());
    play.parser_fails(play.oldest(), limit());
    play.parse();
    play.parser_fails(play.oldest(), limit());
    let Stage::Failed(why) = play.progress().stage else { panic!("it should have failed") };
    assert!(why.starts_with("line 3 is too much for a parser: "), "{why}");
}

#[test]
fn a_result_that_may_not_have_arrived_is_sent_again() {
    let mut play = Play::new(b"good\nb\xffd\n", vec![], 1);
    for _ in 0..2 {
        // Parse all, and let the server fall silent.
        while !play.parsing.is_empty() {
            play.parse();
        }
        for (mark, (piece, rejected)) in std::mem::take(&mut play.adding) {
            play.added.insert(piece, rejected);
            play.answer(mark, Err(CallError::Timeout));
        }
    }
    play.finish();
    assert_eq!(play.rejected(0), [b"b\xffd\n"]);
}

#[test]
fn goes_on_where_an_earlier_reader_ended() {
    let text = text(3_000, |n| n % 500 == 7);
    let mut earlier = Play::new(&text, vec![], 3);
    for _ in 0..40 {
        earlier.parse();
        earlier.add();
    }
    // Pieces that are out when it ends are lost with it.
    assert!(!earlier.parsing.is_empty());
    let added: Vec<Piece> = earlier.added.keys().copied().collect();
    let mut play = Play::new(&text, added, 2);
    assert_eq!(play.progress().done, earlier.added.keys().map(|piece| piece.bytes()).sum::<u64>());
    play.finish();
    play.added.append(&mut earlier.added);
    assert_eq!(play.rejected(0).len(), 6);
}

#[test]
fn the_end_is_kept_back_until_it_is_told_to_go_on() {
    let table: [(&str, Vec<u8>, usize); 6] = [
        ("one line", b"a single line".to_vec(), 0),
        ("one bad line", b"\xff\n".to_vec(), 0),
        ("two lines, the last one bad", b"one\ntwo \xff".to_vec(), 1),
        ("a small file with bad lines", text(20, |n| n % 5 == 4), 1),
        ("a large file", text(3_000, |_| false), 4),
        ("one line much longer than the others", [&b"a\n".repeat(9_000)[..], &[b'x'; 100_000]].concat(), 1),
    ];
    for (name, text, least) in table {
        let mut play = Play::keeping(&text, vec![], 3);
        play.reader = play.reader.always_hibernating();
        let half = play.reader.call_open(Query::Half);
        assert_eq!(play.reader.reply_to(&half), None, "{name}");
        play.finish();
        assert!(play.added.len() >= least, "{name}: {} added", play.added.len());
        let Progress { bytes, done, keeps_end, stage } = play.progress();
        assert!(keeps_end && stage == Stage::Running && done < bytes, "{name}: {done} of {bytes}, {stage:?}");
        let told = play.reader.reply_to(&half).expect("half is done, or all that can be");
        assert!(told.done >= bytes.div_ceil(2) || told.done == done, "{name}: told at {} of {bytes}", told.done);
        // Whoever asks now need not wait.
        assert_eq!(play.reader.call(Query::Half).map(|progress| progress.done), Ok(done), "{name}");
        let by_now = play.added.len();
        assert_eq!(play.reader.call(Query::GoOn).map(|progress| progress.keeps_end), Ok(false), "{name}");
        play.look();
        play.finish();
        play.rejected(0);
        assert_eq!(play.added.len(), by_now + 1, "{name}");
    }
}

/// Told while much is left to do, and nothing stands still because of it.
#[test]
fn half_is_told_while_pieces_are_under_way() {
    let mut play = Play::keeping(&text(200_000, |_| false), vec![], 3);
    let half = play.reader.call_open(Query::Half);
    let told = loop {
        play.parse();
        play.add();
        if let Some(told) = play.reader.reply_to(&half) {
            break told;
        }
    };
    assert!(told.done >= told.bytes / 2 && told.done < told.bytes, "{told:?}");
    assert_eq!(play.parsing.len(), 3);
    assert!(play.reader.call(Query::GoOn).is_ok());
    play.finish();
    assert!(play.rejected(0).is_empty());
}

#[test]
fn told_to_go_on_before_the_end_is_there_it_keeps_nothing_back() {
    let mut play = Play::keeping(&text(3_000, |_| false), vec![], 3);
    assert!(play.reader.call(Query::GoOn).is_ok());
    play.finish();
    assert!(play.rejected(0).is_empty());
    let mut play = Play::keeping(b"", vec![], 1);
    assert_eq!(play.reader.call(Query::Half).map(|progress| progress.stage), Ok(Stage::Done));
}
