//! What follows when a child ends on its own or cannot be started (SUP-04, SUP-05, SUP-08, SUP-11).
//!
//! Owns the choice between leaving, restarting and giving up. Called by the dispatch in `supervisor.rs`.

use std::sync::Arc;

use crate::{Body, ExitReason, Name, Pid, Refusal, SpawnError, Time};

use super::children::{Origin, Rank, State, Waiter};
use super::intensity::Verdict;
use super::protocol::{Answer, Order, Report, RequestError, Token};
use super::spec::{AutoShutdown, Restart, Strategy};
use super::{Phase, Supervisor};

impl<S: Clone, A> Supervisor<S, A> {
    /// A process ended.
    pub(super) fn down(&mut self, pid: Pid, reason: ExitReason, now: Time, out: &mut Vec<Order<S, A>>) {
        let Some(rank) = self.children.with_pid(pid) else { return };
        let child = self.children.get(rank);
        if matches!(child.state(), State::Stopping { .. }) || self.is_doomed(rank) {
            return self.stopped(rank, pid, reason, out);
        }
        let (restart, id, significant) = (child.spec.restart, child.spec.id.clone(), child.spec.significant);
        let again = is_restarted(restart, &reason);
        if again || !reason.is_orderly() {
            out.push(Order::Report(Report::Ended { child: id.clone(), pid, reason }));
        }
        if !again {
            self.settle(rank, out);
            if significant {
                self.significant_ended(id, out);
            }
        } else if let Phase::Init = self.phase {
            self.children.set(rank, State::Crashed);
            self.crashed.push_back(rank);
        } else {
            self.failed(rank, now, out);
        }
    }

    /// A significant child ended for good. While the others are being started, that has to wait (SUP-24).
    pub(super) fn significant_ended(&mut self, child: Name, out: &mut Vec<Order<S, A>>) {
        if let Phase::Init = self.phase {
            self.significant_gone = Some(child);
            return;
        }
        let over = match self.auto_shutdown {
            AutoShutdown::Never => false,
            AutoShutdown::AnySignificant => true,
            AutoShutdown::AllSignificant => !self.children.has_significant(),
        };
        if over {
            out.push(Order::Report(Report::AutoShutdown { child }));
            self.end(ExitReason::Shutdown(None), out);
        }
    }

    /// A child is to be restarted: now, or when its wait is over. Whoever is restarted with it is stopped at once.
    pub(super) fn failed(&mut self, rank: Rank, now: Time, out: &mut Vec<Order<S, A>>) {
        let wait = self.backoff.and_then(|backoff| self.children.get_mut(rank).row.failed(now, backoff));
        // A group that waits waits as one.
        let at = match (wait, self.late) {
            (Some(at), Some((_, other))) => at.max(other),
            (Some(at), None) | (None, Some((_, at))) => at,
            (None, None) => return self.restart(rank, now, out),
        };
        self.children.set(rank, State::Stopped);
        let from = match self.strategy {
            Strategy::OneForOne => return self.try_at(rank, at, out),
            Strategy::OneForAll => Rank::FIRST,
            Strategy::RestForOne => rank,
        };
        self.late = Some((self.late.map_or(rank, |(other, _)| other.min(rank)), at));
        self.rebuild_from(from, out);
    }

    /// All are stopped that a late restart ties together: it comes when its time has come, unless the child was terminated
    /// meanwhile.
    pub(super) fn put_off(&mut self, rank: Rank, at: Time, out: &mut Vec<Order<S, A>>) {
        if let State::Pending = self.children.get(rank).state() {
            self.leave_pending();
            self.try_at(rank, at, out);
        }
    }

    /// Orders a try to restart a child at this moment.
    fn try_at(&mut self, rank: Rank, at: Time, out: &mut Vec<Order<S, A>>) {
        let token = self.token();
        self.children.set(rank, State::Retrying { token, at: Some(at) });
        out.push(Order::SetTimer { token, at });
    }

    /// A child that waits for its restart waits no more.
    pub(super) fn call_off(&self, rank: Rank, out: &mut Vec<Order<S, A>>) {
        if let State::Retrying { token, at: Some(_) } = *self.children.get(rank).state() {
            out.push(Order::CancelTimer { token });
        }
    }

    /// Whoever was to be started with the others stays down for now.
    fn leave_pending(&mut self) {
        while let Some(pending) = self.children.first_pending() {
            self.children.set(pending, State::Stopped);
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
            Strategy::OneForAll => self.rebuild_from(Rank::FIRST, out),
            Strategy::RestForOne => self.rebuild_from(rank, out),
        }
        // Those that wait are among those that are tied to it: they wait together.
        if let Some((waits, _)) = &mut self.late {
            *waits = rank.min(*waits);
        }
    }

    /// Begins to stop and start again what comes from `from` on, or widens a rebuild to it. As in OTP, children that
    /// were down for whatever reason come back with it.
    fn rebuild_from(&mut self, from: Rank, out: &mut Vec<Order<S, A>>) {
        self.rebuild = Some(self.rebuild.map_or(from, |before| before.min(from)));
        for rank in self.children.down(from) {
            self.call_off(rank, out);
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
        now: Time,
        out: &mut Vec<Order<S, A>>,
    ) {
        let child = self.children.get(rank).spec.id.clone();
        if !cancelled {
            out.push(Order::Report(Report::StartFailed { child: child.clone(), error: error.clone() }));
        }
        match origin {
            Origin::New(_) | Origin::Again(_) => {
                let added = matches!(origin, Origin::New(_));
                self.reply_to_starter(origin, Err(RequestError::Failed(error)), out);
                self.settle(rank, out);
                if added && self.children.with_id(&child) == Some(rank) {
                    self.children.remove(rank);
                }
            }
            Origin::Group | Origin::Alone if cancelled || self.is_doomed(rank) => self.settle(rank, out),
            Origin::Group | Origin::Alone => match self.phase {
                Phase::Init => self.end(failed_to_start(&child, &error), out),
                _ => self.try_again(rank, now, out),
            },
        }
    }

    /// Orders another try: after everything that has arrived, or when the wait is over. The rest of the group stays down
    /// until it succeeds.
    fn try_again(&mut self, rank: Rank, now: Time, out: &mut Vec<Order<S, A>>) {
        self.leave_pending();
        if let Some(at) = self.backoff.and_then(|backoff| self.children.get_mut(rank).row.failed(now, backoff)) {
            return self.try_at(rank, at, out);
        }
        let token = self.token();
        self.children.set(rank, State::Retrying { token, at: None });
        out.push(Order::Retry { token });
    }

    /// The other try is due.
    pub(super) fn retry(&mut self, token: Token, now: Time, out: &mut Vec<Order<S, A>>) {
        let Some(rank) = self.children.with_token(token) else { return };
        if let State::Retrying { .. } = self.children.get(rank).state() {
            self.restart(rank, now, out);
        }
    }

    /// Answers whoever asked for a start, if anybody did.
    pub(super) fn reply_to_starter(
        &mut self,
        origin: Origin<A>,
        result: Result<Answer, RequestError>,
        out: &mut Vec<Order<S, A>>,
    ) {
        match origin {
            Origin::New(ask) | Origin::Again(Waiter::Ask(ask)) => out.push(Order::Reply { ask, result }),
            Origin::Again(Waiter::Resize) => self.resized(result.map(|_| ()), out),
            Origin::Group | Origin::Alone => {}
        }
    }
}

/// Whether a child that ended on its own is started again (SUP-04).
pub(super) fn is_restarted(restart: Restart, reason: &ExitReason) -> bool {
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
