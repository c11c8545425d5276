//! Stopping children, one after the other, and the end of the supervisor itself (SUP-01, SUP-15).
//!
//! Owns the way from "told to end" to "down". Called by the dispatch in `supervisor.rs`.

use crate::{ExitReason, Pid, Time};

use super::children::{Origin, Rank, State, Waiter};
use super::protocol::{Answer, Order, Report, RequestError, Token};
use super::spec::{Restart, Shutdown};
use super::{Ending, Phase, Progress, Supervisor};

impl Shutdown {
    /// Tells a child to end in this way. Brings the token of the timer that bounds the patience with it, if one does.
    pub(super) fn begin<S, A>(
        self,
        pid: Pid,
        now: Time,
        token: impl FnOnce() -> Token,
        out: &mut Vec<Order<S, A>>,
    ) -> Option<Token> {
        out.push(if self == Shutdown::BrutalKill { Order::Kill { pid } } else { Order::Shutdown { pid } });
        let Shutdown::Timeout(patience) = self else { return None };
        let token = token();
        out.push(Order::SetTimer { token, at: now.saturating_add(patience) });
        Some(token)
    }
}

impl<S: Clone, A> Supervisor<S, A> {
    /// Tells a running child to end, in the way that its spec says.
    pub(super) fn stop(&mut self, rank: Rank, pid: Pid, now: Time, out: &mut Vec<Order<S, A>>) {
        let shutdown = self.children.get(rank).spec.shutdown;
        let timer = shutdown.begin(pid, now, || self.token(), out);
        self.children.set(rank, State::Stopping { pid, timer });
    }

    /// The patience with a child is over, or the wait for its restart.
    pub(super) fn timeout(&mut self, token: Token, now: Time, out: &mut Vec<Order<S, A>>) {
        let Some(rank) = self.children.with_token(token) else { return };
        if let State::Stopping { pid, .. } = *self.children.get(rank).state() {
            self.children.set(rank, State::Stopping { pid, timer: None });
            out.push(Order::Kill { pid });
        } else {
            self.retry(token, now, out);
        }
    }

    /// Gives up on a start in flight; its answer is still waited for.
    pub(super) fn cancel_start(&mut self, rank: Rank, out: &mut Vec<Order<S, A>>) {
        if let Some(token) = self.children.cancel(rank) {
            out.push(Order::CancelStart { token });
        }
    }

    /// It is this child's turn to be stopped. What somebody asked to be started is waited for, unless all ends: a
    /// sibling's crash is no reason to refuse it.
    pub(super) fn stop_in_turn(&mut self, rank: Rank, now: Time, out: &mut Vec<Order<S, A>>) {
        match *self.children.get(rank).state() {
            State::Running(pid) => self.stop(rank, pid, now, out),
            State::Starting { origin: Origin::New(_) | Origin::Again(_), .. } if !self.is_ending() => {}
            State::Starting { .. } => self.cancel_start(rank, out),
            _ => {}
        }
    }

    /// A child that is to be down is down: forgets it, leaves it, or lets it wait for its next start.
    pub(super) fn settle(&mut self, rank: Rank, out: &mut Vec<Order<S, A>>) {
        let child = self.children.get_mut(rank);
        let terminators = std::mem::take(&mut child.terminators);
        if child.is_temporary() {
            self.children.remove(rank);
        } else if terminators.is_empty() && self.is_rebuilt(rank) {
            self.children.set(rank, State::Pending);
        } else {
            self.children.set(rank, State::Stopped);
        }
        for waiter in terminators {
            match waiter {
                Waiter::Ask(ask) => out.push(Order::Reply { ask, result: Ok(Answer::Done) }),
                Waiter::Resize => self.resized(Ok(()), out),
            }
        }
    }

    /// A child ended that was told to, or was about to be.
    pub(super) fn stopped(&mut self, rank: Rank, pid: Pid, reason: ExitReason, out: &mut Vec<Order<S, A>>) {
        if let State::Stopping { timer: Some(token), .. } = *self.children.get(rank).state() {
            out.push(Order::CancelTimer { token });
        }
        let spec = &self.children.get(rank).spec;
        if !is_as_ordered(&reason, spec.shutdown, spec.restart) {
            out.push(Order::Report(Report::StopFailed { child: spec.id.clone(), pid, reason }));
        }
        self.settle(rank, out);
    }

    /// Begins the end: nothing is started any more, and all children are stopped, the last one first.
    pub(super) fn end(&mut self, reason: ExitReason, out: &mut Vec<Order<S, A>>) {
        if self.is_ending() {
            return;
        }
        self.phase = Phase::Ending(match self.phase {
            Phase::Running => Ending::Finish(reason),
            _ => Ending::Failed(reason),
        });
        self.rebuild = None;
        self.late = None;
        self.crashed.clear();
        self.significant_gone = None;
        for rank in self.children.down(Rank::FIRST) {
            self.call_off(rank, out);
            self.children.set(rank, State::Stopped);
        }
        for request in std::mem::take(&mut self.held) {
            out.push(Order::Reply { ask: request.into_ask(), result: Err(RequestError::Stopping) });
        }
        self.resized(Err(RequestError::Stopping), out);
    }

    /// Stops the next child, or ends when there is none.
    pub(super) fn advance_ending(&mut self, now: Time, out: &mut Vec<Order<S, A>>) -> Progress {
        if let Some(rank) = self.children.last_alive(Rank::FIRST) {
            self.stop_in_turn(rank, now, out);
            return Progress::Waiting;
        }
        match std::mem::replace(&mut self.phase, Phase::Ended) {
            Phase::Ending(Ending::Failed(reason)) => out.push(Order::Failed { reason }),
            Phase::Ending(Ending::Finish(reason)) => out.push(Order::Finish { reason }),
            _ => unreachable!("it is ending"),
        }
        Progress::Waiting
    }
}

/// Whether a child that was told to end did so as it should; the same table as OTP's `supervisor:shutdown`. A permanent
/// child is not expected to end in a way of its own.
pub(super) fn is_as_ordered(reason: &ExitReason, shutdown: Shutdown, restart: Restart) -> bool {
    match reason {
        ExitReason::Killed => shutdown == Shutdown::BrutalKill,
        ExitReason::Shutdown(None) if shutdown != Shutdown::BrutalKill => true,
        ExitReason::Normal | ExitReason::Shutdown(_) => restart != Restart::Permanent,
        _ => false,
    }
}
