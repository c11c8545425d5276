//! Random sequences: whatever happens in whatever order, some things always hold.
//!
//! The world below performs orders like a runtime that answers when the dice say so, and refuses orders that make no
//! sense. It never looks into the machine, only at its listing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::{ProptestConfig, prop, prop_assert, proptest};

use super::super::*;
use super::dice::{Step, step, supervisor_spec};
use crate::Name;

#[derive(Clone, Copy, PartialEq, Debug)]
enum Told {
    Nothing,
    Shutdown,
    Kill,
}

#[derive(Debug)]
struct Process {
    id: Name,
    told: Told,
}

/// A start under way.
#[derive(Debug)]
struct Starting {
    id: Name,
    cancelled: bool,
    cause: StartCause,
    /// Restarted under a strategy that ties nobody to it.
    alone: bool,
}

struct World {
    sup: Supervisor<Name, u32>,
    strategy: Strategy,
    max_restarts: u32,
    max_seconds: u32,
    now: Time,
    begun: bool,
    ready: bool,
    stopped: bool,
    /// How it ended.
    end: Option<Order<Name, u32>>,
    processes: BTreeMap<Pid, Process>,
    pids: u64,
    starting: BTreeMap<Token, Starting>,
    timers: BTreeMap<Token, Time>,
    retries: Vec<Token>,
    tokens: BTreeSet<Token>,
    asks: BTreeSet<u32>,
    asked: u32,
    /// Who is being terminated on request.
    terminated: BTreeMap<u32, Name>,
    /// Seconds of the restarts within the window.
    restarts: Vec<u64>,
    restarts_total: u64,
    gave_up: bool,
    /// Specs that it was asked to take.
    replacing: BTreeMap<u32, SupervisorSpec<Name>>,
}

impl World {
    fn new(spec: SupervisorSpec<Name>) -> Self {
        World {
            strategy: spec.strategy,
            max_restarts: spec.max_restarts,
            max_seconds: spec.max_seconds,
            sup: Supervisor::new(spec).expect("a good spec"),
            now: Time::ZERO,
            begun: false,
            ready: false,
            stopped: false,
            end: None,
            processes: BTreeMap::new(),
            pids: 0,
            starting: BTreeMap::new(),
            timers: BTreeMap::new(),
            retries: Vec::new(),
            tokens: BTreeSet::new(),
            asks: BTreeSet::new(),
            asked: 0,
            terminated: BTreeMap::new(),
            restarts: Vec::new(),
            restarts_total: 0,
            gave_up: false,
            replacing: BTreeMap::new(),
        }
    }

    /// Does it, if it is possible now.
    fn happens(&mut self, step: Step) -> bool {
        let Some(input) = self.input(step) else { return false };
        let replaced = match &input {
            Input::Replace { spec, .. } => Some((spec.clone(), self.sup.view())),
            _ => None,
        };
        let mut out = Vec::new();
        self.sup.step(input, self.now, &mut out);
        if let (Some((spec, before)), [Order::Reply { result: Ok(_), .. }]) = (replaced, &out[..]) {
            assert_eq!(self.sup.view(), Self::relisted(&spec, &before));
        }
        // The listing is that of the end of the step: what it says of one order, it says of all.
        for order in out {
            self.ordered(order);
        }
        self.agrees_with_the_listing();
        true
    }

    fn input(&mut self, step: Step) -> Option<Input<Name, u32>> {
        Some(match step {
            Step::Begin => {
                self.begun = true;
                Input::Begin
            }
            Step::Succeed(n) => {
                let token = nth(self.starting.keys().copied(), n)?;
                let id = self.starting.remove(&token)?.id;
                self.pids += 1;
                let pid = Pid { node: 0, id: self.pids, tag: 0 };
                self.processes.insert(pid, Process { id, told: Told::Nothing });
                Input::Started { token, outcome: Ok(pid) }
            }
            Step::Fail(n) => self.not_started(n, SpawnError::Failed(ExitReason::failed("no")))?,
            Step::Ignore(n) => self.not_started(n, SpawnError::Ignored)?,
            Step::Crash(n) => self.down(n, |_| true, ExitReason::failed("crash"))?,
            Step::EndWell(n) => self.down(n, |_| true, ExitReason::Normal)?,
            Step::Obey(n) => self.down(n, |told| told != Told::Nothing, ExitReason::Shutdown(None))?,
            Step::TimeOut(n) => {
                let (token, at) = nth(self.timers.iter().map(|(&token, &at)| (token, at)), n)?;
                self.now = self.now.max(at);
                self.timers.remove(&token);
                Input::Timeout { token }
            }
            Step::Retry(n) => {
                let count = self.retries.len();
                let index = n.checked_rem(count)?;
                Input::Retry { token: self.retries.remove(index) }
            }
            Step::Request(kind, spec) => self.request(kind, spec),
            Step::Replace(spec) => {
                self.asked += 1;
                self.asks.insert(self.asked);
                self.replacing.insert(self.asked, spec.clone());
                Input::Replace { spec, ask: self.asked }
            }
            Step::Wait(ms) => {
                self.now += Duration::from_millis(ms.into());
                return None;
            }
            Step::Stop => {
                self.stopped = true;
                Input::Stop { reason: ExitReason::Killed }
            }
        })
    }

    fn not_started(&mut self, n: usize, error: SpawnError) -> Option<Input<Name, u32>> {
        let token = nth(self.starting.keys().copied(), n)?;
        self.starting.remove(&token);
        Some(Input::Started { token, outcome: Err(error) })
    }

    fn down(&mut self, n: usize, who: impl Fn(Told) -> bool, reason: ExitReason) -> Option<Input<Name, u32>> {
        let pid = nth(self.processes.iter().filter(|(_, process)| who(process.told)).map(|(&pid, _)| pid), n)?;
        self.processes.remove(&pid);
        Some(Input::Down { pid, reason })
    }

    fn request(&mut self, kind: u8, spec: ChildSpec<Name>) -> Input<Name, u32> {
        self.asked += 1;
        let ask = self.asked;
        self.asks.insert(ask);
        match kind {
            0 => Input::StartChild { spec, ask },
            1 => {
                self.terminated.insert(ask, spec.id.clone());
                Input::TerminateChild { id: spec.id, ask }
            }
            2 => Input::RestartChild { id: spec.id, ask },
            3 => Input::DeleteChild { id: spec.id, ask },
            4 => Input::WhichChildren { ask },
            _ => Input::CountChildren { ask },
        }
    }

    /// Whether the machine has said that it ends, or must know.
    fn is_ending(&self) -> bool {
        self.stopped || self.gave_up || self.end.is_some()
    }

    fn new_token(&mut self, token: Token) {
        assert!(self.tokens.insert(token), "a token is used twice");
    }

    fn ordered(&mut self, order: Order<Name, u32>) {
        if !matches!(order, Order::Reply { .. }) {
            assert!(self.end.is_none(), "{order:?} after the end");
        }
        match order {
            Order::Start { token, id, start, cause, .. } => {
                assert!(self.begun && !self.is_ending(), "{id} is started at the end");
                assert!(!self.processes.values().any(|process| process.id == id), "{id} runs already");
                assert!(!self.starting.values().any(|starting| starting.id == id), "{id} is starting already");
                assert_eq!(start, id);
                if cause == StartCause::Init {
                    assert!(!self.ready, "{id} belongs to the init, which is over");
                    assert!(self.starting.is_empty(), "{id} does not wait for the one before");
                }
                if cause == StartCause::Restart && self.strategy != Strategy::OneForOne {
                    let others =
                        self.starting.values().filter(|starting| starting.cause == cause && !starting.alone).count();
                    assert_eq!(others, 0, "{id} does not wait for the one before");
                }
                self.new_token(token);
                let alone = self.strategy == Strategy::OneForOne;
                self.starting.insert(token, Starting { id, cancelled: false, cause, alone });
            }
            Order::CancelStart { token } => {
                let starting = self.starting.get_mut(&token).expect("a start under way");
                assert!(!starting.cancelled, "cancelled twice");
                assert!(self.ready || starting.cause == StartCause::Init);
                starting.cancelled = true;
            }
            Order::Shutdown { pid } => self.told(pid, Told::Nothing, Told::Shutdown),
            Order::Kill { pid } => {
                let before = self.processes[&pid].told;
                self.told(pid, before, Told::Kill);
            }
            Order::SetTimer { token, at } => {
                assert!(at >= self.now);
                self.new_token(token);
                self.timers.insert(token, at);
            }
            Order::CancelTimer { token } => assert!(self.timers.remove(&token).is_some(), "no such timer"),
            Order::Retry { token } => {
                assert!(!self.is_ending());
                self.new_token(token);
                self.retries.push(token);
            }
            Order::Ready => {
                assert!(self.begun && !self.ready && !self.is_ending());
                assert!(self.starting.is_empty(), "ready while somebody starts");
                self.ready = true;
            }
            Order::Failed { .. } => {
                assert!(!self.ready);
                self.ended(order);
            }
            Order::Finish { ref reason } => {
                assert!(self.ready);
                assert_eq!(*reason == ExitReason::Shutdown(None), self.gave_up, "{reason}");
                self.ended(order);
            }
            Order::Reply { ask, result } => {
                assert!(self.asks.remove(&ask), "answered twice");
                self.terminated.remove(&ask);
                if let Some(spec) = self.replacing.remove(&ask) {
                    self.replaced(spec, result);
                }
            }
            Order::Report(report) => self.reported(report),
        }
    }

    /// Stops come once, and last child first; only who was terminated on request has no turn.
    fn told(&mut self, pid: Pid, before: Told, now: Told) {
        let process = self.processes.get_mut(&pid).expect("who is told to end runs");
        assert_eq!(process.told, before, "{pid} is told twice");
        assert_ne!(before, Told::Kill, "{pid} is killed twice");
        process.told = now;
        let id = process.id.clone();
        if before == Told::Nothing && !self.terminated.values().any(|terminated| *terminated == id) {
            let view = self.sup.view();
            let later = view.iter().skip_while(|child| child.id != id).skip(1);
            for child in later {
                assert_eq!(child.status.pid(), None, "{} still runs when {id} is told to end", child.id);
                assert!(!self.starting.values().any(|starting| starting.id == child.id), "{} still starts", child.id);
            }
        }
    }

    fn ended(&mut self, order: Order<Name, u32>) {
        assert!(self.processes.is_empty(), "left behind: {:?}", self.processes);
        assert!(self.starting.is_empty(), "left behind: {:?}", self.starting);
        assert!(self.timers.is_empty(), "left behind: {:?}", self.timers);
        self.end = Some(order);
    }

    /// Another spec was taken, with the flags in force from here on, unless it makes no sense.
    fn replaced(&mut self, spec: SupervisorSpec<Name>, result: Result<Answer, RequestError>) {
        match (spec.check(), result == Err(RequestError::Stopping)) {
            // A failed init shows only when all are down.
            (_, true) => assert!(self.is_ending() || !self.ready),
            (Err(why), false) => assert_eq!(result, Err(RequestError::Invalid(why))),
            (Ok(()), false) => {
                assert!(self.ready, "taken during init");
                assert_eq!(result, Ok(Answer::Done));
                self.strategy = spec.strategy;
                (self.max_restarts, self.max_seconds) = (spec.max_restarts, spec.max_seconds);
            }
        }
    }

    /// What another spec that is taken at once makes of a listing: what runs goes on, what is new is down.
    fn relisted(spec: &SupervisorSpec<Name>, before: &[ChildView]) -> Vec<ChildView> {
        let mut kept = before.to_vec();
        let mut listed = Vec::new();
        for child in &spec.children {
            let known = kept.iter().position(|view| view.id == child.id).map(|place| kept.remove(place));
            let (status, restarts) = known.map_or((ChildStatus::Stopped, 0), |view| (view.status, view.restarts));
            listed.push(ChildView {
                id: child.id.clone(),
                status,
                kind: child.kind,
                restart: child.restart,
                restarts,
                restart_at: None,
            });
        }
        listed.extend(kept);
        listed
    }

    /// Restarts are within the limit, and giving up is not.
    fn reported(&mut self, report: Report) {
        let mut in_window = || {
            let now = self.now.as_secs();
            let oldest = now.saturating_sub(self.max_seconds.into());
            self.restarts.retain(|&second| second >= oldest);
            self.restarts.push(now);
            self.restarts_total += 1;
            self.restarts.len()
        };
        match report {
            Report::Restarting { total, .. } => {
                assert!(in_window() <= self.max_restarts as usize);
                assert_eq!(total, self.restarts_total);
            }
            Report::GaveUp { .. } => {
                assert!(in_window() > self.max_restarts as usize);
                self.gave_up = true;
            }
            Report::Ended { .. } | Report::StartFailed { .. } | Report::StopFailed { .. } => {}
            Report::AutoShutdown { .. } => panic!("nobody is significant"),
        }
    }

    /// Nobody runs who is not listed, and nobody is listed who does not run.
    fn agrees_with_the_listing(&self) {
        let view = self.sup.view();
        let listed: BTreeMap<Pid, Name> =
            view.iter().filter_map(|child| Some((child.status.pid()?, child.id.clone()))).collect();
        let running: BTreeMap<Pid, Name> =
            self.processes.iter().map(|(&pid, process)| (pid, process.id.clone())).collect();
        assert_eq!(listed, running);
        let counts = self.sup.counts();
        assert_eq!((counts.specs, counts.active), (view.len(), running.len()));
        assert_eq!(counts.workers + counts.supervisors, counts.specs);
        let known: BTreeSet<&Name> = view.iter().map(|child| &child.id).collect();
        assert_eq!(known.len(), view.len(), "an id is listed twice");
        for starting in self.starting.values() {
            let status = view.iter().find(|child| child.id == starting.id).map(|child| child.status);
            assert!(matches!(status, Some(ChildStatus::Starting | ChildStatus::Restarting)), "{starting:?} {status:?}");
        }
    }

    /// Answers everything that is asked of the world, well, until nothing is.
    fn settles(&mut self) {
        for _ in 0..500 {
            let moved = self.happens(Step::Succeed(0)) || self.happens(Step::Obey(0)) || self.happens(Step::Retry(0));
            if !moved {
                return;
            }
        }
        panic!("it does not come to rest: {:?}", self.sup.view());
    }
}

fn nth<T>(mut items: impl Iterator<Item = T> + Clone, n: usize) -> Option<T> {
    let count = items.clone().count();
    items.nth(n.checked_rem(count)?)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    #[test]
    fn nobody_is_orphaned_started_twice_or_stopped_out_of_turn(
        spec in supervisor_spec(),
        before in prop::collection::vec(step(), 0..60),
        after in prop::collection::vec(step(), 0..15),
    ) {
        let mut world = World::new(spec);
        world.happens(Step::Begin);
        for step in before {
            world.happens(step);
        }
        world.happens(Step::Stop);
        for step in after {
            world.happens(step);
        }
        world.settles();
        prop_assert!(world.end.is_some(), "it never ended: {:?}", world.sup.view());
        prop_assert!(world.asks.is_empty(), "never answered: {:?}", world.asks);
    }

    #[test]
    fn it_comes_to_rest_with_everybody_answered(
        spec in supervisor_spec(),
        steps in prop::collection::vec(step(), 0..60),
    ) {
        let mut world = World::new(spec);
        world.happens(Step::Begin);
        for step in steps {
            world.happens(step);
        }
        world.settles();
        prop_assert!(world.asks.is_empty(), "never answered: {:?}", world.asks);
        prop_assert!(world.timers.is_empty());
        prop_assert!(world.ready || world.end.is_some());
        for child in world.sup.view() {
            let rests = match child.status {
                ChildStatus::Stopped => true,
                ChildStatus::Running(_) => world.end.is_none(),
                ChildStatus::Starting | ChildStatus::Stopping(_) | ChildStatus::Restarting => false,
            };
            prop_assert!(rests, "{child:?}");
        }
    }
}
