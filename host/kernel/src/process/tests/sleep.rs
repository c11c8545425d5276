//! Hibernation: when an instance is given back, what brings a process back, and what it keeps meanwhile.

use std::sync::Arc;
use std::time::Duration;

use super::notation::check;
use crate::process::{Birth, Kind, Process, SliceEnd, Step, Turn};
use crate::{Body, Event, Next, Outcome, Pid, Signal, Start, State, Want};

#[test]
fn a_hibernated_process_keeps_its_timers_links_monitors_name_and_mail() {
    check(&[
        ("new a init={trap on}; new b; new c", ""),
        ("a: register n, link b, monitor c, timer x 100, wait-for 200", "a = named"),
        ("evict a", "a sleeps"),
        ("wait 100", "a wakes, a: timer x"),
        ("evict a", "a sleeps"),
        ("kill b", "b ends killed, a wakes, a: exit b killed"),
        ("a: hibernate", "a sleeps"),
        ("kill c", "c ends killed, a wakes, a: down c killed"),
        ("a: hibernate", "a sleeps"),
        ("new d", ""),
        ("d: send @n hello", "a wakes, a: info hello"),
        ("a: hibernate", "a sleeps"),
        ("kill a", "a ends killed"),
    ]);
}

#[test]
fn who_waits_for_a_supervisor_is_blocked_and_keeps_its_instance() {
    let pid = Pid { node: 0, id: 1, tag: 1 };
    let birth = Birth::without_parent(pid, Kind::Server, Arc::default(), [1, 2]);
    let (now, mut actions) = (Duration::ZERO, Vec::new());
    let mut process = Process::new(birth, now, &mut actions);
    let _ = process.begin_slice();
    assert_eq!(process.next_step(now, &mut actions), Step::Init);
    assert_eq!(process.started(Start::Ready(Next::Wait), now, &mut actions), None);
    process.begin_wait(crate::process::WaitsFor::Supervisor);
    assert_eq!(process.end_slice(), SliceEnd::Waiting);
    assert_eq!((process.status(), process.is_evictable()), ("blocked", false));
    let mail = process.deliver(Signal::Message(Event::Cast(Body::Text("x".into()))), now, &mut actions);
    assert!(!mail.wake, "mail is not what it waits for");
    assert_eq!(process.begin_slice(), Turn::Nothing);
    process.end_wait();
    assert!(!process.is_blocked());
    assert!(matches!(process.next_step(now, &mut actions), Step::Handle { event: Event::Cast(_), .. }));
    // Nothing else is ended by it.
    process
        .begin_call(crate::process::Callee::Nobody, None, crate::process::Waiting::Blocking, &mut actions)
        .expect("it may call");
    process.end_wait();
    assert!(process.is_blocked());
}

#[test]
fn idleness_wakes_a_hibernated_process() {
    check(&[("new a", ""), ("a: wait-for 100", ""), ("evict a", "a sleeps"), ("wait 100", "a wakes, a: idle")]);
}

#[test]
fn an_answer_wakes_a_hibernated_process() {
    check(&[
        ("new a; new b", ""),
        ("a: request b 100 {say asked}, hibernate", "a sleeps, b says asked"),
        ("b: answer b done", "a wakes, a: answer done"),
        ("a: spawn c as-event, hibernate", "a sleeps, a wakes, a: started child c"),
    ]);
}

#[test]
fn what_came_meanwhile_is_handled_before_the_instance_is_given_back() {
    check(&[
        ("new a; new b", ""),
        ("b: send a {hibernate}, send a two", "a: info two"),
        ("b: send a {say one, hibernate}, send a {say two, hibernate}", "a says one, a says two, a sleeps"),
        (
            "b: send a {say three, continue four}, send a {hibernate}",
            "a wakes, a says three, a: continue four, a sleeps",
        ),
    ]);
}

#[test]
fn an_instance_is_given_back_after_its_time_without_work() {
    let world = check(&[
        ("new a hibernate=100", ""),
        ("wait 99", ""),
        ("wait 1", "a sleeps"),
        ("info a one", "a wakes, a: info one"),
        ("wait 60", ""),
        ("info a two", "a: info two"),
        ("wait 99", ""),
        ("wait 1", "a sleeps"),
        ("wait 1000", ""),
    ]);
    assert!(world.timers.is_empty(), "a process that sleeps wants no timer");
}

#[test]
fn the_wait_begins_when_the_work_ends() {
    check(&[
        ("new a hibernate=100; new b", ""),
        ("a: call b - {say asked}", "b says asked"),
        ("wait 150", ""),
        ("b: answer b done", "a = done"),
        ("wait 99", ""),
        ("wait 1", "a sleeps"),
        // Nor is the time that an event took counted when it began in the middle of a wait.
        ("info a one", "a wakes, a: info one"),
        ("wait 50", ""),
        ("a: call b - {say asked}", "b says asked"),
        ("wait 70", ""),
        ("b: answer b done", "a = done"),
        ("wait 99", ""),
        ("wait 1", "a sleeps"),
    ]);
}

#[test]
fn with_no_time_to_keep_it_an_instance_serves_one_event() {
    check(&[
        ("new b; new a hibernate=0", "a sleeps"),
        ("b: send a one, send a two", "a wakes, a: info one, a: info two, a sleeps"),
    ]);
}

#[test]
fn who_refuses_to_be_saved_is_asked_once() {
    check(&[
        ("new a pinned hibernate=100", ""),
        ("wait 100", "a refuses to sleep"),
        ("evict a; wait 1000", ""),
        ("a: hibernate", ""),
        ("info a fine", "a: info fine"),
        ("wait 1000", ""),
    ]);
    let mut world = check(&[("new a pinned; new b; new t task init={receive -}; new n native", "")]);
    let evictable = |world: &mut super::world::World, who: &str| {
        let who = world.pid(who);
        world.person(who).process.is_evictable()
    };
    assert_eq!(["a", "b", "t", "n"].map(|who| evictable(&mut world, who)), [true, true, false, false]);
    world.run("evict a");
    assert_eq!(world.trace(), "a refuses to sleep");
    world.run("new c; b: call c - {say asked}");
    assert_eq!(["a", "b", "c"].map(|who| evictable(&mut world, who)), [false, false, true]);
}

#[test]
fn who_holds_what_a_state_cannot_carry_is_asked_again_after_the_next_event() {
    let mut world = check(&[
        ("new a hibernate=100", ""),
        ("a: hold, hibernate", "a postpones sleep"),
        ("wait 1000", ""),
        ("info a one", "a: info one"),
        ("wait 100", "a postpones sleep"),
        ("evict a", ""),
        ("info a two", "a: info two, a postpones sleep"),
    ]);
    let a = world.pid("a");
    assert!(!world.person(a).process.is_evictable());
    world.run("a: hold off");
    assert_eq!(world.trace(), "a sleeps");
}

#[test]
fn an_order_to_give_the_instance_back_stands_until_it_is_done() {
    check(&[("new a; new b", ""), ("evict a; info a one; info a two", "a: info one, a: info two, a sleeps")]);
}

#[test]
fn an_order_to_give_the_instance_back_waits_for_a_blocked_process() {
    check(&[
        ("new a; new b", ""),
        ("a: call b - {say asked}, say on", "b says asked"),
        ("evict a", ""),
        ("b: answer b done", "a = done, a says on, a sleeps"),
        // Once: from then on it is an ordinary process.
        ("info a one", "a wakes, a: info one"),
        ("evict a; evict a", "a sleeps"),
        ("evict a", ""),
        ("info a one", "a wakes, a: info one"),
    ]);
}

#[test]
fn tasks_and_natives_are_never_given_back() {
    check(&[
        ("new t task init={receive -, say end}; new n native; evict t; evict n", ""),
        ("wait 1000; info t go", "t: info go, t says end, t ends normal"),
    ]);
}

#[test]
fn a_process_killed_while_it_sleeps_leaves_no_state() {
    let mut world = check(&[("new a", ""), ("a: hibernate", "a sleeps")]);
    let a = world.pid("a");
    assert_eq!(world.person(a).process.saved_bytes(), Some(8));
    world.run("kill a");
    assert_eq!(world.person(a).process.saved_bytes(), None);
}

#[test]
fn hib_01_mail_that_comes_while_saving_takes_several_turns_is_handled_afterwards() {
    let (mut process, mut actions) = (server(Some(Duration::ZERO)), Vec::new());
    assert_eq!(process.begin_slice(), Turn::Run);
    assert_eq!(process.next_step(Duration::ZERO, &mut actions), Step::Init);
    assert_eq!(process.started(Start::Ready(Next::Wait), Duration::ZERO, &mut actions), None);
    assert_eq!(process.next_step(Duration::ZERO, &mut actions), Step::Save);

    // `save` computes for longer than a turn, and wants another.
    assert!(!process.wake());
    assert_eq!(process.end_slice(), SliceEnd::Spent);
    let hello = Event::Info(Body::Text("hello".into()));
    let delivery = process.deliver(Signal::Message(hello), Duration::ZERO, &mut actions);
    assert!(!delivery.wake, "it is on the queue");
    assert_eq!(process.begin_slice(), Turn::Run);
    process.saved(State { version: 1, body: Body::Raw(Vec::new()) });
    assert_eq!(process.end_slice(), SliceEnd::Preempted, "there is mail");

    assert_eq!(process.begin_slice(), Turn::Run);
    assert!(process.take_saved().is_some());
    assert!(matches!(process.next_step(Duration::ZERO, &mut actions), Step::Handle { event: Event::Info(_), .. }));
}

#[test]
fn a_sleeper_with_nothing_going_on_weighs_little() {
    let (mut process, mut actions) = (server(Some(Duration::ZERO)), Vec::new());
    assert!(std::mem::size_of::<Process>() <= 248, "{} bytes", std::mem::size_of::<Process>());
    let asleep = |process: &mut Process| {
        process.saved(State { version: 1, body: Body::Raw(Vec::new()) });
        assert_eq!(process.end_slice(), SliceEnd::Waiting);
        process.affairs.is_there() || process.mailbox.is_there()
    };
    assert_eq!(process.begin_slice(), Turn::Run);
    assert_eq!(process.next_step(Duration::ZERO, &mut actions), Step::Init);
    assert_eq!(process.started(Start::Ready(Next::Wait), Duration::ZERO, &mut actions), None);
    assert!(!asleep(&mut process), "nothing is going on");

    // Mail, and a timer that is set while it is handled.
    let hello = Event::Info(Body::Text("hello".into()));
    assert!(process.deliver(Signal::Message(hello), Duration::ZERO, &mut actions).wake);
    assert_eq!(process.begin_slice(), Turn::Run);
    assert!(process.take_saved().is_some());
    assert!(matches!(process.next_step(Duration::ZERO, &mut actions), Step::Handle { .. }));
    let mark = process.start_timer(Duration::from_secs(1), None, Body::Raw(Vec::new()), &mut actions).expect("one");
    process.handled(Outcome { reply: None, next: Next::Wait }, Duration::ZERO, &mut actions);
    assert!(asleep(&mut process), "a timer runs");
    assert!(process.deliver(Signal::TimeUp { mark }, Duration::from_secs(1), &mut actions).wake);
    assert_eq!(process.begin_slice(), Turn::Run);
    assert!(process.take_saved().is_some());
    assert!(matches!(process.next_step(Duration::ZERO, &mut actions), Step::Handle { event: Event::Timer { .. }, .. }));
    process.handled(Outcome { reply: None, next: Next::Wait }, Duration::ZERO, &mut actions);
    assert!(!asleep(&mut process), "it has run out, and that has been handled");
}

#[test]
fn for_whom_an_instance_goes_is_known_until_it_has_gone() {
    for want in [Want::Room, Want::Budget] {
        let (mut process, mut actions) = (server(None), Vec::new());
        assert_eq!(process.begin_slice(), Turn::Run);
        assert!(!process.is_queued(), "it is on a worker");
        assert_eq!(process.next_step(Duration::ZERO, &mut actions), Step::Init);
        assert_eq!(process.started(Start::Ready(Next::Wait), Duration::ZERO, &mut actions), None);
        assert_eq!(process.next_step(Duration::ZERO, &mut actions), Step::Wait);
        assert_eq!((process.end_slice(), process.wanted_back()), (SliceEnd::Waiting, None));

        assert!(process.deliver(Signal::Evict(want), Duration::ZERO, &mut actions).wake);
        assert!(process.is_queued());
        let _ = process.begin_slice();
        assert_eq!(process.next_step(Duration::ZERO, &mut actions), Step::Save);
        assert_eq!(process.wanted_back(), Some(want));
        process.saved(State { version: 1, body: Body::Raw(Vec::new()) });
        assert_eq!(process.wanted_back(), None);
    }
}

#[test]
fn one_that_is_pinned_keeps_its_instance_whoever_wants_it() {
    let birth = Birth { pinned: true, hibernate_after: Some(Duration::ZERO), ..birth() };
    let (mut process, mut actions) = (Process::new(birth, Duration::ZERO, &mut Vec::new()), Vec::new());
    let _ = process.begin_slice();
    assert_eq!(process.next_step(Duration::ZERO, &mut actions), Step::Init);
    // Nor when its guest asks for it.
    assert_eq!(process.started(Start::Ready(Next::Hibernate), Duration::ZERO, &mut actions), None);
    assert_eq!(process.next_step(Duration::ZERO, &mut actions), Step::Wait);
    assert_eq!((process.end_slice(), process.is_evictable()), (SliceEnd::Waiting, false));
    for want in [Want::Room, Want::Budget] {
        assert!(!process.deliver(Signal::Evict(want), Duration::ZERO, &mut actions).wake);
    }
    assert_eq!((process.wanted_back(), process.status()), (None, "waiting"));
}

/// A server on its own, which nobody started.
pub(super) fn server(hibernate_after: Option<Duration>) -> Process {
    Process::new(Birth { hibernate_after, ..birth() }, Duration::ZERO, &mut Vec::new())
}

pub(super) fn birth() -> Birth {
    Birth::without_parent(Pid { node: 0, id: 1, tag: 1 }, Kind::Server, Arc::default(), [1, 2])
}
