//! A supervisor whose children come and go: OTP's simple_one_for_one, and Elixir's `DynamicSupervisor`.
//!
//! Owns the children by their pids, the restart history that they share, and the end of all of them at once. Like
//! [`Supervisor`](super::Supervisor) it starts, stops and waits for nobody: it is told an [`Input`] and answers with
//! [`Order`]s. Children are tied to nobody, start and stop side by side, and in no order.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::{ExitReason, Name, Pid, SpawnError, Time};

use super::backoff::{Backoff, Row};
use super::intensity::{Intensity, Verdict};
use super::protocol::{Answer, ChildStatus, ChildView, Counts, Input, Order, Report, RequestError, StartCause, Token};
use super::restart::is_restarted;
use super::shutdown::is_as_ordered;
use super::spec::{ChildKind, ChildSpec, Restart, Roster, Shutdown, SpecError, SupervisorSpec};

/// A child's number: never used twice, in the order in which they were asked for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Number(u64);

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

/// What a child is up to. One that is down and is not to be restarted is forgotten.
#[derive(Debug)]
enum State<A> {
    /// Its first start is under way, for somebody who waits; or another one is, and it had this pid.
    Starting { token: Token, why: Why<A>, cancelled: bool },
    /// Running.
    Running(Pid),
    /// Down. The next try comes with this token; with a time, a timer brings it.
    Retrying { token: Token, was: Pid, at: Option<Time> },
    /// Told to end. With a token, it will be killed when that is due.
    Stopping { pid: Pid, timer: Option<Token> },
}

#[derive(Debug)]
enum Why<A> {
    Asked(A),
    Restart { was: Pid },
}

#[derive(Debug)]
struct Child<S, A> {
    id: Name,
    /// What its restarts are made from; none for a temporary child, which has none (DSUP-04).
    start: Option<S>,
    /// Those of the template are the template's, also when it is replaced.
    own: Option<Policy>,
    state: State<A>,
    terminators: Vec<A>,
    restarts: u64,
    row: Row,
}

/// How a child is restarted and stopped.
#[derive(Clone, Copy, Debug)]
struct Policy {
    restart: Restart,
    shutdown: Shutdown,
    kind: ChildKind,
}

impl Policy {
    fn of<S>(spec: &ChildSpec<S>) -> Self {
        Policy { restart: spec.restart, shutdown: spec.shutdown, kind: spec.kind }
    }
}

/// A supervisor whose children come and go. It begins with none, also after a restart of its own.
#[derive(Debug)]
pub struct DynamicSupervisor<S, A> {
    roster: Roster,
    template: Option<ChildSpec<S>>,
    max_children: usize,
    backoff: Option<Backoff>,
    intensity: Intensity,
    phase: Phase,
    children: BTreeMap<Number, Child<S, A>>,
    /// By the pid that it has, or had last.
    by_pid: BTreeMap<Pid, Number>,
    by_token: BTreeMap<Token, Number>,
    /// At the end children share their deadlines (DSUP-03).
    deadlines: BTreeMap<Token, Duration>,
    active: usize,
    numbers: u64,
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
            phase: Phase::New,
            children: BTreeMap::new(),
            by_pid: BTreeMap::new(),
            by_token: BTreeMap::new(),
            deadlines: BTreeMap::new(),
            active: 0,
            numbers: 0,
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

    /// The children, in the order in which they were asked for, each with what its next start is made from.
    pub(super) fn children(&self) -> Vec<(ChildView, Option<S>)> {
        let view = |child: &Child<S, A>| {
            let (status, restart_at) = match child.state {
                State::Starting { why: Why::Asked(_), .. } => (ChildStatus::Starting, None),
                State::Starting { why: Why::Restart { .. }, .. } => (ChildStatus::Restarting, None),
                State::Running(pid) => (ChildStatus::Running(pid), None),
                State::Retrying { at, .. } => (ChildStatus::Restarting, at),
                State::Stopping { pid, .. } => (ChildStatus::Stopping(pid), None),
            };
            let Policy { restart, kind, .. } = self.policy(child);
            ChildView { id: child.id.clone(), status, kind, restart, restarts: child.restarts, restart_at }
        };
        self.children.values().map(|child| (view(child), child.start.clone())).collect()
    }

    /// The children, in the order in which they were asked for, for listings.
    #[must_use]
    pub fn view(&self) -> Vec<ChildView> {
        self.children().into_iter().map(|(view, _)| view).collect()
    }

    /// How many children there are. With a template, that is the one spec.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let all = self.children.len();
        let supervisors = match &self.template {
            Some(template) if template.kind == ChildKind::Supervisor => all,
            Some(_) => 0,
            None => self.children.values().filter(|child| self.policy(child).kind == ChildKind::Supervisor).count(),
        };
        let specs = if self.template.is_some() { 1 } else { all };
        Counts { specs, active: self.active, supervisors, workers: all - supervisors }
    }

    /// How many restarts there have been, failed tries included.
    #[must_use]
    pub fn restarts_total(&self) -> u64 {
        self.restarts_total
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

    fn token(&mut self) -> Token {
        self.tokens += 1;
        Token(self.tokens)
    }

    fn start_child(&mut self, spec: ChildSpec<S>, ask: A, out: &mut Vec<Order<S, A>>) {
        let refused = if self.is_ending() {
            Some(RequestError::Stopping)
        } else if self.children.len() >= self.max_children {
            Some(RequestError::MaxChildren)
        } else {
            spec.check(super::AutoShutdown::Never).err().map(RequestError::Invalid)
        };
        if let Some(error) = refused {
            return out.push(Order::Reply { ask, result: Err(error) });
        }
        let own = self.template.is_none().then(|| Policy::of(&spec));
        let Policy { restart, kind, .. } =
            own.unwrap_or_else(|| self.template.as_ref().map_or(Policy::of(&spec), Policy::of));
        let token = self.token();
        self.numbers += 1;
        let number = Number(self.numbers);
        out.push(Order::Start {
            token,
            id: spec.id.clone(),
            start: spec.start.clone(),
            kind,
            cause: StartCause::Request,
        });
        let child = Child {
            id: spec.id,
            start: (restart != Restart::Temporary).then_some(spec.start),
            own,
            state: State::Starting { token, why: Why::Asked(ask), cancelled: false },
            terminators: Vec::new(),
            restarts: 0,
            row: Row::default(),
        };
        self.by_token.insert(token, number);
        self.children.insert(number, child);
    }

    /// A start that it had ordered came to its end.
    fn started(&mut self, token: Token, outcome: Result<Pid, SpawnError>, now: Time, out: &mut Vec<Order<S, A>>) {
        let Some(number) = self.by_token.get(&token).copied() else { return };
        let Some(child) = self.children.get_mut(&number) else { return };
        let State::Starting { cancelled, .. } = child.state else { return };
        self.by_token.remove(&token);
        match outcome {
            Ok(pid) => {
                child.row.up(now);
                let before = std::mem::replace(&mut child.state, State::Running(pid));
                self.by_pid.insert(pid, number);
                self.active += 1;
                if let State::Starting { why: Why::Asked(ask), .. } = before {
                    out.push(Order::Reply { ask, result: Ok(Answer::Started(Some(pid))) });
                } else if let State::Starting { why: Why::Restart { was }, .. } = before {
                    self.by_pid.remove(&was);
                }
                if cancelled {
                    self.stop(number, pid, now, out);
                }
            }
            Err(error) => self.not_started(number, cancelled, error, now, out),
        }
    }

    fn not_started(
        &mut self,
        number: Number,
        cancelled: bool,
        error: SpawnError,
        now: Time,
        out: &mut Vec<Order<S, A>>,
    ) {
        let Some(child) = self.children.get_mut(&number) else { return };
        if error != SpawnError::Ignored && !cancelled {
            out.push(Order::Report(Report::StartFailed { child: child.id.clone(), error: error.clone() }));
        }
        let State::Starting { why: Why::Restart { was }, .. } = child.state else {
            let child = self.forget(number, out);
            if let Some(Child { state: State::Starting { why: Why::Asked(ask), .. }, .. }) = child {
                let result = match error {
                    SpawnError::Ignored => Ok(Answer::Started(None)),
                    error => Err(RequestError::Failed(error)),
                };
                out.push(Order::Reply { ask, result });
            }
            return;
        };
        if cancelled || error == SpawnError::Ignored {
            self.forget(number, out);
            return;
        }
        let token = self.token();
        let at = self.wait(number, now);
        self.put(number, State::Retrying { token, was, at });
        out.push(match at {
            Some(at) => Order::SetTimer { token, at },
            None => Order::Retry { token },
        });
    }

    /// Until when the restart of a child is to wait.
    fn wait(&mut self, number: Number, now: Time) -> Option<Time> {
        let backoff = self.backoff?;
        self.children.get_mut(&number)?.row.failed(now, backoff)
    }

    /// Puts a child that is down into a state with a token.
    fn put(&mut self, number: Number, state: State<A>) {
        if let State::Starting { token, .. } | State::Retrying { token, .. } = state {
            self.by_token.insert(token, number);
        }
        if let Some(child) = self.children.get_mut(&number) {
            child.state = state;
        }
    }

    /// A child is gone for good: whoever waited for that is told.
    fn forget(&mut self, number: Number, out: &mut Vec<Order<S, A>>) -> Option<Child<S, A>> {
        let mut child = self.children.remove(&number)?;
        match child.state {
            State::Running(pid) | State::Stopping { pid, .. } => {
                self.active -= 1;
                self.by_pid.remove(&pid);
            }
            State::Retrying { token, was, .. } => {
                self.by_token.remove(&token);
                self.by_pid.remove(&was);
            }
            State::Starting { token, why: Why::Restart { was }, .. } => {
                self.by_token.remove(&token);
                self.by_pid.remove(&was);
            }
            State::Starting { token, .. } => {
                self.by_token.remove(&token);
            }
        }
        let waited = std::mem::take(&mut child.terminators);
        out.extend(waited.into_iter().map(|ask| Order::Reply { ask, result: Ok(Answer::Done) }));
        Some(child)
    }

    /// A process ended.
    fn down(&mut self, pid: Pid, reason: ExitReason, now: Time, out: &mut Vec<Order<S, A>>) {
        let Some(number) = self.by_pid.get(&pid).copied() else { return };
        let Some(child) = self.children.get(&number) else { return };
        let (id, policy) = (child.id.clone(), self.policy(child));
        match child.state {
            State::Stopping { timer, .. } => {
                if let Some(token) = timer.filter(|token| self.by_token.remove(token).is_some()) {
                    out.push(Order::CancelTimer { token });
                }
                if !is_as_ordered(&reason, policy.shutdown, policy.restart) {
                    out.push(Order::Report(Report::StopFailed { child: id, pid, reason }));
                }
                self.forget(number, out);
                self.release_deadlines(out);
            }
            State::Running(_) => {
                let again = is_restarted(policy.restart, &reason);
                if again || !reason.is_orderly() {
                    out.push(Order::Report(Report::Ended { child: id, pid, reason }));
                }
                if again {
                    self.active -= 1;
                    self.failed(number, pid, now, out);
                } else {
                    self.forget(number, out);
                }
            }
            // It had this pid before.
            State::Starting { .. } | State::Retrying { .. } => {}
        }
    }

    /// A child is to be restarted: now, or when its wait is over.
    fn failed(&mut self, number: Number, was: Pid, now: Time, out: &mut Vec<Order<S, A>>) {
        match self.wait(number, now) {
            None => self.restart(number, was, now, out),
            Some(at) => {
                let token = self.token();
                self.put(number, State::Retrying { token, was, at: Some(at) });
                out.push(Order::SetTimer { token, at });
            }
        }
    }

    fn restart(&mut self, number: Number, was: Pid, now: Time, out: &mut Vec<Order<S, A>>) {
        let token = self.token();
        let Some(child) = self.children.get(&number) else { return };
        let (id, kind) = (child.id.clone(), self.policy(child).kind);
        let start = child.start.clone();
        self.put(number, State::Retrying { token, was, at: None });
        // It was temporary when it was started, and another template says otherwise now.
        let Some(start) = start else {
            self.forget(number, out);
            return;
        };
        if self.intensity.count(now) == Verdict::GiveUp {
            out.push(Order::Report(Report::GaveUp { child: id }));
            return self.end(ExitReason::Shutdown(None), now, out);
        }
        self.restarts_total += 1;
        if let Some(child) = self.children.get_mut(&number) {
            child.restarts += 1;
        }
        out.push(Order::Report(Report::Restarting { child: id.clone(), total: self.restarts_total }));
        self.put(number, State::Starting { token, why: Why::Restart { was }, cancelled: false });
        out.push(Order::Start { token, id, start, kind, cause: StartCause::Restart });
    }

    fn retry(&mut self, token: Token, now: Time, out: &mut Vec<Order<S, A>>) {
        let Some(number) = self.by_token.get(&token).copied() else { return };
        if let Some(State::Retrying { was, .. }) = self.children.get(&number).map(|child| &child.state) {
            let was = *was;
            self.by_token.remove(&token);
            self.restart(number, was, now, out);
        }
    }

    /// The patience with a child is over, or with all; or the wait for a restart.
    fn timeout(&mut self, token: Token, now: Time, out: &mut Vec<Order<S, A>>) {
        if self.deadlines.remove(&token).is_some() {
            for child in self.children.values_mut() {
                if let State::Stopping { pid, timer } = &mut child.state
                    && *timer == Some(token)
                {
                    *timer = None;
                    out.push(Order::Kill { pid: *pid });
                }
            }
            return;
        }
        let child = self.by_token.get(&token).and_then(|number| self.children.get_mut(number));
        if let Some(Child { state: State::Stopping { pid, timer }, .. }) = child {
            *timer = None;
            out.push(Order::Kill { pid: *pid });
            self.by_token.remove(&token);
        } else {
            self.retry(token, now, out);
        }
    }

    /// Stops a child because somebody asked for it. Whoever is no child of this supervisor is left alone (DSUP-02).
    fn terminate(&mut self, pid: Pid, ask: A, now: Time, out: &mut Vec<Order<S, A>>) {
        let number = self.by_pid.get(&pid).copied();
        let Some((number, child)) = number.and_then(|number| Some((number, self.children.get_mut(&number)?))) else {
            return out.push(Order::Reply { ask, result: Err(RequestError::NotFound) });
        };
        child.terminators.push(ask);
        match child.state {
            State::Running(pid) => self.stop(number, pid, now, out),
            State::Stopping { .. } => {}
            State::Starting { .. } => self.cancel_start(number, out),
            State::Retrying { .. } => self.give_up_on(number, out),
        }
    }

    /// A child that is down and waits for its restart is forgotten.
    fn give_up_on(&mut self, number: Number, out: &mut Vec<Order<S, A>>) {
        if let Some(Child { state: State::Retrying { token, at: Some(_), .. }, .. }) = self.children.get(&number) {
            out.push(Order::CancelTimer { token: *token });
        }
        self.forget(number, out);
    }

    fn cancel_start(&mut self, number: Number, out: &mut Vec<Order<S, A>>) {
        if let Some(Child { state: State::Starting { token, cancelled, .. }, .. }) = self.children.get_mut(&number)
            && !std::mem::replace(cancelled, true)
        {
            out.push(Order::CancelStart { token: *token });
        }
    }

    /// Tells one child to end, in the way that its spec says.
    fn stop(&mut self, number: Number, pid: Pid, now: Time, out: &mut Vec<Order<S, A>>) {
        let Some(shutdown) = self.children.get(&number).map(|child| self.policy(child).shutdown) else { return };
        let timer = shutdown.begin(pid, now, || self.token(), out);
        if let Some(token) = timer {
            self.by_token.insert(token, number);
        }
        if let Some(child) = self.children.get_mut(&number) {
            child.state = State::Stopping { pid, timer };
        }
    }

    /// Begins the end: all children are told at once, and those with the same patience share one deadline (DSUP-03).
    fn end(&mut self, reason: ExitReason, now: Time, out: &mut Vec<Order<S, A>>) {
        if self.is_ending() {
            return;
        }
        self.phase = Phase::Ending(reason);
        let mut deadlines: BTreeMap<Duration, Token> = BTreeMap::new();
        let numbers: Vec<Number> = self.children.keys().copied().collect();
        for number in numbers {
            let Some(child) = self.children.get(&number) else { continue };
            match child.state {
                State::Running(pid) => {
                    let patience = match self.policy(child).shutdown {
                        Shutdown::Timeout(patience) => patience,
                        Shutdown::BrutalKill | Shutdown::Infinity => {
                            self.stop(number, pid, now, out);
                            continue;
                        }
                    };
                    let token = match deadlines.get(&patience) {
                        Some(token) => *token,
                        None => {
                            let token = self.token();
                            deadlines.insert(patience, token);
                            token
                        }
                    };
                    out.push(Order::Shutdown { pid });
                    if let Some(child) = self.children.get_mut(&number) {
                        child.state = State::Stopping { pid, timer: Some(token) };
                    }
                }
                State::Starting { .. } => self.cancel_start(number, out),
                State::Retrying { .. } => self.give_up_on(number, out),
                State::Stopping { .. } => {}
            }
        }
        for (patience, token) in deadlines {
            self.deadlines.insert(token, patience);
            out.push(Order::SetTimer { token, at: now.saturating_add(patience) });
        }
    }

    /// Nobody is left who could pass a deadline.
    fn release_deadlines(&mut self, out: &mut Vec<Order<S, A>>) {
        if self.children.is_empty() {
            out.extend(std::mem::take(&mut self.deadlines).into_keys().map(|token| Order::CancelTimer { token }));
        }
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
        self.template = spec.children.into_iter().next();
        Ok(())
    }
}

/// Those that are known, for tests: every index is of a child.
#[cfg(test)]
impl<S, A> DynamicSupervisor<S, A> {
    pub(super) fn is_consistent(&self) -> bool {
        let known: std::collections::BTreeSet<Number> = self.children.keys().copied().collect();
        let active =
            self.children.values().filter(|child| matches!(child.state, State::Running(_) | State::Stopping { .. }));
        self.by_pid.values().chain(self.by_token.values()).all(|number| known.contains(number))
            && active.count() == self.active
    }
}
