//! A process in an upgrade: brought to a stop between two messages, its state taken over, let go on.
//!
//! Told by `upgrade::Transaction`, through signals; answers with [`News`]. Mail waits meanwhile, and so do trapped exit
//! signals; links, monitors, names and timers are not touched, and an exit signal that ends the process ends it here too
//! (HOT-03, HOT-04). Unlike OTP's `suspend`, the request does not queue behind the mail, and nobody stays suspended.

use super::delivery::Effect;
use super::kept::Kept;
use super::lifecycle::Step;
use super::{Kind, Phase, Process};
use crate::upgrade::{Mail, News, NotMigrated, UpgradeId, Verdict};
use crate::{Action, State, Time};

/// Where a process stands in an upgrade.
#[derive(Debug, Default)]
pub(super) enum Change {
    /// In none.
    #[default]
    None,
    /// It is in the middle of something, and stops when that is over; with whether its mail waits for that.
    Asked(UpgradeId, Mail),
    /// It has stopped.
    Suspended(UpgradeId),
    /// Its state is to be taken over, by whoever has the next turn.
    Ordered(UpgradeId),
    /// Its state is being taken over.
    Migrating(UpgradeId),
    /// It has been, and this is what the new code made of it; none if the process has not begun.
    Migrated(UpgradeId, Option<State>),
}

impl Change {
    fn upgrade(&self) -> Option<UpgradeId> {
        match self {
            Change::None => None,
            Change::Asked(id, _)
            | Change::Suspended(id)
            | Change::Ordered(id)
            | Change::Migrating(id)
            | Change::Migrated(id, _) => Some(*id),
        }
    }
}

impl Process {
    /// Whether nothing is handled now, because of an upgrade or because an operator wants it so.
    #[must_use]
    pub fn is_suspended(&self) -> bool {
        !matches!(self.affairs.change, Change::None | Change::Asked(..)) || self.is_held()
    }

    /// Whether a worker must have a turn for the upgrade's sake.
    pub(super) fn has_change_to_make(&self) -> bool {
        matches!(self.affairs.change, Change::Ordered(_))
    }

    /// Whether its state is being taken over. Whoever is at it stops when it is no longer wanted.
    #[must_use]
    pub fn is_migrating(&self) -> bool {
        matches!(self.affairs.change, Change::Migrating(_))
    }

    /// A copy of its saved state, for taking it over: it stays where it is.
    #[must_use]
    pub fn saved_state(&self) -> Option<State> {
        self.saved.as_ref().map(Kept::state)
    }

    /// Stop between two messages: at once, if this is between two messages.
    pub(super) fn take_suspend(&mut self, id: UpgradeId, now: Time, actions: &mut Vec<Action>) -> Effect {
        if !matches!(self.affairs.change, Change::None) {
            return Effect::Quiet;
        }
        if self.kind != Kind::Server && !self.is_new() {
            // A task ends on the code it began with: nobody need wait for it.
            actions.push(Action::Tell { upgrade: id, news: News::Gone });
            return Effect::Quiet;
        }
        if self.is_new() || self.is_between_messages() {
            self.suspend(id, Mail::NotWaitedFor, now, actions);
        } else {
            // One that waits inside `handle` only has to return.
            let mail = if self.is_inside() { Mail::NotWaitedFor } else { Mail::WaitedFor };
            self.affairs.change = Change::Asked(id, mail);
        }
        Effect::Quiet
    }

    /// In the middle of nothing: a guest that is blocked is in the middle of an event. What it told itself to do next belongs to the message before (GS-15).
    pub(super) fn is_between_messages(&self) -> bool {
        self.phase == Phase::Up
            && !self.is_serving()
            && self.affairs.plan.handling.is_none()
            && !self.is_inside()
            && self.affairs.plan.stop.is_none()
            && self.affairs.plan.continued.is_none()
    }

    /// Called between two messages: stops there, if that was asked.
    pub(super) fn suspend_if_asked(&mut self, now: Time, actions: &mut Vec<Action>) -> bool {
        let Change::Asked(id, mail) = self.affairs.change else { return false };
        self.suspend(id, mail, now, actions);
        true
    }

    /// Whether it is to stop before the next message.
    pub(super) fn is_asked_to_suspend(&self) -> bool {
        matches!(self.affairs.change, Change::Asked(..))
    }

    fn suspend(&mut self, upgrade: UpgradeId, mail: Mail, now: Time, actions: &mut Vec<Action>) {
        self.affairs.change = Change::Suspended(upgrade);
        if self.is_new() {
            // Until it goes on, it is not its `init` that takes long.
            self.unlimit_init(actions);
        } else {
            // It stands still for whoever else wanted that.
            self.hold_if_asked(actions);
        }
        let news = News::Suspended { at: now, mail, begun: !self.is_new(), hibernated: self.saved.is_some() };
        actions.push(Action::Tell { upgrade, news });
    }

    /// Take the state over. One that has not begun has none.
    pub(super) fn take_migrate(&mut self, id: UpgradeId, actions: &mut Vec<Action>) -> Effect {
        if !matches!(self.affairs.change, Change::Suspended(suspended) if suspended == id) {
            // HOT-07: only one that is suspended.
            return Effect::Quiet;
        }
        if self.is_new() {
            self.affairs.change = Change::Migrated(id, None);
            actions.push(Action::Tell { upgrade: id, news: News::Migrated { bytes: 0 } });
            return Effect::Quiet;
        }
        self.affairs.change = Change::Ordered(id);
        Effect::Stir
    }

    /// What a process without an instance does next without one; none if one must be made. Whatever it had its turn for
    /// may be over, and it is not to be woken for nothing.
    pub fn step_asleep(&mut self, now: Time, actions: &mut Vec<Action>) -> Option<Step> {
        let asleep = self.saved.is_some() || self.is_new();
        if !asleep || self.has_request_for_an_instance() {
            return None;
        }
        let idle = self.is_suspended() || self.has_request_to_serve() || !self.has_work();
        idle.then(|| match self.doomed.clone() {
            Some(reason) => Step::Exit(reason),
            None => self.suspended_step(now, actions),
        })
    }

    /// What a suspended process does next: never anything that its mail asks for.
    pub(super) fn suspended_step(&mut self, now: Time, actions: &mut Vec<Action>) -> Step {
        if self.is_new() {
            // An instance that was made for its `init` is of the code that may be left.
            return Step::Discard;
        }
        // It may stand still for an operator, and nobody else would look.
        self.suspend_if_asked(now, actions);
        if let Change::Ordered(id) = self.affairs.change {
            self.affairs.change = Change::Migrating(id);
            return Step::Migrate;
        }
        if let Some(step) = self.next_request(actions) {
            return step;
        }
        if self.saved.is_some() {
            return Step::Wait;
        }
        self.rest(now, actions)
    }

    /// Whether it has not begun: its `init` may as well run on other code.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.phase == Phase::New
    }

    /// The state has been taken over. False if that is no longer wanted.
    pub fn migrated(&mut self, after: State, actions: &mut Vec<Action>) -> bool {
        let Change::Migrating(upgrade) = self.affairs.change else { return false };
        let bytes = after.body.len();
        self.affairs.change = Change::Migrated(upgrade, Some(after));
        actions.push(Action::Tell { upgrade, news: News::Migrated { bytes } });
        true
    }

    /// The state has not been taken over. The process waits for what becomes of the upgrade.
    pub fn not_migrated(&mut self, why: NotMigrated, actions: &mut Vec<Action>) {
        let Change::Migrating(upgrade) = self.affairs.change else { return };
        self.affairs.change = Change::Suspended(upgrade);
        actions.push(Action::Tell { upgrade, news: News::NotMigrated(why) });
    }

    /// There was no room for an instance of the new code: the next turn tries again.
    pub fn migration_postponed(&mut self) {
        if let Change::Migrating(id) = self.affairs.change {
            self.affairs.change = Change::Ordered(id);
        }
    }

    /// Go on: on the new code if it has been taken over, on the old if not.
    pub(super) fn take_resume(
        &mut self,
        id: UpgradeId,
        verdict: Verdict,
        now: Time,
        actions: &mut Vec<Action>,
    ) -> Effect {
        if self.affairs.change.upgrade() != Some(id) {
            return Effect::Quiet;
        }
        let change = std::mem::take(&mut self.affairs.change);
        // Nobody is at it: who takes a state over must hear that it is no longer wanted.
        let asleep = self.saved.is_some() && !matches!(change, Change::Migrating(_));
        if let (Change::Migrated(_, Some(after)), Verdict::Commit) = (change, verdict) {
            self.go_on_with(after);
        }
        if self.is_new() {
            self.limit_init(now, actions);
        }
        // Whatever came meanwhile was no reason to look. One that sleeps on has nothing to look at.
        if asleep && !self.has_work() { Effect::Quiet } else { Effect::Stir }
    }

    /// From now on this is its state. An instance of the old code, if there is one, is only still to be dropped: the next
    /// upgrade need not wait for that.
    pub(super) fn go_on_with(&mut self, after: State) {
        // What refused to be saved was the old code.
        self.affairs.plan.pinned = false;
        self.affairs.plan.kept = false;
        // An instance that was wanted back is given back.
        self.affairs.plan.evict = None;
        self.account.keep_state(after.body.len());
        self.saved = Some(after.into());
    }

    /// It has ended: nobody need wait for it.
    pub(super) fn leave_upgrade(&mut self, actions: &mut Vec<Action>) {
        if let Some(upgrade) = std::mem::take(&mut self.affairs.change).upgrade() {
            actions.push(Action::Tell { upgrade, news: News::Gone });
        }
    }

    /// What the process is in the middle of, for whoever waits for it.
    #[must_use]
    pub fn doing(&self) -> &'static str {
        match self.phase {
            Phase::Stopping => "terminate",
            _ => self.handling().unwrap_or(if self.kind == Kind::Task { "run" } else { "message" }),
        }
    }
}
