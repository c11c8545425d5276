//! Budgets as tables: what is taken where, what comes back, and how fuel flows.

mod log;
mod turn;

use std::sync::Arc;
use std::time::Duration;

use super::Resource::{MailboxBytes, Memory, Processes, Timers};
use super::{Account, Budget, BudgetSpec, Burnt, Charge, Exceeded, FuelRate, Resource, WhenOut};
use crate::mailbox::{Mailbox, Reservation};
use crate::signal::Undelivered;
use crate::{Body, Event, Limits, Time};

/// An app's budget and that of a supervisor in it.
fn nested(app: &BudgetSpec, supervisor: &BudgetSpec) -> (Arc<Budget>, Arc<Budget>) {
    let app = Budget::new("app a", None, app, Time::ZERO);
    let below = Budget::new("supervisor s", Some(Arc::clone(&app)), supervisor, Time::ZERO);
    (app, below)
}

fn of(resource: Resource, most: Option<u64>) -> BudgetSpec {
    let mut spec = BudgetSpec::default();
    *match resource {
        Memory => &mut spec.memory_bytes,
        Resource::Instances => &mut spec.instances,
        Processes => &mut spec.processes,
        MailboxBytes => &mut spec.mailbox_bytes,
        Timers => &mut spec.timers,
        Resource::OpenFiles => &mut spec.open_files,
        Resource::Blocking => &mut spec.blocking_operations,
    } = most;
    spec
}

#[test]
fn the_first_budget_that_is_full_refuses_and_nothing_is_taken_anywhere() {
    for resource in Resource::ALL {
        for (app, supervisor, take, refused_by) in [
            (None, None, vec![1_000_000], None),
            (Some(5), None, vec![2, 3], None),
            (Some(5), None, vec![2, 3, 1], Some("app a")),
            (None, Some(5), vec![5, 1], Some("supervisor s")),
            (Some(5), Some(9), vec![5, 1], Some("app a")),
            (Some(9), Some(5), vec![5, 1], Some("supervisor s")),
            (Some(0), None, vec![1], Some("app a")),
            (Some(5), None, vec![u64::MAX], Some("app a")),
        ] {
            let (app, below) = nested(&of(resource, app), &of(resource, supervisor));
            let mut charge = Charge::none(Arc::clone(&below), resource);
            let (last, before) = take.split_last().expect("something is taken");
            for amount in before {
                charge.grow(*amount).expect("there is room");
            }
            let sum: u64 = before.iter().sum();
            let expected = refused_by.map(|whose| Exceeded { what: resource.word(), whose: whose.into() });
            assert_eq!(charge.grow(*last).err(), expected, "{resource:?} {take:?}");
            let held = if refused_by.is_some() { sum } else { sum + last };
            assert_eq!((charge.amount(), below.used(resource), app.used(resource)), (held, held, held));
            drop(charge);
            assert_eq!((below.used(resource), app.used(resource)), (0, 0), "what is dropped comes back");
        }
    }
}

#[test]
fn a_budget_that_bounds_anything_is_bounded() {
    assert!(BudgetSpec::default().is_unbounded());
    let rate = rated(1, 1, WhenOut::End);
    for spec in Resource::ALL.map(|resource| of(resource, Some(u64::MAX - 1))).iter().chain([&rate]) {
        assert!(!spec.is_unbounded(), "{spec:?}");
        assert_eq!(Budget::new("app a", None, spec, Time::ZERO).bounds(), *spec);
    }
    let (app, below) = nested(&rate, &BudgetSpec::default());
    assert_eq!((&**app.whose(), &**below.whose()), ("app a", "supervisor s"));
    assert!(below.parent().is_some_and(|above| Arc::ptr_eq(above, &app)) && app.parent().is_none());
    assert_eq!((app.fuel_rate(), below.fuel_rate()), (rate.fuel, None));
    assert!(app.is_rated() && below.is_rated(), "by the one above it");
    assert!(below.dry(|| panic!("nobody needs to know what time it is")).is_none());
    assert_eq!(format!("{app:?}"), "Budget of app a");
    app.set(&BudgetSpec::default(), ms(0));
    assert!(!app.is_rated() && !below.is_rated());
}

#[test]
fn whoever_waits_for_a_place_learns_of_departures_below_and_above() {
    let (app, below) = nested(&BudgetSpec::default(), &BudgetSpec::default());
    assert_eq!((app.departures(), below.departures()), (0, 0));
    app.note_departure();
    assert_eq!((app.departures(), below.departures()), (1, 1));
    below.note_departure();
    assert_eq!((app.departures(), below.departures()), (2, 3));
}

#[test]
fn siblings_share_what_is_above_them_and_nothing_else() {
    let app = Budget::new("app a", None, &of(Processes, Some(3)), Time::ZERO);
    let [one, two] = ["supervisor one", "supervisor two"]
        .map(|whose| Budget::new(whose, Some(Arc::clone(&app)), &of(Processes, Some(2)), Time::ZERO));
    let held = [&one, &one, &two].map(|budget| Account::open(Arc::clone(budget)).expect("there is room"));
    let refused = |budget: &Arc<Budget>| Account::open(Arc::clone(budget)).expect_err("it is full").to_string();
    assert_eq!(refused(&one), "processes of supervisor one");
    assert_eq!(refused(&two), "processes of app a");
    assert!(
        one.called("app a").is_some_and(|found| Arc::ptr_eq(&found, &app)) && app.called("supervisor one").is_none()
    );
    assert!(app.is_above(&one) && one.is_above(&one) && !one.is_above(&two) && !one.is_above(&app));
    drop(held);
    assert_eq!([&app, &one, &two].map(|budget| budget.used(Processes)), [0, 0, 0]);
}

#[test]
fn other_bounds_count_from_then_on() {
    let (app, below) = nested(&of(Timers, Some(1)), &BudgetSpec::default());
    let mut account = Account::open(below).expect("there is room");
    account.start_timer().expect("there is room");
    assert_eq!(account.start_timer().expect_err("it is the second").to_string(), "timers of app a");
    app.set(&of(Timers, Some(2)), Time::ZERO);
    account.start_timer().expect("there is room now");
    app.set(&of(Timers, Some(1)), Time::ZERO);
    account.stop_timers(1);
    assert!(account.start_timer().is_err(), "one is as much as there may be");
    account.stop_timers(1);
    account.start_timer().expect("it is the only one");
    account.close();
    assert_eq!((app.used(Timers), app.used(Processes)), (0, 0));
    account.start_timer().expect("it counts nowhere any more");
    assert_eq!(app.used(Timers), 0);
}

#[test]
fn a_state_that_is_kept_is_memory_and_never_refused() {
    let (app, below) = nested(&of(Memory, Some(10)), &BudgetSpec::default());
    let mut account = Account::open(below).expect("there is room");
    for (bytes, used) in [(8, 8), (30, 30), (4, 4), (0, 0), (5, 5)] {
        account.keep_state(bytes);
        assert_eq!(app.used(Memory), used);
    }
    drop(account);
    assert_eq!(app.used(Memory), 0);
}

#[test]
fn memory_is_tight_where_an_eighth_is_left_anywhere_above() {
    for (used, tight) in [(0, false), (70, false), (71, true), (80, true)] {
        let (app, below) = nested(&of(Memory, Some(80)), &BudgetSpec::default());
        let _charge = Charge::take(Arc::clone(&below), Memory, used).expect("there is room");
        assert_eq!((app.is_tight(), below.is_tight()), (tight, tight), "{used}");
    }
}

fn mail(bytes: usize) -> Event {
    Event::Info(Body::Raw(vec![0; bytes]))
}

fn mailbox(below: &Arc<Budget>) -> Mailbox {
    Mailbox::on(Account::open(Arc::clone(below)).expect("there is room").credit())
}

#[test]
fn mailboxes_share_bytes_to_the_last_one_and_give_all_back() {
    let (app, below) = nested(&of(MailboxBytes, Some(100)), &BudgetSpec::default());
    let (mut one, mut two) = (mailbox(&below), mailbox(&below));
    let limits = Limits::default();
    let over = Err(Undelivered::OverBudget("app a".into()));
    for _ in 0..9 {
        one.push_bounded(mail(10), &limits).expect("there is room");
    }
    one.push_bounded(mail(10), &limits).expect("to the last byte");
    assert_eq!((one.bytes(), app.used(MailboxBytes)), (100, 100));
    assert_eq!(one.push_bounded(mail(1), &limits), over);
    assert_eq!(two.push_bounded(mail(1), &limits), over);
    two.push_bounded(mail(0), &limits).expect("it has no bytes");
    // What a process brings upon itself is taken, and counts.
    two.push(mail(50));
    assert_eq!(app.used(MailboxBytes), 150);
    drop(two);
    assert_eq!(app.used(MailboxBytes), 100);
    while one.pop().is_some() {
        assert!(app.used(MailboxBytes) >= one.bytes() as u64, "no byte that waits is not counted");
    }
    assert_eq!(app.used(MailboxBytes), 0, "an empty mailbox keeps nothing");
    one.push_bounded(mail(100), &limits).expect("there is room again");
    drop(one);
    assert_eq!(app.used(MailboxBytes), 0);
}

#[test]
fn room_that_a_mailbox_keeps_counts_until_it_is_given_up() {
    let (app, below) = nested(&of(MailboxBytes, Some(100)), &BudgetSpec::default());
    let (mut one, mut two) = (mailbox(&below), mailbox(&below));
    let (limits, room) = (Limits::default(), Reservation { messages: 4, bytes: 60 });
    assert!(one.reserve(room, &limits));
    assert_eq!(app.used(MailboxBytes), 60);
    assert!(!two.reserve(room, &limits));
    two.push_bounded(mail(40), &limits).expect("to the last byte");
    assert_eq!(two.push_bounded(mail(1), &limits), Err(Undelivered::OverBudget("app a".into())));
    one.push_reserved([mail(10)], room);
    assert!(app.used(MailboxBytes) < 100, "the rest is given back");
    assert!(one.pop().is_some() && two.pop().is_some());
    assert_eq!(app.used(MailboxBytes), 0);
}

#[test]
fn a_mailbox_takes_ahead_while_half_of_each_budget_is_free() {
    let (app, below) = nested(&of(MailboxBytes, Some(100)), &of(MailboxBytes, Some(1_000)));
    let mut mailbox = mailbox(&below);
    for used in [10, 30, 30, 40, 50, 60] {
        mailbox.push_bounded(mail(10), &Limits::default()).expect("there is room");
        assert_eq!((app.used(MailboxBytes), below.used(MailboxBytes)), (used, used));
    }
}

#[test]
fn what_a_mailbox_has_ahead_it_keeps_while_it_is_not_much() {
    let (app, below) = nested(&of(MailboxBytes, Some(1_000)), &BudgetSpec::default());
    let mut mailbox = mailbox(&below);
    for used in [10, 30, 30, 70, 70, 70, 70, 150, 150, 150] {
        mailbox.push_bounded(mail(10), &Limits::default()).expect("there is room");
        assert_eq!(app.used(MailboxBytes), used);
    }
    // Up to four times as much as waits.
    for used in [150, 150, 150, 150, 150, 150, 30, 30, 30, 0] {
        assert!(mailbox.pop().is_some());
        assert_eq!(app.used(MailboxBytes), used, "{} bytes wait", mailbox.bytes());
    }
}

#[test]
fn what_is_held_may_be_set_beyond_the_bound_and_below() {
    let (app, below) = nested(&of(Memory, Some(10)), &BudgetSpec::default());
    let mut charge = Charge::none(below, Memory);
    for amount in [7, 30, 30, 12, 13, 0, 5] {
        charge.set(amount);
        assert_eq!((charge.amount(), app.used(Memory)), (amount, amount));
    }
    assert_eq!(charge.grow(6).expect_err("it was more than there may be").to_string(), "memory of app a");
    drop(charge);
    assert_eq!(app.used(Memory), 0);
}

#[test]
fn mail_is_counted_only_where_it_is_bounded_and_a_bound_that_comes_later_finds_it() {
    let (app, below) = nested(&BudgetSpec::default(), &BudgetSpec::default());
    let mut mailbox = mailbox(&below);
    let limits = Limits::default();
    mailbox.push_bounded(mail(60), &limits).expect("nobody counts");
    assert_eq!(app.used(MailboxBytes), 0);
    app.set(&of(MailboxBytes, Some(100)), Time::ZERO);
    assert!(mailbox.push_bounded(mail(41), &limits).is_err(), "with those before it, it is too much");
    mailbox.push_bounded(mail(40), &limits).expect("it fits");
    assert_eq!(app.used(MailboxBytes), 100);
    app.set(&BudgetSpec::default(), Time::ZERO);
    mailbox.push_bounded(mail(1_000), &limits).expect("nobody counts any more");
    while mailbox.pop().is_some() {}
    assert_eq!(app.used(MailboxBytes), 0);
}

fn rated(per_second: u64, burst: u64, when_out: WhenOut) -> BudgetSpec {
    BudgetSpec { fuel: Some(FuelRate { per_second, burst, when_out }), ..BudgetSpec::default() }
}

fn ms(ms: u64) -> Time {
    Duration::from_millis(ms)
}

#[test]
fn who_is_throttled_waits_until_the_debt_is_paid() {
    // (at, burnt, until when there is none: in ms)
    let table: [(u64, u64, Option<u64>); 8] = [
        (0, 2_000, None),
        (0, 1, Some(1)),
        (1, 0, None),
        (101, 100, None),
        (101, 1_000, Some(1_101)),
        (501, 500, Some(1_601)),
        (1_601, 0, None),
        // It fills up to the burst and no further.
        (1_000_000, 2_001, Some(1_000_001)),
    ];
    let (app, below) = nested(&rated(1_000, 2_000, WhenOut::Throttle), &BudgetSpec::default());
    let mut sum = 0;
    for (at, fuel, dry) in table {
        assert_eq!(below.burn(fuel, ms(at)), Burnt::Left, "nobody ends");
        below.count_fuel(fuel);
        sum += fuel;
        let dry_until = |at: Time| below.dry(|| at).is_some_and(|dry| Arc::ptr_eq(&dry, &app));
        match dry {
            None => assert!(!dry_until(ms(at)), "at {at}"),
            Some(until) => {
                assert!(dry_until(ms(until) - Duration::from_nanos(1)), "at {at} until {until}");
                assert!(!dry_until(ms(until)), "at {at} until {until}");
            }
        }
    }
    assert_eq!((app.fuel_used(), below.fuel_used()), (sum, sum));
}

#[test]
fn who_uses_the_last_of_it_ends_and_nobody_for_his_debt() {
    let (app, below) = nested(&BudgetSpec::default(), &rated(1_000, 100, WhenOut::End));
    let ends = Burnt::Ends(Exceeded { what: "fuel-rate", whose: "supervisor s".into() });
    assert_eq!(below.burn(100, ms(0)), Burnt::Left);
    assert_eq!(below.burn(1_000_000, ms(0)), ends);
    assert!(below.dry(|| ms(0)).is_none(), "those who end do not wait");
    assert_eq!(below.burn(1, ms(1)), Burnt::Left, "as much has flown in");
    assert_eq!(below.burn(1, ms(1)), ends);
    assert_eq!(app.burn(1_000_000, ms(1)), Burnt::Left, "it is not the app's rate");
}

#[test]
fn a_rate_may_change_and_what_was_owed_stays_owed() {
    let budget = Budget::new("app a", None, &rated(10, 100, WhenOut::Throttle), Time::ZERO);
    let _ = budget.burn(1_100, ms(0));
    assert!(budget.dry(|| ms(99_999)).is_some());
    budget.set(&rated(1_000, 50, WhenOut::Throttle), ms(0));
    assert!(budget.dry(|| ms(0)).is_none(), "whoever waits looks again");
    let _ = budget.burn(0, ms(0));
    assert!(budget.dry(|| ms(999)).is_some() && budget.dry(|| ms(1_000)).is_none());
    assert_eq!(budget.fuel_left(10, ms(1_020)), (20, ms(1_020)));
    assert_eq!(budget.fuel_left(40, ms(1_020)), (20, ms(1_040)));
    assert_eq!(budget.fuel_left(1_000, ms(1_020)), (20, ms(1_050)), "more than the burst never comes");
    budget.set(&BudgetSpec::default(), ms(0));
    assert_eq!((budget.fuel_rate(), budget.fuel_left(1, ms(0)).0), (None, u64::MAX));
}

#[test]
fn what_flows_in_within_a_nanosecond_is_not_lost() {
    let budget = Budget::new("app a", None, &rated(1_000, 1_000, WhenOut::Throttle), Time::ZERO);
    let _ = budget.burn(1_000, ms(0));
    for nanos in 0..1_000_000 {
        let _ = budget.burn(0, Duration::from_nanos(nanos));
    }
    assert_eq!(budget.fuel_left(0, ms(1)).0, 1);
}
