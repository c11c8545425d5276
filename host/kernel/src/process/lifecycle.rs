//! What the guest does next, and what its answers lead to.
//!
//! The order of things is gen_server's: an exit signal before all else, then a `continue`, then mail, then idleness.

use std::time::Duration;

use super::calls::Block;
use super::{Kind, Phase, Process};
use crate::mailbox::is_order;
use crate::system::SystemId;
use crate::{Action, Body, Caller, Event, ExitReason, Mark, Next, Outcome, Signal, Start, Time, Want};

/// What the guest has to do next.
#[derive(Clone, PartialEq, Debug)]
#[must_use]
pub enum Step {
    /// Begin: `init`, or a task's `run`.
    Init,
    /// Handle this event.
    Handle {
        /// The event.
        event: Event,
        /// Whether it may ask for others before it returns.
        more: bool,
    },
    /// Run `terminate`, then end with this reason.
    Terminate(ExitReason),
    /// Save, and give the instance back.
    Save,
    /// Have the new code take the state over.
    Migrate,
    /// Save, keep the instance, and tell what was saved by [`Process::state_told`].
    GetState(SystemId),
    /// Have the state that is there replaced, as [`Process::state_replaced`] says. The instance, if there is one, goes on.
    ReplaceState(SystemId),
    /// Drop the instance: it is no longer wanted.
    Discard,
    /// Wait for a signal.
    Wait,
    /// End now; no guest code runs any more (PROC-10).
    Exit(ExitReason),
}

/// What a guest gets that asks for another event inside `handle`.
#[derive(Clone, PartialEq, Debug)]
#[must_use]
pub enum More {
    /// This one.
    Event(Event),
    /// Nothing yet: it waits inside, which costs less than returning and being called again.
    Wait,
    /// It is to return from `handle`.
    Return,
}

/// What the process means to do, beside its mail.
#[derive(Debug)]
pub(super) struct Plan {
    /// To be handled before anything else.
    pub(super) continued: Option<Body>,
    /// To run `terminate` and end.
    pub(super) stop: Option<ExitReason>,
    pub(super) idle: Idle,
    /// To give the instance back when there is nothing to do, unless something comes first.
    pub(super) hibernate: bool,
    /// The instance is wanted back, whatever comes first.
    pub(super) evict: Option<Want>,
    /// It refused to save: its instance stays.
    pub(super) pinned: bool,
    /// It holds something that a state cannot carry: its instance stays until the next event is handled.
    pub(super) kept: bool,
    pub(super) handling: Option<Handling>,
    /// The kind of the last event that it has handled, while it waits for the next inside `handle`.
    inside: Option<&'static str>,
    /// `init` answered `ignore`.
    pub(super) ignored: bool,
    pub(super) init_timer: Option<(Mark, Time)>,
    pub(super) hibernate_timer: Option<(Mark, Time)>,
    /// When it last had something to do.
    pub(super) last_active: Time,
}

impl Plan {
    /// Nothing but its mail.
    pub(super) const fn nothing() -> Self {
        Plan {
            continued: None,
            stop: None,
            idle: Idle::No,
            hibernate: false,
            evict: None,
            pinned: false,
            kept: false,
            handling: None,
            inside: None,
            ignored: false,
            init_timer: None,
            hibernate_timer: None,
            last_active: Time::ZERO,
        }
    }

    /// Whether it means to do nothing. When it was active last matters only while it has an instance.
    pub(super) fn is_nothing(&self) -> bool {
        let Plan {
            continued,
            stop,
            idle,
            hibernate,
            evict,
            pinned,
            kept,
            handling,
            inside,
            ignored,
            init_timer,
            hibernate_timer,
            last_active: _,
        } = self;
        let flags = *hibernate || evict.is_some() || *pinned || *kept || *ignored;
        !flags
            && continued.is_none()
            && stop.is_none()
            && matches!(idle, Idle::No)
            && handling.is_none()
            && inside.is_none()
            && init_timer.is_none()
            && hibernate_timer.is_none()
    }
}

/// The wait that a guest wants to be told the end of (GS-16).
#[derive(Debug, Default, Clone, Copy)]
pub(super) enum Idle {
    #[default]
    No,
    Armed {
        mark: Mark,
        at: Time,
    },
    Due,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Handling {
    kind: &'static str,
    caller: Option<Caller>,
    /// How often the guest has since given something away that may name this caller: whoever has it can answer.
    disclosed: u32,
}

impl Process {
    /// What the guest, which is not in the middle of anything, does next.
    pub fn next_step(&mut self, now: Time, actions: &mut Vec<Action>) -> Step {
        if let Some(reason) = self.doomed.clone() {
            return Step::Exit(reason);
        }
        if self.saved.is_some() {
            // The state has been taken over by other code, and this instance is of the old.
            return Step::Discard;
        }
        if self.is_suspended() {
            return self.suspended_step(now, actions);
        }
        if self.phase == Phase::New {
            self.phase = Phase::Starting;
            if self.kind == Kind::Task {
                self.become_ready(actions);
            }
            return Step::Init;
        }
        if let Some(reason) = self.affairs.plan.stop.take() {
            return self.terminate(reason);
        }
        if let Some(body) = self.affairs.plan.continued.take() {
            return self.handle(Event::Continue(body), now, actions);
        }
        if self.suspend_if_asked(now, actions) {
            return self.suspended_step(now, actions);
        }
        if self.hold_if_asked(actions) {
            return self.suspended_step(now, actions);
        }
        if let Some(step) = self.next_request(actions) {
            return step;
        }
        if let Some(event) = self.mailbox.pop() {
            return match event {
                Event::Exit { pid, reason } if self.is_order_of_parent(pid) => self.terminate(reason),
                Event::Stop { reason, .. } => self.terminate(reason),
                event => self.handle(event, now, actions),
            };
        }
        if matches!(self.affairs.plan.idle, Idle::Due) {
            self.affairs.plan.idle = Idle::No;
            return self.handle(Event::Idle, now, actions);
        }
        self.rest(now, actions)
    }

    fn is_order_of_parent(&self, pid: crate::Pid) -> bool {
        self.nature.parent() == Some(pid) && self.kind != Kind::Task
    }

    fn handle(&mut self, event: Event, now: Time, actions: &mut Vec<Action>) -> Step {
        self.begin_handling(&event, now, actions);
        let more = self.kind == Kind::Server && !self.gives_back_after_each();
        Step::Handle { event, more }
    }

    fn begin_handling(&mut self, event: &Event, now: Time, actions: &mut Vec<Action>) {
        self.statistics.messages_in += 1;
        self.cancel_idle(actions);
        self.affairs.plan.hibernate = false;
        self.affairs.plan.kept = false;
        self.affairs.plan.last_active = now;
        let caller = match event {
            Event::Call { caller, .. } => Some(*caller),
            _ => None,
        };
        self.affairs.plan.handling = Some(Handling { kind: event.kind(), caller, disclosed: 0 });
    }

    /// The guest gives something away that others can read, now or later.
    pub fn disclose(&mut self) {
        if let Some(handling) = &mut self.affairs.plan.handling {
            handling.disclosed = handling.disclosed.saturating_add(1);
        }
    }

    /// Whether this call is being handled, and the one that the guest stands still in is all that it has said since.
    pub(super) fn handles_in_secret(&self, caller: Caller) -> bool {
        let asks = u32::from(matches!(self.affairs.block, Block::Call { .. }));
        self.affairs.plan.handling.is_some_and(|handling| handling.caller == Some(caller) && handling.disclosed == asks)
    }

    pub(super) fn terminate(&mut self, reason: ExitReason) -> Step {
        if self.kind != Kind::Native {
            self.let_go();
            self.phase = Phase::Stopping;
        }
        Step::Terminate(reason)
    }

    pub(super) fn cancel_idle(&mut self, actions: &mut Vec<Action>) {
        if let Idle::Armed { mark, at } = std::mem::take(&mut self.affairs.plan.idle) {
            actions.push(Action::CancelTimer { mark, at });
        }
    }

    /// `init` has answered. With a reason the process must end, without `terminate`.
    #[must_use]
    pub fn started(&mut self, start: Start, now: Time, actions: &mut Vec<Action>) -> Option<ExitReason> {
        match start {
            Start::Ready(next) => {
                self.become_ready(actions);
                self.follow(next, now, actions);
                None
            }
            Start::Ignore => {
                self.affairs.plan.ignored = true;
                Some(ExitReason::Normal)
            }
            Start::Stop(reason) => Some(reason),
        }
    }

    fn become_ready(&mut self, actions: &mut Vec<Action>) {
        self.phase = Phase::Up;
        self.unlimit_init(actions);
        let starter = self.affairs.beginning.as_mut().and_then(|beginning| beginning.starter.take());
        if self.kind == Kind::Server {
            // What it brings nobody waits for.
            self.affairs.beginning = None;
        }
        if let Some(starter) = starter {
            let signal = Signal::Started { mark: starter.mark, outcome: Ok(self.nature.pid) };
            actions.push(Action::Deliver { to: starter.pid, signal });
        }
    }

    /// The guest has handled its event.
    pub fn handled(&mut self, outcome: Outcome, now: Time, actions: &mut Vec<Action>) {
        let handling = self.affairs.plan.handling.take();
        self.affairs.plan.last_active = now;
        if let (Some(body), Some(caller)) = (outcome.reply, handling.and_then(|handling| handling.caller)) {
            self.reply(caller, body, actions);
        }
        self.follow(outcome.next, now, actions);
    }

    fn follow(&mut self, next: Next, now: Time, actions: &mut Vec<Action>) {
        match next {
            Next::Wait => {}
            Next::WaitFor(milliseconds) => {
                let mark = self.draw_mark();
                let at = now.saturating_add(Duration::from_millis(milliseconds));
                self.affairs.plan.idle = Idle::Armed { mark, at };
                actions.push(Action::StartTimer { mark, at });
            }
            Next::Hibernate => self.affairs.plan.hibernate = true,
            Next::Continue(body) => self.affairs.plan.continued = Some(body),
            Next::Stop(reason) => self.affairs.plan.stop = Some(reason),
        }
    }

    /// The guest, still inside `handle`, is done with its event and asks for another (`inbox.more`). Between two events it is
    /// as one that has returned.
    pub fn more(&mut self, reply: Option<Body>, now: Time, actions: &mut Vec<Action>) -> More {
        self.affairs.plan.inside = self.affairs.plan.handling.map(|handling| handling.kind);
        self.handled(Outcome { reply, next: Next::Wait }, now, actions);
        self.poll_more(now, actions)
    }

    /// What becomes of a guest that has asked for another event and waits for it.
    pub fn poll_more(&mut self, now: Time, actions: &mut Vec<Action>) -> More {
        if self.is_wanted_outside() {
            return self.return_first();
        }
        if let Some(event) = self.mailbox.pop() {
            self.affairs.plan.inside = None;
            self.begin_handling(&event, now, actions);
            return More::Event(event);
        }
        if self.is_to_save() {
            return self.return_first();
        }
        let _ = self.rest(now, actions);
        More::Wait
    }

    /// Whether the guest waits for its next event inside `handle`.
    pub(super) fn is_inside(&self) -> bool {
        self.affairs.plan.inside.is_some()
    }

    /// Whether the guest is to return from `handle`, where it waits, before anything else.
    pub(super) fn is_called_back(&self) -> bool {
        self.is_inside() && self.is_wanted_outside()
    }

    /// Whether there is to do what only a guest can that has returned from `handle`.
    fn is_wanted_outside(&self) -> bool {
        self.kind != Kind::Server
            || self.gives_back_after_each()
            || self.is_suspended()
            || self.is_asked_to_suspend()
            || self.has_system_message()
            || self.mailbox.front().is_some_and(|event| is_order(event, self.nature.parent()))
    }

    fn return_first(&mut self) -> More {
        // Until it has, nobody may take it for one that waits.
        let kind = self.affairs.plan.inside.take();
        self.affairs.plan.handling = kind.map(|kind| Handling { kind, caller: None, disclosed: 0 });
        More::Return
    }

    /// A handler answered with an error, its instance still sound: `terminate` runs (GS-10), unless this was `init`.
    pub fn failed(&mut self, reason: ExitReason) {
        match self.phase {
            Phase::Up => self.affairs.plan.stop = Some(reason),
            Phase::New | Phase::Starting | Phase::Stopping | Phase::Gone => {
                self.doomed.get_or_insert(reason);
            }
        }
    }

    /// A task has its result: whoever it was started for is told, by the monitor that was set then and while that is set;
    /// then it ends `normal`.
    pub fn finished(&mut self, body: Body, actions: &mut Vec<Action>) {
        let Some((to, mark)) = self.owner() else { return };
        if self.affairs.watchers.iter().any(|watcher| (watcher.pid, watcher.mark) == (to, mark)) {
            actions.push(Action::Deliver { to, signal: Signal::Finished { mark, body } });
        }
    }

    /// Who waits for its `init`.
    pub(super) fn starter(&self) -> Option<Caller> {
        self.affairs.beginning.as_ref()?.starter
    }

    /// Who it was started for, and the mark of their monitor: whoever awaits it, or its parent.
    fn owner(&self) -> Option<(crate::Pid, Mark)> {
        let beginning = self.affairs.beginning.as_ref()?;
        let awaited = beginning.awaited.map(|awaited| (awaited.by, awaited.mark));
        awaited.or_else(|| self.nature.parent().zip(beginning.monitor))
    }

    /// The kind of event that the guest is handling; while it ends because of one, still that one.
    #[must_use]
    pub fn handling(&self) -> Option<&'static str> {
        match self.phase {
            Phase::Starting => Some("init"),
            Phase::Stopping => Some(self.affairs.plan.handling.map_or("terminate", |handling| handling.kind)),
            Phase::New | Phase::Up | Phase::Gone => self.affairs.plan.handling.map(|handling| handling.kind),
        }
    }
}
