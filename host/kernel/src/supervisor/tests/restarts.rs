//! The rules of OTP's supervisor, by ID: who is restarted, with whom, and how often.

use super::super::*;
use super::scenario::{check, spec};
use Strategy::{OneForAll, OneForOne, RestForOne};

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
