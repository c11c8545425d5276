//! A whole node in a test: processes in a table, names, a clock that stands still, and signals under way.
//!
//! Performs actions by the rules of the runtime's shell. Whoever has something to perform has a lane, as a thread would:
//! a duty is done at its front, what follows from it goes to its back, and a process goes on only when its own lane is
//! empty. Lanes may be worked off at once ([`World::settle`]) or mixed at will ([`World::lane_step`]).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::coordinator::{Coordinator, Trouble};
use super::guest::Guest;
use super::op::Op;
use crate::directory::Directory;
use crate::process::*;
use crate::registry::Registry;
use crate::signal::Undelivered;
use crate::system::{SystemError, SystemId};
use crate::timer_queue::{TimerKey, TimerQueue};
use crate::upgrade::{Failure, UpgradeId};
use crate::{Action, Address, AliasSeal, Event, Limits, Name, Signal};

/// What covers whose an alias is.
pub(super) const SEAL: AliasSeal = AliasSeal::new([7, 8]);

/// Who performs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Lane {
    /// Whoever is not a process: an operator, the clock.
    Outside,
    Clock,
    /// Whoever performs the upgrade.
    Upgrade,
    Of(Pid),
}

/// Something to be performed.
#[derive(Debug)]
pub(super) enum Duty {
    Action {
        owner: Pid,
        action: Action,
    },
    /// A link asked for, which may have to be taken back.
    Link(Pid),
    Birth(Box<Birth>, Box<Guest>),
}

/// What can be seen of a process.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Seen {
    Event(Event),
    /// What an operation came to.
    Result(String),
    Says(String),
    Terminates(ExitReason),
    Ends(ExitReason),
    Sleeps,
    RefusesToSleep,
    PostponesSleep,
    Wakes,
    /// Stops between two messages: how.
    Stops(String),
    Moves,
    Stays(ExitReason),
    /// What an operator was told.
    Informs(String),
    /// What came of an upgrade.
    Upgrade(Result<(), Failure>),
}

/// One thing that was seen.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Sight {
    pub(super) who: Pid,
    /// The code it ran on.
    pub(super) code: Code,
    pub(super) what: Seen,
}

/// The code that servers run on: how often it was replaced, and one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Code(pub(super) u32);

impl Default for Code {
    fn default() -> Self {
        Code(1)
    }
}

/// What can come once for each mark.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Once {
    Down(Mark),
    Timer(Mark),
    Answer(Mark),
}

/// One process and what runs in it.
#[derive(Debug)]
pub(super) struct Person {
    pub(super) process: Process,
    pub(super) guest: Guest,
    /// Whether signals still find it.
    pub(super) listed: bool,
    /// Whether a worker has it.
    pub(super) running: bool,
    /// It has vanished, and is to tell of its end.
    pub(super) ends: Option<ExitReason>,
    /// Events it was handed.
    pub(super) heard: u64,
    /// Messages delivered and not yet handed to it.
    pub(super) mail: VecDeque<Event>,
}

/// What a process is to be born with, beside what the world gives.
#[derive(Clone, Debug)]
pub(super) struct Child {
    pub(super) label: String,
    pub(super) kind: Kind,
    pub(super) name: Option<Name>,
    pub(super) link: bool,
    pub(super) monitor: bool,
    pub(super) hibernate_after: Option<Duration>,
    pub(super) limits: Limits,
    /// What it does in `init`, or as a task.
    pub(super) init: Vec<Op>,
    /// What it does in `terminate`.
    pub(super) terminate: Vec<Op>,
    /// Whether it refuses to be saved.
    pub(super) pinned: bool,
    /// Whether saving it takes several turns.
    pub(super) slow: bool,
}

#[derive(Default)]
pub(super) struct World {
    pub(super) now: Time,
    pub(super) people: BTreeMap<Pid, Person>,
    pub(super) labels: BTreeMap<String, Pid>,
    pub(super) names: Registry,
    pub(super) directory: Directory,
    pub(super) timers: TimerQueue<(Pid, Mark)>,
    keys: BTreeMap<(Pid, Mark), TimerKey>,
    pub(super) queue: VecDeque<Pid>,
    pub(super) lanes: BTreeMap<Lane, VecDeque<Duty>>,
    /// Callers whose reply is still owed, by who was called.
    pub(super) owed: BTreeMap<Pid, VecDeque<Caller>>,
    pub(super) seen: Vec<Sight>,
    /// Messages numbered so far.
    pub(super) posted: u64,
    /// What can come only once and has come, or was taken back.
    over: BTreeSet<(Pid, Once)>,
    /// Calls that were delivered when their time was up already: the callee keeps them until it replies or ends.
    pub(super) late: BTreeSet<(Pid, Mark)>,
    /// Calls through an alias that was closed: nobody will ever answer.
    pub(super) unheard: BTreeSet<(Pid, Mark)>,
    /// The current code.
    pub(super) code: Code,
    pub(super) upgrade: Option<Coordinator>,
    pub(super) upgrades: UpgradeId,
    pub(super) troubles: BTreeMap<Pid, Trouble>,
    /// What operators have asked so far, and what they have not been told.
    pub(super) asked: SystemId,
    pub(super) unanswered: BTreeSet<SystemId>,
    /// States that the code refuses.
    pub(super) bad: BTreeSet<SystemId>,
}

impl World {
    pub(super) fn pid(&self, label: &str) -> Pid {
        *self.labels.get(label).unwrap_or_else(|| panic!("no process {label}"))
    }

    pub(super) fn label(&self, pid: Pid) -> &str {
        self.labels.iter().find(|(_, known)| **known == pid).map_or("outside", |(label, _)| label)
    }

    pub(super) fn person(&mut self, pid: Pid) -> &mut Person {
        self.people.get_mut(&pid).expect("a process that was born")
    }

    pub(super) fn see(&mut self, who: Pid, what: Seen) {
        let code = self.people.get(&who).map_or(Code::default(), |person| person.guest.code);
        self.seen.push(Sight { who, code, what });
    }

    pub(super) fn resolve(&self, address: &Address) -> Option<Pid> {
        match address {
            Address::Pid(pid) => Some(*pid),
            Address::Name(name) => self.names.whereis(name),
            Address::Via(via) => self.directory.holder(&via.clone().into()),
            Address::Alias(alias) => {
                let (id, _) = SEAL.open(*alias);
                self.people.keys().find(|pid| pid.id == id).copied()
            }
        }
    }

    /// Whom a message goes to, and how it gets there.
    pub(super) fn way(&self, address: &Address, event: Event) -> Option<(Pid, Signal)> {
        let to = self.resolve(address)?;
        let signal = match address {
            Address::Alias(alias) => Signal::Through { alias: SEAL.open(*alias).1, event },
            Address::Pid(_) | Address::Name(_) | Address::Via(_) => Signal::Message(event),
        };
        Some((to, signal))
    }

    /// From now on this can come no more.
    pub(super) fn is_over(&mut self, who: Pid, what: Once) {
        assert!(self.over.insert((who, what)), "{who} has {what:?} again, or after it was taken back");
    }

    /// It may have come, but will not from now on.
    pub(super) fn take_back(&mut self, who: Pid, what: Once) {
        self.over.insert((who, what));
    }

    /// A pid for a process still to be born.
    pub(super) fn new_pid(&mut self, label: &str) -> Pid {
        let id = self.labels.len() as u64 + 1;
        let pid = Pid { node: 0, id, tag: id * 1_000_003 };
        assert_eq!(self.labels.insert(label.into(), pid), None, "two processes are called {label}");
        pid
    }

    /// What a process is born with.
    pub(super) fn birth(pid: Pid, child: &Child, parent: Option<Caller>, monitor: Option<Mark>) -> Duty {
        let birth = Birth {
            pid,
            kind: child.kind,
            name: child.name.clone(),
            parent: parent.map(|parent| parent.pid),
            starter: parent,
            link: child.link,
            monitor,
            limits: Arc::new(child.limits.clone()),
            hibernate_after: child.hibernate_after,
            pinned: false,
            secret: [pid.tag, pid.id],
            claim: None,
            held: None,
            awaited: None,
        };
        Duty::Birth(Box::new(birth), Box::new(Guest::new(child)))
    }

    /// Gives `lane` something to perform.
    pub(super) fn give(&mut self, lane: Lane, duty: Duty) {
        self.lanes.entry(lane).or_default().push_back(duty);
    }

    fn give_all(&mut self, lane: Lane, owner: Pid, actions: impl IntoIterator<Item = Action>) {
        for action in actions {
            self.give(lane, Duty::Action { owner, action });
        }
    }

    /// One transition of a process, whose actions its own lane performs.
    pub(super) fn transition<T>(
        &mut self,
        pid: Pid,
        change: impl FnOnce(&mut Process, Time, &mut Vec<Action>) -> T,
    ) -> T {
        let (mut actions, now) = (Vec::new(), self.now);
        let result = change(&mut self.person(pid).process, now, &mut actions);
        self.give_all(Lane::Of(pid), pid, actions);
        result
    }

    /// Performs the first duty of a lane. False if it has none.
    pub(super) fn lane_step(&mut self, lane: Lane) -> bool {
        let Some(queue) = self.lanes.get_mut(&lane) else { return false };
        let Some(duty) = queue.pop_front() else {
            self.lanes.remove(&lane);
            return false;
        };
        self.perform(lane, duty);
        true
    }

    pub(super) fn is_busy(&self, lane: Lane) -> bool {
        self.lanes.get(&lane).is_some_and(|queue| !queue.is_empty())
    }

    /// Performs everything that anybody has to perform. Nobody runs.
    pub(super) fn work_off(&mut self) {
        while let Some(lane) = self.lanes.keys().next().copied() {
            self.lane_step(lane);
        }
    }

    fn perform(&mut self, lane: Lane, duty: Duty) {
        match duty {
            Duty::Action { owner, action } => self.act(lane, owner, action),
            Duty::Link(to) => self.ask_for_link(lane, to),
            Duty::Birth(birth, guest) => self.bear(lane, *birth, *guest),
        }
    }

    fn act(&mut self, lane: Lane, owner: Pid, action: Action) {
        match action {
            Action::Deliver { to, signal } => {
                let asked = if let Signal::System { id, .. } = &signal { Some(*id) } else { None };
                if self.hand_over(lane, to, signal).is_err()
                    && let Some(id) = asked
                {
                    self.informed(to, id, &Err(SystemError::Noproc));
                }
            }
            Action::Send { to, body } => {
                if let Some((to, signal)) = self.way(&to, Event::Info(body)) {
                    let _ = self.hand_over(lane, to, signal);
                }
            }
            Action::StartTimer { mark, at } => {
                let key = self.timers.insert(at, (owner, mark));
                assert_eq!(self.keys.insert((owner, mark), key), None, "one mark, two timers");
            }
            Action::CancelTimer { mark, .. } => {
                if let Some(key) = self.keys.remove(&(owner, mark)) {
                    self.timers.remove(key);
                }
            }
            Action::Tell { upgrade, news } => self.take_news(owner, upgrade, news),
            Action::Inform { request, answer } => self.informed(owner, request, &answer),
            Action::ReleaseName(name) => self.names.release(&name, owner),
            Action::Release(holding) => {
                let mut actions = Vec::new();
                self.directory.release(&holding, owner, &mut actions);
                self.give_all(lane, owner, actions);
            }
            Action::Remove => self.person(owner).listed = false,
        }
    }

    /// Gives a signal to its receiver, as the shell does.
    pub(super) fn hand_over(&mut self, lane: Lane, to: Pid, signal: Signal) -> Result<(), Undelivered> {
        let complaint = signal.complaint();
        let now = self.now;
        if let Signal::Through { event, .. } = &signal
            && let Some(caller) = event.caller()
        {
            self.unheard.insert((caller.pid, caller.mark));
        }
        let Some(person) = self.people.get_mut(&to).filter(|person| person.listed) else {
            let answer = complaint.map(|complaint| complaint.action(to, Undelivered::Gone));
            self.give_all(lane, to, answer);
            return Err(Undelivered::Gone);
        };
        let mut actions = Vec::new();
        let mut before = (person.process.mailbox().len(), person.process.mailbox().bytes());
        let is_doomed = person.process.is_doomed();
        let message = match &signal {
            // Never handed out: its sender hears that there is nobody.
            Signal::Message(Event::Call { .. }) if is_doomed => None,
            Signal::Message(event) | Signal::Through { event, .. } => Some(event.clone()),
            _ => None,
        };
        let size = message.as_ref().map(Event::len);
        let call = match &signal {
            Signal::Message(event) | Signal::Through { event, .. } => event.caller(),
            _ => None,
        };
        let retracted = match &signal {
            Signal::Retract { caller, .. } => Some(*caller),
            _ => None,
        };
        let delivery = person.process.deliver(signal, now, &mut actions);
        if let Some(retracted) = retracted {
            let kept = |event: &Event| event.caller() != Some(retracted);
            // Messages only: what signals bring besides is in the mailbox alone.
            let messages = person.mail.len();
            person.mail.retain(kept);
            before.0 -= messages - person.mail.len();
            assert_eq!(person.process.mailbox().len(), before.0, "a request that was not handled goes, alone");
        }
        let after = (person.process.mailbox().len(), person.process.mailbox().bytes());
        person.mail.extend(message.filter(|_| delivery.outcome.is_ok()));
        match (size, &delivery.outcome) {
            (Some(bytes), Ok(())) => assert_eq!(after, (before.0 + 1, before.1 + bytes)),
            (_, Err(_)) => assert_eq!(after, before, "a signal that is not delivered leaves nothing"),
            (None, Ok(())) => assert!(after.0 == before.0 || after.0 == before.0 + 1),
        }
        if let Some(Caller { pid, mark }) = call
            && delivery.outcome.is_ok()
        {
            self.unheard.remove(&(pid, mark));
        }
        if let Some(Caller { pid, mark }) = call
            && !self.people[&pid].process.affairs.requests.contains_key(&mark)
        {
            self.late.insert((pid, mark));
        }
        self.give_all(lane, to, actions);
        if let Err(why) = &delivery.outcome {
            let answer = complaint.map(|complaint| complaint.action(to, why.clone()));
            self.give_all(lane, to, answer);
        }
        if delivery.wake {
            self.queue.push_back(to);
        }
        delivery.outcome
    }

    fn ask_for_link(&mut self, lane: Lane, to: Pid) {
        let Lane::Of(from) = lane else { panic!("nobody asks for a link") };
        let Err(why) = self.hand_over(lane, to, Signal::Link { from }) else {
            return self.person(from).process.link_made();
        };
        let refused = self.person(from).process.link_failed(to, why);
        if let Err(refusal) = refused {
            self.see(from, Seen::Result(format!("error {}", super::notation::refusal(&refusal))));
        }
    }

    fn bear(&mut self, lane: Lane, mut birth: Birth, guest: Guest) {
        let (pid, starter) = (birth.pid, birth.starter);
        if let Some(name) = birth.name.clone()
            && let Err(taken) = self.names.register(name, pid)
        {
            let starter = starter.expect("a starter");
            let outcome = Err(crate::SpawnError::Refused(crate::Refusal::Taken(taken.0)));
            let _ = self.hand_over(lane, starter.pid, Signal::Started { mark: starter.mark, outcome });
            return;
        }
        let mut actions = Vec::new();
        if birth.kind != Kind::Native {
            birth.held = self.hold(pid);
        }
        let process = Process::new(birth, self.now, &mut actions);
        let person =
            Person { process, guest, listed: true, running: false, ends: None, heard: 0, mail: VecDeque::new() };
        self.people.insert(pid, person);
        self.give_all(lane, pid, actions);
        self.queue.push_back(pid);
    }

    /// What is due by now goes onto the clock's lane.
    pub(super) fn ring(&mut self) {
        while let Some((pid, mark)) = self.timers.pop_due(self.now) {
            self.keys.remove(&(pid, mark));
            let action = Action::Deliver { to: pid, signal: Signal::TimeUp { mark } };
            self.give(Lane::Clock, Duty::Action { owner: pid, action });
        }
    }

    /// A worker has one turn with the first process of the queue, to its end.
    pub(super) fn turn(&mut self) -> bool {
        let Some(pid) = self.queue.pop_front() else { return false };
        self.begin_turn(pid);
        for _ in 0..10_000 {
            self.work_off();
            if !self.people[&pid].running {
                return true;
            }
            self.go_on(pid);
        }
        panic!("{pid} never comes to rest");
    }

    /// Everybody runs until nobody has anything to do. Time stands still.
    pub(super) fn settle(&mut self) {
        for _ in 0..10_000 {
            self.work_off();
            if !self.coordinate() && !self.turn() {
                return;
            }
        }
        panic!("it never settles");
    }

    /// Time passes: each timer rings at its moment.
    pub(super) fn wait(&mut self, time: Duration) {
        let until = self.now + time;
        self.settle();
        let mut rung = 0;
        while let Some(at) = self.timers.next_at().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.ring();
            self.settle();
            rung += 1;
            assert!(rung < 10_000, "timers ring for ever");
        }
        self.now = until;
    }
}
