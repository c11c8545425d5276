//! Processes performed: the table, the run queue, the clock, and the one way signals travel.
//!
//! A [`Cell`] holds one process: the kernel's state machine under a short lock, and what runs in it. Whoever has
//! something for a process calls [`Shell::deliver`]; the state machine decides; [`Shell::perform`] does what it asked
//! for. No lock is held while performing, so no two processes are ever locked at once.
//!
//! `outbox`, `pairs`, `post`, `queue`, `table`, `turns` and `way` know nothing of Wasm: `tests/interleavings` tries the very same
//! files under any order of the threads' steps.

mod allowance;
mod app;
mod apps;
mod arguments;
mod awaited;
mod cell;
mod client;
mod clock;
mod control;
mod directory;
mod drive;
mod guest;
mod holders;
mod incidents;
mod modules;
mod operators;
mod outbox;
mod pairs;
mod post;
mod queue;
mod reach;
mod rooms;
mod seen;
mod serve;
mod sharded;
mod spawn;
mod spread;
mod supervise;
mod supervision;
mod sync;
mod syscalls;
mod table;
mod tally;
pub(crate) mod telemetry;
mod throttle;
mod traces;
mod turns;
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
pub(crate) use seen::Sums;
pub(crate) use spawn::{Birthplace, Ties};
pub(crate) use traces::NotInstalled;
pub(crate) use way::Way;

use std::sync::Arc;

use skep_kernel::{AliasSeal, Time};

use crate::Engine;
use crate::observe::Observer;
use crate::spec::{Keep, WhenFull};

/// What holds for the instances of all processes.
#[derive(Clone, Copy)]
pub(crate) struct Policy {
    /// Overrides every process's own.
    pub(crate) keep: Option<Keep>,
    pub(crate) when_full: WhenFull,
}

/// What all processes of a runtime share.
pub(crate) struct Shell {
    pub(crate) engine: Engine,
    pub(crate) observer: Arc<dyn Observer>,
    policy: Policy,
    pub(crate) table: table::Table,
    pub(crate) apps: apps::Apps,
    pub(crate) seen: Arc<seen::Seen>,
    clock: clock::Clock,
    queue: queue::RunQueue,
    rooms: rooms::Rooms,
    throttle: throttle::Throttle,
    pairs: pairs::Pairs,
    upgrades: upgrade::Upgrades,
    operators: operators::Operators,
    pub(crate) traces: traces::Traces,
    seal: AliasSeal,
}

impl Shell {
    /// A shell without processes; `start` sets it going.
    pub(crate) fn new(engine: Engine, observer: Arc<dyn Observer>, policy: Policy, workers: usize) -> Arc<Self> {
        let rooms = rooms::Rooms::new(&engine);
        Arc::new(Shell {
            engine,
            observer,
            policy,
            table: table::Table::new(),
            apps: apps::Apps::default(),
            seen: seen::Seen::new(workers),
            clock: clock::Clock::new(),
            queue: queue::RunQueue::new(workers),
            rooms,
            throttle: throttle::Throttle::default(),
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
        self.seen.hub.close();
    }

    pub(crate) fn now(&self) -> Time {
        self.clock.now()
    }

    /// Has a process looked at, if nobody is about to.
    pub(crate) fn stir(&self, cell: &Arc<Cell>) {
        if cell.process.lock().stir() {
            self.schedule(Arc::clone(cell));
        }
    }

    /// Lets somebody look at a process that was just stirred.
    pub(crate) fn schedule(&self, cell: Arc<Cell>) {
        match &cell.content {
            Content::Client(hands) => hands.wake(),
            Content::Guest(_) | Content::Supervisor(_) => self.queue.push(cell),
        }
    }
}
