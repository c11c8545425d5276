//! Every restart type with every exit reason under every strategy, against a model that knows no states.

use std::sync::Arc;

use super::super::*;
use super::scenario::spec;
use crate::{Body, Fault, Name};

/// Starts succeed at once and whoever is told to end does.
struct Obedient {
    sup: Supervisor<Name, ()>,
    running: Vec<(Name, Pid)>,
    pids: u64,
    /// What was started and stopped, in order.
    trace: Vec<String>,
}

impl Obedient {
    fn new(spec: SupervisorSpec<Name>) -> Self {
        let sup = Supervisor::new(spec).expect("a good spec");
        let mut obedient = Obedient { sup, running: Vec::new(), pids: 0, trace: Vec::new() };
        obedient.happens(Input::Begin);
        obedient.trace.clear();
        obedient
    }

    fn happens(&mut self, input: Input<Name, ()>) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let mut out = Vec::new();
            self.sup.step(input, Time::ZERO, &mut out);
            inputs.extend(out.into_iter().filter_map(|order| self.obeys(order)));
        }
    }

    fn obeys(&mut self, order: Order<Name, ()>) -> Option<Input<Name, ()>> {
        match order {
            Order::Start { token, id, .. } => {
                self.pids += 1;
                let pid = Pid { node: 0, id: self.pids, tag: 0 };
                self.trace.push(format!("+{id}"));
                self.running.push((id, pid));
                Some(Input::Started { token, outcome: Ok(pid) })
            }
            Order::Shutdown { pid } => {
                let index = self.running.iter().position(|&(_, known)| known == pid).expect("who is told to end runs");
                self.trace.push(format!("-{}", self.running.remove(index).0));
                Some(Input::Down { pid, reason: ExitReason::Shutdown(None) })
            }
            Order::Finish { reason } => {
                self.trace.push(format!("finish {reason}"));
                None
            }
            _ => None,
        }
    }

    fn ends(&mut self, id: &str, reason: ExitReason) {
        let index = self.running.iter().position(|(known, _)| known.as_ref() == id).expect("who ends runs");
        let (_, pid) = self.running.remove(index);
        self.happens(Input::Down { pid, reason });
    }

    fn listed(&self) -> String {
        let view = self.sup.view();
        let line = |child: &ChildView| {
            let mark = if matches!(child.status, ChildStatus::Running(_)) { "" } else { "?" };
            format!("{}{mark}", child.id)
        };
        view.iter().map(line).collect::<Vec<_>>().join(" ")
    }
}

/// All reasons, and whether a transient child stays down after it.
fn reasons() -> Vec<(ExitReason, bool)> {
    let body = || Arc::new(Body::Text("text".into()));
    let fault = Fault { kind: "unreachable".into(), message: String::new(), trace: String::new() };
    vec![
        (ExitReason::Normal, true),
        (ExitReason::Shutdown(None), true),
        (ExitReason::Shutdown(Some(body())), true),
        (ExitReason::Killed, false),
        (ExitReason::Noproc, false),
        (ExitReason::Noconnection, false),
        (ExitReason::limit("fuel"), false),
        (ExitReason::Trap(Arc::new(fault)), false),
        (ExitReason::failed("text"), false),
        (ExitReason::Custom(body()), false),
    ]
}

/// What is stopped and started, and who is left, when `x` ends among `a p x q t z`; `p` and `q` are transient, and `t`
/// is temporary.
fn expected(strategy: Strategy, restart: Restart, orderly: bool, gives_up: bool) -> (&'static str, &'static str) {
    let again = restart == Restart::Permanent || restart == Restart::Transient && !orderly;
    if !again {
        return match restart {
            Restart::Temporary => ("", "a p q t z"),
            _ => ("", "a p x? q t z"),
        };
    }
    if gives_up {
        return ("-z -t -q -p -a finish shutdown", "a? p? x? q? z?");
    }
    match strategy {
        Strategy::OneForOne => ("+x", "a p x q t z"),
        Strategy::OneForAll => ("-z -t -q -p -a +a +p +x +q +z", "a p x q z"),
        Strategy::RestForOne => ("-z -t -q +x +q +z", "a p x q z"),
    }
}

#[test]
fn sup_04_sup_05_sup_08_every_ending_under_every_strategy() {
    for strategy in [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne] {
        for (restart, word) in
            [(Restart::Permanent, "x"), (Restart::Transient, "x:transient"), (Restart::Temporary, "x:temporary")]
        {
            for (reason, orderly) in reasons() {
                for max_restarts in [1, 0] {
                    let children = format!("a p:transient {word} q:transient t:temporary z");
                    let mut world = Obedient::new(SupervisorSpec { max_restarts, ..spec(strategy, &children) });
                    world.ends("x", reason.clone());
                    let (trace, left) = expected(strategy, restart, orderly, max_restarts == 0);
                    let case = format!("{strategy:?} {restart:?} {reason} {max_restarts}");
                    assert_eq!(world.trace.join(" "), trace, "{case}");
                    assert_eq!(world.listed(), left, "{case}");
                    let restarts = u64::from(trace.contains('+'));
                    assert_eq!(world.sup.restarts_total(), restarts, "{case}");
                    let running: Vec<_> = world.sup.view().iter().filter_map(|child| child.status.pid()).collect();
                    let mut known: Vec<_> = world.running.iter().map(|&(_, pid)| pid).collect();
                    known.sort_by_key(|pid| running.iter().position(|running| running == pid));
                    assert_eq!(running, known, "{case}");
                }
            }
        }
    }
}
