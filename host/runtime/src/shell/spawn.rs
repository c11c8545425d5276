//! Births: a pid, a cell, a place in the table, a name, a place on the run queue.

use std::sync::Arc;
use std::time::Duration;

use skep_kernel::budget::{Account, Budget};
use skep_kernel::directory::{Claim, Keys, Place, Via};
use skep_kernel::process::{Birth, Kind};
use skep_kernel::registry::valid_name;
use skep_kernel::supervisor::SupervisorSpec;
use skep_kernel::upgrade::UpgradeId;
use skep_kernel::{Action, Body, Caller, Limits, Mark, Name, Pid, Process, Refusal, Signal, SpawnError};

use super::guest::Guest;
use super::supervise::{Overseer, Owner};
use super::{App, Awaited, Cell, Content, Shell};
use crate::spec::{Blueprint, Console, Keep, ProcessSpec};

/// Where a process comes into the world.
pub(crate) struct Birthplace {
    pub(crate) pid: Pid,
    pub(crate) app: Arc<App>,
    /// The nearest budget above it.
    pub(crate) budget: Arc<Budget>,
    pub(crate) label: Option<Name>,
    /// Its argument, where that is not what the blueprint says.
    pub(crate) args: Option<Body>,
    pub(crate) parent: Pid,
    /// Who waits for its `init`.
    pub(crate) starter: Mark,
    pub(crate) link: bool,
    pub(crate) monitor: Option<Mark>,
    /// The guest that a supervisor belongs to, unless the app declares it.
    pub(crate) owner: Option<Owner>,
}

/// Where a process belongs, and what it counts against.
pub(super) struct Home {
    pub(super) app: Arc<App>,
    pub(super) budget: Arc<Budget>,
    pub(super) account: Account,
}

/// How a child is tied to its parent from before it runs.
#[derive(Clone, Copy, Default)]
pub(crate) struct Ties {
    pub(crate) link: bool,
    pub(crate) monitor: bool,
}

/// What makes a process the one it is.
struct Traits {
    name: Option<Name>,
    claim: Option<Claim>,
    kind: Kind,
    limits: Arc<Limits>,
    keep: Keep,
    /// The upgrade for whose end it waits.
    held: Option<UpgradeId>,
    awaited: Option<Awaited>,
}

impl Shell {
    /// Starts a process. The starter hears of it by `Started`, whatever happens.
    pub(crate) fn spawn(self: &Arc<Self>, place: Birthplace, blueprint: &Blueprint) {
        let starter = Caller { pid: place.parent, mark: place.starter };
        let born = match blueprint {
            Blueprint::Process(spec) => self.guest(place, Arc::clone(spec)),
            Blueprint::Supervisor(spec) => self.supervisor(place, spec),
        };
        if let Err(refusal) = born {
            let outcome = Err(SpawnError::Refused(refusal));
            let _ = self.deliver(starter.pid, Signal::Started { mark: starter.mark, outcome });
        }
    }

    fn guest(self: &Arc<Self>, mut place: Birthplace, spec: Arc<ProcessSpec>) -> Result<(), Refusal> {
        let Some(slot) = place.app.slot(&spec.module) else {
            return Err(Refusal::Unknown(format!("module {}", spec.module)));
        };
        // Held until the newborn is in the table, where an upgrade looks for it.
        let births = slot.births();
        let module = births.module().clone();
        if place.args.as_ref().unwrap_or(&spec.args).len() > spec.limits.body_bytes {
            return Err(Refusal::Limit("arguments larger than a body may be".into()));
        }
        let (name, claim) = (spec.name.clone(), spec.claim.clone());
        let kind = if module.runs_once() { Kind::Task } else { Kind::Server };
        let awaited = spec.awaited.clone();
        if spec.console != Console::default() && !module.is_command() {
            return Err(Refusal::Invalid(format!(
                "module {} is no command: it has no `stdin` and no `output`",
                spec.module
            )));
        }
        if awaited.is_some() && !module.is_task() {
            return Err(Refusal::Invalid(format!("module {} is no task", spec.module)));
        }
        let limits = Arc::clone(&spec.limits);
        let keep = self.policy.keep.unwrap_or(spec.keep);
        // A task ends on the code that it begins with, and waits for no other.
        let held = births.held().filter(|_| kind == Kind::Server);
        let content = Content::Guest(Guest::new(spec, module, place.args.take()));
        let cell = self.bear(place, Traits { name, claim, kind, limits, keep, held, awaited }, content)?;
        births.note(&cell);
        Ok(())
    }

    fn supervisor(self: &Arc<Self>, place: Birthplace, spec: &SupervisorSpec<Blueprint>) -> Result<(), Refusal> {
        let overseer = Overseer::new(spec, &place, self.now())?;
        let content = Content::Supervisor(Box::new(overseer));
        let traits = Traits {
            name: spec.name.clone(),
            claim: None,
            kind: Kind::Native,
            limits: native_limits(),
            keep: Keep::WhileItFits,
            held: None,
            awaited: None,
        };
        self.bear(place, traits, content).map(|_| ())
    }

    fn bear(self: &Arc<Self>, place: Birthplace, traits: Traits, content: Content) -> Result<Arc<Cell>, Refusal> {
        let account = Account::open(Arc::clone(&place.budget)).map_err(|full| Refusal::Limit(full.to_string()))?;
        let Traits { name, claim, kind, limits, keep, held, awaited } = traits;
        if let Some(name) = &name {
            valid_name(name).map_err(|why| Refusal::Invalid(why.into()))?;
        }
        let birth = Birth {
            pid: place.pid,
            kind,
            name: name.clone(),
            claim,
            parent: Some(place.parent),
            starter: Some(Caller { pid: place.parent, mark: place.starter }),
            link: place.link,
            monitor: place.monitor,
            limits,
            hibernate_after: hibernate_after(keep),
            pinned: keep == Keep::Pinned,
            secret: rand::random(),
            held,
            awaited: awaited.as_ref().map(|awaited| awaited.by),
        };
        let cell =
            self.enter(Home { app: place.app, budget: place.budget, account }, place.label.or(name), birth, content)?;
        if let Some(awaited) = &awaited {
            self.end_unless_awaited(&cell, awaited);
        }
        self.seen.spawned(&cell);
        self.schedule(Arc::clone(&cell));
        Ok(cell)
    }

    /// Puts a new process into the table, then under the name and the key it is born with. Not the other way round: whoever
    /// finds a name must reach its holder. Refused if one of them is taken; without any, never.
    pub(super) fn enter(
        self: &Arc<Self>,
        home: Home,
        label: Option<Name>,
        birth: Birth,
        content: Content,
    ) -> Result<Arc<Cell>, Refusal> {
        let mut actions: Vec<Action> = Vec::new();
        let (name, claim) = (birth.name.clone(), birth.claim.clone());
        let Home { app, budget, account } = home;
        let mut process = Process::new(birth, self.now(), &mut actions);
        process.charge_to(account);
        let cell = Cell::new(self, app, budget, label, process, content);
        self.table.insert(Arc::clone(&cell));
        // Nobody knows the pid yet, so it goes as it came.
        if let Some(name) = &name {
            cell.app.register(Arc::clone(name), cell.pid).inspect_err(|_| self.table.remove(cell.pid))?;
        }
        if let Some(Claim { via, value }) = claim {
            self.born_under(&cell, via, &value).inspect_err(|_| {
                name.iter().for_each(|name| cell.app.release(name, cell.pid));
                self.table.remove(cell.pid);
            })?;
        }
        self.perform(&cell, actions);
        Ok(cell)
    }

    fn born_under(&self, cell: &Cell, via: Via, value: &Arc<Body>) -> Result<(), Refusal> {
        let place = Place::from(via);
        cell.app.names_by(&place)?;
        self.enter_directory(&cell.app, cell.pid, &place, Keys::Unique, value)
    }

    /// Gives a process a name, if it is free and the process has none (REG-02).
    pub(super) fn name(&self, cell: &Cell, name: Name) -> Result<(), Refusal> {
        valid_name(&name).map_err(|why| Refusal::Invalid(why.into()))?;
        // Its end may come at any moment, and no lock is held over both. Before it takes the name nobody finds it by that;
        // afterwards its end releases the claim along with the name.
        cell.app.claim(Arc::clone(&name), cell.pid)?;
        cell.process.lock().take_name(Arc::clone(&name)).inspect_err(|_| cell.app.release(&name, cell.pid))?;
        let confirmed = cell.app.confirm(Arc::clone(&name), cell.pid);
        let mut process = cell.process.lock();
        match confirmed {
            Ok(false) if process.is_doomed() => Err(Refusal::Unknown("noproc".into())),
            // If not confirmed, it has given the name up itself.
            Ok(_) => Ok(()),
            Err(taken) => {
                process.drop_name(&name);
                Err(taken)
            }
        }
    }
}

/// As the kernel says it: none for ever, zero after every message.
fn hibernate_after(keep: Keep) -> Option<Duration> {
    match keep {
        Keep::WhileItFits | Keep::Pinned => None,
        Keep::Never => Some(Duration::ZERO),
        Keep::For(time) => Some(time),
    }
}

/// Bounds of the host's own processes: their tables are as large as what they supervise.
pub(super) fn native_limits() -> Arc<Limits> {
    Arc::new(Limits {
        links: usize::MAX,
        monitors: usize::MAX,
        requests: usize::MAX,
        timers: usize::MAX,
        mailbox_messages: 100_000,
        mailbox_bytes: 256 << 20,
        body_bytes: 128 << 20,
        ..Limits::default()
    })
}
