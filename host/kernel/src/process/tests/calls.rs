//! What a scripted guest asks of the host that concerns other processes, names and timers.

use std::time::Duration;

use super::guest::{Blocked, Went};
use super::notation;
use super::op::{Op, SpawnOp};
use super::world::{Duty, Lane, Once, Seen, World};
use crate::process::*;
use crate::signal::Undelivered;
use crate::{Address, Body, CallError, Event, Name, Refusal, Signal, SpawnError};

/// Blocking or not, to whom, what, until when.
struct Ask {
    to: String,
    body: Body,
    timeout: Option<u64>,
    waiting: Waiting,
}

impl World {
    pub(super) fn act_on_others(&mut self, pid: Pid, op: Op) -> Went {
        match op {
            Op::Send(to, body) => self.send(pid, &to, body),
            Op::Cast(to, body) => {
                if let Some(to) = self.resolve(&self.address(&to)) {
                    self.post(pid, to, Signal::Message(Event::Cast(body)));
                }
            }
            Op::Call { to, timeout, body } => self.ask(pid, Ask { to, body, timeout, waiting: Waiting::Blocking }),
            Op::Request { to, timeout, body } => self.ask(pid, Ask { to, body, timeout, waiting: Waiting::AsEvent }),
            Op::Halt { to, timeout, reason } => {
                let content = |caller| Event::Stop { caller, reason };
                self.ask_for(pid, &to, timeout, Waiting::Blocking, content);
            }
            Op::Abandon(to) => {
                if let Some(mark) = self.person(pid).guest.asked.remove(&to) {
                    let was = self.transition(pid, |process, _, actions| process.abandon(mark, actions));
                    self.take_back(pid, Once::Answer(mark));
                    self.result(pid, if was { "abandoned" } else { "no request" }.into());
                }
            }
            Op::Answer { whose, body } => {
                let whose = self.pid(&whose);
                if let Some(caller) = self.owed.get_mut(&whose).and_then(|owed| owed.pop_front()) {
                    self.transition(pid, |process, _, actions| process.reply(caller, body, actions));
                }
            }
            Op::Link(to) => {
                let to = self.pid(&to);
                match self.person(pid).process.link(to) {
                    LinkRequest::Done => {}
                    LinkRequest::Ask => self.give(Lane::Of(pid), Duty::Link(to)),
                    LinkRequest::Refused(why) => self.result(pid, format!("error {}", notation::refusal(&why))),
                }
            }
            Op::Unlink(to) => {
                let to = self.pid(&to);
                self.transition(pid, |process, _, actions| process.unlink(to, actions));
            }
            Op::Monitor(of) => {
                let target = self.address(&of);
                let holder = self.resolve(&target);
                let set = self.transition(pid, |process, _, actions| process.monitor(target, holder, actions));
                return self.marked(pid, of, set);
            }
            Op::Demonitor { of, flush } => {
                if let Some(mark) = self.person(pid).guest.marks.remove(&of) {
                    let was = self.transition(pid, |process, _, actions| process.demonitor(mark, flush, actions));
                    if was || flush {
                        self.take_back(pid, Once::Down(mark));
                    }
                    self.result(pid, if was { "demonitored" } else { "no monitor" }.into());
                }
            }
            Op::Trap(on) => {
                self.person(pid).process.set_trap_exit(on);
            }
            Op::Exit(to, reason) => {
                let to = self.pid(&to);
                self.post(pid, to, Signal::Exit { from: pid, reason });
            }
            Op::Kill(to) => {
                let to = self.pid(&to);
                self.post(pid, to, Signal::Kill);
            }
            Op::Spawn(spawn) => self.spawn(pid, *spawn),
            Op::Alive(who) => {
                let who = self.pid(&who);
                let alive = self.people.get(&who).is_some_and(|person| person.listed && !person.process.is_doomed());
                self.result(pid, if alive { "alive" } else { "dead" }.into());
            }
            Op::Receive { only, timeout } => {
                let marks = only.map(|label| vec![self.person(pid).guest.marks[&label]]);
                let deadline = timeout.map(|ms| self.after(ms));
                let begun =
                    self.transition(pid, |process, now, actions| process.begin_receive(marks, deadline, now, actions));
                match begun {
                    Ok(()) => self.person(pid).guest.blocked = Blocked::Receive,
                    Err(reason) => return Went::Ended(reason),
                }
            }
            op => return self.use_names_and_timers(pid, op),
        }
        Went::On
    }

    fn use_names_and_timers(&mut self, pid: Pid, op: Op) -> Went {
        match op {
            Op::Timer { label, ms } => {
                let (at, body) = (self.after(ms), Body::Text(label.clone()));
                let set = self.transition(pid, |process, _, actions| process.start_timer(at, None, body, actions));
                return self.marked(pid, label, set);
            }
            Op::After { label, ms, to } => {
                let (at, to, body) = (self.after(ms), self.address(&to), Body::Text(label.clone()));
                let set = self.transition(pid, |process, _, actions| process.start_timer(at, Some(to), body, actions));
                return self.marked(pid, label, set);
            }
            Op::Cancel(label) => {
                let mark = self.person(pid).guest.marks[&label];
                let left = self.transition(pid, |process, now, actions| process.cancel_timer(mark, now, actions));
                if left.is_some() {
                    self.take_back(pid, Once::Timer(mark));
                }
                self.result(pid, left.map_or("no timer".into(), show_left));
            }
            Op::Left(label) => {
                let (mark, now) = (self.person(pid).guest.marks[&label], self.now);
                let left = self.person(pid).process.timer_left(mark, now);
                self.result(pid, left.map_or("no timer".into(), show_left));
            }
            Op::Register(name) => {
                let name = Name::from(name);
                let taken = self.names.register(name.clone(), pid).map_err(|taken| Refusal::Taken(taken.0));
                let named = taken.and_then(|()| {
                    let named = self.person(pid).process.take_name(name.clone());
                    named.inspect_err(|_| self.names.release(&name, pid))
                });
                let named = named.map_err(|why| format!("error {}", self.show_refusal(&why)));
                self.result(pid, named.err().unwrap_or("named".into()));
            }
            Op::Unregister(name) => {
                let held = self.person(pid).process.drop_name(&name);
                if held {
                    self.names.release(&name, pid);
                }
                self.result(pid, if held { "unnamed" } else { "not its name" }.into());
            }
            op => unreachable!("{op:?} is the guest's own business"),
        }
        Went::On
    }

    fn result(&mut self, pid: Pid, text: String) {
        self.see(pid, Seen::Result(text));
    }

    fn marked(&mut self, pid: Pid, label: String, set: Result<Mark, ExitReason>) -> Went {
        match set {
            Ok(mark) => {
                self.person(pid).guest.marks.insert(label, mark);
                Went::On
            }
            Err(reason) => Went::Ended(reason),
        }
    }

    fn send(&mut self, pid: Pid, to: &str, body: Body) {
        let delivered = match self.resolve(&self.address(to)) {
            Some(to) => self.hand_over(Lane::Of(pid), to, Signal::Message(Event::Info(body))),
            None => return self.result(pid, "error no such name".into()),
        };
        match delivered {
            Ok(()) | Err(Undelivered::Gone) => {}
            Err(why) => self.result(pid, format!("error {why:?}")),
        }
    }

    fn ask(&mut self, pid: Pid, ask: Ask) {
        let Ask { to, body, timeout, waiting } = ask;
        self.ask_for(pid, &to, timeout, waiting, |caller| Event::Call { caller, body });
    }

    fn ask_for(
        &mut self,
        pid: Pid,
        to: &str,
        timeout: Option<u64>,
        waiting: Waiting,
        content: impl FnOnce(Caller) -> Event,
    ) {
        let begun = match self.resolve(&self.address(to)) {
            Some(callee) => {
                let deadline = timeout.map(|ms| self.after(ms));
                let begun = self.transition(pid, |process, _, actions| {
                    process.begin_call(Some(callee), deadline, waiting, actions)
                });
                begun.map(|mark| (callee, mark))
            }
            None => Err(CallError::Ended(ExitReason::Noproc)),
        };
        match begun {
            Ok((callee, mark)) => {
                match waiting {
                    Waiting::Blocking => self.person(pid).guest.blocked = Blocked::Call(mark),
                    Waiting::AsEvent => _ = self.person(pid).guest.asked.insert(to.to_owned(), mark),
                }
                let caller = Caller { pid, mark };
                self.post(pid, callee, Signal::Message(content(caller)));
            }
            Err(error) if waiting == Waiting::Blocking => self.result(pid, notation::answer(&Err(error))),
            Err(error) => {
                let _ = self.person(pid).process.answer_itself(error);
            }
        }
    }

    fn spawn(&mut self, parent: Pid, spawn: SpawnOp) {
        let SpawnOp { child, waiting } = spawn;
        let pid = self.new_pid(&child.label);
        let target = child.monitor.then_some(Address::Pid(pid));
        let (mark, monitor) = match self.person(parent).process.begin_spawn(pid, child.link, target, waiting) {
            Ok(marks) => marks,
            Err(why) => return self.result(parent, format!("error {}", notation::refusal(&why))),
        };
        if let Some(monitor) = monitor {
            self.person(parent).guest.marks.insert(child.label.clone(), monitor);
        }
        if waiting == Waiting::Blocking {
            self.person(parent).guest.blocked = Blocked::Spawn(mark);
        }
        let birth = World::birth(pid, &child, Some(Caller { pid: parent, mark }), monitor);
        self.give(Lane::Of(parent), birth);
    }

    pub(super) fn show_refusal(&self, refusal: &Refusal) -> String {
        match refusal {
            Refusal::Taken(holder) => format!("taken by {}", self.label(*holder)),
            other => notation::refusal(other),
        }
    }

    pub(super) fn show_spawn(&self, outcome: &Result<Pid, SpawnError>) -> String {
        match outcome {
            Ok(child) => format!("child {}", self.label(*child)),
            Err(SpawnError::Refused(why)) => format!("error {}", self.show_refusal(why)),
            Err(SpawnError::Ignored) => "error ignored".into(),
            Err(SpawnError::Failed(reason)) => format!("error failed {}", notation::reason(reason)),
        }
    }
}

fn show_left(left: Duration) -> String {
    format!("{} ms left", left.as_millis())
}
