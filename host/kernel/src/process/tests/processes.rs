//! Order, ends and what follows an end (PROC), and what becomes of the mailbox (MBX).

use super::notation::check;
use super::world::Seen;
use crate::process::delivery::Effect;
use crate::process::*;
use crate::{Action, Event, Signal};

#[test]
fn proc_01_what_follows_an_exit_signal_is_never_handled() {
    check(&[
        ("new a; new b", ""),
        ("a: send b one, send b two, exit b boom, send b three, cast b four", "b ends boom"),
        // Where the exit signal is itself a message, all are handled, in order.
        ("new c init={trap on}", ""),
        (
            "a: send c one, cast c two, exit c boom, send c three",
            "c: info one, c: cast two, c: exit a boom, c: info three",
        ),
    ]);
}

#[test]
fn proc_01_order_holds_across_all_kinds_of_signals() {
    check(&[
        ("new t init={trap on}; new b", ""),
        // The unlink is before the end, so the end is not heard; the monitor is, and is told.
        ("t: link b, monitor b", ""),
        (
            "b: send t one, unlink t, send t two, stop boom",
            "b terminates boom, b ends boom, t: info one, t: info two, t: down b boom",
        ),
        ("new c", ""),
        ("t: monitor c, demonitor c; c: stop boom", "t = demonitored, c terminates boom, c ends boom"),
    ]);
}

#[test]
fn proc_03_sending_to_the_dead_raises_nothing() {
    check(&[
        ("new a; new d", ""),
        ("kill d", "d ends killed"),
        ("a: send d hello, cast d hello, exit d boom, kill d, unlink d, say fine", "a says fine"),
    ]);
}

#[test]
fn proc_03_only_a_send_is_told_of_a_full_mailbox_and_nobody_waits() {
    let mut world = check(&[
        ("new a; new b mailbox=1 body=9", ""),
        ("a: send b one, send b two, cast b three, say fine", "a = error MailboxFull, a says fine, b: info one"),
        (
            "a: send b 0123456789, call b - 0123456789",
            "a = error TooLarge, a = error refused: body larger than the receiver takes",
        ),
        ("a: send b one, call b - two", "a = error refused: mailbox full, b: info one"),
    ]);
    let b = world.pid("b");
    assert_eq!(world.person(b).process.mailbox().dropped(), 1);
}

#[test]
fn other_bounds_count_from_then_on_and_take_nothing_away() {
    check(&[
        ("new a; new s; new b mailbox=2", ""),
        ("b: call s 50 {say busy}", "s says busy"),
        ("a: send b one, send b two, send b three", "a = error MailboxFull"),
        ("limit b mailbox=3; a: send b three, send b four", "a = error MailboxFull"),
        ("limit b mailbox=1; a: send b four", "a = error MailboxFull"),
        ("wait 50", "b = error timeout, b: info one, b: info two, b: info three"),
        ("a: send b one, send b two", "a = error MailboxFull, b: info one"),
        ("limit b body=2; a: send b one, send b 2", "a = error TooLarge, b: info 2"),
        ("new t timers=2", ""),
        ("t: timer x 100, timer y 100", ""),
        ("limit t timers=1; t: timer z 100", "t ends limit reached: timers"),
    ]);
}

#[test]
fn proc_05_the_first_of_two_exit_signals_decides() {
    check(&[
        ("new b", ""),
        ("exit b first; exit b second", "b ends first"),
        ("new c", ""),
        ("kill c; exit c second", "c ends killed"),
        ("new d", ""),
        ("exit d first; kill d", "d ends first"),
    ]);
}

#[test]
fn proc_06_after_an_exit_signal_the_answer_to_is_it_alive_is_no() {
    check(&[
        ("new a; new b", ""),
        ("a: alive b, kill b, alive b", "a = alive, b ends killed, a = dead"),
        ("a: alive b", "a = dead"),
        ("new c", ""),
        ("a: exit c normal, alive c, exit c boom, alive c", "a = alive, c ends boom, a = dead"),
        // One that is in the middle of its end is alive, as it still acts.
        ("new d terminate={call a 50 {say asked}}; new e", ""),
        ("d: stop normal; e: alive d", "d terminates normal, e = alive, a says asked"),
    ]);
}

#[test]
fn proc_09_who_is_told_that_a_process_is_dead_finds_its_name_free() {
    check(&[
        ("new a; new b", ""),
        ("b: register n", "b = named"),
        ("a: kill b, alive b, register n", "b ends killed, a = dead, a = named"),
        // Asked first, and doomed meanwhile.
        ("new c; new d", ""),
        ("c: register m", "c = named"),
        ("d: alive c, kill c, alive c, register m", "d = alive, c ends killed, d = dead, d = named"),
        // Who asks and ends leaves nothing.
        ("new e; new f", ""),
        ("f: kill e, alive e; kill f", "f ends killed"),
    ]);
}

#[test]
fn proc_06_what_comes_behind_an_exit_signal_finds_nobody() {
    check(&[
        ("new a; new b; new c", ""),
        (
            "a: monitor b, kill b, monitor b, call b - hello, say fine",
            "b ends killed, a = error ended noproc, a says fine, a: down b killed, a: down b noproc",
        ),
        (
            "a: exit c normal, monitor c, exit c boom, monitor c, say fine",
            "a says fine, c ends boom, a: down c boom, a: down c noproc",
        ),
    ]);
}

#[test]
fn proc_06_the_doomed_takes_no_name() {
    let mut world = check(&[("new b", "")]);
    let b = &mut world.person(world.labels["b"]).process;
    let _ = b.deliver(Signal::Kill, Time::ZERO, &mut Vec::new());
    assert_eq!(b.doom(), Some(&ExitReason::Killed));
    assert_eq!(b.take_name("late".into()), Err(crate::Refusal::Unknown("noproc".into())));
}

#[test]
fn proc_07_each_way_to_end_has_its_reason() {
    check(&[
        ("new p init={trap on}", ""),
        ("p: spawn a task link init={say done}", "a says done, a ends normal, p = child a, p: exit a normal"),
        ("p: spawn b task link init={stop boom}", "b ends boom, p = child b, p: exit b boom"),
        (
            "p: spawn c task link init={crash unreachable}",
            "c ends trap: unreachable, p = child c, p: exit c trap: unreachable",
        ),
        ("p: spawn d link", "p = child d"),
        ("d: crash unreachable", "d ends trap: unreachable, p: exit d trap: unreachable"),
        ("p: spawn e link", "p = child e"),
        ("e: fail bad", "e terminates bad, e ends bad, p: exit e bad"),
        ("p: spawn f link", "p = child f"),
        ("f: stop shutdown+", "f terminates shutdown: why, f ends shutdown: why, p: exit f shutdown: why"),
        ("p: spawn g link terminate={fail worse}", "p = child g"),
        ("g: stop normal", "g terminates normal, g ends worse, p: exit g worse"),
    ]);
}

#[test]
fn proc_09_a_name_is_free_before_anybody_hears_of_the_end() {
    check(&[
        ("new w init={trap on}; new v", ""),
        ("v: register n, link w; w: monitor v", "v = named"),
        ("kill v; w: ", "v ends killed, w: exit v killed, w: down v killed"),
        ("w: register n", "w = named"),
    ]);
    // First the name and the table, and only when that is done the rest.
    let mut world = check(&[("new w; new v", ""), ("v: register n, link w; w: monitor v", "v = named")]);
    let v = &mut world.person(world.labels["v"]).process;
    let mut actions = Vec::new();
    v.vanish(&ExitReason::Killed, &mut actions);
    assert_eq!(actions, [Action::ReleaseName("n".into()), Action::Remove]);
    actions.clear();
    v.exit(&ExitReason::Killed, &mut actions);
    assert!(actions.iter().all(|action| matches!(action, Action::Deliver { .. })));
    assert_eq!(actions.len(), 2);
}

#[test]
fn proc_09_who_asks_for_a_process_that_ends_is_answered_when_its_name_is_free() {
    let mut world = check(&[("new w; new v", ""), ("v: register n", "v = named")]);
    let (w, v) = (world.pid("w"), world.pid("v"));
    let v = &mut world.person(v).process;
    let mut actions = Vec::new();
    v.vanish(&ExitReason::Killed, &mut actions);
    // Its name may still be found: "no such process" would be no true answer.
    let monitor = Signal::Monitor { from: w, mark: crate::Mark(1) };
    assert_eq!(v.deliver(monitor, Time::ZERO, &mut actions).outcome, Ok(()));
    assert_eq!(v.deliver(Signal::Link { from: w }, Time::ZERO, &mut actions).outcome, Ok(()));
    assert_eq!(v.take_name("another".into()), Err(crate::Refusal::Unknown("noproc".into())));
    actions.clear();
    v.exit(&ExitReason::Killed, &mut actions);
    let exit = Signal::LinkExit { from: v.pid(), reason: ExitReason::Killed };
    let down = Signal::Down { mark: crate::Mark(1), reason: ExitReason::Noproc };
    assert_eq!(actions, [Action::Deliver { to: w, signal: exit }, Action::Deliver { to: w, signal: down }]);
    v.vanish(&ExitReason::Normal, &mut actions);
    assert_eq!(actions.len(), 2, "an end begins once");
}

#[test]
fn proc_10_no_guest_code_runs_after_a_kill() {
    check(&[
        ("new a terminate={say cleanup}; new b", ""),
        ("a: trap on, send b before, kill a, send b after, say never", "a ends killed, b: info before"),
        // In the middle of `terminate` too.
        ("new c terminate={say begin, kill c, say never}", ""),
        ("c: stop normal", "c terminates normal, c says begin, c ends killed"),
    ]);
}

#[test]
fn proc_10_a_gone_process_has_nothing_to_do_and_takes_nothing_in() {
    let mut world = check(&[("new a", "")]);
    let a = &mut world.person(world.labels["a"]).process;
    a.failed(ExitReason::failed("a plan that is never carried out"));
    let mut actions = Vec::new();
    a.exit(&ExitReason::Killed, &mut actions);
    assert_eq!(a.begin_slice(), Turn::Nothing);
    assert_eq!(a.end_slice(), SliceEnd::Waiting);
    let delivery = a.deliver(Signal::Message(Event::Info(crate::Body::Text("late".into()))), Time::ZERO, &mut actions);
    assert_eq!((delivery.outcome, delivery.wake), (Err(crate::signal::Undelivered::Gone), false));
    let room = crate::mailbox::Reservation { messages: 1, bytes: 4 };
    assert_eq!(a.reserve(room), None);
    let mut events = vec![Event::Info(crate::Body::Text("late".into()))];
    let delivery = a.deliver_reserved(&mut events, room);
    assert_eq!((delivery.outcome, delivery.wake, events), (Err(crate::signal::Undelivered::Gone), false, Vec::new()));
    actions.clear();
    a.exit(&ExitReason::Normal, &mut actions);
    assert_eq!(actions, [], "an end is told once");
}

#[test]
fn mbx_01_a_selective_receive_leaves_the_rest_in_place() {
    check(&[
        (
            "new t task init={timer x 10, timer y 20, pick y -, receive -, receive -, receive -}; info t one; info t two",
            "",
        ),
        ("wait 15", ""),
        ("wait 10", "t: timer y, t: info one, t: info two, t: timer x, t ends normal"),
    ]);
}

#[test]
fn mbx_01_a_receive_by_choice_takes_the_oldest_match_and_leaves_the_rest_in_place() {
    check(&[
        (
            "new t task init={timer x 10, choose two -, say on, choose five -, receive -, receive -, receive -, receive -}",
            "",
        ),
        ("info t one", ""),
        ("info t two; info t two; wait 10", "t: info two, t says on"),
        ("info t four; info t five", "t: info five, t: info one, t: info two, t: timer x, t: info four, t ends normal"),
        // The time is that of the whole search, whatever comes meanwhile; with none, the mailbox is gone through once.
        ("new u task init={choose x 50, say late, choose one 0, choose one 0, receive 0, receive 0}", ""),
        ("info u one; wait 30; info u two; wait 19", ""),
        ("wait 1", "u = nothing, u says late, u: info one, u = nothing, u: info two, u = nothing, u ends normal"),
    ]);
}

#[test]
fn mbx_01_what_a_receive_passes_over_wakes_nobody() {
    let mut world = check(&[("new t task init={timer x 10, pick x -}; new u task init={choose x -}", "")]);
    let info = || Signal::Message(Event::Info(crate::Body::Text("mail".into())));
    let wakes = ["t", "u"].map(|who| {
        let who = world.pid(who);
        world.person(who).process.deliver(info(), Time::ZERO, &mut Vec::new()).wake
    });
    assert_eq!(wakes, [false, true]);
    let t = world.pid("t");
    let mark = world.person(t).guest.marks["x"];
    assert!(world.person(t).process.deliver(Signal::TimeUp { mark }, Time::ZERO, &mut Vec::new()).wake);
}

#[test]
fn what_was_seen_and_is_not_there_any_more_cannot_be_taken() {
    let mut world = check(&[("new t task init={choose x -}; new s; info t one", "")]);
    let (t, s) = (world.pid("t"), world.pid("s"));
    let process = &mut world.person(t).process;
    assert_eq!((process.take_seen(1), process.take_seen(0), process.take_seen(0)), (false, true, false));
    let process = &mut world.person(s).process;
    process.mailbox.push(Event::Idle);
    assert!(!process.take_seen(0), "a server is handed its events");
}

#[test]
fn mbx_02_a_receive_with_no_time_looks_once() {
    check(&[
        ("new t task init={receive 0, receive -, say on, receive 0, receive 0}", "t = nothing"),
        ("info t one; info t two", "t: info one, t says on, t: info two, t = nothing, t ends normal"),
        (
            "new u task init={timer x 1000, pick x 0, say left in place, receive 0}; info u one",
            "u = nothing, u says left in place, u: info one, u ends normal",
        ),
    ]);
}

#[test]
fn a_receive_ends_with_the_first_event_or_with_its_time() {
    let world = check(&[
        ("new t task init={receive 50, receive 50, say end, receive -}", ""),
        ("wait 49", ""),
        ("info t one", "t: info one"),
        ("wait 49", ""),
        ("wait 1", "t = nothing, t says end"),
    ]);
    assert!(world.timers.is_empty(), "a receive that is over keeps no timer");
}

#[test]
fn only_tasks_receive() {
    check(&[("new s", ""), ("s: receive -", "s ends receive is for tasks: a server is handed its events")]);
}

#[test]
fn mbx_06_the_mailbox_dies_with_the_process() {
    let mut world = check(&[
        ("new a; new p init={trap on}", ""),
        ("p: spawn b name=n", "p = child b"),
        ("a: send b one, kill b, send b two", "b ends killed"),
        ("p: spawn c name=n", "p = child c"),
        ("a: send @n three", "c: info three"),
    ]);
    let b = world.pid("b");
    assert!(world.person(b).process.mailbox().is_empty());
    assert!(!world.seen.iter().any(|sight| sight.who == b && matches!(sight.what, Seen::Event(_))));
}

#[test]
fn a_receive_by_marks_wakes_for_each_of_them_in_whatever_order_they_were_given() {
    let mut world = check(&[("new t task init={timer x 10, timer y 20, timer z 30, receive -}", "")]);
    let t = world.pid("t");
    let marks: Vec<crate::Mark> = world.people[&t].guest.marks.values().copied().collect();
    let process = &mut world.person(t).process;
    for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2], [1, 2, 0], [0, 2, 1], [2, 0, 1]] {
        let given = order.map(|place: usize| marks[place]).to_vec();
        process.begin_receive(Wanted::Marked(given), None, Time::ZERO, &mut Vec::new()).expect("a task may");
        for &mark in &marks {
            let event = Event::Timer { mark, body: crate::Body::Raw(Vec::new()) };
            assert!(process.effect_of(&event) == Effect::Stir, "{order:?}");
        }
        let other = Event::Timer { mark: crate::Mark(marks[0].0 ^ 1), body: crate::Body::Raw(Vec::new()) };
        assert!(process.effect_of(&other) == Effect::Quiet);
    }
}

#[test]
fn who_keeps_making_pids_up_is_ended() {
    let birth = Birth::without_parent(Pid { node: 0, id: 1, tag: 1 }, Kind::Server, Arc::default(), [1, 2]);
    let mut process = Process::new(birth, Time::ZERO, &mut Vec::new());
    for _ in 0..relations::MADE_UP {
        assert_eq!(process.misaddressed(), Ok(()));
    }
    let limit = Err(ExitReason::limit("pids that were never given"));
    for _ in 0..100_000 {
        assert_eq!(process.misaddressed(), limit, "it does not begin anew");
    }
}
