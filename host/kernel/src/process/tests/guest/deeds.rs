//! What a guest of a test hears and does: the event that it is handed, and the operations of the script in it.

use super::Blocked;
use std::time::Duration;

use super::super::notation;
use super::super::op::Op;
use super::super::world::{Duty, Lane, Once, SEAL, Seen, World};
use super::{Stage, Went};
use crate::process::*;
use crate::{Address, Body, Event, Fault, Next, Signal, Start};

impl World {
    /// Notes an event, or follows the script it brings. A call that brings text is replied to.
    pub(super) fn take_event(&mut self, pid: Pid, event: Event) {
        let person = self.person(pid);
        person.heard += 1;
        person.guest.memory += 1;
        if matches!(event, Event::Call { .. } | Event::Cast(_) | Event::Info(_)) {
            assert_eq!(person.mail.pop_front().as_ref(), Some(&event), "HOT-02: {pid} is handed another message");
        }
        match &event {
            Event::Down { mark, .. } => self.is_over(pid, Once::Down(*mark)),
            Event::Timer { mark, .. } => self.is_over(pid, Once::Timer(*mark)),
            Event::Answer { mark, .. } => self.is_over(pid, Once::Answer(*mark)),
            _ => {}
        }
        let script = match &event {
            Event::Call { caller, body } => {
                let guest = &mut self.person(pid).guest;
                guest.call = Some(*caller);
                if let Body::Text(text) = body {
                    guest.reply = Some(Body::Text(format!("re {text}")));
                }
                notation::script(body)
            }
            Event::Cast(body) | Event::Info(body) | Event::Continue(body) => notation::script(body),
            _ => None,
        };
        match script {
            Some(script) => {
                let guest = &mut self.person(pid).guest;
                let rest = std::mem::replace(&mut guest.script, script.into());
                guest.script.extend(rest);
            }
            None => self.see(pid, Seen::Event(event)),
        }
    }

    /// A call that was not replied to is still owed an answer.
    pub(super) fn leave_open(&mut self, pid: Pid, replied: bool) {
        let call = self.person(pid).guest.call.take();
        if let Some(caller) = call.filter(|_| !replied) {
            self.owed.entry(pid).or_default().push_back(caller);
        }
    }

    pub(super) fn system_call(&mut self, pid: Pid, op: Op) -> Went {
        if let Some(reason) = self.doom(pid) {
            return Went::Ended(reason);
        }
        match op {
            Op::Say(text) => self.see(pid, Seen::Says(text)),
            Op::Reply(body) => self.person(pid).guest.reply = Some(body),
            Op::Next(Next::Stop(reason)) if self.person(pid).guest.stage == Stage::Init => {
                if self.person(pid).process.kind() == Kind::Task {
                    return Went::Ended(reason);
                }
                self.person(pid).guest.start = Some(Start::Stop(reason));
            }
            Op::Next(next) => self.person(pid).guest.next = Some(next),
            Op::Ignore => self.person(pid).guest.start = Some(Start::Ignore),
            Op::Finish(body) => self.person(pid).guest.result = Some(body),
            Op::Hold(on) => self.person(pid).guest.holds = on,
            Op::Spin => return Went::TooFar,
            Op::Crash(kind) => {
                let fault = Fault { kind, message: String::new(), trace: String::new() };
                return Went::Ended(ExitReason::Trap(fault.into()));
            }
            Op::Fail(text) => return self.fails(pid, ExitReason::failed(text)),
            Op::More => {
                let reply = self.person(pid).guest.reply.take();
                self.leave_open(pid, reply.is_some());
                match self.transition(pid, |process, now, actions| process.more(reply, now, actions)) {
                    More::Event(event) => self.take_event(pid, event),
                    More::Return => self.see(pid, Seen::Result("no more".into())),
                    More::Wait => self.person(pid).guest.blocked = Blocked::More,
                }
            }
            op => return self.act_on_others(pid, op),
        }
        Went::On
    }

    /// An export answers with an error; its instance is sound.
    fn fails(&mut self, pid: Pid, reason: ExitReason) -> Went {
        let person = self.person(pid);
        person.guest.script.clear();
        match std::mem::replace(&mut person.guest.stage, Stage::Loop) {
            Stage::Handler => {
                person.guest.call = None;
                person.process.failed(reason);
                Went::On
            }
            _ => Went::Ended(reason),
        }
    }

    pub(in crate::process::tests) fn address(&self, to: &str) -> Address {
        match to.strip_prefix('@') {
            Some(name) => Address::Name(name.into()),
            None => match to.strip_prefix('~').and_then(|to| to.split_once('.')) {
                Some((whose, label)) => {
                    let whose = self.pid(whose);
                    Address::Alias(SEAL.close(whose, self.people[&whose].guest.aliases[label]))
                }
                None => Address::Pid(self.pid(to)),
            },
        }
    }

    /// Sends a signal from a process; what comes of it is its lane's business.
    pub(in crate::process::tests) fn post(&mut self, from: Pid, to: Pid, signal: Signal) {
        self.give(Lane::Of(from), Duty::Action { owner: from, action: crate::Action::Deliver { to, signal } });
    }

    pub(in crate::process::tests) fn after(&self, ms: u64) -> Time {
        self.now.saturating_add(Duration::from_millis(ms))
    }
}
