//! Calls: asked, answered, answered by somebody else.

use skep_kernel::Caller;
use skep_kernel::process::{Callee, Waiting};

use super::*;
use crate::account::{Asked, Question, Way};

impl World {
    pub(super) fn begin_call(&mut self, lane: usize, pid: Pid, waiting: Waiting) -> Option<Mark> {
        let target = self.callee(pid);
        let (to, through) = self.way(&target)?;
        // Nobody hears of a call through an alias that is closed before its time is up.
        let is_patient = through.is_none() && self.dice.one_in(4);
        let deadline = (!is_patient).then(|| self.now + Duration::from_millis(self.dice.between(0, 60)));
        let callee = if through.is_some() { Callee::Behind(to) } else { Callee::Pid(to) };
        let mark = self
            .transition(lane, pid, |process, _, actions| process.begin_call(callee, deadline, waiting, actions))
            .ok()?;
        let number = self.number();
        let blocking = waiting == Waiting::Blocking;
        let about = Question::Call;
        let asked = Asked { about, number, to: Some(to), through, deadline, blocking, way: Way::Open, replied: false };
        self.figures.calls += 1;
        let cell = self.cell(pid);
        let (limit, open) = (cell.limits.requests, cell.account.calls.len());
        cell.account.calls.insert(mark, asked);
        if cell.account.calls.values().filter(|asked| asked.way == Way::Open).count() > limit {
            self.violated(Invariant::Limits, format!("{pid} has {open} requests, and one more"));
        }
        let body = body('c', pid.id, number);
        self.lanes[lane].duties.push_back(Duty::SendCall { from: pid, to, through, mark, body });
        self.lanes[lane].duties.push_back(Duty::CheckCall { from: pid, to, mark });
        Some(mark)
    }

    /// Some address; in an episode about calls, often of somebody who waits for an answer himself.
    fn callee(&mut self, pid: Pid) -> Address {
        if self.theme == Some(Feature::Calls) && !self.dice.one_in(4) {
            let waits = |cell: &&Cell| cell.process.is_blocked() && cell.pid != pid;
            let waiting: Pids = self.cells.values().filter(waits).map(|cell| cell.pid).collect();
            if !waiting.is_empty() {
                return Address::Pid(self.dice.pick(&waiting));
            }
        }
        self.destination(pid)
    }

    pub(super) fn call(&mut self, lane: usize, pid: Pid, script: Script) -> Flow {
        match self.begin_call(lane, pid, Waiting::Blocking) {
            Some(mark) => self.goes_on(pid, Doing::WaitsForAnswer(mark, script)),
            None => self.goes_on(pid, Doing::Runs(script)),
        }
    }

    /// Kills somebody, and may ask at once whether that one lives (PROC-06).
    pub(super) fn kill(&mut self, lane: usize, pid: Pid, script: Script) -> Flow {
        let to = self.peer(pid);
        if !self.dice.one_in(3) || self.hand_over(lane, to, Signal::Kill).is_err() {
            return self.goes_on(pid, Doing::Runs(script));
        }
        self.cell(pid).account.killed.insert(to);
        if to != pid && self.has(Feature::Alive) && self.dice.one_in(2) {
            return self.ask_about(lane, pid, to, script);
        }
        self.goes_on(pid, Doing::Runs(script))
    }

    /// Asks whether somebody lives: whom it has killed, if anybody.
    pub(super) fn ask_alive(&mut self, lane: usize, pid: Pid, script: Script) -> Flow {
        let killed = self.cell(pid).account.killed.last().copied();
        let to = killed.filter(|_| self.dice.one_in(2)).unwrap_or_else(|| self.peer(pid));
        if to == pid {
            return self.goes_on(pid, Doing::Runs(script));
        }
        self.ask_about(lane, pid, to, script)
    }

    fn ask_about(&mut self, lane: usize, pid: Pid, to: Pid, script: Script) -> Flow {
        let waiting = Waiting::Blocking;
        let begun = self
            .transition(lane, pid, |process, _, actions| process.begin_call(Callee::Pid(to), None, waiting, actions));
        let Ok(mark) = begun else { return self.goes_on(pid, Doing::Runs(script)) };
        let account = &mut self.cell(pid).account;
        let about = Question::Alive { told_to_end: account.killed.contains(&to) };
        let asked = Asked {
            about,
            number: 0,
            to: Some(to),
            through: None,
            deadline: None,
            blocking: true,
            way: Way::Open,
            replied: false,
        };
        account.calls.insert(mark, asked);
        self.lanes[lane].duties.push_back(Duty::AskAlive { from: pid, to, mark });
        self.goes_on(pid, Doing::WaitsForAnswer(mark, script))
    }

    /// A call that was left for later is answered, now and then by somebody else (GS-08).
    pub(super) fn answer_somebody(&mut self, lane: usize, pid: Pid) {
        let whose = if self.dice.one_in(8) { self.peer(pid) } else { pid };
        let Some(Cell { content: Content::Guest(guest), .. }) = self.cells.get_mut(&whose.id) else { return };
        if guest.owed.is_empty() {
            return;
        }
        let place = self.dice.below(guest.owed.len());
        let (caller, number) = guest.owed.swap_remove(place);
        self.replies(caller);
        self.transition(lane, pid, |process, _, actions| {
            process.reply(caller, body('r', caller.pid.id, number), actions)
        });
    }

    /// Somebody replies to a call.
    pub(super) fn replies(&mut self, caller: Caller) {
        if let Some(asked) =
            self.cells.get_mut(&caller.pid.id).and_then(|cell| cell.account.calls.get_mut(&caller.mark))
        {
            asked.replied = true;
        }
    }
}
