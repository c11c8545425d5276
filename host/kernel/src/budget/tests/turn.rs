//! Operations that wait their turn below several budgets.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use super::*;
use crate::budget::Turn;

/// How often somebody was woken.
#[derive(Default)]
struct Bell(AtomicUsize);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// An operation, and how often it was woken.
struct Operation {
    turn: Turn,
    bell: Arc<Bell>,
}

fn below(budget: &Arc<Budget>) -> Operation {
    Operation { turn: Turn::new(Arc::clone(budget)), bell: Arc::default() }
}

impl Operation {
    fn begins(&mut self) -> bool {
        let waker = Waker::from(Arc::clone(&self.bell));
        Pin::new(&mut self.turn).poll(&mut Context::from_waker(&waker)) == Poll::Ready(())
    }

    /// Whether it was woken since this was last asked.
    fn was_woken(&self) -> bool {
        self.bell.0.swap(0, Ordering::SeqCst) > 0
    }
}

fn at_most(app: Option<u64>, supervisor: Option<u64>) -> (Arc<Budget>, Arc<Budget>) {
    nested(&of(Resource::Blocking, app), &of(Resource::Blocking, supervisor))
}

fn under_way(budgets: &(Arc<Budget>, Arc<Budget>)) -> (u64, u64) {
    (budgets.0.used(Resource::Blocking), budgets.1.used(Resource::Blocking))
}

#[test]
fn so_many_operations_go_on_as_the_least_budget_says_and_the_rest_wait_in_order() {
    for (app, supervisor) in [(Some(2), None), (None, Some(2)), (Some(2), Some(2)), (Some(2), Some(3))] {
        let budgets = at_most(app, supervisor);
        let mut operations: Vec<Operation> = (0..5).map(|_| below(&budgets.1)).collect();
        let begun: Vec<bool> = operations.iter_mut().map(Operation::begins).collect();
        assert_eq!(begun, [true, true, false, false, false], "{app:?} {supervisor:?}");
        let over = operations.remove(0);
        assert!(!operations.iter().any(Operation::was_woken));
        drop(over);
        // Of those who wait the first goes, even if a later one looks before it.
        assert!(operations[1].was_woken(), "{app:?} {supervisor:?}");
        assert!(!operations[2].begins() && operations[1].begins() && !operations[2].begins());
        assert_eq!(budgets.0.used(Resource::Blocking), 2);
        drop(operations);
        assert_eq!(under_way(&budgets), (0, 0));
    }
}

#[test]
fn who_waits_no_longer_leaves_his_place_to_the_next() {
    let budgets = at_most(Some(1), None);
    let mut first = below(&budgets.1);
    let (mut second, mut third) = (below(&budgets.1), below(&budgets.1));
    assert!(first.begins() && !second.begins() && !third.begins());
    drop(first);
    assert!(second.was_woken() && !third.was_woken());
    // It was woken and is given up before it looked.
    drop(second);
    assert!(third.was_woken() && third.begins());
    drop(third);
    assert_eq!(under_way(&budgets), (0, 0));
}

#[test]
fn who_waits_above_holds_his_place_below_and_nobody_elses() {
    let app = Budget::new("app a", None, &of(Resource::Blocking, Some(1)), Time::ZERO);
    let [one, two] = ["supervisor one", "supervisor two"]
        .map(|whose| Budget::new(whose, Some(Arc::clone(&app)), &of(Resource::Blocking, Some(1)), Time::ZERO));
    let (mut first, mut second, mut other) = (below(&one), below(&one), below(&two));
    assert!(first.begins() && !second.begins() && !other.begins());
    assert_eq!([&app, &one, &two].map(|budget| budget.used(Resource::Blocking)), [1, 1, 1]);
    drop(first);
    assert!(second.was_woken() && other.was_woken());
    assert!(!second.begins(), "the other one was first in the app");
    assert!(other.begins());
    drop(other);
    assert!(second.was_woken() && second.begins());
    drop(second);
    assert_eq!([&app, &one, &two].map(|budget| budget.used(Resource::Blocking)), [0, 0, 0]);
}

#[test]
fn more_room_is_told_to_all_who_wait() {
    let budgets = at_most(Some(1), None);
    let mut operations: Vec<Operation> = (0..4).map(|_| below(&budgets.1)).collect();
    assert_eq!(operations.iter_mut().filter_map(|one| one.begins().then_some(())).count(), 1);
    budgets.0.set(&of(Resource::Blocking, Some(3)), Time::ZERO);
    assert!(operations[1..].iter().all(Operation::was_woken));
    assert!(operations[1].begins() && operations[2].begins() && !operations[3].begins());
    // Less room than is taken: nobody comes until there is some again.
    budgets.0.set(&of(Resource::Blocking, Some(1)), Time::ZERO);
    operations.remove(0);
    operations.remove(0);
    assert!(!operations[1].begins());
    operations.remove(0);
    assert!(operations[0].begins());
}

#[test]
fn a_wake_is_passed_on_while_there_is_room() {
    let budgets = at_most(Some(2), None);
    let mut operations: Vec<Operation> = (0..4).map(|_| below(&budgets.1)).collect();
    operations.iter_mut().for_each(|one| {
        one.begins();
    });
    // Two places at once, and only the first in line hears of each.
    operations.drain(..2);
    assert!(operations[0].was_woken() && !operations[1].was_woken());
    assert!(operations[0].begins());
    assert!(operations[1].was_woken() && operations[1].begins());
}
