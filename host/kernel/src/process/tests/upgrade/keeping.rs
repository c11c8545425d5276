//! Instances given back, or not, around an upgrade.

use super::check;

#[test]
fn an_instance_may_be_given_back_while_its_process_is_suspended() {
    for (end, shown) in [
        ("free c", "c moves, upgraded, a/2 wakes, a/2: info one, b/2 wakes, b/2: info two"),
        ("cancel", "not upgraded: cancelled, a wakes, a: info one, b wakes, b: info two"),
    ] {
        check(&[
            ("new a hibernate=100; new b; new c", ""),
            ("upgrade stuck=c", "a stops, b stops, c stops, a moves, b moves"),
            ("evict b", "b sleeps"),
            ("wait 100", "a sleeps"),
            ("info a one; info b two", ""),
            (end, shown),
        ]);
    }
}

#[test]
fn with_no_time_to_keep_it_an_instance_is_given_back_before_it_moves() {
    check(&[
        ("new h native; new b; new a hibernate=0 init={call h - {say asked}}", "h says asked"),
        ("upgrade stuck=b; info a one", "b stops"),
        ("h: answer h yes", "a = yes, a sleeps, a stops late, a moves"),
        ("free b", "b moves, upgraded, a/2 wakes, a/2: info one, a/2 sleeps"),
    ]);
}

#[test]
fn who_cannot_be_saved_cannot_move() {
    check(&[
        ("new a pinned; new b", ""),
        ("evict a", "a refuses to sleep"),
        ("upgrade; info b one", "a stops, b stops, b moves, a stays: not saved, not upgraded: a stayed, b: info one"),
        ("a: say on", "a says on"),
    ]);
    check(&[
        ("new a; new b", ""),
        ("a: hold, hibernate", "a postpones sleep"),
        ("upgrade", "a stops, b stops, a stays: not saved, not upgraded: a stayed"),
        ("a: hold off, hibernate", "a sleeps"),
        ("upgrade", "a stops asleep, b stops, a moves, b moves, upgraded"),
    ]);
}

#[test]
fn an_instance_that_was_wanted_back_is_not_wanted_back_again() {
    check(&[
        ("new a; new b; new h native", ""),
        ("a: call h - {say asked}", "h says asked"),
        ("evict a; upgrade", "b stops"),
        ("h: answer h yes", "a = yes, a sleeps, a stops late, a moves, b moves, upgraded"),
        ("info a one", "a/2 wakes, a/2: info one"),
        ("info a two", "a/2: info two"),
    ]);
}

#[test]
fn a_process_that_sleeps_wants_no_timer_and_nobody_is_woken_for_nothing() {
    let world = check(&[
        ("new a hibernate=100; new b", ""),
        ("a: hibernate", "a sleeps"),
        ("upgrade stuck=b", "a stops asleep, b stops, a moves"),
        ("free b; wait 1000", "b moves, upgraded"),
        ("upgrade stuck=a; cancel; wait 1000", "a stops asleep, b stops asleep, not upgraded: cancelled"),
    ]);
    assert!(world.timers.is_empty());
}
