//! Links and monitors: set, and taken back.

use skep_kernel::process::{AliasMode, LinkRequest, Monitoring};

use super::*;
use crate::account::{Watch, Way};

impl World {
    /// Links and unlinks of one pair do not cross. Whoever would have to wait does something else.
    fn lock_pair(&mut self, lane: usize, one: Pid, other: Pid) -> bool {
        let pair = (one.min(other), one.max(other));
        let free = self.lanes.iter().all(|lane| lane.pair != Some(pair));
        if free {
            self.lanes[lane].pair = Some(pair);
        }
        free
    }

    pub(super) fn link(&mut self, lane: usize, pid: Pid) {
        let to = self.peer(pid);
        if self.lock_pair(lane, pid, to)
            && let LinkRequest::Ask = self.cell(pid).process.link(to)
        {
            self.cell(pid).account.asks = Some((to, false));
            self.lanes[lane].duties.push_back(Duty::Link { from: pid, to });
        }
        let cell = self.cell(pid);
        let (links, limit) = (cell.process.links().count(), cell.limits.links);
        // Beyond the limit are those only that were asked for from outside when it was about to end.
        if links > limit && !cell.process.is_doomed() {
            self.violated(Invariant::Limits, format!("{pid} has {links} links of {limit}"));
        }
    }

    pub(super) fn unlink(&mut self, lane: usize, pid: Pid) {
        let cell = self.cell(pid);
        let parent = cell.parent;
        // A child that leaves its parent is an orphan by its own will.
        let linked: Pids = cell
            .account
            .links
            .iter()
            .chain(&cell.account.exits_due)
            .copied()
            .filter(|peer| Some(*peer) != parent)
            .collect();
        if linked.is_empty() {
            return;
        }
        let to = self.dice.pick(&linked);
        let is_child = self.cells.get(&to.id).is_some_and(|cell| cell.parent == Some(pid) && !cell.ready);
        if is_child || !self.lock_pair(lane, pid, to) {
            return;
        }
        self.transition(lane, pid, |process, _, actions| process.unlink(to, actions));
        let account = &mut self.cell(pid).account;
        account.links.remove(&to);
        account.exits_due.remove(&to);
        if let Some(other) = self.cells.get_mut(&to.id) {
            other.account.links.remove(&pid);
        }
    }

    pub(super) fn monitor(&mut self, lane: usize, pid: Pid) -> Result<(), ExitReason> {
        let target = self.target(pid);
        let holder = self.resolve(&target);
        let modes = [AliasMode::ExplicitUnalias, AliasMode::Demonitor, AliasMode::ReplyDemonitor];
        let alias = (self.has(Feature::Aliases) && self.dice.one_in(3)).then(|| self.dice.pick(&modes));
        let wanted = Monitoring { target, tag: None, alias };
        let mark = self.transition(lane, pid, |process, _, actions| process.monitor(wanted, holder, actions))?;
        let cell = self.cell(pid);
        cell.account.monitors.insert(mark, Watch { target: holder, way: Way::Open, result: false });
        cell.account.aliases.extend(alias.map(|mode| (mark, mode)));
        let set = cell.account.monitors.values().filter(|watch| watch.way == Way::Open).count();
        if set > cell.limits.monitors {
            self.violated(Invariant::Limits, format!("{pid} has {set} monitors"));
        }
        if alias.is_some() {
            self.publish_alias(pid, mark);
        }
        Ok(())
    }

    pub(super) fn demonitor(&mut self, lane: usize, pid: Pid) {
        let set: Vec<(Mark, Watch)> =
            self.cell(pid).account.monitors.iter().map(|(mark, watch)| (*mark, *watch)).collect();
        if set.is_empty() {
            return;
        }
        let (mark, watch) = self.dice.pick(&set);
        if watch.result {
            return;
        }
        let flush = self.dice.one_in(2);
        let was_set = self.transition(lane, pid, |process, _, actions| process.demonitor(mark, flush, actions));
        // A monitor of oneself is none, as in OTP.
        let is_own = watch.target == Some(pid);
        if was_set != (watch.way == Way::Open && !is_own) {
            self.violated(Invariant::Downs, format!("{pid} takes {mark:?} back, which is {watch:?}: {was_set}"));
        }
        if was_set || is_own {
            self.cell(pid).account.monitor_is_over(mark);
        }
        if was_set || flush || is_own {
            self.cell(pid).account.monitors.remove(&mark);
        }
        if was_set && self.strikes(Bug::DownAfterDemonitor) {
            let (target, reason) = (Address::Pid(watch.target.unwrap_or(pid)), ExitReason::Noproc);
            self.sees(pid, &Event::Down { mark, target, reason, tag: None });
        }
    }
}
