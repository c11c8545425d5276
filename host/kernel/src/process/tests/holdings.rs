//! What a process has in the directory: counted, bounded, and gone before anybody hears of its end.

use std::sync::Arc;

use crate::directory::{Claim, Holding, Place, Removed, Table, Via, Watched};
use crate::process::*;
use crate::{Action, Address, Body, Changed, Event, ExitReason, Limits, Mark, Name, Pid, Refusal, Signal, Start, Time};

const NOW: Time = Time::ZERO;

fn pid(id: u64) -> Pid {
    Pid { node: 0, id, tag: id * 7 }
}

fn place(key: &str) -> Place {
    Place { table: Table::Registry("users".into()), key: key.into() }
}

fn process(limits: Limits, claim: Option<Claim>) -> Process {
    let birth = Birth {
        name: Some("bank".into()),
        claim,
        parent: Some(pid(2)),
        monitor: Some(Mark(5)),
        ..Birth::without_parent(pid(1), Kind::Server, Arc::new(limits), [1, 2])
    };
    let mut process = Process::new(birth, NOW, &mut Vec::new());
    let _ = process.begin_slice();
    let _ = process.next_step(NOW, &mut Vec::new());
    assert_eq!(process.started(Start::Ready(crate::Next::Wait), NOW, &mut Vec::new()), None);
    let _ = process.next_step(NOW, &mut Vec::new());
    let _ = process.end_slice();
    process
}

fn limit(what: &str) -> Result<(), Refusal> {
    Err(Refusal::Limit(what.into()))
}

fn changed(key: &str) -> Changed {
    Changed::Removed { key: key.into(), pid: pid(9) }
}

#[test]
fn rpg_02_keys_are_free_before_anybody_hears_of_the_end() {
    let via = Via { registry: "users".into(), key: "born".into() };
    let claim = Claim { via, value: Arc::new(Body::Text("four".into())) };
    let mut process = process(Limits { entry_bytes: 10, ..Limits::default() }, Some(claim));
    assert_eq!(process.take_entry(place("abc"), 0), limit("entry_bytes"), "what it is born with counts");
    process.set_limits(Arc::default());
    assert_eq!(process.take_entry(place("ada"), 0), Ok(()));
    assert_eq!(process.take_lock(place("locked")), Ok(()));
    let mark = process.watch(Watched::Key(place("seen"))).expect("it may");
    let mut actions = Vec::new();
    process.vanish(&ExitReason::Killed, &mut actions);
    process.exit(&ExitReason::Killed, &mut actions);
    let expected = [
        Action::ReleaseName("bank".into()),
        Action::Release(Holding::Watch { watched: Watched::Key(place("seen")), mark }),
        Action::Release(Holding::Entries(place("ada"))),
        Action::Release(Holding::Entries(place("born"))),
        Action::Release(Holding::Lock(place("locked"))),
        Action::Remove,
        Action::Deliver { to: pid(2), signal: Signal::Down { mark: Mark(5), reason: ExitReason::Killed } },
    ];
    assert_eq!(actions, expected);
    assert!(process.take_entry(place("late"), 0).is_err());
}

#[test]
fn who_is_to_end_registers_nothing_more() {
    let mut process = process(Limits::default(), None);
    let _ = process.deliver(Signal::Kill, NOW, &mut Vec::new());
    assert_eq!(process.take_entry(place("ada"), 0), Err(Refusal::Unknown("noproc".into())));
}

#[test]
fn entries_and_locks_are_counted_together() {
    let mut process = process(Limits { entries: 3, ..Limits::default() }, None);
    assert_eq!(process.take_entry(place("a"), 0), Ok(()));
    assert_eq!(process.take_entry(place("a"), 0), Ok(()));
    assert_eq!(process.take_lock(place("a")), Ok(()));
    assert_eq!(process.take_entry(place("b"), 0), limit("entries"));
    assert_eq!(process.take_lock(place("b")), limit("entries"));
    assert!(matches!(process.take_lock(place("a")), Err(Refusal::Invalid(_))), "it would wait for itself");
    assert!(process.drop_lock(&place("a")));
    assert!(!process.drop_lock(&place("a")));
    assert_eq!(process.take_entry(place("b"), 0), Ok(()));
    process.drop_entries(&place("a"), Removed { count: 2, bytes: 0 });
    process.drop_entries(&place("a"), Removed { count: 2, bytes: 0 });
    assert_eq!(process.take_entry(place("c"), 0), Ok(()));
    assert_eq!(process.take_lock(place("c")), Ok(()));
    assert_eq!(process.take_lock(place("d")), limit("entries"));
}

#[test]
fn bytes_are_those_of_keys_and_values() {
    let mut process = process(Limits { entry_bytes: 10, ..Limits::default() }, None);
    assert_eq!(process.take_entry(place("four"), 7), limit("entry_bytes"));
    assert_eq!(process.take_entry(place("four"), 3), Ok(()));
    assert_eq!(process.take_entry(place("a"), 3), limit("entry_bytes"));
    assert_eq!(process.take_entry(place("a"), 2), Ok(()));
    assert_eq!(process.take_value(1), limit("entry_bytes"));
    process.drop_entries(&place("a"), Removed { count: 1, bytes: 2 });
    assert_eq!(process.take_value(4), limit("entry_bytes"));
    assert_eq!(process.take_value(3), Ok(()));
    assert_eq!(process.take_value(1), limit("entry_bytes"), "the new value counts beside the old");
    process.value_replaced(3);
    process.drop_entries(&place("four"), Removed { count: 1, bytes: 3 });
    assert_eq!(process.take_entry(place("ten"), 7), Ok(()), "nothing is left of what went");
}

#[test]
fn keys_come_as_often_as_entries_and_from_one_table() {
    let mut process = process(Limits::default(), None);
    let elsewhere = Place { table: Table::Topics, key: "news".into() };
    for place in [place("b"), place("a"), place("b"), elsewhere] {
        assert_eq!(process.take_entry(place, 0), Ok(()));
    }
    let keys = |names: &[&str]| names.iter().map(|name| Name::from(*name)).collect::<Vec<_>>();
    assert_eq!(process.keys_in(&place("").table), keys(&["a", "b", "b"]));
    process.drop_entries(&place("b"), Removed { count: 1, bytes: 0 });
    assert_eq!(process.keys_in(&place("").table), keys(&["a", "b"]));
    assert_eq!(process.keys_in(&Table::Topics), keys(&["news"]));
}

#[test]
fn changes_arrive_until_the_watch_is_over_and_then_no_more() {
    let mut process = process(Limits { monitors: 2, ..Limits::default() }, None);
    let (one, other) = (process.watch(Watched::Key(place("a"))), process.watch(Watched::Key(place("b"))));
    let (Ok(one), Ok(other)) = (one, other) else { panic!("refused") };
    assert_eq!(process.watch(Watched::Key(place("c"))), Err(Refusal::Limit("monitors".into())));
    for mark in [one, other, one, Mark(0)] {
        let delivery = process.deliver(Signal::Change { mark, what: changed("a") }, NOW, &mut Vec::new());
        assert_eq!(delivery.outcome, Ok(()));
    }
    assert_eq!(process.mailbox().len(), 3, "a mark that it has not goes nowhere");
    assert_eq!(process.unwatch(one), Some(Watched::Key(place("a"))));
    assert_eq!(process.mailbox().len(), 1, "what was queued is taken back");
    assert_eq!(process.mailbox().front(), Some(&Event::Change { mark: other, what: changed("a") }));
    assert_eq!(process.unwatch(one), None);
    let _ = process.deliver(Signal::Change { mark: one, what: changed("a") }, NOW, &mut Vec::new());
    assert_eq!(process.mailbox().len(), 1);
}

#[test]
fn a_change_wakes_who_waits() {
    let mut process = process(Limits::default(), None);
    let mark = process.watch(Watched::Key(place("a"))).expect("it may");
    assert!(process.deliver(Signal::Change { mark, what: changed("a") }, NOW, &mut Vec::new()).wake);
}

#[test]
fn a_full_mailbox_ends_the_watch_and_says_so() {
    let mut process = process(Limits { mailbox_messages: 1, ..Limits::default() }, None);
    let mark = process.watch(Watched::Key(place("a"))).expect("it may");
    let mut actions = Vec::new();
    for key in ["a", "b", "c"] {
        let _ = process.deliver(Signal::Change { mark, what: changed(key) }, NOW, &mut actions);
    }
    assert_eq!(actions, [Action::Release(Holding::Watch { watched: Watched::Key(place("a")), mark })]);
    let heard: Vec<Option<Event>> = [(); 3].map(|()| process.mailbox.pop()).into();
    let change = |what| Some(Event::Change { mark, what });
    assert_eq!(heard, [change(changed("a")), change(Changed::Missed), None]);
}

#[test]
fn values_that_come_count_as_bytes_and_what_was_taken_back_does_not() {
    let mut process = process(Limits::default(), None);
    let mark = process.watch(Watched::Table(Table::Topics)).expect("it may");
    let what = Changed::Added { key: "a".into(), pid: pid(9), value: Arc::new(Body::Text("four".into())) };
    let _ = process.deliver(Signal::Change { mark, what }, NOW, &mut Vec::new());
    assert_eq!(process.mailbox().bytes(), 4);
    process.unwatch(mark);
    assert_eq!((process.mailbox().bytes(), process.mailbox().len()), (0, 0));
}

#[test]
fn the_end_of_a_process_known_by_a_key_names_the_key() {
    let mut process = process(Limits::default(), None);
    let target = Address::Via(Via { registry: "users".into(), key: "ada".into() });
    assert_eq!(target.pid(), None);
    let mut actions = Vec::new();
    let mark = process.monitor(Monitoring::of(target.clone()), Some(pid(3)), &mut actions).expect("it may");
    let _ = process.deliver(Signal::Down { mark, reason: ExitReason::Normal }, NOW, &mut actions);
    assert_eq!(process.mailbox().front(), Some(&Event::Down { mark, target, reason: ExitReason::Normal, tag: None }));
}
