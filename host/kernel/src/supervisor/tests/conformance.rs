//! The rules of OTP's supervisor, by ID.

use std::time::Duration;

use super::super::*;
use super::scenario::{Scenario, check, child, spec};
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
fn sup_04_permanent_is_restarted_after_every_ending() {
    check(
        spec(OneForOne, "a"),
        &[
            ("begin; ok a", "init a1, ready"),
            ("down a1 normal", "a1 ended (normal), restarting a #1, restart a2"),
            ("ok a; down a2 shutdown", "a2 ended (shutdown), restarting a #2, restart a3"),
            ("ok a; down a3 crash", "a3 ended (failed: crash), restarting a #3, restart a4"),
        ],
    );
}

#[test]
fn sup_04_transient_stays_down_and_known_after_an_orderly_ending() {
    for word in ["normal", "shutdown", "shutdown+"] {
        check(
            spec(OneForAll, "a:transient b"),
            &[
                ("begin; ok a; ok b", "init a1, init b1, ready"),
                (&format!("down a1 {word}"), ""),
                ("which", "[which] b1 a:stopped"),
            ],
        );
    }
    check(
        spec(OneForOne, "a:transient"),
        &[("begin; ok a", "init a1, ready"), ("down a1 killed", "a1 ended (killed), restarting a #1, restart a2")],
    );
}

#[test]
fn sup_04_temporary_is_never_restarted_and_forgotten() {
    for (word, told) in [("normal", ""), ("shutdown+", ""), ("crash", "a1 ended (failed: crash)")] {
        check(
            spec(OneForAll, "a:temporary b"),
            &[
                ("begin; ok a; ok b", "init a1, init b1, ready"),
                (&format!("down a1 {word}"), told),
                ("which", "[which] b1"),
                (
                    "restart a; delete a; terminate a",
                    "[restart a] NotFound, [delete a] NotFound, [terminate a] NotFound",
                ),
            ],
        );
    }
}

#[test]
fn sup_05_one_for_all_stops_in_reverse_and_starts_forward() {
    check(
        spec(OneForAll, "a:infinity b:infinity t:temporary:infinity c:infinity"),
        &[
            ("begin; ok a; ok b; ok t; ok c", "init a1, init b1, init t1, init c1, ready"),
            ("down b1 crash", "b1 ended (failed: crash), restarting b #1, shutdown c1"),
            ("down c1 shutdown", "shutdown t1"),
            ("down t1 shutdown", "shutdown a1"),
            ("down a1 shutdown", "restart a2"),
            ("ok a; ok b; ok c", "restart b2, restart c2"),
            ("which", "[which] c2 b2 a2"),
        ],
    );
}

#[test]
fn sup_05_one_for_one_touches_nobody_else() {
    check(
        spec(OneForOne, "a b c"),
        &[
            ("begin; ok a; ok b; ok c", "init a1, init b1, init c1, ready"),
            ("down b1 crash; ok b", "b1 ended (failed: crash), restarting b #1, restart b2"),
            ("which", "[which] c1 b2 a1"),
        ],
    );
}

#[test]
fn sup_05_a_rebuild_brings_back_who_was_down() {
    // Seen in OTP 25: one_for_all starts children that had been terminated or had ended normally.
    check(
        spec(OneForAll, "a b:transient:infinity c:infinity"),
        &[
            ("begin; ok a; ok b; ok c", "init a1, init b1, init c1, ready"),
            ("down b1 normal; terminate c; down c1 shutdown", "shutdown c1, [terminate c] ok"),
            ("which", "[which] c:stopped b:stopped a1"),
            ("down a1 crash", "a1 ended (failed: crash), restarting a #1, restart a2"),
            ("ok a; ok b; ok c", "restart b2, restart c2"),
        ],
    );
    // rest_for_one only those after the failed child.
    check(
        spec(RestForOne, "a:transient b c:transient"),
        &[
            ("begin; ok a; ok b; ok c", "init a1, init b1, init c1, ready"),
            ("down a1 normal; down c1 normal", ""),
            ("down b1 crash; ok b; ok c", "b1 ended (failed: crash), restarting b #1, restart b2, restart c2"),
            ("which", "[which] c2 b2 a:stopped"),
        ],
    );
}

#[test]
fn sup_08_gives_up_above_max_restarts() {
    let spec = SupervisorSpec { max_restarts: 2, ..spec(OneForOne, "a:infinity b c:infinity") };
    check(
        spec,
        &[
            ("begin; ok a; ok b; ok c", "init a1, init b1, init c1, ready"),
            ("down b1 crash; ok b", "b1 ended (failed: crash), restarting b #1, restart b2"),
            ("down b2 crash; ok b", "b2 ended (failed: crash), restarting b #2, restart b3"),
            ("down b3 crash", "b3 ended (failed: crash), gave up b, shutdown c1"),
            ("which", "[which] c1:stopping b:stopped a1"),
            ("down c1 shutdown", "shutdown a1"),
            ("down a1 shutdown", "finish (shutdown)"),
        ],
    );
}

#[test]
fn sup_08_zero_gives_up_at_once() {
    for strategy in [OneForOne, OneForAll, RestForOne] {
        let spec = SupervisorSpec { max_restarts: 0, ..spec(strategy, "a") };
        check(
            spec,
            &[("begin; ok a", "init a1, ready"), ("down a1 normal", "a1 ended (normal), gave up a, finish (shutdown)")],
        );
    }
}

#[test]
fn sup_08_endings_without_a_restart_do_not_count() {
    let spec = SupervisorSpec { max_restarts: 0, ..spec(OneForAll, "a:transient b:temporary") };
    check(
        spec,
        &[
            ("begin; ok a; ok b", "init a1, init b1, ready"),
            ("down a1 normal; down b1 crash", "b1 ended (failed: crash)"),
            ("which", "[which] a:stopped"),
        ],
    );
}

#[test]
fn sup_09_the_window_slides_in_whole_seconds() {
    let one_in_one = || SupervisorSpec { max_restarts: 1, max_seconds: 1, ..spec(OneForOne, "a") };
    check(
        one_in_one(),
        &[
            ("begin; ok a; down a1 x; ok a", "init a1, ready, a1 ended (failed: x), restarting a #1, restart a2"),
            ("at 1150; down a2 x", "a2 ended (failed: x), gave up a, finish (shutdown)"),
        ],
    );
    check(
        one_in_one(),
        &[
            ("begin; ok a; down a1 x; ok a", "init a1, ready, a1 ended (failed: x), restarting a #1, restart a2"),
            ("at 2100; down a2 x; ok a", "a2 ended (failed: x), restarting a #2, restart a3"),
            ("at 4200; down a3 x", "a3 ended (failed: x), restarting a #3, restart a4"),
        ],
    );
}

#[test]
fn sup_11_a_failing_restart_is_tried_again_at_once_and_each_try_counts() {
    let spec = SupervisorSpec { max_restarts: 3, ..spec(OneForOne, "a b:infinity") };
    check(
        spec,
        &[
            ("begin; ok a; ok b", "init a1, init b1, ready"),
            ("down a1 crash", "a1 ended (failed: crash), restarting a #1, restart a2"),
            ("fail a", "a did not start (failed: boom), retry"),
            ("retry", "restarting a #2, restart a3"),
            ("fail a; retry", "a did not start (failed: boom), retry, restarting a #3, restart a4"),
            ("fail a; retry", "a did not start (failed: boom), retry, gave up a, shutdown b1"),
            ("down b1 shutdown", "finish (shutdown)"),
        ],
    );
}

#[test]
fn sup_11_the_loop_ends_with_the_first_success() {
    check(
        spec(OneForOne, "a"),
        &[
            ("begin; ok a; down a1 x", "init a1, ready, a1 ended (failed: x), restarting a #1, restart a2"),
            ("refuse a", "a did not start (Refused(Limit(\"processes\"))), retry"),
            ("retry; ok a", "restarting a #2, restart a3"),
            ("which", "[which] a3"),
        ],
    );
}

#[test]
fn sup_11_stop_and_terminate_are_served_between_tries() {
    let failing = (
        "begin; ok a; ok b; down a1 x; fail a",
        "init a1, init b1, ready, a1 ended (failed: x), \
                   restarting a #1, restart a2, a did not start (failed: boom), retry",
    );
    check(
        spec(OneForOne, "a b:infinity"),
        &[
            failing,
            ("stop shutdown", "shutdown b1"),
            ("retry", ""),
            ("down b1 shutdown", "finish (shutdown)"),
            ("which", "[which] b:stopped a:stopped"),
        ],
    );
    check(
        spec(OneForOne, "a b"),
        &[failing, ("terminate a", "[terminate a] ok"), ("retry", ""), ("which", "[which] b1 a:stopped")],
    );
}

#[test]
fn sup_11_a_group_that_fails_half_way_goes_on_with_the_one_that_failed() {
    // Seen in OTP 25: those after it are `undefined` meanwhile.
    check(
        spec(RestForOne, "a b c d"),
        &[
            ("begin; ok a; ok b; ok c; ok d", "init a1, init b1, init c1, init d1, ready"),
            (
                "down d1 x; ok d; down c1 x",
                "d1 ended (failed: x), restarting d #1, restart d2, \
         c1 ended (failed: x), restarting c #2, shutdown d2, timer d2@5000",
            ),
            ("down d2 shutdown; fail c", "untimer d2, restart c2, c did not start (failed: boom), retry"),
            ("which", "[which] d:stopped c:restarting b1 a1"),
            ("retry; ok c; ok d", "restarting c #3, restart c3, restart d3"),
            ("which", "[which] d3 c3 b1 a1"),
        ],
    );
    check(
        spec(OneForAll, "a:infinity b c"),
        &[
            ("begin; ok a; ok b; ok c", "init a1, init b1, init c1, ready"),
            ("down b1 x", "b1 ended (failed: x), restarting b #1, shutdown c1, timer c1@5000"),
            ("down c1 shutdown; down a1 shutdown", "untimer c1, shutdown a1, restart a2"),
            ("ok a; fail b", "restart b2, b did not start (failed: boom), retry"),
            ("which", "[which] c:stopped b:restarting a2"),
            ("retry", "restarting b #2, shutdown a2"),
            ("down a2 shutdown; ok a; ok b; ok c", "restart a3, restart b3, restart c2"),
        ],
    );
}

#[test]
fn sup_12_requests_for_a_child_in_the_loop() {
    for strategy in [OneForOne, OneForAll, RestForOne] {
        check(
            spec(strategy, "a"),
            &[
                ("begin; ok a; down a1 x", "init a1, ready, a1 ended (failed: x), restarting a #1, restart a2"),
                ("fail a", "a did not start (failed: boom), retry"),
                ("which; count", "[which] a:restarting, [count] 1 specs 0 active 0 supervisors 1 workers"),
                ("restart a; delete a", "[restart a] Restarting, [delete a] Restarting"),
                ("start a", "[start a] AlreadyPresent"),
                ("terminate a", "[terminate a] ok"),
                ("which", "[which] a:stopped"),
                ("retry", ""),
                ("restart a; ok a", "request a3, [restart a] a3"),
            ],
        );
    }
}

#[test]
fn sup_12_nothing_else_is_answered_while_the_try_is_under_way() {
    check(
        spec(OneForOne, "a"),
        &[
            ("begin; ok a; down a1 x", "init a1, ready, a1 ended (failed: x), restarting a #1, restart a2"),
            ("which", "[which] a:restarting"),
            ("restart a; delete a", "[restart a] Restarting, [delete a] Restarting"),
            ("start a", "[start a] AlreadyPresent"),
            ("terminate a", "cancel a2"),
            ("fail a", "[terminate a] ok"),
            ("which", "[which] a:stopped"),
        ],
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
fn sup_18_start_child() {
    check(
        spec(OneForOne, "a:transient"),
        &[
            ("begin; ok a", "init a1, ready"),
            ("start b:infinity; ok b", "request b1, [start b:infinity] b1"),
            ("start a; start b", "[start a] already_started a1, [start b] already_started b1"),
            ("down a1 normal; start a", "[start a] AlreadyPresent"),
            ("terminate b; start b", "shutdown b1, [start b] already_started b1"),
            ("down b1 shutdown; start b", "[terminate b] ok, [start b] AlreadyPresent"),
            ("start c; fail c", "request c1, c did not start (failed: boom), [start c] failed: boom"),
            ("which", "[which] b:stopped a:stopped"),
            ("start c; ok c; which", "request c2, [start c] c2, [which] c2 b:stopped a:stopped"),
        ],
    );
}

#[test]
fn sup_18_terminate_restart_and_delete() {
    check(
        spec(OneForOne, "a:infinity b:temporary:infinity"),
        &[
            ("begin; ok a; ok b", "init a1, init b1, ready"),
            ("delete a; restart a", "[delete a] Running, [restart a] Running"),
            ("delete z; restart z; terminate z", "[delete z] NotFound, [restart z] NotFound, [terminate z] NotFound"),
            ("terminate a", "shutdown a1"),
            ("delete a; restart a", "[delete a] Running, [restart a] Running"),
            ("down a1 shutdown", "[terminate a] ok"),
            ("terminate a", "[terminate a] ok"),
            ("restart a", "request a2"),
            ("which", "[which] b1 a:starting"),
            ("delete a; restart a; start a", "[delete a] Running, [restart a] Running, [start a] AlreadyPresent"),
            ("fail a", "a did not start (failed: boom), [restart a] failed: boom"),
            ("which", "[which] b1 a:stopped"),
            ("delete a; delete a; which", "[delete a] ok, [delete a] NotFound, [which] b1"),
            ("terminate b; down b1 shutdown; which", "shutdown b1, [terminate b] ok, [which] "),
        ],
    );
}

#[test]
fn sup_19_ignore_keeps_the_spec_unless_it_is_temporary() {
    check(
        spec(OneForOne, "a b:temporary c"),
        &[
            ("begin; ignore a; ignore b; ok c", "init a1, init b1, init c1, ready"),
            ("which; count", "[which] c1 a:stopped, [count] 2 specs 1 active 0 supervisors 2 workers"),
            ("restart a; ignore a", "request a2, [restart a] undefined"),
            ("restart a; ok a", "request a3, [restart a] a3"),
            ("start d; ignore d", "request d1, [start d] undefined"),
            ("start e:temporary; ignore e", "request e1, [start e:temporary] undefined"),
            ("which", "[which] d:stopped c1 a3"),
            ("down c1 x; ignore c", "c1 ended (failed: x), restarting c #1, restart c2"),
            ("which", "[which] d:stopped c:stopped a3"),
        ],
    );
}

#[test]
fn sup_20_newest_first_and_counted_by_kind() {
    check(
        spec(OneForOne, "a b:sup c:transient"),
        &[
            ("begin; ok a; ok b; ok c", "init a1, init b1, init c1, ready"),
            ("start d:sup; ok d; down c1 normal", "request d1, [start d:sup] d1"),
            ("which", "[which] d1 c:stopped b1 a1"),
            ("count", "[count] 4 specs 3 active 2 supervisors 2 workers"),
            ("terminate a", "shutdown a1, timer a1@5000"),
            ("count", "[count] 4 specs 3 active 2 supervisors 2 workers"),
            (
                "down a1 shutdown; count",
                "untimer a1, [terminate a] ok, [count] 4 specs 2 active 2 supervisors 2 workers",
            ),
        ],
    );
}

#[test]
fn sup_20_the_tree_listing_is_in_start_order_and_counts_restarts() {
    let mut scenario = Scenario::new(spec(OneForAll, "a b:sup:temporary"));
    assert_eq!(scenario.listed(&scenario.sup.view()), "a:starting b:starting");
    for what in ["begin", "ok a", "down a1 x", "which"] {
        scenario.happens(what);
    }
    assert_eq!(scenario.listed(&scenario.sup.view()), "a:restarting b:starting");
    for what in ["ok b", "fail a", "retry", "ok a"] {
        scenario.happens(what);
        scenario.happens("down b1 shutdown");
    }
    let view = scenario.sup.view();
    let a = &view[0];
    assert_eq!((a.id.as_ref(), a.kind, a.restart, a.restarts), ("a", ChildKind::Worker, Restart::Permanent, 2));
    assert_eq!(a.status.pid(), Some(Pid { node: 0, id: 2, tag: 1 }));
    assert_eq!(view.len(), 1);
    assert_eq!(scenario.sup.restarts_total(), 2);
    assert_eq!(scenario.sup.counts(), Counts { specs: 1, active: 1, supervisors: 0, workers: 1 });
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
