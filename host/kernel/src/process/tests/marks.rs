//! Marks: what tells a request, a monitor or a timer from all others, and proves to the host that one knows it.

use std::collections::BTreeSet;
use std::time::Duration;

use super::notation::check;
use crate::pid::NUMBER_LIMIT;
use crate::process::*;
use crate::{Action, Address, Body, CallError, Event, Next, Outcome, Signal};

#[test]
fn marks_stay_below_what_javascript_holds_and_differ() {
    let mut world = check(&[("new a; new b", "")]);
    let mut drawn = BTreeSet::new();
    for who in [world.pid("a"), world.pid("b")] {
        let process = &mut world.person(who).process;
        for _ in 0..1000 {
            let Mark(mark) = process.draw_mark();
            assert!(mark < NUMBER_LIMIT);
            assert!(drawn.insert(mark), "two processes or two requests share a mark");
        }
    }
    let largest = drawn.last().copied().unwrap_or_default();
    assert!(largest > NUMBER_LIMIT / 2, "marks are spread over all there is: {largest}");
}

#[test]
fn a_mark_in_use_is_not_drawn_again() {
    let mut world = check(&[("new a; new b", "")]);
    let (a, b) = (world.pid("a"), world.pid("b"));
    let process = &mut world.person(a).process;
    let mut actions = Vec::new();
    let first = process.marks_drawn;
    // What it has drawn is drawn once more, as if by chance.
    let call = process.begin_call(Callee::Pid(b), None, Waiting::AsEvent, &mut actions);
    process.marks_drawn = first;
    let timer = process.start_timer(Duration::MAX, None, Body::Raw(Vec::new()), &mut actions);
    process.marks_drawn = first;
    let monitor = process.monitor(Monitoring::of(Address::Pid(b)), Some(b), &mut actions);
    process.marks_drawn = first;
    let alias = process.alias(AliasMode::Reply);
    process.marks_drawn = first;
    let other = process.draw_mark();
    let all = [call.ok(), timer.ok(), monitor.ok(), alias.ok(), Some(other)];
    assert_eq!(all.iter().flatten().collect::<BTreeSet<_>>().len(), 5, "{all:?}");
}

#[test]
fn what_a_process_does_not_wait_for_it_is_told_at_once() {
    let mut world = check(&[("new a; new b", "")]);
    let (a, b) = (world.pid("a"), world.pid("b"));
    let process = &mut world.person(a).process;
    let refused = Some(Err(CallError::Refused("no such call".into())));
    assert_eq!(process.poll_call(Mark(1)), refused);
    assert_eq!(process.poll_receive(&mut Vec::new()), Received::Nothing);
    let call = process.begin_call(Callee::Pid(b), None, Waiting::Blocking, &mut Vec::new()).expect("a call");
    assert_eq!(process.poll_call(call), None);
    assert_eq!(process.poll_call(Mark(call.0 ^ 1)), refused);
    assert!(matches!(process.poll_spawn(call), Some(Err(crate::SpawnError::Refused(_)))));

    let process = &mut world.person(b).process;
    let spawn = process.begin_spawn(a, false, None, Waiting::Blocking).expect("a spawn").0;
    assert_eq!(process.poll_spawn(spawn), None);
    assert!(matches!(process.poll_spawn(Mark(spawn.0 ^ 1)), Some(Err(crate::SpawnError::Refused(_)))));
}

#[test]
fn the_answer_of_an_abandoned_call_is_not_taken_for_that_of_the_next() {
    // The async code of an embedding program may be dropped in the middle of a call.
    let mut world = check(&[("new a; new b; new c", "")]);
    let (a, b, c) = (world.pid("a"), world.pid("b"), world.pid("c"));
    let process = &mut world.person(a).process;
    let mut actions = Vec::new();
    let mut answer = |process: &mut Process, mark, by: Pid| {
        let outcome = Ok(Body::Text(by.to_string()));
        let _ = process.deliver(Signal::Answer { mark, by, outcome }, Duration::ZERO, &mut actions);
    };
    let first = process.begin_call(Callee::Pid(b), None, Waiting::Blocking, &mut Vec::new()).expect("a call");
    let second = process.begin_call(Callee::Pid(c), None, Waiting::Blocking, &mut Vec::new()).expect("a call");
    answer(process, first, b);
    assert_eq!((process.poll_call(second), process.mailbox().len()), (None, 1));
    answer(process, second, c);
    assert_eq!(process.poll_call(second), Some(Ok(Body::Text(c.to_string()))));

    let first = process.begin_spawn(b, false, None, Waiting::Blocking).expect("a spawn").0;
    let second = process.begin_spawn(c, false, None, Waiting::Blocking).expect("a spawn").0;
    let mut started = |process: &mut Process, mark, outcome| {
        let _ = process.deliver(Signal::Started { mark, outcome }, Duration::ZERO, &mut actions);
    };
    started(process, first, Ok(b));
    assert_eq!((process.poll_spawn(second), process.mailbox().len()), (None, 2));
    started(process, second, Ok(c));
    assert_eq!(process.poll_spawn(second), Some(Ok(c)));
}

#[test]
fn mail_does_not_wake_who_waits_for_an_answer() {
    let mut world =
        check(&[("new a; new b; new t task init={receive 50}", ""), ("a: call b - {say asked}", "b says asked")]);
    let info = || Signal::Message(Event::Info(Body::Text("mail".into())));
    let wakes = ["a", "b", "t"].map(|who| {
        let who = world.pid(who);
        world.person(who).process.deliver(info(), Duration::ZERO, &mut Vec::new()).wake
    });
    assert_eq!(wakes, [false, true, true]);
}

#[test]
fn a_timer_that_is_not_the_receives_own_does_not_end_it() {
    let mut world = check(&[("new t task init={receive 50}", "")]);
    let t = world.pid("t");
    let stale = Signal::TimeUp { mark: Mark(1) };
    assert!(!world.person(t).process.deliver(stale, Duration::ZERO, &mut Vec::new()).wake);
    assert_eq!(world.person(t).process.poll_receive(&mut Vec::new()), Received::NotYet);
}

#[test]
fn whatever_a_process_means_to_do_is_work_for_its_next_turn() {
    type Plan = fn(&mut Process);
    let ways: [(&str, Plan); 4] = [
        ("nothing", |_| {}),
        ("stop", |process| process.failed(ExitReason::failed("bad"))),
        ("continue", |process| {
            let outcome = Outcome { reply: None, next: Next::Continue(Body::Raw(Vec::new())) };
            process.handled(outcome, Duration::ZERO, &mut Vec::new());
        }),
        ("idle", |process| {
            let mut actions = Vec::new();
            process.handled(Outcome { reply: None, next: Next::WaitFor(5) }, Duration::ZERO, &mut actions);
            let Some(Action::StartTimer { mark, .. }) = actions.pop() else { panic!("no timer") };
            let _ = process.deliver(Signal::TimeUp { mark }, Duration::from_millis(5), &mut actions);
        }),
    ];
    for (way, plan) in ways {
        let mut world = check(&[("new a", "")]);
        let a = world.pid("a");
        plan(&mut world.person(a).process);
        let expected = if way == "nothing" { Turn::Nothing } else { Turn::Run };
        assert_eq!(world.person(a).process.begin_slice(), expected, "{way}");
    }
}

#[test]
fn a_process_shows_its_bounds_and_what_it_is_doing() {
    let mut world = check(&[
        ("new t task timers=7 init={receive -}; new s; new b", ""),
        ("s: call b - {say asked}", "b says asked"),
        ("new i init={call b - {say asked}}", "b says asked"),
        ("new e terminate={call b - {say asked}}", ""),
        ("e: stop normal", "e terminates normal, b says asked"),
    ]);
    let t = world.pid("t");
    assert_eq!(world.person(t).process.limits().timers, 7);
    let shown = ["t", "s", "b", "i", "e"].map(|who| {
        let who = world.pid(who);
        let process = &world.person(who).process;
        (process.status(), process.handling())
    });
    let expected = [
        ("blocked", None),
        ("blocked", Some("cast")),
        ("waiting", None),
        ("starting", Some("init")),
        ("stopping", Some("terminate")),
    ];
    assert_eq!(shown, expected);
    world.run("s: say never; b: link t, link i, timer x 10, timer y 10");
    let (b, t, i) = (world.pid("b"), world.pid("t"), world.pid("i"));
    let b = &world.person(b).process;
    assert_eq!((b.links().collect::<Vec<_>>(), b.timers_running()), (vec![t, i], 2));
}

#[test]
fn a_call_is_open_until_it_is_answered_or_out_of_time() {
    let mut world = check(&[("new a; new b", "")]);
    let (a, b) = (world.pid("a"), world.pid("b"));
    let process = &mut world.person(a).process;
    let at = Some(Duration::from_secs(1));
    let [answered, late] =
        [(); 2].map(|()| process.begin_call(Callee::Pid(b), at, Waiting::AsEvent, &mut Vec::new()).expect("a call"));
    assert!(process.is_open(answered) && process.is_open(late) && !process.is_open(Mark(answered.0 ^ 1)));
    let answer = Signal::Answer { mark: answered, by: b, outcome: Ok(Body::Raw(Vec::new())) };
    let _ = process.deliver(answer, Duration::ZERO, &mut Vec::new());
    assert!(!process.is_open(answered) && process.is_open(late));
    let _ = process.deliver(Signal::TimeUp { mark: late }, Duration::from_secs(1), &mut Vec::new());
    assert!(!process.is_open(late));
}
