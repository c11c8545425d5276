//! Random sequences for every kind of supervisor, with all that can be said of one: less is known of what must follow than
//! in `random`, but some things hold for all. Nobody is told to end who does not run, every request has one answer, the
//! listing knows exactly those that run, whoever waits for its restart has a timer, and the end leaves nobody.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::{Just, ProptestConfig, Strategy as Dice, any, prop, prop_oneof, proptest};

use super::super::*;
use crate::{Body, Name};

/// What happens next, and a number that chooses among what is possible.
type Step = (u8, u16);

const IDS: [&str; 4] = ["a", "b", "c", "d"];

struct World {
    machine: Machine<Name, u32>,
    now: Time,
    starting: BTreeSet<Token>,
    running: BTreeSet<Pid>,
    timers: BTreeMap<Token, Time>,
    retries: Vec<Token>,
    asks: BTreeSet<u32>,
    asked: u32,
    pids: u64,
    ended: bool,
}

fn nth<T: Copy>(mut of: impl ExactSizeIterator<Item = T>, number: u16) -> Option<T> {
    usize::from(number).checked_rem(of.len()).and_then(|place| of.nth(place))
}

impl World {
    fn new(spec: SupervisorSpec<Name>) -> Self {
        World {
            machine: Machine::new(spec).expect("it makes sense"),
            now: Time::ZERO,
            starting: BTreeSet::new(),
            running: BTreeSet::new(),
            timers: BTreeMap::new(),
            retries: Vec::new(),
            asks: BTreeSet::new(),
            asked: 0,
            pids: 0,
            ended: false,
        }
    }

    fn ask(&mut self) -> u32 {
        self.asked += 1;
        self.asks.insert(self.asked);
        self.asked
    }

    fn started(&mut self, number: u16, outcome: Result<(), SpawnError>) -> Option<Input<Name, u32>> {
        let token = nth(self.starting.iter().copied(), number)?;
        self.starting.remove(&token);
        let outcome = outcome.map(|()| {
            self.pids += 1;
            let pid = Pid { node: 0, id: self.pids, tag: 7 };
            self.running.insert(pid);
            pid
        });
        Some(Input::Started { token, outcome })
    }

    fn down(&mut self, number: u16, reason: ExitReason) -> Option<Input<Name, u32>> {
        let pid = nth(self.running.iter().copied(), number)?;
        self.running.remove(&pid);
        Some(Input::Down { pid, reason })
    }

    fn timeout(&mut self, number: u16) -> Option<Input<Name, u32>> {
        let token = nth(self.timers.keys().copied(), number)?;
        self.now = self.timers.remove(&token)?.max(self.now);
        Some(Input::Timeout { token })
    }

    fn input(&mut self, (what, number): Step) -> Option<Input<Name, u32>> {
        let id = Name::from(IDS[usize::from(number) % IDS.len()]);
        Some(match what % 20 {
            0..=3 => self.started(number, Ok(()))?,
            4 => self.started(number, Err(SpawnError::Failed(ExitReason::failed("no"))))?,
            5 => self.started(number, Err(SpawnError::Ignored))?,
            6 | 7 => self.down(number, ExitReason::failed("x"))?,
            8 => self.down(number, ExitReason::Normal)?,
            9 => self.down(number, ExitReason::Shutdown(None))?,
            10 => self.timeout(number)?,
            11 => {
                let token = self.retries.pop()?;
                Input::Retry { token }
            }
            12 => {
                let mut spec = ChildSpec::worker(id.clone(), id);
                spec.restart =
                    [Restart::Permanent, Restart::Transient, Restart::Temporary][usize::from(number) / 4 % 3];
                Input::StartChild { spec, ask: self.ask() }
            }
            13 => Input::TerminateChild { id, ask: self.ask() },
            14 => {
                let pid = nth(self.running.iter().copied(), number)?;
                Input::TerminatePid { pid, ask: self.ask() }
            }
            15 => Input::RestartChild { id, ask: self.ask() },
            16 => Input::DeleteChild { id, ask: self.ask() },
            17 => Input::Resize { partitions: usize::from(number % 5), ask: self.ask() },
            18 => Input::CountChildren { ask: self.ask() },
            _ => {
                self.now += Duration::from_millis(u64::from(number % 2_000));
                return None;
            }
        })
    }

    fn happens(&mut self, input: Input<Name, u32>) {
        let mut out = Vec::new();
        self.machine.step(input, self.now, &mut out);
        for order in out {
            self.ordered(order);
        }
        let listed: BTreeSet<Pid> = self.machine.view().iter().filter_map(|child| child.status.pid()).collect();
        assert_eq!(listed, self.running);
        assert_eq!(self.machine.counts().active, self.running.len());
        for at in self.machine.view().iter().filter_map(|child| child.restart_at) {
            assert!(self.timers.values().any(|set| *set == at), "nobody wakes a child that waits");
        }
        if let Machine::Dynamic(machine) = &self.machine {
            assert!(machine.is_consistent());
        }
    }

    fn ordered(&mut self, order: Order<Name, u32>) {
        assert!(!self.ended || matches!(order, Order::Reply { .. }), "after the end: {order:?}");
        match order {
            Order::Start { token, .. } => assert!(self.starting.insert(token), "two starts have one token"),
            Order::CancelStart { token } => assert!(self.starting.contains(&token), "nothing to cancel"),
            Order::Shutdown { pid } | Order::Kill { pid } => assert!(self.running.contains(&pid), "{pid} does not run"),
            Order::SetTimer { token, at } => {
                assert!(at >= self.now);
                assert_eq!(self.timers.insert(token, at), None);
            }
            Order::CancelTimer { token } => {
                self.timers.remove(&token);
            }
            Order::Retry { token } => self.retries.push(token),
            Order::Reply { ask, .. } => assert!(self.asks.remove(&ask), "answered twice"),
            Order::Failed { .. } | Order::Finish { .. } => {
                assert!(self.running.is_empty() && self.starting.is_empty(), "the end leaves somebody");
                self.ended = true;
            }
            Order::Ready | Order::Report(_) => {}
        }
    }

    /// Everybody does as told, until nobody is left.
    fn end(&mut self) {
        self.happens(Input::Stop { reason: ExitReason::Shutdown(None) });
        while !self.ended {
            let input = self.started(0, Ok(())).or_else(|| self.down(0, ExitReason::Shutdown(None)));
            self.happens(input.expect("it waits for nobody, and has not ended"));
        }
        assert_eq!(self.asks, BTreeSet::new(), "requests without an answer");
        assert!(self.machine.view().iter().all(|child| child.restart_at.is_none()));
    }
}

fn child() -> impl Dice<Value = ChildSpec<Name>> {
    let shutdown = prop_oneof![
        Just(Shutdown::BrutalKill),
        Just(Shutdown::Infinity),
        (1..3_000u64).prop_map(|ms| Shutdown::Timeout(Duration::from_millis(ms))),
    ];
    (prop::sample::select(&[Restart::Permanent, Restart::Transient, Restart::Temporary][..]), shutdown, any::<bool>())
        .prop_map(|(restart, shutdown, significant)| {
            let mut spec = ChildSpec::worker("a", Name::from("a"));
            (spec.restart, spec.shutdown, spec.significant) = (restart, shutdown, significant);
            spec
        })
}

/// A spec of any kind that makes sense.
fn spec() -> impl Dice<Value = SupervisorSpec<Name>> {
    let strategy = prop::sample::select(&[Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne][..]);
    let auto =
        prop::sample::select(&[AutoShutdown::Never, AutoShutdown::AnySignificant, AutoShutdown::AllSignificant][..]);
    let backoff = prop::option::of((1..500u64, 500..3_000u64));
    let children = prop::collection::vec(child(), 0..4);
    (0..4u8, strategy, auto, backoff, 0..20u32, 1..8usize, children).prop_map(
        |(kind, strategy, auto_shutdown, backoff, max_restarts, max_children, mut children)| {
            for (child, id) in children.iter_mut().zip(IDS) {
                child.id = id.into();
            }
            let ms = Duration::from_millis;
            let mut spec = match (kind, children.first()) {
                (0, Some(child)) => SupervisorSpec::template(child.clone()),
                (1, _) => SupervisorSpec::dynamic(Some(Body::Json("1".into()))),
                (2, _) => SupervisorSpec { roster: Roster::Partitions, ..SupervisorSpec::new(children) },
                _ => SupervisorSpec::new(children),
            };
            if !spec.roster.is_dynamic() {
                (spec.strategy, spec.auto_shutdown) = (strategy, auto_shutdown);
            }
            for child in &mut spec.children {
                if spec.roster == Roster::Partitions && child.restart == Restart::Temporary {
                    child.restart = Restart::Transient;
                }
                child.significant &= spec.auto_shutdown != AutoShutdown::Never && child.restart != Restart::Permanent;
            }
            spec.max_restarts = max_restarts;
            spec.max_children = max_children.max(spec.children.len());
            spec.backoff = backoff.map(|(first, most)| Backoff { first: ms(first), most: ms(most) });
            spec
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn whatever_happens(
        spec in spec(),
        others in prop::collection::vec(spec(), 0..4),
        steps in prop::collection::vec(any::<Step>(), 0..120),
    ) {
        let mut world = World::new(spec.clone());
        world.happens(Input::Begin);
        let mut others = others.into_iter();
        for (number, step) in steps.into_iter().enumerate() {
            if number % 25 == 24 && let Some(other) = others.next() {
                // Of the same kind or of another, which is refused.
                let ask = world.ask();
                world.happens(Input::Replace { spec: other, ask });
            }
            if let Some(input) = world.input(step) {
                world.happens(input);
            }
        }
        if !world.ended {
            world.end();
        }
    }
}
