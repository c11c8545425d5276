//! Restarts that wait: an option beyond OTP.

use std::time::Duration;

use super::super::*;
use super::scenario::{Scenario, check, spec};
use Strategy::{OneForAll, OneForOne, RestForOne};

fn waiting(strategy: Strategy, children: &str) -> SupervisorSpec<crate::Name> {
    let backoff = Backoff { first: Duration::from_millis(100), most: Duration::from_millis(300) };
    SupervisorSpec { backoff: Some(backoff), max_restarts: 3, ..spec(strategy, children) }
}

#[test]
fn a_child_that_does_not_stay_up_waits_longer_each_time() {
    check(
        waiting(OneForOne, "a b:infinity"),
        &[
            ("begin; ok a; ok b", "init a1, init b1, ready"),
            ("down a1 x; ok a", "a1 ended (failed: x), restarting a #1, restart a2"),
            ("at 10; down a2 x", "a2 ended (failed: x), wait a@110"),
            ("which", "[which] b1 a:restarting"),
            // Others are served meanwhile.
            (
                "start c; ok c; terminate c; down c1 shutdown",
                "request c1, [start c] c1, shutdown c1, timer c1@5010, untimer c1, [terminate c] ok",
            ),
            ("delete a; restart a", "[delete a] Restarting, [restart a] Restarting"),
            ("at 110; timeout a", "restarting a #2, restart a3"),
            // A start that fails counts as a failure of the row.
            ("fail a", "a did not start (failed: boom), wait a@310"),
            ("at 310; timeout a; ok a", "restarting a #3, restart a4"),
            // The longest wait.
            ("at 320; down a4 x", "a4 ended (failed: x), wait a@620"),
            // Waiting counts nothing; the restart does.
            ("at 620; timeout a", "gave up a, shutdown b1"),
        ],
    );
}

#[test]
fn who_stays_up_begins_a_new_row() {
    check(
        waiting(OneForOne, "a"),
        &[
            (
                "begin; ok a; down a1 x; ok a; down a2 x",
                "init a1, ready, a1 ended (failed: x), restarting a #1, restart a2, a2 ended (failed: x), wait a@100",
            ),
            ("at 100; timeout a; ok a", "restarting a #2, restart a3"),
            ("at 400; down a3 x", "a3 ended (failed: x), restarting a #3, restart a4"),
        ],
    );
}

#[test]
fn the_listing_says_when() {
    let mut scenario = Scenario::new(waiting(OneForOne, "a"));
    for what in ["begin", "ok a", "down a1 x", "ok a", "at 7", "down a2 x"] {
        scenario.happens(what);
    }
    let view = &scenario.sup.view()[0];
    assert_eq!((view.status, view.restart_at), (ChildStatus::Restarting, Some(Duration::from_millis(107))));
}

#[test]
fn who_waits_can_be_terminated_and_the_supervisor_ended() {
    check(
        waiting(OneForOne, "a b"),
        &[
            (
                "begin; ok a; ok b; down a1 x; ok a; down a2 x",
                "init a1, init b1, ready, a1 ended (failed: x), restarting a #1, restart a2, a2 ended (failed: x), wait a@100",
            ),
            ("terminate a; which", "untimer a, [terminate a] ok, [which] b1 a:stopped"),
            (
                "down b1 x; ok b; down b2 x",
                "b1 ended (failed: x), restarting b #2, restart b2, b2 ended (failed: x), wait b@100",
            ),
            ("stop shutdown", "untimer b, finish (shutdown)"),
        ],
    );
}

#[test]
fn a_group_is_stopped_at_once_and_waits_as_one() {
    check(
        waiting(OneForAll, "a b:infinity c:infinity"),
        &[
            ("begin; ok a; ok b; ok c", "init a1, init b1, init c1, ready"),
            (
                "down a1 x; down c1 shutdown; down b1 shutdown",
                "a1 ended (failed: x), restarting a #1, shutdown c1, shutdown b1, restart a2",
            ),
            ("ok a; ok b; ok c; down a2 x", "restart b2, restart c2, a2 ended (failed: x), shutdown c2"),
            ("down c2 shutdown; down b2 shutdown", "shutdown b2, wait a@100"),
            ("which", "[which] c:stopped b:stopped a:restarting"),
            ("at 100; timeout a; ok a; ok b; ok c", "restarting a #2, restart a3, restart b3, restart c3"),
        ],
    );
    // If the others take longer to stop than the wait is, it comes when they are down.
    check(
        waiting(OneForAll, "a b:infinity"),
        &[
            (
                "begin; ok a; ok b; down a1 x",
                "init a1, init b1, ready, a1 ended (failed: x), restarting a #1, shutdown b1",
            ),
            ("down b1 shutdown; ok a; ok b; down a2 x", "restart a2, restart b2, a2 ended (failed: x), shutdown b2"),
            ("at 500; down b2 shutdown", "wait a@500"),
        ],
    );
    // Terminated while the others are being stopped, it holds up nobody.
    check(
        waiting(OneForAll, "a b:infinity"),
        &[
            (
                "begin; ok a; ok b; down a1 x",
                "init a1, init b1, ready, a1 ended (failed: x), restarting a #1, shutdown b1",
            ),
            ("down b1 shutdown; ok a; ok b; down a2 x", "restart a2, restart b2, a2 ended (failed: x), shutdown b2"),
            ("terminate a; down b2 shutdown", "[terminate a] ok, restart b3"),
        ],
    );
}

#[test]
fn an_earlier_child_that_fails_meanwhile_waits_with_the_group() {
    check(
        waiting(RestForOne, "a b c:infinity"),
        &[
            ("begin; ok a; ok b; ok c", "init a1, init b1, init c1, ready"),
            (
                "down b1 x; down c1 shutdown; ok b; ok c",
                "b1 ended (failed: x), restarting b #1, shutdown c1, restart b2, restart c2",
            ),
            ("down b2 x", "b2 ended (failed: x), shutdown c2"),
            ("down a1 x", "a1 ended (failed: x)"),
            ("down c2 shutdown", "wait a@100"),
            ("at 100; timeout a; ok a; ok b; ok c", "restarting a #2, restart a2, restart b3, restart c3"),
            // While the group waits, an earlier one takes it along.
            ("down b3 x; down c3 shutdown", "b3 ended (failed: x), shutdown c3, wait b@300"),
            (
                "at 500; down a2 x; ok a; ok b; ok c",
                "a2 ended (failed: x), restarting a #3, untimer b, restart a3, restart b4, restart c4",
            ),
        ],
    );
}

#[test]
fn hot_17_a_new_wait_counts_from_the_next_failure_on() {
    let mut scenario = Scenario::new(waiting(OneForOne, "a"));
    for what in ["begin", "ok a", "down a1 x", "ok a", "replace a"] {
        scenario.happens(what);
    }
    assert_eq!(scenario.happens("down a2 x")[1..], ["restarting a #2", "restart a3"]);
}

#[test]
fn a_back_off_without_sense_is_refused() {
    for (first, most, ok) in [(0, 5, false), (6, 5, false), (5, 5, true), (1, 5, true)] {
        let backoff = Backoff { first: Duration::from_millis(first), most: Duration::from_millis(most) };
        let spec = SupervisorSpec { backoff: Some(backoff), ..spec(OneForOne, "a") };
        assert_eq!(spec.check().is_ok(), ok, "{first} {most}");
    }
}
