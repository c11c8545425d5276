//! What can be seen of a process from outside.

use super::notation::check;
use super::world::World;
use crate::mailbox::Mailbox;
use crate::process::{Pid, WaitsFor};
use crate::system::Statistics;
use crate::{Address, Body, Event, ExitReason};

/// The labels of these, in their order.
fn labels(world: &World, pids: impl Iterator<Item = Pid>) -> String {
    let mut labels: Vec<&str> = pids.map(|pid| world.label(pid)).collect();
    labels.sort_unstable();
    labels.join(" ")
}

#[test]
fn ties_are_seen_from_both_sides() {
    let mut world = check(&[
        ("new a init={trap on}; new b; new c", ""),
        ("a: register n; b: monitor a, monitor @n, link a; c: request a - {hold}; c: monitor b", "a = named"),
        ("a: spawn k", "a = child k"),
    ]);
    let (a, b, k) = (world.pid("a"), world.pid("b"), world.pid("k"));
    let people = &world.people;
    let process = |pid: Pid| &people[&pid].process;
    assert_eq!(labels(&world, process(a).monitored_by()), "b b");
    assert_eq!(labels(&world, process(b).monitored_by()), "c");
    assert_eq!(labels(&world, process(b).callers()), "");
    assert_eq!((process(k).parent(), process(a).parent()), (Some(a), None));
    assert_eq!((process(a).traps_exits(), process(b).traps_exits()), (true, false));
    let mut watched: Vec<_> = process(b).monitors().map(|(target, pid)| (target.clone(), pid)).collect();
    watched.sort_by_key(|(target, _)| target.pid().is_none());
    assert_eq!(watched, [(Address::Pid(a), Some(a)), (Address::Name("n".into()), Some(a))]);
    world.run("new h native; new d; d: call h - {say asked}");
    let h = world.pid("h");
    assert_eq!(labels(&world, world.people[&h].process.callers()), "d");
    assert_eq!(labels(&world, world.people[&h].process.monitored_by()), "", "who waits for a reply watches otherwise");
}

#[test]
fn what_a_guest_waits_for_is_seen() {
    let mut world = check(&[
        ("new h native; new t task init={receive -}; new i; new a", ""),
        ("a: call h - {say asked}; i: spawn k init={call h - {say asked}}", "h says asked, h says asked"),
    ]);
    let [h, t, i, a, k] = ["h", "t", "i", "a", "k"].map(|label| world.pid(label));
    let waits = |pid: Pid| world.people[&pid].process.waits_for();
    assert_eq!(waits(a), Some(WaitsFor::Reply(Some(h))));
    assert_eq!(waits(i), Some(WaitsFor::Start(Some(k))));
    assert_eq!(waits(t), Some(WaitsFor::Message));
    assert_eq!(waits(h), None);
    world.run("kill h");
}

#[test]
fn what_a_process_handles_and_sends_is_counted() {
    let world = check(&[
        ("new s native; new a; info a one; info a two", "a: info one, a: info two"),
        ("s: request a - three", "a: call three, s: answer re three"),
        ("new t task init={receive -}; info t four", "t: info four, t ends normal"),
        (
            "new c task init={choose six -, receive -}; info c five; info c six",
            "c: info six, c: info five, c ends normal",
        ),
    ]);
    let of = |label: &str| world.people[&world.pid(label)].process.statistics();
    assert_eq!(of("a"), Statistics { messages_in: 3, messages_out: 1 });
    assert_eq!(of("s"), Statistics { messages_in: 2, messages_out: 1 });
    assert_eq!((of("t").messages_in, of("c").messages_in), (1, 2), "not those that are only looked at");
    let mut sender = world;
    let pid = sender.pid("a");
    sender.person(pid).process.count_sent(1);
    assert_eq!(sender.people[&pid].process.statistics().messages_out, 2);
}

#[test]
fn a_mailbox_shows_the_oldest_and_gives_up_the_exits_of_one_process() {
    let pid = |id| Pid { node: 0, id, tag: 1 };
    let exit = |id, text: &str| Event::Exit { pid: pid(id), reason: ExitReason::failed(text) };
    let info = || Event::Info(Body::Text("one".into()));
    let mut mailbox = Mailbox::default();
    [info(), exit(1, "a"), exit(2, "b"), exit(1, "c")].into_iter().for_each(|event| mailbox.push(event));
    assert_eq!(mailbox.oldest().take(2).cloned().collect::<Vec<_>>(), [info(), exit(1, "a")]);
    assert!(mailbox.has_order(Some(pid(1))) && mailbox.has_order(Some(pid(2))) && !mailbox.has_order(Some(pid(3))));
    assert_eq!(mailbox.take_order(Some(pid(2))), Some(ExitReason::failed("b")));
    assert_eq!(mailbox.take_order(Some(pid(2))), None);
    assert_eq!(mailbox.take_order(Some(pid(1))), Some(ExitReason::failed("a")), "the oldest first");
    assert_eq!((mailbox.len(), mailbox.has_order(Some(pid(1)))), (2, true));
}
