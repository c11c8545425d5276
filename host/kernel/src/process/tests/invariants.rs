//! What holds whenever nobody has anything to do, whatever happened before.

use super::guest::{Blocked, Stage};
use super::world::{Person, World};
use crate::process::calls::{Asked, Block};
use crate::process::code_change::Change;
use crate::process::lifecycle::Idle;
use crate::process::*;
use crate::{Address, Event};

impl World {
    /// Checks every process and what lies between them. Nobody runs and nothing is under way.
    pub(super) fn check_at_rest(&self) {
        assert!(self.lanes.values().all(|lane| lane.is_empty()), "signals are under way: {:?}", self.lanes);
        assert!(self.queue.is_empty());
        if self.upgrade.is_none() {
            self.check_nobody_is_suspended();
        }
        for (&pid, person) in &self.people {
            if person.process.is_gone() {
                self.check_gone(pid, person);
            } else {
                check_idle(pid, person);
                self.check_links(pid, person);
                self.check_watching(pid, person);
                self.check_waiting(pid, person);
                self.check_name(pid, person);
            }
        }
        for (name, holder) in self.names.iter() {
            assert_eq!(self.people[&holder].process.name(), Some(name), "{holder} does not know its name");
        }
        self.check_circles();
    }

    /// HOT-09: whatever became of it, an upgrade that is over leaves nobody behind.
    fn check_nobody_is_suspended(&self) {
        for (pid, person) in self.people.iter().filter(|(_, person)| !person.process.is_gone()) {
            let process = &person.process;
            assert!(
                matches!(process.affairs.change, Change::None),
                "{pid} is left in an upgrade: {:?}",
                process.affairs.change
            );
            if let Some(state) = process.saved_state() {
                assert_eq!(state.version, self.code.0, "{pid} has a state of other code");
            } else if process.kind() == Kind::Server {
                assert_eq!(person.guest.code, self.code, "{pid} runs on other code");
            }
        }
    }

    /// Nobody has anything to do, and an upgrade is not over: because of somebody who is in the middle of something.
    pub(super) fn check_upgrade_waits(&self) {
        let waited_for = self.people.iter().filter(|(pid, person)| {
            let process = &person.process;
            let member = process.kind() == Kind::Server && !process.is_gone();
            member && if process.is_suspended() { self.troubles.contains_key(pid) } else { process.is_blocked() }
        });
        assert_ne!(waited_for.count(), 0, "the upgrade waits for nobody: {:?}", self.upgrade);
    }

    fn alive(&self, pid: Pid) -> Option<&Process> {
        self.people.get(&pid).map(|person| &person.process).filter(|process| !process.is_gone())
    }

    /// Nothing of a process outlives it.
    fn check_gone(&self, pid: Pid, person: &Person) {
        let process = &person.process;
        assert!(!person.listed, "{pid} is gone and can be found");
        assert_eq!(process.name(), None);
        assert!(process.mailbox().is_empty() && process.mailbox().bytes() == 0, "MBX-06: {pid} keeps its mail");
        assert!(process.links.is_empty() && process.affairs.watchers.is_empty() && process.affairs.monitors.is_empty());
        assert_eq!(process.aliases_open(), 0, "{pid} leaves an alias");
        assert!(process.affairs.requests.is_empty() && process.timers_running() == 0 && !process.is_blocked());
        assert!(process.affairs.plan.init_timer.is_none() && process.affairs.plan.hibernate_timer.is_none());
        assert!(!matches!(process.affairs.plan.idle, Idle::Armed { .. }));
        assert_eq!((process.saved_bytes(), person.guest.stage.clone()), (None, Stage::Absent));
        assert_eq!((process.status(), process.is_evictable(), process.is_doomed()), ("gone", false, true));
    }

    /// LINK-01: both sides know of a link.
    fn check_links(&self, pid: Pid, person: &Person) {
        for peer in person.process.links() {
            assert_ne!(peer, pid, "LINK-05: linked to itself");
            let there = self.alive(peer).unwrap_or_else(|| panic!("{pid} is linked to {peer}, which is gone"));
            assert!(there.links.contains(&pid), "{pid} is linked to {peer}, which does not know");
        }
    }

    /// A monitor is known to both sides, and so is a call; whoever is gone has been reported.
    fn check_watching(&self, pid: Pid, person: &Person) {
        for (mark, monitor) in &person.process.affairs.monitors {
            let Some(target) = monitor.pid else { panic!("{pid} was not told that nobody holds {:?}", monitor.target) };
            assert!(matches!(&monitor.target, Address::Name(_)) || monitor.target.pid() == Some(target));
            let there = self.alive(target).unwrap_or_else(|| panic!("{pid} was not told of the end of {target}"));
            let known = Watcher { pid, mark: *mark, why: Watch::Monitor };
            let count =
                there.affairs.watchers.iter().chain(&there.affairs.behind).filter(|watcher| **watcher == known).count();
            assert_eq!(count, 1, "{pid} monitors {target}, which does not know");
        }
        for (mark, mode) in &person.process.affairs.aliases {
            let needs_monitor = matches!(mode, AliasMode::Demonitor | AliasMode::ReplyDemonitor);
            let is_set = person.process.affairs.monitors.contains_key(mark);
            assert!(!needs_monitor || is_set, "{pid} has an alias whose monitor is over");
        }
        for watcher in person.process.affairs.watchers.iter().chain(&person.process.affairs.behind) {
            if self.late.contains(&(watcher.pid, watcher.mark)) {
                continue;
            }
            let there = self.alive(watcher.pid).unwrap_or_else(|| panic!("{pid} is watched by {}, gone", watcher.pid));
            let known = match watcher.why {
                Watch::Monitor => {
                    there.affairs.monitors.get(&watcher.mark).is_some_and(|monitor| monitor.pid == Some(pid))
                }
                Watch::Call => there.affairs.requests.contains_key(&watcher.mark),
            };
            assert!(known, "{pid} is watched by {}, which does not know: {watcher:?}", watcher.pid);
        }
    }

    /// Whoever waits for somebody will be told, because that somebody lives and knows.
    fn check_waiting(&self, pid: Pid, person: &Person) {
        let process = &person.process;
        for (mark, request) in &process.affairs.requests {
            match &request.what {
                Asked::Call(Callee::Nobody) => panic!("{pid} asked nobody"),
                Asked::Call(_) if self.unheard.contains(&(pid, *mark)) => {}
                Asked::Call(Callee::Pid(callee) | Callee::Behind(callee)) => {
                    let there =
                        self.alive(*callee).unwrap_or_else(|| panic!("{pid} waits for {callee}, which is gone"));
                    let known = Watcher { pid, mark: *mark, why: Watch::Call };
                    assert!(
                        there.affairs.watchers.iter().chain(&there.affairs.behind).any(|watcher| *watcher == known),
                        "{pid} waits for {callee}, which does not know"
                    );
                }
                Asked::Spawn { child, .. } => {
                    let there = self.alive(*child).unwrap_or_else(|| panic!("{pid} waits for {child}, which is gone"));
                    assert!(there.starter().is_some(), "{pid} waits for {child}, which is up");
                }
            }
        }
        let waits_for = match person.guest.blocked {
            Blocked::No | Blocked::More => {
                assert!(!process.is_blocked() || process.kind() == Kind::Native, "{pid} blocks without knowing");
                return;
            }
            Blocked::Call(mark) | Blocked::Spawn(mark) | Blocked::Alive(mark) => Some(mark),
            Blocked::Receive => None,
        };
        assert_eq!(process.status() == "starting", process.starter().is_some() || process.phase == Phase::Starting);
        if let Some(mark) = waits_for {
            assert!(process.affairs.requests.contains_key(&mark), "{pid} waits for an answer that will not come");
        }
    }

    fn check_name(&self, pid: Pid, person: &Person) {
        if let Some(name) = person.process.name() {
            assert_eq!(self.names.whereis(name), Some(pid));
        }
    }
}

/// No wake-up is lost: whoever is on no queue and no worker has nothing to do.
fn check_idle(pid: Pid, person: &Person) {
    let process = &person.process;
    assert!(person.listed, "{pid} lives and cannot be found");
    assert_eq!((process.run, person.running), (Run::Idle, false), "{pid}");
    assert_eq!(process.doom(), None, "{pid} should have ended");
    assert!(!process.has_request_to_serve(), "{pid} lets an operator wait");
    let is_asked = process.is_held() || process.has_system_message();
    assert_eq!(process.affairs.system.is_some(), is_asked, "{pid} keeps what nobody asks of it");
    let asked_to_hold = process.has_system_message() && process.is_between_messages();
    assert!(
        !asked_to_hold || !matches!(process.affairs.change, Change::None),
        "{pid} does not stop, or does not serve"
    );
    assert!(person.mail.len() <= process.mailbox.len(), "HOT-02: {pid} has lost mail");
    if process.is_suspended() {
        return check_suspended(pid, person);
    }
    assert_ne!(process.phase, Phase::New, "{pid} should have begun");
    match &process.affairs.block {
        Block::None => {
            assert!(process.mailbox().is_empty(), "{pid} has mail and sleeps");
            assert!(
                process.affairs.plan.continued.is_none() && process.affairs.plan.stop.is_none(),
                "{pid} has plans and sleeps"
            );
            assert!(!matches!(process.affairs.plan.idle, Idle::Due), "{pid} was not told that it is idle");
        }
        // What it waits for is no signal: the shell says when it is there.
        Block::Shell(_) => {}
        Block::Call { answer, .. } => assert_eq!(*answer, None, "{pid} has its answer and sleeps"),
        Block::Spawn { answer, .. } => assert_eq!(*answer, None, "{pid} has its child and sleeps"),
        Block::Receive { wanted, expired, .. } => {
            assert!(!expired, "{pid} has waited long enough");
            let mut events = std::iter::successors(process.mailbox().behind(None), |(number, _)| {
                process.mailbox().behind(Some(*number))
            });
            let sleeps_on = events.find(|(number, event)| match wanted {
                Wanted::Any => true,
                Wanted::Marked(marks) => event.mark().is_some_and(|mark| marks.contains(&mark)),
                Wanted::Behind(last) => last.is_none_or(|last| *number > last),
            });
            assert_eq!(sleeps_on, None, "{pid} receives, has mail and sleeps");
        }
    }
    let expected = match (process.phase, &process.affairs.block, process.saved_bytes()) {
        (Phase::Starting, ..) => "starting",
        (Phase::Stopping, ..) => "stopping",
        (_, Block::None, Some(_)) => "hibernating",
        (_, Block::None, None) => "waiting",
        _ => "blocked",
    };
    assert_eq!(process.status(), expected, "{pid}");
    assert_eq!(process.saved_bytes().is_some(), person.guest.stage == Stage::Absent, "{pid}: state or instance");
}

/// Whoever is suspended has told so, and waits for the upgrade, whatever else there is.
fn check_suspended(pid: Pid, person: &Person) {
    let process = &person.process;
    assert!(!process.is_blocked() && process.affairs.plan.handling.is_none(), "{pid} is in the middle of something");
    assert!(
        process.affairs.plan.continued.is_none() && process.affairs.plan.stop.is_none(),
        "{pid} has plans and is suspended"
    );
    let expected = if process.phase == Phase::New { "starting" } else { "suspended" };
    assert_eq!(process.status(), expected, "{pid}");
    let stage = &person.guest.stage;
    match (process.phase, process.saved_bytes()) {
        (Phase::New, None) => assert_eq!(*stage, Stage::Absent, "{pid}"),
        (Phase::Up, None) => {
            assert!(matches!(stage, Stage::Loop | Stage::Taking { asleep: false }), "{pid}: {stage:?}")
        }
        (Phase::Up, Some(_)) => {
            assert!(matches!(stage, Stage::Absent | Stage::Taking { asleep: true }), "{pid}: {stage:?}");
        }
        (phase, saved) => panic!("{pid} is suspended: {phase:?}, {saved:?}"),
    }
}

impl World {
    /// Who stands still in which request, and to whom.
    fn standing(&self, pid: Pid) -> Option<(Mark, Pid)> {
        let process = &self.people.get(&pid).filter(|person| person.listed)?.process;
        let (Block::Call { mark, answer: None } | Block::Spawn { mark, answer: None }) = &process.affairs.block else {
            return None;
        };
        match process.waits_for()? {
            WaitsFor::Reply(to) | WaitsFor::Start(to) => Some((*mark, to?)),
            WaitsFor::Message | WaitsFor::Supervisor => None,
        }
    }

    /// Nobody is left in a circle in which nobody has begun with what the one before it wants.
    fn check_circles(&self) {
        let unheard = |pid: &Pid| {
            let (mark, to) = self.standing(*pid)?;
            let of_it = |event: &Event| event.caller() == Some(Caller { pid: *pid, mark });
            self.people[&to].process.mailbox().oldest().any(of_it).then_some(to)
        };
        for &pid in self.people.keys() {
            let mut chain = std::iter::successors(unheard(&pid), unheard).take(self.people.len());
            assert!(!chain.any(|waits_for| waits_for == pid), "{pid} is in a circle");
        }
    }
}
