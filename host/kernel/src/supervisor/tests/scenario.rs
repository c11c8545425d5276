//! Scenarios as text: what happens on the left, what the supervisor orders on the right.
//!
//! Children are written `a`, `b:transient`, `c:temporary:kill`, `d:sup:2000` (a shutdown timeout in ms), `e:new` (another
//! thing to start), `f:significant`. The third start of `a` is `a3`, and so is the process that comes of it. `replace a,b:kill rest 3/5` is
//! another spec with these children, this strategy, and at most 3 restarts in 5 seconds.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::super::*;
use crate::{Body, Name, Refusal};

pub(super) type Sup = Machine<Name, String>;

pub(super) const PERMISSIVE: u32 = 1000;

/// A supervisor spec in one line, with a restart limit that no scenario reaches.
pub(super) fn spec(strategy: Strategy, children: &str) -> SupervisorSpec<Name> {
    let children = children.split_whitespace().map(child).collect();
    SupervisorSpec { strategy, max_restarts: PERMISSIVE, ..SupervisorSpec::new(children) }
}

pub(super) fn child(text: &str) -> ChildSpec<Name> {
    let mut words = text.split(':');
    let id = words.next().expect("an id");
    let mut spec = ChildSpec::worker(id, Name::from(format!("run {id}")));
    for word in words {
        match word {
            "transient" => spec.restart = Restart::Transient,
            "temporary" => spec.restart = Restart::Temporary,
            "significant" => spec.significant = true,
            "kill" => spec.shutdown = Shutdown::BrutalKill,
            "new" => spec.start = Name::from(format!("run new {id}")),
            "infinity" => spec.shutdown = Shutdown::Infinity,
            "sup" => spec = ChildSpec { restart: spec.restart, ..ChildSpec::supervisor(id, spec.start) },
            ms => spec.shutdown = Shutdown::Timeout(Duration::from_millis(ms.parse().expect("a word or ms"))),
        }
    }
    spec
}

/// The spec that a `replace` gives: its children, and its flags.
fn replacement(children: &str, flags: &[&str]) -> SupervisorSpec<Name> {
    let mut spec = spec(Strategy::OneForOne, &children.replace(',', " "));
    for flag in flags {
        match (*flag, flag.split_once('/')) {
            ("all", _) => spec.strategy = Strategy::OneForAll,
            ("rest", _) => spec.strategy = Strategy::RestForOne,
            ("any", _) => spec.auto_shutdown = AutoShutdown::AnySignificant,
            ("last", _) => spec.auto_shutdown = AutoShutdown::AllSignificant,
            (_, Some((restarts, seconds))) => {
                spec.max_restarts = restarts.parse().expect("a number");
                spec.max_seconds = seconds.parse().expect("a number");
            }
            (other, None) => panic!("what is {other}?"),
        }
    }
    spec
}

pub(super) fn reason(word: &str) -> ExitReason {
    match word {
        "normal" => ExitReason::Normal,
        "shutdown" => ExitReason::Shutdown(None),
        "shutdown+" => ExitReason::Shutdown(Some(Arc::new(Body::Text("why".into())))),
        "killed" => ExitReason::Killed,
        other => ExitReason::failed(other),
    }
}

/// Runs a scenario: each line is what happens (several things, separated by `;`) and what is ordered.
pub(super) fn check(spec: SupervisorSpec<Name>, lines: &[(&str, &str)]) {
    let mut scenario = Scenario::new(spec);
    for (line, (happens, ordered)) in lines.iter().enumerate() {
        let trace: Vec<String> = happens.split(';').flat_map(|what| scenario.happens(what.trim())).collect();
        assert_eq!(trace.join(", "), *ordered, "line {line}: {happens}");
    }
}

pub(super) struct Scenario {
    pub(super) sup: Sup,
    now: Time,
    /// Starts under way, by id.
    starting: BTreeMap<String, (Token, String)>,
    starts: BTreeMap<String, u64>,
    /// Names of processes; a process's number is its index.
    processes: Vec<String>,
    timers: BTreeMap<Token, String>,
    retries: VecDeque<Token>,
}

impl Scenario {
    pub(super) fn new(spec: SupervisorSpec<Name>) -> Self {
        Scenario {
            sup: Machine::new(spec).expect("a good spec"),
            now: Time::ZERO,
            starting: BTreeMap::new(),
            starts: BTreeMap::new(),
            processes: Vec::new(),
            timers: BTreeMap::new(),
            retries: VecDeque::new(),
        }
    }

    pub(super) fn happens(&mut self, what: &str) -> Vec<String> {
        let mut words = what.split(' ');
        let verb = words.next().expect("a verb");
        let (arg, extra) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let (id, ask) = (Name::from(arg), what.to_string());
        let input = match verb {
            "at" => {
                self.now = Duration::from_millis(arg.parse().expect("ms"));
                return Vec::new();
            }
            "begin" => Input::Begin,
            "ok" => self.answer(arg, None),
            "fail" => self.answer(arg, Some(SpawnError::Failed(ExitReason::failed("boom")))),
            "ignore" => self.answer(arg, Some(SpawnError::Ignored)),
            "refuse" => self.answer(arg, Some(SpawnError::Refused(Refusal::Limit("processes".into())))),
            "down" => Input::Down { pid: self.pid(arg), reason: reason(extra) },
            "stop" => Input::Stop { reason: reason(arg) },
            "timeout" => {
                let timer = self.timers.iter().find(|(_, name)| *name == arg).map(|(&token, _)| token);
                Input::Timeout { token: timer.expect("a timer") }
            }
            "retry" => Input::Retry { token: self.retries.pop_front().expect("a retry") },
            "start" => Input::StartChild { spec: child(arg), ask },
            "terminate" => Input::TerminateChild { id, ask },
            "end" => Input::TerminatePid { pid: self.pid(arg), ask },
            "resize" => Input::Resize { partitions: arg.parse().expect("a number"), ask },
            "restart" => Input::RestartChild { id, ask },
            "delete" => Input::DeleteChild { id, ask },
            "replace" => {
                let flags: Vec<&str> = words.chain([extra]).filter(|word| !word.is_empty()).collect();
                // What comes back is short: no scenario has two of them at once.
                Input::Replace { spec: replacement(arg, &flags), ask: "replace".into() }
            }
            "which" => Input::WhichChildren { ask },
            "count" => Input::CountChildren { ask },
            other => panic!("what is {other}?"),
        };
        let mut out = Vec::new();
        self.sup.step(input, self.now, &mut out);
        out.into_iter().map(|order| self.ordered(order)).collect()
    }

    /// What became of a start; `failure` is `None` if it succeeded.
    fn answer(&mut self, id: &str, failure: Option<SpawnError>) -> Input<Name, String> {
        let (token, name) = self.starting.remove(id).unwrap_or_else(|| panic!("{id} is not starting"));
        if let Some(error) = failure {
            return Input::Started { token, outcome: Err(error) };
        }
        self.processes.push(name.clone());
        Input::Started { token, outcome: Ok(self.pid(&name)) }
    }

    /// The process of this name, or one that nobody knows.
    fn pid(&self, name: &str) -> Pid {
        let index = self.processes.iter().position(|known| known == name).unwrap_or(usize::MAX >> 12);
        Pid { node: 0, id: index as u64, tag: 1 }
    }

    fn name(&self, pid: Pid) -> String {
        self.processes[usize::try_from(pid.id).expect("a small number")].clone()
    }

    fn ordered(&mut self, order: Order<Name, String>) -> String {
        match order {
            Order::Start { token, id, start, kind, cause } => {
                let count = self.starts.entry(id.to_string()).or_default();
                *count += 1;
                let name = format!("{id}{count}");
                // Where children come and go, several of one id start at once.
                let key = if self.sup.roster().is_dynamic() { name.clone() } else { id.to_string() };
                let double = self.starting.insert(key, (token, name.clone()));
                assert!(double.is_none(), "{id} is started twice");
                let new = if *start == *format!("run {id}") { "" } else { " new" };
                assert_eq!(start.as_ref(), format!("run{new} {id}"));
                let view = self.sup.view().into_iter().find(|child| child.id == id);
                assert!(view.is_none_or(|child| child.kind == kind), "kind of {id}");
                format!("{}{new} {name}", format!("{cause:?}").to_lowercase())
            }
            Order::CancelStart { token } => {
                let (_, name) = self.starting.values().find(|(known, _)| *known == token).expect("a start under way");
                format!("cancel {name}")
            }
            Order::Shutdown { pid } => format!("shutdown {}", self.name(pid)),
            Order::Kill { pid } => format!("kill {}", self.name(pid)),
            Order::SetTimer { token, at } => {
                let waits = self.sup.view().into_iter().find(|child| child.restart_at == Some(at));
                if let Some(child) = waits {
                    self.timers.retain(|_, known| **known != *child.id);
                    self.timers.insert(token, child.id.to_string());
                    return format!("wait {}@{}", child.id, at.as_millis());
                }
                let stopping = self.sup.view().into_iter().rev().filter_map(|child| match child.status {
                    ChildStatus::Stopping(pid) => Some(self.name(pid)),
                    _ => None,
                });
                let name = stopping.into_iter().find(|name| !self.timers.values().any(|known| known == name));
                let name = name.expect("somebody who is stopping");
                self.timers.insert(token, name.clone());
                format!("timer {name}@{}", at.as_millis())
            }
            Order::CancelTimer { token } => format!("untimer {}", self.timers[&token]),
            Order::Retry { token } => {
                self.retries.push_back(token);
                "retry".into()
            }
            Order::Ready => "ready".into(),
            Order::Failed { reason } => format!("failed ({reason})"),
            Order::Finish { reason } => format!("finish ({reason})"),
            Order::Reply { ask, result } => format!("[{ask}] {}", self.answered(result)),
            Order::Report(report) => self.reported(&report),
        }
    }

    fn answered(&self, result: Result<Answer, RequestError>) -> String {
        match result {
            Ok(Answer::Started(Some(pid))) => self.name(pid),
            Ok(Answer::Started(None)) => "undefined".into(),
            Ok(Answer::Done) => "ok".into(),
            Ok(Answer::Children(children)) => self.listed(&children),
            Ok(Answer::Counts(Counts { specs, active, supervisors, workers })) => {
                format!("{specs} specs {active} active {supervisors} supervisors {workers} workers")
            }
            Err(RequestError::AlreadyStarted(pid)) => format!("already_started {}", self.name(pid)),
            Err(RequestError::Invalid(error)) => error.to_string(),
            Err(RequestError::Failed(SpawnError::Failed(reason))) => reason.to_string(),
            Err(error) => format!("{error:?}"),
        }
    }

    pub(super) fn listed(&self, children: &[ChildView]) -> String {
        let line = |child: &ChildView| match child.status {
            ChildStatus::Running(pid) => self.name(pid),
            ChildStatus::Stopping(pid) => format!("{}:stopping", self.name(pid)),
            other => format!("{}:{}", child.id, format!("{other:?}").to_lowercase()),
        };
        children.iter().map(line).collect::<Vec<_>>().join(" ")
    }

    fn reported(&self, report: &Report) -> String {
        match report {
            Report::Ended { child, pid, reason } => {
                assert!(self.name(*pid).starts_with(child.as_ref()));
                format!("{} ended ({reason})", self.name(*pid))
            }
            Report::StartFailed { child, error: SpawnError::Failed(reason) } => {
                format!("{child} did not start ({reason})")
            }
            Report::StartFailed { child, error } => format!("{child} did not start ({error:?})"),
            Report::StopFailed { child, pid, reason } => {
                assert!(self.name(*pid).starts_with(child.as_ref()));
                format!("{} stopped wrongly ({reason})", self.name(*pid))
            }
            Report::Restarting { child, total } => format!("restarting {child} #{total}"),
            Report::GaveUp { child } => format!("gave up {child}"),
            Report::AutoShutdown { child } => format!("{child} was significant"),
        }
    }
}
