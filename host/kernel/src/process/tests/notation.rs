//! Scenarios as text: what happens on the left, what the processes see of it on the right.
//!
//! A line holds statements, separated by `;`. Their signals are all delivered before anybody runs; then everybody runs
//! until nobody has anything to do.
//!
//! - `new a [options]`: a process without parent. `spawn` takes the same options: `task`, `native`, `link`, `monitor`,
//!   `as-event`, `name=n`, `hibernate=ms`, `mailbox=n`, `body=bytes`, `links=n`, `monitors=n`, `aliases=n`, `timers=n`,
//!   `requests=n`, `pinned`, `slow`, `init={script}`, `terminate={script}`
//! - `a: script`: `a` is told to do these things, separated by `,`, within one handler
//! - `limit a [options]`: from now on `a` has these bounds, and default ones otherwise
//! - in scripts: `~a.x` is the alias `x` of `a`, `a.x` the timer `x` of `a`
//! - `info a text`, `cast a text`, `exit a reason [from b]`, `kill a`, `evict a`: signals from outside
//! - `wait ms`: time passes
//! - `sys a request`: an operator asks; `suspend`, `resume`, `state`, `replace`, `replace-badly`, `terminate reason`;
//!   `withdraw a number`: he does not wait any more for the request of that number, counted from 1
//! - `upgrade [options]`: the code of all guests is replaced; `refuses=a`, `crashes=a`, `slow=a`, `stuck=a`, `full=a`
//!   say what goes wrong; `free a`: no longer; `cancel`, `time-up`
//!
//! What is seen of a process on replaced code has the number of that code behind its name: `a/2 says so`.
//!
//! A text in braces is a script for whoever receives it; any other is only noted.

use std::sync::Arc;
use std::time::Duration;

use super::coordinator::Trouble;
use super::op::{Op, SpawnOp};
use super::world::{Child, Code, Lane, Seen, Sight, World};
use crate::process::*;
use crate::upgrade::Input;
use crate::{Action, Address, Body, CallError, Event, Limits, Next, Refusal, Signal, Want};

/// Runs a scenario, line by line.
pub(super) fn check(lines: &[(&str, &str)]) -> World {
    let mut world = World::default();
    for (number, (happens, expected)) in lines.iter().enumerate() {
        world.run(happens);
        assert_eq!(world.trace(), *expected, "line {number}: {happens}");
    }
    world
}

impl World {
    /// One line: its statements, and all that follows.
    pub(super) fn run(&mut self, line: &str) {
        self.happen(line);
        self.settle();
        self.check_at_rest();
    }

    /// The statements of a line, and nothing that follows.
    pub(super) fn happen(&mut self, line: &str) {
        for statement in split(line, ';') {
            self.happens(&statement);
        }
    }

    fn happens(&mut self, statement: &str) {
        let (word, rest) = statement.split_once(' ').unwrap_or((statement, ""));
        if let Some(label) = word.strip_suffix(':') {
            let to = self.pid(label);
            let signal = Signal::Message(Event::Cast(body(&format!("{{{rest}}}"))));
            return self.strike(to, signal);
        }
        let (who, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        match word {
            "new" => {
                let child = child(who, rest);
                let pid = self.new_pid(who);
                let birth = World::birth(pid, &child, None, None);
                self.give(Lane::Outside, birth);
                self.work_off();
            }
            "limit" => {
                let limits = Arc::new(child(who, rest).limits);
                let pid = self.pid(who);
                self.person(pid).process.set_limits(limits);
            }
            "wait" => self.wait(Duration::from_millis(number(who))),
            "info" => self.strike(self.pid(who), Signal::Message(Event::Info(body(rest)))),
            "cast" => self.strike(self.pid(who), Signal::Message(Event::Cast(body(rest)))),
            "kill" => self.strike(self.pid(who), Signal::Kill),
            "migrate" => self.strike(self.pid(who), Signal::Migrate { upgrade: 1 }),
            "sys" => self.system_message(who, rest),
            "withdraw" => {
                self.unanswered.remove(&number(rest));
                self.strike(self.pid(who), Signal::Withdraw { id: number(rest) });
            }
            "evict" => self.strike(self.pid(who), Signal::Evict(Want::Room)),
            "upgrade" => self.upgrade_from_now(&format!("{who} {rest}")),
            "free" => self.free(self.pid(who)),
            "cancel" => self.tell_upgrade(Input::Cancel),
            "time-up" => self.tell_upgrade(Input::TimeUp),
            "exit" => {
                let (why, from) = rest.split_once(" from ").unwrap_or((rest, "outside"));
                let from = self.labels.get(from).copied().unwrap_or(Pid { node: 0, id: 0, tag: 0 });
                self.strike(self.pid(who), Signal::Exit { from, reason: to_reason(why) });
            }
            other => panic!("what is {other}?"),
        }
    }

    fn upgrade_from_now(&mut self, options: &str) {
        self.begin_upgrade();
        for option in split(options, ' ') {
            let (trouble, who) = option.split_once('=').expect("trouble=whose");
            let trouble = match trouble {
                "refuses" => Trouble::Refuses,
                "crashes" => Trouble::Crashes,
                "slow" => Trouble::Slow(3),
                "stuck" => Trouble::Stuck,
                "full" => Trouble::NoRoom,
                other => panic!("what is {other}?"),
            };
            let who = self.pid(who);
            self.troubles.insert(who, trouble);
        }
    }

    pub(super) fn strike(&mut self, to: Pid, signal: Signal) {
        let action = Action::Deliver { to, signal };
        self.give(Lane::Outside, super::world::Duty::Action { owner: to, action });
        self.work_off();
    }

    /// What was seen since the last time.
    pub(super) fn trace(&mut self) -> String {
        let seen = std::mem::take(&mut self.seen);
        let lines: Vec<String> = seen.iter().map(|sight| self.show(sight)).collect();
        lines.join(", ")
    }

    fn show(&self, Sight { who, code, what }: &Sight) -> String {
        let code = if *code == Code::default() { String::new() } else { format!("/{}", code.0) };
        let who = format!("{}{code}", self.label(*who));
        match what {
            Seen::Event(event) => format!("{who}: {}", self.show_event(event)),
            Seen::Result(text) => format!("{who} = {text}"),
            Seen::Says(text) => format!("{who} says {text}"),
            Seen::Terminates(why) => format!("{who} terminates {}", reason(why)),
            Seen::Ends(why) => format!("{who} ends {}", reason(why)),
            Seen::Sleeps => format!("{who} sleeps"),
            Seen::RefusesToSleep => format!("{who} refuses to sleep"),
            Seen::PostponesSleep => format!("{who} postpones sleep"),
            Seen::Wakes => format!("{who} wakes"),
            Seen::Stops(how) => format!("{who} {how}"),
            Seen::Moves => format!("{who} moves"),
            Seen::Stays(why) => format!("{who} stays: {}", reason(why)),
            Seen::Informs(text) => format!("{who} {text}"),
            Seen::Upgrade(result) => self.show_upgrade(result),
        }
    }

    fn show_event(&self, event: &Event) -> String {
        match event {
            Event::Call { body, .. } => format!("call {}", text(body)),
            Event::Cast(body) => format!("cast {}", text(body)),
            Event::Info(body) => format!("info {}", text(body)),
            Event::Continue(body) => format!("continue {}", text(body)),
            Event::Timer { body, .. } => format!("timer {}", text(body)),
            Event::Answer { outcome, .. } => format!("answer {}", answer(outcome)),
            Event::Exit { pid, reason: why } => format!("exit {} {}", self.label(*pid), reason(why)),
            Event::Down { target, reason: why, tag, .. } => {
                let target = match target {
                    Address::Pid(pid) => self.label(*pid).to_owned(),
                    Address::Name(name) => format!("@{name}"),
                    Address::Via(via) => format!("{via:?}"),
                    Address::Alias(_) => unreachable!("nobody monitors one"),
                };
                let tag = tag.as_ref().map_or(String::new(), |tag| format!(" [{}]", text(tag)));
                format!("down {target} {}{tag}", reason(why))
            }
            Event::Change { what, .. } => format!("change {what:?}"),
            Event::Idle => "idle".into(),
            Event::Stop { .. } => unreachable!("no guest sees it"),
            Event::Started { outcome, .. } => format!("started {}", self.show_spawn(outcome)),
        }
    }
}

pub(super) fn reason(why: &ExitReason) -> String {
    match why {
        ExitReason::Failed(text) => text.to_string(),
        other => other.to_string(),
    }
}

pub(super) fn to_reason(word: &str) -> ExitReason {
    match word {
        "normal" => ExitReason::Normal,
        "shutdown" => ExitReason::Shutdown(None),
        "shutdown+" => ExitReason::Shutdown(Some(Arc::new(Body::Text("why".into())))),
        "killed" => ExitReason::Killed,
        other => ExitReason::failed(other),
    }
}

pub(super) fn answer(outcome: &Result<Body, CallError>) -> String {
    match outcome {
        Ok(body) => text(body).into(),
        Err(CallError::Timeout) => "error timeout".into(),
        Err(CallError::Ended(why)) => format!("error ended {}", reason(why)),
        Err(CallError::Refused(why)) => format!("error refused: {why}"),
    }
}

pub(super) fn refusal(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Denied(text) | Refusal::Unknown(text) | Refusal::Invalid(text) => text.clone(),
        Refusal::Limit(text) => format!("limit {text}"),
        Refusal::Taken(_) => "taken".into(),
    }
}

fn text(body: &Body) -> &str {
    std::str::from_utf8(body.as_bytes()).expect("text")
}

/// The script that a body is.
pub(super) fn script(body: &Body) -> Option<Vec<Op>> {
    match body {
        Body::Json(script) => Some(ops(script)),
        _ => None,
    }
}

fn body(text: &str) -> Body {
    match braced(text) {
        Some(script) => Body::Json(script.into()),
        None => Body::Text(text.into()),
    }
}

fn braced(text: &str) -> Option<&str> {
    text.strip_prefix('{')?.strip_suffix('}')
}

/// Splits outside of braces.
fn split(text: &str, at: char) -> Vec<String> {
    let (mut parts, mut depth) = (vec![String::new()], 0);
    for c in text.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if c == at && depth == 0 {
            parts.push(String::new());
        } else {
            parts.last_mut().expect("one at least").push(c);
        }
    }
    parts.iter().map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

fn ops(script: &str) -> Vec<Op> {
    split(script, ',').iter().map(|text| op(text)).collect()
}

fn number(text: &str) -> u64 {
    text.parse().unwrap_or_else(|_| panic!("{text} is no number"))
}

fn timeout(text: &str) -> Option<u64> {
    (text != "-").then(|| number(text))
}

fn op(all: &str) -> Op {
    let (word, rest) = all.split_once(' ').unwrap_or((all, ""));
    let (first, second) = rest.split_once(' ').unwrap_or((rest, ""));
    let (middle, third) = second.split_once(' ').unwrap_or((second, ""));
    match word {
        "say" => Op::Say(rest.into()),
        "send" => Op::Send(first.into(), body(second)),
        "cast" => Op::Cast(first.into(), body(second)),
        "call" => Op::Call { to: first.into(), timeout: timeout(middle), body: body(third) },
        "request" => Op::Request { to: first.into(), timeout: timeout(middle), body: body(third) },
        "halt" => Op::Halt { to: first.into(), timeout: timeout(middle), reason: to_reason(third) },
        "abandon" => Op::Abandon(first.into()),
        "reply" => Op::Reply(body(rest)),
        "answer" => Op::Answer { whose: first.into(), body: body(second) },
        "link" => Op::Link(first.into()),
        "unlink" => Op::Unlink(first.into()),
        "monitor" => Op::Monitor(first.into()),
        "watch" => watch(first, second),
        "alias" => Op::Alias { label: first.into(), mode: alias_mode(second) },
        "unalias" => Op::Unalias(first.into()),
        "demonitor" => Op::Demonitor { of: first.into(), flush: second == "flush" },
        "trap" => Op::Trap(rest != "off"),
        "exit" => Op::Exit(first.into(), to_reason(second)),
        "kill" => Op::Kill(first.into()),
        "spawn" => {
            let waiting = if second.contains("as-event") { Waiting::AsEvent } else { Waiting::Blocking };
            Op::Spawn(Box::new(SpawnOp { child: child(first, second), waiting }))
        }
        "timer" => Op::Timer { label: first.into(), ms: number(second) },
        "after" => Op::After { label: first.into(), ms: number(middle), to: third.into() },
        "timer-at" => Op::TimerAt { label: first.into(), ms: number(second) },
        "cancel" => Op::Cancel(first.into()),
        "left" => Op::Left(first.into()),
        "register" => Op::Register(first.into()),
        "unregister" => Op::Unregister(first.into()),
        "alive" => Op::Alive(first.into()),
        "receive" => Op::Receive { only: None, timeout: timeout(first) },
        "pick" => Op::Receive { only: Some(first.into()), timeout: timeout(second) },
        "choose" => Op::Choose { text: first.into(), timeout: timeout(second) },
        "more" => Op::More,
        "wait-for" => Op::Next(Next::WaitFor(number(first))),
        "hibernate" => Op::Next(Next::Hibernate),
        "continue" => Op::Next(Next::Continue(body(rest))),
        "stop" => Op::Next(Next::Stop(to_reason(first))),
        "ignore" => Op::Ignore,
        "fail" => Op::Fail(first.into()),
        "crash" => Op::Crash(first.into()),
        "finish" => Op::Finish(body(rest)),
        "hold" => Op::Hold(rest != "off"),
        "spin" => Op::Spin,
        other => panic!("what is {other}?"),
    }
}

/// `watch a [as=label] [tag=text] [alias=mode]`
fn watch(of: &str, options: &str) -> Op {
    let (mut label, mut tag, mut alias) = (of.to_owned(), None, None);
    for option in split(options, ' ') {
        let (key, value) = option.split_once('=').expect("key=value");
        match key {
            "as" => label = value.into(),
            "tag" => tag = Some(Body::Text(value.into())),
            "alias" => alias = Some(alias_mode(value)),
            other => panic!("what is {other}?"),
        }
    }
    Op::Watch { of: of.into(), label, tag, alias }
}

fn alias_mode(word: &str) -> AliasMode {
    match word {
        "" | "unalias" => AliasMode::ExplicitUnalias,
        "reply" => AliasMode::Reply,
        "demonitor" => AliasMode::Demonitor,
        "reply-demonitor" => AliasMode::ReplyDemonitor,
        other => panic!("what is {other}?"),
    }
}

pub(super) fn child(label: &str, options: &str) -> Child {
    let mut child = Child {
        label: label.into(),
        kind: Kind::Server,
        name: None,
        link: false,
        monitor: false,
        hibernate_after: None,
        limits: Limits::default(),
        init: Vec::new(),
        terminate: Vec::new(),
        pinned: false,
        slow: false,
    };
    for option in split(options, ' ') {
        let (key, value) = option.split_once('=').unwrap_or((&option, ""));
        let count = || usize::try_from(number(value)).expect("a small number");
        match key {
            "task" => child.kind = Kind::Task,
            "native" => child.kind = Kind::Native,
            "link" => child.link = true,
            "monitor" => child.monitor = true,
            "as-event" => {}
            "pinned" => child.pinned = true,
            "slow" => child.slow = true,
            "name" => child.name = Some(value.into()),
            "hibernate" => child.hibernate_after = Some(Duration::from_millis(number(value))),
            "mailbox" => child.limits.mailbox_messages = count(),
            "body" => child.limits.body_bytes = count(),
            "links" => child.limits.links = count(),
            "monitors" => child.limits.monitors = count(),
            "aliases" => child.limits.aliases = count(),
            "timers" => child.limits.timers = count(),
            "requests" => child.limits.requests = count(),
            "init" => child.init = ops(braced(value).expect("a script in braces")),
            "terminate" => child.terminate = ops(braced(value).expect("a script in braces")),
            other => panic!("what is {other}?"),
        }
    }
    child
}
