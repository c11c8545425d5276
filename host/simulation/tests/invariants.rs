//! Each invariant fails on a defect that was planted for it: one that never fails says nothing.

use std::collections::BTreeSet;

use skep_simulation::{Bug, Feature, Invariant, Plan, run, shrink, trace};

/// Seeds that are tried until the defect shows as what it is; now and then it shows as something else first.
const SEEDS: u64 = 600;

fn check(bug: Bug, invariant: Invariant) {
    assert!(Bug::ALL.contains(&(bug, invariant)));
    let breaks = |seed: &u64| {
        run(&Plan::new(*seed).with(bug)).violation.is_some_and(|violation| violation.invariant == invariant)
    };
    let seed = (1..=SEEDS).find(breaks).unwrap_or_else(|| panic!("{bug:?} does not break {invariant:?}"));
    assert_eq!(run(&Plan::new(seed)).violation, None, "seed {seed} fails without a defect");
}

macro_rules! planted {
    ($($name:ident: $bug:ident breaks $invariant:ident;)*) => {
        $(#[test]
        fn $name() {
            check(Bug::$bug, Invariant::$invariant);
        })*

        /// All that can be planted.
        const PLANTED: &[Bug] = &[$(Bug::$bug),*];
    };
}

planted! {
    drop_message: DropMessage breaks Mail;
    double_message: DoubleMessage breaks Mail;
    swap_messages: SwapMessages breaks Mail;
    lose_mail_on_wake: LoseMailOnWake breaks Mail;
    drop_down: DropDown breaks Downs;
    double_down: DoubleDown breaks Downs;
    down_after_demonitor: DownAfterDemonitor breaks Downs;
    drop_exit: DropExit breaks Exits;
    double_exit: DoubleExit breaks Exits;
    half_unlink: HalfUnlink breaks Links;
    forget_name: ForgetName breaks NamesFree;
    late_name: LateName breaks NamesFree;
    late_through: LateThrough breaks Aliases;
    second_reply: SecondReply breaks Aliases;
    stale_alive: StaleAlive breaks Alive;
    forget_entry: ForgetEntry breaks EntriesFree;
    late_entry: LateEntry breaks EntriesFree;
    two_holders: TwoHolders breaks OneHolder;
    lose_entries: LoseEntries breaks Entries;
    drop_change: DropChange breaks Changes;
    double_change: DoubleChange breaks Changes;
    swap_changes: SwapChanges breaks Changes;
    two_locks: TwoLocks breaks Locks;
    forget_lock: ForgetLock breaks Locks;
    start_early: StartEarly breaks StartOrder;
    stop_first: StopFirst breaks StopOrder;
    forget_restarts: ForgetRestarts breaks Intensity;
    forget_children: ForgetChildren breaks Orphans;
    double_reply: DoubleReply breaks Requests;
    forget_answer: ForgetAnswer breaks Requests;
    ignore_suspension: IgnoreSuspension breaks Suspended;
    early_timer: EarlyTimer breaks Timers;
    lost_timer: LostTimer breaks Timers;
    double_timer: DoubleTimer breaks Timers;
    drop_answer: DropAnswer breaks Calls;
    late_reply: LateReply breaks Calls;
    drop_search: DropSearch breaks Circles;
    drop_retract: DropRetract breaks Circles;
    forget_resume: ForgetResume breaks Suspended;
    other_verdict: OtherVerdict breaks AllOrNone;
    stale_state: StaleState breaks States;
    forget_continue: ForgetContinue breaks Continues;
    wider_limits: WiderLimits breaks Limits;
    lost_wake_up: LostWakeUp breaks WakeUps;
    twice_on_the_queue: TwiceOnTheQueue breaks OneWorker;
    leak_timer: LeakTimer breaks Leaks;
    forget_remove: ForgetRemove breaks Leaks;
    deaf_supervisor: DeafSupervisor breaks Stops;
    panic: Panic breaks Panics;
}

#[test]
fn every_defect_and_every_invariant_has_its_test() {
    let all: Vec<Bug> = Bug::ALL.iter().map(|(bug, _)| *bug).collect();
    assert_eq!(PLANTED, all);
    let broken: BTreeSet<Invariant> = Bug::ALL.iter().map(|(_, invariant)| *invariant).collect();
    assert_eq!(broken, Invariant::ALL.into_iter().collect());
}

#[test]
fn a_seed_replays_exactly_and_says_how() {
    let failing = (1..).map(|seed| Plan::new(seed).with(Bug::DropDown)).find(|plan| run(plan).violation.is_some());
    let plan = failing.expect("one of many");
    let outcome = run(&plan);
    let (again, lines) = trace(&plan);
    assert_eq!(again, outcome);
    let violation = outcome.violation.expect("it failed");
    assert!(lines.iter().any(|line| line.contains("*** DropDown strikes")), "{lines:?}");
    assert!(lines.last().is_some_and(|line| line.contains(&violation.what)), "{lines:?}");
    assert_eq!(plan.options(), format!("--seed {} --bug drop-down", plan.seed));
}

#[test]
fn what_need_not_happen_for_a_failure_is_left_out() {
    let failing = (1..).map(|seed| Plan::new(seed).with(Bug::LostWakeUp)).find_map(|plan| {
        let violation = run(&plan).violation?;
        Some((plan, violation.invariant))
    });
    let (plan, invariant) = failing.expect("one of many");
    let smallest = shrink(&plan, invariant);
    assert!(smallest.without.len() > Feature::ALL.len() / 2, "{smallest:?}");
    assert!(run(&smallest).violation.is_some_and(|violation| violation.invariant == invariant));
    assert!(smallest.options().contains(" --without "), "{}", smallest.options());
}
