//! Random sequences: whatever happens in whatever order, some things always hold.
//!
//! All processes may be on workers at once, and everything that anybody has to perform is mixed at will, as threads
//! would. At the end everything comes to rest; then time passes until no timer is left.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::{ProptestConfig, prop, proptest};

use super::dice::{MOST, Move, a_move, a_move_of_callers};
use super::guest::{Blocked, Stage};
use super::notation;
use super::op::Op;
use super::world::{Code, Duty, Lane, Seen, Sight, World};
use crate::process::*;
use crate::upgrade::Input;
use crate::{Action, Body, Event, Signal, Want};

impl World {
    fn pick(&self, who: usize) -> Pid {
        *self.people.keys().nth(who % self.people.len()).expect("somebody")
    }

    /// Somebody who is on a worker and has nothing else to perform.
    fn pick_running(&self, who: usize) -> Option<Pid> {
        let running = self.people.iter().filter(|(pid, person)| person.running && !self.is_busy(Lane::Of(**pid)));
        let running: Vec<Pid> = running.map(|(pid, _)| *pid).collect();
        running.get(who % running.len().max(1)).copied()
    }

    fn strike_later(&mut self, to: Pid, signal: Signal) {
        self.give(Lane::Outside, Duty::Action { owner: to, action: Action::Deliver { to, signal } });
    }

    fn play(&mut self, a_move: Move) {
        match a_move {
            // One thread does one thing at a time, so a process that still performs something has not been put down.
            Move::Begin => {
                if let Some(pid) = self.queue.pop_front() {
                    if self.is_busy(Lane::Of(pid)) {
                        self.queue.push_back(pid);
                    } else {
                        self.begin_turn(pid);
                    }
                }
            }
            Move::GoOn(who) => {
                if let Some(pid) = self.pick_running(who) {
                    self.go_on(pid);
                }
            }
            Move::Do(who, dice) => self.play_op(who, dice),
            Move::Perform(lane) => {
                let lanes: Vec<Lane> = self.lanes.keys().copied().collect();
                if let Some(lane) = lanes.get(lane % lanes.len().max(1)) {
                    self.lane_step(*lane);
                }
            }
            Move::Tick(ms) => {
                self.now += Duration::from_millis(ms);
                self.ring();
            }
            Move::Nudge(who) => {
                self.strike_later(self.pick(who), Signal::Message(Event::Cast(Body::Json(String::new()))));
            }
            Move::Upgrade(troubles) => {
                if self.upgrade.is_none() {
                    self.begin_upgrade();
                    self.troubles = troubles.into_iter().map(|(who, trouble)| (self.pick(who), trouble)).collect();
                }
            }
            Move::Coordinate => {
                self.coordinate();
            }
            Move::Free(who) => self.free(self.pick(who)),
            Move::Cancel => self.tell_upgrade(Input::Cancel),
            Move::TimeUp => self.tell_upgrade(Input::TimeUp),
            Move::Settle => self.come_to_rest(),
            Move::Kill(who) => self.strike_later(self.pick(who), Signal::Kill),
            Move::Ask(who, request) => {
                self.asked += 1;
                self.unanswered.insert(self.asked);
                self.strike_later(self.pick(who), Signal::System { id: self.asked, request });
            }
            Move::Evict(who) => self.strike_later(self.pick(who), Signal::Evict(Want::Room)),
            Move::Exit(who, reason) => {
                let from = self.pick(0);
                self.strike_later(self.pick(who), Signal::Exit { from, reason });
            }
        }
    }

    fn play_op(&mut self, who: usize, dice: super::dice::Dice) {
        let Some(pid) = self.pick_running(who) else { return };
        let guest = &self.people[&pid].guest;
        let acts = matches!(guest.stage, Stage::Init | Stage::Handler | Stage::Terminating(_));
        if !acts || guest.blocked != Blocked::No || !guest.script.is_empty() {
            return self.go_on(pid);
        }
        let Some(op) = self.op(pid, dice) else { return };
        let is_pairwise = matches!(op, Op::Link(_) | Op::Unlink(_));
        self.person(pid).guest.script.push_back(op);
        self.go_on(pid);
        if is_pairwise {
            // Whoever performs these does it for one pair at a time: two that cross would leave half a link.
            while self.lane_step(Lane::Of(pid)) {}
        }
    }

    /// Everybody finishes what he is at.
    pub(super) fn come_to_rest(&mut self) {
        for _ in 0..10_000 {
            self.work_off();
            let running = self.people.iter().find(|(_, person)| person.running).map(|(pid, _)| *pid);
            match running {
                Some(pid) => self.go_on(pid),
                None if self.coordinate() => {}
                None if !self.queue.is_empty() => self.play(Move::Begin),
                // Somebody is busy for ever, or finds no room.
                None if self.upgrade.is_some() => {
                    self.check_upgrade_waits();
                    self.tell_upgrade(Input::TimeUp);
                }
                None => return,
            }
        }
        panic!("it never comes to rest");
    }

    /// Nothing of a process is seen after its end, and messages of one sender come in the order in which they were sent.
    fn check_seen(&self) {
        let mut last: BTreeMap<(Pid, String), u64> = BTreeMap::new();
        let mut ended = Vec::new();
        let mut codes: BTreeMap<Pid, Code> = BTreeMap::new();
        for Sight { who, code, what } in &self.seen {
            // What is told of an upgrade may still be on its way then.
            let is_news = matches!(what, Seen::Stops(_) | Seen::Moves | Seen::Stays(_) | Seen::Informs(_));
            assert!(is_news || !ended.contains(who), "{who} has ended, and then: {what:?}");
            let before = codes.insert(*who, *code).unwrap_or_default();
            assert!(before <= *code, "HOT-02: {who} goes back from new code to old: {what:?}");
            match what {
                Seen::Ends(_) => ended.push(*who),
                Seen::Event(Event::Call { body, .. } | Event::Cast(body) | Event::Info(body)) => {
                    let text = std::str::from_utf8(body.as_bytes()).expect("text");
                    let Some((route, number)) = text.split_once('#') else { continue };
                    let number = number.parse().expect("a number");
                    let before = last.insert((*who, route.into()), number).unwrap_or(0);
                    assert!(before < number, "{who} saw {route} {before} and then {number}");
                }
                _ => {}
            }
        }
    }
}

fn run(moves: Vec<Move>) {
    let mut world = World::default();
    let first = ["", "init={trap on}", "mailbox=3 hibernate=0 slow", "task init={receive 40}", "links=2 monitors=2"];
    for (number, options) in first.into_iter().enumerate() {
        let child = notation::child(&format!("p{number}"), options);
        let pid = world.new_pid(&child.label);
        let birth = World::birth(pid, &child, None, None);
        world.give(Lane::Outside, birth);
    }
    world.work_off();
    for one in moves {
        world.play(one);
    }
    world.come_to_rest();
    world.check_at_rest();
    // Long enough for every timer, and for whatever follows from it.
    for _ in 0..MOST {
        world.wait(Duration::from_secs(100));
    }
    world.check_at_rest();
    assert!(world.timers.is_empty(), "{:?}", world.timers);
    world.check_seen();
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]
    #[test]
    fn whatever_happens_in_whatever_order(moves in prop::collection::vec(a_move(), 0..900)) {
        run(moves);
    }

    /// That nobody is left in a circle is checked whenever all come to rest.
    #[test]
    fn whoever_calls_whom(moves in prop::collection::vec(a_move_of_callers(), 0..300)) {
        run(moves);
    }
}
