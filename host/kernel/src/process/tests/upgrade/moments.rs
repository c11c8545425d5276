//! An upgrade that comes, or goes, in the middle of one small step: instances that are just made, saved or dropped.

use super::super::guest::Stage;
use super::super::world::World;
use super::check;

/// Has one process go on to the given stage, while all others stand still.
fn bring(world: &mut World, who: &str, stage: &Stage) {
    let pid = world.pid(who);
    world.queue.retain(|queued| *queued != pid);
    world.begin_turn(pid);
    for _ in 0..100 {
        world.work_off();
        if world.person(pid).guest.stage == *stage {
            return;
        }
        world.go_on(pid);
    }
    panic!("{who} never comes to {stage:?}");
}

/// Whoever performs the upgrade does all he can, while everybody stands still.
fn coordinate(world: &mut World) {
    while world.coordinate() {}
}

fn rest(world: &mut World) -> String {
    world.come_to_rest();
    world.check_at_rest();
    world.trace()
}

#[test]
fn hib_01_whatever_becomes_of_its_instance_at_that_moment_a_process_moves_and_has_its_mail() {
    let moments = [
        ("new a", "", Stage::Made, "a stops unborn, a moves, upgraded, a/2: info one"),
        ("new a slow", "evict a", Stage::Saving, "a sleeps, a stops, a moves, upgraded, a/2 wakes, a/2: info one"),
        (
            "new a slow hibernate=0",
            "cast a zero",
            Stage::Made,
            "a stops asleep, a wakes, a moves, a sleeps, upgraded, a/2 wakes, a/2: cast zero, a/2: info one, a/2 sleeps",
        ),
        (
            "new a slow hibernate=0",
            "cast a zero",
            Stage::Restoring,
            "a wakes, a stops, a moves, a sleeps, upgraded, a/2 wakes, a/2: cast zero, a/2: info one, a/2 sleeps",
        ),
    ];
    for (birth, cause, stage, expected) in moments {
        let mut world = World::default();
        world.happen(birth);
        if !cause.is_empty() {
            world.settle();
            world.trace();
            world.happen(cause);
        }
        bring(&mut world, "a", &stage);
        world.happen("upgrade");
        coordinate(&mut world);
        world.happen("info a one");
        assert_eq!(rest(&mut world), expected, "{birth} {stage:?}");
    }
}

#[test]
fn what_is_saved_when_the_new_code_has_come_is_what_the_new_code_made_of_it() {
    let mut world =
        check(&[("new a slow; new b; info a one", "a: info one"), ("upgrade stuck=b", "a stops, b stops, a moves")]);
    world.happen("evict a");
    bring(&mut world, "a", &Stage::Saving);
    world.happen("free b");
    // `b` moves, and that was the last.
    assert!(world.turn());
    coordinate(&mut world);
    // The next one comes before it has been saved.
    world.happen("upgrade; info a two");
    coordinate(&mut world);
    assert_eq!(
        rest(&mut world),
        "a sleeps, b moves, upgraded, a stops asleep, b stops asleep, b moves, a moves, upgraded, a/3 wakes, a/3: info two"
    );
}

#[test]
fn an_instance_of_old_code_that_is_still_there_keeps_nobody_from_the_next_upgrade() {
    let mut world = check(&[
        ("new a; new b", ""),
        ("upgrade stuck=b", "a stops, b stops, a moves"),
        ("free b", "b moves, upgraded"),
    ]);
    world.run("info a one");
    world.trace();
    world.happen("upgrade");
    let [a, b] = ["a", "b"].map(|who| world.pid(who));
    // All are told to go on, and nobody has had a turn.
    while world.upgrade.is_some() {
        if !world.coordinate() {
            assert!(world.turn(), "somebody moves");
        }
    }
    world.work_off();
    assert_eq!([a, b].map(|who| world.people[&who].guest.stage.clone()), [Stage::Loop, Stage::Absent]);
    world.happen("upgrade; info a two; info b three");
    coordinate(&mut world);
    assert_eq!(
        rest(&mut world),
        "a/2 stops, b stops asleep, a/2 moves, b moves, upgraded, a/2 stops asleep, b stops asleep, b moves, a/2 moves, upgraded, a/4 wakes, a/4: info two, b/4 wakes, b/4: info three"
    );
}

#[test]
fn who_hibernates_is_not_woken_because_it_was_to_move() {
    let mut world = check(&[("new a hibernate=100; new b", ""), ("a: hibernate", "a sleeps"), ("wait 100", "")]);
    world.happen("upgrade stuck=b");
    coordinate(&mut world);
    let a = world.pid("a");
    world.queue.retain(|queued| *queued != a);
    // It has its turn, and before it comes to anything the upgrade is called off.
    world.begin_turn(a);
    world.happen("cancel");
    coordinate(&mut world);
    assert_eq!(rest(&mut world), "a stops asleep, b stops, not upgraded: cancelled");
    assert!(world.timers.is_empty());
}

#[test]
fn one_that_was_to_move_and_is_killed_before_its_turn_ends() {
    let mut world = check(&[("new a; new b", ""), ("a: hibernate", "a sleeps")]);
    world.happen("upgrade stuck=b");
    coordinate(&mut world);
    let a = world.pid("a");
    world.queue.retain(|queued| *queued != a);
    world.begin_turn(a);
    world.happen("kill a");
    assert_eq!(rest(&mut world), "a stops asleep, b stops, a ends killed, not upgraded: b slow");
}

#[test]
fn one_born_while_births_wait_is_not_begun_by_a_turn_it_had_already() {
    // Its turn has begun, and no instance was made yet.
    let mut world = check(&[("new b", "")]);
    world.happen("new a init={say begun}");
    let a = world.pid("a");
    world.queue.retain(|queued| *queued != a);
    world.begin_turn(a);
    world.happen("upgrade stuck=b");
    coordinate(&mut world);
    assert_eq!(rest(&mut world), "b stops, a stops unborn, a moves, not upgraded: b slow, a says begun");
}

#[test]
fn one_with_an_instance_of_old_code_begins_on_the_new() {
    let mut world = World::default();
    world.happen("new a init={say begun}");
    bring(&mut world, "a", &Stage::Loop);
    world.happen("upgrade; info a one");
    // It is over before the process has another turn.
    coordinate(&mut world);
    assert_eq!(rest(&mut world), "a stops unborn, a moves, upgraded, a/2 says begun, a/2: info one");
}
