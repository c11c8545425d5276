//! What the process under test says to others: messages, calls, requests and replies.
//!
//! Owns which requests are open. What it says to itself goes into its inbox; what others say is up to the test.

use super::{OWN_ALIASES, World};
use crate::sys::{self, SystemError};
use crate::testing::action::Action;
use crate::types::{Address, Body, CallError, Caller, Event, ExitReason, Mark, Refusal};

impl World {
    pub(crate) fn send(&mut self, to: Address, body: Body) -> Result<(), Refusal> {
        match (self.holder(&to), &to) {
            (_, Address::Alias(alias)) if alias.id == OWN_ALIASES => self.send_through(*alias, body),
            (Some(pid), _) if pid == self.me => self.inbox.push_back(Event::Info(body)),
            (Some(_), _) => self.note(Action::Send { to, body }),
            (None, _) => return Err(Refusal::Unknown(format!("nobody holds the name {to}"))),
        }
        Ok(())
    }

    pub(crate) fn cast(&mut self, to: Address, body: Body) {
        if self.holder(&to) == Some(self.me) {
            self.inbox.push_back(Event::Cast(body));
        } else {
            self.note(Action::Cast { to, body });
        }
    }

    pub(crate) fn call(&mut self, to: &Address, body: &Body, timeout_ms: Option<u64>) -> Result<Body, CallError> {
        self.note(Action::Call { to: to.clone(), body: body.clone() });
        if self.holder(to) == Some(self.me) {
            return Err(CallError::Refused("a process cannot call itself".to_owned()));
        }
        let outcome = (self.on_call)(to, body.clone());
        if let (Err(CallError::Timeout), Some(timeout_ms)) = (&outcome, timeout_ms) {
            self.now_ms = self.now_ms.saturating_add(timeout_ms);
        }
        outcome
    }

    pub(crate) fn request(&mut self, to: Address, body: Body, _: Option<u64>) -> Mark {
        let mark = self.mark();
        self.note(Action::Request { mark, to, body });
        self.open.insert(mark);
        mark
    }

    pub(crate) fn stop_server(
        &mut self,
        to: &Address,
        reason: &ExitReason,
        timeout_ms: Option<u64>,
    ) -> Result<(), CallError> {
        self.note(Action::StopServer { to: to.clone(), reason: reason.clone() });
        if self.holder(to) == Some(self.me) {
            return Err(CallError::Refused("a process cannot call itself".to_owned()));
        }
        let ended = (self.on_stop)(to, reason);
        match ended {
            Ok(ended) if ended == *reason => Ok(()),
            Ok(ended) => Err(CallError::Ended(ended)),
            Err(error) => {
                if let (CallError::Timeout, Some(timeout_ms)) = (&error, timeout_ms) {
                    self.now_ms = self.now_ms.saturating_add(timeout_ms);
                }
                Err(error)
            }
        }
    }

    pub(crate) fn abandon(&mut self, mark: Mark) -> bool {
        self.note(Action::Abandon(mark));
        let is_it = |event: &Event| matches!(event, Event::Answer(answer) if answer.mark == mark);
        let queued = self.inbox.iter().any(is_it);
        self.inbox.retain(|event| !is_it(event));
        self.open.remove(&mark) || queued
    }

    /// An answer to a request, unless it has one or was given up: then it goes nowhere.
    pub(crate) fn answered(&mut self, mark: Mark) -> bool {
        self.open.remove(&mark)
    }

    pub(crate) fn reply(&mut self, to: Caller, body: Body) {
        self.replies.entry(to.mark).or_insert(body);
    }

    pub(crate) fn ask_server(&mut self, target: &Address, ask: sys::Ask) -> Result<sys::Reply, SystemError> {
        let answer = (self.on_system)(target, &ask);
        self.note(Action::System { target: target.clone(), ask });
        answer
    }
}
