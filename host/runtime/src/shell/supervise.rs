//! A process that is a supervisor: hands the kernel's machine what happens, and performs its orders.
//!
//! A supervisor is a process like any other, with links, a monitor on each child and timers, but it has no guest: its
//! turns are spent here. It never waits; what takes time comes back as an event.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;
use skep_kernel::process::{Step, Waiting};
use skep_kernel::supervisor::{
    Answer, ChildView, Input, Order, Report as Told, RequestError, SpecError, Supervisor, SupervisorSpec, Token,
};
use skep_kernel::{
    Address, Body, Event, ExitReason, Mark, Name, Next, Outcome, Pid, Process, Signal, SpawnError, Start,
};
use tokio::sync::oneshot;

use super::incidents::{Crashes, Manner};
use super::worker::Slice;
use super::{Birthplace, Cell, Content, Shell};
use crate::RuntimeError;
use crate::observe::{Decision, Level, Report};
use crate::spec::Blueprint;

/// Whoever asked a supervisor something.
pub(crate) type Ask = oneshot::Sender<Result<Answer, RequestError>>;

/// Something for a supervisor's machine.
pub(crate) type Instruction = Input<Blueprint, Ask>;

/// Inputs handled in one turn at most, so that a large tree that falls down lets others run too.
const INPUTS_PER_TURN: usize = 64;

/// A supervisor.
pub(crate) struct Overseer {
    /// Locked by the worker whose turn it is, and for a moment by whoever lists the children.
    inner: Mutex<Inner>,
    /// What operators and embedding programs ask for.
    asked: Mutex<VecDeque<Instruction>>,
    /// Crashes of children, until it is decided what becomes of them.
    pub(super) crashes: Crashes,
}

struct Inner {
    machine: Supervisor<Blueprint, Ask>,
    /// Starts under way, by the mark of the spawn.
    starts: HashMap<Mark, Birth>,
    timers: HashMap<Mark, Alarm>,
    /// Of whose end the event tells that is handled now.
    ended: Option<Pid>,
}

/// A child being started.
struct Birth {
    token: Token,
    id: Name,
    pid: Pid,
}

/// What a timer of this supervisor means.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Alarm {
    Timeout(Token),
    /// Set for at once: it arrives behind everything that is here already.
    Retry(Token),
}

impl Overseer {
    pub(crate) fn new(spec: &SupervisorSpec<Blueprint>) -> Result<Self, SpecError> {
        let machine = Supervisor::new(spec.clone())?;
        let inner = Inner { machine, starts: HashMap::new(), timers: HashMap::new(), ended: None };
        Ok(Overseer { inner: Mutex::new(inner), asked: Mutex::default(), crashes: Crashes::default() })
    }

    /// The children in start order, each with what its next start is made from.
    pub(crate) fn children(&self) -> Vec<(ChildView, Blueprint)> {
        let inner = self.inner.lock();
        let blueprints = inner.machine.specs().map(|child| child.start.clone());
        inner.machine.view().into_iter().zip(blueprints).collect()
    }

    /// The process of a child, also if it is still being started.
    pub(crate) fn process_of(&self, id: &str) -> Option<Pid> {
        let inner = self.inner.lock();
        let running = inner.machine.status(id)?.pid();
        running.or_else(|| inner.starts.values().find(|birth| &*birth.id == id).map(|birth| birth.pid))
    }

    /// One turn.
    pub(super) fn slice(&self, shell: &Arc<Shell>, cell: &Arc<Cell>) -> Slice {
        let mut inner = self.inner.lock();
        for _ in 0..INPUTS_PER_TURN {
            let input = match self.next_input(&mut inner, cell) {
                Heard::Input(input) => *input,
                Heard::Nothing => continue,
                Heard::Silence => return Slice::Over,
                Heard::Exit(reason) => return Slice::Ended { reason, manner: Manner::InOrder },
            };
            let mut orders = Vec::new();
            inner.machine.step(input, shell.now(), &mut orders);
            let crash = inner.ended.take().and_then(|pid| self.crashes.take(pid));
            let is_reported = crash.is_some();
            if let Some(crash) = crash {
                shell.observer.report(crash.decided(decision(&orders)));
            }
            // Once for each crash, not once for each layer above it.
            orders.retain(|order| !is_reported || !matches!(order, Order::Report(Told::StartFailed { .. })));
            orders.retain(|order| !inner.is_of_a_layer_below(order));
            let mut end = None;
            for order in orders {
                end = inner.obey(order, shell, cell).or(end);
            }
            if let Some(reason) = end {
                // Not a crash of its own: whatever it ends of has been reported by whoever crashed.
                return Slice::Ended { manner: Manner::InOrder, reason };
            }
        }
        cell.process.lock().stir();
        Slice::Over
    }

    fn next_input(&self, inner: &mut Inner, cell: &Cell) -> Heard {
        if let Some(instruction) = self.asked.lock().pop_front() {
            return Heard::Input(Box::new(instruction));
        }
        let input = match cell.transition(Process::next_step) {
            Step::Init => Some(Input::Begin),
            Step::Handle { event, .. } => {
                let input = inner.translate(event);
                let done = Outcome { reply: None, next: Next::Wait };
                cell.transition(|process, now, actions| process.handled(done, now, actions));
                input
            }
            Step::Terminate(reason) => Some(Input::Stop { reason }),
            Step::Wait | Step::Save | Step::Migrate | Step::GetState(_) | Step::ReplaceState(_) | Step::Discard => {
                return Heard::Silence;
            }
            Step::Exit(reason) => return Heard::Exit(reason),
        };
        input.map_or(Heard::Nothing, |input| Heard::Input(Box::new(input)))
    }
}

/// What a supervisor finds when it looks for something to do.
enum Heard {
    Input(Box<Instruction>),
    /// Something that is not for it.
    Nothing,
    /// Nothing at all.
    Silence,
    /// It was killed.
    Exit(ExitReason),
}

impl Inner {
    /// Whether this is a start that failed because a supervisor's did, which has told why itself.
    fn is_of_a_layer_below(&self, order: &Order<Blueprint, Ask>) -> bool {
        let Order::Report(Told::StartFailed { child, error: SpawnError::Failed(_) }) = order else { return false };
        let mut specs = self.machine.specs();
        specs.any(|spec| spec.id == *child && matches!(spec.start, Blueprint::Supervisor(_)))
    }

    /// What an event means to the machine. Whatever a stranger sends means nothing.
    fn translate(&mut self, event: Event) -> Option<Instruction> {
        match event {
            Event::Started { mark, outcome } => {
                let Birth { token, pid, .. } = self.starts.remove(&mark)?;
                self.ended = outcome.is_err().then_some(pid);
                Some(Input::Started { token, outcome })
            }
            Event::Down { target: Address::Pid(pid), reason, .. } => {
                self.ended = Some(pid);
                Some(Input::Down { pid, reason })
            }
            Event::Timer { mark, .. } => Some(match self.timers.remove(&mark)? {
                Alarm::Timeout(token) => Input::Timeout { token },
                Alarm::Retry(token) => Input::Retry { token },
            }),
            _ => None,
        }
    }

    /// Performs one order. A reason means that the supervisor itself ends.
    fn obey(&mut self, order: Order<Blueprint, Ask>, shell: &Arc<Shell>, cell: &Arc<Cell>) -> Option<ExitReason> {
        let from = cell.pid;
        match order {
            Order::Start { token, id, start, .. } => self.start(token, id, &start, shell, cell),
            Order::CancelStart { token } => self.cancel_start(token, shell, from),
            Order::Shutdown { pid } => {
                let _ = shell.deliver(pid, Signal::Exit { from, reason: ExitReason::Shutdown(None) });
            }
            Order::Kill { pid } => {
                let _ = shell.deliver(pid, Signal::Kill);
            }
            Order::SetTimer { token, at } => self.set_timer(Alarm::Timeout(token), at, cell),
            Order::Retry { token } => self.set_timer(Alarm::Retry(token), shell.now(), cell),
            Order::CancelTimer { token } => {
                if let Some(mark) = self.mark_of(Alarm::Timeout(token)) {
                    self.timers.remove(&mark);
                    cell.transition(|process, now, actions| process.cancel_timer(mark, now, actions));
                }
            }
            Order::Ready => {
                let end =
                    cell.transition(|process, now, actions| process.started(Start::Ready(Next::Wait), now, actions));
                debug_assert!(end.is_none());
            }
            Order::Failed { reason } | Order::Finish { reason } => return Some(reason),
            // Who asked may have stopped waiting.
            Order::Reply { ask, result } => drop(ask.send(result)),
            Order::Report(told) => tell(told, cell),
        }
        None
    }

    fn start(&mut self, token: Token, id: Name, start: &Blueprint, shell: &Arc<Shell>, cell: &Arc<Cell>) {
        let pid = shell.table.new_pid();
        let begun = cell.process.lock().begin_spawn(pid, true, Some(Address::Pid(pid)), Waiting::AsEvent);
        // The host's own tables have no bounds, so this is never refused.
        let Ok((starter, monitor)) = begun else { return };
        self.starts.insert(starter, Birth { token, id: Arc::clone(&id), pid });
        let place = Birthplace {
            pid,
            app: Arc::clone(&cell.app),
            label: Some(id),
            parent: cell.pid,
            starter,
            link: true,
            monitor,
        };
        shell.spawn(place, start);
    }

    /// A worker half-started is killed; a supervisor is told to stop, for the sake of its children.
    fn cancel_start(&self, token: Token, shell: &Shell, from: Pid) {
        let Some(birth) = self.starts.values().find(|birth| birth.token == token) else { return };
        let Some(child) = shell.table.get(birth.pid) else { return };
        let signal = match child.content {
            Content::Supervisor(_) => Signal::Exit { from, reason: ExitReason::Shutdown(None) },
            Content::Guest(_) | Content::Client(_) => Signal::Kill,
        };
        let _ = shell.deliver(birth.pid, signal);
    }

    fn set_timer(&mut self, alarm: Alarm, at: skep_kernel::Time, cell: &Cell) {
        let mark = cell.transition(|process, _, actions| process.start_timer(at, None, Body::Raw(Vec::new()), actions));
        if let Ok(mark) = mark {
            self.timers.insert(mark, alarm);
        }
    }

    fn mark_of(&self, alarm: Alarm) -> Option<Mark> {
        self.timers.iter().find(|(_, set)| **set == alarm).map(|(mark, _)| *mark)
    }
}

/// What the machine makes of the end of a child that crashed.
fn decision(orders: &[Order<Blueprint, Ask>]) -> Decision {
    let of = |order: &Order<Blueprint, Ask>| match order {
        Order::Report(Told::GaveUp { .. }) => Some(Decision::GaveUp),
        Order::Report(Told::Restarting { total, .. }) => Some(Decision::Restarting { restarts: *total }),
        Order::Failed { .. } | Order::Report(Told::StartFailed { .. }) => Some(Decision::NotStarted),
        _ => None,
    };
    // A restart that fails is one that was not started, and is tried again all the same: that is what matters.
    let decisions = || orders.iter().filter_map(of);
    decisions()
        .find(|decision| *decision != Decision::NotStarted)
        .or_else(|| decisions().next())
        .unwrap_or(Decision::NotRestarted)
}

/// What of the machine's reports is for the operator. A child's crash was reported by the child itself.
fn tell(told: Told, cell: &Cell) {
    let supervisor = cell.subject();
    match told {
        Told::Restarting { child, total } => {
            cell.report(Report::Restart { supervisor, child, restarts: total });
        }
        Told::GaveUp { child } => cell.report(Report::GaveUp { supervisor, child }),
        Told::StartFailed { child, error } => {
            cell.log(Level::Error, format!("child {child} did not start: {error}"));
        }
        Told::StopFailed { child, reason, .. } => {
            cell.log(Level::Warn, format!("child {child} did not stop in order: {reason}"));
        }
        Told::Ended { .. } => {}
    }
}

impl Shell {
    /// Hands a supervisor an instruction. The answer comes through its [`Ask`].
    fn instruct(&self, cell: &Arc<Cell>, overseer: &Overseer, instruction: Instruction) {
        overseer.asked.lock().push_back(instruction);
        if cell.process.lock().stir() {
            self.schedule(Arc::clone(cell));
        }
    }

    /// Asks a supervisor for something, and waits for the answer.
    pub(crate) async fn ask(
        &self,
        supervisor: Pid,
        request: impl FnOnce(Ask) -> Instruction,
    ) -> Result<Answer, RuntimeError> {
        let answer = {
            let cell = self.table.get(supervisor).ok_or(RuntimeError::NoSuchSupervisor(supervisor))?;
            let Content::Supervisor(overseer) = &cell.content else {
                return Err(RuntimeError::NoSuchSupervisor(supervisor));
            };
            let (ask, answer) = oneshot::channel();
            self.instruct(&cell, overseer, request(ask));
            // With the last hold on the process its end is noticed, so none is kept here.
            answer
        };
        answer.await.map_err(|_| RuntimeError::SupervisorEnded)?.map_err(RuntimeError::Refused)
    }
}
