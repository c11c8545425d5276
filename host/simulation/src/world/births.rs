//! Births, and the gate through which the processes of a module come: as in `spawn.rs` and `modules.rs` of the shell.

use skep_kernel::directory::{Claim, Place};
use skep_kernel::process::{Birth, Kind};
use skep_kernel::supervisor::SupervisorSpec;
use skep_kernel::upgrade::UpgradeId;
use skep_kernel::{Limits, Refusal, Signal, SpawnError, State};

use super::*;

/// What a process is made from.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Blueprint {
    Guest(Arc<GuestSpec>),
    Supervisor(Arc<SupervisorSpec<Blueprint>>),
}

/// A guest, before it is born.
#[derive(Debug, PartialEq)]
pub(super) struct GuestSpec {
    pub(super) module: usize,
    pub(super) is_task: bool,
    pub(super) name: Option<Name>,
    /// The key of a registry that it holds from its birth on.
    pub(super) claim: Option<Claim>,
    pub(super) hibernate_after: Option<Duration>,
    pub(super) limits: Arc<Limits>,
    pub(super) traps: bool,
    /// Its starts fail, once in so many times.
    pub(super) fails: usize,
    /// Its `init` and its `terminate` take so many steps.
    pub(super) slowness: usize,
}

/// A process that is to be born.
pub(super) struct Born {
    pub(super) pid: Pid,
    pub(super) blueprint: Blueprint,
    pub(super) label: Option<Name>,
    pub(super) parent: Pid,
    pub(super) starter: Mark,
    pub(super) link: bool,
    pub(super) monitor: Option<Mark>,
    pub(super) in_turn: bool,
}

/// A module: the code that processes begin on, and the gate.
pub(super) struct Slot {
    pub(super) code: u32,
    pub(super) gate: Gate,
    /// An old state, for a planted defect.
    pub(super) stale: Option<(Pid, State)>,
}

pub(super) enum Gate {
    Open,
    /// Who was born meanwhile.
    Closed(UpgradeId, Vec<Pid>),
}

impl Slot {
    pub(super) fn new() -> Self {
        Slot { code: 10, gate: Gate::Open, stale: None }
    }
}

impl World {
    pub(super) fn new_pid(&mut self) -> Pid {
        self.pids += 1;
        Pid { node: 0, id: self.pids, tag: self.pids * 7919 }
    }

    /// A process comes into the world. Its starter hears of it, whatever happens.
    pub(super) fn bear(&mut self, lane: usize, born: Born) {
        let (parent, starter) = (born.parent, born.starter);
        if let Err(refusal) = self.enter(lane, born) {
            let outcome = Err(SpawnError::Refused(refusal));
            let _ = self.hand_over(lane, parent, Signal::Started { mark: starter, outcome });
        }
    }

    fn enter(&mut self, lane: usize, born: Born) -> Result<(), Refusal> {
        let Born { pid, blueprint, label, parent, starter, link, monitor, in_turn } = born;
        let (mut kind, mut name, mut claim, mut limits, mut hibernate_after, mut held) =
            (Kind::Native, None, None, native_limits(), None, None);
        let content = match &blueprint {
            Blueprint::Guest(spec) => {
                kind = if spec.is_task { Kind::Task } else { Kind::Server };
                (name, limits, hibernate_after) = (spec.name.clone(), Arc::clone(&spec.limits), spec.hibernate_after);
                claim = spec.claim.clone();
                let slot = &self.slots[spec.module];
                held = match &slot.gate {
                    Gate::Closed(upgrade, _) if kind == Kind::Server => Some(*upgrade),
                    _ => None,
                };
                Content::Guest(Box::new(Guest::new(Arc::clone(spec), slot.code)))
            }
            Blueprint::Supervisor(spec) => {
                Content::Overseer(Box::new(Overseer::new(spec).map_err(|error| Refusal::Invalid(error.to_string()))?))
            }
        };
        let true_limits = Arc::clone(&limits);
        if kind != Kind::Native && self.strikes(Bug::WiderLimits) {
            limits = native_limits();
        }
        let birth = Birth {
            pid,
            kind,
            name: name.clone(),
            claim: claim.clone(),
            parent: Some(parent),
            starter: Some(skep_kernel::Caller { pid: parent, mark: starter }),
            link,
            monitor,
            limits,
            hibernate_after,
            pinned: false,
            secret: [pid.tag, self.plan.seed],
            held,
            awaited: None,
        };
        if let Some(name) = &name {
            self.names.register(Arc::clone(name), pid).map_err(|taken| Refusal::Taken(taken.0))?;
        }
        if let Some(Claim { via, value }) = claim {
            self.born_under(lane, pid, &Place::from(via), &value).inspect_err(|_| {
                name.iter().for_each(|name| self.names.release(name, pid));
            })?;
        }
        let mut actions = Vec::new();
        let process = Process::new(birth, self.now, &mut actions);
        let mut account = Account { traps: kind == Kind::Native, ..Account::default() };
        if link && let Some(cell) = self.cells.get_mut(&parent.id) {
            account.links.insert(parent);
            cell.account.links.insert(pid);
        }
        let cell = Cell {
            pid,
            process,
            content,
            account,
            listed: true,
            on_worker: false,
            parent: Some(parent),
            label,
            ready: false,
            in_turn,
            limits: true_limits,
        };
        self.cells.insert(pid.id, cell);
        self.figures.births += 1;
        if let (Blueprint::Guest(spec), Kind::Server) = (&blueprint, kind)
            && let Gate::Closed(_, late) = &mut self.slots[spec.module].gate
        {
            late.push(pid);
        }
        self.note(|world| format!("{} is born", world.name_of(pid)));
        self.lanes[lane].duties.extend(actions.into_iter().map(|action| Duty::Act { owner: pid, action }));
        self.lanes[lane].duties.push_back(Duty::Schedule(pid));
        Ok(())
    }
}

/// Bounds of the host's own processes.
pub(super) fn native_limits() -> Arc<Limits> {
    Arc::new(Limits {
        links: usize::MAX,
        monitors: usize::MAX,
        requests: usize::MAX,
        timers: usize::MAX,
        mailbox_messages: 100_000,
        ..Limits::default()
    })
}
