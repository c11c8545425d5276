//! What a process tells at each stage, in time and out of time, and how far all are.

use super::*;

const MIGRATING: (&str, &str) =
    ("found 1 2; 1 stops; 2 stops; closed", "suspend 1, suspend 2, close, migrate 1, migrate 2");

#[test]
fn nobody_waits_for_a_process_that_ends() {
    // Before it has stopped.
    check(&[("found 1 2; 1 stops", "suspend 1, suspend 2"), ("2 gone", "close"), ("closed", "migrate 1")]);
    check(&[("found 1", "suspend 1"), ("1 gone", "close"), ("closed", "commit, done")]);
    // After, and before it is told to migrate.
    check(&[
        ("found 1 2; 1 stops", "suspend 1, suspend 2"),
        ("1 gone", ""),
        ("2 stops", "close"),
        ("2 gone", ""),
        ("closed 3; 3 gone", "suspend 3, commit, done"),
    ]);
    // While it migrates.
    check(&[MIGRATING, ("2 gone", ""), ("1 moves", "commit, 1 on new, done")]);
    check(&[MIGRATING, ("1 moves", ""), ("2 gone", "commit, 1 on new, done")]);
    // When it has migrated.
    check(&[MIGRATING, ("1 moves; 1 gone", ""), ("2 moves", "commit, 2 on new, done")]);
    check(&[MIGRATING, ("1 gone; 2 gone", "commit, done")]);
    // Nor is it sent back.
    check(&[MIGRATING, ("1 gone; 2 fails", "2 on old, failed: 2 failed: no")]);
}

#[test]
fn one_that_ends_while_it_waits_for_its_turn_is_passed_over() {
    let all: Vec<String> = (1..=18).map(|n| n.to_string()).collect();
    let mut upgrade = Transaction::default();
    let mut out = Vec::new();
    upgrade.step(read(&format!("found {}", all.join(" "))), &mut out);
    for who in &all {
        upgrade.step(read(&format!("{who} stops")), &mut out);
    }
    upgrade.step(read("closed"), &mut out);
    out.clear();
    upgrade.step(read("17 gone"), &mut out);
    assert_eq!(show(&out), "");
    upgrade.step(read("1 moves"), &mut out);
    assert_eq!(show(&out), "migrate 18");
}

#[test]
fn what_is_told_twice_late_or_by_strangers_counts_once_or_not() {
    check(&[
        ("found 1 2", "suspend 1, suspend 2"),
        ("9 stops; 9 moves; 9 fails; 9 gone", ""),
        // Nobody has been told to migrate.
        ("1 moves; 1 fails", ""),
        ("1 stops; 1 stops; 1 moves; 1 fails", ""),
        ("2 stops", "close"),
        ("1 stops; 1 moves; 1 fails", ""),
        ("closed", "migrate 1, migrate 2"),
        ("1 stops; 1 moves; 1 moves; 1 stops; 1 fails", ""),
        ("9 moves; 9 fails; 9 gone", ""),
        ("2 gone; 2 gone; 2 moves", "commit, 1 on new, done"),
    ]);
}

#[test]
fn one_that_is_found_again_takes_part_as_before() {
    check(&[
        ("found 1 1 2", "suspend 1, suspend 2"),
        ("1 stops; 2 stops", "close"),
        ("closed 1 3 3", "suspend 3"),
        ("3 stops", "migrate 1, migrate 2, migrate 3"),
        ("1 moves; 2 moves; 3 moves", "commit, 1 on new, 2 on new, 3 on new, done"),
    ]);
}

#[test]
fn it_says_how_far_all_are() {
    let mut upgrade = Transaction::default();
    let stages = [
        ("found 1 2 3", (3, 0, 0), false),
        ("2 stops", (3, 1, 0), false),
        ("1 gone", (2, 1, 0), false),
        ("3 stops", (2, 2, 0), false),
        ("closed", (2, 2, 0), true),
        ("2 moves", (2, 2, 1), true),
        ("2 gone", (1, 1, 0), true),
        ("3 moves", (1, 1, 1), false),
    ];
    for (input, far, migrating) in stages {
        upgrade.step(read(input), &mut Vec::new());
        assert_eq!((upgrade.len(), upgrade.suspended(), upgrade.migrated()), far, "{input}");
        assert_eq!((upgrade.is_migrating(), upgrade.is_empty()), (migrating, false), "{input}");
        assert_eq!(upgrade.is_over(), input == "3 moves", "{input}");
    }
}

#[test]
fn it_says_how_each_stopped_and_how_much_was_taken_over() {
    let mut upgrade = Transaction::default();
    let stop = Stop { at: Duration::from_secs(3), mail: Mail::WaitedFor, begun: true, hibernated: true };
    let Stop { at, mail, begun, hibernated } = stop;
    upgrade.step(read("found 1 2"), &mut Vec::new());
    let told = [(pid(1), News::Suspended { at, mail, begun, hibernated }), (pid(2), stops())];
    for (pid, news) in told {
        upgrade.step(Input::News { pid, news }, &mut Vec::new());
    }
    upgrade.step(read("closed"), &mut Vec::new());
    assert_eq!(upgrade.taken_over().count(), 0);
    upgrade.step(Input::News { pid: pid(1), news: News::Migrated { bytes: 77 } }, &mut Vec::new());
    assert_eq!(upgrade.taken_over().collect::<Vec<_>>(), [(pid(1), stop, 77)]);
}

#[test]
fn where_a_migration_failed_is_said_in_words() {
    let words = [
        MigrationStep::Save,
        MigrationStep::StepDown,
        MigrationStep::Start,
        MigrationStep::Restore,
        MigrationStep::SaveAnew,
    ]
    .map(|step| step.to_string());
    assert_eq!(
        words,
        [
            "the running code did not save its state",
            "the running code did not step down",
            "the new code did not start",
            "the new code did not take over the state",
            "the new code did not save what it had taken over",
        ]
    );
}
