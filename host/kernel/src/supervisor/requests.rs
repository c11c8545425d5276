//! What others ask of a supervisor: adding, stopping, starting and deleting children (SUP-12, SUP-18, SUP-19), and
//! another spec (HOT-17).
//!
//! Owns what is answered when. Called by the dispatch in `supervisor.rs`. Stopping a child is served whatever else is
//! going on; the rest, whose answer depends on how it goes, waits while children are started one after the other.

use crate::{Name, Time};

use super::Supervisor;
use super::children::{Origin, Rank, State, Waiter};
use super::protocol::{Answer, Order, RequestError};
use super::spec::{ChildSpec, Roster, SpecError, Strategy, SupervisorSpec};

/// A request that may have to wait.
#[derive(Debug)]
pub(super) enum Held<S, A> {
    Start { spec: ChildSpec<S>, ask: A },
    Restart { id: Name, ask: A },
    Delete { id: Name, ask: A },
    Replace { spec: SupervisorSpec<S>, ask: A },
    Resize { to: usize, ask: A },
}

impl<S, A> Held<S, A> {
    pub(super) fn into_ask(self) -> A {
        match self {
            Held::Start { ask, .. }
            | Held::Restart { ask, .. }
            | Held::Delete { ask, .. }
            | Held::Replace { ask, .. }
            | Held::Resize { ask, .. } => ask,
        }
    }
}

impl<S: Clone, A> Supervisor<S, A> {
    /// Serves a request, now or when nothing is pending any more.
    pub(super) fn request(&mut self, request: Held<S, A>, out: &mut Vec<Order<S, A>>) {
        if self.is_ending() {
            out.push(Order::Reply { ask: request.into_ask(), result: Err(RequestError::Stopping) });
        } else if !self.can_serve(&request) {
            self.held.push_back(request);
        } else {
            match request {
                Held::Start { spec, ask } => self.start_child(spec, ask, out),
                Held::Restart { id, ask } => self.restart_child(&id, ask, out),
                Held::Delete { id, ask } => self.delete_child(&id, ask, out),
                Held::Replace { spec, ask } => self.replace(spec, ask, out),
                Held::Resize { to, ask } => self.resize(to, ask, out),
            }
        }
    }

    /// Whether a request can be served now. A group whose restart is tried again counts as a rebuild under way for a new
    /// spec: under another strategy, those that stay down until the try succeeds would be forgotten.
    pub(super) fn can_serve(&self, request: &Held<S, A>) -> bool {
        let rebuild_is_tried_again = || self.strategy != Strategy::OneForOne && self.children.is_retrying();
        match request {
            _ if self.is_busy() => false,
            // Partitions that come and go are known by their places.
            Held::Replace { .. } => !rebuild_is_tried_again() && !self.is_resizing(),
            Held::Resize { .. } => !self.is_resizing(),
            Held::Start { .. } | Held::Restart { .. } | Held::Delete { .. } => true,
        }
    }

    /// OTP's `code_change` of a supervisor. No rebuild is under way, so no rank is known but to the children; starts and
    /// stops of single children go on under the new specs.
    fn replace(&mut self, spec: SupervisorSpec<S>, ask: A, out: &mut Vec<Order<S, A>>) {
        debug_assert!(self.crashed.is_empty());
        let same = spec.roster == self.roster;
        let checked = if same { spec.check() } else { Err(SpecError::AnotherRoster) };
        let result = checked.map_err(RequestError::Invalid).map(|()| {
            self.strategy = spec.strategy;
            self.auto_shutdown = spec.auto_shutdown;
            self.backoff = spec.backoff;
            self.max_children = spec.max_children;
            self.budget = spec.budget.clone();
            self.intensity.replace(&spec);
            let listed = spec.children.len();
            self.children.replace(spec.children);
            self.repartition(listed);
            Answer::Done
        });
        out.push(Order::Reply { ask, result });
    }

    fn start_child(&mut self, spec: ChildSpec<S>, ask: A, out: &mut Vec<Order<S, A>>) {
        // As in OTP, a spec that makes no sense is refused whoever has its id.
        let invalid = spec.check(self.auto_shutdown).err().map(RequestError::Invalid);
        let refused = match self.children.with_id(&spec.id) {
            _ if invalid.is_some() => invalid,
            Some(rank) => Some(match *self.children.get(rank).state() {
                State::Running(pid) | State::Stopping { pid, .. } => RequestError::AlreadyStarted(pid),
                _ => RequestError::AlreadyPresent,
            }),
            None if self.roster == Roster::Partitions => Some(RequestError::OnlyByNumber),
            None if self.children.len() >= self.max_children => Some(RequestError::MaxChildren),
            None => None,
        };
        match refused {
            Some(error) => out.push(Order::Reply { ask, result: Err(error) }),
            None => {
                let rank = self.children.add(spec);
                self.start(rank, Origin::New(ask), out);
            }
        }
    }

    fn restart_child(&mut self, id: &str, ask: A, out: &mut Vec<Order<S, A>>) {
        match self.stopped_child(id) {
            Ok(rank) => self.start(rank, Origin::Again(Waiter::Ask(ask)), out),
            Err(error) => out.push(Order::Reply { ask, result: Err(error) }),
        }
    }

    fn delete_child(&mut self, id: &str, ask: A, out: &mut Vec<Order<S, A>>) {
        let result = self.stopped_child(id).and_then(|rank| {
            if self.is_partition(rank) {
                return Err(RequestError::OnlyByNumber);
            }
            self.children.remove(rank);
            Ok(Answer::Done)
        });
        out.push(Order::Reply { ask, result });
    }

    /// A child that is down for good, or why it cannot be started or deleted.
    fn stopped_child(&self, id: &str) -> Result<Rank, RequestError> {
        let rank = self.children.with_id(id).ok_or(RequestError::NotFound)?;
        match self.children.get(rank).state() {
            State::Stopped => Ok(rank),
            State::Pending | State::Crashed | State::Retrying { .. } => Err(RequestError::Restarting),
            State::Starting { origin: Origin::Group | Origin::Alone, .. } => Err(RequestError::Restarting),
            State::Starting { .. } | State::Running(_) | State::Stopping { .. } => Err(RequestError::Running),
        }
    }

    /// Stops a child whatever it is up to; the answer comes when it is down.
    pub(super) fn terminate_child(&mut self, id: &str, ask: A, now: Time, out: &mut Vec<Order<S, A>>) {
        let Some(rank) = self.children.with_id(id) else {
            out.push(Order::Reply { ask, result: Err(RequestError::NotFound) });
            return;
        };
        self.terminate(rank, Waiter::Ask(ask), now, out);
    }

    /// Stops a child whatever it is up to; whoever waits for it hears when it is down.
    pub(super) fn terminate(&mut self, rank: Rank, waiter: Waiter<A>, now: Time, out: &mut Vec<Order<S, A>>) {
        self.children.get_mut(rank).terminators.push(waiter);
        self.call_off(rank, out);
        match *self.children.get(rank).state() {
            State::Stopped | State::Pending | State::Crashed | State::Retrying { .. } => self.settle(rank, out),
            State::Starting { .. } => self.cancel_start(rank, out),
            State::Running(pid) if !self.is_doomed(rank) => self.stop(rank, pid, now, out),
            State::Running(_) | State::Stopping { .. } => {}
        }
    }
}
