//! Significant children, whose end may be their supervisor's (SUP-24, SUP-26, HOT-20).

use super::super::*;
use super::scenario::{Scenario, check, child, spec};
use AutoShutdown::{AllSignificant, AnySignificant, Never};
use Strategy::{OneForAll, OneForOne, RestForOne};

fn significant(strategy: Strategy, auto_shutdown: AutoShutdown, children: &str) -> SupervisorSpec<crate::Name> {
    SupervisorSpec { auto_shutdown, ..spec(strategy, children) }
}

/// What follows the end of `b`, as far as orders go.
fn follows(auto_shutdown: AutoShutdown, strategy: Strategy, restart: &str, reason: &str) -> String {
    let children = format!("a:infinity b:{restart}:significant c:infinity");
    let mut scenario = Scenario::new(significant(strategy, auto_shutdown, &children));
    for what in ["begin", "ok a", "ok b", "ok c"] {
        scenario.happens(what);
    }
    let reports = |order: &String| !order.contains("ended") && !order.contains("restarting");
    let mut orders = scenario.happens(&format!("down b1 {reason}"));
    orders.retain(reports);
    orders.join(", ")
}

#[test]
fn sup_24_what_ends_the_supervisor_is_an_end_for_good() {
    let over = "b was significant, shutdown c1";
    for auto_shutdown in [AnySignificant, AllSignificant] {
        for strategy in [OneForOne, OneForAll, RestForOne] {
            for reason in ["normal", "shutdown", "shutdown+"] {
                assert_eq!(follows(auto_shutdown, strategy, "transient", reason), over, "{strategy:?} {reason}");
                assert_eq!(follows(auto_shutdown, strategy, "temporary", reason), over, "{strategy:?} {reason}");
            }
            for reason in ["crash", "killed"] {
                // A crash is what a restart is for.
                let again = if strategy == OneForOne { "restart b2" } else { "shutdown c1" };
                assert_eq!(follows(auto_shutdown, strategy, "transient", reason), again, "{strategy:?} {reason}");
                assert_eq!(follows(auto_shutdown, strategy, "temporary", reason), over, "{strategy:?} {reason}");
            }
        }
    }
}

#[test]
fn sup_24_the_rest_is_stopped_in_reverse_and_the_reason_is_shutdown() {
    check(
        significant(OneForOne, AnySignificant, "a:infinity b:transient:significant c:infinity d:temporary:infinity"),
        &[
            ("begin; ok a; ok b; ok c; ok d", "init a1, init b1, init c1, init d1, ready"),
            ("down d1 normal; down b1 normal", "b was significant, shutdown c1"),
            ("start x", "[start x] Stopping"),
            ("down c1 shutdown; down a1 shutdown", "shutdown a1, finish (shutdown)"),
        ],
    );
}

#[test]
fn sup_24_all_significant_waits_for_the_last_one_that_is_there() {
    let children = "a:transient:significant:infinity b:temporary:significant c:transient:significant d:infinity";
    check(
        significant(OneForOne, AllSignificant, children),
        &[
            ("begin; ok a; ok b; ok c; ok d", "init a1, init b1, init c1, init d1, ready"),
            ("down b1 crash", "b1 ended (failed: crash)"),
            ("down c1 normal", ""),
            // One that is being restarted is there.
            ("down a1 crash", "a1 ended (failed: crash), restarting a #1, restart a2"),
            ("restart c; ok c; down c2 normal", "request c2, [restart c] c2"),
            ("ok a", ""),
            // Whoever was stopped on request is not, and its end is no reason.
            ("terminate a; down a2 shutdown", "shutdown a2, [terminate a] ok"),
            ("restart c; ok c", "request c3, [restart c] c3"),
            ("down c3 normal", "c was significant, shutdown d1"),
        ],
    );
}

#[test]
fn sup_24_a_stop_on_request_or_for_the_group_is_no_reason() {
    check(
        significant(OneForAll, AnySignificant, "a b:transient:significant:infinity"),
        &[
            ("begin; ok a; ok b", "init a1, init b1, ready"),
            ("terminate b; down b1 shutdown", "shutdown b1, [terminate b] ok"),
            ("restart b; ok b", "request b2, [restart b] b2"),
            ("down a1 crash", "a1 ended (failed: crash), restarting a #1, shutdown b2"),
            ("down b2 normal; ok a; ok b", "restart a2, restart b3"),
            ("which", "[which] b3 a2"),
        ],
    );
}

#[test]
fn sup_24_while_the_others_start_it_waits() {
    // As in OTP, which looks at its mail when all children are there.
    for (auto_shutdown, then) in [(AnySignificant, "ready, a was significant, shutdown c1"), (AllSignificant, "ready")]
    {
        check(
            significant(
                OneForOne,
                auto_shutdown,
                "a:temporary:significant b:transient:significant:infinity c:infinity",
            ),
            &[
                ("begin; ok a; down a1 crash", "init a1, init b1, a1 ended (failed: crash)"),
                ("ok b; ok c", &format!("init c1, {then}")),
            ],
        );
    }
    check(
        significant(OneForOne, AllSignificant, "a:temporary:significant c:infinity"),
        &[("begin; ok a; down a1 normal", "init a1, init c1"), ("ok c", "ready, a was significant, shutdown c1")],
    );
}

#[test]
fn sup_26_significant_makes_no_sense_for_permanent_or_under_never() {
    for (auto_shutdown, word, ok) in [
        (Never, "a:transient:significant", false),
        (Never, "a:temporary:significant", false),
        (Never, "a", true),
        (AnySignificant, "a:significant", false),
        (AllSignificant, "a:significant", false),
        (AnySignificant, "a:transient:significant", true),
        (AllSignificant, "a:temporary:significant", true),
        (AllSignificant, "a", true),
    ] {
        // At the check, at the start, and for a child that comes later.
        let spec = significant(OneForOne, auto_shutdown, word);
        assert_eq!(spec.check().is_ok(), ok, "{word}");
        assert_eq!(Machine::<_, ()>::new(spec).is_ok(), ok, "{word}");
        let mut scenario = Scenario::new(significant(OneForOne, auto_shutdown, ""));
        scenario.happens("begin");
        let begun = scenario.happens(&format!("start {word}"));
        assert_eq!(begun == ["request a1"], ok, "{word}: {begun:?}");
        // Whoever has its id: of a good spec that would be said.
        let again = scenario.happens(&format!("start {word}"));
        assert_eq!(again == begun, !ok, "{word}: {again:?}");
    }
    let template = SupervisorSpec { auto_shutdown: AnySignificant, ..SupervisorSpec::template(child("a:temporary")) };
    assert_eq!(template.check(), Err(SpecError::DynamicAutoShutdown));
    let dynamic = SupervisorSpec::<()> { auto_shutdown: AllSignificant, ..SupervisorSpec::dynamic(None) };
    assert_eq!(dynamic.check(), Err(SpecError::DynamicAutoShutdown));
    let template = SupervisorSpec::template(child("a:temporary:significant"));
    assert_eq!(template.check(), Err(SpecError::SignificantForNothing("a".into())));
}

#[test]
fn hot_20_another_auto_shutdown_counts_from_the_next_end_on() {
    check(
        spec(OneForOne, "a:transient:infinity b:transient:infinity c:infinity"),
        &[
            ("begin; ok a; ok b; ok c", "init a1, init b1, init c1, ready"),
            ("down a1 normal", ""),
            // What has ended before is no reason.
            ("replace a:transient:significant,b:transient:significant,c:infinity any", "[replace] ok"),
            ("which", "[which] c1 b1 a:stopped"),
            ("replace a:transient:significant,b:transient:significant,c:infinity last", "[replace] ok"),
            ("which", "[which] c1 b1 a:stopped"),
            // Under `never` nobody can be significant: the upgrade is refused, and nothing has changed.
            (
                "replace a,b:transient:significant,c:infinity",
                "[replace] child \"b\" is significant, and auto_shutdown is never",
            ),
            ("down b1 normal", "b was significant, shutdown c1"),
        ],
    );
    check(
        significant(OneForOne, AnySignificant, "a:transient:significant b:infinity"),
        &[
            ("begin; ok a; ok b", "init a1, init b1, ready"),
            ("replace a:transient,b:infinity", "[replace] ok"),
            ("down a1 normal; which", "[which] b1 a:stopped"),
        ],
    );
}
