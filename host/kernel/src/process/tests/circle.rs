//! Calls in a circle: one of them is told, and nobody who may still get an answer.

use super::notation::check;

#[test]
fn who_closes_a_circle_is_told_and_the_others_go_on() {
    let world = check(&[
        ("new a name=one; new b; new h; new i", ""),
        // Both stand still in other calls, so that neither is handled when they turn to each other.
        ("a: call h - {say asked}, call b - {say b hears}", "h says asked"),
        ("b: call i - {say asked}, call a - {say a hears}", "i says asked"),
        ("h: answer h on", "a = on"),
        (
            "i: answer i on",
            "b = on, b = error refused: deadlock: <0.2> waits for one <0.1>, which waits for <0.2>, b says b hears",
        ),
        ("b: answer b thanks", "a = thanks"),
    ]);
    assert!(world.timers.is_empty());
}

#[test]
fn a_callee_that_calls_its_caller_back_is_told() {
    check(&[
        ("new a; new b; new c; new d", ""),
        (
            "a: call b - {call a - hello, say on}",
            "b = error refused: deadlock: <0.2> waits for <0.1>, which waits for <0.2>, b says on",
        ),
        ("b: answer b late", "a = late"),
        (
            "a: call b - {call c - {call d - {call a - hello, say on}}}",
            "d = error refused: deadlock: <0.4> waits for <0.1>, which waits for <0.2>, which waits for <0.3>, \
             which waits for <0.4>, d says on",
        ),
        ("d: answer d one", "c = one"),
        ("c: answer c two", "b = two"),
        ("b: answer b three", "a = three"),
    ]);
}

#[test]
fn a_child_that_calls_its_parent_from_init_is_told() {
    check(&[
        ("new a", ""),
        (
            "a: spawn k init={call a - hello, say on}",
            "k = error refused: deadlock: <0.2> waits for <0.1>, which waits for <0.2>, k says on, a = child k",
        ),
    ]);
}

#[test]
fn who_stops_whoever_waits_for_it_is_told() {
    check(&[
        ("new a; new b", ""),
        (
            "a: call b - {halt a - boom, say on}",
            "b = error refused: deadlock: <0.2> waits for <0.1>, which waits for <0.2>, b says on",
        ),
    ]);
}

#[test]
fn a_reply_that_was_deferred_may_come_from_anybody() {
    check(&[
        ("new a; new b; new h", ""),
        ("a: call b - {say b hears}", "b says b hears"),
        // What waits there besides is not what it owes.
        ("b: call a - {say a hears}; info b other", ""),
        ("h: answer b by h", "a = by h, a says a hears"),
        ("a: answer a on", "b = on, b: info other"),
    ]);
}

/// Whoever has a caller can answer it.
#[test]
fn where_a_caller_may_have_been_passed_on_nobody_is_told() {
    for passes in ["send h it", "cast h it", "request h - it", "exit h it", "after x 1000 h", "spawn k", "call h 0 it"]
    {
        let mut world = check(&[("new a; new b; new h; h: trap", "")]);
        world.run(&format!("a: call b - {{{passes}, call a - hello}}"));
        let trace = world.trace();
        assert!(!trace.contains("deadlock"), "{passes}: {trace}");
        world.run("kill a");
        let trace = world.trace();
        assert!(trace.contains("b = error ended killed"), "{passes}: {trace}");
    }
}

/// Or whoever was told could ask whom it names, and whether it is open.
#[test]
fn mon_12_a_circle_through_an_alias_is_told_to_nobody() {
    check(&[
        ("new a; new b; new c; a: alias x; b: alias y", ""),
        ("a: call b - {call ~a.x 20 hello, say on}", ""),
        ("wait 20", "b = error timeout, b says on"),
        ("b: answer b late", "a = late, a: call hello"),
        // Nor to one who calls by pid, and would be told whom another's alias names.
        ("a: call ~b.y 50 {call c 30 {call a 20 hello, say on}}", ""),
        ("wait 20", "c = error timeout, c says on"),
    ]);
}

#[test]
fn a_chain_that_ends_is_no_circle_and_neither_is_one_beside_it() {
    check(&[
        ("new a; new b; new c; new h", ""),
        ("c: call h - {say asked}", "h says asked"),
        ("b: call c - {say c hears}", ""),
        ("a: call b - {say b hears}", ""),
        ("h: answer h on", "c = on, c says c hears"),
        ("c: answer c on", "b = on, b says b hears"),
        ("b: answer b on", "a = on"),
        // A task that waits for messages can be sent one.
        ("new t task init={call b - {say b hears}, receive -}", "b says b hears"),
        ("b: answer b on", "t = on"),
        ("b: call t - {say t hears}", "t says t hears, t ends normal, b = error ended normal"),
    ]);
}
