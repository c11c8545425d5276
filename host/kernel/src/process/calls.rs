//! Calls, requests and spawns: what a process asks of others, and how it waits for that, blocking or not.

use super::delivery::Effect;
use super::receiving::Wanted;
use super::{Awaited, Process, WaitsFor, Watch};
use crate::{Action, Address, Body, CallError, Caller, Event, Mark, Pid, Refusal, Signal, SpawnError, Time};

/// A request that has no answer yet.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) what: Asked,
    /// When it is given up.
    deadline: Option<Time>,
    /// Whether the guest stands still until the answer is there.
    waiting: Waiting,
}

#[derive(Clone, Debug)]
pub(super) enum Asked {
    /// A call.
    Call(Callee),
    /// A spawn of this process, with the mark of the monitor on it.
    Spawn { child: Pid, monitor: Option<Mark> },
}

/// Who is to answer a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Callee {
    /// This process.
    Pid(Pid),
    /// This process, behind an alias: nobody is told who that is (MON-12).
    Behind(Pid),
    /// No process that is known: the answer comes another way, or not at all.
    Nobody,
}

impl Callee {
    /// The process, for those who may know.
    pub(super) fn pid(self) -> Option<Pid> {
        match self {
            Callee::Pid(pid) | Callee::Behind(pid) => Some(pid),
            Callee::Nobody => None,
        }
    }
}

/// How an answer is waited for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Waiting {
    /// The guest stands still.
    Blocking,
    /// The answer arrives as an event.
    AsEvent,
}

/// What a guest in the middle of a host function waits for.
#[derive(Debug)]
pub(super) enum Block {
    /// Nothing: it runs, or waits for its next event.
    None,
    /// The answer to a call.
    Call { mark: Mark, answer: Option<Result<Body, CallError>> },
    /// The end of a child's `init`.
    Spawn { mark: Mark, answer: Option<Result<Pid, SpawnError>> },
    /// An answer that the shell brings: whose.
    Shell(WaitsFor),
    /// An event.
    Receive { wanted: Wanted, timer: Option<(Mark, Time)>, expired: bool },
}

impl Process {
    /// The guest calls. On success deliver the request with this mark; whatever it bounces to is delivered back here.
    pub fn begin_call(
        &mut self,
        to: Callee,
        deadline: Option<Time>,
        waiting: Waiting,
        actions: &mut Vec<Action>,
    ) -> Result<Mark, CallError> {
        if to.pid() == Some(self.nature.pid) {
            // GS-06: it could only time out.
            return Err(CallError::Refused("a process cannot call itself".into()));
        }
        if self.affairs.requests.len() >= self.nature.limits.requests {
            return Err(CallError::Refused("too many requests without an answer".into()));
        }
        let mark = self.draw_mark();
        self.count_sent(1);
        self.affairs.requests.insert(mark, Request { what: Asked::Call(to), deadline, waiting });
        if waiting == Waiting::Blocking {
            self.affairs.block = Block::Call { mark, answer: None };
        }
        if let Some(at) = deadline {
            actions.push(Action::StartTimer { mark, at });
        }
        Ok(mark)
    }

    /// A request of this process that can have no answer: give it one. For a guest that does not block.
    pub fn answer_itself(&mut self, error: CallError) -> Mark {
        let mark = self.draw_mark();
        self.mailbox.push(Event::Answer { mark, outcome: Err(error) });
        mark
    }

    /// The guest gives up a request that it does not block on. Its answer will not arrive, and one that is queued is taken
    /// back (GS-19); the callee is not told, and may still perform it. True if there was something to give up.
    pub fn abandon(&mut self, mark: Mark, actions: &mut Vec<Action>) -> bool {
        let waits = |request: &Request| request.waiting == Waiting::AsEvent;
        let Some(Request { what: Asked::Call(to), deadline, .. }) =
            self.affairs.requests.get(&mark).filter(|request| waits(request)).cloned()
        else {
            return self.mailbox.flush_answer(mark);
        };
        self.affairs.requests.remove(&mark);
        if let Some(at) = deadline {
            actions.push(Action::CancelTimer { mark, at });
        }
        if let Some(to) = to.pid() {
            actions.push(Action::Deliver { to, signal: Signal::Demonitor { from: self.nature.pid, mark } });
        }
        true
    }

    /// Whether a call has neither an answer nor run out of time.
    #[must_use]
    pub fn is_open(&self, mark: Mark) -> bool {
        self.affairs.requests.contains_key(&mark)
    }

    /// Somebody asks whether this process lives. One that an exit signal will end says nothing before it has ended and its
    /// name is free (PROC-06, PROC-09).
    pub(super) fn take_alive(&mut self, from: Pid, mark: Mark, actions: &mut Vec<Action>) -> Effect {
        if self.is_doomed() {
            self.affairs.behind.push(super::Watcher { pid: from, mark, why: Watch::Call });
        } else {
            let outcome = Ok(Body::Raw(Vec::new()));
            actions.push(Action::Deliver { to: from, signal: Signal::Answer { mark, by: self.nature.pid, outcome } });
        }
        Effect::Quiet
    }

    /// The answer of the call the guest blocks on, once it is there.
    pub fn poll_call(&mut self, mark: Mark) -> Option<Result<Body, CallError>> {
        match &mut self.affairs.block {
            Block::Call { mark: waited, answer } if *waited == mark => {
                let answer = answer.take()?;
                self.affairs.block = Block::None;
                Some(answer)
            }
            _ => Some(Err(CallError::Refused("no such call".into()))),
        }
    }

    /// The guest, or a native process, starts a child: the link and the monitor of this side are set at once.
    pub fn begin_spawn(
        &mut self,
        child: Pid,
        link: bool,
        monitor: Option<Address>,
        waiting: Waiting,
    ) -> Result<(Mark, Option<Mark>), Refusal> {
        self.admit_child(link, monitor.is_some())?;
        self.disclose();
        let mark = self.draw_mark();
        let monitor = self.tie_to_child(child, link, monitor);
        self.affairs.requests.insert(mark, Request { what: Asked::Spawn { child, monitor }, deadline: None, waiting });
        if waiting == Waiting::Blocking {
            self.affairs.block = Block::Spawn { mark, answer: None };
        }
        Ok((mark, monitor))
    }

    /// The guest has a supervisor start a task for it: the link and the monitor of this side are set at once, and taken
    /// back by the guest if there is no task after all.
    pub fn await_child(&mut self, child: Pid, link: bool) -> Result<Awaited, Refusal> {
        self.admit_child(link, true)?;
        let mark = self.tie_to_child(child, link, Some(Address::Pid(child))).expect("it was asked for");
        Ok(Awaited { by: self.nature.pid, mark, link })
    }

    fn admit_child(&self, link: bool, monitor: bool) -> Result<(), Refusal> {
        let limits = &self.nature.limits;
        if link && self.links.len() >= limits.links {
            return Err(Refusal::Limit("links".into()));
        }
        if monitor && self.affairs.monitors.len() >= limits.monitors {
            return Err(Refusal::Limit("monitors".into()));
        }
        Ok(())
    }

    fn tie_to_child(&mut self, child: Pid, link: bool, monitor: Option<Address>) -> Option<Mark> {
        if link {
            self.links.insert(child);
        }
        monitor.map(|target| {
            let mark = self.draw_mark();
            self.affairs.monitors.insert(mark, super::Monitor { pid: Some(child), target, tag: None });
            mark
        })
    }

    /// The result of the spawn the guest blocks on, once it is there.
    pub fn poll_spawn(&mut self, mark: Mark) -> Option<Result<Pid, SpawnError>> {
        match &mut self.affairs.block {
            Block::Spawn { mark: waited, answer } if *waited == mark => {
                let answer = answer.take()?;
                self.affairs.block = Block::None;
                Some(answer)
            }
            _ => Some(Err(SpawnError::Refused(Refusal::Invalid("no such spawn".into())))),
        }
    }

    /// The guest has asked something whose answer the shell brings, and stands still until [`Process::end_wait`].
    pub fn begin_wait(&mut self, whose: WaitsFor) {
        self.disclose();
        self.affairs.block = Block::Shell(whose);
    }

    /// The answer is there, or will not come.
    pub fn end_wait(&mut self) {
        if let Block::Shell(_) = self.affairs.block {
            self.affairs.block = Block::None;
        }
    }

    /// The guest, or whoever has the caller, replies: the request is answered for good.
    pub fn reply(&mut self, caller: Caller, body: Body, actions: &mut Vec<Action>) {
        let answered = |watcher: &super::Watcher| {
            watcher.pid == caller.pid && watcher.mark == caller.mark && watcher.why == Watch::Call
        };
        if let Some(place) = self.affairs.watchers.iter().position(answered) {
            self.affairs.watchers.swap_remove(place);
        }
        self.count_sent(1);
        let signal = Signal::Answer { mark: caller.mark, by: self.nature.pid, outcome: Ok(body) };
        actions.push(Action::Deliver { to: caller.pid, signal });
    }

    /// An answer counts only while its request is open: a late, a second or a forged one goes nowhere (GS-04).
    pub(super) fn take_answer(
        &mut self,
        mark: Mark,
        by: Pid,
        outcome: Result<Body, CallError>,
        actions: &mut Vec<Action>,
    ) -> Effect {
        let Some(Request { what: Asked::Call(to), .. }) = self.affairs.requests.get(&mark) else {
            return Effect::Quiet;
        };
        if let Some(to) = to.pid()
            && to != by
        {
            actions.push(Action::Deliver { to, signal: Signal::Demonitor { from: self.nature.pid, mark } });
        }
        self.finish_call(mark, outcome, actions)
    }

    /// The time of a call is up. The callee is not told, and may still perform it (GS-03).
    pub(super) fn call_timed_out(&mut self, mark: Mark, actions: &mut Vec<Action>) -> Effect {
        if let Some(request) = self.affairs.requests.get_mut(&mark) {
            request.deadline = None;
            if let Asked::Call(callee) = request.what
                && let Some(to) = callee.pid()
            {
                actions.push(Action::Deliver { to, signal: Signal::Demonitor { from: self.nature.pid, mark } });
            }
        }
        self.finish_call(mark, Err(CallError::Timeout), actions)
    }

    fn finish_call(&mut self, mark: Mark, outcome: Result<Body, CallError>, actions: &mut Vec<Action>) -> Effect {
        let Some(request) = self.affairs.requests.remove(&mark) else { return Effect::Quiet };
        if let Some(at) = request.deadline {
            actions.push(Action::CancelTimer { mark, at });
        }
        match (&mut self.affairs.block, request.waiting) {
            (Block::Call { mark: waited, answer }, Waiting::Blocking) if *waited == mark => {
                *answer = Some(outcome);
                Effect::Stir
            }
            _ => self.queue(Event::Answer { mark, outcome }),
        }
    }

    /// A child of this process is up, or is not. A failed one leaves no trace of its link and monitor (GS-02).
    pub(super) fn take_started(
        &mut self,
        mark: Mark,
        outcome: Result<Pid, SpawnError>,
        _actions: &mut Vec<Action>,
    ) -> Effect {
        let Some(Request { what: Asked::Spawn { child, monitor }, waiting, .. }) =
            self.affairs.requests.get(&mark).cloned()
        else {
            return Effect::Quiet;
        };
        self.affairs.requests.remove(&mark);
        if outcome.is_err() {
            self.links.remove(&child);
            if let Some(monitor) = monitor {
                self.affairs.monitors.remove(&monitor);
            }
        }
        match (&mut self.affairs.block, waiting) {
            (Block::Spawn { mark: waited, answer }, Waiting::Blocking) if *waited == mark => {
                *answer = Some(outcome);
                Effect::Stir
            }
            _ => self.queue(Event::Started { mark, outcome }),
        }
    }

    /// A task that this process monitors has a result.
    pub(super) fn take_result(&mut self, mark: Mark, body: Body) -> Effect {
        if !self.affairs.monitors.contains_key(&mark) {
            return Effect::Quiet;
        }
        self.queue(Event::Answer { mark, outcome: Ok(body) })
    }

    /// Whether the guest stands in the middle of a host function.
    #[must_use]
    pub fn is_blocked(&self) -> bool {
        !matches!(self.affairs.block, Block::None)
    }

    /// Lets go of every request: their callees need not tell any more.
    pub(super) fn abandon_requests(&mut self, actions: &mut Vec<Action>) {
        let from = self.nature.pid;
        for (mark, request) in std::mem::take(&mut self.affairs.requests) {
            if let Some(at) = request.deadline {
                actions.push(Action::CancelTimer { mark, at });
            }
            if let Asked::Call(callee) = request.what
                && let Some(to) = callee.pid()
            {
                actions.push(Action::Deliver { to, signal: Signal::Demonitor { from, mark } });
            }
        }
        if let Block::Receive { timer: Some((mark, at)), .. } = self.affairs.block {
            actions.push(Action::CancelTimer { mark, at });
        }
        self.affairs.block = Block::None;
    }
}
