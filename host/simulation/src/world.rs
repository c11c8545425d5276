//! A node without threads: processes in a table, names, a clock that stands until it is moved, and whoever performs.
//!
//! Performs the kernel's actions by the rules of the runtime's shell (`host/runtime/src/shell`). Whoever is a thread there
//! is a lane here: a duty is done at its front, what follows from it goes to its back, and its owner goes on only when it
//! is empty. In each step one lane, which the dice choose, goes one duty further.

mod audit;
mod births;
mod coordinator;
mod deliver;
mod directory;
mod guest;
mod operator;
mod overseer;
mod rolls;
mod rooms;
mod script;
mod seen;
mod system;
mod turns;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use skep_kernel::directory::Directory;
use skep_kernel::process::Turn;
use skep_kernel::registry::Registry;
use skep_kernel::timer_queue::{TimerKey, TimerQueue};
use skep_kernel::{Action, Alias, AliasSeal, Body, ExitReason, Mark, Name, Pid, Process, Time};

use crate::account::{Account, Wrong};
use crate::{Bug, Dice, Feature, Figures, Invariant, Plan, Violation};

use births::{Born, Slot};
use coordinator::Coordinator;
use deliver::Duty;
use guest::Guest;
use operator::Operator;
use overseer::Overseer;
use rooms::Rooms;

/// Lines of the trace that are kept.
const TRACE_LINES: usize = 2_000;

/// One process as the simulation holds it.
pub(crate) struct Cell {
    pub(crate) pid: Pid,
    pub(crate) process: Process,
    pub(crate) content: Content,
    pub(crate) account: Account,
    /// Whether signals still find it.
    listed: bool,
    /// Whether a worker has it.
    on_worker: bool,
    parent: Option<Pid>,
    /// Its child id.
    label: Option<Name>,
    /// It has told its starter that it is up.
    ready: bool,
    /// Its supervisor starts it as one of several, one after the other.
    in_turn: bool,
    /// The limits that it should have.
    limits: Arc<skep_kernel::Limits>,
}

/// What runs in a process.
pub(crate) enum Content {
    Guest(Box<Guest>),
    Overseer(Box<Overseer>),
    Operator,
}

/// Who performs.
struct Lane {
    role: Role,
    duties: VecDeque<Duty>,
    /// The pair of processes that is being linked or unlinked here.
    pair: Option<(Pid, Pid)>,
    /// How likely it is to be chosen, against the others.
    weight: usize,
}

enum Role {
    Worker(Option<Taken>),
    Clock,
    Coordinator,
    Operator,
}

/// A process that a worker has.
struct Taken {
    pid: Pid,
    stage: Stage,
}

/// How far a turn is.
enum Stage {
    Begin,
    Drive,
    Leave,
    End(ExitReason),
    Vanished(ExitReason),
    Ended,
}

/// What a turn comes to.
pub(crate) enum Flow {
    /// There is more to do at once.
    On,
    /// The turn is over.
    Over,
    /// The process ends.
    Ends(ExitReason),
}

/// Whether anybody could do anything.
#[derive(PartialEq, Eq)]
pub(crate) enum Progress {
    Made,
    /// Until time passes, nobody has anything to do.
    None,
}

pub(crate) struct World {
    plan: Plan,
    pub(crate) dice: Dice,
    pub(crate) now: Time,
    pub(crate) cells: BTreeMap<u64, Cell>,
    names: Registry,
    directory: Directory,
    /// What must be in the directory.
    rolls: rolls::Rolls,
    seal: AliasSeal,
    /// Aliases that guests have heard of, open or not.
    aliases: VecDeque<Alias>,
    clock: TimerQueue<(Pid, Mark)>,
    keys: BTreeMap<(u64, Mark), TimerKey>,
    queue: Vec<Pid>,
    lanes: Vec<Lane>,
    rooms: Rooms,
    slots: Vec<Slot>,
    coordinator: Option<Coordinator>,
    upgrades: u64,
    operator: Operator,
    system: system::Asked,
    pids: u64,
    numbers: u64,
    /// A message held back by a planted defect.
    held_back: Option<(Pid, skep_kernel::Signal)>,
    /// Duties that a planted defect puts off.
    late: Vec<Duty>,
    /// How long time stands still, in steps, and how far it moves then, in milliseconds.
    pace: (usize, u64),
    /// Times that a planted defect lets pass before it strikes; none when it has.
    fuse: Option<usize>,
    /// What guests do most, if anything.
    theme: Option<Feature>,
    /// Nothing new is begun any more.
    winding_down: bool,
    pub(crate) steps: u64,
    pub(crate) figures: Figures,
    pub(crate) violation: Option<Violation>,
    trace: Option<VecDeque<String>>,
}

impl World {
    pub(crate) fn new(plan: &Plan, traced: bool) -> Self {
        let mut dice = plan.dice();
        let workers = 1 + dice.below(4);
        let mut roles: Vec<Role> = (0..workers).map(|_| Role::Worker(None)).collect();
        roles.extend([Role::Clock, Role::Coordinator, Role::Operator]);
        let lane = |role| Lane { role, duties: VecDeque::new(), pair: None, weight: 1 };
        let pace = (dice.pick(&[8, 64, 256]), dice.pick(&[1, 3, 40]));
        let capacity = if plan.has(Feature::Hibernation) { dice.pick(&[2, 4, 8, 1000]) } else { 1000 };
        let fuse = plan.bug.map(|_| dice.pick(&[0, 1, 2, 5, 10, 19]));
        let themes =
            [Feature::Calls, Feature::Aliases, Feature::Directory, Feature::Directory, Feature::Alive, Feature::Locks];
        let theme = dice.one_in(2).then(|| dice.pick(&themes));
        World {
            plan: plan.clone(),
            now: Duration::ZERO,
            cells: BTreeMap::new(),
            names: Registry::default(),
            directory: Directory::default(),
            rolls: rolls::Rolls::default(),
            seal: AliasSeal::new([plan.seed, 1]),
            aliases: VecDeque::new(),
            clock: TimerQueue::new(),
            keys: BTreeMap::new(),
            queue: Vec::new(),
            lanes: roles.into_iter().map(lane).collect(),
            rooms: Rooms::new(capacity),
            slots: vec![Slot::new(), Slot::new()],
            coordinator: None,
            upgrades: 0,
            operator: Operator::default(),
            system: system::Asked::default(),
            pids: 0,
            numbers: 0,
            held_back: None,
            late: Vec::new(),
            pace,
            fuse,
            theme,
            winding_down: false,
            steps: 0,
            figures: Figures::default(),
            violation: None,
            trace: traced.then(VecDeque::new),
            dice,
        }
    }

    pub(crate) fn has(&self, feature: Feature) -> bool {
        self.plan.has(feature)
    }

    /// Whether a planted defect strikes here and now.
    fn strikes(&mut self, bug: Bug) -> bool {
        if self.plan.bug != Some(bug) {
            return false;
        }
        match self.fuse {
            Some(0) => {
                self.fuse = None;
                self.note(|_| format!("*** {bug:?} strikes"));
                true
            }
            Some(left) => {
                self.fuse = Some(left - 1);
                false
            }
            None => false,
        }
    }

    /// The planted defect is one that goes on for good.
    fn suffers(&self, bug: Bug) -> bool {
        self.plan.bug == Some(bug)
    }

    pub(crate) fn violated(&mut self, invariant: Invariant, what: impl Into<String>) {
        if self.violation.is_none() {
            let what = what.into();
            self.note(|_| format!("!!! {invariant:?}: {what}"));
            self.violation = Some(Violation { invariant, what, step: self.steps });
        }
    }

    fn check(&mut self, who: Pid, result: Result<(), Wrong>) {
        if let Err((invariant, what)) = result {
            self.violated(invariant, format!("{who}: {what}"));
        }
    }

    /// A line of the trace.
    fn note(&mut self, line: impl FnOnce(&World) -> String) {
        if self.trace.is_none() {
            return;
        }
        let line = format!("{:>6} {:>8.3}s  {}", self.steps, self.now.as_secs_f64(), line(self));
        if let Some(trace) = &mut self.trace {
            if trace.len() == TRACE_LINES {
                trace.pop_front();
            }
            trace.push_back(line);
        }
    }

    pub(crate) fn into_trace(self) -> Vec<String> {
        self.trace.unwrap_or_default().into()
    }

    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    fn cell(&mut self, pid: Pid) -> &mut Cell {
        self.cells.get_mut(&pid.id).expect("a process that a lane is at work for")
    }

    fn guest(&mut self, pid: Pid) -> &mut Guest {
        match &mut self.cell(pid).content {
            Content::Guest(guest) => guest,
            Content::Overseer(_) | Content::Operator => unreachable!("only guests are driven"),
        }
    }

    fn overseer(&mut self, pid: Pid) -> &mut Overseer {
        match &mut self.cell(pid).content {
            Content::Overseer(overseer) => overseer,
            Content::Guest(_) | Content::Operator => unreachable!("it is a supervisor"),
        }
    }

    fn is_alive(&self, pid: Pid) -> bool {
        self.cells.get(&pid.id).is_some_and(|cell| cell.pid == pid && !cell.process.is_gone())
    }

    /// One transition of a process; what follows is performed by `lane`.
    fn transition<T>(
        &mut self,
        lane: usize,
        pid: Pid,
        change: impl FnOnce(&mut Process, Time, &mut Vec<Action>) -> T,
    ) -> T {
        let (mut actions, now) = (Vec::new(), self.now);
        let result = change(&mut self.cell(pid).process, now, &mut actions);
        self.lanes[lane].duties.extend(actions.into_iter().map(|action| Duty::Act { owner: pid, action }));
        result
    }

    /// How the trace calls a process.
    fn name_of(&self, pid: Pid) -> String {
        let label = self.cells.get(&pid.id).and_then(|cell| cell.label.clone());
        label.map_or_else(|| pid.to_string(), |label| format!("{label}{pid}"))
    }

    /// The next moment at which something is due.
    pub(crate) fn next_moment(&self) -> Option<Time> {
        let upgrade = self.coordinator.as_ref().map(Coordinator::deadline);
        self.clock.next_at().into_iter().chain(upgrade).min()
    }

    /// Time passes until then.
    pub(crate) fn pass(&mut self, until: Time) {
        self.now = self.now.max(until);
    }
}

/// The body of a numbered message.
fn body(kind: char, from: u64, number: u64) -> Body {
    Body::Text(format!("{kind}{from}.{number}"))
}

/// What a numbered message says: its kind, whom it is from, and its number.
fn read(body: &Body) -> Option<(char, u64, u64)> {
    let Body::Text(text) = body else { return None };
    let mut letters = text.chars();
    let kind = letters.next()?;
    let (from, number) = letters.as_str().split_once('.')?;
    Some((kind, from.parse().ok()?, number.parse().ok()?))
}

/// Those of some processes that are alive, to choose among.
type Pids = Vec<Pid>;

/// Who has been told to end by request, by child id.
type Ids = BTreeSet<Name>;
