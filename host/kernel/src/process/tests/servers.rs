//! What gen_server promises: starting, calling, replying, continuing, stopping (GS).

use super::notation::check;
use crate::{Action, ExitReason, Signal, SpawnError};

#[test]
fn gs_01_a_start_is_told_when_init_is_over_and_how() {
    check(&[
        ("new p", ""),
        ("p: spawn a init={say init}, say on", "a says init, p = child a, p says on"),
        ("p: spawn b init={stop boom}", "b ends boom, p = error failed boom"),
        ("p: spawn c init={ignore}", "c ends normal, p = error ignored"),
        ("p: spawn d init={crash unreachable}", "d ends trap: unreachable, p = error failed trap: unreachable"),
        ("p: spawn e init={fail bad}", "e ends bad, p = error failed bad"),
        ("p: spawn f init={exit f boom, say never}", "f ends boom, p = error failed boom"),
        ("p: spawn g init={kill g, say never}", "g ends killed, p = error failed killed"),
        ("p: spawn h init={stop normal} as-event", "h ends normal, p: started error failed normal"),
        ("p: spawn i as-event, say on", "p says on, p: started child i"),
    ]);
}

#[test]
fn gs_01_an_init_that_takes_too_long_is_ended_and_its_starter_told_so() {
    let world = check(&[
        ("new p; new q", ""),
        ("p: spawn a init={call q - {say asked}}", "q says asked"),
        ("wait 29999", ""),
        ("wait 1", "a ends limit reached: time, p = error failed limit reached: time"),
        ("p: spawn b init={call q 29999 {say asked}}", "q says asked"),
        ("wait 29999", "b = error timeout, p = child b"),
        ("wait 100000", ""),
        ("info b still here", "b: info still here"),
    ]);
    assert!(world.timers.is_empty());
}

#[test]
fn gs_02_a_failed_start_leaves_no_exit_and_no_down() {
    for (init, why) in [("stop boom", "failed boom"), ("crash x", "failed trap: x"), ("ignore", "ignored")] {
        let mut world = check(&[("new p init={trap on}", "")]);
        let script = format!("p: spawn a link monitor init={{link p, {init}}}, say on");
        world.run(&script);
        let trace = world.trace();
        assert!(trace.ends_with(&format!("p = error {why}, p says on")), "{trace}");
    }
    check(&[
        ("new p init={trap on}; new q init={trap on}", ""),
        // Others who came to know of it are told as ever.
        ("p: spawn a link init={link q, stop boom}", "a ends boom, p = error failed boom, q: exit a boom"),
        ("p: spawn b link init={say up}", "b says up, p = child b"),
        ("kill b", "b ends killed, p: exit b killed"),
    ]);
}

#[test]
fn gs_02_a_failed_start_tells_its_starter_one_thing() {
    let mut world = check(&[("new p; new q", "")]);
    world.run("p: spawn a link monitor init={call q - {say asked}}");
    let (p, a) = (world.pid("p"), world.pid("a"));
    let mut actions = Vec::new();
    world.person(a).process.exit(&ExitReason::Killed, &mut actions);
    let told: Vec<&Signal> = actions
        .iter()
        .filter_map(|action| match action {
            Action::Deliver { to, signal } if *to == p => Some(signal),
            _ => None,
        })
        .collect();
    assert!(
        matches!(told[..], [Signal::Started { outcome: Err(SpawnError::Failed(ExitReason::Killed)), .. }]),
        "{told:?}"
    );
}

#[test]
fn gs_02_a_starter_that_asked_something_of_the_failed_process_is_answered() {
    check(&[
        ("new p; new q", ""),
        // `a` waits in its `init`, so its starter can find it by name, ask, and set another monitor.
        (
            "p: spawn a name=n as-event monitor init={call q - {say asked}, stop boom}, request @n - hello, monitor @n",
            "q says asked",
        ),
        (
            "q: answer q go",
            "a = go, a ends boom, p: started error failed boom, p: answer error ended boom, p: down @n boom",
        ),
    ]);
}

#[test]
fn gs_03_the_caller_gives_up_and_the_server_performs_the_request() {
    let world = check(&[
        ("new a; new b; new c", ""),
        ("b: call c - {say asked}", "c says asked"),
        ("a: call b 5000 {say performed}, say on", ""),
        ("wait 4999", ""),
        ("wait 1", "a = error timeout, a says on"),
        ("c: answer c go", "b = go, b says performed"),
    ]);
    assert!(world.timers.is_empty());
}

#[test]
fn gs_04_a_late_reply_goes_nowhere() {
    let world = check(&[
        ("new a; new b", ""),
        ("a: call b 100 {say asked}", "b says asked"),
        ("wait 100", "a = error timeout"),
        ("b: answer b late, say answered", "b says answered"),
        ("info a next", "a: info next"),
        ("a: request b 100 {say asked}", "b says asked"),
        ("wait 100", "a: answer error timeout"),
        ("b: answer b late", ""),
        // Nor does the callee's end reach a caller that has given up.
        ("a: call b 100 {say asked}", "b says asked"),
        ("wait 100; kill b", "a = error timeout, b ends killed"),
    ]);
    assert!(world.timers.is_empty());
}

#[test]
fn gs_04_a_second_reply_goes_nowhere() {
    let mut world = check(&[("new a; new b", ""), ("a: request b - {say asked}", "b says asked")]);
    let again = world.owed[&world.labels["b"]].clone();
    world.run("b: answer b one");
    assert_eq!(world.trace(), "a: answer one");
    world.owed.insert(world.labels["b"], again);
    world.run("b: answer b two; info a next");
    assert_eq!(world.trace(), "a: info next");
}

#[test]
fn gs_06_the_callers_of_a_server_that_ends_are_told_at_once() {
    let world = check(&[
        ("new a; new b; new c; new s", ""),
        ("a: call s 5000 {say first}; b: request s - {say second}", "s says first, s says second"),
        (
            "c: call s - {crash unreachable}",
            "s ends trap: unreachable, a = error ended trap: unreachable, b: answer error ended trap: unreachable, c = error ended trap: unreachable",
        ),
        ("a: call s - hello, call @nobody - hello", "a = error ended noproc, a = error ended noproc"),
        ("a: request s - hello, request @nobody - hello", "a: answer error ended noproc, a: answer error ended noproc"),
        (
            "a: call a - hello, request a - hello",
            "a = error refused: a process cannot call itself, a: answer error refused: a process cannot call itself",
        ),
    ]);
    assert!(world.timers.is_empty(), "a call that is over keeps no timer");
}

#[test]
fn gs_06_a_call_still_in_the_mailbox_is_answered_too() {
    check(&[
        ("new a; new s", ""),
        ("kill s; a: call s - hello", "s ends killed, a = error ended noproc"),
        ("new t", ""),
        ("a: request t - hello, kill t", "t ends killed, a: answer error ended killed"),
    ]);
}

#[test]
fn a_caller_that_ends_is_forgotten() {
    let world = check(&[
        ("new a; new s", ""),
        ("a: call s 5000 {say asked}", "s says asked"),
        ("kill a", "a ends killed"),
        ("s: answer s late, say fine", "s says fine"),
    ]);
    assert!(world.timers.is_empty());
}

#[test]
fn requests_beyond_the_limit_are_refused() {
    check(&[
        ("new a requests=1; new s", ""),
        (
            "a: request s - {say asked}, request s - two, call s - three",
            "a = error refused: too many requests without an answer, a: answer error refused: too many requests without an answer, s says asked",
        ),
        ("s: answer s one", "a: answer one"),
        ("a: call s - four", "s: call four, a = re four"),
    ]);
}

#[test]
fn gs_07_a_cast_always_succeeds() {
    check(&[
        ("new a; new d; new b", ""),
        ("kill d", "d ends killed"),
        ("a: cast d one, cast @nobody two, cast b three, say fine", "a says fine, b: cast three"),
    ]);
}

#[test]
fn gs_08_a_reply_may_come_later_and_from_another() {
    check(&[
        ("new a; new b; new s; new h", ""),
        ("a: call s - {say first}; b: call s - second", "s says first, s: call second, b = re second"),
        ("h: answer s from another", "a = from another"),
        ("a: call s - {reply at once}", "a = at once"),
        // Whoever was asked need not tell of its end any more.
        ("a: request s - {say third}", "s says third"),
        ("h: answer s done", "a: answer done"),
        ("kill s", "s ends killed"),
    ]);
}

#[test]
fn a_forged_reply_goes_nowhere() {
    let mut world = check(&[("new a; new s; new f", ""), ("a: call s - {say asked}", "s says asked")]);
    let (a, f) = (world.pid("a"), world.pid("f"));
    let forged = std::collections::VecDeque::from([crate::Caller { pid: a, mark: crate::Mark(7) }]);
    world.owed.insert(f, forged);
    world.run("f: answer f forged");
    assert_eq!(world.trace(), "");
    world.run("s: answer s real");
    assert_eq!(world.trace(), "a = real");
}

#[test]
fn gs_12_an_exit_signal_of_the_parent_is_an_order_to_those_who_trap() {
    check(&[
        ("new p init={trap on}; new q", ""),
        ("p: spawn a link init={trap on} terminate={say cleanup}", "p = child a"),
        ("q: exit a shutdown", "a: exit q shutdown"),
        ("p: exit a shutdown", "a terminates shutdown, a says cleanup, a ends shutdown, p: exit a shutdown"),
        ("p: spawn b link terminate={say cleanup}", "p = child b"),
        ("p: exit b shutdown", "b ends shutdown, p: exit b shutdown"),
        (
            "p: spawn c link init={trap on}, spawn d link, spawn e init={trap on}",
            "p = child c, p = child d, p = child e",
        ),
        ("p: stop boom", "p terminates boom, p ends boom, c terminates boom, c ends boom, d ends boom"),
        ("info e still here", "e: info still here"),
    ]);
}

#[test]
fn gs_12_even_a_normal_end_of_the_parent_is_an_order() {
    check(&[
        ("new p", ""),
        ("p: spawn a link init={trap on}, spawn b link", "p = child a, p = child b"),
        ("p: stop normal", "p terminates normal, p ends normal, a terminates normal, a ends normal"),
        ("info b still here", "b: info still here"),
    ]);
}

#[test]
fn gs_12_a_task_is_handed_its_parents_exit_like_any_event() {
    check(&[
        ("new p", ""),
        ("p: spawn t task link init={trap on, receive -, say on}", "p = child t"),
        ("p: exit t shutdown", "t: exit p shutdown, t says on, t ends normal"),
    ]);
}

#[test]
fn gs_15_a_continue_comes_before_all_mail() {
    check(&[
        ("new p; new q", ""),
        (
            "p: spawn a name=n init={call q - {say asked}, continue {say continued, continue {say again}}}",
            "q says asked",
        ),
        ("q: send @n early", ""),
        ("q: answer q go", "a = go, a says continued, a says again, a: info early, p = child a"),
        ("q: send @n {say first, continue second}, send @n third", "a says first, a: continue second, a: info third"),
    ]);
}

#[test]
fn gs_16_idleness_is_told_after_its_time_unless_something_comes() {
    let world = check(&[
        ("new a init={wait-for 300}", ""),
        ("wait 299", ""),
        ("wait 1", "a: idle"),
        ("wait 1000", ""),
        ("a: wait-for 300", ""),
        ("wait 200", ""),
        ("info a something", "a: info something"),
        ("wait 1000", ""),
        ("a: wait-for 300", ""),
        ("wait 200", ""),
        ("a: wait-for 300", ""),
        ("wait 299", ""),
        ("wait 1", "a: idle"),
        ("a: wait-for 0", ""),
        ("wait 0", "a: idle"),
    ]);
    assert!(world.timers.is_empty());
}

#[test]
fn gs_16_a_message_that_came_before_idleness_was_told_wins() {
    let mut world = check(&[("new a", ""), ("a: wait-for 300", "")]);
    // Both have come before anybody runs.
    world.now = std::time::Duration::from_millis(300);
    world.ring();
    world.run("info a something");
    assert_eq!(world.trace(), "a: info something");
    world.run("wait 1000");
    assert_eq!(world.trace(), "");
}

#[test]
fn gs_10_a_failed_handler_runs_terminate_and_a_trap_does_not() {
    check(&[
        ("new a terminate={say cleanup}; new b terminate={say cleanup}; new c", ""),
        (
            "c: request a - {fail bad}; c: request b - {crash x}",
            "a terminates bad, a says cleanup, a ends bad, b ends trap: x, c: answer error ended bad, c: answer error ended trap: x",
        ),
    ]);
}

#[test]
fn several_events_in_one_crossing_are_handled_as_one_by_one() {
    check(&[
        ("new p init={trap on}; new c", ""),
        ("p: spawn s link init={trap on}", "p = child s"),
        (
            "c: request s - {say one, more, say four, more, more}, request s - two, send s three",
            "s says one, s: call two, s says four, s: info three, c: answer re two",
        ),
        // It waits inside; what it owes it owes on.
        ("c: send s six", "s: info six"),
        ("c: answer s one", "c: answer one"),
        // The parent's order is never handed over: it ends the crossing.
        ("new d", ""),
        (
            "c: send s {more, say on, more}, send s five; p: exit s shutdown; d: send s never",
            "s: info five, s says on, s = no more, s terminates shutdown, s ends shutdown, p: exit s shutdown",
        ),
    ]);
}

#[test]
fn only_a_server_with_an_instance_to_keep_takes_several_events_in_one_crossing() {
    check(&[
        ("new t task init={more}; new s hibernate=0", "t = no more, t ends normal, s sleeps"),
        ("s: more; info s one", "s wakes, s = no more, s: info one, s sleeps"),
    ]);
}

#[test]
fn a_native_process_is_told_of_its_parents_order_and_ends_when_it_likes() {
    let mut world = check(&[
        ("new p", ""),
        ("p: spawn n native link init={trap on, hibernate}", "p = child n"),
        ("evict n; wait 1000", ""),
        ("info n one", "n: info one"),
    ]);
    let n = world.pid("n");
    world.run("p: exit n shutdown");
    assert_eq!(world.trace(), "n terminates shutdown, n ends shutdown, p ends shutdown");
    assert!(world.person(n).process.is_gone());
}

#[test]
fn gs_19_a_request_that_is_given_up_brings_no_answer() {
    let world = check(&[
        ("new a; new b; new c", ""),
        // Still open, with a time and without: neither the answer nor the end of the time nor that of the callee arrives.
        ("a: request b 100 {say asked}, abandon b, abandon b", "a = abandoned, b says asked"),
        ("b: answer b late; wait 200; info a next", "a: info next"),
        ("a: request b - {say asked}, abandon b", "a = abandoned, b says asked"),
        ("kill b", "b ends killed"),
        // Answered, and not yet handled.
        ("c: reply nothing", ""),
        ("info a {request c - {reply now}, spin, spin, abandon c}", "a = abandoned"),
        // Handled long ago.
        ("a: request c - {reply now}", "a: answer now"),
        ("a: abandon c; info a next", "a = no request, a: info next"),
    ]);
    assert!(world.timers.is_empty());
}

#[test]
fn gs_14_a_stop_waits_until_the_server_has_ended() {
    let world = check(&[
        ("new p; new s", ""),
        // In its turn: what was sent before is handled.
        (
            "p: send s one, cast s two, halt s 5000 boom",
            "s: info one, s: cast two, s terminates boom, s ends boom, p = error ended boom",
        ),
        ("p: halt s 5000 boom, say on", "p = error ended noproc, p says on"),
        // Also where a handler asks for more: it is never handed to a guest.
        (
            "new m; p: send m {say on, more, say off}, halt m - boom",
            "m says on, m = no more, m says off, m terminates boom, m ends boom, p = error ended boom",
        ),
        (
            "new t task init={receive -, finish done}; p: halt t - boom",
            "p = error refused: only a server ends in order",
        ),
        ("p: halt p - boom", "p = error refused: a process cannot call itself"),
        // Who does not wait long enough is not told; it ends all the same.
        ("new slow; new holder", ""),
        ("slow: call holder - {say asked}; p: halt slow 10 boom; wait 10", "holder says asked, p = error timeout"),
        ("holder: answer holder go", "slow = go, slow terminates boom, slow ends boom"),
    ]);
    assert!(world.timers.is_empty());
}
