//! One supervisor and its children as processes, in one thread: signals are handed over in order, and whoever is stirred
//! has a turn.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use skep_kernel::process::{Birth, Kind, SliceEnd, Step, Turn, Waiting};
use skep_kernel::supervisor::{Input, Order, Supervisor, SupervisorSpec, Token};
use skep_kernel::{
    Action, Address, Body, Caller, Event, ExitReason, Mark, Name, Next, Outcome as Answer, Pid, Process, Signal, Start,
    Time,
};

use super::Cause;
use super::model::Outcome;

const SUPERVISOR: Pid = Pid { node: 0, id: 1, tag: 1 };
const STRANGER: Pid = Pid { node: 0, id: 2, tag: 2 };

struct Child {
    id: Name,
    process: Process,
    /// How it answers its next message.
    next: Next,
    told: bool,
}

pub struct Node {
    supervisor: Process,
    machine: Supervisor<Name, ()>,
    starts: BTreeMap<Mark, Token>,
    children: BTreeMap<Pid, Child>,
    pids: u64,
    traps: bool,
    signals: VecDeque<(Pid, Signal)>,
    ready: VecDeque<Pid>,
    trace: String,
    ended: Option<ExitReason>,
}

fn birth(pid: Pid, kind: Kind) -> Birth {
    Birth::without_parent(pid, kind, Arc::default(), [pid.id, 7])
}

impl Node {
    /// A supervisor whose children are up; none if it refuses its spec.
    pub fn start(spec: SupervisorSpec<Name>, traps: bool) -> Option<Self> {
        let machine = Supervisor::new(spec).ok()?;
        let mut node = Node {
            supervisor: Process::new(birth(SUPERVISOR, Kind::Native), Time::ZERO, &mut Vec::new()),
            machine,
            starts: BTreeMap::new(),
            children: BTreeMap::new(),
            pids: STRANGER.id,
            traps,
            signals: VecDeque::new(),
            ready: VecDeque::from([SUPERVISOR]),
            trace: String::new(),
            ended: None,
        };
        node.settle();
        node.trace.clear();
        Some(node)
    }

    pub fn causes(&mut self, id: &str, cause: &Cause) {
        let found = self.children.iter_mut().find(|(_, child)| &*child.id == id);
        let (pid, child) = found.expect("a child that runs");
        let signal = match cause {
            Cause::Itself(reason) => {
                child.next = Next::Stop(reason.clone());
                Signal::Message(Event::Info(Body::Text("end".into())))
            }
            Cause::Signal(reason) => Signal::Exit { from: STRANGER, reason: reason.clone() },
            Cause::Kill => Signal::Kill,
        };
        self.signals.push_back((*pid, signal));
        self.settle();
    }

    pub fn outcome(&self) -> Outcome {
        let left = match &self.ended {
            Some(reason) => {
                assert!(self.children.is_empty(), "left behind");
                format!("ended: {reason}")
            }
            None => {
                let line = |view: skep_kernel::supervisor::ChildView| match view.status.pid() {
                    Some(pid) => {
                        assert_eq!(self.children[&pid].id, view.id);
                        view.id.to_string()
                    }
                    None => format!("{}?", view.id),
                };
                self.machine.view().into_iter().map(line).collect::<Vec<_>>().join(" ")
            }
        };
        Outcome { trace: self.trace.clone(), left }
    }

    fn settle(&mut self) {
        loop {
            if let Some((to, signal)) = self.signals.pop_front() {
                self.hand_over(to, signal);
            } else if let Some(pid) = self.ready.pop_front() {
                if pid == SUPERVISOR { self.supervise() } else { self.turn(pid) }
            } else {
                return;
            }
        }
    }

    fn process(&mut self, pid: Pid) -> Option<&mut Process> {
        match pid {
            SUPERVISOR => Some(&mut self.supervisor),
            pid => self.children.get_mut(&pid).map(|child| &mut child.process),
        }
    }

    fn hand_over(&mut self, to: Pid, signal: Signal) {
        let mut actions = Vec::new();
        let Some(process) = self.process(to) else { return };
        if process.deliver(signal, Time::ZERO, &mut actions).wake {
            self.ready.push_back(to);
        }
        self.perform(actions);
    }

    fn perform(&mut self, actions: Vec<Action>) {
        for action in actions {
            if let Action::Deliver { to, signal } = action {
                self.signals.push_back((to, signal));
            }
        }
    }

    fn turn(&mut self, pid: Pid) {
        let (mut actions, traps) = (Vec::new(), self.traps);
        let Some(child) = self.children.get_mut(&pid) else { return };
        let mut end = None;
        if let Turn::Exit(reason) = child.process.begin_slice() {
            end = Some(reason);
        }
        while end.is_none() {
            match child.process.next_step(Time::ZERO, &mut actions) {
                Step::Init => {
                    self.trace += &format!("+{} ", child.id);
                    child.process.set_trap_exit(traps);
                    end = child.process.started(Start::Ready(Next::Wait), Time::ZERO, &mut actions);
                }
                Step::Handle { .. } => {
                    let next = std::mem::replace(&mut child.next, Next::Wait);
                    child.process.handled(Answer { reply: None, next }, Time::ZERO, &mut actions);
                }
                Step::Terminate(reason) | Step::Exit(reason) => end = Some(reason),
                _ => break,
            }
        }
        match end {
            Some(reason) => {
                if child.told {
                    self.trace += &format!("-{} ", child.id);
                }
                child.process.vanish(&reason, &mut actions);
                child.process.exit(&reason, &mut actions);
                self.children.remove(&pid);
            }
            None => {
                if child.process.end_slice() == SliceEnd::Preempted {
                    self.ready.push_back(pid);
                }
            }
        }
        self.perform(actions);
    }

    fn supervise(&mut self) {
        let mut actions = Vec::new();
        let _ = self.supervisor.begin_slice();
        while self.ended.is_none() {
            let input = match self.supervisor.next_step(Time::ZERO, &mut actions) {
                Step::Init => Some(Input::Begin),
                Step::Handle { event, .. } => {
                    let done = Answer { reply: None, next: Next::Wait };
                    self.supervisor.handled(done, Time::ZERO, &mut actions);
                    self.translate(event)
                }
                _ => break,
            };
            let mut orders = Vec::new();
            if let Some(input) = input {
                self.machine.step(input, Time::ZERO, &mut orders);
            }
            for order in orders {
                self.obey(order, &mut actions);
            }
        }
        if self.supervisor.end_slice() == SliceEnd::Preempted {
            self.ready.push_back(SUPERVISOR);
        }
        self.perform(actions);
    }

    fn translate(&mut self, event: Event) -> Option<Input<Name, ()>> {
        match event {
            Event::Started { mark, outcome } => Some(Input::Started { token: self.starts.remove(&mark)?, outcome }),
            Event::Down { target: Address::Pid(pid), reason, .. } => Some(Input::Down { pid, reason }),
            _ => None,
        }
    }

    fn obey(&mut self, order: Order<Name, ()>, actions: &mut Vec<Action>) {
        match order {
            Order::Start { token, id, .. } => self.bear(token, id, actions),
            Order::Shutdown { pid } => {
                if let Some(child) = self.children.get_mut(&pid) {
                    child.told = true;
                }
                self.signals.push_back((pid, Signal::Exit { from: SUPERVISOR, reason: ExitReason::Shutdown(None) }));
            }
            Order::Ready => {
                let end = self.supervisor.started(Start::Ready(Next::Wait), Time::ZERO, actions);
                assert_eq!(end, None);
            }
            Order::Finish { reason } => self.ended = Some(reason),
            Order::SetTimer { .. } | Order::CancelTimer { .. } | Order::Report(_) => {}
            other => panic!("nobody asked for {other:?}"),
        }
    }

    fn bear(&mut self, token: Token, id: Name, actions: &mut Vec<Action>) {
        self.pids += 1;
        let pid = Pid { node: 0, id: self.pids, tag: 3 };
        let begun = self.supervisor.begin_spawn(pid, true, Some(Address::Pid(pid)), Waiting::AsEvent);
        let (starter, monitor) = begun.expect("there is room");
        self.starts.insert(starter, token);
        let starter = Some(Caller { pid: SUPERVISOR, mark: starter });
        let birth = Birth { parent: Some(SUPERVISOR), starter, link: true, monitor, ..birth(pid, Kind::Server) };
        let process = Process::new(birth, Time::ZERO, actions);
        self.children.insert(pid, Child { id, process, next: Next::Wait, told: false });
        self.ready.push_back(pid);
    }
}
