//! Upgrades, as the processes see them (HOT).

mod births;
mod keeping;
mod moments;
mod stopping;
mod taking_over;
mod told;

use super::notation::check;

#[test]
fn hot_01_all_stop_then_all_move_then_all_go_on() {
    check(&[
        ("new a; new b; new c", ""),
        ("upgrade", "a stops, b stops, c stops, a moves, b moves, c moves, upgraded"),
        ("info a one; info c two", "a/2 wakes, a/2: info one, c/2 wakes, c/2: info two"),
        ("upgrade", "a/2 stops, b stops asleep, c/2 stops, a/2 moves, b moves, c/2 moves, upgraded"),
        ("info b three", "b/3 wakes, b/3: info three"),
    ]);
}

#[test]
fn hot_02_each_message_is_handled_once_in_order_a_prefix_by_the_old_code_and_the_rest_by_the_new() {
    check(&[
        ("new a; new b; new s native", ""),
        ("info a zero", "a: info zero"),
        ("info a one; info a two; upgrade stuck=b; info a three", "a stops, b stops, a moves"),
        ("s: send a four, cast a five; info a six", ""),
        ("s: request a - seven", ""),
        (
            "free b",
            "b moves, upgraded, a/2 wakes, a/2: info one, a/2: info two, a/2: info three, a/2: info six, a/2: info four, a/2: cast five, a/2: call seven, s: answer re seven",
        ),
        ("info a eight", "a/2: info eight"),
    ]);
}

#[test]
fn hot_02_mail_goes_on_to_the_old_code_when_it_is_rolled_back() {
    check(&[
        ("new a; new b", ""),
        ("upgrade stuck=b; info a one", "a stops, b stops, a moves"),
        ("info a two; cancel; info a three", "not upgraded: cancelled, a: info one, a: info two, a: info three"),
    ]);
}

#[test]
fn hot_03_the_request_to_stop_goes_ahead_of_the_mail() {
    check(&[
        ("new a; new h native", ""),
        ("a: call h - {say asked}, say done; info a one; info a two", "h says asked"),
        ("upgrade; info a three", ""),
        (
            "h: answer h yes",
            "a = yes, a says done, a stops late, a moves, upgraded, a/2 wakes, a/2: info one, a/2: info two, a/2: info three",
        ),
    ]);
}

#[test]
fn hot_04_pid_name_links_monitors_timers_trap_flag_and_mail_stay() {
    check(&[
        ("new a init={trap on}; new b; new c; new d; new e init={trap on}", ""),
        ("a: register n, link b, monitor c, timer x 100, after y 200 a, wait-for 300, link e", "a = named"),
        ("d: monitor a, link a", ""),
        (
            "upgrade stuck=d; info a one",
            "a stops, b stops, c stops, d stops, e stops, a moves, b moves, c moves, e moves",
        ),
        ("free d", "d moves, upgraded, a/2 wakes, a/2: info one"),
        ("b: say alive", "b/2 wakes, b/2 says alive"),
        ("wait 100", "a/2: timer x"),
        ("wait 100", "a/2: info y"),
        ("kill b; kill c", "b/2 ends killed, c ends killed, a/2: exit b killed, a/2: down c killed"),
        ("e: send @n hello", "e/2 wakes, a/2: info hello"),
        ("kill a", "a/2 ends killed, d ends killed, e/2: exit a killed"),
    ]);
}

#[test]
fn hot_04_timers_ring_meanwhile_and_are_handled_afterwards() {
    check(&[
        ("new a; new b; new c", ""),
        ("a: timer x 100, after y 100 b, after z 100 c, wait-for 50", ""),
        ("upgrade stuck=b", "a stops, b stops, c stops, a moves, c moves"),
        ("wait 1000", ""),
        ("free b", "b moves, upgraded, a/2 wakes, a/2: timer x, b/2 wakes, b/2: info y, c/2 wakes, c/2: info z"),
        // Idleness gives way to mail, as ever.
        ("a: wait-for 50", ""),
        ("upgrade stuck=b; wait 100", "a/2 stops, b/2 stops, c/2 stops, a/2 moves, c/2 moves"),
        ("free b", "b/2 moves, upgraded, a/3 wakes, a/3: idle"),
    ]);
}

#[test]
fn hot_07_only_who_is_suspended_is_migrated() {
    check(&[
        ("new a; migrate a", ""),
        ("info a one; migrate a", "a: info one"),
        ("a: hibernate", "a sleeps"),
        ("migrate a", ""),
    ]);
}

#[test]
fn hot_08_who_is_refused_goes_on_with_the_old_code_and_state() {
    check(&[
        ("new a; new b; new c init={hibernate}; info a one; info b two", "a: info one, b: info two, c sleeps"),
        ("upgrade refuses=a", "a stops, b stops, c stops asleep, a stays: refused, not upgraded: a stayed"),
        ("info a three; info b four; info c five", "a: info three, b: info four, c wakes, c: info five"),
        ("evict a", "a sleeps"),
        (
            "upgrade refuses=c",
            "a stops asleep, b stops, c stops, a moves, b moves, c stays: refused, not upgraded: c stayed",
        ),
        ("info a six; info c seven", "a wakes, a: info six, c: info seven"),
        ("upgrade", "a stops, b stops, c stops, a moves, b moves, c moves, upgraded"),
        ("info a eight; info c nine", "a/2 wakes, a/2: info eight, c/2 wakes, c/2: info nine"),
    ]);
}

#[test]
fn hot_09_one_that_traps_when_it_saves_ends_and_the_others_go_on() {
    check(&[
        ("new a; new b; new m", ""),
        ("m: monitor a", ""),
        (
            "upgrade crashes=a; info b one",
            "a stops, b stops, m stops, b moves, a stays: trapped, a ends trap: save, not upgraded: a stayed, m: down a trap: save, b: info one",
        ),
        ("upgrade", "b stops, m stops, b moves, m moves, upgraded"),
    ]);
}

#[test]
fn hib_01_hibernated_processes_move_without_being_woken() {
    check(&[
        ("new a; new b", ""),
        ("a: hibernate; b: hibernate", "a sleeps, b sleeps"),
        ("upgrade", "a stops asleep, b stops asleep, a moves, b moves, upgraded"),
        ("upgrade refuses=b", "a stops asleep, b stops asleep, a moves, b stays: refused, not upgraded: b stayed"),
        ("upgrade stuck=b; info a one", "a stops asleep, b stops asleep, a moves"),
        ("cancel", "not upgraded: cancelled, a/2 wakes, a/2: info one"),
        ("info b two", "b/2 wakes, b/2: info two"),
    ]);
}
