//! A process that is a guest: what it was made from, and its driver while it has an instance.
//!
//! The driver is one future that owns the instance and lasts as long as it; each turn polls it. Dropping it in the
//! middle is how a process is killed.

use std::future::Future;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;
use skep_kernel::budget::{Budget, Burnt};
use skep_kernel::process::Turn;
use skep_kernel::{Body, ExitReason, Refusal};

use super::allowance::{Allowance, Charge};
use super::incidents::Manner;
use super::rooms::{Full, Ticket};
use super::upgrade::Successor;
use super::worker::Ended;
use super::{Cell, Shell, drive, outbox};
use crate::Module;
use crate::engine::fuel::SLICE;
use crate::engine::{Class, Ledger, fault};
use crate::spec::{ProcessSpec, SpawnGrant};

/// Fuel that is counted at once in budgets without a rate: a millisecond or so.
const LOT: u64 = 50 * SLICE;

/// What a guest has used: of fuel, up to the last event that it handled.
#[derive(Default)]
pub(crate) struct Usage {
    /// Of all its instances.
    fuel: AtomicU64,
    /// As much of it has been counted in the budgets.
    counted: AtomicU64,
    memory_bytes: AtomicUsize,
}

impl Usage {
    /// An instance has used so much more. Only the worker whose turn it is writes here.
    pub(super) fn add_fuel(&self, fuel: u64) {
        self.fuel.store(self.fuel() + fuel, Ordering::Relaxed);
    }

    /// The present instance has come to a rest, with so much linear memory.
    pub(super) fn note(&self, memory_bytes: usize) {
        self.memory_bytes.store(memory_bytes, Ordering::Relaxed);
    }

    /// There is no instance any more.
    pub(super) fn instance_gone(&self) {
        self.memory_bytes.store(0, Ordering::Relaxed);
    }

    /// Fuel used by all of its instances.
    pub(crate) fn fuel(&self) -> u64 {
        self.fuel.load(Ordering::Relaxed)
    }

    /// Bytes of linear memory; 0 without an instance.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.memory_bytes.load(Ordering::Relaxed)
    }

    /// Fuel that its budgets have not heard of yet.
    pub(crate) fn uncounted(&self) -> u64 {
        self.fuel().saturating_sub(self.counted.load(Ordering::Relaxed))
    }

    /// Fuel that the budgets are to hear of now, if it is so much at least. Only the worker whose turn it is asks.
    fn settle(&self, least: u64) -> u64 {
        let fuel = self.uncounted();
        if fuel < least {
            return 0;
        }
        self.counted.store(self.fuel(), Ordering::Relaxed);
        fuel
    }
}

/// A guest.
pub(crate) struct Guest {
    pub(crate) spec: Arc<ProcessSpec>,
    pub(crate) usage: Usage,
    code: Mutex<Code>,
    /// Locked by the worker whose turn it is, so never waited for.
    live: Mutex<Option<Box<Live>>>,
    /// What few guests have.
    rarities: OnceLock<Box<Rarities>>,
}

/// What the next instance begins with.
struct Code {
    module: Module,
    /// The argument, until it begins, if that is another than the one in its spec, which many share.
    args: Option<Box<Body>>,
}

/// What few guests have. Made with the first of it, so that all others do not weigh so much.
#[derive(Default)]
struct Rarities {
    /// What an upgrade would replace the code with.
    successor: Mutex<Option<Arc<Successor>>>,
    /// What it may have others hold; made with the first of them.
    allowance: OnceLock<Arc<Allowance>>,
    /// What it has of the outside; made with its first instance that has any.
    ledger: OnceLock<Arc<Ledger>>,
    /// Fuel taken out of budgets with a rate for whole slices of an event that is not over yet.
    advanced: AtomicU64,
}

impl Rarities {
    /// What is to be taken out of the flow, of which whole slices have been taken before they were known.
    fn due(&self, settled: u64, slices: u64) -> u64 {
        let advanced = self.advanced.load(Ordering::Relaxed);
        self.advanced.store(advanced.saturating_sub(settled) + slices, Ordering::Relaxed);
        settled.saturating_sub(advanced) + slices
    }
}

struct Live {
    driver: Pin<Box<dyn Future<Output = End> + Send>>,
    ticket: Ticket,
    /// Holds on to the process whose this is: who drops an instance takes this circle apart.
    waker: Waker,
}

/// How a driver ends.
#[derive(Debug)]
pub(super) enum End {
    /// The process ends.
    Exit { reason: ExitReason, manner: Manner },
    /// The state is saved; the process goes on without an instance.
    GaveBack,
    /// There was no room for an instance.
    NoRoom(Full),
}

impl Guest {
    pub(crate) fn new(spec: Arc<ProcessSpec>, module: Module, args: Option<Body>) -> Self {
        let code = Code { module, args: args.map(Box::new) };
        Guest {
            spec,
            usage: Usage::default(),
            code: Mutex::new(code),
            live: Mutex::new(None),
            rarities: OnceLock::new(),
        }
    }

    fn rarities(&self) -> &Rarities {
        self.rarities.get_or_init(Box::default)
    }

    /// What its supervisors may hold all together, and it may have spawned.
    pub(super) fn allowance(&self) -> &Arc<Allowance> {
        self.rarities().allowance.get_or_init(|| Allowance::of_guest(&self.spec.limits, &self.spec.grants))
    }

    /// What one more process of this module counts against that it spawns.
    pub(super) fn charge_for(&self, module: &str) -> Result<Charge, Refusal> {
        let is_bounded = |grant: &SpawnGrant| &*grant.module == module && grant.most < usize::MAX;
        if self.spec.grants.spawn.iter().any(is_bounded) {
            self.allowance().spawned(module)
        } else {
            Ok(Charge::default())
        }
    }

    /// What it has of the outside that outlives its instances; `budget` is its own.
    pub(super) fn ledger(&self, budget: &Arc<Budget>) -> Arc<Ledger> {
        Arc::clone(self.rarities().ledger.get_or_init(|| Arc::new(Ledger::new(Some(Arc::clone(budget))))))
    }

    /// The argument that it begins with, to be taken once.
    pub(super) fn take_args(&self) -> Body {
        let own = self.code.lock().args.take();
        own.map_or_else(|| self.spec.args.clone(), |own| *own)
    }

    /// The code that its next instance is made from.
    pub(crate) fn module(&self) -> Module {
        self.code.lock().module.clone()
    }

    /// Whether this is the code that its next instance is made from.
    pub(super) fn runs(&self, module: &Module) -> bool {
        self.code.lock().module.is(module)
    }

    /// Other code, from the next instance on.
    pub(super) fn set_module(&self, module: Module) {
        self.code.lock().module = module;
    }

    /// What its state is to be taken over by; none when that is over.
    pub(super) fn set_successor(&self, successor: Option<Arc<Successor>>) {
        if successor.is_some() || self.rarities.get().is_some() {
            *self.rarities().successor.lock() = successor;
        }
    }

    /// What its state is to be taken over by.
    pub(super) fn successor(&self) -> Option<Arc<Successor>> {
        self.rarities.get()?.successor.lock().clone()
    }

    /// One turn: the driver goes on until it waits, is out of fuel for this turn, or ends.
    pub(super) fn slice(&self, shell: &Arc<Shell>, cell: &Arc<Cell>, turn: &Turn) -> ControlFlow<Ended> {
        let mut live = self.live.lock();
        if live.is_none() && *turn == Turn::Nothing {
            return ControlFlow::Continue(());
        }
        let present = live.get_or_insert_with(|| {
            Box::new(Live {
                driver: Box::pin(drive::drive(Arc::clone(cell))),
                ticket: shell.rooms.enter(cell, self.class(cell)),
                waker: Waker::from(Arc::clone(cell)),
            })
        });
        let Live { driver, ticket, waker } = &mut **present;
        let polled = {
            let _turn = outbox::open();
            catch_unwind(AssertUnwindSafe(|| driver.as_mut().poll(&mut Context::from_waker(waker))))
        };
        let end = match polled {
            Ok(Poll::Pending) => {
                shell.rooms.used(*ticket, shell);
                return self.pay(shell, cell);
            }
            Ok(Poll::Ready(end)) => end,
            // A panic in a host function ends the process in whose name it ran, and nothing else.
            Err(panic) => {
                let reason = fault::host_panic(panic.as_ref());
                End::Exit { manner: Manner::by_itself(&reason), reason }
            }
        };
        // Whoever ends anyway ends for its own reason.
        let spent = self.pay(shell, cell);
        let ended = live.take();
        drop(live);
        match end {
            End::NoRoom(full) => {
                if let Some(ended) = ended {
                    shell.rooms.withdraw(ended.ticket);
                }
                shell.rooms.wait(cell, full, shell);
                spent
            }
            End::GaveBack => {
                discard(ended, shell, cell);
                spent
            }
            End::Exit { reason, manner } => {
                discard(ended, shell, cell);
                ControlFlow::Break(Ended { reason, manner })
            }
        }
    }

    /// Counts fuel in the budgets above: that of each turn where one of them has a rate, else in lots, since all cores write
    /// there. If it was the last that a budget had, and that is how it is to be, the process ends.
    fn pay(&self, shell: &Shell, cell: &Cell) -> ControlFlow<Ended> {
        let is_rated = cell.budget.is_rated();
        let settled = self.usage.settle(if is_rated { 1 } else { LOT });
        if settled > 0 {
            cell.budget.count_fuel(settled);
        }
        if !is_rated {
            return ControlFlow::Continue(());
        }
        // In the middle of an event it has used its slice, or it would not want the next one.
        let slices = if settled == 0 && cell.process.lock().is_stirred() { SLICE } else { 0 };
        match cell.budget.burn(self.rarities().due(settled, slices), shell.now()) {
            Burnt::Left => ControlFlow::Continue(()),
            Burnt::Ends(exceeded) => {
                let reason = ExitReason::limit(&exceeded.to_string());
                ControlFlow::Break(Ended { manner: Manner::by_itself(&reason), reason })
            }
        }
    }

    /// The class that its next instance belongs to.
    pub(super) fn class(&self, cell: &Cell) -> Class {
        // One lock after the other: whoever has the process's may want the code's.
        let memory_bytes = cell.process.lock().limits().memory_bytes;
        self.code.lock().module.class_for(memory_bytes)
    }

    /// Drops the instance, wherever the guest stands, for the process has ended.
    pub(super) fn discard(&self, shell: &Shell, cell: &Cell) {
        let live = self.live.lock().take();
        if live.is_none() {
            shell.rooms.pass_on(self.class(cell), cell, shell);
        }
        discard(live, shell, cell);
        cell.budget.count_fuel(self.usage.settle(1));
        if let Some(ledger) = self.rarities.get().and_then(|rarities| rarities.ledger.get()) {
            cell.log_dropped(self, &ledger.take_dropped());
        }
    }
}

fn discard(live: Option<Box<Live>>, shell: &Shell, cell: &Cell) {
    if let Some(live) = live {
        let Live { driver, ticket, .. } = *live;
        drop(driver);
        shell.rooms.leave(ticket, cell, shell);
    }
}
