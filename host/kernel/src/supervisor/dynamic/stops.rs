//! How children of a dynamic supervisor end: by themselves, because somebody asked for it, or all at once.

use super::children::{Child, Number, Patience, State};
use super::*;

impl<S: Clone, A> DynamicSupervisor<S, A> {
    /// A child is gone for good: whoever waited for that is told. What it was up to.
    pub(super) fn forget(&mut self, number: Number, out: &mut Vec<Order<S, A>>) -> Option<State<A>> {
        let mut child = self.children.remove(number)?;
        let waited = std::mem::take(&mut child.terminators);
        out.extend(waited.into_iter().map(|ask| Order::Reply { ask, result: Ok(Answer::Done) }));
        Some(child.into_state())
    }

    /// A process ended.
    pub(super) fn down(&mut self, pid: Pid, reason: ExitReason, now: Time, out: &mut Vec<Order<S, A>>) {
        let Some(number) = self.children.of_pid(pid) else { return };
        let Some(child) = self.children.get(number) else { return };
        let (id, policy) = (child.id.clone(), self.policy(child));
        match *child.state() {
            State::Stopping { patience, .. } => {
                if let Patience::Timer(token) = patience {
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
                    self.failed(number, pid, now, out);
                } else {
                    self.forget(number, out);
                }
            }
            // It had this pid before.
            State::Starting { .. } | State::Retrying { .. } => {}
        }
    }

    /// The patience with a child is over, or with all; or the wait for a restart.
    pub(super) fn timeout(&mut self, token: Token, now: Time, out: &mut Vec<Order<S, A>>) {
        if self.deadlines.remove(&token) {
            for number in self.children.numbers() {
                self.kill(number, Patience::Deadline(token), out);
            }
            return;
        }
        let Some(number) = self.children.of_token(token) else { return };
        self.kill(number, Patience::Timer(token), out);
        self.retry(token, now, out);
    }

    /// Kills a child with which the patience was this.
    fn kill(&mut self, number: Number, over: Patience, out: &mut Vec<Order<S, A>>) {
        if let Some(State::Stopping { pid, patience }) = self.children.get(number).map(Child::state)
            && *patience == over
        {
            let pid = *pid;
            out.push(Order::Kill { pid });
            self.children.set(number, State::Stopping { pid, patience: Patience::Endless });
        }
    }

    /// Stops a child because somebody asked for it. Whoever is no child of this supervisor is left alone (DSUP-02).
    pub(super) fn terminate(&mut self, pid: Pid, ask: A, now: Time, out: &mut Vec<Order<S, A>>) {
        let number = self.children.of_pid(pid);
        let Some((number, child)) = number.and_then(|number| Some((number, self.children.get_mut(number)?))) else {
            return out.push(Order::Reply { ask, result: Err(RequestError::NotFound) });
        };
        child.terminators.push(ask);
        match *child.state() {
            State::Running(pid) => self.stop(number, pid, now, out),
            State::Stopping { .. } => {}
            State::Starting { .. } => self.cancel_start(number, out),
            State::Retrying { .. } => self.give_up_on(number, out),
        }
    }

    /// A child that is down and waits for its restart is forgotten.
    fn give_up_on(&mut self, number: Number, out: &mut Vec<Order<S, A>>) {
        if let Some(State::Retrying { token, at: Some(_), .. }) = self.children.get(number).map(Child::state) {
            out.push(Order::CancelTimer { token: *token });
        }
        self.forget(number, out);
    }

    fn cancel_start(&mut self, number: Number, out: &mut Vec<Order<S, A>>) {
        let token = self.children.get_mut(number).and_then(Child::cancel_start);
        out.extend(token.map(|token| Order::CancelStart { token }));
    }

    /// Tells one child to end, in the way that its spec says.
    pub(super) fn stop(&mut self, number: Number, pid: Pid, now: Time, out: &mut Vec<Order<S, A>>) {
        let Some(shutdown) = self.children.get(number).map(|child| self.policy(child).shutdown) else { return };
        let timer = shutdown.begin(pid, now, || self.token(), out);
        let patience = timer.map_or(Patience::Endless, Patience::Timer);
        self.children.set(number, State::Stopping { pid, patience });
    }

    /// Begins the end: all children are told at once, and those with the same patience share one deadline (DSUP-03).
    pub(super) fn end(&mut self, reason: ExitReason, now: Time, out: &mut Vec<Order<S, A>>) {
        if self.is_ending() {
            return;
        }
        self.phase = Phase::Ending(reason);
        let mut deadlines: BTreeMap<Duration, Token> = BTreeMap::new();
        for number in self.children.numbers() {
            let Some(child) = self.children.get(number) else { continue };
            match (child.state(), self.policy(child).shutdown) {
                (State::Running(pid), Shutdown::Timeout(patience)) => {
                    let pid = *pid;
                    let token = *deadlines.entry(patience).or_insert_with(|| self.token());
                    out.push(Order::Shutdown { pid });
                    self.children.set(number, State::Stopping { pid, patience: Patience::Deadline(token) });
                }
                (State::Running(pid), Shutdown::BrutalKill | Shutdown::Infinity) => self.stop(number, *pid, now, out),
                (State::Starting { .. }, _) => self.cancel_start(number, out),
                (State::Retrying { .. }, _) => self.give_up_on(number, out),
                (State::Stopping { .. }, _) => {}
            }
        }
        for (patience, token) in deadlines {
            self.deadlines.insert(token);
            out.push(Order::SetTimer { token, at: now.saturating_add(patience) });
        }
    }

    /// Nobody is left who could pass a deadline.
    fn release_deadlines(&mut self, out: &mut Vec<Order<S, A>>) {
        if self.children.is_empty() {
            out.extend(std::mem::take(&mut self.deadlines).into_iter().map(|token| Order::CancelTimer { token }));
        }
    }
}
