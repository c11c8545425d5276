//! A supervisor whose children come and go: OTP's simple_one_for_one, and Elixir's `DynamicSupervisor`.
//!
//! Owns the children by their pids, the restart history that they share, and the end of all of them at once. Like
//! [`Supervisor`](super::Supervisor) it starts, stops and waits for nobody: it is told an [`Input`] and answers with
//! [`Order`]s. Children are tied to nobody, start and stop side by side, and in no order.

mod children;
mod starts;
mod stops;
mod views;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::budget::BudgetSpec;
use crate::{ExitReason, Pid, SpawnError, Time};

use super::backoff::Backoff;
use super::intensity::{Intensity, Verdict};
use super::protocol::{Answer, ChildStatus, ChildView, Counts, Input, Order, Report, RequestError, StartCause, Token};
use super::restart::is_restarted;
use super::shutdown::is_as_ordered;
use super::spec::{ChildKind, ChildSpec, Restart, Roster, Shutdown, SpecError, SupervisorSpec};
use children::{Child, Children, Policy};

#[derive(Debug)]
enum Phase {
    /// Waits for [`Input::Begin`].
    New,
    /// Serves.
    Running,
    /// Stops its children, to end with this reason.
    Ending(ExitReason),
    /// Nothing runs any more, and its process was told to end.
    Ended,
}

/// A supervisor whose children come and go. It begins with none, also after a restart of its own.
#[derive(Debug)]
pub struct DynamicSupervisor<S, A> {
    roster: Roster,
    template: Option<ChildSpec<S>>,
    max_children: usize,
    backoff: Option<Backoff>,
    budget: Box<BudgetSpec>,
    intensity: Intensity,
    phase: Phase,
    children: Children<S, A>,
    /// At the end children share their deadlines (DSUP-03).
    deadlines: BTreeSet<Token>,
    tokens: u64,
    restarts_total: u64,
}

impl<S: Clone, A> DynamicSupervisor<S, A> {
    /// A supervisor that has not begun.
    pub fn new(spec: SupervisorSpec<S>) -> Result<Self, SpecError> {
        spec.check()?;
        if !spec.roster.is_dynamic() {
            return Err(SpecError::AnotherRoster);
        }
        Ok(DynamicSupervisor {
            intensity: Intensity::new(&spec),
            roster: spec.roster,
            template: spec.children.into_iter().next(),
            max_children: spec.max_children,
            backoff: spec.backoff,
            budget: spec.budget,
            phase: Phase::New,
            children: Children::default(),
            deadlines: BTreeSet::new(),
            tokens: 0,
            restarts_total: 0,
        })
    }

    /// Takes one input and adds what is to be done to `out`. `now` does not go back from call to call.
    pub fn step(&mut self, input: Input<S, A>, now: Time, out: &mut Vec<Order<S, A>>) {
        match input {
            Input::Begin => {
                if let Phase::New = self.phase {
                    self.phase = Phase::Running;
                    out.push(Order::Ready);
                }
            }
            Input::Started { token, outcome } => self.started(token, outcome, now, out),
            Input::Down { pid, reason } => self.down(pid, reason, now, out),
            Input::Stop { reason } => self.end(reason, now, out),
            Input::Timeout { token } => self.timeout(token, now, out),
            Input::Retry { token } => self.retry(token, now, out),
            Input::StartChild { spec, ask } => self.start_child(spec, ask, out),
            Input::TerminatePid { pid, ask } => self.terminate(pid, ask, now, out),
            Input::Replace { spec, ask } => {
                let result = self.replace(spec).map(|()| Answer::Done);
                out.push(Order::Reply { ask, result });
            }
            Input::TerminateChild { ask, .. } | Input::RestartChild { ask, .. } | Input::DeleteChild { ask, .. } => {
                out.push(Order::Reply { ask, result: Err(RequestError::OnlyByPid) });
            }
            Input::Resize { ask, .. } => {
                out.push(Order::Reply { ask, result: Err(RequestError::NoSuchPartitions) });
            }
            Input::WhichChildren { ask } => {
                let children = self.children().into_iter().rev().map(|(view, _)| view).collect();
                out.push(Order::Reply { ask, result: Ok(Answer::Children(children)) });
            }
            Input::CountChildren { ask } => {
                out.push(Order::Reply { ask, result: Ok(Answer::Counts(self.counts())) });
            }
        }
        if let Phase::Ending(_) = self.phase
            && self.children.is_empty()
            && let Phase::Ending(reason) = std::mem::replace(&mut self.phase, Phase::Ended)
        {
            out.push(Order::Finish { reason });
        }
    }

    pub(super) fn roster(&self) -> &Roster {
        &self.roster
    }

    pub(super) fn template(&self) -> Option<&ChildSpec<S>> {
        self.template.as_ref()
    }

    fn policy(&self, child: &Child<S, A>) -> Policy {
        let of_template = || self.template.as_ref().map(Policy::of);
        child.own.or_else(of_template).expect("a child without a policy of its own comes from a template")
    }

    fn is_ending(&self) -> bool {
        matches!(self.phase, Phase::Ending(_) | Phase::Ended)
    }

    /// What all below it may use together.
    #[must_use]
    pub fn budget(&self) -> &BudgetSpec {
        &self.budget
    }

    fn token(&mut self) -> Token {
        self.tokens += 1;
        Token(self.tokens)
    }

    /// OTP's `code_change`: nobody is started or stopped. What runs keeps its arguments, and goes by the new template.
    fn replace(&mut self, spec: SupervisorSpec<S>) -> Result<(), RequestError> {
        if self.is_ending() {
            return Err(RequestError::Stopping);
        }
        let same = std::mem::discriminant(&spec.roster) == std::mem::discriminant(&self.roster);
        let checked = if same { spec.check() } else { Err(SpecError::AnotherRoster) };
        checked.map_err(RequestError::Invalid)?;
        self.intensity.replace(&spec);
        self.roster = spec.roster;
        self.max_children = spec.max_children;
        self.backoff = spec.backoff;
        self.budget = spec.budget;
        self.template = spec.children.into_iter().next();
        Ok(())
    }
}

/// For tests: every index is of a child.
#[cfg(test)]
impl<S, A> DynamicSupervisor<S, A> {
    pub(super) fn is_consistent(&self) -> bool {
        self.children.is_consistent()
    }
}
