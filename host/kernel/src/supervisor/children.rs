//! The children of one supervisor, in start order.
//!
//! Owns what state each is in, and the indices by id, process and token, which only [`Children::set`] and
//! [`Children::put`] keep in step. Never decides anything.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Name, Pid, Time};

use super::backoff::Row;
use super::protocol::{ChildStatus, ChildView, Counts, Token};
use super::spec::{ChildKind, ChildSpec, Restart};

/// A child's place in the start order. Never used twice, so that one that went leaves no trace.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Rank(u64);

impl Rank {
    /// Before all.
    pub(super) const FIRST: Rank = Rank(0);
}

/// Who waits for what becomes of a child.
#[derive(Debug)]
pub(super) enum Waiter<A> {
    /// Somebody who asked.
    Ask(A),
    /// The supervisor, which changes the number of its partitions.
    Resize,
}

/// Whose wish a start in flight is.
#[derive(Debug)]
pub(super) enum Origin<A> {
    /// The supervisor's, which starts several children one after the other.
    Group,
    /// The supervisor's, which restarts this child alone.
    Alone,
    /// Somebody's who adds the child: without success it is forgotten.
    New(A),
    /// Somebody's who starts a child that was down.
    Again(Waiter<A>),
}

/// What a child is up to.
#[derive(Debug)]
pub(super) enum State<A> {
    /// Down, and nothing is about to change that.
    Stopped,
    /// Down; started when its turn comes.
    Pending,
    /// Down since it ended while its supervisor was starting; restarted after that.
    Crashed,
    /// Down; the next try to restart it comes with this token. With a time, a timer brings it.
    Retrying { token: Token, at: Option<Time> },
    /// Its start is under way.
    Starting { token: Token, origin: Origin<A>, cancelled: bool },
    /// Running.
    Running(Pid),
    /// Told to end. With a timer, it will be killed when that is due.
    Stopping { pid: Pid, timer: Option<Token> },
}

impl<A> State<A> {
    fn pid(&self) -> Option<Pid> {
        match *self {
            State::Running(pid) | State::Stopping { pid, .. } => Some(pid),
            State::Stopped | State::Pending | State::Crashed | State::Retrying { .. } | State::Starting { .. } => None,
        }
    }

    fn token(&self) -> Option<Token> {
        match *self {
            State::Retrying { token, .. } | State::Starting { token, .. } => Some(token),
            State::Stopping { timer, .. } => timer,
            State::Stopped | State::Pending | State::Crashed | State::Running(_) => None,
        }
    }

    /// The same state of a child that the supervisor's own spec now lists: a start that somebody had asked for does not
    /// make the child be forgotten should it fail.
    fn expected(self) -> Self {
        match self {
            State::Starting { token, origin: Origin::New(ask), cancelled } => {
                State::Starting { token, origin: Origin::Again(Waiter::Ask(ask)), cancelled }
            }
            other => other,
        }
    }

    /// Whether there is, or may soon be, a process that would have to be stopped.
    fn is_alive(&self) -> bool {
        matches!(self, State::Starting { .. } | State::Running(_) | State::Stopping { .. })
    }
}

#[derive(Debug)]
pub(super) struct Child<S, A> {
    pub(super) spec: ChildSpec<S>,
    state: State<A>,
    /// Who is told when it is down. While there is anybody, it is not started again.
    pub(super) terminators: Vec<Waiter<A>>,
    pub(super) restarts: u64,
    /// How well it stays up, for a supervisor that restarts with back-off.
    pub(super) row: Row,
}

impl<S, A> Child<S, A> {
    /// A child that is down.
    fn new(spec: ChildSpec<S>) -> Self {
        Child { spec, state: State::Stopped, terminators: Vec::new(), restarts: 0, row: Row::default() }
    }

    pub(super) fn state(&self) -> &State<A> {
        &self.state
    }

    /// For listings. `ready` tells a first start from a restart.
    pub(super) fn status(&self, ready: bool) -> ChildStatus {
        match self.state {
            State::Stopped => ChildStatus::Stopped,
            State::Starting { origin: Origin::New(_) | Origin::Again(_), .. } => ChildStatus::Starting,
            State::Pending | State::Starting { .. } if !ready => ChildStatus::Starting,
            State::Pending | State::Starting { .. } | State::Crashed | State::Retrying { .. } => {
                ChildStatus::Restarting
            }
            State::Running(pid) => ChildStatus::Running(pid),
            State::Stopping { pid, .. } => ChildStatus::Stopping(pid),
        }
    }

    /// When its next restart is due, if that waits for its time.
    pub(super) fn restart_at(&self) -> Option<Time> {
        match self.state {
            State::Retrying { at, .. } => at,
            _ => None,
        }
    }

    pub(super) fn is_temporary(&self) -> bool {
        self.spec.restart == Restart::Temporary
    }
}

#[derive(Debug)]
pub(super) struct Children<S, A> {
    by_rank: BTreeMap<Rank, Child<S, A>>,
    by_id: BTreeMap<Name, Rank>,
    by_pid: BTreeMap<Pid, Rank>,
    by_token: BTreeMap<Token, Rank>,
    alive: BTreeSet<Rank>,
    pending: BTreeSet<Rank>,
    next: Rank,
}

impl<S, A> Children<S, A> {
    pub(super) fn new() -> Self {
        Children {
            by_rank: BTreeMap::new(),
            by_id: BTreeMap::new(),
            by_pid: BTreeMap::new(),
            by_token: BTreeMap::new(),
            alive: BTreeSet::new(),
            pending: BTreeSet::new(),
            next: Rank::FIRST,
        }
    }

    /// Adds a child at the end, stopped. Its id must be new.
    pub(super) fn add(&mut self, spec: ChildSpec<S>) -> Rank {
        self.put(Child::new(spec))
    }

    /// Puts a child behind all others.
    fn put(&mut self, child: Child<S, A>) -> Rank {
        let rank = self.next;
        self.next = Rank(rank.0 + 1);
        let known = self.by_id.insert(child.spec.id.clone(), rank);
        assert!(known.is_none(), "a child id is used twice");
        self.enter(rank, &child.state);
        self.by_rank.insert(rank, child);
        rank
    }

    /// Takes new specs, of ids that are all different. A child whose id is among them stays what it is and has the new
    /// spec and place; the others that are here come after, in their order. Every child gets a new rank.
    pub(super) fn replace(&mut self, specs: Vec<ChildSpec<S>>) {
        let by_id = std::mem::take(&mut self.by_id);
        let mut known = std::mem::take(&mut self.by_rank);
        (self.by_pid, self.by_token) = (BTreeMap::new(), BTreeMap::new());
        (self.alive, self.pending) = (BTreeSet::new(), BTreeSet::new());
        for spec in specs {
            let child = by_id.get(&spec.id).and_then(|rank| known.remove(rank));
            self.put(match child {
                Some(child) => Child { spec, state: child.state.expected(), ..child },
                None => Child::new(spec),
            });
        }
        for child in known.into_values() {
            self.put(child);
        }
    }

    /// Forgets a child, which must be down.
    pub(super) fn remove(&mut self, rank: Rank) {
        self.set(rank, State::Stopped);
        if let Some(child) = self.by_rank.remove(&rank) {
            self.by_id.remove(&child.spec.id);
        }
    }

    /// Puts a child into another state and returns the one it was in.
    pub(super) fn set(&mut self, rank: Rank, state: State<A>) -> State<A> {
        let old = std::mem::replace(&mut self.get_mut(rank).state, State::Stopped);
        if let Some(pid) = old.pid() {
            self.by_pid.remove(&pid);
        }
        if let Some(token) = old.token() {
            self.by_token.remove(&token);
        }
        self.alive.remove(&rank);
        self.pending.remove(&rank);
        self.enter(rank, &state);
        self.get_mut(rank).state = state;
        old
    }

    /// Enters a state into the indices.
    fn enter(&mut self, rank: Rank, state: &State<A>) {
        self.by_pid.extend(state.pid().map(|pid| (pid, rank)));
        self.by_token.extend(state.token().map(|token| (token, rank)));
        if state.is_alive() {
            self.alive.insert(rank);
        }
        if let State::Pending = state {
            self.pending.insert(rank);
        }
    }

    /// Marks a start in flight as cancelled; its token, unless it was marked already.
    pub(super) fn cancel(&mut self, rank: Rank) -> Option<Token> {
        match &mut self.get_mut(rank).state {
            State::Starting { token, cancelled, .. } if !*cancelled => {
                *cancelled = true;
                Some(*token)
            }
            _ => None,
        }
    }

    pub(super) fn get(&self, rank: Rank) -> &Child<S, A> {
        self.by_rank.get(&rank).expect("ranks are of children")
    }

    pub(super) fn get_mut(&mut self, rank: Rank) -> &mut Child<S, A> {
        self.by_rank.get_mut(&rank).expect("ranks are of children")
    }

    pub(super) fn with_id(&self, id: &str) -> Option<Rank> {
        self.by_id.get(id).copied()
    }

    pub(super) fn with_pid(&self, pid: Pid) -> Option<Rank> {
        self.by_pid.get(&pid).copied()
    }

    /// The child that is starting, stopping or retrying with this token.
    pub(super) fn with_token(&self, token: Token) -> Option<Rank> {
        self.by_token.get(&token).copied()
    }

    /// The last one, from `from` on, that would have to be stopped.
    pub(super) fn last_alive(&self, from: Rank) -> Option<Rank> {
        self.alive.range(from..).next_back().copied()
    }

    pub(super) fn first_pending(&self) -> Option<Rank> {
        self.pending.first().copied()
    }

    /// Whether a restart that failed is to be tried again.
    pub(super) fn is_retrying(&self) -> bool {
        self.by_rank.values().any(|child| matches!(child.state, State::Retrying { .. }))
    }

    /// Whether a significant child is up, or about to be (SUP-24).
    pub(super) fn has_significant(&self) -> bool {
        self.by_rank.values().any(|child| child.spec.significant && !matches!(child.state, State::Stopped))
    }

    pub(super) fn len(&self) -> usize {
        self.by_rank.len()
    }

    /// The first so many, in start order.
    pub(super) fn first(&self, many: usize) -> Vec<Rank> {
        self.by_rank.keys().copied().take(many).collect()
    }

    /// Those that are down, from `from` on.
    pub(super) fn down(&self, from: Rank) -> Vec<Rank> {
        let down = self.by_rank.range(from..).filter(|(_, child)| !child.state.is_alive());
        down.map(|(&rank, _)| rank).collect()
    }

    /// All specs, in start order.
    pub(super) fn specs(&self) -> impl DoubleEndedIterator<Item = &ChildSpec<S>> {
        self.by_rank.values().map(|child| &child.spec)
    }

    /// All, in start order.
    pub(super) fn views(&self, ready: bool) -> impl DoubleEndedIterator<Item = ChildView> {
        self.by_rank.values().map(move |child| ChildView {
            id: child.spec.id.clone(),
            status: child.status(ready),
            kind: child.spec.kind,
            restart: child.spec.restart,
            restarts: child.restarts,
            restart_at: child.restart_at(),
        })
    }

    pub(super) fn counts(&self) -> Counts {
        let specs = self.by_rank.len();
        let supervisors = self.by_rank.values().filter(|child| child.spec.kind == ChildKind::Supervisor).count();
        Counts { specs, active: self.by_pid.len(), supervisors, workers: specs - supervisors }
    }
}
