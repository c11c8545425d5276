//! System messages to one process: suspended and resumed by an operator, its state told and replaced, ended in order.
//!
//! Served between two messages, ahead of the mail, one at a time. An operator's suspension and an upgrade's are two things:
//! while either lasts, no mail is handled, and the end of one is not the end of the other. Requests that need guest code
//! wait until an upgrade is over. Nothing of this is there for a process of which nobody asks anything.

use std::collections::VecDeque;

use super::code_change::Change;
use super::delivery::Effect;
use super::lifecycle::Step;
use super::{Kind, Phase, Process};
use crate::mailbox::is_order;
use crate::system::{CallbackFailed, Statistics, SystemAnswer, SystemError, SystemId, SystemRequest};
use crate::{Action, Event, ExitReason, State, Time};

/// Requests that may wait at once.
const WAITING_MOST: usize = 32;

/// What has been asked of a process.
#[derive(Debug, Default)]
pub(super) struct System {
    hold: Hold,
    /// To be served between two messages, oldest first.
    asked: VecDeque<(SystemId, Work)>,
    /// What whoever has the turn is at.
    serving: Option<SystemId>,
}

/// Where a process stands with an operator who wants it to stand still.
#[derive(Debug, Default)]
enum Hold {
    #[default]
    No,
    /// It is in the middle of something, and stops when that is over. These wait for it.
    Asked(Vec<SystemId>),
    /// It handles nothing.
    Held,
}

/// What takes guest code.
#[derive(Debug)]
enum Work {
    GetState,
    ReplaceState,
    Terminate(ExitReason),
}

fn inform(request: SystemId, answer: Result<SystemAnswer, SystemError>) -> Action {
    Action::Inform { request, answer }
}

impl Process {
    /// Whether an operator has suspended it.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.affairs.system.as_ref().is_some_and(|system| matches!(system.hold, Hold::Held))
    }

    /// What it has done so far.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.statistics
    }

    /// It has sent so many messages of which the state machine did not hear.
    pub fn count_sent(&mut self, messages: u64) {
        self.statistics.messages_out += messages;
        self.disclose();
    }

    /// Takes a request in.
    pub(super) fn take_system(&mut self, id: SystemId, request: SystemRequest, actions: &mut Vec<Action>) -> Effect {
        if self.kind != Kind::Server {
            actions.push(inform(id, Err(SystemError::NotAServer)));
            return Effect::Quiet;
        }
        let effect = match request {
            SystemRequest::Suspend => self.take_hold(id, actions),
            SystemRequest::Resume => self.take_release(id, actions),
            SystemRequest::GetState => self.queue_up(id, Work::GetState, actions),
            SystemRequest::ReplaceState => self.queue_up(id, Work::ReplaceState, actions),
            SystemRequest::Terminate(reason) => self.queue_up(id, Work::Terminate(reason), actions),
        };
        self.forget_system_if_idle();
        effect
    }

    fn take_hold(&mut self, id: SystemId, actions: &mut Vec<Action>) -> Effect {
        let is_between = self.is_between_messages();
        let hold = &mut self.affairs.system.get_or_insert_default().hold;
        match hold {
            Hold::Asked(waiting) if waiting.len() >= WAITING_MOST => {
                actions.push(inform(id, Err(SystemError::TooMany)));
            }
            Hold::Asked(waiting) => waiting.push(id),
            Hold::No if !is_between => *hold = Hold::Asked(vec![id]),
            Hold::No | Hold::Held => {
                *hold = Hold::Held;
                actions.push(inform(id, Ok(SystemAnswer::Done)));
            }
        }
        Effect::Quiet
    }

    fn take_release(&mut self, id: SystemId, actions: &mut Vec<Action>) -> Effect {
        if let Some(system) = &mut self.affairs.system
            && let Hold::Asked(waiting) = std::mem::take(&mut system.hold)
        {
            // Whoever wanted it to stop was heard, and then this one.
            actions.extend(waiting.into_iter().map(|waiting| inform(waiting, Ok(SystemAnswer::Done))));
        }
        actions.push(inform(id, Ok(SystemAnswer::Done)));
        // Whatever came meanwhile was no reason to look.
        Effect::Stir
    }

    fn queue_up(&mut self, id: SystemId, work: Work, actions: &mut Vec<Action>) -> Effect {
        let system = self.affairs.system.get_or_insert_default();
        if system.asked.len() >= WAITING_MOST {
            actions.push(inform(id, Err(SystemError::TooMany)));
            return Effect::Quiet;
        }
        system.asked.push_back((id, work));
        if self.has_request_to_serve() { Effect::Stir } else { Effect::Quiet }
    }

    /// Whoever asked does not wait any more: a suspension that has not begun does not begin for his sake.
    pub(super) fn take_withdrawal(&mut self, id: SystemId) -> Effect {
        if let Some(system) = &mut self.affairs.system {
            system.asked.retain(|(asked, _)| *asked != id);
            if let Hold::Asked(waiting) = &mut system.hold {
                waiting.retain(|waiting| *waiting != id);
                if waiting.is_empty() {
                    system.hold = Hold::No;
                }
            }
        }
        self.forget_system_if_idle();
        Effect::Quiet
    }

    fn forget_system_if_idle(&mut self) {
        let idle =
            |system: &System| matches!(system.hold, Hold::No) && system.asked.is_empty() && system.serving.is_none();
        if self.affairs.system.as_deref().is_some_and(idle) {
            self.affairs.system = None;
        }
    }

    /// Whether something is to be done before the next message.
    pub(super) fn has_system_message(&self) -> bool {
        self.affairs
            .system
            .as_ref()
            .is_some_and(|system| matches!(system.hold, Hold::Asked(_)) || !system.asked.is_empty())
    }

    /// Whether guest code is at work for a request.
    pub(super) fn is_serving(&self) -> bool {
        self.affairs.system.as_ref().is_some_and(|system| system.serving.is_some())
    }

    /// Whether a worker must have a turn for a request's sake.
    pub(super) fn has_request_to_serve(&self) -> bool {
        let asked = self.affairs.system.as_ref().is_some_and(|system| !system.asked.is_empty());
        (asked || self.has_order_while_held())
            && matches!(self.affairs.change, Change::None)
            && self.is_between_messages()
    }

    /// Whether a suspended process was told to end, by its parent or by whoever stops it: of all its mail, OTP picks that
    /// out.
    fn has_order_while_held(&self) -> bool {
        self.is_held() && self.mailbox.has_order(self.nature.parent())
    }

    /// Whether a request is next that a process without an instance must have one for.
    pub(super) fn has_request_for_an_instance(&self) -> bool {
        let next = self.affairs.system.as_ref().and_then(|system| system.asked.front());
        self.has_request_to_serve() && (self.has_order_while_held() || matches!(next, Some((_, Work::Terminate(_)))))
    }

    /// Called between two messages: stops there, if that was asked.
    pub(super) fn hold_if_asked(&mut self, actions: &mut Vec<Action>) -> bool {
        let Some(system) = &mut self.affairs.system else { return false };
        let Hold::Asked(waiting) = &mut system.hold else { return false };
        let waiting = std::mem::take(waiting);
        system.hold = Hold::Held;
        actions.extend(waiting.into_iter().map(|id| inform(id, Ok(SystemAnswer::Done))));
        true
    }

    /// The next request, if it can be served now.
    pub(super) fn next_request(&mut self, actions: &mut Vec<Action>) -> Option<Step> {
        loop {
            if !self.has_request_to_serve() || (self.saved.is_some() && self.has_request_for_an_instance()) {
                return None;
            }
            if self.is_held()
                && let Some(reason) = self.mailbox.take_order(self.nature.parent())
            {
                return Some(self.terminate(reason));
            }
            let (id, work) = self.affairs.system.as_mut()?.asked.pop_front()?;
            let step = match (work, &self.saved) {
                (Work::GetState, Some(saved)) => {
                    // It lies there: nobody need be woken.
                    actions.push(inform(id, Ok(SystemAnswer::State(saved.state()))));
                    None
                }
                (Work::GetState, None) => Some(Step::GetState(id)),
                (Work::ReplaceState, _) => Some(Step::ReplaceState(id)),
                (Work::Terminate(reason), _) => {
                    actions.push(inform(id, Ok(SystemAnswer::Done)));
                    self.forget_system_if_idle();
                    return Some(self.terminate(reason));
                }
            };
            if step.is_some() {
                self.affairs.system.get_or_insert_default().serving = Some(id);
                return step;
            }
            self.forget_system_if_idle();
        }
    }

    /// What came of [`Step::GetState`].
    pub fn state_told(
        &mut self,
        id: SystemId,
        state: Result<State, CallbackFailed>,
        now: Time,
        actions: &mut Vec<Action>,
    ) {
        let answer = state.map(SystemAnswer::State).map_err(SystemError::CallbackFailed);
        actions.push(inform(id, answer));
        self.served(now, actions);
    }

    /// What came of [`Step::ReplaceState`]: the state that it goes on with, as the code itself has saved it, or why it goes
    /// on as before.
    pub fn state_replaced(
        &mut self,
        id: SystemId,
        after: Result<State, CallbackFailed>,
        now: Time,
        actions: &mut Vec<Action>,
    ) {
        let answer = match after {
            Ok(after) => {
                self.go_on_with(after);
                Ok(SystemAnswer::Done)
            }
            Err(why) => Err(SystemError::CallbackFailed(why)),
        };
        actions.push(inform(id, answer));
        self.served(now, actions);
    }

    /// It has its last words: no operator holds it any more.
    pub(super) fn let_go(&mut self) {
        if let Some(system) = &mut self.affairs.system
            && let Hold::Held = system.hold
        {
            system.hold = Hold::No;
        }
        self.forget_system_if_idle();
    }

    /// There was no room for the instance that is to try the state: the next turn tries again.
    pub fn replacement_postponed(&mut self, id: SystemId, now: Time, actions: &mut Vec<Action>) {
        self.affairs.system.get_or_insert_default().asked.push_front((id, Work::ReplaceState));
        self.served(now, actions);
    }

    /// It is between two messages again; whoever waited for that is told, since without an instance nobody else would.
    fn served(&mut self, now: Time, actions: &mut Vec<Action>) {
        if let Some(system) = &mut self.affairs.system {
            system.serving = None;
        }
        if self.is_between_messages() {
            self.suspend_if_asked(now, actions);
            self.hold_if_asked(actions);
        }
        self.forget_system_if_idle();
    }

    /// It has ended: whoever asked something is told.
    pub(super) fn leave_system(&mut self, actions: &mut Vec<Action>) {
        let Some(system) = self.affairs.system.take() else { return };
        let System { hold, asked, serving } = *system;
        let waiting = if let Hold::Asked(waiting) = hold { waiting } else { Vec::new() };
        let all = waiting.into_iter().chain(serving).chain(asked.into_iter().map(|(id, _)| id));
        actions.extend(all.map(|id| inform(id, Err(SystemError::Noproc))));
    }

    /// Whether this is what a suspended process picks out of its mail: an order to end.
    pub(super) fn is_order_while_held(&self, event: &Event) -> bool {
        is_order(event, self.nature.parent()) && self.is_held() && self.phase == Phase::Up
    }
}
