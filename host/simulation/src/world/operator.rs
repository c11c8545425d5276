//! Whoever is outside: starts the tree, sends, kills, asks supervisors, upgrades, and stops everything in the end.

use skep_kernel::process::{Birth, Kind, Step, Waiting};
use skep_kernel::supervisor::{
    AutoShutdown, Backoff, ChildSpec, Input, Restart, Roster, Shutdown, Strategy, SupervisorSpec,
};
use skep_kernel::{Address, Event, Next, Outcome, Signal, Start};

use super::births::{Blueprint, native_limits};
use super::*;
use crate::account::{Watch, Way};

/// The process outside, and what it is up to.
#[derive(Default)]
pub(super) struct Operator {
    pid: Option<Pid>,
    pub(super) root: Option<Pid>,
    pub(super) is_woken: bool,
    /// It waits until nobody has anything to do.
    pub(super) rests: bool,
    /// What it does before the end.
    left: usize,
    requests: u64,
    told_to_stop: bool,
}

impl Operator {
    pub(super) fn is(&self, pid: Pid) -> bool {
        self.pid == Some(pid)
    }
}

impl World {
    /// The operator comes, and starts a tree.
    pub(crate) fn populate(&mut self, left: usize) {
        let lane = self.lanes.len() - 1;
        let pid = self.new_pid();
        let birth = Birth::without_parent(pid, Kind::Native, native_limits(), [pid.tag, self.plan.seed]);
        let mut actions = Vec::new();
        let process = Process::new(birth, self.now, &mut actions);
        let cell = Cell {
            pid,
            process,
            content: Content::Operator,
            account: Account { traps: true, ..Account::default() },
            listed: true,
            on_worker: false,
            parent: None,
            label: None,
            ready: true,
            in_turn: false,
            limits: native_limits(),
        };
        self.cells.insert(pid.id, cell);
        self.operator.pid = Some(pid);
        self.operator.left = left;
        let _ = self.transition(lane, pid, |process, now, actions| {
            let _ = process.begin_slice();
            let _ = process.next_step(now, actions);
            let ended = process.started(Start::Ready(Next::Wait), now, actions);
            let _ = process.end_slice();
            ended
        });
        let spec = self.supervisor_spec(0);
        self.start_root(lane, pid, Blueprint::Supervisor(Arc::new(spec)));
    }

    fn start_root(&mut self, lane: usize, pid: Pid, blueprint: Blueprint) {
        let root = self.new_pid();
        let begun = self.cell(pid).process.begin_spawn(root, true, Some(Address::Pid(root)), Waiting::AsEvent);
        let Ok((starter, monitor)) = begun else { return };
        let account = &mut self.cell(pid).account;
        account.spawns.insert(starter, monitor);
        if let Some(mark) = monitor {
            account.monitors.insert(mark, Watch { target: Some(root), way: Way::Open, result: false });
        }
        self.operator.root = Some(root);
        let born =
            Born { pid: root, blueprint, label: None, parent: pid, starter, link: true, monitor, in_turn: false };
        self.lanes[lane].duties.push_back(Duty::Birth(Box::new(born)));
    }

    /// A supervisor with children, by chance.
    fn supervisor_spec(&mut self, depth: usize) -> SupervisorSpec<Blueprint> {
        let count = if depth == 0 { 1 + self.dice.below(5) } else { self.dice.below(5) };
        if depth > 0 && self.dice.one_in(5) {
            return SupervisorSpec {
                roster: Roster::Dynamic { extra_args: None },
                max_children: self.dice.pick(&[2, 100]),
                max_restarts: self.dice.pick(&[1, 3, 8]),
                ..SupervisorSpec::default()
            };
        }
        let mut children: Vec<ChildSpec<Blueprint>> =
            (0..count).map(|place| self.child_spec(format!("c{depth}{place}").into(), depth)).collect();
        let auto_shutdown = match self.dice.below(4) {
            0 => AutoShutdown::AnySignificant,
            1 => AutoShutdown::AllSignificant,
            _ => AutoShutdown::Never,
        };
        for child in &mut children {
            let may_be = auto_shutdown != AutoShutdown::Never && child.restart != Restart::Permanent;
            child.significant = may_be && self.dice.one_in(2);
        }
        SupervisorSpec {
            auto_shutdown,
            backoff: self
                .dice
                .one_in(4)
                .then_some(Backoff { first: Duration::from_millis(5), most: Duration::from_millis(40) }),
            strategy: self.dice.pick(&[Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne]),
            max_restarts: self.dice.pick(&[1, 3, 8, 40]),
            max_seconds: self.dice.pick(&[1, 2, 5]),
            ..SupervisorSpec::new(children)
        }
    }

    fn child_spec(&mut self, id: Name, depth: usize) -> ChildSpec<Blueprint> {
        let is_supervisor = depth < 2 && self.dice.one_in(3);
        let mut spec = if is_supervisor {
            let spec = self.supervisor_spec(depth + 1);
            ChildSpec::supervisor(id, Blueprint::Supervisor(Arc::new(spec)))
        } else {
            let spec = self.guest_spec();
            ChildSpec::worker(id, Blueprint::Guest(Arc::new(spec)))
        };
        spec.restart =
            self.dice.pick(&[Restart::Permanent, Restart::Permanent, Restart::Transient, Restart::Temporary]);
        spec.shutdown = match self.dice.below(4) {
            0 => Shutdown::BrutalKill,
            1 => Shutdown::Infinity,
            _ => Shutdown::Timeout(Duration::from_millis(self.dice.between(0, 100))),
        };
        spec
    }

    pub(super) fn operator_can_go_on(&self) -> bool {
        self.operator.is_woken || !self.operator.rests && !self.winding_down
    }

    /// One thing that the operator does.
    pub(super) fn operate(&mut self, lane: usize) {
        let Some(pid) = self.operator.pid else { return };
        if std::mem::take(&mut self.operator.is_woken) {
            return self.read_mail(lane, pid);
        }
        if self.operator.left == 0 {
            self.operator.rests = true;
            return;
        }
        self.operator.left -= 1;
        if self.operator.root.is_none() {
            let spec = self.supervisor_spec(0);
            return self.start_root(lane, pid, Blueprint::Supervisor(Arc::new(spec)));
        }
        self.operator.rests = self.dice.one_in(3);
        let Some(whom) = self.somebody() else { return };
        let number = self.number();
        match self.dice.below(23) {
            0..=6 => self.send_some(lane, pid, whom),
            7 | 8 if self.has(Feature::Kills) => {
                let _ = self.hand_over(lane, whom, Signal::Kill);
            }
            9 | 10 if self.has(Feature::Exits) => {
                let reason = ExitReason::Custom(Arc::new(body('x', pid.id, number)));
                let _ = self.hand_over(lane, whom, Signal::Exit { from: pid, reason });
            }
            11 | 12 if self.has(Feature::Hibernation) => self.evict(lane, whom),
            13 | 14 if self.has(Feature::Upgrades) => self.begin_upgrade(),
            15 if self.has(Feature::Upgrades) => {
                if let Some(coordinator) = &mut self.coordinator {
                    coordinator.cancel();
                }
            }
            20..=22 if self.has(Feature::System) => self.ask_by_system_message(lane, whom),
            16..=19 if self.has(Feature::Requests) => self.ask(),
            _ => {}
        }
    }

    fn send_some(&mut self, lane: usize, pid: Pid, whom: Pid) {
        for _ in 0..self.dice.between(1, 6) {
            let body = body('m', pid.id, self.number());
            let event = if self.dice.one_in(2) { Event::Info(body) } else { Event::Cast(body) };
            let _ = self.hand_over(lane, whom, Signal::Message(event));
        }
    }

    /// A process other than the operator; supervisors more seldom.
    fn somebody(&mut self) -> Option<Pid> {
        let all: Pids = self.cells.values().filter(|cell| cell.parent.is_some()).map(|cell| cell.pid).collect();
        if all.is_empty() {
            return None;
        }
        let first = self.dice.pick(&all);
        let is_root = Some(first) == self.operator.root;
        if (self.is_native(first) && !self.dice.one_in(3)) || (is_root && !self.dice.one_in(4)) {
            return Some(self.dice.pick(&all)).filter(|pid| !self.is_native(*pid));
        }
        Some(first)
    }

    /// Asks some supervisor for something.
    fn ask(&mut self) {
        let supervisors: Pids = self
            .cells
            .values()
            .filter(|cell| matches!(cell.content, Content::Overseer(_)) && !cell.process.is_gone() && cell.listed)
            .map(|cell| cell.pid)
            .collect();
        if supervisors.is_empty() {
            return;
        }
        let pid = self.dice.pick(&supervisors);
        let ids: Vec<Name> = self.overseer(pid).machine.view().into_iter().map(|child| child.id).collect();
        let id = if ids.is_empty() { "nobody".into() } else { self.dice.pick(&ids) };
        self.operator.requests += 1;
        let ask = self.operator.requests;
        let instruction = match self.dice.below(12) {
            0..=2 if self.cells.len() < 40 => {
                let id = if self.dice.one_in(3) { id } else { format!("x{ask}").into() };
                Input::StartChild { spec: self.child_spec(id, 1), ask }
            }
            3..=5 => Input::TerminateChild { id, ask },
            6 | 7 => Input::RestartChild { id, ask },
            8 => Input::DeleteChild { id, ask },
            9 => match self.overseer(pid).machine.view().iter().find_map(|child| child.status.pid()) {
                Some(pid) => Input::TerminatePid { pid, ask },
                None => Input::WhichChildren { ask },
            },
            10 => Input::CountChildren { ask },
            _ => Input::Replace { spec: self.supervisor_spec(1), ask },
        };
        self.instruct(pid, ask, instruction);
    }

    fn read_mail(&mut self, lane: usize, pid: Pid) {
        let step = self.transition(lane, pid, |process, now, actions| {
            let _ = process.begin_slice();
            let step = process.next_step(now, actions);
            if let Step::Handle { .. } = &step {
                process.handled(Outcome { reply: None, next: Next::Wait }, now, actions);
            }
            let _ = process.end_slice();
            step
        });
        if let Step::Handle { event, .. } = step {
            self.operator.is_woken = true;
            self.sees(pid, &event);
            let root = self.operator.root;
            match event {
                Event::Started { outcome: Err(_), .. } => self.operator.root = None,
                Event::Down { target, .. } if target.pid() == root => self.operator.root = None,
                _ => {}
            }
        }
    }

    /// Whether the operator has nothing left to do but to stop.
    pub(crate) fn is_done(&self) -> bool {
        self.operator.left == 0
    }

    /// Nobody has anything to do: the operator goes on.
    pub(crate) fn end_rest(&mut self) {
        self.operator.rests = false;
    }

    pub(crate) fn rests(&self) -> bool {
        self.operator.rests && self.operator.left > 0
    }

    /// Nothing new is begun any more.
    pub(crate) fn wind_down(&mut self) {
        self.winding_down = true;
        if let Some(coordinator) = &mut self.coordinator {
            coordinator.cancel();
        }
    }

    /// The tree is told to stop, as soon as there is one, once.
    pub(crate) fn stop_the_tree(&mut self) {
        let (Some(root), Some(pid), false) = (self.operator.root, self.operator.pid, self.operator.told_to_stop) else {
            return;
        };
        if !self.is_alive(root) {
            return;
        }
        self.release_everybody(self.lanes.len() - 1);
        self.note(|_| "the tree is told to stop".into());
        self.operator.told_to_stop = true;
        let signal = Signal::Exit { from: pid, reason: ExitReason::Shutdown(None) };
        let _ = self.hand_over(self.lanes.len() - 1, root, signal);
    }

    /// Whoever is still here and no supervisor is killed. False if there is nobody.
    pub(crate) fn kill_the_rest(&mut self) -> bool {
        let lane = self.lanes.len() - 1;
        self.release_everybody(lane);
        let rest: Pids =
            self.cells.values().filter(|cell| matches!(cell.content, Content::Guest(_))).map(|cell| cell.pid).collect();
        for pid in &rest {
            let _ = self.hand_over(lane, *pid, Signal::Kill);
        }
        !rest.is_empty()
    }

    fn work_off(&mut self, lane: usize) {
        while let Some(duty) = self.lanes[lane].duties.pop_front() {
            self.perform(lane, duty);
        }
    }

    /// The operator goes, after all others.
    pub(crate) fn leave_the_node(&mut self) {
        let lane = self.lanes.len() - 1;
        if let Some(pid) = self.operator.pid.take() {
            self.finish(lane, pid, &ExitReason::Normal);
            self.work_off(lane);
            self.farewell(lane, pid, &ExitReason::Normal);
            self.work_off(lane);
            self.buried(pid);
        }
    }
}
