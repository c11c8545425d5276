//! Timers, as their process sees them (TMR).

use std::sync::Arc;
use std::time::Duration;

use super::notation::check;
use crate::process::*;
use crate::timer_queue::TimerQueue;
use crate::{Action, Body, ExitReason, Limits, Signal};

#[test]
fn tmr_01_a_timer_is_never_early() {
    check(&[("new a", ""), ("a: timer x 100", ""), ("wait 99", ""), ("wait 1", "a: timer x"), ("wait 1000", "")]);
}

#[test]
fn tmr_02_a_timer_is_an_event_with_its_mark_and_send_after_a_plain_message() {
    check(&[
        ("new a; new b", ""),
        ("a: timer x 100, after y 100 b, after z 100 a, after w 100 @b", ""),
        ("b: register b", "b = named"),
        ("wait 100", "a: timer x, a: info z, b: info y, b: info w"),
        ("a: after u 100 @nobody, after v 100 b", ""),
        ("kill b; wait 100", "b ends killed"),
    ]);
}

#[test]
fn tmr_03_deadlines_decide_the_order() {
    check(&[
        ("new a", ""),
        ("a: timer third 30, timer first 10, timer second 20", ""),
        ("wait 100", "a: timer first, a: timer second, a: timer third"),
    ]);
}

#[test]
fn tmr_04_cancelling_says_what_was_left_and_nothing_arrives() {
    let world = check(&[
        ("new a", ""),
        ("a: timer x 100, left x", "a = 100 ms left"),
        ("wait 30", ""),
        ("a: left x, cancel x, cancel x, left x", "a = 70 ms left, a = 70 ms left, a = no timer, a = no timer"),
        ("wait 1000", ""),
        ("a: timer y 10, after z 10 a", ""),
        ("wait 10; a: cancel y, cancel z", "a: timer y, a: info z, a = no timer, a = no timer"),
        ("a: timer w 60000, cancel w", "a = 60000 ms left"),
    ]);
    assert!(world.timers.is_empty(), "what is cancelled is not waited for");
}

#[test]
fn tmr_04_a_timer_cancelled_while_it_rings_does_not_arrive() {
    let mut world = check(&[("new a", ""), ("a: timer x 100", "")]);
    world.now = std::time::Duration::from_millis(100);
    let (a, now) = (world.pid("a"), world.now);
    let mark = world.person(a).guest.marks["x"];
    // It is due and off the queue, but has not reached its process.
    assert_eq!(world.timers.pop_due(now), Some((a, mark)));
    let left = world.transition(a, |process, now, actions| process.cancel_timer(mark, now, actions));
    assert_eq!(left, Some(std::time::Duration::ZERO));
    world.settle();
    let _ = world.hand_over(super::world::Lane::Clock, a, crate::Signal::TimeUp { mark });
    world.settle();
    assert_eq!(world.trace(), "");
}

#[test]
fn tmr_07_whoever_knows_a_timer_can_ask_for_it_and_cancel_it() {
    let world = check(&[
        ("new a; new b", ""),
        ("a: timer x 100, after y 100 b", ""),
        ("wait 40", ""),
        ("b: left a.x, cancel a.x, cancel a.x, left a.x", "b = 60 ms left, b = 60 ms left, b = no timer, b = no timer"),
        ("b: cancel a.y; a: left y", "b = 60 ms left, a = no timer"),
        ("wait 1000", ""),
        ("a: timer z 10", ""),
        ("kill a; b: left a.z, cancel a.z", "a ends killed, b = no timer, b = no timer"),
    ]);
    assert!(world.timers.is_empty());
}

#[test]
fn tmr_09_a_timer_may_be_given_the_moment_instead_of_the_time() {
    check(&[
        ("new a", ""),
        ("wait 50", ""),
        ("a: timer-at x 70, left x, timer-at y 60, timer-at past 10", "a = 20 ms left"),
        ("wait 9", "a: timer past"),
        ("wait 1", "a: timer y"),
        ("wait 10", "a: timer x"),
    ]);
}

/// Everything as the shell does it, without guests: what is due is taken off the queue and delivered.
#[test]
fn tmr_10_ten_thousand_waits_that_end_at_once_all_end() {
    const MANY: u64 = 10_000;
    let at = Duration::from_millis(100);
    let mut queue = TimerQueue::new();
    let mut processes: Vec<Process> = (0..MANY).map(|id| waiting(id, at, &mut queue)).collect();
    assert!(queue.pop_due(at - Duration::from_nanos(1)).is_none());
    let mut woken = 0;
    while let Some((id, mark)) = queue.pop_due(at) {
        let process = &mut processes[usize::try_from(id).expect("a small number")];
        let delivery = process.deliver(Signal::TimeUp { mark }, at, &mut Vec::new());
        assert_eq!((delivery.outcome, delivery.wake), (Ok(()), true));
        assert_eq!(process.poll_receive(&mut Vec::new()), Received::Nothing);
        woken += 1;
    }
    assert_eq!(woken, MANY);
    assert!(processes.iter().all(|process| !process.is_blocked()));
}

/// A task that waits until then.
fn waiting(id: u64, at: Time, queue: &mut TimerQueue<(u64, Mark)>) -> Process {
    let birth = Birth::without_parent(Pid { node: 0, id, tag: 0 }, Kind::Task, Arc::default(), [id, 1]);
    let mut actions = Vec::new();
    let mut process = Process::new(birth, Duration::ZERO, &mut actions);
    let _ = process.begin_slice();
    assert_eq!(process.next_step(Duration::ZERO, &mut actions), Step::Init);
    process.begin_receive(Wanted::Any, Some(at), Duration::ZERO, &mut actions).expect("a task may receive");
    assert_eq!(process.poll_receive(&mut actions), Received::NotYet);
    let _ = process.end_slice();
    let [Action::StartTimer { mark, at }] = actions[..] else { panic!("a timer, and nothing else: {actions:?}") };
    queue.insert(at, (id, mark));
    process
}

#[test]
fn timers_end_with_their_process() {
    let world = check(&[
        ("new a hibernate=500; new b", ""),
        ("a: timer x 100, after y 100 b, request b 100 {say asked}, wait-for 100", "b says asked"),
        ("a: stop normal", "a terminates normal, a ends normal"),
        ("new t task init={receive 100}", ""),
        ("kill t", "t ends killed"),
        ("new i init={call b 100 {say asked}}", "b says asked"),
        ("kill i", "i ends killed"),
    ]);
    assert!(world.timers.is_empty(), "{:?}", world.timers);
}

#[test]
fn timers_beyond_the_limit_end_the_process() {
    check(&[
        ("new a timers=1; new b timers=1", ""),
        ("a: timer x 100, cancel x, timer y 100, timer z 100", "a = 100 ms left, a ends limit reached: timers"),
        ("b: timer x 1", ""),
        ("wait 1", "b: timer x"),
        ("b: timer y 1, say fine", "b says fine"),
    ]);
}

#[test]
fn bodies_of_timers_count_like_mail_that_waits() {
    let limits = Arc::new(Limits { mailbox_bytes: 100, timers: 9, ..Limits::default() });
    let birth = Birth::without_parent(Pid { node: 0, id: 1, tag: 0 }, Kind::Task, limits, [1, 1]);
    let mut process = Process::new(birth, Duration::ZERO, &mut Vec::new());
    let at = Duration::from_secs(1);
    let start =
        |process: &mut Process, bytes| process.start_timer(at, None, Body::Raw(vec![0; bytes]), &mut Vec::new());
    let first = start(&mut process, 60).expect("there is room");
    let second = start(&mut process, 40).expect("there is room");
    let full = Err(ExitReason::limit("mailbox_bytes, for the bodies of timers"));
    assert_eq!(start(&mut process, 1), full);
    start(&mut process, 0).expect("there is room for nothing");
    process.cancel_timer(first, Duration::ZERO, &mut Vec::new()).expect("it runs");
    start(&mut process, 60).expect("what was cancelled came back");
    assert_eq!(start(&mut process, 1), full);
    assert_eq!(process.deliver(Signal::TimeUp { mark: second }, at, &mut Vec::new()).outcome, Ok(()));
    start(&mut process, 40).expect("what has fired came back");
    assert_eq!(start(&mut process, 1), full);
}
