//! One process: everything of it but its instance.
//!
//! Told of signals by [`Process::deliver`], of its guest's progress by the functions of `lifecycle`, of its guest's
//! requests by those of `calls`, `relations` and `timers`. Answers what to do, and never does it. Whoever performs the
//! actions holds this process's lock while calling, and no lock at all while performing.

mod affairs;
mod aliases;
mod calls;
mod circle;
mod code_change;
mod delivery;
mod end;
mod hibernation;
mod holdings;
mod kept;
mod lifecycle;
mod links;
mod looks;
mod receiving;
mod relations;
mod system;
mod timers;
mod turns;

#[cfg(test)]
mod tests;

use std::hash::{DefaultHasher, Hasher};
use std::sync::Arc;
use std::time::Duration;

use affairs::{Affairs, Beginning};
pub use aliases::AliasMode;
pub use calls::{Callee, Waiting};
pub use circle::Search;
use kept::Kept;
pub use lifecycle::{More, Step};
use links::Links;
pub use looks::WaitsFor;
pub use receiving::{Received, Wanted};
pub use relations::{LinkRequest, MADE_UP, Monitoring, TAG_BYTES};
pub use turns::{SliceEnd, Turn};

use crate::budget::Account;
use crate::directory::Claim;
use crate::folded::Folded;
use crate::mailbox::Mailbox;
use crate::pid::NUMBER_LIMIT;
use crate::system::Statistics;
use crate::upgrade::UpgradeId;
use crate::{Address, Body, Caller, ExitReason, Limits, Mark, Name, Pid, Time};

/// What runs in a process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A guest that handles events, one at a time.
    Server,
    /// A guest that runs once and may wait in the middle.
    Task,
    /// The host's own: a supervisor, or the hands of an embedding program.
    Native,
}

/// What a process is born with.
#[derive(Clone, Debug)]
pub struct Birth {
    /// Its pid.
    pub pid: Pid,
    /// What runs in it.
    pub kind: Kind,
    /// The name it holds, which the registry has given already.
    pub name: Option<Name>,
    /// The key it is registered under, which the directory gives it before anybody knows it.
    pub claim: Option<Claim>,
    /// Who started it; a trapped exit signal of theirs is an order to shut down (GS-12).
    pub parent: Option<Pid>,
    /// Who waits for its `init`.
    pub starter: Option<Caller>,
    /// Whether it is linked to its parent, from before it runs.
    pub link: bool,
    /// The mark of its parent's monitor, in force from before it runs.
    pub monitor: Option<Mark>,
    /// Bounds.
    pub limits: Arc<Limits>,
    /// How long it may wait before its instance is given back; zero: after every message; none: for ever.
    pub hibernate_after: Option<Duration>,
    /// Whether its instance stays whoever wants it.
    pub pinned: bool,
    /// 128 random bits, from which its marks are drawn.
    pub secret: [u64; 2],
    /// The upgrade whose end it waits for before it begins.
    pub held: Option<UpgradeId>,
    /// Who awaits what it brings, where a supervisor starts it for somebody else.
    pub awaited: Option<Awaited>,
}

/// Who awaits the result of a task that a supervisor starts: tied to it from before it runs, as to a parent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Awaited {
    /// Who.
    pub by: Pid,
    /// The mark of their monitor.
    pub mark: Mark,
    /// Whether they are linked to it.
    pub link: bool,
}

impl Birth {
    /// What is known of a process that nobody has started: it has no parent and no name, and begins at once.
    #[must_use]
    pub fn without_parent(pid: Pid, kind: Kind, limits: Arc<Limits>, secret: [u64; 2]) -> Self {
        Birth {
            pid,
            kind,
            name: None,
            claim: None,
            parent: None,
            starter: None,
            link: false,
            monitor: None,
            limits,
            hibernate_after: None,
            pinned: false,
            secret,
            held: None,
            awaited: None,
        }
    }
}

/// What a process is from its birth to its end.
#[derive(Debug)]
struct Nature {
    pid: Pid,
    /// [`NOBODY`] if nobody has started it.
    parent: Pid,
    limits: Arc<Limits>,
    /// In nanoseconds, as much as 64 bits hold; [`u64::MAX`]: for ever.
    hibernate_after: u64,
    /// What its marks are drawn from, with the tag of its pid, which others may know: 64 bits that nobody does.
    secret: u64,
}

/// No process: numbers begin with 1.
const NOBODY: Pid = Pid { node: 0, id: 0, tag: 0 };

impl Nature {
    fn parent(&self) -> Option<Pid> {
        (self.parent != NOBODY).then_some(self.parent)
    }

    fn hibernate_after(&self) -> Option<Duration> {
        (self.hibernate_after != u64::MAX).then_some(Duration::from_nanos(self.hibernate_after))
    }
}

/// How far a process has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// Its `init` has not begun.
    New,
    /// Its `init` is running.
    Starting,
    /// Its `init` has returned.
    Up,
    /// It runs `terminate`, or nothing any more.
    Stopping,
    /// It has ended.
    Gone,
}

/// Where a process stands with the run queue.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Run {
    /// Nowhere: it waits for a signal.
    Idle,
    /// On the queue.
    Queued,
    /// Taken off the queue until its budget has fuel again.
    Parked,
    /// On a worker. With `stirred`, something came meanwhile that it must look at; with `spent`, it has had its turn in the
    /// middle of something, and goes on behind those who have not.
    Running { stirred: bool, spent: bool },
}

/// Somebody to be told when this process ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Watcher {
    pid: Pid,
    mark: Mark,
    why: Watch,
}

/// Why somebody watches, which decides what they are told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Watch {
    /// A monitor: a `Down`.
    Monitor,
    /// A call not yet answered: its error.
    Call,
}

/// One process: everything of it but its instance.
#[derive(Debug)]
pub struct Process {
    nature: Nature,
    /// In a box: few have one.
    name: Option<Box<Name>>,
    kind: Kind,
    pinned: bool,
    phase: Phase,
    run: Run,
    trap_exit: bool,
    /// The first exit signal that ends it (PROC-05). It ends as soon as its guest can be stopped.
    doomed: Option<ExitReason>,
    mailbox: Mailbox,
    affairs: Folded<Affairs>,
    /// The state, while there is no instance, or only one of code that has been replaced.
    saved: Option<Kept>,
    statistics: Statistics,
    links: Links,
    marks_drawn: u64,
    /// How many pids its guest has made up.
    made_up: u16,
    account: Account,
}

fn hash<const N: usize>(numbers: [u64; N]) -> u64 {
    let mut hash = DefaultHasher::new();
    numbers.into_iter().for_each(|number| hash.write_u64(number));
    hash.finish()
}

/// As many as 64 bits hold: some 584 years.
fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// A monitor that this process has set.
#[derive(Clone, Debug)]
struct Monitor {
    /// Whom it watches; none if there was nobody.
    pid: Option<Pid>,
    /// What was asked to be watched (MON-04).
    target: Address,
    /// What its loss brings along (MON-07).
    tag: Option<Body>,
}

impl Process {
    /// A process that has not run yet, already on the run queue. `actions` holds the timer of its `init`.
    pub fn new(birth: Birth, now: Time, actions: &mut Vec<crate::Action>) -> Self {
        let Birth {
            pid,
            kind,
            name,
            claim,
            parent,
            starter,
            link,
            monitor,
            limits,
            hibernate_after,
            pinned,
            secret,
            held,
            awaited,
        } = birth;
        let mut process = Process {
            nature: Nature {
                pid,
                parent: parent.unwrap_or(NOBODY),
                limits,
                hibernate_after: hibernate_after.map_or(u64::MAX, nanoseconds),
                secret: hash([secret[0], secret[1]]),
            },
            name: name.map(Box::new),
            kind,
            pinned,
            phase: Phase::New,
            run: Run::Queued,
            // The host's own live by what becomes of those they are linked to.
            trap_exit: kind == Kind::Native,
            doomed: None,
            mailbox: Mailbox::default(),
            affairs: Folded::default(),
            saved: None,
            statistics: Statistics::default(),
            links: Links::default(),
            marks_drawn: 0,
            made_up: 0,
            account: Account::default(),
        };
        if starter.is_some() || monitor.is_some() || awaited.is_some() {
            process.affairs.beginning = Some(Box::new(Beginning { starter, monitor, awaited }));
        }
        if let Some(upgrade) = held {
            process.affairs.change = code_change::Change::Suspended(upgrade);
        }
        if let Some(parent) = parent {
            if link {
                process.links.insert(parent);
            }
            if let Some(mark) = monitor {
                process.affairs.watchers.push(Watcher { pid: parent, mark, why: Watch::Monitor });
            }
        }
        if let Some(Awaited { by, mark, link }) = awaited {
            if link {
                process.links.insert(by);
            }
            process.affairs.watchers.push(Watcher { pid: by, mark, why: Watch::Monitor });
        }
        if let Some(claim) = claim {
            process.is_born_with(claim);
        }
        if !process.is_suspended() {
            process.limit_init(now, actions);
        }
        process
    }

    /// Has it count against the budgets above it. Before it has anything.
    pub fn charge_to(&mut self, account: Account) {
        self.mailbox = Mailbox::on(account.credit());
        self.account = account;
    }

    /// Its pid.
    #[must_use]
    pub fn pid(&self) -> Pid {
        self.nature.pid
    }

    /// What runs in it.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Its bounds.
    #[must_use]
    pub fn limits(&self) -> &Arc<Limits> {
        &self.nature.limits
    }

    /// Gives it other bounds. What it has already beyond them it keeps; what would come on top is refused. Its instance
    /// keeps the memory, the fuel and the size of bodies that it was made with.
    pub fn set_limits(&mut self, limits: Arc<Limits>) {
        self.nature.limits = limits;
    }

    /// The name it holds.
    #[must_use]
    pub fn name(&self) -> Option<&Name> {
        self.name.as_deref()
    }

    /// Its queue, to be looked at.
    #[must_use]
    pub fn mailbox(&self) -> &Mailbox {
        &self.mailbox
    }

    /// Whether it has ended.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.phase == Phase::Gone
    }

    /// Whether it has ended or an exit signal will end it: what `is it alive?` must deny (PROC-06).
    #[must_use]
    pub fn is_doomed(&self) -> bool {
        self.doomed.is_some() || self.is_gone()
    }

    /// The exit signal that ends it as soon as its guest can be stopped.
    #[must_use]
    pub fn doom(&self) -> Option<&ExitReason> {
        self.doomed.as_ref()
    }

    /// The size of its saved state in bytes; none while it has an instance.
    #[must_use]
    pub fn saved_bytes(&self) -> Option<usize> {
        self.saved.as_ref().map(Kept::len)
    }

    /// What it is doing, in a word.
    #[must_use]
    pub fn status(&self) -> &'static str {
        match (self.phase, self.run) {
            (Phase::Gone, _) => "gone",
            (Phase::Stopping, _) => "stopping",
            (Phase::New | Phase::Starting, _) => "starting",
            (Phase::Up, _) if self.is_suspended() => "suspended",
            (Phase::Up, Run::Queued) => "runnable",
            (Phase::Up, Run::Parked) => "throttled",
            (Phase::Up, Run::Running { .. }) => "running",
            (Phase::Up, Run::Idle) if self.is_blocked() => "blocked",
            (Phase::Up, Run::Idle) if self.saved.is_some() => "hibernating",
            (Phase::Up, Run::Idle) => "waiting",
        }
    }

    /// A number that nobody else can guess and that this process uses for nothing else at the moment.
    fn draw_mark(&mut self) -> Mark {
        loop {
            let mark = Mark(hash([self.nature.secret, self.nature.pid.tag, self.marks_drawn]) % NUMBER_LIMIT);
            self.marks_drawn += 1;
            let used = self.affairs.requests.contains_key(&mark)
                || self.affairs.timers.get(mark).is_some()
                || self.affairs.monitors.contains_key(&mark)
                || self.affairs.holdings.as_ref().is_some_and(|holdings| holdings.watches(mark))
                || self.affairs.aliases.contains_key(&mark);
            if !used {
                return mark;
            }
        }
    }
}
