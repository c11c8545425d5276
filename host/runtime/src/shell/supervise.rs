//! A process that is a supervisor: hands the kernel's machine what happens, and performs its orders.
//!
//! A supervisor is a process like any other, with links, a monitor on each child and timers, but it has no guest: its
//! turns are spent here. It never waits; what takes time comes back as an event. `asking` is what it is asked, `telling`
//! what becomes known of its decisions.

mod asking;
mod telling;

pub(crate) use asking::{Ask, By};

use std::collections::{HashMap, VecDeque};
use std::ops::ControlFlow;
use std::sync::Arc;

use parking_lot::Mutex;
use skep_kernel::budget::{Budget, BudgetSpec};
use skep_kernel::mailbox::Number;
use skep_kernel::process::{Monitoring, Step, Waiting};
use skep_kernel::supervisor::{
    ChildView, Input, Machine, Order, Report as Told, Roster, RouteError, SupervisorSpec, Token,
};
use skep_kernel::{
    Address, Body, Event, ExitReason, Mark, Name, Next, Outcome, Pid, Process, Refusal, Signal, SpawnError, Start, Time,
};

use super::allowance::{Allowance, Held};
use super::arguments::joined;
use super::incidents::{Crashes, Manner};
use super::worker::Ended;
use super::{Awaited, Birthplace, Cell, Content, Shell};
use crate::spec::Blueprint;
use asking::prepended;
use telling::tell;

/// Something for a supervisor's machine.
pub(crate) type Instruction = Input<Blueprint, Ask>;

/// Inputs handled in one turn at most, so that a large tree that falls down lets others run too.
const INPUTS_PER_TURN: usize = 64;

/// The guest that a supervisor belongs to: it may ask it for anything, and the supervisor ends with it.
#[derive(Clone, Debug)]
pub(crate) struct Owner {
    pub(crate) pid: Pid,
    /// What all supervisors of this guest may hold.
    pub(crate) allowance: Arc<Allowance>,
}

/// A supervisor.
pub(crate) struct Overseer {
    owner: Option<Owner>,
    /// What is above its children: a budget of its own, or the nearest one above itself.
    budget: Mutex<Arc<Budget>>,
    /// Whether its owner started it, and not one of the owner's supervisors.
    watches_owner: bool,
    /// What guests may let it hold.
    allowance: Arc<Allowance>,
    /// Its place among the supervisors of its owner.
    _permit: Option<Held>,
    /// Locked by the worker whose turn it is, and for a moment by whoever lists the children.
    inner: Mutex<Inner>,
    /// What operators and embedding programs ask for.
    /// With the number of the next event then: what had come before comes first, since whoever asks may have heard of it.
    asked: Mutex<VecDeque<(Number, Instruction)>>,
    /// Crashes of children, until it is decided what becomes of them.
    pub(super) crashes: Crashes,
}

struct Inner {
    machine: Machine<Blueprint, Ask>,
    /// Starts under way, by the mark of the spawn.
    starts: HashMap<Mark, Birth>,
    timers: HashMap<Mark, Alarm>,
    /// What a token of the machine stands for: a start or a timer. There may be as many as there are children.
    marks: HashMap<Token, Mark>,
    owner: Option<Owner>,
    /// Of whose end the event tells that is handled now.
    ended: Option<Pid>,
    /// The bounds that its budget has.
    bounds: BudgetSpec,
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
    pub(crate) fn new(spec: &SupervisorSpec<Blueprint>, place: &Birthplace, now: Time) -> Result<Self, Refusal> {
        let machine = Machine::new(spec.clone()).map_err(|why| Refusal::Invalid(why.to_string()))?;
        let owner = place.owner.clone();
        let permit = owner.as_ref().map(|owner| owner.allowance.supervisor()).transpose()?;
        let inner = Inner {
            machine,
            starts: HashMap::new(),
            timers: HashMap::new(),
            marks: HashMap::new(),
            owner: owner.clone(),
            ended: None,
            bounds: BudgetSpec::clone(&spec.budget),
        };
        let budget = match spec.budget.is_unbounded() {
            true => Arc::clone(&place.budget),
            false => own_budget(place.label.as_ref(), &place.budget, &spec.budget, now),
        };
        Ok(Overseer {
            budget: Mutex::new(budget),
            watches_owner: owner.as_ref().is_some_and(|owner| owner.pid == place.parent),
            allowance: owner.as_ref().map_or_else(Allowance::of_declared, |owner| Arc::clone(&owner.allowance)),
            owner,
            _permit: permit,
            inner: Mutex::new(inner),
            asked: Mutex::default(),
            crashes: Crashes::default(),
        })
    }

    /// Takes over other bounds, if its machine has been given some. Where it had no budget, those count in it who start from
    /// now on.
    fn follow_bounds(&self, inner: &mut Inner, shell: &Shell, cell: &Cell) {
        if *inner.machine.budget() == inner.bounds {
            return;
        }
        let had_one = !inner.bounds.is_unbounded() || !Arc::ptr_eq(&self.budget.lock(), &cell.budget);
        inner.bounds = inner.machine.budget().clone();
        if had_one {
            self.budget.lock().set(&inner.bounds, shell.now());
        } else {
            *self.budget.lock() = own_budget(cell.label.as_ref(), &cell.budget, &inner.bounds, shell.now());
        }
        shell.budgets_changed();
    }

    /// The budget that is its own, if it has one.
    pub(crate) fn own_budget(&self, cell: &Cell) -> Option<Arc<Budget>> {
        Some(Arc::clone(&self.budget.lock())).filter(|budget| !Arc::ptr_eq(budget, &cell.budget))
    }

    /// Whether it belongs to this guest.
    pub(crate) fn belongs_to(&self, pid: Pid) -> bool {
        self.owner() == Some(pid)
    }

    /// The guest that it belongs to, unless the app declares it.
    pub(crate) fn owner(&self) -> Option<Pid> {
        self.owner.as_ref().map(|owner| owner.pid)
    }

    /// The children in start order, each with what its next start is made from, unless that was not kept.
    pub(crate) fn children(&self) -> Vec<(ChildView, Option<Blueprint>)> {
        self.inner.lock().machine.children()
    }

    /// The process that a key leads to.
    pub(crate) fn route(&self, key: &[u8]) -> Result<Pid, RouteError> {
        self.inner.lock().machine.route(key)
    }

    /// How many partitions are in use, of how many.
    pub(crate) fn partitions(&self) -> Option<(usize, usize)> {
        self.inner.lock().machine.partitions()
    }

    /// The process of a child, also if it is still being started.
    pub(crate) fn process_of(&self, id: &str) -> Option<Pid> {
        let inner = self.inner.lock();
        let running = inner.machine.status(id)?.pid();
        running.or_else(|| inner.starts.values().find(|birth| &*birth.id == id).map(|birth| birth.pid))
    }

    /// One turn.
    pub(super) fn slice(&self, shell: &Arc<Shell>, cell: &Arc<Cell>) -> ControlFlow<Ended> {
        let mut inner = self.inner.lock();
        for _ in 0..INPUTS_PER_TURN {
            let input = match self.next_input(&mut inner, cell) {
                Heard::Input(input) => *input,
                Heard::Nothing => continue,
                Heard::Silence => return ControlFlow::Continue(()),
                Heard::Exit(reason) => return ControlFlow::Break(Ended { reason, manner: Manner::InOrder }),
            };
            let mut orders = Vec::new();
            inner.machine.step(input, shell.now(), &mut orders);
            self.follow_bounds(&mut inner, shell, cell);
            let crash = inner.ended.take().and_then(|pid| self.crashes.take(pid));
            let is_reported = crash.is_some();
            if let Some(crash) = crash {
                shell.observer.report(crash.decided(inner.decision(&orders)));
            }
            // Once for each crash, not once for each layer above it.
            orders.retain(|order| !is_reported || !matches!(order, Order::Report(Told::StartFailed { .. })));
            orders.retain(|order| !inner.is_of_a_layer_below(order));
            let mut end = None;
            for order in orders {
                end = inner.obey(order, &self.budget, shell, cell).or(end);
            }
            if let Some(reason) = end {
                // Not a crash of its own: whatever it ends of has been reported by whoever crashed.
                return ControlFlow::Break(Ended { manner: Manner::InOrder, reason });
            }
        }
        cell.process.lock().stir();
        ControlFlow::Continue(())
    }

    /// What it is asked next, unless mail that came before waits.
    fn next_instruction(&self, cell: &Cell) -> Option<Instruction> {
        let mut asked = self.asked.lock();
        let (number, _) = asked.front()?;
        let oldest = cell.process.lock().mailbox().behind(None).map(|(oldest, _)| oldest);
        if oldest.is_some_and(|oldest| oldest < *number) {
            return None;
        }
        asked.pop_front().map(|(_, instruction)| instruction)
    }

    fn next_input(&self, inner: &mut Inner, cell: &Cell) -> Heard {
        if let Some(instruction) = self.next_instruction(cell) {
            return Heard::Input(Box::new(instruction));
        }
        let input = match cell.transition(Process::next_step) {
            Step::Init => {
                if let Some(owner) = self.owner.as_ref().filter(|_| self.watches_owner) {
                    // Not by the link alone, which the owner could take back.
                    let wanted = Monitoring::of(Address::Pid(owner.pid));
                    let _ = cell.transition(|process, _, actions| process.monitor(wanted, Some(owner.pid), actions));
                }
                Some(Input::Begin)
            }
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

/// A budget below another, of the supervisor with this id.
fn own_budget(id: Option<&Name>, above: &Arc<Budget>, spec: &BudgetSpec, now: Time) -> Arc<Budget> {
    let whose = format!("supervisor {}", id.map_or("?", |id| &**id));
    Budget::new(whose, Some(Arc::clone(above)), spec, now)
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
    /// What an event means to the machine. Whatever a stranger sends means nothing.
    fn translate(&mut self, event: Event) -> Option<Instruction> {
        match event {
            Event::Started { mark, outcome } => {
                let Birth { token, pid, .. } = self.starts.remove(&mark)?;
                self.marks.remove(&token);
                self.ended = outcome.is_err().then_some(pid);
                Some(Input::Started { token, outcome })
            }
            Event::Down { target: Address::Pid(pid), reason, .. } if self.is_owner(pid) => Some(Input::Stop { reason }),
            Event::Down { target: Address::Pid(pid), reason, .. } => {
                self.ended = Some(pid);
                Some(Input::Down { pid, reason })
            }
            Event::Timer { mark, .. } => {
                let alarm = self.timers.remove(&mark)?;
                let (Alarm::Timeout(token) | Alarm::Retry(token)) = alarm;
                self.marks.remove(&token);
                Some(match alarm {
                    Alarm::Timeout(token) => Input::Timeout { token },
                    Alarm::Retry(token) => Input::Retry { token },
                })
            }
            _ => None,
        }
    }

    fn is_owner(&self, pid: Pid) -> bool {
        self.owner.as_ref().is_some_and(|owner| owner.pid == pid)
    }

    /// Performs one order. A reason means that the supervisor itself ends.
    fn obey(
        &mut self,
        order: Order<Blueprint, Ask>,
        budget: &Mutex<Arc<Budget>>,
        shell: &Arc<Shell>,
        cell: &Arc<Cell>,
    ) -> Option<ExitReason> {
        let from = cell.pid;
        match order {
            Order::Start { token, id, start, .. } => {
                let budget = Arc::clone(&budget.lock());
                self.start(token, id, &start, budget, shell, cell);
            }
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
                if let Some(mark) = self.marks.remove(&token) {
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

    fn start(
        &mut self,
        token: Token,
        id: Name,
        start: &Blueprint,
        budget: Arc<Budget>,
        shell: &Arc<Shell>,
        cell: &Arc<Cell>,
    ) {
        let pid = Awaited::of(start).map_or_else(|| shell.table.new_pid(), |awaited| awaited.task);
        let begun = cell.process.lock().begin_spawn(pid, true, Some(Address::Pid(pid)), Waiting::AsEvent);
        // The host's own tables have no bounds, so this is never refused.
        let Ok((starter, monitor)) = begun else { return };
        self.marks.insert(token, starter);
        self.starts.insert(starter, Birth { token, id: Arc::clone(&id), pid });
        let place = Birthplace {
            args: None,
            pid,
            app: Arc::clone(&cell.app),
            budget,
            label: Some(id),
            parent: cell.pid,
            starter,
            link: true,
            monitor,
            owner: self.owner.clone(),
        };
        let start = match self.machine.roster() {
            Roster::Dynamic { extra_args: Some(extra) } => &match prepended(start, |own| joined(extra, own)) {
                Ok(start) => start,
                Err(refusal) => {
                    let outcome = Err(SpawnError::Refused(refusal));
                    let _ = shell.deliver(cell.pid, Signal::Started { mark: starter, outcome });
                    return;
                }
            },
            _ => start,
        };
        shell.spawn(place, start);
    }

    /// A worker half-started is killed; a supervisor is told to stop, for the sake of its children.
    fn cancel_start(&self, token: Token, shell: &Shell, from: Pid) {
        let Some(birth) = self.marks.get(&token).and_then(|mark| self.starts.get(mark)) else { return };
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
            let (Alarm::Timeout(token) | Alarm::Retry(token)) = alarm;
            self.marks.insert(token, mark);
            self.timers.insert(mark, alarm);
        }
    }
}
