//! Children that come and go: the rules of OTP's simple_one_for_one and of Elixir's `DynamicSupervisor`, by ID.

use std::time::Duration;

use super::super::*;
use super::scenario::{PERMISSIVE, Scenario, check, child, spec};
use crate::{Body, Name};

/// Children are made from this one.
fn template(word: &str) -> SupervisorSpec<Name> {
    SupervisorSpec { max_restarts: PERMISSIVE, ..SupervisorSpec::template(child(word)) }
}

/// Each child comes with a spec of its own.
fn dynamic() -> SupervisorSpec<Name> {
    SupervisorSpec { max_restarts: PERMISSIVE, ..SupervisorSpec::dynamic(None) }
}

#[test]
fn dsup_01_exactly_one_template_and_nothing_is_started() {
    check(
        template("w"),
        &[("begin", "ready"), ("which; count", "[which] , [count] 1 specs 0 active 0 supervisors 0 workers")],
    );
    for (children, listed) in [("", 0), ("a b", 2)] {
        let spec = SupervisorSpec { roster: Roster::Template, ..spec(Strategy::OneForOne, children) };
        assert_eq!(spec.check(), Err(SpecError::NoPlaceFor { listed }));
    }
    let spec = SupervisorSpec { roster: Roster::Dynamic { extra_args: None }, ..spec(Strategy::OneForOne, "a") };
    assert_eq!(spec.check(), Err(SpecError::NoPlaceFor { listed: 1 }));
    for strategy in [Strategy::OneForAll, Strategy::RestForOne] {
        assert_eq!(SupervisorSpec { strategy, ..template("w") }.check(), Err(SpecError::DynamicStrategy(strategy)));
    }
    assert!(Supervisor::<_, ()>::new(template("w")).is_err(), "it is no supervisor of listed children");
    assert!(DynamicSupervisor::<_, ()>::new(self::spec(Strategy::OneForOne, "a")).is_err());
}

#[test]
fn dsup_01_children_start_side_by_side() {
    check(
        template("w:infinity"),
        &[
            ("begin; start w; start w", "ready, request w1, request w2"),
            ("which", "[which] w:starting w:starting"),
            ("ok w2; ok w1", "[start w] w2, [start w] w1"),
            ("which; count", "[which] w2 w1, [count] 1 specs 2 active 0 supervisors 2 workers"),
        ],
    );
}

#[test]
fn dsup_02_children_are_known_by_their_pids() {
    check(
        template("w:infinity"),
        &[
            ("begin; start w; ok w1", "ready, request w1, [start w] w1"),
            (
                "terminate w; restart w; delete w",
                "[terminate w] OnlyByPid, [restart w] OnlyByPid, [delete w] OnlyByPid",
            ),
            // A stranger, alive or not.
            ("end nobody", "[end nobody] NotFound"),
            ("end w1; end w1; which", "shutdown w1, [which] w1:stopping"),
            ("down w1 shutdown; which", "[end w1] ok, [end w1] ok, [which] "),
            // One that has ended: not found, as in Elixir; OTP says ok.
            ("end w1", "[end w1] NotFound"),
        ],
    );
    check(
        spec(Strategy::OneForOne, "a"),
        &[("begin; ok a; end a1; which", "init a1, ready, [end a1] NotFound, [which] a1")],
    );
}

#[test]
fn dsup_03_all_are_told_at_once_and_share_one_deadline() {
    check(
        template("w:2000"),
        &[
            ("begin; start w; start w; start w; start w", "ready, request w1, request w2, request w3, request w4"),
            ("ok w1; ok w2; ok w3", "[start w] w1, [start w] w2, [start w] w3"),
            ("at 100; stop shutdown", "shutdown w1, shutdown w2, shutdown w3, cancel w4, timer w3@2100"),
            ("start w; end w1", "[start w] Stopping"),
            ("down w2 shutdown", ""),
            // A start that had been successful before it was cancelled.
            ("at 200; ok w4", "[start w] w4, shutdown w4, timer w4@2200"),
            ("at 2100; timeout w3", "kill w1, kill w3"),
            ("down w3 killed; down w1 killed", "w3 stopped wrongly (killed), w1 stopped wrongly (killed), [end w1] ok"),
            ("down w4 shutdown", "untimer w4, finish (shutdown)"),
        ],
    );
    // No longer than the slowest child.
    check(
        template("w:2000"),
        &[
            ("begin; start w; start w; ok w1; ok w2", "ready, request w1, request w2, [start w] w1, [start w] w2"),
            ("stop shutdown; down w1 shutdown", "shutdown w1, shutdown w2, timer w2@2000"),
            ("down w2 shutdown", "untimer w2, finish (shutdown)"),
        ],
    );
}

#[test]
fn dsup_03_each_in_its_own_way() {
    check(
        dynamic(),
        &[
            (
                "begin; start a:kill; start b:infinity; start c:100; start d:100; start e:300",
                "ready, request a1, request b1, request c1, request d1, request e1",
            ),
            (
                "ok a1; ok b1; ok c1; ok d1; ok e1",
                "[start a:kill] a1, [start b:infinity] b1, [start c:100] c1, [start d:100] d1, [start e:300] e1",
            ),
            (
                "stop shutdown",
                "kill a1, shutdown b1, shutdown c1, shutdown d1, shutdown e1, timer e1@100, timer d1@300",
            ),
            // The scenario names timers by whoever is left: this is the one of 100 ms.
            ("timeout e1", "kill c1, kill d1"),
            ("down a1 killed; down b1 shutdown; down c1 killed; down d1 shutdown", "c1 stopped wrongly (killed)"),
            ("down e1 shutdown", "untimer d1, finish (shutdown)"),
        ],
    );
}

#[test]
fn dsup_04_a_restart_has_its_own_arguments_and_a_temporary_child_keeps_none() {
    let mut scenario = Scenario::new(dynamic());
    scenario.happens("begin");
    for word in ["a:new", "b", "c:temporary", "d:transient"] {
        scenario.happens(&format!("start {word}"));
    }
    for what in ["ok a1", "ok b1", "ok c1", "ok d1"] {
        scenario.happens(what);
    }
    let kept: Vec<_> = scenario.sup.children().into_iter().map(|(view, start)| (view.id, start.is_some())).collect();
    let expected = [("a", true), ("b", true), ("c", false), ("d", true)].map(|(id, kept)| (Name::from(id), kept));
    assert_eq!(kept, expected);
    assert_eq!(scenario.happens("down a1 x")[1..], ["restarting a #1", "restart new a2"]);
    assert_eq!(scenario.happens("down b1 normal")[1..], ["restarting b #2", "restart b2"]);
    assert_eq!(scenario.happens("down c1 x"), ["c1 ended (failed: x)"]);
    assert_eq!(scenario.happens("down d1 normal"), [""; 0]);
    assert_eq!(scenario.happens("which"), ["[which] b:restarting a:restarting"]);
    // With a template they are not the template's.
    let mut scenario = Scenario::new(template("w"));
    for what in ["begin", "start w:new", "ok w1"] {
        scenario.happens(what);
    }
    assert_eq!(scenario.happens("down w1 x")[1..], ["restarting w #1", "restart new w2"]);
}

#[test]
fn dsup_07_at_the_limit_a_start_is_refused() {
    let spec = SupervisorSpec { max_children: 2, ..template("w:temporary") };
    check(
        spec,
        &[
            ("begin; start w; start w; start w", "ready, request w1, request w2, [start w] MaxChildren"),
            (
                "ok w1; fail w2; start w",
                "[start w] w1, w did not start (failed: boom), [start w] failed: boom, request w3",
            ),
            ("ok w3; start w", "[start w] w3, [start w] MaxChildren"),
            ("down w1 x; start w", "w1 ended (failed: x), request w4"),
        ],
    );
    // Where children are listed, too.
    check(
        SupervisorSpec { max_children: 2, ..self::spec(Strategy::OneForOne, "a") },
        &[("begin; ok a; start b; start c", "init a1, ready, request b1, [start c] MaxChildren")],
    );
    let listing = |max_children| SupervisorSpec { max_children, ..self::spec(Strategy::OneForOne, "a b") };
    assert_eq!(listing(1).check(), Err(SpecError::TooManyChildren { listed: 2, most: 1 }));
    assert_eq!(listing(2).check(), Ok(()));
}

#[test]
fn dsup_07_a_start_that_fails_or_ignores_leaves_nothing() {
    check(
        template("w"),
        &[
            ("begin; start w; fail w1", "ready, request w1, w did not start (failed: boom), [start w] failed: boom"),
            ("start w; ignore w2; which", "request w2, [start w] undefined, [which] "),
            (
                "start w; ok w3; down w3 x",
                "request w3, [start w] w3, w3 ended (failed: x), restarting w #1, restart w4",
            ),
            ("ignore w4; which", "[which] "),
        ],
    );
}

#[test]
fn sup_11_a_restart_that_fails_is_tried_again_and_can_be_ended() {
    check(
        template("w"),
        &[
            (
                "begin; start w; ok w1; down w1 x",
                "ready, request w1, [start w] w1, w1 ended (failed: x), restarting w #1, restart w2",
            ),
            ("which; fail w2", "[which] w:restarting, w did not start (failed: boom), retry"),
            (
                "which; retry; fail w3",
                "[which] w:restarting, restarting w #2, restart w3, w did not start (failed: boom), retry",
            ),
            // By the pid that it had.
            ("end w1; which; end w1", "[end w1] ok, [which] , [end w1] NotFound"),
            (
                "start w; ok w4; down w4 x",
                "request w4, [start w] w4, w4 ended (failed: x), restarting w #3, restart w5",
            ),
            ("end w4", "cancel w5"),
            ("fail w5; which", "[end w4] ok, [which] "),
            (
                "start w; ok w6; down w6 x; fail w7",
                "request w6, [start w] w6, w6 ended (failed: x), restarting w #4, restart w7, w did not start (failed: boom), retry",
            ),
            ("stop shutdown", "finish (shutdown)"),
        ],
    );
}

#[test]
fn dsup_08_the_restart_limit_is_shared() {
    check(
        SupervisorSpec { max_restarts: 2, ..template("w:infinity") },
        &[
            ("begin; start w; start w; start w", "ready, request w1, request w2, request w3"),
            ("ok w1; ok w2; ok w3", "[start w] w1, [start w] w2, [start w] w3"),
            (
                "down w1 x; down w2 x",
                "w1 ended (failed: x), restarting w #1, restart w4, w2 ended (failed: x), restarting w #2, restart w5",
            ),
            ("ok w4", ""),
            ("down w3 x", "w3 ended (failed: x), gave up w, shutdown w4, cancel w5"),
            ("fail w5; down w4 shutdown", "finish (shutdown)"),
        ],
    );
}

#[test]
fn dsup_08_ten_thousand_children_take_two_orders_each() {
    const MANY: u64 = 10_000;
    let mut scenario = DynamicSupervisor::<Name, u64>::new(template("w:1000")).expect("a good spec");
    let mut out = Vec::new();
    scenario.step(Input::Begin, Time::ZERO, &mut out);
    for number in 0..MANY {
        out.clear();
        scenario.step(Input::StartChild { spec: child("w"), ask: number }, Time::ZERO, &mut out);
        let [Order::Start { token, .. }] = out[..] else { panic!("{out:?}") };
        out.clear();
        let outcome = Ok(crate::Pid { node: 0, id: number, tag: 1 });
        scenario.step(Input::Started { token, outcome }, Time::ZERO, &mut out);
        assert_eq!(out.len(), 1);
    }
    assert!(scenario.is_consistent());
    out.clear();
    scenario.step(Input::Stop { reason: crate::ExitReason::Shutdown(None) }, Time::ZERO, &mut out);
    // Everybody is told in one step, with one timer for all.
    let told = out.iter().filter(|order| matches!(order, Order::Shutdown { .. })).count();
    assert_eq!((told, out.len()), (10_000, 10_001));
    for id in 0..MANY {
        out.clear();
        let pid = crate::Pid { node: 0, id, tag: 1 };
        scenario.step(Input::Down { pid, reason: crate::ExitReason::Shutdown(None) }, Time::ZERO, &mut out);
        assert_eq!(out.len(), if id + 1 < MANY { 0 } else { 2 });
    }
    assert!(scenario.is_consistent());
}

#[test]
fn hot_19_another_template_counts_for_those_that_run() {
    let mut scenario = Scenario::new(template("w:infinity"));
    for what in ["begin", "start w", "start w", "start w", "ok w1", "ok w2", "ok w3"] {
        scenario.happens(what);
    }
    let replace = |scenario: &mut Scenario, spec: SupervisorSpec<Name>| {
        let mut out = Vec::new();
        scenario.sup.step(Input::Replace { spec, ask: "replace".into() }, Time::ZERO, &mut out);
        let [Order::Reply { result, .. }] = &out[..] else { panic!("{out:?}") };
        result.clone()
    };
    // Another number of templates, or none, is refused.
    let two = SupervisorSpec { roster: Roster::Template, ..spec(Strategy::OneForOne, "w v") };
    assert_eq!(replace(&mut scenario, two), Err(RequestError::Invalid(SpecError::NoPlaceFor { listed: 2 })));
    assert_eq!(replace(&mut scenario, dynamic()), Err(RequestError::Invalid(SpecError::AnotherRoster)));
    // A limit that is too small for those that run leaves them alone.
    let smaller = SupervisorSpec { max_children: 1, ..template("w:transient:kill") };
    assert_eq!(replace(&mut scenario, smaller), Ok(Answer::Done));
    assert_eq!(scenario.happens("which"), ["[which] w3 w2 w1"]);
    assert_eq!(scenario.happens("start w"), ["[start w] MaxChildren"]);
    assert_eq!(scenario.happens("down w1 normal"), [""; 0], "it is transient now");
    assert_eq!(scenario.happens("end w2"), ["kill w2"]);
    assert_eq!(scenario.happens("down w3 x").last().map(String::as_str), Some("restart w4"));
    let temporary = template("w:temporary");
    assert_eq!(replace(&mut scenario, temporary), Ok(Answer::Done));
    scenario.happens("ok w4");
    assert_eq!(scenario.happens("down w4 x"), ["w4 ended (failed: x)"]);

    // One that was started as temporary has no arguments for a restart.
    scenario.happens("start w");
    scenario.happens("ok w5");
    assert_eq!(replace(&mut scenario, template("w")), Ok(Answer::Done));
    assert_eq!(scenario.happens("down w5 x"), ["w5 ended (failed: x)"]);
    assert_eq!(scenario.happens("which"), ["[which] w2:stopping"]);
}

#[test]
fn restarts_wait_where_that_is_asked_for() {
    let backoff = Backoff { first: Duration::from_millis(100), most: Duration::from_millis(300) };
    check(
        SupervisorSpec { backoff: Some(backoff), ..template("w") },
        &[
            (
                "begin; start w; ok w1; down w1 x",
                "ready, request w1, [start w] w1, w1 ended (failed: x), restarting w #1, restart w2",
            ),
            ("ok w2; at 5; down w2 x", "w2 ended (failed: x), wait w@105"),
            ("at 105; timeout w; fail w3", "restarting w #2, restart w3, w did not start (failed: boom), wait w@305"),
            ("end w2; which", "untimer w, [end w2] ok, [which] "),
            (
                "start w; ok w4; down w4 x; ok w5; down w5 x",
                "request w4, [start w] w4, w4 ended (failed: x), restarting w #3, restart w5, w5 ended (failed: x), wait w@205",
            ),
            ("stop shutdown", "untimer w, finish (shutdown)"),
        ],
    );
}

#[test]
fn extra_arguments_are_data_for_whoever_starts() {
    let extra = Roster::Dynamic { extra_args: Some(Body::Json("1".into())) };
    let machine = Machine::<Name, ()>::new(SupervisorSpec { roster: extra.clone(), ..dynamic() }).expect("it is good");
    assert_eq!(machine.roster(), &extra);
    assert_eq!(machine.template(), None);
    let machine = Machine::<Name, ()>::new(template("w")).expect("it is good");
    assert_eq!(machine.template().map(|child| &*child.id), Some("w"));
}

#[test]
fn the_restarts_of_each_child_are_counted() {
    let mut scenario = Scenario::new(template("w"));
    for what in ["begin", "start w", "start w", "ok w1", "ok w2", "down w1 x", "ok w3", "down w3 x"] {
        scenario.happens(what);
    }
    let restarts: Vec<u64> = scenario.sup.view().iter().map(|child| child.restarts).collect();
    assert_eq!((restarts, scenario.sup.restarts_total()), (vec![2, 0], 2));
}

#[test]
fn supervisors_are_counted_apart_from_workers() {
    check(
        dynamic(),
        &[
            ("begin; start w; start v; start s:sup", "ready, request w1, request v1, request s1"),
            ("count", "[count] 3 specs 0 active 1 supervisors 2 workers"),
        ],
    );
    check(
        template("s:sup"),
        &[
            ("begin; start s:sup; start s:sup", "ready, request s1, request s2"),
            ("count", "[count] 1 specs 0 active 2 supervisors 0 workers"),
        ],
    );
}

#[test]
fn active_are_those_that_have_a_process() {
    let backoff = Backoff { first: Duration::from_millis(100), most: Duration::from_millis(100) };
    let active = |number: usize| format!("[count] 1 specs {number} active 0 supervisors 1 workers");
    check(
        SupervisorSpec { backoff: Some(backoff), ..template("w") },
        &[
            ("begin; start w; count", &format!("ready, request w1, {}", active(0))),
            ("ok w1; count", &format!("[start w] w1, {}", active(1))),
            ("down w1 x; count", &format!("w1 ended (failed: x), restarting w #1, restart w2, {}", active(0))),
            ("ok w2; down w2 x; count", &format!("w2 ended (failed: x), wait w@100, {}", active(0))),
            (
                "at 100; timeout w; ok w3; end w3; count",
                &format!("restarting w #2, restart w3, shutdown w3, timer w3@5100, {}", active(1)),
            ),
        ],
    );
}
