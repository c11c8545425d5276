//! What many processes may use together: budgets of apps and of supervisors, one above the other.
//!
//! Owns the counts and their bounds. Whatever is taken counts in every budget from the nearest one up to the app's, or in
//! none. Never waits, and never decides what follows from a refusal. What is taken is held by an [`Account`], a [`Credit`]
//! or a [`Charge`], which give it back when they are dropped.

mod account;
mod bucket;
mod charge;
mod credit;
mod lane;
mod log;
#[cfg(test)]
mod tests;
mod turn;

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use account::Account;
pub use bucket::Bucket;
pub use charge::Charge;
pub use credit::Credit;
pub use turn::Turn;

use self::lane::Lane;
use self::log::Log;
use crate::{LogLimits, Name, Time};

/// What a budget counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Resource {
    /// Bytes of linear memory of live instances, and of saved states.
    Memory,
    /// Live instances.
    Instances,
    /// Processes, supervisors among them.
    Processes,
    /// Bytes of bodies that wait in mailboxes. Counted only where some budget bounds them.
    MailboxBytes,
    /// Timers that run.
    Timers,
    /// Files, folders and sockets that are open.
    OpenFiles,
    /// Operations under way that block a thread.
    Blocking,
}

/// How many there are.
const RESOURCES: usize = 7;

impl Resource {
    /// All of them.
    pub const ALL: [Resource; RESOURCES] = [
        Resource::Memory,
        Resource::Instances,
        Resource::Processes,
        Resource::MailboxBytes,
        Resource::Timers,
        Resource::OpenFiles,
        Resource::Blocking,
    ];

    /// As manifests and reasons call it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Resource::Memory => "memory",
            Resource::Instances => "instances",
            Resource::Processes => "processes",
            Resource::MailboxBytes => "mailbox_bytes",
            Resource::Timers => "timers",
            Resource::OpenFiles => "open_files",
            Resource::Blocking => "blocking_operations",
        }
    }
}

/// The bounds of a budget. What is none is not bounded.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct BudgetSpec {
    /// Bytes of linear memory and of saved states.
    pub memory_bytes: Option<u64>,
    /// Live instances.
    pub instances: Option<u64>,
    /// Processes.
    pub processes: Option<u64>,
    /// Bytes that wait in mailboxes.
    pub mailbox_bytes: Option<u64>,
    /// Timers that run.
    pub timers: Option<u64>,
    /// Files, folders and sockets that are open.
    pub open_files: Option<u64>,
    /// Operations under way that block a thread. One more waits until another is over.
    pub blocking_operations: Option<u64>,
    /// How fast logs are written. Lines beyond are dropped and counted.
    pub log: Option<LogLimits>,
    /// Fuel per second.
    pub fuel: Option<FuelRate>,
}

impl BudgetSpec {
    /// Whether it bounds nothing.
    #[must_use]
    pub fn is_unbounded(&self) -> bool {
        *self == BudgetSpec::default()
    }

    /// How much of this there may be.
    #[must_use]
    pub fn most(&self, of: Resource) -> Option<u64> {
        match of {
            Resource::Memory => self.memory_bytes,
            Resource::Instances => self.instances,
            Resource::Processes => self.processes,
            Resource::MailboxBytes => self.mailbox_bytes,
            Resource::Timers => self.timers,
            Resource::OpenFiles => self.open_files,
            Resource::Blocking => self.blocking_operations,
        }
    }
}

/// How fast fuel may be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FuelRate {
    /// So much flows in every second.
    pub per_second: u64,
    /// So much is there at most: what may be used at once after a rest.
    pub burst: u64,
    /// What becomes of processes when none is left.
    pub when_out: WhenOut,
}

/// What becomes of a process whose budget has no fuel left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WhenOut {
    /// It waits for its next turn until there is some.
    Throttle,
    /// It ends, if it was the one that used the last of it.
    End,
}

/// A budget has no more. In words: `processes of app tally`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Exceeded {
    /// Of what.
    pub what: &'static str,
    /// Whose budget it is.
    pub whose: Name,
}

impl fmt::Display for Exceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.what, self.whose)
    }
}

/// What fuel that was just used leaves.
#[derive(Clone, PartialEq, Eq, Debug)]
#[must_use]
pub enum Burnt {
    /// More.
    Left,
    /// None, and whoever used it ends.
    Ends(Exceeded),
}

/// One budget, and those above it.
pub struct Budget {
    whose: Name,
    parent: Option<Arc<Budget>>,
    counts: Counts,
    /// `u64::MAX` where there is no bound.
    most: [AtomicU64; RESOURCES],
    /// Whether this budget or one above it bounds what waits in mailboxes.
    bounds_mail: AtomicBool,
    /// Whether there is a rate, to be looked at without the lock.
    is_rated: AtomicBool,
    /// Until when there is no fuel, in nanoseconds; 0 if there is some.
    dry_until: AtomicU64,
    bucket: Mutex<Option<Bucket>>,
    log: Log,
    /// Who waits until an operation that blocks is over.
    lane: Lane,
}

/// What processes on all cores write, in cache lines of its own: what else a budget has they read at every turn.
#[repr(align(128))]
#[derive(Default)]
struct Counts {
    used: [AtomicU64; RESOURCES],
    fuel_used: AtomicU64,
    /// Instances that have gone.
    departures: AtomicU64,
}

impl Budget {
    /// A budget that nobody has used yet. `whose` is what refusals call it, such as `app tally`.
    #[must_use]
    pub fn new(whose: impl Into<Name>, parent: Option<Arc<Budget>>, spec: &BudgetSpec, now: Time) -> Arc<Self> {
        let budget = Budget {
            whose: whose.into(),
            parent,
            counts: Counts::default(),
            most: Default::default(),
            bounds_mail: AtomicBool::new(false),
            is_rated: AtomicBool::new(false),
            dry_until: AtomicU64::new(0),
            bucket: Mutex::default(),
            log: Log::default(),
            lane: Lane::default(),
        };
        budget.set(spec, now);
        Arc::new(budget)
    }

    /// Gives it other bounds. What is used already beyond them stays; nothing comes on top.
    pub fn set(&self, spec: &BudgetSpec, now: Time) {
        for of in Resource::ALL {
            self.most[of as usize].store(spec.most(of).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
        self.bounds_mail.store(spec.mailbox_bytes.is_some(), Ordering::Relaxed);
        let mut bucket = self.bucket();
        *bucket = spec.fuel.map(|rate| match bucket.take() {
            Some(known) => known.with(rate, now),
            None => Bucket::new(rate, now),
        });
        self.is_rated.store(bucket.is_some(), Ordering::SeqCst);
        // Whoever waits looks again, and finds out what the new bounds say.
        self.dry_until.store(0, Ordering::SeqCst);
        self.log.set(spec.log.as_ref(), now);
        self.lane.wake_all();
    }

    /// What refusals call it.
    #[must_use]
    pub fn whose(&self) -> &Name {
        &self.whose
    }

    /// The one above it.
    #[must_use]
    pub fn parent(&self) -> Option<&Arc<Budget>> {
        self.parent.as_ref()
    }

    /// How much of this is used.
    #[must_use]
    pub fn used(&self, of: Resource) -> u64 {
        self.counts.used[of as usize].load(Ordering::Relaxed)
    }

    /// How much of this may be used; none if it is not bounded.
    #[must_use]
    pub fn most(&self, of: Resource) -> Option<u64> {
        Some(self.most[of as usize].load(Ordering::Relaxed)).filter(|most| *most != u64::MAX)
    }

    /// Fuel that its processes have used so far.
    #[must_use]
    pub fn fuel_used(&self) -> u64 {
        self.counts.fuel_used.load(Ordering::Relaxed)
    }

    /// All that bounds it now.
    #[must_use]
    pub fn bounds(&self) -> BudgetSpec {
        BudgetSpec {
            memory_bytes: self.most(Resource::Memory),
            instances: self.most(Resource::Instances),
            processes: self.most(Resource::Processes),
            mailbox_bytes: self.most(Resource::MailboxBytes),
            timers: self.most(Resource::Timers),
            open_files: self.most(Resource::OpenFiles),
            blocking_operations: self.most(Resource::Blocking),
            log: self.log.limits(),
            fuel: self.fuel_rate(),
        }
    }

    /// How fast fuel may be used.
    #[must_use]
    pub fn fuel_rate(&self) -> Option<FuelRate> {
        self.bucket().as_ref().map(Bucket::rate)
    }

    /// This one and all above it.
    pub fn chain(&self) -> impl Iterator<Item = &Budget> {
        std::iter::successors(Some(self), |budget| budget.parent.as_deref())
    }

    /// Whether this is one of the budgets that the other counts in.
    #[must_use]
    pub fn is_above(&self, other: &Budget) -> bool {
        other.chain().any(|budget| std::ptr::eq(budget, self))
    }

    /// This one or the nearest above it that is called so.
    #[must_use]
    pub fn called(self: &Arc<Self>, whose: &str) -> Option<Arc<Budget>> {
        let mut chain = std::iter::successors(Some(self), |budget| budget.parent.as_ref());
        chain.find(|budget| *budget.whose == *whose).map(Arc::clone)
    }

    /// Whether anybody bounds what waits in mailboxes.
    fn bounds_mail(&self) -> bool {
        self.chain().any(|budget| budget.bounds_mail.load(Ordering::Relaxed))
    }

    /// Takes so much in all budgets from here up, or in none.
    fn take(&self, of: Resource, amount: u64) -> Result<(), Exceeded> {
        let full = self.chain().find(|budget| !budget.take_here(of, amount));
        let Some(full) = full else { return Ok(()) };
        for budget in self.chain().take_while(|budget| !std::ptr::eq(*budget, full)) {
            budget.give_here(of, amount);
        }
        Err(Exceeded { what: of.word(), whose: Arc::clone(&full.whose) })
    }

    /// Takes so much whether there is room or not.
    fn overdraw(&self, of: Resource, amount: u64) {
        self.chain().for_each(|budget| {
            budget.counts.used[of as usize].fetch_add(amount, Ordering::AcqRel);
        });
    }

    /// Whether half of each bound would still be free with so much more.
    fn has_plenty(&self, of: Resource, amount: u64) -> bool {
        self.chain().all(|budget| {
            let most = budget.most(of);
            most.is_none_or(|most| budget.used(of).saturating_add(amount) <= most / 2)
        })
    }

    fn give(&self, of: Resource, amount: u64) {
        // Most who end have held nothing of most.
        if amount == 0 {
            return;
        }
        self.chain().for_each(|budget| budget.give_here(of, amount));
    }

    fn take_here(&self, of: Resource, amount: u64) -> bool {
        let most = self.most[of as usize].load(Ordering::Relaxed);
        let used = &self.counts.used[of as usize];
        if most == u64::MAX {
            used.fetch_add(amount, Ordering::AcqRel);
            return true;
        }
        let fits = |used: u64| used.checked_add(amount).filter(|sum| *sum <= most);
        used.fetch_update(Ordering::AcqRel, Ordering::Acquire, fits).is_ok()
    }

    fn give_here(&self, of: Resource, amount: u64) {
        let used = self.counts.used[of as usize].fetch_sub(amount, Ordering::AcqRel);
        debug_assert!(used >= amount, "more {} given back than taken", of.word());
    }

    /// Whether there is so little memory left that nobody should keep what he can do without: an eighth.
    #[must_use]
    pub fn is_tight(&self) -> bool {
        self.chain().any(|budget| {
            let most = budget.most(Resource::Memory);
            most.is_some_and(|most| budget.used(Resource::Memory) > most - most / 8)
        })
    }

    /// Notes that an instance has gone: whoever found no place may find one now.
    pub fn note_departure(&self) {
        self.chain().for_each(|budget| {
            budget.counts.departures.fetch_add(1, Ordering::SeqCst);
        });
    }

    /// How many have gone so far, here and above.
    #[must_use]
    pub fn departures(&self) -> u64 {
        self.chain().map(|budget| budget.counts.departures.load(Ordering::SeqCst)).sum()
    }

    /// Counts fuel that was used.
    pub fn count_fuel(&self, fuel: u64) {
        if fuel == 0 {
            return;
        }
        self.chain().for_each(|budget| {
            budget.counts.fuel_used.fetch_add(fuel, Ordering::Relaxed);
        });
    }

    /// Whether this budget or one above it has a rate of fuel.
    #[must_use]
    pub fn is_rated(&self) -> bool {
        self.chain().any(|budget| budget.is_rated.load(Ordering::Relaxed))
    }

    /// Takes fuel out of what flows in.
    pub fn burn(&self, fuel: u64, now: Time) -> Burnt {
        let mut left = Burnt::Left;
        for budget in self.chain() {
            if budget.is_rated.load(Ordering::Relaxed)
                && let Some(exceeded) = budget.burn_here(fuel, now)
            {
                left = Burnt::Ends(exceeded);
            }
        }
        left
    }

    fn burn_here(&self, fuel: u64, now: Time) -> Option<Exceeded> {
        let mut bucket = self.bucket();
        let bucket = bucket.as_mut()?;
        let until = bucket.burn(fuel, now)?;
        match bucket.rate().when_out {
            WhenOut::Throttle => {
                self.dry_until.store(nanos(until), Ordering::SeqCst);
                None
            }
            WhenOut::End => {
                // Only whoever used the last of it ends; those after it begin with what flows in from now on.
                bucket.forgive();
                Some(Exceeded { what: "fuel-rate", whose: Arc::clone(&self.whose) })
            }
        }
    }

    /// The nearest budget that has no fuel now.
    #[must_use]
    pub fn dry(self: &Arc<Self>, now: impl Fn() -> Time) -> Option<Arc<Budget>> {
        let mut next = Some(self);
        while let Some(budget) = next {
            let until = budget.dry_until.load(Ordering::Relaxed);
            // Where there is no rate, nobody needs to know what time it is.
            if until > 0 && until > nanos(now()) {
                return Some(Arc::clone(budget));
            }
            next = budget.parent.as_ref();
        }
        None
    }

    /// How much fuel there is here for those who wait, and when it is worth while to look again.
    #[must_use]
    pub fn fuel_left(&self, wanted: u64, now: Time) -> (u64, Time) {
        match self.bucket().as_mut() {
            Some(bucket) => (bucket.left(now), bucket.when(wanted, now)),
            None => (u64::MAX, now),
        }
    }

    fn bucket(&self) -> MutexGuard<'_, Option<Bucket>> {
        // A bucket is sound between any two of its steps.
        self.bucket.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn nanos(at: Time) -> u64 {
    u64::try_from(at.as_nanos()).unwrap_or(u64::MAX)
}

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Budget of {}", self.whose)
    }
}
