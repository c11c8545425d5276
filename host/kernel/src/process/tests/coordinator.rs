//! Who performs upgrades in a test, by the rules of the runtime's shell: orders in, signals out, and what is told back.

use std::collections::{BTreeSet, VecDeque};

use super::world::{Code, Lane, Seen, World};
use crate::Signal;
use crate::process::*;
use crate::upgrade::{Failure, Input, Mail, News, Order, Transaction, UpgradeId, Verdict};

/// Nobody in particular.
pub(super) const OUTSIDE: Pid = Pid { node: 0, id: 0, tag: 0 };

/// What goes wrong with a process's migration.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Trouble {
    /// The new code refuses the state.
    Refuses,
    /// The old code traps when it saves.
    Crashes,
    /// It takes so many turns.
    Slow(u32),
    /// It does not end until it is freed.
    Stuck,
    /// There is no room for an instance until it is freed.
    NoRoom,
}

/// The upgrade that is under way.
#[derive(Debug)]
pub(super) struct Coordinator {
    pub(super) id: UpgradeId,
    pub(super) to: Code,
    pub(super) transaction: Transaction,
    inbox: VecDeque<Input>,
    orders: VecDeque<Order>,
    /// Whether it knows that there is no news.
    lulled: bool,
    /// Births wait, and these do.
    held: Option<Vec<Pid>>,
    known: BTreeSet<Pid>,
    verdict: Verdict,
}

impl World {
    /// Begins to replace the code of all guests.
    pub(super) fn begin_upgrade(&mut self) {
        assert!(self.upgrade.is_none(), "one upgrade at a time");
        self.upgrades += 1;
        let found = self.find(&BTreeSet::new());
        self.upgrade = Some(Coordinator {
            id: self.upgrades,
            to: Code(self.code.0 + 1),
            transaction: Transaction::default(),
            inbox: [Input::Found(found.clone())].into(),
            orders: VecDeque::new(),
            lulled: false,
            held: None,
            known: found.into_iter().collect(),
            verdict: Verdict::RollBack,
        });
    }

    /// Everybody whose code it is. Tasks too: it is for them to say that they take no part.
    fn find(&self, known: &BTreeSet<Pid>) -> Vec<Pid> {
        let wanted = self
            .people
            .iter()
            .filter(|(pid, person)| person.listed && person.process.kind() != Kind::Native && !known.contains(*pid));
        wanted.map(|(pid, _)| *pid).collect()
    }

    /// Tells the upgrade that is under way something, if there is one.
    pub(super) fn tell_upgrade(&mut self, input: Input) {
        if let Some(upgrade) = &mut self.upgrade {
            upgrade.lulled = false;
            upgrade.inbox.push_back(input);
        }
    }

    /// One order performed, or one input taken. False if it waits, or there is none.
    pub(super) fn coordinate(&mut self) -> bool {
        if self.lane_step(Lane::Upgrade) {
            return true;
        }
        let Some(upgrade) = &mut self.upgrade else { return false };
        if let Some(order) = upgrade.orders.pop_front() {
            self.obey(order);
            return true;
        }
        let input = match upgrade.inbox.pop_front() {
            Some(input) => input,
            None if upgrade.lulled => return false,
            None => {
                upgrade.lulled = true;
                Input::Lull
            }
        };
        let mut orders = Vec::new();
        upgrade.transaction.step(input, &mut orders);
        upgrade.orders.extend(orders);
        true
    }

    fn obey(&mut self, order: Order) {
        let upgrade = self.upgrade.as_mut().expect("an upgrade");
        let id = upgrade.id;
        match order {
            Order::Suspend(pid) => self.signal(pid, Signal::Suspend { upgrade: id }),
            Order::Migrate(pid) => self.signal(pid, Signal::Migrate { upgrade: id }),
            Order::Resume(pid, verdict) => self.signal(pid, Signal::Resume { upgrade: id, verdict }),
            Order::Close => {
                upgrade.held = Some(Vec::new());
                let known = upgrade.known.clone();
                let late = self.find(&known);
                let upgrade = self.upgrade.as_mut().expect("an upgrade");
                upgrade.known.extend(&late);
                upgrade.inbox.push_back(Input::Closed(late));
            }
            Order::Open => self.let_births_go_on(),
            Order::Commit => {
                upgrade.verdict = Verdict::Commit;
                let living = |pid: &Pid| self.people[pid].process.kind() == Kind::Server && self.people[pid].listed;
                let moved = upgrade.transaction.taken_over().map(|(pid, ..)| pid).collect::<BTreeSet<_>>();
                let held = upgrade.held.clone().expect("births wait");
                let left = self.people.keys().filter(|pid| living(pid) && !moved.contains(pid) && !held.contains(pid));
                // Only who is ending at this moment.
                assert!(left.clone().all(|pid| self.people[pid].process.is_doomed()), "left behind: {left:?}");
                self.code = upgrade.to;
            }
            Order::End(result) => {
                self.let_births_go_on();
                self.upgrade = None;
                self.troubles.clear();
                self.see(OUTSIDE, Seen::Upgrade(result));
            }
        }
    }

    fn let_births_go_on(&mut self) {
        let upgrade = self.upgrade.as_mut().expect("an upgrade");
        let (id, verdict) = (upgrade.id, upgrade.verdict);
        for pid in upgrade.held.take().unwrap_or_default() {
            self.signal(pid, Signal::Resume { upgrade: id, verdict });
        }
    }

    fn signal(&mut self, to: Pid, signal: Signal) {
        if self.hand_over(Lane::Upgrade, to, signal).is_err() {
            self.tell_upgrade(Input::News { pid: to, news: News::Gone });
        }
    }

    /// A newborn waits if births do.
    pub(super) fn hold(&mut self, newborn: Pid) -> Option<UpgradeId> {
        let upgrade = self.upgrade.as_mut()?;
        upgrade.held.as_mut()?.push(newborn);
        Some(upgrade.id)
    }

    /// A process tells of itself.
    pub(super) fn take_news(&mut self, pid: Pid, of: UpgradeId, news: News) {
        if let Some(what) = seen(&news) {
            self.see(pid, what);
        }
        if self.upgrade.as_ref().is_some_and(|upgrade| upgrade.id == of) {
            self.tell_upgrade(Input::News { pid, news });
        }
    }

    /// Whatever is in the way of this process's migration is no longer.
    pub(super) fn free(&mut self, pid: Pid) {
        if self.troubles.remove(&pid).is_some() && self.person(pid).process.stir() {
            self.queue.push_back(pid);
        }
    }

    pub(super) fn show_upgrade(&self, result: &Result<(), Failure>) -> String {
        let all = |pids: &[Pid]| pids.iter().map(|pid| self.label(*pid)).collect::<Vec<_>>().join(" ");
        match result {
            Ok(()) => "upgraded".into(),
            Err(Failure::Busy(pids)) => format!("not upgraded: {} busy", all(pids)),
            Err(Failure::TooSlow(pids)) => format!("not upgraded: {} slow", all(pids)),
            Err(Failure::NotMigrated(pid, _)) => format!("not upgraded: {} stayed", self.label(*pid)),
            Err(Failure::Cancelled) => "not upgraded: cancelled".into(),
        }
    }
}

fn seen(news: &News) -> Option<Seen> {
    match news {
        News::Suspended { mail, begun, hibernated, .. } => {
            let late = if *mail == Mail::WaitedFor { " late" } else { "" };
            let asleep = if *hibernated { " asleep" } else { "" };
            let new = if *begun { "" } else { " unborn" };
            Some(Seen::Stops(format!("stops{late}{asleep}{new}")))
        }
        News::Migrated { .. } => Some(Seen::Moves),
        News::NotMigrated(why) => Some(Seen::Stays(why.reason.clone())),
        News::Gone => None,
    }
}
