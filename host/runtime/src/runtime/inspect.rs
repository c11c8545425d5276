//! One process, looked at from all sides at one moment.

use std::sync::Arc;
use std::time::SystemTime;

use skep_kernel::process::WaitsFor;
use skep_kernel::{Address, Event, Pid};

use super::Runtime;
use crate::inspect::{Code, Inspection, Mail, Rights, Suspended, Waits, Watched};
use crate::shell::{Cell, Content, Shell};

/// Ties of a kind that are listed; how many there are is said.
const LISTED: usize = 100;
/// Events of the mailbox that are listed.
const OLDEST: usize = 10;

impl Runtime {
    /// One process, from all sides but its state, which [`Runtime::state`] tells. None if there is no such process.
    #[must_use]
    pub fn inspect(&self, pid: Pid) -> Option<Inspection> {
        let shell = &self.inner.shell;
        let cell = shell.table.get(pid)?;
        // Under the lock of this one process pids are noted; who they are is looked up afterwards.
        let seen = Seen::of(&cell);
        let parent = seen.parent.map(|pid| shell.peer(pid));
        let age = cell.age(shell.now());
        let process = super::info(&cell);
        Some(Inspection {
            path: shell.path(&cell),
            parent,
            started: SystemTime::now().checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH),
            restarts: restarts(shell, &cell, seen.parent),
            links: shell.peers(seen.links, LISTED),
            monitors: seen.monitors.into_iter().map(|(target, pid)| watched(shell, target, pid)).collect(),
            monitored_by: shell.peers(seen.monitored_by, LISTED),
            callers: shell.peers(seen.callers, LISTED),
            oldest: seen.oldest,
            handling: seen.handling,
            waits_for: seen.waits_for.map(|waits| match waits {
                WaitsFor::Reply(of) => Waits::Reply(of.map(|pid| shell.peer(pid))),
                WaitsFor::Start(of) => Waits::Start(of.map(|pid| shell.peer(pid))),
                WaitsFor::Message => Waits::Message,
                WaitsFor::Supervisor => Waits::Supervisor,
            }),
            suspended: seen.suspended,
            traps_exits: seen.traps_exits,
            limits: Arc::clone(cell.process.lock().limits()),
            process,
        })
    }
}

impl Runtime {
    /// What a guest may do, and where that comes from. None if there is no such process, or it is no guest.
    #[must_use]
    pub fn rights(&self, pid: Pid) -> Option<Rights> {
        let shell = &self.inner.shell;
        let cell = shell.table.get(pid)?;
        let Content::Guest(guest) = &cell.content else { return None };
        let grants = Arc::clone(&guest.spec.grants);
        let imports = guest.module().imports().to_vec();
        Some(Rights {
            module: Arc::clone(&guest.spec.module),
            of_module: cell.app.module(&guest.spec.module).map(|module| module.grants).unwrap_or_default(),
            from: starter(shell, &cell).map(|pid| shell.peer(pid)),
            refused: imports.into_iter().filter(|import| grants.refuse(import)).collect(),
            grants,
        })
    }
}

/// The guest in whose name a process was started.
fn starter(shell: &Shell, cell: &Cell) -> Option<Pid> {
    let parent = cell.process.lock().parent()?;
    match &shell.table.get(parent)?.content {
        Content::Guest(_) => Some(parent),
        Content::Supervisor(overseer) => overseer.owner(),
        Content::Client(_) => None,
    }
}

/// What is read under the lock.
struct Seen {
    parent: Option<Pid>,
    links: Vec<Pid>,
    monitors: Vec<(Address, Option<Pid>)>,
    monitored_by: Vec<Pid>,
    callers: Vec<Pid>,
    oldest: Vec<Mail>,
    handling: Option<&'static str>,
    waits_for: Option<WaitsFor>,
    suspended: Option<Suspended>,
    traps_exits: bool,
}

impl Seen {
    fn of(cell: &Cell) -> Seen {
        let process = cell.process.lock();
        let mail = |event: &Event| Mail { kind: event.kind(), bytes: event.len() };
        Seen {
            parent: process.parent(),
            links: process.links().take(LISTED).collect(),
            monitors: process.monitors().take(LISTED).map(|(target, pid)| (target.clone(), pid)).collect(),
            monitored_by: process.monitored_by().take(LISTED).collect(),
            callers: process.callers().take(LISTED).collect(),
            oldest: process.mailbox().oldest().take(OLDEST).map(mail).collect(),
            handling: process.handling(),
            waits_for: process.waits_for(),
            suspended: match (process.is_held(), process.is_suspended()) {
                (true, _) => Some(Suspended::ByOperator),
                (false, true) => Some(Suspended::ByUpgrade),
                (false, false) => None,
            },
            traps_exits: process.traps_exits(),
        }
    }
}

fn watched(shell: &Shell, target: Address, pid: Option<Pid>) -> Watched {
    let name = match target {
        Address::Name(name) => Some(name),
        Address::Via(via) => Some(via.to_string().into()),
        Address::Pid(_) | Address::Alias(_) => None,
    };
    Watched { name, peer: pid.map(|pid| shell.peer(pid)) }
}

pub(super) fn usage(cell: &Cell) -> Option<&crate::shell::Usage> {
    match &cell.content {
        Content::Guest(guest) => Some(&guest.usage),
        Content::Supervisor(_) | Content::Client(_) => None,
    }
}

/// What a guest runs.
pub(super) fn code(cell: &Cell) -> Option<Code> {
    let Content::Guest(guest) = &cell.content else { return None };
    let module = guest.module();
    Some(Code { version: module.shape().map(|shape| shape.version), digest: module.digest().to_owned() })
}

/// How often its supervisor has restarted it; none if nobody would.
fn restarts(shell: &Shell, cell: &Cell, parent: Option<Pid>) -> Option<u64> {
    let above = shell.table.get(parent?)?;
    let Content::Supervisor(overseer) = &above.content else { return None };
    let children = overseer.children();
    let is_it = |pid: Option<Pid>| pid == Some(cell.pid);
    children.iter().find(|(child, _)| is_it(child.status.pid())).map(|(child, _)| child.restarts)
}
