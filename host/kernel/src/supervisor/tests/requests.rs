//! The rules of OTP's supervisor, by ID: what it answers to whoever asks.

use super::super::*;
use super::scenario::{Scenario, check, spec};
use Strategy::{OneForAll, OneForOne};

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
