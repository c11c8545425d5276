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
            Op::Send(to, body) => {
                self.person(pid).process.count_sent(1);
                self.send(pid, &to, body);
            }
            Op::Cast(to, body) => {
                self.person(pid).process.count_sent(1);
                if let Some((to, signal)) = self.way(&self.address(&to), Event::Cast(body)) {
                    self.post(pid, to, signal);
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
                let wanted = Monitoring::of(self.address(&of));
                return self.watch(pid, of, wanted);
            }
            Op::Watch { of, label, tag, alias } => {
                let wanted = Monitoring { target: self.address(&of), tag, alias };
                return self.watch(pid, label, wanted);
            }
            Op::Alias { label, mode } => {
                let opened = self.person(pid).process.alias(mode);
                return self.marked(pid, label, opened);
            }
            Op::Unalias(label) => {
                let mark = self.person(pid).guest.marks[&label];
                let was = self.person(pid).process.unalias(mark);
                self.result(pid, if was { "closed" } else { "no alias" }.into());
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
                self.person(pid).process.disclose();
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
                let begun = self.transition(pid, |process, _, actions| {
                    process.begin_call(Callee::Pid(who), None, Waiting::Blocking, actions)
                });
                match begun {
                    Ok(mark) => {
                        self.person(pid).guest.blocked = Blocked::Alive(mark);
                        self.post(pid, who, Signal::Alive { from: pid, mark });
                    }
                    Err(_) => self.result(pid, "not asked".into()),
                }
            }
            Op::Receive { only, timeout } => {
                let marks = only.map(|label| vec![self.person(pid).guest.marks[&label]]);
                return self.receive(pid, marks.map_or(Wanted::Any, Wanted::Marked), timeout);
            }
            Op::Choose { text, timeout } => {
                self.person(pid).guest.choosing = Some((text, timeout.map(|ms| self.after(ms))));
                return self.receive(pid, Wanted::Behind(None), timeout);
            }
            op => return self.use_names_and_timers(pid, op),
        }
        Went::On
    }

    fn watch(&mut self, pid: Pid, label: String, wanted: Monitoring) -> Went {
        let holder = self.resolve(&wanted.target);
        let set = self.transition(pid, |process, _, actions| process.monitor(wanted, holder, actions));
        self.marked(pid, label, set)
    }

    fn receive(&mut self, pid: Pid, wanted: Wanted, timeout: Option<u64>) -> Went {
        let deadline = timeout.map(|ms| self.after(ms));
        let begun = self.transition(pid, |process, now, actions| process.begin_receive(wanted, deadline, now, actions));
        match begun {
            Ok(()) => self.person(pid).guest.blocked = Blocked::Receive,
            Err(reason) => return Went::Ended(reason),
        }
        Went::On
    }

    /// Whose timer is meant, and which.
    fn timer(&self, pid: Pid, label: &str) -> (Pid, Mark) {
        let (owner, label) = label.split_once('.').map_or((pid, label), |(whose, label)| (self.pid(whose), label));
        (owner, self.people[&owner].guest.marks[label])
    }

    fn use_names_and_timers(&mut self, pid: Pid, op: Op) -> Went {
        match op {
            Op::Timer { label, ms } => {
                let (at, body) = (self.after(ms), Body::Text(label.clone()));
                let set = self.transition(pid, |process, _, actions| process.start_timer(at, None, body, actions));
                return self.marked(pid, label, set);
            }
            Op::TimerAt { label, ms } => {
                let (at, body) = (Duration::from_millis(ms), Body::Text(label.clone()));
                let set = self.transition(pid, |process, _, actions| process.start_timer(at, None, body, actions));
                return self.marked(pid, label, set);
            }
            Op::After { label, ms, to } => {
                let (at, to, body) = (self.after(ms), self.address(&to), Body::Text(label.clone()));
                let set = self.transition(pid, |process, _, actions| process.start_timer(at, Some(to), body, actions));
                return self.marked(pid, label, set);
            }
            Op::Cancel(label) => {
                let (owner, mark) = self.timer(pid, &label);
                let left = self.transition(owner, |process, now, actions| process.cancel_timer(mark, now, actions));
                if left.is_some() {
                    self.take_back(owner, Once::Timer(mark));
                }
                self.result(pid, left.map_or("no timer".into(), show_left));
            }
            Op::Left(label) => {
                let ((owner, mark), now) = (self.timer(pid, &label), self.now);
                let left = self.person(owner).process.timer_left(mark, now);
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
                self.person(pid).guest.marks.insert(label.clone(), mark);
                if self.people[&pid].process.affairs.aliases.contains_key(&mark) {
                    self.person(pid).guest.aliases.insert(label, mark);
                }
                Went::On
            }
            Err(reason) => Went::Ended(reason),
        }
    }

    fn send(&mut self, pid: Pid, to: &str, body: Body) {
        let address = self.address(to);
        let delivered = match self.way(&address, Event::Info(body)) {
            // MON-12: nothing that could tell an open alias from a closed one is told.
            Some((to, signal)) => match self.hand_over(Lane::Of(pid), to, signal) {
                Err(_) if matches!(address, Address::Alias(_)) => return,
                delivered => delivered,
            },
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
                let known = match self.address(to) {
                    Address::Alias(_) => Callee::Behind(callee),
                    Address::Pid(_) | Address::Name(_) | Address::Via(_) => Callee::Pid(callee),
                };
                let begun =
                    self.transition(pid, |process, _, actions| process.begin_call(known, deadline, waiting, actions));
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
                if let Some((_, signal)) = self.way(&self.address(to), content(caller)) {
                    self.post(pid, callee, signal);
                }
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
