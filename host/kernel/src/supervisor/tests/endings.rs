//! What arrives while a supervisor ends, and what nobody expects. OTP waits inside a start or a stop; here all is served.

use super::super::*;
use super::scenario::{check, spec};
use Strategy::{OneForAll, OneForOne};

#[test]
fn a_stop_cancels_the_start_under_way_and_waits_for_its_answer() {
    check(
        spec(OneForOne, "a:infinity b c"),
        &[
            ("begin; ok a", "init a1, init b1"),
            ("stop killed", "cancel b1"),
            ("stop normal", ""),
            ("fail b", "shutdown a1"),
            ("down a1 shutdown", "failed (killed)"),
        ],
    );
}

#[test]
fn a_start_that_succeeds_in_spite_of_its_cancelling_is_stopped_in_order() {
    check(
        spec(OneForOne, "a:infinity b:infinity"),
        &[
            ("begin; ok a; stop shutdown", "init a1, init b1, cancel b1"),
            ("ok b", "shutdown b1"),
            ("down b1 shutdown", "shutdown a1"),
            ("down a1 shutdown", "failed (shutdown)"),
        ],
    );
    check(
        spec(OneForOne, "a"),
        &[
            ("begin; stop normal", "init a1, cancel a1"),
            ("ignore a", "failed (normal)"),
            ("begin; start b; which", "[start b] Stopping, [which] a:stopped"),
        ],
    );
}

#[test]
fn a_stop_before_the_beginning_ends_it() {
    check(
        spec(OneForOne, "a"),
        &[
            ("which; start b", "[which] a:starting"),
            ("stop shutdown", "[start b] Stopping, failed (shutdown)"),
            ("begin; stop shutdown", ""),
        ],
    );
}

#[test]
fn a_stop_takes_over_the_stops_under_way() {
    check(
        spec(OneForAll, "a:infinity b c:1000"),
        &[
            ("begin; ok a; ok b; ok c", "init a1, init b1, init c1, ready"),
            ("down b1 x", "b1 ended (failed: x), restarting b #1, shutdown c1, timer c1@1000"),
            ("stop shutdown", ""),
            ("timeout c1", "kill c1"),
            ("down c1 killed", "c1 stopped wrongly (killed), shutdown a1"),
            ("down a1 shutdown", "finish (shutdown)"),
        ],
    );
}

#[test]
fn a_stop_refuses_what_is_asked_from_then_on_and_lets_who_asked_before_know() {
    check(
        spec(OneForOne, "a:infinity b"),
        &[
            (
                "begin; ok a; ok b; terminate b; down b1 shutdown",
                "init a1, init b1, ready, shutdown b1, timer b1@5000, untimer b1, [terminate b] ok",
            ),
            ("start c; restart b", "request c1, request b2"),
            ("stop shutdown", "cancel c1"),
            ("start d; restart a; delete a", "[start d] Stopping, [restart a] Stopping, [delete a] Stopping"),
            ("count", "[count] 3 specs 1 active 0 supervisors 3 workers"),
            ("fail c", "[start c] failed: boom, cancel b2"),
            ("fail b", "[restart b] failed: boom, shutdown a1"),
            ("terminate a; terminate b; terminate z", "[terminate b] ok, [terminate z] NotFound"),
            ("down a1 shutdown", "[terminate a] ok, finish (shutdown)"),
            ("stop shutdown; down a1 x; terminate b", "[terminate b] ok"),
        ],
    );
}

#[test]
fn children_that_end_while_the_supervisor_ends_are_not_told_to() {
    check(
        spec(OneForOne, "a:infinity b c:infinity"),
        &[
            ("begin; ok a; ok b; ok c", "init a1, init b1, init c1, ready"),
            ("stop shutdown", "shutdown c1"),
            ("down b1 x", "b1 stopped wrongly (failed: x)"),
            ("down c1 shutdown", "shutdown a1"),
            ("down a1 shutdown", "finish (shutdown)"),
        ],
    );
}

#[test]
fn a_terminated_child_keeps_its_patience_when_all_ends() {
    check(
        spec(OneForOne, "a:infinity b:1000 c:infinity"),
        &[
            ("begin; ok a; ok b; ok c; terminate b", "init a1, init b1, init c1, ready, shutdown b1, timer b1@1000"),
            ("stop shutdown", "shutdown c1"),
            ("timeout b1", "kill b1"),
            ("down c1 shutdown; down b1 killed", "b1 stopped wrongly (killed), [terminate b] ok, shutdown a1"),
            ("down a1 shutdown", "finish (shutdown)"),
        ],
    );
}

#[test]
fn what_nobody_knows_is_ignored() {
    let mut sup = Supervisor::<_, ()>::new(spec(OneForOne, "a:1000")).expect("a good spec");
    let mut step = |input| {
        let mut out = Vec::new();
        sup.step(input, Time::MAX, &mut out);
        out
    };
    let child = Pid { node: 0, id: 1, tag: 1 };
    let start = |out: &[Order<_, ()>]| match out[0] {
        Order::Start { token, .. } => token,
        _ => panic!("a start was expected"),
    };
    let token = start(&step(Input::Begin));
    assert_eq!(step(Input::Timeout { token }), []);
    assert_eq!(step(Input::Retry { token }), []);
    assert_eq!(step(Input::Started { token: Token(99), outcome: Ok(child) }), []);
    assert_eq!(step(Input::Started { token, outcome: Ok(child) }), [Order::Ready]);
    assert_eq!(step(Input::Started { token, outcome: Ok(Pid { id: 2, ..child }) }), []);
    assert_eq!(step(Input::Down { pid: Pid { id: 2, ..child }, reason: ExitReason::Killed }), []);
    assert_eq!(step(Input::Timeout { token }), []);
    let out = step(Input::Stop { reason: ExitReason::Normal });
    let [Order::Shutdown { pid }, Order::SetTimer { token: timer, at }] = out[..] else { panic!("{out:?}") };
    assert_eq!((pid, at), (child, Time::MAX));
    assert_eq!(step(Input::Started { token: timer, outcome: Ok(child) }), []);
    assert_eq!(step(Input::Retry { token: timer }), []);
    let out = step(Input::Down { pid: child, reason: ExitReason::Shutdown(None) });
    assert_eq!(out, [Order::CancelTimer { token: timer }, Order::Finish { reason: ExitReason::Normal }]);
    assert_eq!(step(Input::Timeout { token: timer }), []);
    assert_eq!(step(Input::Down { pid: child, reason: ExitReason::Killed }), []);
}

#[test]
fn a_failed_start_says_why_in_words() {
    use crate::{Body, Refusal, SpawnError};
    let reason = |error| {
        let mut sup = Supervisor::<_, ()>::new(spec(OneForOne, "db")).expect("a good spec");
        let mut out = Vec::new();
        sup.step(Input::Begin, Time::ZERO, &mut out);
        sup.step(Input::Started { token: Token(1), outcome: Err(error) }, Time::ZERO, &mut out);
        match out.pop() {
            Some(Order::Failed { reason: ExitReason::Shutdown(Some(body)) }) => match body.as_ref() {
                Body::Text(text) => text.strip_prefix("failed to start child \"db\": ").expect("the child").to_string(),
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        }
    };
    let holder = Pid { node: 0, id: 7, tag: 1 };
    for (refusal, words) in [
        (Refusal::Denied("spawn".into()), "not granted: spawn"),
        (Refusal::Unknown("postgres".into()), "unknown: postgres"),
        (Refusal::Taken(holder), "the name is taken by <0.7>"),
        (Refusal::Limit("processes".into()), "limit reached: processes"),
        (Refusal::Invalid("no name".into()), "invalid: no name"),
    ] {
        assert_eq!(reason(SpawnError::Refused(refusal)), words);
    }
    assert_eq!(reason(SpawnError::Failed(ExitReason::Killed)), "killed");
}
