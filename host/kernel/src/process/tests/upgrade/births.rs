//! Processes that are born during an upgrade. `p` and `h` are from outside, and take no part.

use super::check;

#[test]
fn one_that_has_not_begun_begins_on_the_code_that_comes_of_it() {
    check(&[("new a init={say begun}; upgrade", "a stops unborn, a moves, upgraded, a/2 says begun")]);
    check(&[
        ("new b", ""),
        (
            "new a init={say begun}; upgrade refuses=b; info a one",
            "b stops, a stops unborn, a moves, b stays: refused, not upgraded: b stayed, a says begun, a: info one",
        ),
    ]);
    let world = check(&[
        ("new b", ""),
        ("new a init={say begun}; upgrade stuck=b", "b stops, a stops unborn, a moves"),
        ("wait 100000", ""),
        ("free b", "b moves, upgraded, a/2 says begun"),
    ]);
    assert!(world.timers.is_empty());
}

#[test]
fn while_all_stop_births_go_on_and_take_part() {
    check(&[
        ("new a; new h native", ""),
        ("a: call h - {say asked}", "h says asked"),
        ("upgrade", ""),
        ("new c init={say begun}", "c says begun"),
        ("h: answer h yes", "a = yes, a stops late, c stops, a moves, c moves, upgraded"),
    ]);
}

#[test]
fn while_states_move_births_wait() {
    for (end, shown) in [
        ("free a", "a moves, upgraded, c/2 says begun, c/2: info one, c/2: cast two, p = child c, p says on"),
        ("cancel", "not upgraded: cancelled, c says begun, c: info one, c: cast two, p = child c, p says on"),
    ] {
        check(&[
            ("new a; new p native", ""),
            ("upgrade stuck=a", "a stops"),
            ("p: spawn c init={say begun}; p: say on", ""),
            ("info c one; cast c two", ""),
            // It is not its `init` that takes long.
            ("wait 100000", ""),
            (end, shown),
        ]);
    }
}

#[test]
fn gs_01_one_that_waited_has_all_the_time_for_its_init_and_no_more() {
    check(&[
        ("new a; new p native; new h native", ""),
        ("upgrade stuck=a", "a stops"),
        ("p: spawn c init={call h - {say asked}}", ""),
        ("wait 29999; free a", "a moves, upgraded, h says asked"),
        ("wait 29999", ""),
        ("wait 1", "c/2 ends limit reached: time, p = error failed limit reached: time"),
        // Asked to stop in its `init`, it has not begun to wait.
        ("p: spawn d init={call h - {say asked}}", "h says asked"),
        (
            "upgrade; wait 30000",
            "a stops asleep, d/2 ends limit reached: time, p = error failed limit reached: time, a moves, upgraded",
        ),
    ]);
}

#[test]
fn tasks_wait_too_and_without_a_limit() {
    let world = check(&[
        ("new a; new p native", ""),
        ("upgrade stuck=a", "a stops"),
        ("p: spawn t task init={say begun}", ""),
        ("free a", "a moves, upgraded, t/2 says begun, t/2 ends normal, p = child t"),
        ("new u task init={receive -}; upgrade", "a stops asleep, u stops unborn, u moves, a moves, upgraded"),
        ("wait 100000", ""),
    ]);
    assert!(world.timers.is_empty());
}

#[test]
fn one_that_waits_can_be_ended() {
    check(&[
        ("new a; new p native init={trap on}", ""),
        ("upgrade stuck=a", "a stops"),
        ("p: spawn c link", ""),
        ("exit c shutdown from p", "c ends shutdown, p = error failed shutdown"),
        ("free a", "a moves, upgraded"),
    ]);
}

#[test]
fn births_go_on_while_somebody_who_came_late_waits_for_one() {
    check(&[
        ("new a; new b; new h native; new i native", ""),
        ("a: call h - {say asked}", "h says asked"),
        ("upgrade", "b stops"),
        // When the last of those found stops, this one is in the middle of its `init`, and wants a child.
        ("new s init={call i - {say asked}, spawn c init={say begun}, say up}", "i says asked"),
        ("h: answer h yes", "a = yes, a stops late"),
        (
            "i: answer i yes",
            "s = yes, c says begun, s = child c, s says up, s stops late, c stops, a moves, b moves, s moves, c moves, upgraded",
        ),
    ]);
}
