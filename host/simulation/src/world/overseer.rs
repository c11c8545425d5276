//! A process that is a supervisor, as in `supervise.rs` of the shell: what it is told, and its orders performed.

mod book;

use skep_kernel::process::{Kind, Step, Waiting};
use skep_kernel::supervisor::{
    Input, Machine, Order, RequestError, SpecError, StartCause, Strategy, SupervisorSpec, Token,
};
use skep_kernel::{Address, Event, Next, Outcome, Signal, Start};

use super::births::{Blueprint, Born};
use super::*;
use crate::account::{Watch, Way};
use book::Book;

pub(super) type Instruction = Input<Blueprint, u64>;

/// Inputs handled in one turn at most.
const INPUTS_PER_TURN: usize = 64;

/// A supervisor.
pub(crate) struct Overseer {
    pub(super) machine: Machine<Blueprint, u64>,
    pub(super) asked: VecDeque<Instruction>,
    /// Starts under way, by the mark of the spawn.
    starts: BTreeMap<Mark, (Token, Pid)>,
    timers: BTreeMap<Mark, Alarm>,
    orders: VecDeque<Order<Blueprint, u64>>,
    inputs_left: usize,
    end: Option<ExitReason>,
    /// When its machine was last told something.
    told_at: Time,
    book: Book,
}

/// What a timer of a supervisor means.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Alarm {
    Timeout(Token),
    Retry(Token),
}

impl Overseer {
    pub(super) fn new(spec: &SupervisorSpec<Blueprint>) -> Result<Self, SpecError> {
        Ok(Overseer {
            machine: Machine::new(spec.clone())?,
            asked: VecDeque::new(),
            starts: BTreeMap::new(),
            timers: BTreeMap::new(),
            orders: VecDeque::new(),
            inputs_left: 0,
            end: None,
            told_at: Time::ZERO,
            book: Book::new(spec),
        })
    }

    pub(super) fn begin_turn(&mut self) {
        self.inputs_left = INPUTS_PER_TURN;
    }
}

impl World {
    /// One step of a supervisor: an order that is left, or what has come.
    pub(super) fn drive_overseer(&mut self, lane: usize, pid: Pid) -> Flow {
        let overseer = self.overseer(pid);
        if let Some(order) = overseer.orders.pop_front() {
            self.obey(lane, pid, order);
            return Flow::On;
        }
        if let Some(reason) = overseer.end.take() {
            return Flow::Ends(reason);
        }
        if overseer.inputs_left == 0 {
            self.cell(pid).process.stir();
            return Flow::Over;
        }
        overseer.inputs_left -= 1;
        if let Some(instruction) = overseer.asked.pop_front() {
            self.input(pid, instruction);
            return Flow::On;
        }
        let input = match self.transition(lane, pid, Process::next_step) {
            Step::Init => {
                self.check_start_order(pid);
                Some(Input::Begin)
            }
            Step::Handle { event, .. } => {
                self.sees(pid, &event);
                let input = self.translate(pid, event);
                let done = Outcome { reply: None, next: Next::Wait };
                self.transition(lane, pid, |process, now, actions| process.handled(done, now, actions));
                input
            }
            Step::Terminate(reason) => {
                if let Some(parent) = self.cell(pid).parent {
                    let seen = self.sees_exit(pid, parent, &reason);
                    self.check(pid, seen);
                }
                Some(Input::Stop { reason })
            }
            Step::Exit(reason) => return Flow::Ends(reason),
            Step::Wait | Step::Save | Step::Migrate | Step::Discard | Step::GetState(_) | Step::ReplaceState(_) => {
                return Flow::Over;
            }
        };
        if let Some(input) = input {
            self.input(pid, input);
        }
        Flow::On
    }

    fn translate(&mut self, pid: Pid, event: Event) -> Option<Instruction> {
        let overseer = self.overseer(pid);
        match event {
            Event::Started { mark, outcome } => {
                let (token, _) = overseer.starts.remove(&mark)?;
                Some(Input::Started { token, outcome })
            }
            Event::Down { target: Address::Pid(pid), reason, .. } => Some(Input::Down { pid, reason }),
            Event::Timer { mark, .. } => Some(match overseer.timers.remove(&mark)? {
                Alarm::Timeout(token) => Input::Timeout { token },
                Alarm::Retry(token) => Input::Retry { token },
            }),
            _ => None,
        }
    }

    fn input(&mut self, pid: Pid, input: Instruction) {
        // A clock that runs ahead by ten seconds with each restart.
        let ahead =
            if self.suffers(Bug::ForgetRestarts) { self.overseer(pid).machine.restarts_total() * 10 } else { 0 };
        let now = self.now + Duration::from_secs(ahead);
        self.note(|world| format!("{} is told {}", world.name_of(pid), brief(&format!("{input:?}"))));
        let labels: BTreeMap<Pid, Name> = match &input {
            Input::TerminatePid { .. } => self.children(pid).into_iter().map(|(label, child)| (child, label)).collect(),
            _ => BTreeMap::new(),
        };
        let label = |child: &Pid| labels.get(child).cloned();
        let told_at = self.now;
        let overseer = self.overseer(pid);
        overseer.told_at = told_at;
        if let Input::TerminatePid { pid: child, ask } = &input
            && let Some(id) = label(child)
        {
            overseer.book.terminated.insert(Arc::clone(&id));
            overseer.book.terminations.insert(*ask, id);
        }
        if let Input::TerminateChild { id, ask } = &input {
            overseer.book.terminated.insert(Arc::clone(id));
            overseer.book.terminations.insert(*ask, Arc::clone(id));
        }
        let mut orders = Vec::new();
        overseer.machine.step(input, now, &mut orders);
        overseer.orders.extend(orders);
    }

    /// Performs one order.
    fn obey(&mut self, lane: usize, pid: Pid, order: Order<Blueprint, u64>) {
        self.note(|world| format!("{} orders {}", world.name_of(pid), brief(&format!("{order:?}"))));
        match order {
            Order::Start { token, id, start, cause, .. } => self.start_child(lane, pid, token, id, start, cause),
            Order::CancelStart { token } => {
                let birth = self.overseer(pid).starts.values().find(|(known, _)| *known == token).copied();
                let Some((_, child)) = birth else { return };
                let signal = match self.cells.get(&child.id).filter(|cell| cell.listed).map(|cell| &cell.content) {
                    Some(Content::Overseer(_)) => Signal::Exit { from: pid, reason: ExitReason::Shutdown(None) },
                    Some(_) => Signal::Kill,
                    None => return,
                };
                let _ = self.hand_over(lane, child, signal);
            }
            Order::Shutdown { pid: child } => {
                let child = if self.strikes(Bug::StopFirst) { self.first_child(pid).unwrap_or(child) } else { child };
                self.check_stop_order(pid, child);
                let _ = self.hand_over(lane, child, Signal::Exit { from: pid, reason: ExitReason::Shutdown(None) });
            }
            Order::Kill { pid: child } => {
                self.check_stop_order(pid, child);
                let _ = self.hand_over(lane, child, Signal::Kill);
            }
            Order::SetTimer { token, at } => self.set_alarm(lane, pid, Alarm::Timeout(token), at),
            Order::Retry { token } => self.set_alarm(lane, pid, Alarm::Retry(token), self.now),
            Order::CancelTimer { token } => {
                let overseer = self.overseer(pid);
                let mark =
                    overseer.timers.iter().find(|(_, set)| **set == Alarm::Timeout(token)).map(|(mark, _)| *mark);
                if let Some(mark) = mark {
                    overseer.timers.remove(&mark);
                    let left =
                        self.transition(lane, pid, |process, now, actions| process.cancel_timer(mark, now, actions));
                    if left.is_some() {
                        self.cell(pid).account.timers.remove(&mark);
                    }
                }
            }
            Order::Ready => {
                self.cell(pid).ready = true;
                let start = Start::Ready(Next::Wait);
                let _ = self.transition(lane, pid, |process, now, actions| process.started(start, now, actions));
            }
            Order::Failed { reason } | Order::Finish { reason } => {
                self.check_nobody_is_left(pid);
                self.overseer(pid).end = Some(reason);
            }
            Order::Reply { ask, result } => {
                self.replied(pid, ask, result.is_ok(), matches!(result, Err(RequestError::Stopping)));
                if self.strikes(Bug::DoubleReply) {
                    self.replied(pid, ask, result.is_ok(), false);
                }
            }
            Order::Report(report) => self.reported(pid, &report),
        }
    }

    fn start_child(&mut self, lane: usize, pid: Pid, token: Token, id: Name, start: Blueprint, cause: StartCause) {
        let child = self.new_pid();
        let begun = self.cell(pid).process.begin_spawn(child, true, Some(Address::Pid(child)), Waiting::AsEvent);
        let Ok((starter, monitor)) = begun else { return };
        let account = &mut self.cell(pid).account;
        account.spawns.insert(starter, monitor);
        if let Some(mark) = monitor {
            account.monitors.insert(mark, Watch { target: Some(child), way: Way::Open, result: false });
        }
        let overseer = self.overseer(pid);
        overseer.starts.insert(starter, (token, child));
        let in_turn = match cause {
            StartCause::Init => true,
            StartCause::Restart => overseer.book.strategy != Strategy::OneForOne,
            StartCause::Request => false,
        };
        if let Some(sibling) = self.starting_sibling(pid, &id)
            && in_turn
        {
            self.violated(Invariant::StartOrder, format!("{id} is started while {sibling} starts"));
        }
        let born =
            Born { pid: child, blueprint: start, label: Some(id), parent: pid, starter, link: true, monitor, in_turn };
        self.bear(lane, born);
        if self.is_alive(child) && self.strikes(Bug::StartEarly) {
            let _ = self.hand_over(lane, pid, Signal::Started { mark: starter, outcome: Ok(child) });
        }
    }

    fn set_alarm(&mut self, lane: usize, pid: Pid, alarm: Alarm, at: Time) {
        let nothing = Body::Raw(Vec::new());
        let mark = self.transition(lane, pid, |process, _, actions| process.start_timer(at, None, nothing, actions));
        if let Ok(mark) = mark {
            self.overseer(pid).timers.insert(mark, alarm);
            let timer = crate::account::Timer { at, own: true, way: Way::Open };
            self.cell(pid).account.timers.insert(mark, timer);
        }
    }

    /// A supervisor is asked for something.
    pub(super) fn instruct(&mut self, pid: Pid, ask: u64, instruction: Instruction) {
        let overseer = self.overseer(pid);
        let replacement = match &instruction {
            Input::Replace { spec, .. } => Some(Arc::new(spec.clone())),
            _ => None,
        };
        overseer.book.open.insert(ask, replacement);
        overseer.asked.push_back(instruction);
        if self.cell(pid).process.stir() {
            self.schedule(pid);
        }
    }

    /// Whether a process that is orphaned may go on for a while.
    pub(super) fn is_native(&self, pid: Pid) -> bool {
        self.cells.get(&pid.id).is_some_and(|cell| cell.process.kind() == Kind::Native)
    }
}

/// The beginning of a long line.
fn brief(text: &str) -> String {
    text.chars().take(160).collect()
}
