//! The rules of OTP's supervisor, by ID: how it starts and stops its children, and what it is told of them.

use std::time::Duration;

use super::super::*;
use super::scenario::{check, child, spec};
use Strategy::{OneForAll, OneForOne, RestForOne};

#[test]
fn sup_01_children_start_left_to_right_each_when_the_one_before_is_up() {
    check(
        spec(OneForOne, "a b c"),
        &[("begin", "init a1"), ("ok a", "init b1"), ("ok b", "init c1"), ("ok c", "ready")],
    );
    check(spec(OneForOne, ""), &[("begin", "ready"), ("begin", ""), ("stop shutdown", "finish (shutdown)")]);
}

#[test]
fn sup_01_children_stop_right_to_left_each_when_the_one_after_is_down() {
    for strategy in [OneForOne, OneForAll, RestForOne] {
        check(
            spec(strategy, "a:infinity b:infinity c:infinity"),
            &[
                ("begin; ok a; ok b; ok c", "init a1, init b1, init c1, ready"),
                ("stop shutdown", "shutdown c1"),
                ("which", "[which] c1:stopping b1 a1"),
                ("down c1 shutdown", "shutdown b1"),
                ("down b1 shutdown", "shutdown a1"),
                ("down a1 shutdown", "finish (shutdown)"),
            ],
        );
    }
}

#[test]
fn sup_01_the_tail_of_rest_for_one_stops_right_to_left() {
    check(
        spec(RestForOne, "a b:infinity c:infinity d:infinity"),
        &[
            ("begin; ok a; ok b; ok c; ok d", "init a1, init b1, init c1, init d1, ready"),
            ("down b1 crash", "b1 ended (failed: crash), restarting b #1, shutdown d1"),
            ("which", "[which] d1:stopping c1 b:restarting a1"),
            ("down d1 shutdown", "shutdown c1"),
            ("down c1 shutdown", "restart b2"),
            ("ok b", "restart c2"),
            ("ok c", "restart d2"),
            ("which", "[which] d:restarting c2 b2 a1"),
            ("ok d", ""),
            ("which", "[which] d2 c2 b2 a1"),
        ],
    );
}

#[test]
fn sup_02_a_failed_start_stops_the_ones_before_and_fails_the_supervisor() {
    check(
        spec(OneForOne, "a:infinity b:infinity c d"),
        &[
            ("begin; ok a; ok b", "init a1, init b1, init c1"),
            ("fail c", "c did not start (failed: boom), shutdown b1"),
            ("which", "[which] d:stopped c:stopped b1:stopping a1"),
            ("down b1 shutdown", "shutdown a1"),
            ("down a1 shutdown", "failed (shutdown: failed to start child \"c\": failed: boom)"),
        ],
    );
    check(
        spec(OneForAll, "a"),
        &[(
            "begin; refuse a",
            "init a1, a did not start (Refused(Limit(\"processes\"))), \
         failed (shutdown: failed to start child \"a\": limit reached: processes)",
        )],
    );
}

#[test]
fn sup_03_defaults_are_those_of_otp() {
    let spec = SupervisorSpec::<()>::default();
    assert_eq!((spec.strategy, spec.max_restarts, spec.max_seconds), (OneForOne, 1, 5));
    assert!(spec.children.is_empty());
    let worker = ChildSpec::worker("w", ());
    assert_eq!(worker.shutdown, Shutdown::Timeout(Duration::from_secs(5)));
    assert_eq!((worker.restart, worker.kind), (Restart::Permanent, ChildKind::Worker));
    let supervisor = ChildSpec::supervisor("s", ());
    assert_eq!(supervisor.shutdown, Shutdown::Infinity);
    assert_eq!((supervisor.restart, supervisor.kind), (Restart::Permanent, ChildKind::Supervisor));
}

#[test]
fn sup_03_bad_specs_are_refused_by_name() {
    let error = |spec: SupervisorSpec<_>| Supervisor::<_, ()>::new(spec).expect_err("a bad spec").to_string();
    assert_eq!(error(spec(OneForOne, "a b a")), "two children have the id \"a\"");
    assert_eq!(error(spec(OneForOne, "a :kill")), "bad child id \"\": a name cannot be empty");
    let without_window = SupervisorSpec { max_seconds: 0, ..spec(OneForOne, "a") };
    assert_eq!(error(without_window), "max_seconds must be at least 1");
    let least = SupervisorSpec { max_seconds: 1, max_restarts: 0, ..spec(OneForOne, "a b") };
    assert_eq!(least.check(), Ok(()));
    check(
        spec(OneForOne, ""),
        &[("begin; start :kill", "ready, [start :kill] bad child id \"\": a name cannot be empty")],
    );
}

#[test]
fn sup_15_brutal_kill_kills_at_once() {
    check(
        spec(OneForOne, "a:kill b:kill"),
        &[
            ("begin; ok a; ok b; stop shutdown", "init a1, init b1, ready, kill b1"),
            ("down b1 killed", "kill a1"),
            ("down a1 killed", "finish (shutdown)"),
        ],
    );
}

#[test]
fn sup_15_a_timeout_asks_first_and_kills_when_it_is_over() {
    check(
        spec(OneForOne, "a:2000 b:300"),
        &[
            ("at 700; begin; ok a; ok b", "init a1, init b1, ready"),
            ("stop shutdown", "shutdown b1, timer b1@1000"),
            ("timeout b1", "kill b1"),
            ("timeout b1", ""),
            ("at 1500; down b1 killed", "b1 stopped wrongly (killed), shutdown a1, timer a1@3500"),
            ("down a1 shutdown", "untimer a1, finish (shutdown)"),
        ],
    );
}

#[test]
fn sup_15_infinity_has_no_timer_for_workers_either() {
    check(
        spec(OneForOne, "a:infinity b:sup"),
        &[
            ("begin; ok a; ok b; stop shutdown", "init a1, init b1, ready, shutdown b1"),
            ("down b1 shutdown", "shutdown a1"),
        ],
    );
}

#[test]
fn sup_21_a_new_supervisor_knows_only_its_spec() {
    let spec = SupervisorSpec { max_restarts: 1, ..spec(OneForOne, "a b") };
    for _ in 0..2 {
        check(
            spec.clone(),
            &[
                ("begin; ok a; ok b", "init a1, init b1, ready"),
                ("start c; ok c; terminate b", "request c1, [start c] c1, shutdown b1, timer b1@5000"),
                ("down b1 shutdown; delete b", "untimer b1, [terminate b] ok, [delete b] ok"),
                ("down a1 x; ok a", "a1 ended (failed: x), restarting a #1, restart a2"),
                ("which", "[which] c1 a2"),
            ],
        );
    }
    assert_eq!(child("a:sup:temporary").restart, Restart::Temporary);
}
