//! States on their way to other code: slow, without room, rolled back.

use super::check;

#[test]
fn a_migration_may_take_many_turns() {
    check(&[
        ("new a; new b init={hibernate}", "b sleeps"),
        (
            "upgrade slow=a slow=b; info a one; info b two",
            "a stops, b stops asleep, a moves, b moves, upgraded, b/2 wakes, b/2: info two, a/2 wakes, a/2: info one",
        ),
    ]);
}

#[test]
fn who_is_rolled_back_in_the_middle_of_it_goes_on_at_once() {
    check(&[
        ("new a; new b init={hibernate}; new c", "b sleeps"),
        ("upgrade stuck=a stuck=b; info a one; info c two", "a stops, b stops asleep, c stops, c moves"),
        ("time-up", "not upgraded: a b slow, a: info one, c: info two"),
        ("info b three", "b wakes, b: info three"),
    ]);
}

#[test]
fn without_room_it_waits_without_an_instance() {
    let lines = [
        ("new a; new b init={hibernate}; info a one", "a: info one, b sleeps"),
        ("upgrade full=a full=b; info a two", "a stops, b stops asleep"),
    ];
    let mut world = check(&lines);
    let [a, b] = ["a", "b"].map(|who| world.pid(who));
    assert_eq!([a, b].map(|who| world.person(who).process.saved_bytes()), [Some(8), Some(8)]);
    check(&[lines[0], lines[1], ("free b", "b moves"), ("free a", "a moves, upgraded, a/2 wakes, a/2: info two")]);
    check(&[
        ("new a; new b init={hibernate}", "b sleeps"),
        ("upgrade full=a full=b; info a two", "a stops, b stops asleep"),
        ("cancel", "not upgraded: cancelled, a wakes, a: info two"),
        ("info b three", "b wakes, b: info three"),
    ]);
}

#[test]
fn one_upgrade_follows_the_other_at_once() {
    check(&[
        ("new a; new b init={hibernate}; info a one", "a: info one, b sleeps"),
        ("upgrade", "a stops, b stops asleep, a moves, b moves, upgraded"),
        (
            "upgrade refuses=b; info a two",
            "a stops asleep, b stops asleep, a moves, b stays: refused, not upgraded: b stayed, a/2 wakes, a/2: info two",
        ),
        ("upgrade", "a/2 stops, b stops asleep, a/2 moves, b moves, upgraded"),
        ("info a three; info b four", "a/3 wakes, a/3: info three, b/3 wakes, b/3: info four"),
    ]);
}
