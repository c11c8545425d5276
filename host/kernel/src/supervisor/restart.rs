//! What follows when a child ends on its own or cannot be started (SUP-04, SUP-05, SUP-08, SUP-11).
//!
//! Owns the choice between leaving, restarting and giving up. Called by the dispatch in `supervisor.rs`.

use std::sync::Arc;

use crate::{Body, ExitReason, Pid, Refusal, SpawnError, Time};

use super::children::{Origin, Rank, State};
use super::intensity::Verdict;
use super::protocol::{Answer, Order, Report, RequestError, Token};
use super::spec::{Restart, Strategy};
use super::{Phase, Supervisor};

impl<S: Clone, A> Supervisor<S, A> {
    /// A process ended.
    pub(super) fn down(&mut self, pid: Pid, reason: ExitReason, now: Time, out: &mut Vec<Order<S, A>>) {
        let Some(rank) = self.children.with_pid(pid) else { return };
        let child = self.children.get(rank);
        if matches!(child.state(), State::Stopping { .. }) || self.is_doomed(rank) {
            return self.stopped(rank, pid, reason, out);
        }
        let (restart, id) = (child.spec.restart, child.spec.id.clone());
        let again = is_restarted(restart, &reason);
        if again || !reason.is_orderly() {
            out.push(Order::Report(Report::Ended { child: id, pid, reason }));
        }
        if !again {
            self.settle(rank, out);
        } else if let Phase::Init = self.phase {
            self.children.set(rank, State::Crashed);
            self.crashed.push_back(rank);
        } else {
            self.restart(rank, now, out);
        }
    }

    /// Restarts a child, and whomever the strategy ties to it, or gives up.
    pub(super) fn restart(&mut self, rank: Rank, now: Time, out: &mut Vec<Order<S, A>>) {
        let child = self.children.get(rank).spec.id.clone();
        self.children.set(rank, State::Stopped);
        if self.intensity.count(now) == Verdict::GiveUp {
            out.push(Order::Report(Report::GaveUp { child }));
            return self.end(ExitReason::Shutdown(None), out);
        }
        self.restarts_total += 1;
        self.children.get_mut(rank).restarts += 1;
        out.push(Order::Report(Report::Restarting { child, total: self.restarts_total }));
        match self.strategy {
            Strategy::OneForOne => self.start(rank, Origin::Alone, out),
            Strategy::OneForAll => self.rebuild_from(Rank::FIRST),
            Strategy::RestForOne => self.rebuild_from(rank),
        }
    }

    /// Begins to stop and start again what comes from `from` on, or widens a rebuild to it. As in OTP, children that
    /// were down for whatever reason come back with it.
    fn rebuild_from(&mut self, from: Rank) {
        self.rebuild = Some(self.rebuild.map_or(from, |before| before.min(from)));
        for rank in self.children.down(from) {
            self.children.set(rank, State::Pending);
        }
    }

    /// A child was not started.
    pub(super) fn start_failed(
        &mut self,
        rank: Rank,
        origin: Origin<A>,
        cancelled: bool,
        error: SpawnError,
        out: &mut Vec<Order<S, A>>,
    ) {
        let child = self.children.get(rank).spec.id.clone();
        if !cancelled {
            out.push(Order::Report(Report::StartFailed { child: child.clone(), error: error.clone() }));
        }
        match origin {
            Origin::New(_) | Origin::Again(_) => {
                let added = matches!(origin, Origin::New(_));
                Self::reply_to_starter(origin, Err(RequestError::Failed(error)), out);
                self.settle(rank, out);
                if added && self.children.with_id(&child) == Some(rank) {
                    self.children.remove(rank);
                }
            }
            Origin::Group | Origin::Alone if cancelled || self.is_doomed(rank) => self.settle(rank, out),
            Origin::Group | Origin::Alone => match self.phase {
                Phase::Init => self.end(failed_to_start(&child, &error), out),
                _ => self.try_again(rank, out),
            },
        }
    }

    /// Orders another try, after everything that has arrived. The rest of the group stays down until it succeeds.
    fn try_again(&mut self, rank: Rank, out: &mut Vec<Order<S, A>>) {
        let token = self.token();
        while let Some(pending) = self.children.first_pending() {
            self.children.set(pending, State::Stopped);
        }
        self.children.set(rank, State::Retrying(token));
        out.push(Order::Retry { token });
    }

    /// The other try is due.
    pub(super) fn retry(&mut self, token: Token, now: Time, out: &mut Vec<Order<S, A>>) {
        let Some(rank) = self.children.with_token(token) else { return };
        if let State::Retrying(_) = self.children.get(rank).state() {
            self.restart(rank, now, out);
        }
    }

    /// Answers whoever asked for a start, if anybody did.
    pub(super) fn reply_to_starter(
        origin: Origin<A>,
        result: Result<Answer, RequestError>,
        out: &mut Vec<Order<S, A>>,
    ) {
        match origin {
            Origin::New(ask) | Origin::Again(ask) => out.push(Order::Reply { ask, result }),
            Origin::Group | Origin::Alone => {}
        }
    }
}

/// Whether a child that ended on its own is started again (SUP-04).
fn is_restarted(restart: Restart, reason: &ExitReason) -> bool {
    match restart {
        Restart::Permanent => true,
        Restart::Transient => !reason.is_orderly(),
        Restart::Temporary => false,
    }
}

/// The reason of a supervisor whose child did not start (SUP-02).
fn failed_to_start(child: &str, error: &SpawnError) -> ExitReason {
    let why = match error {
        SpawnError::Failed(reason) => reason.to_string(),
        SpawnError::Ignored => "ignored".to_string(),
        SpawnError::Refused(refusal) => match refusal {
            Refusal::Denied(what) => format!("not granted: {what}"),
            Refusal::Unknown(what) => format!("unknown: {what}"),
            Refusal::Taken(pid) => format!("the name is taken by {pid}"),
            Refusal::Limit(what) => format!("limit reached: {what}"),
            Refusal::Invalid(why) => format!("invalid: {why}"),
        },
    };
    ExitReason::Shutdown(Some(Arc::new(Body::Text(format!("failed to start child {child:?}: {why}")))))
}
