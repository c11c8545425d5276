//! Processes performed: the table, the run queue, the clock, and the one way signals travel.
//!
//! A [`Cell`] holds one process: the kernel's state machine under a short lock, and what runs in it. Whoever has
//! something for a process calls [`Shell::deliver`]; the state machine decides; [`Shell::perform`] does what it asked
//! for. No lock is held while performing, so no two processes are ever locked at once.

mod allowance;
mod app;
mod arguments;
mod awaited;
mod cell;
mod client;
mod clock;
mod control;
mod directory;
mod drive;
mod guest;
mod incidents;
mod modules;
mod operators;
mod pairs;
mod queue;
mod rooms;
mod serve;
mod spawn;
mod supervise;
mod supervision;
mod sync;
mod syscalls;
mod table;
mod traces;
pub(crate) mod upgrade;
mod way;
mod who;
mod worker;

pub use allowance::Charge;
pub(crate) use app::App;
pub use awaited::Awaited;
pub(crate) use cell::{Cell, Content};
pub(crate) use client::Client;
pub(crate) use guest::Usage;
pub(crate) use spawn::{Birthplace, Ties};
pub(crate) use traces::NotInstalled;
pub(crate) use way::Way;

use std::collections::VecDeque;
use std::sync::Arc;

use skep_kernel::signal::Undelivered;
use skep_kernel::{Action, AliasSeal, Caller, Event, Mark, Pid, Signal, Time};

use crate::Engine;
use crate::observe::Observer;
use crate::spec::Keep;

/// What all processes of a runtime share.
pub(crate) struct Shell {
    pub(crate) engine: Engine,
    pub(crate) observer: Arc<dyn Observer>,
    /// Overrides every process's own policy.
    pub(crate) keep: Option<Keep>,
    pub(crate) table: table::Table,
    clock: clock::Clock,
    queue: queue::RunQueue,
    rooms: rooms::Rooms,
    pairs: pairs::Pairs,
    upgrades: upgrade::Upgrades,
    operators: operators::Operators,
    pub(crate) traces: traces::Traces,
    seal: AliasSeal,
}

impl Shell {
    /// A shell without processes; `start` sets it going.
    pub(crate) fn new(engine: Engine, observer: Arc<dyn Observer>, keep: Option<Keep>, workers: usize) -> Arc<Self> {
        Arc::new(Shell {
            engine,
            observer,
            keep,
            table: table::Table::default(),
            clock: clock::Clock::new(),
            queue: queue::RunQueue::new(workers),
            rooms: rooms::Rooms::default(),
            pairs: pairs::Pairs::default(),
            upgrades: upgrade::Upgrades::default(),
            operators: operators::Operators::default(),
            traces: traces::Traces::default(),
            seal: AliasSeal::new(rand::random()),
        })
    }

    /// Starts the workers and the clock. They end when `stop` is called.
    pub(crate) fn start(self: &Arc<Self>, tokio: &tokio::runtime::Handle) -> std::io::Result<()> {
        clock::start(self)?;
        worker::start(self, tokio)
    }

    /// Ends workers and clock; nothing runs any more.
    pub(crate) fn stop(&self) {
        self.queue.close();
        self.clock.close();
    }

    pub(crate) fn now(&self) -> Time {
        self.clock.now()
    }

    /// Delivers one signal, and does all that follows from it.
    pub(crate) fn deliver(&self, to: Pid, signal: Signal) -> Result<(), Undelivered> {
        let mut duties = VecDeque::new();
        let delivered = self.hand_over(to, signal, &mut duties);
        self.work_off(duties);
        delivered
    }

    /// Delivers a call that `from` has begun. If it cannot be delivered, that is the answer, which is on its way.
    pub(crate) fn send_call(&self, from: &Cell, way: Way, mark: Mark, content: impl FnOnce(Caller) -> Event) {
        let caller = Caller { pid: from.pid, mark };
        let _ = self.deliver(way.to, way.signal(content(caller)));
        // Its time may have run out before it was delivered: then the callee has been told to forget a caller that it did
        // not know yet, and is told again.
        if !from.process.lock().is_open(mark) {
            let _ = self.deliver(way.to, Signal::Demonitor { from: from.pid, mark });
        }
    }

    /// Does what the state machine of `cell` asked for.
    pub(crate) fn perform(&self, cell: &Cell, actions: Vec<Action>) {
        if actions.is_empty() {
            return;
        }
        self.work_off(actions.into_iter().map(|action| Duty::of(cell, action)).collect());
    }

    fn work_off(&self, mut duties: VecDeque<Duty>) {
        while let Some(duty) = duties.pop_front() {
            let Duty { owner, app, action } = duty;
            match action {
                Action::Deliver { to, signal } => {
                    // Who must hear of a failure is told by `hand_over`.
                    let _ = self.hand_over(to, signal, &mut duties);
                }
                Action::Send { to, body } => {
                    if let Some(way) = self.way(&app, &to) {
                        let _ = self.hand_over(way.to, way.signal(Event::Info(body)), &mut duties);
                    }
                }
                Action::StartTimer { mark, at } => self.clock.set(owner, mark, at),
                Action::CancelTimer { mark, .. } => self.clock.cancel(owner, mark),
                Action::Tell { upgrade, news } => self.upgrades.tell(upgrade, owner, news),
                Action::Inform { request, answer } => self.operators.inform(request, answer),
                Action::ReleaseName(name) => app.release(&name, owner),
                Action::Release(holding) => self.release(&app, owner, &holding, &mut duties),
                Action::Remove => self.table.remove(owner),
            }
        }
    }

    /// Gives a signal to its receiver. What follows from it is added to `duties`.
    fn hand_over(&self, to: Pid, signal: Signal, duties: &mut VecDeque<Duty>) -> Result<(), Undelivered> {
        let complaint = signal.complaint();
        let Some(cell) = self.table.get(to) else {
            let answer = complaint.map(|complaint| complaint.action(to, Undelivered::Gone));
            duties.extend(answer.map(|action| Duty::ownerless(to, action)));
            return Err(Undelivered::Gone);
        };
        let mut actions = Vec::new();
        let delivery = cell.process.lock().deliver(signal, self.now(), &mut actions);
        duties.extend(actions.into_iter().map(|action| Duty::of(&cell, action)));
        if let Err(why) = delivery.outcome {
            let answer = complaint.map(|complaint| complaint.action(to, why));
            duties.extend(answer.map(|action| Duty::of(&cell, action)));
        }
        if delivery.wake {
            self.schedule(cell);
        }
        delivery.outcome
    }

    /// Lets somebody look at a process that was just stirred.
    pub(crate) fn schedule(&self, cell: Arc<Cell>) {
        match &cell.content {
            Content::Client(hands) => hands.wake(),
            Content::Guest(_) | Content::Supervisor(_) => self.queue.push(cell),
        }
    }
}

/// An action and whose it is.
struct Duty {
    owner: Pid,
    app: Arc<App>,
    action: Action,
}

impl Duty {
    fn of(cell: &Cell, action: Action) -> Self {
        Duty { owner: cell.pid, app: Arc::clone(&cell.app), action }
    }

    /// An answer in the name of a process that is no more: a delivery, which needs no app.
    fn ownerless(pid: Pid, action: Action) -> Self {
        Duty { owner: pid, app: App::nowhere(), action }
    }
}
