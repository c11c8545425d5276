//! How children of a dynamic supervisor come, and come again.

use super::super::AutoShutdown;
use super::children::{Child, Number, Policy, State, Why};
use super::*;

impl<S: Clone, A> DynamicSupervisor<S, A> {
    pub(super) fn start_child(&mut self, spec: ChildSpec<S>, ask: A, out: &mut Vec<Order<S, A>>) {
        let refused = if self.is_ending() {
            Some(RequestError::Stopping)
        } else if self.children.len() >= self.max_children {
            Some(RequestError::MaxChildren)
        } else {
            spec.check(AutoShutdown::Never).err().map(RequestError::Invalid)
        };
        if let Some(error) = refused {
            return out.push(Order::Reply { ask, result: Err(error) });
        }
        let own = self.template.is_none().then(|| Policy::of(&spec));
        let Policy { restart, kind, .. } =
            own.unwrap_or_else(|| self.template.as_ref().map_or(Policy::of(&spec), Policy::of));
        let token = self.token();
        out.push(Order::Start {
            token,
            id: spec.id.clone(),
            start: spec.start.clone(),
            kind,
            cause: StartCause::Request,
        });
        let start = (restart != Restart::Temporary).then_some(spec.start);
        let state = State::Starting { token, why: Why::Asked(ask), cancelled: false };
        self.children.add(Child::new(spec.id, start, own, state));
    }

    /// A start that it had ordered came to its end.
    pub(super) fn started(
        &mut self,
        token: Token,
        outcome: Result<Pid, SpawnError>,
        now: Time,
        out: &mut Vec<Order<S, A>>,
    ) {
        let Some(number) = self.children.of_token(token) else { return };
        let Some(child) = self.children.get_mut(number) else { return };
        let State::Starting { cancelled, .. } = *child.state() else { return };
        match outcome {
            Ok(pid) => {
                child.row.up(now);
                if let Some(State::Starting { why: Why::Asked(ask), .. }) =
                    self.children.set(number, State::Running(pid))
                {
                    out.push(Order::Reply { ask, result: Ok(Answer::Started(Some(pid))) });
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
        let Some(child) = self.children.get(number) else { return };
        if error != SpawnError::Ignored && !cancelled {
            out.push(Order::Report(Report::StartFailed { child: child.id.clone(), error: error.clone() }));
        }
        let State::Starting { why: Why::Restart { was }, .. } = *child.state() else {
            if let Some(State::Starting { why: Why::Asked(ask), .. }) = self.forget(number, out) {
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
        self.children.set(number, State::Retrying { token, was, at });
        out.push(match at {
            Some(at) => Order::SetTimer { token, at },
            None => Order::Retry { token },
        });
    }

    /// Until when the restart of a child is to wait.
    fn wait(&mut self, number: Number, now: Time) -> Option<Time> {
        let backoff = self.backoff?;
        self.children.get_mut(number)?.row.failed(now, backoff)
    }

    /// A child is to be restarted: now, or when its wait is over.
    pub(super) fn failed(&mut self, number: Number, was: Pid, now: Time, out: &mut Vec<Order<S, A>>) {
        match self.wait(number, now) {
            None => self.restart(number, was, now, out),
            Some(at) => {
                let token = self.token();
                self.children.set(number, State::Retrying { token, was, at: Some(at) });
                out.push(Order::SetTimer { token, at });
            }
        }
    }

    fn restart(&mut self, number: Number, was: Pid, now: Time, out: &mut Vec<Order<S, A>>) {
        let token = self.token();
        let Some(child) = self.children.get(number) else { return };
        let (id, kind) = (child.id.clone(), self.policy(child).kind);
        let start = child.start.clone();
        self.children.set(number, State::Retrying { token, was, at: None });
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
        if let Some(child) = self.children.get_mut(number) {
            child.restarts += 1;
        }
        out.push(Order::Report(Report::Restarting { child: id.clone(), total: self.restarts_total }));
        self.children.set(number, State::Starting { token, why: Why::Restart { was }, cancelled: false });
        out.push(Order::Start { token, id, start, kind, cause: StartCause::Restart });
    }

    pub(super) fn retry(&mut self, token: Token, now: Time, out: &mut Vec<Order<S, A>>) {
        let Some(number) = self.children.of_token(token) else { return };
        if let Some(State::Retrying { was, .. }) = self.children.get(number).map(Child::state) {
            self.restart(number, *was, now, out);
        }
    }
}
