//! What the shell's files need around them: processes whose guests are written here, and workers that give them turns.
//!
//! Time stands still, and nobody upgrades, looks in from outside or has anything in a directory.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use shuttle::thread;
use skep_kernel::directory::Holding;
use skep_kernel::process::{Birth, Kind, SliceEnd, Step, Turn};
use skep_kernel::registry::Registry;
use skep_kernel::system::{SystemAnswer, SystemError, SystemId};
use skep_kernel::upgrade::{News, UpgradeId};
use skep_kernel::{
    Address, AliasSeal, Body, Event, ExitReason, Limits, Mark, Name, Next, Outcome, Pid, Process, Start, Time,
};

use crate::pairs::Pairs;
use crate::post::Duty;
use crate::queue::RunQueue;
use crate::sync::{Defect, Mutex, suffers};
use crate::table::Table;
use crate::{Way, outbox};

/// What runs in a process.
pub(crate) trait Guest: Send + Sync {
    /// Handles an event, and may reply. None if it stops in the middle, and goes on with the same event once it was woken.
    fn handle(&self, shell: &Arc<Shell>, cell: &Arc<Cell>, event: &Event) -> Option<Option<Body>>;
}

/// One process.
pub(crate) struct Cell {
    pub(crate) pid: Pid,
    pub(crate) app: Arc<App>,
    pub(crate) process: Mutex<Process>,
    doomed: AtomicBool,
    shell: Arc<Shell>,
    guest: Box<dyn Guest>,
    /// What it is in the middle of.
    halfway: Mutex<Option<Event>>,
    on_worker: AtomicBool,
}

impl Cell {
    pub(crate) fn shell(&self) -> &Arc<Shell> {
        &self.shell
    }

    /// Whether an exit signal has come that ends it.
    pub(crate) fn is_doomed(&self) -> bool {
        self.doomed.load(SeqCst)
    }

    /// An exit signal has come.
    pub(crate) fn note_doom(&self) {
        if !suffers(Defect::ForgetDoom) {
            self.doomed.store(true, SeqCst);
        }
    }
}

/// Names.
#[derive(Default)]
pub(crate) struct App {
    names: Mutex<Registry>,
}

impl App {
    pub(crate) fn nowhere() -> Arc<Self> {
        Arc::default()
    }

    pub(crate) fn release(&self, name: &str, pid: Pid) {
        self.names.lock().release(name, pid);
    }

    pub(crate) fn resolve(&self, address: &Address) -> Option<Pid> {
        match address {
            Address::Pid(pid) => Some(*pid),
            Address::Name(name) => self.names.lock().whereis(name),
            Address::Via(_) | Address::Alias(_) => None,
        }
    }
}

pub(crate) struct Clock;

impl Clock {
    pub(crate) fn set(&self, _: Pid, _: Mark, _: Time) {}

    pub(crate) fn cancel(&self, _: Pid, _: Mark) {}
}

pub(crate) struct Nobody;

impl Nobody {
    pub(crate) fn tell(&self, _: UpgradeId, _: Pid, _: News) {
        unreachable!("there is no upgrade");
    }

    pub(crate) fn inform(&self, _: SystemId, _: Result<SystemAnswer, SystemError>) {
        unreachable!("nobody has asked");
    }
}

pub(crate) struct Shell {
    pub(crate) table: Table,
    pub(crate) queue: RunQueue,
    pub(crate) pairs: Pairs,
    pub(crate) clock: Clock,
    pub(crate) upgrades: Nobody,
    pub(crate) operators: Nobody,
    pub(crate) seal: AliasSeal,
    app: Arc<App>,
}

impl Shell {
    pub(crate) fn new(workers: usize) -> Arc<Self> {
        Arc::new(Shell {
            table: Table::new(),
            queue: RunQueue::new(workers),
            pairs: Pairs::default(),
            clock: Clock,
            upgrades: Nobody,
            operators: Nobody,
            seal: AliasSeal::new([1, 2]),
            app: Arc::default(),
        })
    }

    pub(crate) fn now(&self) -> Time {
        Time::ZERO
    }

    pub(crate) fn release(&self, _: &Arc<App>, _: Pid, _: &Holding, _: &mut VecDeque<Duty>) {
        unreachable!("there is no directory");
    }

    pub(crate) fn way_of(&self, _: Pid, app: &App, to: &Address) -> Option<Way> {
        self.way(app, to)
    }

    pub(crate) fn schedule(&self, cell: Arc<Cell>) {
        if suffers(Defect::QueueTwice) {
            self.queue.push(Arc::clone(&cell));
        }
        self.queue.push(cell);
    }

    /// A process comes into the world, as in `spawn.rs`.
    pub(crate) fn bear(self: &Arc<Self>, kind: Kind, name: Option<Name>, guest: Box<dyn Guest>) -> Arc<Cell> {
        let pid = self.table.new_pid();
        let nobody = Birth::without_parent(pid, kind, Arc::new(Limits::default()), [pid.id, 1]);
        let mut actions = Vec::new();
        let process = Process::new(Birth { name: name.clone(), ..nobody }, self.now(), &mut actions);
        let cell = Arc::new(Cell {
            pid,
            app: Arc::clone(&self.app),
            process: Mutex::new(process),
            doomed: false.into(),
            shell: Arc::clone(self),
            guest,
            halfway: Mutex::new(None),
            on_worker: false.into(),
        });
        self.table.insert(Arc::clone(&cell));
        if let Some(name) = name {
            self.app.names.lock().register(name, pid).expect("it is free");
        }
        self.perform(&cell, actions);
        self.schedule(Arc::clone(&cell));
        cell
    }

    /// As in `worker.rs`, when no worker is left: processes and the table that they are in hold on to each other.
    pub(crate) fn take_down(&self) {
        self.table.all().iter().for_each(|cell| self.table.remove(cell.pid));
        self.queue.forget_all();
    }

    pub(crate) fn whereis(&self, name: &Name) -> Option<Pid> {
        self.app.resolve(&Address::Name(Arc::clone(name)))
    }

    pub(crate) fn workers(self: &Arc<Self>) -> Vec<thread::JoinHandle<()>> {
        let serve = |_| {
            let shell = Arc::clone(self);
            thread::spawn(move || shell.queue.serve(|cell| shell.turn(&cell)))
        };
        (0..self.queue.workers()).map(serve).collect()
    }

    /// As in `worker.rs`.
    fn turn(self: &Arc<Self>, cell: &Arc<Cell>) {
        match cell.turn(|turn| self.slice(cell, turn)) {
            ControlFlow::Break(reason) => self.finish(cell, &reason),
            ControlFlow::Continue(SliceEnd::Preempted | SliceEnd::Spent) if suffers(Defect::ForgetStirred) => {}
            ControlFlow::Continue(SliceEnd::Preempted) => self.queue.push_behind(Arc::clone(cell)),
            ControlFlow::Continue(SliceEnd::Spent) => self.queue.push_spent(Arc::clone(cell)),
            ControlFlow::Continue(SliceEnd::Waiting) => {}
        }
    }

    fn finish(&self, cell: &Cell, reason: &ExitReason) {
        if suffers(Defect::TellFirst) {
            let name = cell.process.lock().name().cloned();
            cell.transition(|process, _, actions| process.exit(reason, actions));
            self.table.remove(cell.pid);
            name.iter().for_each(|name| cell.app.release(name, cell.pid));
        }
        cell.end(reason);
    }

    fn slice(self: &Arc<Self>, cell: &Arc<Cell>, turn: Turn) -> ControlFlow<ExitReason> {
        assert!(!cell.on_worker.swap(true, SeqCst), "a process is on two workers");
        if suffers(Defect::LeaveEarly) {
            let _ = cell.process.lock().end_slice();
        }
        let end = match turn {
            Turn::Exit(reason) => ControlFlow::Break(reason),
            Turn::Run | Turn::Nothing => {
                let open = outbox::open();
                let end = self.drive(cell);
                if suffers(Defect::KeepOutbox) {
                    std::mem::forget(open);
                }
                end
            }
        };
        if suffers(Defect::DropStirred) {
            // It is on this worker all the while.
            let mut process = cell.process.lock();
            let _ = process.end_slice();
            let _ = process.begin_slice();
        }
        cell.on_worker.store(false, SeqCst);
        end
    }

    /// As in `drive.rs`, until the process waits or ends.
    fn drive(self: &Arc<Self>, cell: &Arc<Cell>) -> ControlFlow<ExitReason> {
        loop {
            let halfway = cell.halfway.lock().take();
            let step = match halfway {
                Some(event) => Step::Handle { event, more: false },
                None => cell.transition(Process::next_step),
            };
            match step {
                Step::Init => {
                    let end = cell
                        .transition(|process, now, actions| process.started(Start::Ready(Next::Wait), now, actions));
                    assert_eq!(end, None);
                }
                Step::Handle { event, .. } => {
                    let Some(reply) = cell.guest.handle(self, cell, &event) else {
                        *cell.halfway.lock() = Some(event);
                        return ControlFlow::Continue(());
                    };
                    let done = Outcome { reply, next: Next::Wait };
                    cell.transition(|process, now, actions| process.handled(done, now, actions));
                }
                Step::Terminate(reason) | Step::Exit(reason) => return ControlFlow::Break(reason),
                _ => return ControlFlow::Continue(()),
            }
        }
    }
}
