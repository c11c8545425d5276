//! Whether a process keeps its instance: when it is given back, who may refuse that, and what is left meanwhile.
//!
//! Asked by `lifecycle` when there is nothing to do, and by timers and the shell when the instance is wanted back.

use super::delivery::Effect;
use super::lifecycle::Step;
use super::{Kind, Phase, Process, Run};
use crate::{Action, State, Time, Want};

impl Process {
    /// Nothing to do: is the instance given back?
    pub(super) fn rest(&mut self, now: Time, actions: &mut Vec<Action>) -> Step {
        if !self.can_give_back() {
            return Step::Wait;
        }
        if self.is_to_save() {
            self.affairs.plan.hibernate = false;
            return Step::Save;
        }
        if let Some(after) = self.nature.hibernate_after()
            && self.affairs.plan.hibernate_timer.is_none()
        {
            self.arm_hibernation(now.saturating_add(after), actions);
        }
        Step::Wait
    }

    fn can_give_back(&self) -> bool {
        self.kind == Kind::Server && !self.is_pinned() && !self.affairs.plan.kept
    }

    /// Whether the instance is given back when there is nothing to do.
    pub(super) fn is_to_save(&self) -> bool {
        let plan = &self.affairs.plan;
        self.can_give_back() && (plan.hibernate || plan.evict.is_some() || self.gives_back_after_each())
    }

    pub(super) fn gives_back_after_each(&self) -> bool {
        self.nature.hibernate_after == 0
    }

    fn arm_hibernation(&mut self, at: Time, actions: &mut Vec<Action>) {
        let mark = self.draw_mark();
        self.affairs.plan.hibernate_timer = Some((mark, at));
        actions.push(Action::StartTimer { mark, at });
    }

    /// One timer serves however many messages came meanwhile: it is set again for what is left of the wait.
    pub(super) fn hibernation_due(&mut self, now: Time, actions: &mut Vec<Action>) -> Effect {
        let Some(after) = self.nature.hibernate_after() else { return Effect::Quiet };
        let at = self.affairs.plan.last_active.saturating_add(after);
        if at > now {
            self.arm_hibernation(at, actions);
            return Effect::Quiet;
        }
        // In the middle of an event it is not waiting; the wait begins when it rests.
        if self.affairs.plan.handling.is_some() || !self.has_instance_to_give() {
            return Effect::Quiet;
        }
        self.affairs.plan.hibernate = true;
        Effect::Stir
    }

    /// The instance is wanted back. What the process has still to do comes first, but nothing makes it forget.
    pub(super) fn take_evict(&mut self, want: Want) -> Effect {
        if !self.has_instance_to_give() {
            return Effect::Quiet;
        }
        self.affairs.plan.evict = Some(want);
        if self.is_blocked() { Effect::Quiet } else { Effect::Stir }
    }

    /// For whom its instance is wanted back; none while nobody wants it, and it goes only for want of work.
    #[must_use]
    pub fn wanted_back(&self) -> Option<Want> {
        self.affairs.plan.evict
    }

    /// Because it was born so, or because it refused to save.
    fn is_pinned(&self) -> bool {
        self.pinned || self.affairs.plan.pinned
    }

    fn has_instance_to_give(&self) -> bool {
        self.phase == Phase::Up && self.kind == Kind::Server && self.saved.is_none() && !self.is_pinned()
    }

    /// The instance has been given back; this is all that is left of it. Saving may take several turns, and what came
    /// between two of them has stirred the turn that ends here: it would wait for ever if nobody looked again.
    pub fn saved(&mut self, state: State) {
        self.affairs.plan.evict = None;
        // Meanwhile the new code may have made something of that state.
        let kept = self.saved.get_or_insert_with(|| state.into()).len();
        self.account.keep_state(kept);
        self.discarded();
    }

    /// The instance is gone, and the process goes on without: whatever there is to do needs another turn.
    pub fn discarded(&mut self) {
        if let Run::Running { spent, .. } = self.run
            && self.has_work()
        {
            self.run = Run::Running { stirred: true, spent };
        }
    }

    /// The guest refused to save: it keeps its instance from now on.
    pub fn save_refused(&mut self) {
        // Of code that has been replaced meanwhile, it says nothing about the code it goes on with.
        self.affairs.plan.pinned = self.saved.is_none();
    }

    /// The instance cannot be given back as things stand, because of an open file, say. Asked again after the next event.
    pub fn save_postponed(&mut self) {
        self.affairs.plan.kept = self.saved.is_none();
        self.affairs.plan.hibernate = false;
    }

    /// The state for a new instance.
    pub fn take_saved(&mut self) -> Option<State> {
        self.account.keep_state(0);
        self.saved.take().map(State::from)
    }

    /// Whether an instance of it can be taken back now.
    #[must_use]
    pub fn is_evictable(&self) -> bool {
        self.phase == Phase::Up
            && self.run == Run::Idle
            && self.kind == Kind::Server
            && !self.is_pinned()
            && !self.affairs.plan.kept
            && !self.is_blocked()
    }
}
