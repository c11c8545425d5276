//! STM-01, STM-02: which event is next, of those that are postponed, inserted, and yet to come.

use skep_sdk::prelude::*;

use super::Act::{Insert, InsertCast, Next, PostponeIn, Repeat};
use super::{Act, Told, both, json, scribe, seen, told};

#[test]
fn stm_01_a_postponed_event_waits_for_another_state_and_comes_before_newer_ones() {
    both([], |scribe| {
        scribe.cast(told("a", [PostponeIn(1)]));
        scribe.cast(told("b", [PostponeIn(1), PostponeIn(2)]));
        scribe.cast(told("same", [Next(1)]));
        scribe.cast(told("again", [Repeat]));
        let body = |told: Told| Body::Json(json(&told));
        scribe.deliver_all([
            Event::Cast(body(told("go", [Next(2), Insert(told("first", []))]))),
            Event::Cast(body(told("newer", []))),
            Event::Cast(body(told("on", [Next(3)]))),
        ]);
        assert_eq!(
            seen(scribe),
            [
                "from 1 to 1",
                "cast a in 1",
                "cast b in 1",
                "cast same in 1",
                "cast again in 1",
                "from 1 to 1",
                "cast go in 1",
                "from 1 to 2",
                "own first in 2",
                "cast a in 2",
                "cast b in 2",
                "cast newer in 2",
                "cast on in 2",
                "from 2 to 3",
                "cast b in 3",
            ]
        );
    });
}

#[test]
fn stm_01_what_changes_the_state_and_is_postponed_comes_again_at_once() {
    both([], |scribe| {
        scribe.cast(told("a", [PostponeIn(1)]));
        scribe.cast(told("away", [PostponeIn(1), Next(2)]));
        assert_eq!(seen(scribe)[2..], ["cast away in 1", "from 1 to 2", "cast a in 2", "cast away in 2"]);
    });
}

#[test]
fn stm_01_a_postponed_call_keeps_its_caller_and_its_codec() {
    both([], |scribe| {
        let open = scribe.call_open(told("a", [PostponeIn(1)]));
        assert_eq!(scribe.reply_to(&open), None);
        scribe.cast(told("go", [Next(2)]));
        assert_eq!(scribe.reply_to(&open), Some("to a".to_owned()));
        assert_eq!(scribe.call_json(r#"["b",[]]"#), Ok(r#""to b""#.to_owned()));
    });
}

#[test]
fn stm_02_inserted_events_come_first_in_the_order_in_which_they_are_listed() {
    both([Insert(told("zero", [])), Insert(told("one", []))], |scribe| {
        scribe.cast(told("kept", [PostponeIn(1)]));
        scribe.cast(told(
            "go",
            [Next(2), Insert(told("a", [Insert(told("a1", [])), Insert(told("a2", []))])), InsertCast(told("b", []))],
        ));
        assert_eq!(
            seen(scribe),
            [
                "from 1 to 1",
                "own zero in 1",
                "own one in 1",
                "cast kept in 1",
                "cast go in 1",
                "from 1 to 2",
                "own a in 2",
                "own a1 in 2",
                "own a2 in 2",
                "cast b in 2",
                "cast kept in 2",
            ]
        );
    });
}

#[test]
fn a_machine_hibernates_when_it_has_nothing_more_to_handle() {
    let mut scribe = scribe([]);
    scribe.cast(told("a", [Act::Hibernate, Insert(told("b", []))]));
    assert_eq!(seen(&scribe)[1..], ["cast a in 1", "own b in 1"]);
    assert!(scribe.save().is_ok());
}
