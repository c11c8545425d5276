//! One episode from its plan: a tree is started, lives, and is stopped; and the smallest plan that still fails.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::world::{Progress, World};
use crate::{Bug, Feature, Figures, Invariant, Plan};

/// Steps beyond which an episode that was told to stop never will.
const STEPS_TO_STOP: u64 = 400_000;

/// What was wrong, and when.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    /// What did not hold.
    pub invariant: Invariant,
    /// What was seen instead.
    pub what: String,
    /// In which step.
    pub step: u64,
}

/// What came of an episode.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// How many steps it had.
    pub steps: u64,
    /// What happened in them.
    pub figures: Figures,
    /// What was wrong, if anything was.
    pub violation: Option<Violation>,
}

/// Runs an episode.
#[must_use]
pub fn run(plan: &Plan) -> Outcome {
    let mut world = World::new(plan, false);
    live(plan, &mut world)
}

/// Runs an episode again, and says what happened last in it.
#[must_use]
pub fn trace(plan: &Plan) -> (Outcome, Vec<String>) {
    let mut world = World::new(plan, true);
    let outcome = live(plan, &mut world);
    (outcome, world.into_trace())
}

/// A plan with as little in it as possible in which the same does not hold.
#[must_use]
pub fn shrink(plan: &Plan, invariant: Invariant) -> Plan {
    let mut smallest = plan.clone();
    for feature in Feature::ALL {
        let mut smaller = smallest.clone();
        smaller.without.push(feature);
        if run(&smaller).violation.is_some_and(|violation| violation.invariant == invariant) {
            smallest = smaller;
        }
    }
    smallest
}

fn live(plan: &Plan, world: &mut World) -> Outcome {
    let lived = catch_unwind(AssertUnwindSafe(|| {
        episode(plan, world);
    }));
    if let Err(panic) = lived {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("a panic");
        world.violated(Invariant::Panics, text);
    }
    Outcome { steps: world.steps, figures: world.figures, violation: world.violation.clone() }
}

fn episode(plan: &Plan, world: &mut World) {
    let actions = world.dice.pick(&[20, 60, 150, 400]);
    world.populate(actions);
    while world.violation.is_none() && !world.is_done() {
        if world.step() == Progress::None {
            rest(world);
        }
        if plan.bug == Some(Bug::Panic) {
            assert!(world.figures.events < 50, "planted");
        }
    }
    stop(world);
}

/// Nobody has anything to do before time passes.
fn rest(world: &mut World) {
    world.audit();
    world.figures.audits += 1;
    if world.rests() {
        world.end_rest();
        if world.dice.one_in(2) {
            return;
        }
    }
    match world.next_moment() {
        Some(at) => world.pass(at),
        None => world.pass(world.now + Duration::from_millis(10)),
    }
}

/// Everything is told to stop, and must.
fn stop(world: &mut World) {
    if world.violation.is_some() {
        return;
    }
    world.wind_down();
    let last = world.steps + STEPS_TO_STOP;
    let mut has_killed = false;
    while world.violation.is_none() {
        if world.steps > last {
            return world.violated(Invariant::Stops, "it never comes to rest");
        }
        world.stop_the_tree();
        if world.step() == Progress::Made {
            continue;
        }
        world.audit();
        world.figures.audits += 1;
        if let Some(at) = world.next_moment() {
            world.pass(at);
        } else if world.kill_the_rest() {
            has_killed = true;
        } else {
            break;
        }
    }
    if world.violation.is_some() {
        return;
    }
    if let Some(pid) = world.supervisors_left() {
        return world.violated(Invariant::Stops, format!("supervisor {pid} does not end (killed: {has_killed})"));
    }
    world.leave_the_node();
    world.audit_the_end();
}
