//! Calls: asked, answered, answered by somebody else.

use skep_kernel::Caller;
use skep_kernel::process::Waiting;

use super::*;
use crate::account::{Asked, Way};

impl World {
    pub(super) fn begin_call(&mut self, lane: usize, pid: Pid, waiting: Waiting) -> Option<Mark> {
        let target = self.target(pid);
        let to = self.resolve(&target)?;
        let deadline = (!self.dice.one_in(4)).then(|| self.now + Duration::from_millis(self.dice.between(0, 60)));
        let mark = self
            .transition(lane, pid, |process, _, actions| process.begin_call(Some(to), deadline, waiting, actions))
            .ok()?;
        let number = self.number();
        let blocking = waiting == Waiting::Blocking;
        let asked = Asked { number, to: Some(to), deadline, blocking, way: Way::Open, replied: false };
        self.figures.calls += 1;
        let cell = self.cell(pid);
        let (limit, open) = (cell.limits.requests, cell.account.calls.len());
        cell.account.calls.insert(mark, asked);
        if cell.account.calls.values().filter(|asked| asked.way == Way::Open).count() > limit {
            self.violated(Invariant::Limits, format!("{pid} has {open} requests, and one more"));
        }
        let body = body('c', pid.id, number);
        self.lanes[lane].duties.push_back(Duty::SendCall { from: pid, to, mark, body });
        self.lanes[lane].duties.push_back(Duty::CheckCall { from: pid, to, mark });
        Some(mark)
    }

    pub(super) fn call(&mut self, lane: usize, pid: Pid, script: Script) -> Flow {
        match self.begin_call(lane, pid, Waiting::Blocking) {
            Some(mark) => self.goes_on(pid, Doing::WaitsForAnswer(mark, script)),
            None => self.goes_on(pid, Doing::Runs(script)),
        }
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
