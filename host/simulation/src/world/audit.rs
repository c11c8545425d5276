//! What holds whenever nobody has anything to do, and what is left when all has ended.

use skep_kernel::process::Kind;

use super::*;
use crate::account::{Asked, Question, Way};

impl World {
    /// Checks every process and what lies between them. Nobody runs and nothing is under way.
    pub(crate) fn audit(&mut self) {
        let pids: Pids = self.cells.values().map(|cell| cell.pid).collect();
        for pid in &pids {
            self.audit_parent(*pid);
        }
        self.audit_answers();
        self.audit_directory();
        for pid in pids {
            if self.violation.is_some() {
                return;
            }
            self.audit_wake_ups(pid);
            self.audit_ties(pid);
            self.audit_waiting(pid);
            self.audit_circles(pid);
        }
        let wrong = self.names.iter().find(|(_, holder)| !self.is_alive(*holder));
        if let Some((name, holder)) = wrong.map(|(name, holder)| (Arc::clone(name), holder)) {
            self.violated(Invariant::NamesFree, format!("{holder} has ended and is called {name}"));
        }
    }

    /// Whoever is on no queue and no worker has nothing to do.
    fn audit_wake_ups(&mut self, pid: Pid) {
        let cell = &self.cells[&pid.id];
        let process = &cell.process;
        if process.is_gone() {
            return self.violated(Invariant::Leaks, format!("{pid} has ended and can be found"));
        }
        let waits_for_room = self.rooms.waiting.contains(&pid);
        if process.is_doomed() {
            return self.violated(Invariant::WakeUps, format!("{pid} is to end, and nobody looks"));
        }
        let is_idle = !process.is_blocked() && !process.is_suspended() && !process.is_held() && !waits_for_room;
        if is_idle && !process.mailbox().is_empty() {
            return self.violated(Invariant::WakeUps, format!("{pid} is {} and has mail", process.status()));
        }
        if is_idle
            && matches!(process.status(), "starting" | "stopping" | "runnable" | "running")
            && process.kind() != Kind::Native
        {
            return self.violated(Invariant::WakeUps, format!("{pid} is {} and nobody looks", process.status()));
        }
        if waits_for_room && self.room_is_free() {
            return self.violated(Invariant::WakeUps, format!("{pid} waits for room, and there is some"));
        }
        if let Content::Overseer(overseer) = &cell.content
            && overseer.owes_answers()
        {
            return self.violated(Invariant::Requests, format!("{pid} has not answered all requests"));
        }
        if self.coordinator.is_none() && process.is_suspended() && !process.is_held() {
            return self.violated(Invariant::Suspended, format!("{pid} is suspended, by nobody"));
        }
        if process.mailbox().is_empty() {
            let result = cell.account.nothing_waits();
            self.check(pid, result);
        }
    }

    /// Both sides know of a link, and each monitor watches somebody.
    fn audit_ties(&mut self, pid: Pid) {
        let cell = &self.cells[&pid.id];
        let account = &cell.account;
        let mut wrong = None;
        if let Some(of) = account.exits_due.first() {
            wrong = Some((Invariant::Exits, format!("{pid} is linked to {of}, which has ended")));
        }
        let linked: BTreeSet<Pid> = cell.process.links().collect();
        for peer in &linked {
            let there = self.cells.get(&peer.id);
            if !there.is_some_and(|there| there.process.links().any(|back| back == pid)) {
                wrong = wrong.or(Some((Invariant::Links, format!("{pid} is linked to {peer}, which does not know"))));
            }
        }
        if linked != account.links {
            let why = format!("{pid} has links {linked:?}, and should have {:?}", account.links);
            wrong = wrong.or(Some((Invariant::Links, why)));
        }
        for (mark, watch) in account.monitors.iter().filter(|(_, watch)| watch.way == Way::Open) {
            if !watch.target.is_some_and(|target| self.is_alive(target)) {
                wrong = wrong.or(Some((Invariant::Downs, format!("{pid} was not told: {mark:?} {watch:?}"))));
            }
        }
        if let Some((invariant, what)) = wrong {
            self.violated(invariant, what);
        }
    }

    /// Whoever waits for an answer or an alarm will have it.
    fn audit_waiting(&mut self, pid: Pid) {
        let cell = &self.cells[&pid.id];
        let mut wrong = None;
        for (mark, asked) in cell.account.calls.iter().filter(|(_, asked)| asked.way == Way::Open) {
            // Through a closed alias nothing is heard, not even the end of whose it was.
            let may_hear_nothing = matches!(asked.about, Question::Lock(_)) || asked.through.is_some();
            let lost = asked.replied
                || asked.deadline.is_some_and(|at| at <= self.now)
                || !(may_hear_nothing || asked.to.is_some_and(|to| self.is_alive(to)))
                || !cell.process.is_open(*mark);
            if lost {
                wrong = Some((Invariant::Calls, format!("{pid} was not answered: {mark:?} {asked:?}")));
            }
        }
        for (mark, timer) in cell.account.timers.iter().filter(|(_, timer)| timer.way == Way::Open) {
            if timer.at <= self.now {
                wrong = Some((Invariant::Timers, format!("{pid} was not alarmed: {mark:?} {timer:?}")));
            }
        }
        if let Some((invariant, what)) = wrong {
            self.violated(invariant, what);
        }
    }

    /// Whoever has closed a circle of calls, none of which can be handled any more, was told so.
    fn audit_circles(&mut self, first: Pid) {
        if let Some(circle) = self.circle_of(first) {
            self.violated(Invariant::Circles, format!("{circle:?} wait for each other"));
        }
    }

    /// The circle of calls in which a process stands still, if it does.
    pub(super) fn circle_of(&self, first: Pid) -> Option<Pids> {
        let mut circle = vec![first];
        loop {
            let next = self.stands_still_for(*circle.last()?)?;
            if next == first {
                return Some(circle);
            }
            if circle.contains(&next) {
                return None;
            }
            circle.push(next);
        }
    }

    /// Whom a process calls and waits for, who has the request in its mailbox.
    fn stands_still_for(&self, pid: Pid) -> Option<Pid> {
        let stands_still = |asked: &&Asked| {
            asked.blocking && asked.way == Way::Open && asked.through.is_none() && matches!(asked.about, Question::Call)
        };
        let asked = self.cells.get(&pid.id)?.account.calls.values().find(stands_still)?;
        let callee = self.cells.get(&asked.to?.id)?;
        callee.account.mail.get(&pid.id)?.contains(&asked.number).then_some(callee.pid)
    }

    /// A supervised process whose supervisor is gone has been told to end, and does as soon as it can.
    fn audit_parent(&mut self, pid: Pid) {
        let cell = &self.cells[&pid.id];
        let (Some(parent), Some(_)) = (cell.parent, &cell.label) else { return };
        let has_mail_of_it = cell.account.exits.contains_key(&parent);
        let can_not_read = cell.process.is_blocked()
            || cell.process.is_suspended() && self.coordinator.is_some()
            || self.rooms.waiting.contains(&pid)
            || cell.process.kind() == Kind::Task;
        // A task that traps exits chooses what it makes of them.
        let chose_to_live = cell.account.knows_of_its_parent;
        // In the middle of `terminate` it may wait for somebody, as in OTP.
        let can_not_yet = has_mail_of_it && can_not_read || cell.process.status() == "stopping" || chose_to_live;
        if !self.is_alive(parent) && !can_not_yet && cell.process.kind() != Kind::Native {
            self.violated(Invariant::Orphans, format!("{pid} lives on without its supervisor {parent}"));
        }
        let cell = &self.cells[&pid.id];
        if !self.is_alive(parent) && cell.process.kind() == Kind::Native && !self.has_children(pid) {
            self.violated(Invariant::Orphans, format!("supervisor {pid} lives on without {parent}"));
        }
    }

    fn has_children(&self, pid: Pid) -> bool {
        self.cells.values().any(|cell| cell.parent == Some(pid))
    }

    fn room_is_free(&self) -> bool {
        self.rooms.has_room()
    }

    /// What is left when all has stopped.
    pub(crate) fn audit_the_end(&mut self) {
        let left = [
            ("processes", self.cells.len()),
            ("names", self.names.len()),
            ("entries", self.directory.iter().count()),
            ("locks", self.rolls.locks.len()),
            ("timers", self.clock.len()),
            ("keys of timers", self.keys.len()),
            ("processes on the queue", self.queue.len()),
            ("processes that wait for room", self.rooms.waiting.len()),
            ("holders of an instance", self.rooms.holders.len()),
            ("instances", self.rooms.live),
            ("duties", self.lanes.iter().map(|lane| lane.duties.len()).sum()),
            ("upgrades", usize::from(self.coordinator.is_some())),
        ];
        for (what, count) in left {
            if count > 0 {
                self.violated(Invariant::Leaks, format!("{count} {what} are left"));
            }
        }
    }

    /// Whether supervisors are left.
    pub(crate) fn supervisors_left(&self) -> Option<Pid> {
        let is_supervisor = |cell: &&Cell| matches!(cell.content, Content::Overseer(_));
        self.cells.values().find(is_supervisor).map(|cell| cell.pid)
    }
}
