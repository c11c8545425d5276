//! What arrives while children are being started or restarted. OTP waits there; here it is served.

use super::super::*;
use super::scenario::{check, spec};
use Strategy::{OneForAll, OneForOne, RestForOne};

#[test]
fn an_end_during_init_is_answered_after_it() {
    check(
        spec(OneForOne, "a b:transient c d"),
        &[
            ("begin; ok a; ok b; ok c", "init a1, init b1, init c1, init d1"),
            ("down c1 x; down a1 x; down b1 normal", "c1 ended (failed: x), a1 ended (failed: x)"),
            ("which", "[which] d:starting c:restarting b:stopped a:restarting"),
            ("terminate a", "[terminate a] ok"),
            ("ok d", "ready, restarting c #1, restart c2"),
            ("which", "[which] d1 c:restarting b:stopped a:stopped"),
        ],
    );
    // One for all restarts everybody once, whoever ended (seen in OTP 25).
    check(
        spec(OneForAll, "a b c:infinity"),
        &[
            ("begin; ok a; ok b", "init a1, init b1, init c1"),
            ("down b1 x; down a1 x", "b1 ended (failed: x), a1 ended (failed: x)"),
            ("ok c", "ready, restarting b #1, shutdown c1"),
            ("down c1 shutdown; ok a; ok b; ok c", "restart a2, restart b2, restart c2"),
        ],
    );
}

#[test]
fn a_failed_init_forgets_who_ended_meanwhile() {
    check(
        spec(OneForOne, "a b:infinity c"),
        &[
            ("begin; ok a; ok b; down a1 x", "init a1, init b1, init c1, a1 ended (failed: x)"),
            (
                "fail c; down b1 shutdown",
                "c did not start (failed: boom), shutdown b1, \
         failed (shutdown: failed to start child \"c\": failed: boom)",
            ),
        ],
    );
}

#[test]
fn too_many_ends_during_init_are_too_many_after_it() {
    check(
        SupervisorSpec { max_restarts: 1, ..spec(OneForOne, "a b c:infinity") },
        &[
            ("begin; ok a; ok b", "init a1, init b1, init c1"),
            ("down a1 x; down b1 x", "a1 ended (failed: x), b1 ended (failed: x)"),
            ("ok c", "ready, restarting a #1, restart a2, gave up b, shutdown c1"),
            ("down c1 shutdown", "cancel a2"),
            ("fail a", "finish (shutdown)"),
        ],
    );
}

#[test]
fn requests_that_start_or_delete_wait_for_init_and_rebuild() {
    check(
        spec(OneForAll, "a b:transient:infinity"),
        &[
            ("start c", ""),
            ("begin", "init a1"),
            ("ignore a; restart a; delete b", "init b1"),
            ("ok b", "ready, request c1, request a2, [delete b] Running"),
            ("ok c; ok a", "[start c] c1, [restart a] a2"),
            ("terminate c; down c1 shutdown", "shutdown c1, timer c1@5000, untimer c1, [terminate c] ok"),
            ("down a2 x", "a2 ended (failed: x), restarting a #1, shutdown b1"),
            ("delete c; start d; restart c", ""),
            ("down b1 normal; ok a; ok b", "restart a3, restart b2, restart c2"),
            ("ok c", "[delete c] Running, request d1, [restart c] Running"),
            ("stop shutdown", "cancel d1"),
        ],
    );
    // A stop answers those that wait.
    check(
        spec(OneForAll, "a"),
        &[
            ("begin; start c; restart a; delete a", "init a1"),
            ("stop shutdown", "[start c] Stopping, [restart a] Stopping, [delete a] Stopping, cancel a1"),
        ],
    );
}

#[test]
fn restarts_of_one_for_one_do_not_wait_for_each_other() {
    check(
        spec(OneForOne, "a b:infinity c:infinity"),
        &[
            ("begin; ok a; ok b; ok c", "init a1, init b1, init c1, ready"),
            ("down a1 x", "a1 ended (failed: x), restarting a #1, restart a2"),
            ("down b1 x", "b1 ended (failed: x), restarting b #2, restart b2"),
            ("terminate c; start d; ok d", "shutdown c1, request d1, [start d] d1"),
            (
                "ok b; fail a; down b2 x",
                "a did not start (failed: boom), retry, b2 ended (failed: x), restarting b #3, restart b3",
            ),
            (
                "retry; ok a; fail b; retry; ok b",
                "restarting a #4, restart a3, b did not start (failed: boom), retry, \
         restarting b #5, restart b4",
            ),
            ("which", "[which] d1 c1:stopping b4 a3"),
        ],
    );
}

#[test]
fn a_second_crash_in_the_stops_of_a_rebuild_is_part_of_it() {
    check(
        spec(OneForAll, "a b:infinity c:infinity d"),
        &[
            ("begin; ok a; ok b; ok c; ok d", "init a1, init b1, init c1, init d1, ready"),
            ("down d1 x", "d1 ended (failed: x), restarting d #1, shutdown c1"),
            ("down b1 x", "b1 stopped wrongly (failed: x)"),
            ("down c1 shutdown", "shutdown a1, timer a1@5000"),
            ("down a1 shutdown; ok a; ok b; ok c; ok d", "untimer a1, restart a2, restart b2, restart c2, restart d2"),
        ],
    );
}

#[test]
fn a_crash_before_the_tail_widens_the_rebuild_and_counts() {
    check(
        spec(RestForOne, "a b:infinity c:infinity d:infinity"),
        &[
            ("begin; ok a; ok b; ok c; ok d", "init a1, init b1, init c1, init d1, ready"),
            ("down c1 x", "c1 ended (failed: x), restarting c #1, shutdown d1"),
            ("down a1 x", "a1 ended (failed: x), restarting a #2"),
            ("down d1 shutdown", "shutdown b1"),
            ("down b1 shutdown; ok a; ok b; ok c; ok d", "restart a2, restart b2, restart c2, restart d2"),
        ],
    );
    // And never narrows it.
    check(
        spec(RestForOne, "a b:infinity c:infinity"),
        &[
            ("begin; ok a; ok b; ok c", "init a1, init b1, init c1, ready"),
            ("down a1 x", "a1 ended (failed: x), restarting a #1, shutdown c1"),
            ("down b1 x", "b1 stopped wrongly (failed: x)"),
            ("down c1 shutdown; ok a; ok b; ok c", "restart a2, restart b2, restart c2"),
        ],
    );
}

#[test]
fn a_crash_in_the_starts_of_a_rebuild_begins_it_again() {
    check(
        spec(OneForAll, "a b:infinity c"),
        &[
            (
                "begin; ok a; ok b; down a1 x; ok c",
                "init a1, init b1, init c1, a1 ended (failed: x), ready, restarting a #1, shutdown c1, timer c1@5000",
            ),
            (
                "down c1 shutdown; down b1 shutdown; ok a; ok b",
                "untimer c1, shutdown b1, restart a2, restart b2, restart c2",
            ),
            ("down a2 x", "a2 ended (failed: x), restarting a #2, cancel c2"),
            ("which", "[which] c:restarting b2 a:restarting"),
            ("fail c", "shutdown b2"),
            ("down b2 shutdown; ok a; ok b; ok c", "restart a3, restart b3, restart c3"),
            ("which", "[which] c3 b3 a3"),
        ],
    );
    // The start had succeeded already.
    check(
        spec(RestForOne, "a b c:infinity"),
        &[
            (
                "begin; ok a; ok b; ok c; down b1 x",
                "init a1, init b1, init c1, ready, b1 ended (failed: x), restarting b #1, shutdown c1",
            ),
            ("down c1 shutdown; ok b", "restart b2, restart c2"),
            ("down b2 x; ok c", "b2 ended (failed: x), restarting b #2, cancel c2, shutdown c2"),
            ("down c2 shutdown; ok b; ok c", "restart b3, restart c3"),
        ],
    );
}

#[test]
fn a_crash_beside_the_retries_of_a_rebuild_takes_them_over() {
    check(
        spec(RestForOne, "a b c"),
        &[
            (
                "begin; ok a; ok b; ok c; down b1 x",
                "init a1, init b1, init c1, ready, \
         b1 ended (failed: x), restarting b #1, shutdown c1, timer c1@5000",
            ),
            ("down c1 shutdown; fail b", "untimer c1, restart b2, b did not start (failed: boom), retry"),
            ("down a1 x", "a1 ended (failed: x), restarting a #2, restart a2"),
            ("retry; ok a; ok b; ok c", "restart b3, restart c2"),
            ("which", "[which] c2 b3 a2"),
        ],
    );
}

#[test]
fn a_retry_widens_a_rebuild_after_it() {
    check(
        spec(RestForOne, "a b:infinity c:infinity"),
        &[
            (
                "begin; ok a; ok b; ok c; down a1 x",
                "init a1, init b1, init c1, ready, \
         a1 ended (failed: x), restarting a #1, shutdown c1",
            ),
            (
                "down c1 shutdown; down b1 shutdown; fail a",
                "shutdown b1, restart a2, a did not start (failed: boom), retry",
            ),
            ("restart b; ok b; restart c; ok c", "request b2, [restart b] b2, request c2, [restart c] c2"),
            ("down b2 x", "b2 ended (failed: x), restarting b #2, shutdown c2"),
            ("which", "[which] c2:stopping b:restarting a:restarting"),
            ("retry", "restarting a #3"),
            ("down c2 shutdown; ok a; ok b; ok c", "restart a3, restart b3, restart c3"),
        ],
    );
}

#[test]
fn terminating_a_child_in_a_rebuild_keeps_it_down() {
    check(
        spec(OneForAll, "a b:infinity c:infinity d"),
        &[
            ("begin; ok a; ok b; ok c; ok d", "init a1, init b1, init c1, init d1, ready"),
            ("down d1 x", "d1 ended (failed: x), restarting d #1, shutdown c1"),
            // Not yet told, waiting for its turn, and being stopped.
            ("terminate b; terminate d; terminate c", "[terminate d] ok"),
            ("down c1 shutdown", "[terminate c] ok, shutdown b1"),
            ("terminate b; down b1 shutdown", "[terminate b] ok, [terminate b] ok, shutdown a1, timer a1@5000"),
            ("down a1 shutdown; ok a", "untimer a1, restart a2"),
            ("which", "[which] d:stopped c:stopped b:stopped a2"),
        ],
    );
}

#[test]
fn terminating_the_child_whose_turn_it_is_lets_the_others_go_on() {
    check(
        spec(OneForAll, "a b:infinity c"),
        &[
            ("begin; ok a", "init a1, init b1"),
            ("terminate b; terminate b", "cancel b1"),
            ("fail b", "[terminate b] ok, [terminate b] ok, init c1"),
            ("ok c", "ready"),
            ("which", "[which] c1 b:stopped a1"),
        ],
    );
    check(
        spec(OneForAll, "a b:infinity c"),
        &[
            ("begin; ok a; terminate b", "init a1, init b1, cancel b1"),
            ("ok b", "shutdown b1, init c1"),
            ("down b1 shutdown; ok c", "[terminate b] ok, ready"),
        ],
    );
    check(
        spec(OneForAll, "a b:temporary c"),
        &[
            ("begin; terminate b; terminate c; ok a", "init a1, [terminate b] ok, [terminate c] ok, ready"),
            ("which", "[which] c:stopped a1"),
        ],
    );
}

#[test]
fn terminating_a_child_that_somebody_starts_answers_both() {
    check(
        spec(OneForOne, "a"),
        &[
            ("begin; ok a", "init a1, ready"),
            ("start b:infinity; terminate b", "request b1, cancel b1"),
            ("which", "[which] b:starting a1"),
            ("fail b", "[start b:infinity] failed: boom, [terminate b] ok"),
            ("which", "[which] a1"),
            ("start b:infinity; terminate b; ok b", "request b2, cancel b2, [start b:infinity] b2, shutdown b2"),
            ("down b2 shutdown; which", "[terminate b] ok, [which] b:stopped a1"),
            ("restart b; terminate b; fail b", "request b3, cancel b3, [restart b] failed: boom, [terminate b] ok"),
            (
                "start t:temporary; terminate t; fail t",
                "request t1, cancel t1, [start t:temporary] failed: boom, [terminate t] ok",
            ),
            ("which", "[which] b:stopped a1"),
        ],
    );
}

#[test]
fn a_child_that_somebody_starts_is_not_refused_because_of_a_rebuild() {
    check(
        spec(OneForAll, "a b:infinity"),
        &[
            ("begin; ok a; ok b", "init a1, init b1, ready"),
            ("start c:infinity", "request c1"),
            ("down a1 x", "a1 ended (failed: x), restarting a #1"),
            ("ok c", "[start c:infinity] c1, shutdown c1"),
            ("down c1 shutdown; down b1 shutdown; ok a; ok b; ok c", "shutdown b1, restart a2, restart b2, restart c2"),
        ],
    );
    // Failing, it is forgotten, and one that was only down comes back with the others.
    check(
        spec(OneForAll, "a b:transient:infinity"),
        &[
            ("begin; ok a; ignore b; restart b; start c", "init a1, init b1, ready, request b2, request c1"),
            ("down a1 x", "a1 ended (failed: x), restarting a #1"),
            (
                "fail c; fail b",
                "c did not start (failed: boom), [start c] failed: boom, \
         b did not start (failed: boom), [restart b] failed: boom, restart a2",
            ),
            ("ok a; ok b; which", "restart b3, [which] b3 a2"),
        ],
    );
}
