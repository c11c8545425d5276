//! What stands in for the host while a guest is tested natively.
//!
//! Owns all that there is around the one process under test, and a record of what it did; what that does with it is in the
//! files below. Never runs a second process: the test says what others answer. Called by `imports`, and by the harness.

mod entries;
mod inbox;
mod starting;
mod talking;
mod tasks;
mod ties;
mod timers;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use super::action::Action;
use super::directory::{Directory, Table};
use super::played::{Played, Playing};
use crate::host::links::MonitorAlias;
use crate::supervision::{Ask, Reply, SupervisionError};
use crate::sys::{self, SystemError};
use crate::types::{Address, Body, CallError, Caller, Event, ExitReason, Mark, Pid, Refusal};

/// The number that the aliases of the process under test have.
const OWN_ALIASES: u64 = 1;

/// The payload with which `stop` leaves the guest's code.
pub(crate) struct Stopped(pub(crate) ExitReason);

type OnCall = Box<dyn FnMut(&Address, Body) -> Result<Body, CallError>>;
type OnAsk = Box<dyn FnMut(&Address, &Ask) -> Result<Reply, SupervisionError>>;
type OnSystem = Box<dyn FnMut(&Address, &sys::Ask) -> Result<sys::Reply, SystemError>>;
type OnStop = Box<dyn FnMut(&Address, &ExitReason) -> Result<ExitReason, CallError>>;
type OnSpawn = Box<dyn FnMut(&str, Body) -> Result<Pid, ExitReason>>;
type OnTask = Box<dyn FnMut(&str, Body) -> Played>;

/// The surroundings of a process under test.
pub struct World {
    pub(crate) me: Pid,
    pub(crate) now_ms: u64,
    pub(crate) inbox: VecDeque<Event>,
    pub(crate) current: Option<Caller>,
    pub(crate) replies: HashMap<Mark, Body>,
    pub(crate) names: BTreeMap<String, Pid>,
    pub(crate) directory: Directory,
    pub(crate) traps_exits: bool,
    pub(crate) actions: Vec<Action>,
    /// False while a state is saved or restored.
    pub(crate) may_act: bool,
    /// The exit signal of a link that ends the process under test.
    pub(crate) doomed: Option<ExitReason>,
    /// Requests that have no answer yet.
    open: BTreeSet<Mark>,
    playing: Vec<Playing>,
    on_task: Option<OnTask>,
    monitors: BTreeMap<Mark, (Address, Option<Body>)>,
    aliases: BTreeMap<Mark, MonitorAlias>,
    dead: Vec<Pid>,
    timers: BTreeMap<Mark, timers::Timer>,
    on_call: OnCall,
    on_stop: OnStop,
    on_spawn: Option<OnSpawn>,
    on_ask: Option<OnAsk>,
    on_system: OnSystem,
    last_mark: Mark,
    last_call: Mark,
    last_id: u64,
}

impl Default for World {
    fn default() -> World {
        World {
            me: Pid { node: 0, id: 1, tag: 0xa11ce },
            now_ms: 0,
            inbox: VecDeque::new(),
            current: None,
            replies: HashMap::new(),
            names: BTreeMap::new(),
            directory: Directory::default(),
            traps_exits: false,
            actions: Vec::new(),
            may_act: true,
            doomed: None,
            open: BTreeSet::new(),
            playing: Vec::new(),
            on_task: None,
            monitors: BTreeMap::new(),
            aliases: BTreeMap::new(),
            dead: Vec::new(),
            timers: BTreeMap::new(),
            on_call: Box::new(|_, _| Err(CallError::Ended(ExitReason::Noproc))),
            on_stop: Box::new(|_, _| Err(CallError::Ended(ExitReason::Noproc))),
            on_spawn: None,
            on_ask: None,
            on_system: Box::new(|_, _| Err(SystemError::Refused(Refusal::Denied("control".to_owned())))),
            last_mark: 0,
            last_call: 0,
            last_id: 1,
        }
    }
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").field("now_ms", &self.now_ms).field("actions", &self.actions).finish_non_exhaustive()
    }
}

impl World {
    /// Nobody else, no names, time zero.
    pub fn new() -> World {
        World::default()
    }

    /// What others reply to calls. Unless told, nobody is there: `Noproc`.
    #[must_use]
    pub fn on_call(self, reply: impl FnMut(&Address, Body) -> Result<Body, CallError> + 'static) -> World {
        World { on_call: Box::new(reply), ..self }
    }

    /// With which reason others end that are told to stop. Unless told, nobody is there: `Noproc`.
    #[must_use]
    pub fn on_stop(self, stop: impl FnMut(&Address, &ExitReason) -> Result<ExitReason, CallError> + 'static) -> World {
        World { on_stop: Box::new(stop), ..self }
    }

    /// What becomes of children. Unless told, each gets a new pid.
    #[must_use]
    pub fn on_spawn(self, start: impl FnMut(&str, Body) -> Result<Pid, ExitReason> + 'static) -> World {
        World { on_spawn: Some(Box::new(start)), ..self }
    }

    /// What becomes of tasks: of children that are started with a monitor, and of tasks that supervisors start (the name of
    /// the module is empty where their template says it). Unless told, they are like other children.
    #[must_use]
    pub fn on_task(self, play: impl FnMut(&str, Body) -> Played + 'static) -> World {
        World { on_task: Some(Box::new(play)), ..self }
    }

    /// What supervisors answer. Unless told, they start each child with a new pid, do what they are asked, and list nobody.
    #[must_use]
    pub fn on_ask(self, answer: impl FnMut(&Address, &Ask) -> Result<Reply, SupervisionError> + 'static) -> World {
        World { on_ask: Some(Box::new(answer)), ..self }
    }

    /// What servers answer to system messages. Unless told, control is not granted.
    #[must_use]
    pub fn on_system(
        self,
        answer: impl FnMut(&Address, &sys::Ask) -> Result<sys::Reply, SystemError> + 'static,
    ) -> World {
        World { on_system: Box::new(answer), ..self }
    }

    /// A name that somebody holds.
    #[must_use]
    pub fn named(mut self, name: &str, pid: Pid) -> World {
        self.names.insert(name.to_owned(), pid);
        self
    }

    /// A registry whose keys may have several entries. All others are unique.
    #[must_use]
    pub fn duplicate(mut self, registry: &str) -> World {
        self.directory.is_duplicate(registry);
        self
    }

    /// What a task under test did; a server's harness tells it.
    pub fn take_actions(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.actions)
    }

    /// The process under test.
    pub fn me(&self) -> Pid {
        self.me
    }

    pub(crate) fn note(&mut self, action: Action) {
        self.actions.push(action);
    }

    pub(crate) fn mark(&mut self) -> Mark {
        self.last_mark += 1;
        self.last_mark
    }

    /// A call by somebody else, whose marks are no business of this process.
    pub(crate) fn caller(&mut self) -> Caller {
        self.last_call += 1;
        Caller { pid: self.pid(), mark: self.last_call }
    }

    /// A pid of nobody in particular.
    pub fn pid(&mut self) -> Pid {
        self.last_id += 1;
        Pid { node: 0, id: self.last_id, tag: 0xb0b }
    }

    /// Whom an address means, as far as a world with one process knows: an alias that is not its own is somebody else's.
    fn holder(&self, address: &Address) -> Option<Pid> {
        match address {
            Address::Pid(pid) => Some(*pid),
            Address::Name(name) => self.names.get(name).copied(),
            Address::Via(via) => {
                let table = Table::Registry(via.registry.clone());
                self.directory.find(&table, &via.key).first().map(|entry| entry.pid)
            }
            Address::Alias(alias) if alias.id == OWN_ALIASES => {
                self.aliases.contains_key(&alias.tag).then_some(self.me)
            }
            Address::Alias(_) => Some(Pid { node: 0, id: 0, tag: 0 }),
        }
    }

    /// Of others, whatever the test says to be dead is.
    pub(crate) fn is_alive(&self, pid: Pid) -> bool {
        !self.dead.contains(&pid)
    }

    /// A process that has ended.
    #[must_use]
    pub fn dead(mut self, pid: Pid) -> World {
        self.dead.push(pid);
        self
    }

    /// What the clock says.
    pub fn now(&self) -> Duration {
        Duration::from_millis(self.now_ms)
    }
}

thread_local! {
    static WORLD: RefCell<Option<World>> = const { RefCell::new(None) };
}

/// Runs guest code in a world, and gives both back; the world also if the code stopped the process.
pub(crate) fn inside<R>(world: &mut World, code: impl FnOnce() -> R) -> Result<R, ExitReason> {
    let outer = WORLD.replace(Some(std::mem::take(world)));
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(code));
    *world = WORLD.replace(outer).unwrap_or_default();
    outcome.map_err(|panic| match panic.downcast::<Stopped>() {
        Ok(stopped) => stopped.0,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}

/// The world of this thread, while it is asked something; meanwhile the test may run another process in one of its own.
struct Asked(Option<World>);

impl Drop for Asked {
    fn drop(&mut self) {
        WORLD.set(self.0.take());
    }
}

/// What may be asked at any time.
pub(crate) fn look<R>(ask: impl FnOnce(&mut World) -> R) -> R {
    match &mut Asked(WORLD.take()).0 {
        Some(world) => ask(world),
        None => panic!("there is no host here: outside Wasm a guest runs in skep_sdk::testing"),
    }
}

/// What may not be done while a state is saved or restored.
pub(crate) fn act<R>(act: impl FnOnce(&mut World) -> R) -> R {
    look(|world| {
        assert!(world.may_act, "a state hook must not act: only the log and `me` work there");
        act(world)
    })
}
