//! STM-04: the three kinds of timeouts, what ends each, and when one of no time at all comes.

use skep_sdk::TimeoutKind::{Event as ByEvent, State as ByState};
use skep_sdk::prelude::*;

use super::Act::{Cancel, Insert, Next, OnEntry, PostponeIn, Repeat, Update};
use super::{Act, Told, both, json, ms, named, seen, time, told};

#[test]
fn stm_04_any_event_calls_off_the_event_timeout() {
    both([], |scribe| {
        scribe.cast(told("a", [time(&ByEvent, 100, "quiet")]));
        scribe.advance(ms(50));
        scribe.cast(told("b", []));
        scribe.advance(ms(500));
        scribe.cast(told("c", [time(&ByEvent, 100, "quiet"), Insert(told("own", []))]));
        scribe.advance(ms(500));
        scribe.cast(told("d", [time(&ByEvent, 100, "quiet"), time(&named("n"), 50, "x")]));
        scribe.advance(ms(500));
        scribe.cast(told("e", [time(&ByEvent, 100, "quiet")]));
        scribe.advance(ms(100));
        assert_eq!(
            seen(scribe)[1..],
            [
                "cast a in 1",
                "cast b in 1",
                "cast c in 1",
                "own own in 1",
                "cast d in 1",
                "Named(\"n\") x in 1",
                "cast e in 1",
                "Event quiet in 1",
            ]
        );
    });
}

#[test]
fn stm_04_a_change_of_state_calls_off_the_state_timeout_and_no_other() {
    both([], |scribe| {
        let n = named("n");
        scribe.cast(told("a", [time(&ByState, 100, "late"), time(&n, 100, "named")]));
        scribe.cast(told("same", [Next(1)]));
        scribe.cast(told("again", [Repeat]));
        scribe.advance(ms(99));
        scribe.cast(told("go", [Next(2)]));
        scribe.advance(ms(500));
        assert_eq!(seen(scribe).last(), Some(&"Named(\"n\") named in 2"));
        scribe.cast(told("b", [time(&ByState, 100, "in time"), Next(3)]));
        scribe.advance(ms(100));
        assert_eq!(seen(scribe).last(), Some(&"State in time in 3"), "it belongs to the state that it leads to");
        assert!(!seen(scribe).iter().any(|line| line.contains("late")));
    });
}

#[test]
fn stm_04_a_timeout_set_again_is_replaced_and_one_called_off_never_comes() {
    both([], |scribe| {
        let n = named("n");
        scribe.cast(told("a", [time(&n, 50, "old"), time(&n, 100, "new"), time(&named("m"), 100, "m")]));
        scribe.advance(ms(99));
        assert_eq!(seen(scribe).len(), 2);
        // Its timer goes off while it is called off: the alarm is queued behind.
        let alarm = |mark| Event::Timer(skep_sdk::types::Alarm { mark, body: Body::Raw(Vec::new()) });
        scribe.deliver_all([Event::Cast(Body::Json(json(&told("b", [Cancel(n)])))), alarm(2), alarm(99)]);
        scribe.advance(ms(500));
        assert_eq!(seen(scribe)[1..], ["cast a in 1", "cast b in 1", "Named(\"m\") m in 1"]);
    });
}

#[test]
fn stm_04_an_update_changes_what_it_carries_and_not_its_time() {
    both([], |scribe| {
        let n = named("n");
        scribe.cast(told("a", [time(&n, 100, "old")]));
        scribe.advance(ms(60));
        scribe.cast(told("b", [Update(n.clone(), "new".into())]));
        scribe.advance(ms(39));
        assert_eq!(seen(scribe).len(), 3);
        scribe.advance(ms(1));
        assert_eq!(seen(scribe).last(), Some(&"Named(\"n\") new in 1"));
        scribe.cast(told("c", [Update(n, "none runs".into())]));
        assert_eq!(seen(scribe).last(), Some(&"Named(\"n\") none runs in 1"), "as if set with no time");
    });
}

#[test]
fn stm_04_a_timeout_without_time_comes_before_what_is_outside_and_after_what_is_inside() {
    both([time(&ByState, 0, "at once")], |scribe| {
        let cast = |told: Told| Event::Cast(Body::Json(json(&told)));
        scribe.cast(told("kept", [PostponeIn(1)]));
        let go = told(
            "go",
            [
                time(&ByState, 0, "s"),
                time(&named("n"), 0, "n"),
                time(&named("o"), 0, "o"),
                Cancel(named("o")),
                Update(ByState, "t".into()),
                time(&ByEvent, 0, "never: another event is there"),
                Insert(told("own", [])),
                Next(2),
            ],
        );
        scribe.deliver_all([cast(go), cast(told("outside", []))]);
        scribe.cast(told("quiet", [time(&ByEvent, 0, "e")]));
        assert_eq!(
            seen(scribe),
            [
                "from 1 to 1",
                "State at once in 1",
                "cast kept in 1",
                "cast go in 1",
                "from 1 to 2",
                "own own in 2",
                "cast kept in 2",
                "Named(\"n\") n in 2",
                "State t in 2",
                "cast outside in 2",
                "cast quiet in 2",
                "Event e in 2",
            ]
        );
    });
}

#[test]
fn an_entry_sets_timeouts_for_its_state() {
    both([OnEntry(vec![time(&ByState, 10, "first")])], |scribe| {
        scribe.advance(ms(10));
        scribe.cast(told("go", [Next(2), OnEntry(vec![time(&ByState, 10, "second")])]));
        scribe.advance(ms(10));
        assert_eq!(
            seen(scribe),
            ["from 1 to 1", "State first in 1", "cast go in 1", "from 1 to 2", "State second in 2",]
        );
        scribe.cast(told("on", [Next(3), OnEntry(vec![Act::Stop(ExitReason::custom("no"))])]));
        assert_eq!(scribe.ended(), Some(&ExitReason::custom("no")));
    });
}

#[test]
fn stm_04_of_all_that_a_step_says_of_a_timeout_the_last_counts() {
    both([], |scribe| {
        let n = named("n");
        // None runs when the update is made: so it goes off.
        scribe.cast(told("a", [time(&n, 100, "never"), Update(n.clone(), "updated".into())]));
        assert_eq!(seen(scribe).last(), Some(&"Named(\"n\") updated in 1"));
        scribe.cast(told("b", [time(&n, 100, "later"), time(&ByState, 0, "s"), Cancel(n.clone()), time(&n, 0, "n")]));
        scribe.advance(ms(500));
        assert_eq!(seen(scribe)[3..], ["cast b in 1", "State s in 1", "Named(\"n\") n in 1"]);
    });
}

#[test]
fn stm_04_a_timeout_that_is_due_waits_for_all_inside_and_can_be_updated_and_called_off() {
    both([], |scribe| {
        let later = told("own", [Insert(told("later", [Update(ByState, "new".into()), Cancel(named("o"))]))]);
        let due = [time(&ByState, 0, "old"), time(&named("n"), 0, "n"), time(&named("o"), 0, "o"), Insert(later)];
        scribe.cast(told("a", due));
        assert_eq!(
            seen(scribe)[1..],
            ["cast a in 1", "own own in 1", "own later in 1", "State new in 1", "Named(\"n\") n in 1"]
        );
    });
}

#[test]
fn stm_04_a_timeout_that_was_postponed_is_an_event_like_others() {
    both([Act::PostponeTimeouts(1)], |scribe| {
        scribe.cast(told("a", [time(&ByState, 0, "s"), time(&named("n"), 10, "n")]));
        scribe.advance(ms(10));
        // Neither the change of state nor calling them off takes them back.
        scribe.cast(told("go", [Next(2), Cancel(named("n"))]));
        assert_eq!(
            seen(scribe)[1..],
            [
                "cast a in 1",
                "State s in 1",
                "Named(\"n\") n in 1",
                "cast go in 1",
                "from 1 to 2",
                "State s in 2",
                "Named(\"n\") n in 2"
            ]
        );
    });
}
