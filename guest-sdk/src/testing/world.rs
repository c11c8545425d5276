//! What stands in for the host while a guest is tested natively.
//!
//! Owns a virtual clock, the timers, the names, the inbox of the one process under test, and a record of what it did.
//! Never runs a second process: the test says what others answer. Called by `imports`, and by the harness.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use super::action::Action;
use super::directory::{Directory, Table};
use super::played::{Played, Playing};
use crate::host::inbox::Seen;
use crate::host::links::{MonitorAlias, Watch};
use crate::host::spawning;
use crate::host::topics::Audience;
use crate::supervision::{Ask, Counts, Reply, SupervisionError, Supervisor, What};
use crate::sys::{self, SystemError};
use crate::types::{
    Address, Alarm, Alias, Answer, Body, CallError, Caller, Change, Ended, Event, ExitReason, Lost, Mark, Pid, Refusal,
};

struct Timer {
    due_ms: u64,
    /// None: an alarm for the process itself.
    to: Option<Address>,
    body: Body,
}

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
    timers: BTreeMap<Mark, Timer>,
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

    /// An entry that somebody has in a registry, under a key as JSON.
    ///
    /// # Errors
    ///
    /// Who holds the key, if it is unique.
    pub fn registered(&mut self, registry: &str, key: &str, pid: Pid, value: Body) -> Result<(), Refusal> {
        self.enroll(Table::Registry(registry.to_owned()), key, pid, value)
    }

    /// Somebody who joins a group.
    pub fn joined(&mut self, scope: &str, group: &str, pid: Pid) {
        // Nobody holds a group.
        let _ = self.enroll(Table::Scope(scope.to_owned()), group, pid, Body::Json("null".to_owned()));
    }

    /// Somebody who subscribes to a topic.
    pub fn subscribed(&mut self, topic: &str, pid: Pid) {
        // Nobody holds a topic.
        let _ = self.enroll(Table::Topics, topic, pid, Body::Json("null".to_owned()));
    }

    /// Somebody who ends, with all entries.
    pub fn gone(&mut self, pid: Pid) {
        for told in self.directory.remove_all(pid) {
            self.inbox.push_back(Event::Change(told));
        }
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

    /// An entry of any process; if this one watches, it is told.
    pub(crate) fn enroll(&mut self, table: Table, key: &str, pid: Pid, value: Body) -> Result<(), Refusal> {
        let told = self.directory.add(table, key, pid, value)?;
        self.inbox.extend(told.into_iter().map(Event::Change));
        Ok(())
    }

    pub(crate) fn withdraw(&mut self, table: &Table, key: &str, pid: Pid, most: usize) -> u32 {
        let (count, told) = self.directory.remove(table, key, pid, most);
        self.inbox.extend(told.into_iter().map(Event::Change));
        count
    }

    pub(crate) fn watch(&mut self, table: Table, key: Option<String>) -> Mark {
        let mark = self.mark();
        self.directory.watch(mark, table, key);
        mark
    }

    pub(crate) fn unwatch(&mut self, mark: Mark) -> bool {
        self.inbox.retain(|event| !matches!(event, Event::Change(change) if change.mark == mark));
        self.directory.unwatch(mark)
    }

    pub(crate) fn broadcast(&mut self, topic: &str, body: &Body, to: Audience) -> u32 {
        self.note(Action::Broadcast { topic: topic.to_owned(), body: body.clone() });
        let mut reached = 0;
        for entry in self.directory.find(&Table::Topics, topic) {
            if entry.pid != self.me {
                reached += 1;
            } else if to == Audience::Everybody {
                self.inbox.push_back(Event::Info(body.clone()));
                reached += 1;
            }
        }
        reached
    }

    pub(crate) fn open_alias(&mut self, once: bool) -> Alias {
        let mark = self.mark();
        let mode = if once { MonitorAlias::ReplyDemonitor } else { MonitorAlias::ExplicitUnalias };
        self.aliases.insert(mark, mode);
        Alias { node: 0, id: OWN_ALIASES, tag: mark }
    }

    pub(crate) fn unalias(&mut self, alias: Alias) -> bool {
        alias.id == OWN_ALIASES && self.aliases.remove(&alias.tag).is_some()
    }

    /// Sends through an alias of the process under test, as others would: what goes through a closed one is lost.
    pub fn send_through(&mut self, alias: Alias, body: Body) {
        let to = Address::Alias(alias);
        if self.holder(&to) == Some(self.me) {
            self.comes_through(alias);
            self.inbox.push_back(Event::Info(body));
        }
    }

    fn comes_through(&mut self, alias: Alias) {
        if matches!(self.aliases.get(&alias.tag), Some(MonitorAlias::ReplyDemonitor)) {
            self.aliases.remove(&alias.tag);
            self.monitors.remove(&alias.tag);
        }
    }

    fn close_with_monitor(&mut self, mark: Mark) {
        if !matches!(self.aliases.get(&mark), None | Some(MonitorAlias::ExplicitUnalias)) {
            self.aliases.remove(&mark);
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

    pub(crate) fn send(&mut self, to: Address, body: Body) -> Result<(), Refusal> {
        match (self.holder(&to), &to) {
            (_, Address::Alias(alias)) if alias.id == OWN_ALIASES => self.send_through(*alias, body),
            (Some(pid), _) if pid == self.me => self.inbox.push_back(Event::Info(body)),
            (Some(_), _) => self.note(Action::Send { to, body }),
            (None, _) => return Err(Refusal::Unknown(format!("nobody holds the name {to}"))),
        }
        Ok(())
    }

    pub(crate) fn cast(&mut self, to: Address, body: Body) {
        if self.holder(&to) == Some(self.me) {
            self.inbox.push_back(Event::Cast(body));
        } else {
            self.note(Action::Cast { to, body });
        }
    }

    pub(crate) fn call(&mut self, to: &Address, body: &Body, timeout_ms: Option<u64>) -> Result<Body, CallError> {
        self.note(Action::Call { to: to.clone(), body: body.clone() });
        if self.holder(to) == Some(self.me) {
            return Err(CallError::Refused("a process cannot call itself".to_owned()));
        }
        let outcome = (self.on_call)(to, body.clone());
        if let (Err(CallError::Timeout), Some(timeout_ms)) = (&outcome, timeout_ms) {
            self.now_ms = self.now_ms.saturating_add(timeout_ms);
        }
        outcome
    }

    pub(crate) fn request(&mut self, to: Address, body: Body, _: Option<u64>) -> Mark {
        let mark = self.mark();
        self.note(Action::Request { mark, to, body });
        self.open.insert(mark);
        mark
    }

    pub(crate) fn stop_server(
        &mut self,
        to: &Address,
        reason: &ExitReason,
        timeout_ms: Option<u64>,
    ) -> Result<(), CallError> {
        self.note(Action::StopServer { to: to.clone(), reason: reason.clone() });
        if self.holder(to) == Some(self.me) {
            return Err(CallError::Refused("a process cannot call itself".to_owned()));
        }
        let ended = (self.on_stop)(to, reason);
        match ended {
            Ok(ended) if ended == *reason => Ok(()),
            Ok(ended) => Err(CallError::Ended(ended)),
            Err(error) => {
                if let (CallError::Timeout, Some(timeout_ms)) = (&error, timeout_ms) {
                    self.now_ms = self.now_ms.saturating_add(timeout_ms);
                }
                Err(error)
            }
        }
    }

    pub(crate) fn abandon(&mut self, mark: Mark) -> bool {
        self.note(Action::Abandon(mark));
        let is_it = |event: &Event| matches!(event, Event::Answer(answer) if answer.mark == mark);
        let queued = self.inbox.iter().any(is_it);
        self.inbox.retain(|event| !is_it(event));
        self.open.remove(&mark) || queued
    }

    /// An answer to a request, unless it has one or was given up: then it goes nowhere.
    pub(crate) fn answered(&mut self, mark: Mark) -> bool {
        self.open.remove(&mark)
    }

    pub(crate) fn reply(&mut self, to: Caller, body: Body) {
        self.replies.entry(to.mark).or_insert(body);
    }

    pub(crate) fn more(&mut self, reply: Option<Body>) -> Option<Event> {
        self.settle(reply);
        self.take()
    }

    /// The event in hand is done, perhaps with a reply.
    pub(crate) fn settle(&mut self, reply: Option<Body>) {
        if let (Some(caller), Some(reply)) = (self.current.take(), reply) {
            self.reply(caller, reply);
        }
    }

    /// The next event, which is in hand from now on.
    pub(crate) fn take(&mut self) -> Option<Event> {
        let event = self.inbox.pop_front()?;
        if let Event::Call(request) = &event {
            self.current = Some(request.caller);
        }
        Some(event)
    }

    /// Time passes only where there is nothing to receive and a timer is due before the wait is over.
    pub(crate) fn receive(&mut self, marks: Option<&[Mark]>, timeout_ms: Option<u64>) -> Option<Event> {
        let wanted = |event: &Event| match (marks, event) {
            (None, _) => true,
            (Some(marks), Event::Answer(Answer { mark, .. }))
            | (Some(marks), Event::Timer(Alarm { mark, .. }))
            | (Some(marks), Event::Change(Change { mark, .. }))
            | (Some(marks), Event::Down(Lost { mark, .. })) => marks.contains(mark),
            _ => false,
        };
        let place = self.wait_for(|inbox| inbox.iter().position(wanted), timeout_ms)?;
        self.inbox.remove(place)
    }

    /// Events are numbered by their place, which changes only when one is taken: nothing else goes on meanwhile.
    pub(crate) fn look(&mut self, behind: Option<u64>, timeout_ms: Option<u64>) -> Option<Seen> {
        let from = behind.map_or(0, |number| usize::try_from(number).unwrap_or(usize::MAX).saturating_add(1));
        let place = self.wait_for(|inbox| (from < inbox.len()).then_some(from), timeout_ms)?;
        Some(Seen { number: place as u64, event: self.inbox[place].clone() })
    }

    pub(crate) fn take_seen(&mut self, number: u64) -> bool {
        usize::try_from(number).is_ok_and(|place| self.inbox.remove(place).is_some())
    }

    /// The place of the event waited for, once there is one.
    fn wait_for(&mut self, find: impl Fn(&VecDeque<Event>) -> Option<usize>, timeout_ms: Option<u64>) -> Option<usize> {
        let until = timeout_ms.map(|ms| self.now_ms.saturating_add(ms));
        loop {
            if let Some(reason) = self.doomed.take() {
                std::panic::resume_unwind(Box::new(Stopped(reason)));
            }
            if let Some(place) = find(&self.inbox) {
                return Some(place);
            }
            match self.next_timer_ms().filter(|due| until.is_none_or(|until| *due <= until)) {
                Some(due) => self.fire_one(due),
                None => {
                    assert!(until.is_some(), "the task waits for ever: nothing queued, no timer set");
                    self.now_ms = until.unwrap_or(self.now_ms);
                    return None;
                }
            }
        }
    }

    pub(crate) fn monitor(&mut self, target: Address, tag: Option<Body>, alias: Option<MonitorAlias>) -> Watch {
        if matches!(target, Address::Alias(_)) {
            std::panic::resume_unwind(Box::new(Stopped(ExitReason::Failed("an alias cannot be monitored".to_owned()))));
        }
        let mark = self.mark();
        if let Some(mode) = alias {
            self.aliases.insert(mark, mode);
        }
        let is_there = self.holder(&target).is_some();
        self.monitors.insert(mark, (target.clone(), tag));
        if !is_there && let Some(lost) = self.lost(mark, ExitReason::Noproc) {
            self.inbox.push_back(Event::Down(lost));
        }
        self.note(Action::Monitor { mark, target });
        Watch { mark, alias: alias.map(|_| Alias { node: 0, id: OWN_ALIASES, tag: mark }) }
    }

    pub(crate) fn demonitor(&mut self, mark: Mark, flush: bool) -> bool {
        self.note(Action::Demonitor(mark));
        if flush {
            self.inbox.retain(|event| !matches!(event, Event::Down(lost) if lost.mark == mark));
        }
        self.close_with_monitor(mark);
        self.monitors.remove(&mark).is_some()
    }

    /// The loss of what was monitored with this mark, and no longer is.
    pub(crate) fn lost(&mut self, mark: Mark, reason: ExitReason) -> Option<Lost> {
        let (target, tag) = self.monitors.remove(&mark)?;
        self.close_with_monitor(mark);
        Some(Lost { mark, target, reason, tag })
    }

    pub(crate) fn spawn(
        &mut self,
        module: &str,
        args: &Body,
        options: &spawning::Options,
    ) -> Result<spawning::Child, spawning::SpawnError> {
        self.note(Action::Spawn { module: module.to_owned(), args: args.clone() });
        let via = options.claim.as_ref().map(|claim| Address::Via(claim.via.clone()));
        let name = options.name.clone().map(Address::Name);
        if let Some(holder) = [name, via].into_iter().flatten().find_map(|address| self.holder(&address)) {
            return Err(spawning::SpawnError::Refused(Refusal::Taken(holder)));
        }
        let pid = match &mut self.on_spawn {
            Some(start) => start(module, args.clone()).map_err(spawning::SpawnError::Failed)?,
            None => self.pid(),
        };
        if let Some(name) = &options.name {
            self.names.insert(name.clone(), pid);
        }
        if let Some(claim) = &options.claim {
            let table = Table::Registry(claim.via.registry.clone());
            let entered = self.enroll(table, &claim.via.key, pid, claim.value.clone());
            entered.map_err(spawning::SpawnError::Refused)?;
        }
        let mark = options.monitor.then(|| self.begin_task(module, args.clone(), pid, options.link));
        if options.link && mark.is_none() {
            self.note(Action::Link(pid));
        }
        Ok(spawning::Child { pid, mark })
    }

    pub(crate) fn start_supervisor(&mut self, supervisor: Supervisor) -> Result<Pid, SupervisionError> {
        let pid = self.pid();
        if let Some(name) = &supervisor.name {
            let taken = self.register(name, pid);
            taken.map_err(SupervisionError::Refused)?;
        }
        self.note(Action::StartSupervisor(Box::new(supervisor)));
        self.note(Action::Link(pid));
        Ok(pid)
    }

    pub(crate) fn ask_supervisor(&mut self, supervisor: &Address, ask: Ask) -> Result<Reply, SupervisionError> {
        self.note(Action::AskSupervisor { supervisor: supervisor.clone(), ask: ask.clone() });
        let answer = match &mut self.on_ask {
            Some(answer) => answer(supervisor, &ask)?,
            None => self.unless_told(&ask),
        };
        Ok(match (ask, answer) {
            (Ask::StartTask { task, link }, Reply::Started(Some(pid))) => {
                let What::Process { module, args, .. } = task.start else { return Err(SupervisionError::NotFound) };
                Reply::Task { pid, mark: self.begin_task(&module, args, pid, link) }
            }
            (Ask::StartTaskFromTemplate { args, link }, Reply::Started(Some(pid))) => {
                let args = args.unwrap_or_else(|| Body::Json("null".to_owned()));
                Reply::Task { pid, mark: self.begin_task("", args, pid, link) }
            }
            (_, answer) => answer,
        })
    }

    fn unless_told(&mut self, ask: &Ask) -> Reply {
        match ask {
            Ask::StartTask { .. } | Ask::StartTaskFromTemplate { .. } => Reply::Started(Some(self.pid())),
            Ask::StartChild(_) | Ask::StartFromTemplate(_) | Ask::RestartChild(_) | Ask::Route(_) => {
                Reply::Started(Some(self.pid()))
            }
            Ask::TerminateChild(_) | Ask::TerminatePid(_) | Ask::DeleteChild(_) | Ask::Resize(_) => Reply::Done,
            Ask::WhichChildren => Reply::Children(Vec::new()),
            Ask::CountChildren => Reply::Counts(Counts::default()),
            Ask::Partitions => Reply::Number(0),
        }
    }

    /// A task of the process under test, which has a supervisor above it or not: the mark of its monitor.
    fn begin_task(&mut self, module: &str, args: Body, pid: Pid, link: bool) -> Mark {
        if link {
            self.note(Action::Link(pid));
        }
        let mark = self.monitor(Address::Pid(pid), None, None).mark;
        if let Some(play) = &mut self.on_task {
            let played = play(module, args);
            self.playing.push(Playing::begin(played, pid, mark, link, self.now_ms));
        }
        mark
    }

    pub(crate) fn ask_server(&mut self, target: &Address, ask: sys::Ask) -> Result<sys::Reply, SystemError> {
        let answer = (self.on_system)(target, &ask);
        self.note(Action::System { target: target.clone(), ask });
        answer
    }

    pub(crate) fn register(&mut self, name: &str, pid: Pid) -> Result<(), Refusal> {
        if let Some(holder) = self.names.get(name) {
            return Err(Refusal::Taken(*holder));
        }
        if name.is_empty() || self.names.values().any(|holder| *holder == pid) {
            return Err(Refusal::Invalid("the name is empty, or the process has one".to_owned()));
        }
        self.names.insert(name.to_owned(), pid);
        Ok(())
    }

    pub(crate) fn start_timer(&mut self, after_ms: u64, to: Option<Address>, body: Body) -> Mark {
        self.start_timer_at(self.now_ms.saturating_add(after_ms), to, body)
    }

    /// What is past is due at once: the clock goes back for nobody.
    pub(crate) fn start_timer_at(&mut self, at_ms: u64, to: Option<Address>, body: Body) -> Mark {
        let mark = self.mark();
        self.timers.insert(mark, Timer { due_ms: at_ms.max(self.now_ms), to, body });
        mark
    }

    pub(crate) fn cancel(&mut self, mark: Mark) -> Option<u64> {
        self.timers.remove(&mark).map(|timer| timer.due_ms - self.now_ms)
    }

    pub(crate) fn left(&self, mark: Mark) -> Option<u64> {
        self.timers.get(&mark).map(|timer| timer.due_ms - self.now_ms)
    }

    pub(crate) fn next_timer_ms(&self) -> Option<u64> {
        let timers = self.timers.values().map(|timer| timer.due_ms);
        timers.chain(self.playing.iter().filter_map(|task| task.due_ms)).min()
    }

    /// Sets the clock to `due_ms`, at which a timer or a task is due, and fires it or lets it end.
    pub(crate) fn fire_one(&mut self, due_ms: u64) {
        self.now_ms = due_ms;
        if let Some(place) = self.playing.iter().position(|task| task.due_ms == Some(due_ms)) {
            let Playing { pid, mark, linked, outcome, .. } = self.playing.remove(place);
            return self.played(pid, mark, linked, outcome);
        }
        let due = self.timers.iter().find(|(_, timer)| timer.due_ms == due_ms).map(|(mark, _)| *mark);
        let Some((mark, timer)) = due.and_then(|mark| Some((mark, self.timers.remove(&mark)?))) else { return };
        match timer.to {
            None => self.inbox.push_back(Event::Timer(Alarm { mark, body: timer.body })),
            // To a name that nobody holds it goes nowhere.
            Some(to) => drop(self.send(to, timer.body)),
        }
    }

    /// A task has ended: its result, its down, and what its link brings.
    fn played(&mut self, pid: Pid, mark: Mark, linked: bool, outcome: Result<Body, ExitReason>) {
        let (result, reason) = match outcome {
            Ok(body) => (Some(body), ExitReason::Normal),
            Err(reason) => (None, reason),
        };
        if let Some(lost) = self.lost(mark, reason.clone()) {
            self.inbox.extend(result.map(|body| Event::Answer(Answer { mark, outcome: Ok(body) })));
            self.inbox.push_back(Event::Down(lost));
        }
        if linked && self.traps_exits {
            self.inbox.push_back(Event::Exit(Ended { pid, reason }));
        } else if linked && reason != ExitReason::Normal {
            self.doomed.get_or_insert(reason);
        }
    }

    /// An exit signal for a task that plays.
    pub(crate) fn signal(&mut self, to: Pid, reason: ExitReason) {
        let obeys = |task: &Playing| task.pid == to && (!task.stubborn || reason == ExitReason::Killed);
        if let Some(place) = self.playing.iter().position(obeys) {
            let Playing { mark, linked, .. } = self.playing.remove(place);
            self.played(to, mark, linked, Err(reason));
        }
    }

    pub(crate) fn unlink(&mut self, to: Pid) {
        self.playing.iter_mut().filter(|task| task.pid == to).for_each(|task| task.linked = false);
        self.note(Action::Unlink(to));
    }

    /// Whether a task that plays has not ended.
    pub fn plays(&self, task: Pid) -> bool {
        self.playing.iter().any(|playing| playing.pid == task)
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
