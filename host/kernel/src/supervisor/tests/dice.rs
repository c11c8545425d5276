//! Random specs and steps for `random.rs`.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::{Just, Strategy as Dice, prop, prop_oneof};

use super::super::*;
use crate::Name;

const IDS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

/// What happens next; numbers choose among what is possible at that moment.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Begin,
    Succeed(usize),
    Fail(usize),
    Ignore(usize),
    Crash(usize),
    EndWell(usize),
    Obey(usize),
    TimeOut(usize),
    Retry(usize),
    Request(u8, ChildSpec<Name>),
    Replace(SupervisorSpec<Name>),
    Wait(u16),
    Stop,
}

fn child_spec() -> impl Dice<Value = ChildSpec<Name>> {
    let restart =
        prop_oneof![3 => Just(Restart::Permanent), 1 => Just(Restart::Transient), 1 => Just(Restart::Temporary)];
    let shutdown = prop_oneof![
        Just(Shutdown::BrutalKill),
        Just(Shutdown::Infinity),
        (0..3000u64).prop_map(|ms| Shutdown::Timeout(Duration::from_millis(ms))),
    ];
    let kind = prop_oneof![Just(ChildKind::Worker), Just(ChildKind::Supervisor)];
    (prop::sample::select(&IDS[..]), restart, shutdown, kind).prop_map(|(id, restart, shutdown, kind)| ChildSpec {
        id: id.into(),
        start: id.into(),
        restart,
        shutdown,
        kind,
        significant: false,
    })
}

pub(super) fn supervisor_spec() -> impl Dice<Value = SupervisorSpec<Name>> {
    let strategy = prop_oneof![Just(Strategy::OneForOne), Just(Strategy::OneForAll), Just(Strategy::RestForOne)];
    (strategy, prop_oneof![0..4u32, 5..50u32], 1..4u32, prop::collection::vec(child_spec(), 0..6)).prop_map(
        |(strategy, max_restarts, max_seconds, mut children)| {
            let mut ids = BTreeSet::new();
            children.retain(|child| ids.insert(child.id.clone()));
            SupervisorSpec { strategy, max_restarts, max_seconds, ..SupervisorSpec::new(children) }
        },
    )
}

/// Now and then one that makes no sense.
fn replacement() -> impl Dice<Value = SupervisorSpec<Name>> {
    (supervisor_spec(), 0..10u8).prop_map(|(mut spec, luck)| {
        match luck {
            0 => spec.max_seconds = 0,
            1 => spec.children.extend(spec.children.first().cloned()),
            _ => {}
        }
        spec
    })
}

pub(super) fn step() -> impl Dice<Value = Step> {
    let n = 0..8usize;
    prop_oneof![
        1 => Just(Step::Begin),
        12 => n.clone().prop_map(Step::Succeed),
        3 => n.clone().prop_map(Step::Fail),
        1 => n.clone().prop_map(Step::Ignore),
        5 => n.clone().prop_map(Step::Crash),
        2 => n.clone().prop_map(Step::EndWell),
        6 => n.clone().prop_map(Step::Obey),
        2 => n.clone().prop_map(Step::TimeOut),
        4 => n.prop_map(Step::Retry),
        8 => (0..6u8, child_spec()).prop_map(|(kind, spec)| Step::Request(kind, spec)),
        3 => replacement().prop_map(Step::Replace),
        3 => (0..2500u16).prop_map(Step::Wait),
    ]
}
