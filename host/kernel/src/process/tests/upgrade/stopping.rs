//! Where a process stands when it is asked to stop, and when it stops. `h` helps from outside: it takes no part.

use super::check;

#[test]
fn in_the_middle_of_an_event_it_stops_after_it() {
    check(&[
        ("new a; new b; new h native", ""),
        ("a: call h - {say asked}, say more; info a next", "h says asked"),
        ("upgrade", "b stops"),
        (
            "h: answer h yes",
            "a = yes, a says more, a stops late, a moves, b moves, upgraded, a/2 wakes, a/2: info next",
        ),
    ]);
}

#[test]
fn after_the_time_it_is_named_and_goes_on() {
    check(&[
        ("new a; new b; new h native", ""),
        ("a: call h - {say asked}, say done; b: request a - hello", "h says asked"),
        ("upgrade; info b one", "b stops"),
        ("time-up", "not upgraded: a busy, b: info one"),
        ("h: answer h yes", "a = yes, a says done, a: call hello, b: answer re hello"),
    ]);
}

#[test]
fn in_init_it_stops_when_that_is_over() {
    check(&[
        ("new h native; new a init={call h - {say asked}, continue {say continued}}", "h says asked"),
        ("upgrade; info a one", ""),
        ("h: answer h yes", "a = yes, a says continued, a stops late, a moves, upgraded, a/2 wakes, a/2: info one"),
        // Or ends there.
        ("new b init={call h - {say asked}, ignore}", "h says asked"),
        ("upgrade", "a/2 stops"),
        ("h: answer h yes", "b/2 = yes, b/2 ends normal, a/2 moves, upgraded"),
    ]);
}

#[test]
fn gs_15_what_it_told_itself_to_do_next_belongs_to_the_message_before() {
    check(&[
        ("new a; new h native", ""),
        ("a: call h - {say asked}, continue {say second, continue {say third}}; info a one", "h says asked"),
        ("upgrade", ""),
        (
            "h: answer h yes",
            "a = yes, a says second, a says third, a stops late, a moves, upgraded, a/2 wakes, a/2: info one",
        ),
    ]);
}

#[test]
fn on_its_way_out_it_is_waited_for_and_not_stopped() {
    check(&[
        ("new h native; new a terminate={call h - {say asked}, say last}", ""),
        ("a: stop normal", "a terminates normal, h says asked"),
        ("upgrade; info a one", ""),
        ("h: answer h yes", "a = yes, a says last, a ends normal, upgraded"),
    ]);
    // Nor one that is about to end.
    for how in ["stop normal", "fail bad"] {
        let mut world = check(&[("new h native; new a", "")]);
        world.run(&format!("a: call h - {{say asked}}, {how}; info a one"));
        world.run("upgrade; h: answer h yes");
        let trace = world.trace();
        assert!(trace.contains("a terminates") && !trace.contains("stops") && trace.contains(", upgraded"), "{trace}");
    }
}

#[test]
fn it_takes_no_more_from_its_inbox() {
    check(&[
        ("new a; new h native", ""),
        ("a: call h - {say asked}, more, say last; info a one", "h says asked"),
        ("upgrade", ""),
        (
            "h: answer h yes",
            "a = yes, a = no more, a says last, a stops late, a moves, upgraded, a/2 wakes, a/2: info one",
        ),
    ]);
    // While it waits inside for another, it is between two messages; then it has to return first.
    check(&[
        ("new a; new h native", ""),
        ("a: more, call h - {say asked}, say last, continue {say continued}", ""),
        ("upgrade", "a = no more, h says asked"),
        (
            "info a two; h: answer h yes",
            "a = yes, a says last, a says continued, a stops, a moves, upgraded, a/2 wakes, a/2: info two",
        ),
    ]);
}

#[test]
fn whoever_calls_one_that_stopped_gives_up_by_its_own_clock() {
    check(&[
        ("new a; new b; new h native", ""),
        ("upgrade stuck=b; h: request a 100 hello", "a stops, b stops, a moves"),
        ("wait 99", ""),
        ("wait 1", "h: answer error timeout"),
        ("free b", "b moves, upgraded, a/2 wakes, a/2: call hello"),
    ]);
    // Nor does the one that waits go on before its time because the other was upgraded.
    check(&[
        ("new a; new b; new h native", ""),
        ("b: call h - {say asked}", "h says asked"),
        (
            "upgrade; h: answer h yes, request a 100 hello",
            "a stops, b = yes, b stops late, a moves, b moves, upgraded, a/2 wakes, a/2: call hello, h: answer re hello",
        ),
    ]);
}

#[test]
fn tasks_end_on_the_code_they_began_with() {
    check(&[
        ("new t task init={receive -, say end}; new a", ""),
        ("upgrade", "a stops, a moves, upgraded"),
        ("info t go", "t: info go, t says end, t ends normal"),
        (
            "new u task init={say begun}; upgrade",
            "a stops asleep, u stops unborn, u moves, a moves, upgraded, u/3 says begun, u/3 ends normal",
        ),
    ]);
}

#[test]
fn an_exit_signal_ends_it_and_a_trapped_one_waits() {
    check(&[
        ("new a; new b init={trap on}; new q", ""),
        ("upgrade stuck=q; exit a boom; exit b boom", "a stops, b stops, q stops, a ends boom, b moves"),
        ("free q", "q moves, upgraded, b/2 wakes, b/2: exit outside boom"),
    ]);
    check(&[
        ("new a; new b init={trap on}; new p native; new q", ""),
        ("a: link p; b: link p", ""),
        ("upgrade stuck=q; kill p", "a stops, b stops, q stops, p ends killed, a ends killed, b moves"),
        ("cancel", "not upgraded: cancelled, b: exit p killed"),
    ]);
    // The order of a parent is a trapped exit signal like any other: it is obeyed by the code that comes next.
    check(&[
        ("new p native; new q", ""),
        ("p: spawn a init={trap on}", "p = child a"),
        ("upgrade stuck=q; exit a shutdown from p", "q stops, a stops, a moves"),
        ("free q", "q moves, upgraded, a/2 wakes, a/2 terminates shutdown, a/2 ends shutdown"),
    ]);
}

#[test]
fn killed_at_whatever_stage_it_ends_and_nobody_waits_for_it() {
    let stages = [
        ("asked", "a: call h - {say asked}", "upgrade", "upgraded"),
        ("suspended", "b: call h - {say asked}", "upgrade", ""),
        ("without room", "", "upgrade full=a", "upgraded"),
        ("without room, hibernated", "a: hibernate", "upgrade full=a", "upgraded"),
        ("migrating", "", "upgrade stuck=a", "upgraded"),
        ("migrating, hibernated", "a: hibernate", "upgrade stuck=a", "upgraded"),
        ("migrated", "", "upgrade stuck=b", ""),
        ("migrated, hibernated", "a: hibernate", "upgrade stuck=b", ""),
    ];
    for (stage, before, upgrade, then) in stages {
        let mut world = check(&[("new a; new b; new h native init={trap on}; new m native", ""), ("m: link a", "")]);
        world.run(before);
        world.run(upgrade);
        world.trace();
        world.run("kill a");
        let trace = world.trace();
        assert!(trace.starts_with("a ends killed") && trace.contains("m: exit a killed"), "{stage}: {trace}");
        assert_eq!(trace.contains("upgraded"), then == "upgraded", "{stage}: {trace}");
        if then != "upgraded" {
            world.run("h: answer h yes; free b");
            let trace = world.trace();
            assert!(trace.ends_with("b moves, upgraded"), "{stage}: {trace}");
        }
    }
}
