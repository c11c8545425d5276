//! Timers: started and cancelled.

use super::*;
use crate::account::{Timer, Way};

impl World {
    pub(super) fn start_timer(&mut self, lane: usize, pid: Pid) -> Result<(), ExitReason> {
        let at = self.now + Duration::from_millis(self.dice.between(0, 80));
        let own = self.dice.one_in(2);
        let to = if own { None } else { Some(self.destination(pid)) };
        let number = self.number();
        // The clock sends it: it has no place among the messages of this process.
        let body = if own { body('t', pid.id, number) } else { body('s', u64::MAX - number, number) };
        let mark = self.transition(lane, pid, |process, _, actions| process.start_timer(at, to, body, actions))?;
        self.figures.timers += 1;
        let cell = self.cell(pid);
        cell.account.timers.insert(mark, Timer { at, own, way: Way::Open });
        let (running, limit) = (cell.process.timers_running(), cell.limits.timers);
        if running > limit {
            self.violated(Invariant::Limits, format!("{pid} has {running} timers of {limit}"));
        }
        Ok(())
    }

    pub(super) fn cancel_timer(&mut self, lane: usize, pid: Pid) {
        let Some((&mark, &timer)) = self.cell(pid).account.timers.iter().next() else { return };
        let left = self.transition(lane, pid, |process, now, actions| process.cancel_timer(mark, now, actions));
        if left.is_some() != (timer.way == Way::Open) {
            self.violated(Invariant::Timers, format!("{pid} cancels {timer:?}: {left:?}"));
        }
        if left.is_some() {
            self.cell(pid).account.timers.remove(&mark);
        }
    }
}
