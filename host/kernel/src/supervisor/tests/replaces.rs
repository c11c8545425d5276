//! Another spec for a supervisor that runs: OTP's rules for a supervisor's upgrade, by ID.

use super::super::*;
use super::scenario::{Scenario, check, spec};
use crate::Name;
use crate::budget::BudgetSpec;
use Strategy::{OneForAll, OneForOne, RestForOne};

#[test]
fn hot_17_nobody_is_started_stopped_or_restarted() {
    check(
        spec(OneForOne, "a b c"),
        &[
            ("begin; ok a; ok b; ok c", "init a1, init b1, init c1, ready"),
            // The new list's order, then who is not listed any more, as they were.
            ("replace n,c,a:new,m", "[replace] ok"),
            ("which", "[which] b1 m:stopped a1 c1 n:stopped"),
            ("count", "[count] 5 specs 3 active 0 supervisors 5 workers"),
            // What is new is started on request, in its place.
            ("restart m; restart n; ok n; ok m", "request m1, request n1, [restart n] n1, [restart m] m1"),
            ("which", "[which] b1 m1 a1 c1 n1"),
            // What is not listed is stopped and deleted on request.
            ("delete b", "[delete b] Running"),
            ("terminate b; down b1 shutdown", "shutdown b1, timer b1@5000, untimer b1, [terminate b] ok"),
            ("delete b; which", "[delete b] ok, [which] m1 a1 c1 n1"),
            // The new spec is what a restart starts.
            ("down a1 x; ok a", "a1 ended (failed: x), restarting a #1, restart new a2"),
            ("down c1 x", "c1 ended (failed: x), restarting c #2, restart c2"),
        ],
    );
}

#[test]
fn hot_17_flags_and_policies_count_from_then_on() {
    // The strategy.
    check(
        spec(OneForOne, "a b:infinity c:infinity"),
        &[
            ("begin; ok a; ok b; ok c", "init a1, init b1, init c1, ready"),
            ("replace a,b:kill,c:kill rest", "[replace] ok"),
            ("down b1 x", "b1 ended (failed: x), restarting b #1, kill c1"),
            ("down c1 killed; ok b; ok c", "restart b2, restart c2"),
            ("replace c:infinity,b:infinity,a:infinity rest", "[replace] ok"),
            ("down b2 x", "b2 ended (failed: x), restarting b #2, shutdown a1"),
            ("down a1 shutdown; ok b; ok a", "restart b3, restart a2"),
        ],
    );
    // The limit, against what it has seen: two restarts, of which one is left in the shorter window.
    for (flags, then) in [("2/5", "gave up a"), ("3/5", "restarting a #3"), ("2/2", "restarting a #3")] {
        let mut scenario = Scenario::new(spec(OneForOne, "a"));
        for what in ["begin", "ok a", "at 1000", "down a1 x", "ok a", "at 4000", "down a2 x", "ok a"] {
            scenario.happens(what);
        }
        assert_eq!(scenario.happens(&format!("replace a {flags}")), ["[replace] ok"]);
        scenario.happens("at 5000");
        assert_eq!(scenario.happens("down a3 x")[1], then, "{flags}");
    }
    // When to restart, and how to stop.
    check(
        spec(OneForOne, "a b c:temporary"),
        &[
            ("begin; ok a; ok b; ok c", "init a1, init b1, init c1, ready"),
            ("replace a:transient,b:temporary,c:infinity", "[replace] ok"),
            ("down a1 normal; down b1 x; which", "b1 ended (failed: x), [which] c1 a:stopped"),
            ("down c1 x; ok c", "c1 ended (failed: x), restarting c #1, restart c2"),
            ("terminate c", "shutdown c2"),
            // A stop under way keeps to the spec that it began with.
            ("replace a,c:kill", "[replace] ok"),
            ("down c2 shutdown; which", "c2 stopped wrongly (shutdown), [terminate c] ok, [which] c:stopped a:stopped"),
            ("restart c; ok c; terminate c", "request c3, [restart c] c3, kill c3"),
        ],
    );
}

#[test]
fn hot_17_the_count_of_restarts_and_the_kind_follow_the_child() {
    let mut scenario = Scenario::new(spec(OneForOne, "a b"));
    for what in ["begin", "ok a", "ok b", "down b1 x", "ok b", "replace b:sup,a"] {
        scenario.happens(what);
    }
    let view = scenario.sup.view();
    let listed: Vec<_> = view.iter().map(|child| (&*child.id, child.restarts, child.kind)).collect();
    assert_eq!(listed, [("b", 1, ChildKind::Supervisor), ("a", 0, ChildKind::Worker)]);
    let starts: Vec<_> = scenario.sup.children().into_iter().filter_map(|(_, start)| start).collect();
    assert_eq!(starts, ["run b".into(), "run a".into()] as [Name; 2]);
    assert_eq!(scenario.sup.restarts_total(), 1);
    assert_eq!(scenario.sup.status("b"), Some(view[0].status));
    assert_eq!(scenario.sup.status("c"), None);
}

#[test]
fn hot_19_an_invalid_spec_changes_nothing() {
    for (bad, why) in [
        ("replace a,b,a", "two children have the id \"a\""),
        ("replace a,b 1/0", "max_seconds must be at least 1"),
        ("replace :kill", "bad child id \"\": a name cannot be empty"),
    ] {
        let mut scenario = Scenario::new(spec(OneForAll, "a b:infinity c:infinity"));
        for what in ["begin", "ok a", "ok b", "ok c"] {
            scenario.happens(what);
        }
        assert_eq!(scenario.happens(bad), [format!("[replace] {why}")]);
        assert_eq!(scenario.happens("which"), ["[which] c1 b1 a1"]);
        assert_eq!(scenario.happens("down a1 x")[2], "shutdown c1", "the strategy is still one for all");
    }
}

#[test]
fn it_waits_for_init_and_rebuilds_and_a_group_that_is_tried_again() {
    check(
        spec(OneForAll, "a b:infinity"),
        &[
            ("replace a", ""),
            ("begin; ok a", "init a1, init b1"),
            ("ok b", "ready, [replace] ok"),
            ("which; replace a,b:infinity all", "[which] b1 a1, [replace] ok"),
            ("down a1 x", "a1 ended (failed: x), restarting a #1, shutdown b1"),
            ("replace b:new,a; delete c", ""),
            ("down b1 shutdown; fail a", "restart a2, a did not start (failed: boom), retry"),
            // `b` is down for the sake of the group only, and comes back with it.
            ("which", "[which] b:stopped a:restarting"),
            ("retry; ok a", "restarting a #2, restart a3, restart b2"),
            ("ok b; which", "[replace] ok, [delete c] NotFound, [which] a3 b2"),
        ],
    );
    // One child alone holds up nobody.
    check(
        spec(OneForOne, "a b"),
        &[
            ("begin; ok a; ok b", "init a1, init b1, ready"),
            (
                "down a1 x; fail a",
                "a1 ended (failed: x), restarting a #1, restart a2, a did not start (failed: boom), retry",
            ),
            ("replace b,a:new", "[replace] ok"),
            ("retry; ok a; which", "restarting a #2, restart new a3, [which] a3 b1"),
        ],
    );
}

#[test]
fn hot_17_starts_under_way_go_on_as_they_began() {
    check(
        spec(OneForOne, "a b"),
        &[
            ("begin; ok a; ok b", "init a1, init b1, ready"),
            (
                "down a1 x; start n; start m",
                "a1 ended (failed: x), restarting a #1, restart a2, request n1, request m1",
            ),
            ("replace a:new,b,n all", "[replace] ok"),
            ("which", "[which] m:starting n:starting b1 a:restarting"),
            // It is listed now, so it is not forgotten; what is not listed is, as ever.
            ("fail n", "n did not start (failed: boom), [start n] failed: boom"),
            ("fail m", "m did not start (failed: boom), [start m] failed: boom"),
            ("which", "[which] n:stopped b1 a:restarting"),
            // The group is rebuilt around the start that had not waited for it.
            ("down b1 x", "b1 ended (failed: x), restarting b #2, cancel a2"),
            ("fail a", "restart new a3"),
            ("ok a; ok b; ok n; which", "restart b2, restart n2, [which] n2 b2 a3"),
        ],
    );
    // A start that lies before those that are rebuilt fails: then they are rebuilt with it.
    check(
        spec(OneForOne, "a b:infinity c:infinity"),
        &[
            ("begin; ok a; ok b; ok c", "init a1, init b1, init c1, ready"),
            ("down a1 x", "a1 ended (failed: x), restarting a #1, restart a2"),
            ("replace a,b:infinity,c:infinity rest", "[replace] ok"),
            ("down b1 x", "b1 ended (failed: x), restarting b #2, shutdown c1"),
            ("fail a", "a did not start (failed: boom), retry"),
            ("down c1 shutdown; ok c", "restart c2"),
            ("retry; down c2 shutdown", "restarting a #3, shutdown c2, restart a3"),
            ("ok a; ok b; ok c; which", "restart b2, restart c3, [which] c3 b2 a3"),
        ],
    );
}

#[test]
fn a_supervisor_that_ends_takes_no_spec() {
    check(
        spec(OneForOne, "a:infinity"),
        &[
            ("begin; replace a,b", "init a1"),
            ("stop shutdown", "[replace] Stopping, cancel a1"),
            ("fail a", "failed (shutdown)"),
        ],
    );
    check(
        spec(RestForOne, "a:infinity"),
        &[
            ("begin; ok a; stop shutdown", "init a1, ready, shutdown a1"),
            ("replace a,b", "[replace] Stopping"),
            ("down a1 shutdown", "finish (shutdown)"),
        ],
    );
}

#[test]
fn the_budget_is_that_of_the_spec_and_of_the_next_one() {
    let timers = |most| BudgetSpec { timers: Some(most), ..BudgetSpec::default() };
    for plain in [SupervisorSpec::<()>::new(Vec::new()), SupervisorSpec::dynamic(None)] {
        let spec = |most| SupervisorSpec { budget: Box::new(timers(most)), ..plain.clone() };
        let mut machine: Machine<(), ()> = Machine::new(spec(3)).expect("a good spec");
        assert_eq!(machine.budget(), &timers(3));
        let mut out = Vec::new();
        machine.step(Input::Begin, Time::ZERO, &mut out);
        machine.step(Input::Replace { spec: spec(7), ask: () }, Time::ZERO, &mut out);
        assert!(matches!(out.last(), Some(Order::Reply { result: Ok(Answer::Done), .. })), "{out:?}");
        assert_eq!(machine.budget(), &timers(7));
    }
}
