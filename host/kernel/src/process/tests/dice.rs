//! What random tests may do: moves of the world, and operations of whichever guest is running.

use std::time::Duration;

use proptest::prelude::*;

use super::coordinator::Trouble;
use super::guest::Stage;
use super::notation;
use super::op::{Op, SpawnOp};
use super::world::{Lane, World};
use crate::process::*;
use crate::system::SystemRequest;
use crate::{Body, Next};

/// Processes that may ever be born in one run.
pub(super) const MOST: usize = 12;

/// One move. Numbers pick from what there is.
#[derive(Clone, Debug)]
pub(super) enum Move {
    /// A worker takes a process off the queue.
    Begin,
    /// A process that is on a worker goes on.
    GoOn(usize),
    /// A process that is on a worker does something first.
    Do(usize, Dice),
    /// Somebody's next duty is performed.
    Perform(usize),
    /// Time passes.
    Tick(u64),
    /// A process is told to begin with an empty handler.
    Nudge(usize),
    Kill(usize),
    Evict(usize),
    /// An operator asks something.
    Ask(usize, SystemRequest),
    Exit(usize, ExitReason),
    /// The code is replaced, with these troubles.
    Upgrade(Vec<(usize, Trouble)>),
    /// Whoever performs the upgrade does one thing.
    Coordinate,
    /// Whatever is in the way of somebody's migration is no longer.
    Free(usize),
    Cancel,
    TimeUp,
    /// Everybody finishes what he is at.
    Settle,
}

/// An operation to be: which, on whom, and how.
#[derive(Clone, Debug)]
pub(super) struct Dice {
    what: usize,
    whom: usize,
    number: u64,
    flag: bool,
    reason: ExitReason,
}

fn reason() -> impl Strategy<Value = ExitReason> {
    prop_oneof![
        2 => Just(ExitReason::Normal),
        1 => Just(ExitReason::Shutdown(None)),
        1 => Just(ExitReason::failed("boom")),
    ]
}

fn dice() -> impl Strategy<Value = Dice> {
    (0..72usize, 0..MOST, 0..100u64, any::<bool>(), reason()).prop_map(|(what, whom, number, flag, reason)| Dice {
        what,
        whom,
        number,
        flag,
        reason,
    })
}

fn trouble() -> impl Strategy<Value = Trouble> {
    prop_oneof![
        1 => Just(Trouble::Refuses),
        1 => Just(Trouble::Crashes),
        6 => (0..4u32).prop_map(Trouble::Slow),
        2 => Just(Trouble::Stuck),
        4 => Just(Trouble::NoRoom),
    ]
}

fn request() -> impl Strategy<Value = SystemRequest> {
    prop_oneof![
        3 => Just(SystemRequest::Suspend),
        6 => Just(SystemRequest::Resume),
        4 => Just(SystemRequest::GetState),
        4 => Just(SystemRequest::ReplaceState),
        1 => reason().prop_map(SystemRequest::Terminate),
    ]
}

pub(super) fn a_move() -> impl Strategy<Value = Move> {
    prop_oneof![
        100 => Just(Move::Begin),
        120 => (0..MOST).prop_map(Move::GoOn),
        300 => (0..MOST, dice()).prop_map(|(who, dice)| Move::Do(who, dice)),
        150 => (0..MOST).prop_map(Move::Perform),
        20 => (0..40u64).prop_map(Move::Tick),
        60 => (0..MOST).prop_map(Move::Nudge),
        2 => (0..MOST).prop_map(Move::Kill),
        10 => (0..MOST).prop_map(Move::Evict),
        30 => (0..MOST, request()).prop_map(|(who, request)| Move::Ask(who, request)),
        2 => (0..MOST, reason()).prop_map(|(who, why)| Move::Exit(who, why)),
        40 => prop::collection::vec((0..MOST, trouble()), 0..3).prop_map(Move::Upgrade),
        400 => Just(Move::Coordinate),
        10 => (0..MOST).prop_map(Move::Free),
        1 => Just(Move::Cancel),
        1 => Just(Move::TimeUp),
        10 => Just(Move::Settle),
    ]
}

/// A move of processes that do little but call each other, most of them without an end to their patience.
pub(super) fn a_move_of_callers() -> impl Strategy<Value = Move> {
    let call = (0..MOST, 0..MOST, 0..12u64).prop_map(|(who, whom, number)| {
        let what = if number == 11 { 17 } else { 11 };
        Move::Do(who, Dice { what, whom, number: 8 * number, flag: false, reason: ExitReason::Normal })
    });
    prop_oneof![
        10 => Just(Move::Begin),
        10 => (0..MOST).prop_map(Move::GoOn),
        20 => call,
        25 => (0..MOST).prop_map(Move::Perform),
        10 => (0..MOST).prop_map(Move::Nudge),
        1 => (0..40u64).prop_map(Move::Tick),
    ]
}

impl World {
    /// The operation that the dice mean for this process, if there can be one.
    pub(super) fn op(&mut self, pid: Pid, dice: Dice) -> Option<Op> {
        let Dice { what, whom, number, flag, reason } = dice;
        let labels: Vec<&String> = self.labels.keys().collect();
        let others: Vec<&&String> = labels.iter().filter(|label| number < 5 || self.pid(label) != pid).collect();
        let to = String::clone(others[whom % others.len()]);
        let name = format!("n{}", number % 3);
        let timeout = (number % 4 != 0).then_some(number);
        // Who, to whom, and a number that grows: what order is judged by.
        self.posted += 1;
        let body = Body::Text(format!("{}>{to}#{}", self.label(pid), self.posted));
        let alias = self.an_alias(whom, number);
        let known = self.people[&pid].guest.marks.keys().nth(whom % 4).cloned();
        Some(match what {
            0..8 => Op::Send(to, body),
            8..11 => Op::Cast(to, body),
            11..17 => Op::Call { to, timeout, body },
            17..20 => Op::Request { to, timeout, body },
            20 if flag => Op::Abandon(to),
            20 if number < 5 => Op::Halt { to, timeout, reason },
            20 => Op::Reply(body),
            21 => Op::Next(Next::Continue(Body::Json("say continued".into()))),
            22..26 => Op::Answer { whose: to, body },
            26..30 => Op::Link(to),
            30..32 => Op::Unlink(to),
            32..35 => Op::Monitor(to),
            35 => Op::Monitor(format!("@{name}")),
            36..38 => Op::Demonitor { of: known?, flush: flag },
            38..40 => Op::Trap(flag),
            40 => Op::Exit(to, reason),
            41 if number < 70 => Op::Reply(body),
            41 if flag => Op::Kill(to),
            41 => Op::Crash("unreachable".into()),
            42..47 => self.some_child(number, flag).map_or(Op::Monitor(to), |child| Op::Spawn(Box::new(child))),
            47..49 => Op::Timer { label: format!("t{number}"), ms: number },
            49 => Op::After { label: format!("t{number}"), ms: number, to },
            50 => Op::Cancel(known?),
            51 => Op::Left(known?),
            52 if flag => Op::Unregister(name),
            52 => Op::Register(name),
            53..56 if self.people[&pid].process.kind() != Kind::Task => Op::Monitor(to),
            53 | 54 => Op::Receive { only: None, timeout: Some(number) },
            55 => Op::Receive { only: Some(known?), timeout: Some(number) },
            // Only a handler may ask for more.
            56 if self.people[&pid].guest.stage == Stage::Handler => Op::More,
            56 => Op::Monitor(to),
            57 => Op::Next(Next::WaitFor(number)),
            58 if flag => Op::Next(Next::Hibernate),
            58 => Op::Spin,
            60..62 => {
                let mode = if flag { AliasMode::Reply } else { AliasMode::ExplicitUnalias };
                Op::Alias { label: format!("a{}", number % 5), mode }
            }
            62..65 => {
                let modes = [AliasMode::ExplicitUnalias, AliasMode::Demonitor, AliasMode::ReplyDemonitor];
                let alias = modes.into_iter().nth(usize::try_from(number % 4).ok()?);
                let tag = flag.then(|| Body::Text("tag".into()));
                Op::Watch { of: to, label: format!("w{}", number % 5), tag, alias }
            }
            65 => Op::Unalias(known?),
            66 | 67 => Op::Send(alias?, body),
            68 => Op::Cast(alias?, body),
            69 if flag => Op::Call { to: alias?, timeout: Some(number), body },
            69 => Op::Request { to: alias?, timeout: Some(number), body },
            70 => Op::Alive(to),
            71 if self.people[&pid].process.kind() == Kind::Task => {
                Op::Choose { text: "there is no such text".into(), timeout: Some(number) }
            }
            71 => Op::TimerAt { label: format!("t{number}"), ms: number },
            59 if number < 10 => Op::Fail("bad".into()),
            59 if number < 30 => Op::Next(Next::Stop(reason)),
            _ => Op::Hold(flag),
        })
    }

    /// An alias of somebody, open or not. Nobody can know of one before the monitor that it was made with has been asked for.
    fn an_alias(&self, whom: usize, number: u64) -> Option<String> {
        let told = self.labels.iter().filter(|(_, pid)| !self.is_busy(Lane::Of(**pid)));
        let known = told.flat_map(|(who, pid)| {
            let aliases = self.people.get(pid).map(|person| person.guest.aliases.keys());
            aliases.into_iter().flatten().map(move |label| format!("~{who}.{label}"))
        });
        let known: Vec<String> = known.collect();
        known.get((whom + usize::try_from(number).ok()?) % known.len().max(1)).cloned()
    }

    fn some_child(&self, number: u64, flag: bool) -> Option<SpawnOp> {
        let label = format!("p{}", self.labels.len());
        let mut child = notation::child(&label, "mailbox=6 timers=4 links=4 monitors=5 requests=4");
        child.link = number & 1 == 0;
        child.monitor = number & 2 == 0;
        child.kind = [Kind::Server, Kind::Server, Kind::Task, Kind::Native][usize::try_from(number / 4 % 4).ok()?];
        child.pinned = number & 16 != 0;
        child.slow = flag;
        child.hibernate_after = (number & 32 != 0).then(|| Duration::from_millis(number % 3 * 20));
        child.name = (number & 64 != 0).then(|| "n0".into());
        child.init = match number % 11 {
            0 => vec![Op::Ignore],
            1 => vec![Op::Trap(true)],
            2 => vec![Op::Next(Next::Stop(ExitReason::failed("start")))],
            _ => Vec::new(),
        };
        let waiting = if flag { Waiting::Blocking } else { Waiting::AsEvent };
        (self.labels.len() < MOST).then_some(SpawnOp { child, waiting })
    }
}
