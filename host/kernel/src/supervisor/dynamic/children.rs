//! The children of a dynamic supervisor, and who each token and each pid belongs to.
//!
//! Owns the indexes: they follow from the states of the children, and nobody else writes them. Never decides anything.

use std::collections::BTreeMap;

use crate::supervisor::backoff::Row;
use crate::supervisor::protocol::Token;
use crate::supervisor::spec::{ChildKind, ChildSpec, Restart, Shutdown};
use crate::{Name, Pid, Time};

/// A child's number: never used twice, in the order in which they were asked for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Number(u64);

/// What a child is up to. One that is down and is not to be restarted is forgotten.
#[derive(Debug)]
pub(super) enum State<A> {
    /// Its first start is under way, for somebody who waits; or another one is, and it had this pid.
    Starting { token: Token, why: Why<A>, cancelled: bool },
    /// Running.
    Running(Pid),
    /// Down. The next try comes with this token; with a time, a timer brings it.
    Retrying { token: Token, was: Pid, at: Option<Time> },
    /// Told to end.
    Stopping { pid: Pid, patience: Patience },
}

#[derive(Debug)]
pub(super) enum Why<A> {
    Asked(A),
    Restart { was: Pid },
}

/// When a child that was told to end will be killed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Patience {
    /// Never, or it has been.
    Endless,
    /// With this timer of its own.
    Timer(Token),
    /// With this one, which others have too (DSUP-03).
    Deadline(Token),
}

impl<A> State<A> {
    /// The token that is its own.
    fn token(&self) -> Option<Token> {
        match self {
            State::Starting { token, .. }
            | State::Retrying { token, .. }
            | State::Stopping { patience: Patience::Timer(token), .. } => Some(*token),
            State::Running(_) | State::Stopping { .. } => None,
        }
    }

    /// The pid that it has, or had last.
    fn pid(&self) -> Option<Pid> {
        match self {
            State::Starting { why: Why::Asked(_), .. } => None,
            State::Starting { why: Why::Restart { was: pid }, .. }
            | State::Running(pid)
            | State::Retrying { was: pid, .. }
            | State::Stopping { pid, .. } => Some(*pid),
        }
    }

    fn is_active(&self) -> bool {
        matches!(self, State::Running(_) | State::Stopping { .. })
    }
}

#[derive(Debug)]
pub(super) struct Child<S, A> {
    pub id: Name,
    /// What its restarts are made from; none for a temporary child, which has none (DSUP-04).
    pub start: Option<S>,
    /// Those of the template are the template's, also when it is replaced.
    pub own: Option<Policy>,
    pub terminators: Vec<A>,
    pub restarts: u64,
    pub row: Row,
    state: State<A>,
}

impl<S, A> Child<S, A> {
    pub fn new(id: Name, start: Option<S>, own: Option<Policy>, state: State<A>) -> Self {
        Child { id, start, own, terminators: Vec::new(), restarts: 0, row: Row::default(), state }
    }

    pub fn state(&self) -> &State<A> {
        &self.state
    }

    pub fn into_state(self) -> State<A> {
        self.state
    }

    /// A start that is under way is not wanted any more: its token, the first time.
    pub fn cancel_start(&mut self) -> Option<Token> {
        let State::Starting { token, cancelled, .. } = &mut self.state else { return None };
        (!std::mem::replace(cancelled, true)).then_some(*token)
    }
}

/// How a child is restarted and stopped.
#[derive(Clone, Copy, Debug)]
pub(super) struct Policy {
    pub restart: Restart,
    pub shutdown: Shutdown,
    pub kind: ChildKind,
}

impl Policy {
    pub fn of<S>(spec: &ChildSpec<S>) -> Self {
        Policy { restart: spec.restart, shutdown: spec.shutdown, kind: spec.kind }
    }
}

/// All children.
#[derive(Debug)]
pub(super) struct Children<S, A> {
    all: BTreeMap<Number, Child<S, A>>,
    by_pid: BTreeMap<Pid, Number>,
    by_token: BTreeMap<Token, Number>,
    active: usize,
    numbers: u64,
}

impl<S, A> Default for Children<S, A> {
    fn default() -> Self {
        let (all, by_pid, by_token) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Children { all, by_pid, by_token, active: 0, numbers: 0 }
    }
}

impl<S, A> Children<S, A> {
    pub fn len(&self) -> usize {
        self.all.len()
    }

    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// How many have a process.
    pub fn active(&self) -> usize {
        self.active
    }

    /// In the order in which they were asked for.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (Number, &Child<S, A>)> {
        self.all.iter().map(|(number, child)| (*number, child))
    }

    pub fn numbers(&self) -> Vec<Number> {
        self.all.keys().copied().collect()
    }

    pub fn get(&self, number: Number) -> Option<&Child<S, A>> {
        self.all.get(&number)
    }

    pub fn get_mut(&mut self, number: Number) -> Option<&mut Child<S, A>> {
        self.all.get_mut(&number)
    }

    /// The child that has this pid, or had it last.
    pub fn of_pid(&self, pid: Pid) -> Option<Number> {
        self.by_pid.get(&pid).copied()
    }

    pub fn of_token(&self, token: Token) -> Option<Number> {
        self.by_token.get(&token).copied()
    }

    pub fn add(&mut self, child: Child<S, A>) {
        self.numbers += 1;
        self.insert(Number(self.numbers), child);
    }

    /// Puts a child into another state, and returns the one before.
    pub fn set(&mut self, number: Number, state: State<A>) -> Option<State<A>> {
        let mut child = self.remove(number)?;
        let before = std::mem::replace(&mut child.state, state);
        self.insert(number, child);
        Some(before)
    }

    pub fn remove(&mut self, number: Number) -> Option<Child<S, A>> {
        let child = self.all.remove(&number)?;
        if let Some(token) = child.state.token() {
            self.by_token.remove(&token);
        }
        if let Some(pid) = child.state.pid() {
            self.by_pid.remove(&pid);
        }
        self.active -= usize::from(child.state.is_active());
        Some(child)
    }

    fn insert(&mut self, number: Number, child: Child<S, A>) {
        if let Some(token) = child.state.token() {
            self.by_token.insert(token, number);
        }
        if let Some(pid) = child.state.pid() {
            self.by_pid.insert(pid, number);
        }
        self.active += usize::from(child.state.is_active());
        self.all.insert(number, child);
    }
}

/// For tests: each index has what follows from the states, and nothing else.
#[cfg(test)]
impl<S, A> Children<S, A> {
    pub fn is_consistent(&self) -> bool {
        let states = || self.iter().map(|(number, child)| (number, &child.state));
        let by_pid = states().filter_map(|(number, state)| Some((state.pid()?, number))).collect();
        let by_token = states().filter_map(|(number, state)| Some((state.token()?, number))).collect();
        let active = states().filter(|(_, state)| state.is_active()).count();
        self.by_pid == by_pid && self.by_token == by_token && self.active == active
    }
}
