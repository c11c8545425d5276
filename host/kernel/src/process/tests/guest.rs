//! What runs in the processes of a test: a guest that follows a script, driven as the runtime drives an instance.
//!
//! A message whose body is JSON is a script to follow; any other is only noted. Every operation is the one system call
//! of the same name, in the order of the runtime: first the process's own tables, then the signal.

mod deeds;
mod waits;

use std::collections::{BTreeMap, VecDeque};

use super::op::Op;
use super::takeover;
use super::world::{Child, Code, Lane, Seen, World};
use crate::process::*;
use crate::system::SystemId;
use crate::{Body, Event, Next, Outcome, Start};

/// Where the guest stands.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Stage {
    /// There is no instance.
    Absent,
    /// It is made, of the code that is current then.
    Made,
    /// What was saved is being restored.
    Restoring,
    /// Between two steps.
    Loop,
    Init,
    Handler,
    Saving,
    /// The new code takes the state over.
    Taking {
        asleep: bool,
    },
    /// The state is told to an operator, or replaced by what he gives.
    Serving {
        id: SystemId,
        replaces: bool,
        asleep: bool,
    },
    Terminating(ExitReason),
}

/// What a blocked guest polls.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Blocked {
    No,
    Call(Mark),
    Spawn(Mark),
    Receive,
    /// Whether somebody lives.
    Alive(Mark),
    /// Another event, inside `handle`.
    More,
}

#[derive(Debug)]
pub(super) struct Guest {
    pub(super) stage: Stage,
    pub(super) blocked: Blocked,
    pub(super) script: VecDeque<Op>,
    init: Vec<Op>,
    terminate: Vec<Op>,
    pinned: bool,
    pub(super) slow: bool,
    holds: bool,
    /// The code of its instance, or of the last one.
    pub(super) code: Code,
    /// Its state: how many events it has heard.
    pub(super) memory: u64,
    /// The call being handled.
    pub(super) call: Option<Caller>,
    reply: Option<Body>,
    next: Option<Next>,
    start: Option<Start>,
    result: Option<Body>,
    /// What it looks for, and until when.
    pub(super) choosing: Option<(String, Option<Time>)>,
    /// Monitors, aliases and timers by what they were called, until they are given up.
    pub(super) marks: BTreeMap<String, Mark>,
    /// Its requests, by whom they went to.
    pub(super) asked: BTreeMap<String, Mark>,
    /// Aliases by what they were called, closed or not: others may still have them.
    pub(super) aliases: BTreeMap<String, Mark>,
}

/// What came of letting a guest go on.
pub(super) enum Went {
    On,
    /// It waits for something.
    Nowhere,
    /// Its slice is used up.
    TooFar,
    Ended(ExitReason),
}

impl Guest {
    pub(super) fn new(child: &Child) -> Self {
        Guest {
            stage: Stage::Absent,
            blocked: Blocked::No,
            script: VecDeque::new(),
            init: child.init.clone(),
            terminate: child.terminate.clone(),
            pinned: child.pinned,
            slow: child.slow,
            holds: false,
            code: Code::default(),
            memory: 0,
            call: None,
            reply: None,
            next: None,
            start: None,
            result: None,
            choosing: None,
            marks: BTreeMap::new(),
            asked: BTreeMap::new(),
            aliases: BTreeMap::new(),
        }
    }

    pub(super) fn refuses_to_save(&self) -> bool {
        self.pinned || self.holds
    }
}

impl World {
    /// A worker begins with a process.
    pub(super) fn begin_turn(&mut self, pid: Pid) {
        let person = self.person(pid);
        match person.process.begin_slice() {
            Turn::Exit(reason) => self.finish(pid, &reason),
            Turn::Nothing if person.guest.stage == Stage::Absent => self.end_turn(pid),
            Turn::Run | Turn::Nothing => person.running = true,
        }
    }

    fn end_turn(&mut self, pid: Pid) {
        let person = self.person(pid);
        person.running = false;
        if person.process.end_slice() != SliceEnd::Waiting {
            self.queue.push_back(pid);
        }
    }

    fn finish(&mut self, pid: Pid, reason: &ExitReason) {
        let person = self.person(pid);
        person.running = true;
        person.guest.stage = Stage::Absent;
        person.ends = Some(reason.clone());
        self.see(pid, Seen::Ends(reason.clone()));
        self.transition(pid, |process, _, actions| process.vanish(reason, actions));
    }

    /// A process that a worker has goes on by one small step. Its own lane must be empty.
    pub(super) fn go_on(&mut self, pid: Pid) {
        assert!(!self.is_busy(Lane::Of(pid)), "a thread does one thing at a time");
        if let Some(reason) = self.person(pid).ends.take() {
            self.person(pid).running = false;
            return self.transition(pid, |process, _, actions| process.exit(&reason, actions));
        }
        match self.small_step(pid) {
            Went::On => {}
            Went::Nowhere => self.end_turn(pid),
            Went::TooFar => {
                assert!(!self.person(pid).process.stir(), "a running process is on no queue");
                self.end_turn(pid);
            }
            Went::Ended(reason) => self.finish(pid, &reason),
        }
    }

    fn small_step(&mut self, pid: Pid) -> Went {
        let guest = &mut self.person(pid).guest;
        match guest.stage {
            Stage::Absent => return self.begin_without_instance(pid),
            Stage::Made => return self.begin_instance(pid),
            _ => {}
        }
        if guest.blocked != Blocked::No {
            return self.poll(pid);
        }
        match guest.script.pop_front() {
            Some(op) => self.system_call(pid, op),
            None => self.returns(pid),
        }
    }

    fn begin_without_instance(&mut self, pid: Pid) -> Went {
        match self.transition(pid, Process::step_asleep) {
            Some(Step::Migrate) => self.begin_takeover(pid, true),
            Some(Step::ReplaceState(id)) => self.begin_serving(pid, id, true, true),
            Some(_) => self.discard(pid),
            None => {
                let code = self.code;
                let guest = &mut self.person(pid).guest;
                (guest.code, guest.stage) = (code, Stage::Made);
                Went::On
            }
        }
    }

    fn begin_instance(&mut self, pid: Pid) -> Went {
        let person = self.person(pid);
        let Some(state) = person.process.take_saved() else {
            assert!(person.process.is_new(), "{pid} has lost its state");
            person.guest.stage = Stage::Loop;
            return Went::On;
        };
        person.guest.memory = takeover::restore(&state, person.guest.code);
        assert_eq!(person.guest.memory, person.heard, "{pid} has forgotten something");
        person.guest.stage = Stage::Restoring;
        person.guest.script.extend(person.guest.slow.then_some(Op::Spin));
        self.see(pid, Seen::Wakes);
        Went::On
    }

    /// The instance is no longer wanted.
    pub(super) fn discard(&mut self, pid: Pid) -> Went {
        let person = self.person(pid);
        person.guest.stage = Stage::Absent;
        person.process.discarded();
        Went::Nowhere
    }

    /// The script is at its end: what the guest's function returns.
    fn returns(&mut self, pid: Pid) -> Went {
        let guest = &mut self.person(pid).guest;
        let (start, next, reply) = (guest.start.take(), guest.next.take(), guest.reply.take());
        match std::mem::replace(&mut guest.stage, Stage::Loop) {
            Stage::Loop => self.step(pid),
            Stage::Restoring => Went::On,
            Stage::Taking { asleep } => self.take_over(pid, asleep),
            Stage::Serving { id, replaces, asleep } => self.serve(pid, id, replaces, asleep),
            Stage::Init => self.init_returns(pid, start, next),
            Stage::Handler => {
                let outcome = Outcome { reply, next: next.unwrap_or(Next::Wait) };
                self.leave_open(pid, outcome.reply.is_some());
                self.transition(pid, |process, now, actions| process.handled(outcome, now, actions));
                Went::On
            }
            Stage::Saving if guest.pinned => {
                self.see(pid, Seen::RefusesToSleep);
                self.person(pid).process.save_refused();
                Went::On
            }
            Stage::Saving => {
                guest.stage = Stage::Absent;
                let state = takeover::state(guest.code, guest.memory);
                self.person(pid).process.saved(state);
                Went::Nowhere
            }
            Stage::Terminating(reason) => Went::Ended(reason),
            Stage::Absent | Stage::Made => unreachable!("there is an instance"),
        }
    }

    fn init_returns(&mut self, pid: Pid, start: Option<Start>, next: Option<Next>) -> Went {
        if self.person(pid).process.kind() == Kind::Task {
            let result = self.person(pid).guest.result.take().unwrap_or(Body::Raw(Vec::new()));
            self.transition(pid, |process, _, actions| process.finished(result, actions));
            return Went::Ended(ExitReason::Normal);
        }
        let start = start.unwrap_or(Start::Ready(next.unwrap_or(Next::Wait)));
        match self.transition(pid, |process, now, actions| process.started(start, now, actions)) {
            None => Went::On,
            Some(reason) => Went::Ended(reason),
        }
    }

    fn step(&mut self, pid: Pid) -> Went {
        let (mine, current) = (self.person(pid).guest.code, self.code);
        let step = self.transition(pid, |process, now, actions| {
            // `init` runs on the current code. In one transition, or the code could be replaced in between.
            if process.is_new() && mine != current { Step::Discard } else { process.next_step(now, actions) }
        });
        match step {
            Step::Init => {
                let guest = &mut self.person(pid).guest;
                guest.stage = Stage::Init;
                guest.script = guest.init.clone().into();
                Went::On
            }
            Step::Handle { event, .. } => {
                self.person(pid).guest.stage = Stage::Handler;
                self.take_event(pid, event);
                Went::On
            }
            Step::Terminate(reason) => {
                self.see(pid, Seen::Terminates(reason.clone()));
                // An order to stop is taken out of the mail, wherever it was.
                self.person(pid).mail.retain(|event| !matches!(event, Event::Stop { .. }));
                let guest = &mut self.person(pid).guest;
                guest.stage = Stage::Terminating(reason);
                guest.script = guest.terminate.clone().into();
                Went::On
            }
            Step::Save if self.person(pid).guest.holds => {
                self.see(pid, Seen::PostponesSleep);
                self.person(pid).process.save_postponed();
                Went::On
            }
            Step::Save => {
                if !self.person(pid).guest.pinned {
                    self.see(pid, Seen::Sleeps);
                }
                let guest = &mut self.person(pid).guest;
                guest.stage = Stage::Saving;
                guest.script.extend(guest.slow.then_some(Op::Spin));
                Went::On
            }
            Step::Migrate => self.begin_takeover(pid, false),
            Step::GetState(id) => self.begin_serving(pid, id, false, false),
            Step::ReplaceState(id) => self.begin_serving(pid, id, true, false),
            Step::Discard => self.discard(pid),
            Step::Wait => Went::Nowhere,
            Step::Exit(reason) => Went::Ended(reason),
        }
    }
}
