//! Random stories: processes that are born, are busy, die and fail at any moment, against rules that always hold.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// What a process has been asked, and has or has not answered.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Stage {
    Free,
    Asked,
    Stopped,
    Ordered,
    Moved,
    Resumed(Verdict),
}

/// A world as naive as can be: it believes what it is ordered, and complains.
#[derive(Default)]
struct Naive {
    upgrade: Transaction,
    living: BTreeMap<Pid, Stage>,
    /// Who was told of.
    known: BTreeSet<Pid>,
    /// Who began to wait at birth.
    held: BTreeSet<Pid>,
    births: u64,
    /// Whether births wait.
    closed: bool,
    committed: bool,
    ended: Option<bool>,
}

#[derive(Clone, Debug)]
enum Move {
    /// Somebody is born.
    Birth,
    /// Somebody dies.
    Death(usize),
    /// Somebody does what he was asked.
    Answer(usize),
    /// Somebody cannot.
    Fail(usize),
    /// Somebody tells what nobody asked for.
    Noise(usize, usize),
    Lull,
    TimeUp,
    Cancel,
}

fn a_move() -> impl Strategy<Value = Move> {
    prop_oneof![
        20 => Just(Move::Birth),
        10 => (0..50usize).prop_map(Move::Death),
        100 => (0..50usize).prop_map(Move::Answer),
        1 => (0..50usize).prop_map(Move::Fail),
        20 => (0..50usize, 0..3usize).prop_map(|(who, what)| Move::Noise(who, what)),
        20 => Just(Move::Lull),
        1 => Just(Move::TimeUp),
        1 => Just(Move::Cancel),
    ]
}

impl Naive {
    fn tell(&mut self, input: Input) {
        let mut out = Vec::new();
        self.upgrade.step(input, &mut out);
        for order in out {
            self.obey(order);
        }
    }

    fn news(&mut self, pid: Pid, news: News) {
        self.tell(Input::News { pid, news });
    }

    fn goes(&mut self, pid: Pid, from: &[Stage], to: Stage) {
        // It may have died while the order was on its way: then it has said so, or is about to.
        let Some(stage) = self.living.get_mut(&pid) else { return };
        assert!(from.contains(stage), "{pid} is {stage:?} and is to be {to:?}");
        *stage = to;
    }

    fn obey(&mut self, order: Order) {
        assert_eq!(self.ended, None, "{order:?} after the end");
        match order {
            Order::Suspend(pid) => self.goes(pid, &[Stage::Free], Stage::Asked),
            Order::Close => {
                assert!(!std::mem::replace(&mut self.closed, true), "births wait already");
                let free = |(pid, stage): (&Pid, &Stage)| (*stage == Stage::Free).then_some(*pid);
                let late: Vec<Pid> = self.living.iter().filter_map(free).collect();
                self.known.extend(&late);
                self.tell(Input::Closed(late));
            }
            Order::Open => {
                assert!(std::mem::replace(&mut self.closed, false), "nobody waits");
                self.held.clear();
            }
            Order::Migrate(pid) => {
                let all_stopped = |(pid, stage): (&Pid, &Stage)| {
                    self.held.contains(pid) || !matches!(stage, Stage::Free | Stage::Asked)
                };
                assert!(self.closed && self.living.iter().all(all_stopped), "HOT-01: somebody has not stopped");
                self.goes(pid, &[Stage::Stopped], Stage::Ordered);
                let under_way = self.living.values().filter(|stage| **stage == Stage::Ordered).count();
                assert!(under_way <= WINDOW, "too many at once");
            }
            Order::Commit => {
                let moved = |(pid, stage): (&Pid, &Stage)| self.held.contains(pid) || *stage == Stage::Moved;
                assert!(self.closed && self.living.iter().all(moved), "somebody has not moved");
                self.committed = true;
            }
            Order::Resume(pid, verdict) => {
                assert_eq!(verdict == Verdict::Commit, self.committed);
                let asked = [Stage::Asked, Stage::Stopped, Stage::Ordered, Stage::Moved];
                self.goes(pid, &asked, Stage::Resumed(verdict));
            }
            Order::End(result) => {
                assert_eq!(result.is_ok(), self.committed);
                let verdict = if self.committed { Verdict::Commit } else { Verdict::RollBack };
                for (pid, stage) in &self.living {
                    let expected = if self.known.contains(pid) { Stage::Resumed(verdict) } else { Stage::Free };
                    assert_eq!(*stage, expected, "{pid}");
                }
                self.closed = false;
                self.held.clear();
                self.ended = Some(self.committed);
            }
        }
    }

    fn somebody(&self, who: usize) -> Option<Pid> {
        self.living.keys().nth(who % self.living.len().max(1)).copied()
    }

    /// Who still has to answer.
    fn owing(&self) -> Vec<Pid> {
        let owes = |(pid, stage): (&Pid, &Stage)| matches!(stage, Stage::Asked | Stage::Ordered).then_some(*pid);
        self.living.iter().filter_map(owes).collect()
    }

    fn answer(&mut self, pid: Pid) {
        if let Some(stage) = self.living.get_mut(&pid) {
            let (next, news) = match stage {
                Stage::Asked => (Stage::Stopped, stops()),
                Stage::Ordered => (Stage::Moved, News::Migrated { bytes: 1 }),
                _ => return,
            };
            *stage = next;
            self.news(pid, news);
        }
    }

    fn play(&mut self, a_move: Move) {
        match a_move {
            Move::Birth => {
                self.births += 1;
                let newborn = pid(self.births);
                self.living.insert(newborn, Stage::Free);
                if self.closed {
                    self.held.insert(newborn);
                }
            }
            Move::Death(who) => {
                if let Some(pid) = self.somebody(who) {
                    self.living.remove(&pid);
                    self.news(pid, News::Gone);
                }
            }
            Move::Answer(who) => {
                let owing = self.owing();
                if let Some(pid) = owing.get(who % owing.len().max(1)) {
                    self.answer(*pid);
                }
            }
            Move::Fail(who) => {
                let who = self.somebody(who);
                if let Some(pid) = who.filter(|pid| self.living[pid] == Stage::Ordered) {
                    self.living.insert(pid, Stage::Stopped);
                    self.news(pid, News::NotMigrated(refused()));
                    assert_eq!(self.ended, Some(false));
                }
            }
            Move::Noise(who, what) => {
                let pid = pid(who as u64);
                let means_something = match self.living.get(&pid) {
                    Some(Stage::Asked) => what == 0,
                    Some(Stage::Ordered) => what != 0,
                    _ => false,
                };
                if !means_something {
                    let before = format!("{:?}", self.upgrade);
                    self.news(pid, [stops(), News::Migrated { bytes: 1 }, News::NotMigrated(refused())][what].clone());
                    assert_eq!(format!("{:?}", self.upgrade), before);
                }
            }
            Move::Lull => self.tell(Input::Lull),
            Move::TimeUp => {
                self.tell(Input::TimeUp);
                assert!(self.ended.is_some(), "the time is over and it goes on");
            }
            Move::Cancel => {
                self.tell(Input::Cancel);
                assert!(self.ended.is_some(), "it was called off and goes on");
            }
        }
    }
}

fn run(first: u64, moves: Vec<Move>) {
    let mut world = Naive::default();
    for _ in 0..first {
        world.play(Move::Birth);
    }
    let found: Vec<Pid> = world.living.keys().copied().collect();
    world.known.extend(&found);
    world.tell(Input::Found(found));
    for one in moves {
        world.play(one);
    }
    // From now on everybody does what he is asked.
    for _ in 0..10_000 {
        let owing = world.owing();
        match owing.first() {
            Some(pid) => world.answer(*pid),
            None => break,
        }
    }
    assert!(world.ended.is_some() && world.upgrade.is_over(), "it never ends: {:?}", world.upgrade);
    assert!(!world.closed, "births wait for ever");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]
    #[test]
    fn hot_09_whatever_fails_whenever_it_ends_and_everybody_goes_on(
        first in 0..25u64,
        moves in prop::collection::vec(a_move(), 0..150),
    ) {
        run(first, moves);
    }
}
