//! From the first scan to the end: what comes when, and what ends it early.

use super::*;

#[test]
fn hot_01_all_are_suspended_before_any_is_migrated_and_nobody_goes_on_before_the_commit() {
    check(&[
        ("found 1 2 3", "suspend 1, suspend 2, suspend 3"),
        ("2 stops", ""),
        ("1 stops", ""),
        ("3 stops", "close"),
        ("closed", "migrate 1, migrate 2, migrate 3"),
        ("3 moves", ""),
        ("1 moves", ""),
        ("2 moves", "commit, 1 on new, 2 on new, 3 on new, done"),
    ]);
}

#[test]
fn without_a_process_the_code_alone_changes() {
    let upgrade = check(&[("found", "close"), ("closed", "commit, done")]);
    assert!(upgrade.is_empty() && upgrade.is_over());
}

#[test]
fn so_many_are_migrated_at_once_and_no_more() {
    let all = |what: &str| (1..=40).map(|n| what.replace('#', &n.to_string())).collect::<Vec<_>>();
    let mut upgrade = check(&[
        (&format!("found {}", all("#").join(" ")), &all("suspend #").join(", ")),
        (&all("# stops").join("; "), "close"),
        ("closed", &all("migrate #")[..WINDOW].join(", ")),
    ]);
    for number in 1..=40 {
        let mut out = Vec::new();
        // Whoever ends makes room like whoever is done.
        upgrade.step(read(&format!("{number} {}", if number % 2 == 0 { "moves" } else { "gone" })), &mut out);
        let next = number + WINDOW as u64;
        let expected = match next {
            ..=40 => format!("migrate {next}"),
            _ if number < 40 => String::new(),
            _ => {
                let left = all("# on new").into_iter().skip(1).step_by(2);
                format!("commit, {}, done", left.collect::<Vec<_>>().join(", "))
            }
        };
        assert_eq!(show(&out), expected, "after {number}");
    }
}

#[test]
fn hot_09_one_that_is_not_migrated_sends_everybody_back() {
    check(&[
        ("found 1 2 3; 1 stops; 2 stops; 3 stops", "suspend 1, suspend 2, suspend 3, close"),
        ("closed", "migrate 1, migrate 2, migrate 3"),
        ("1 moves", ""),
        ("2 fails", "1 on old, 2 on old, 3 on old, failed: 2 failed: no"),
        // What the others tell comes too late.
        ("3 moves; 1 gone; lull; time up; cancel; closed 4; found 5", ""),
    ]);
}

#[test]
fn whoever_is_busy_for_too_long_is_named_and_nothing_has_happened() {
    check(&[
        ("found 1 2 3; 2 stops", "suspend 1, suspend 2, suspend 3"),
        ("time up", "1 on old, 2 on old, 3 on old, failed: busy 1 3"),
    ]);
    check(&[
        ("found 1; 1 stops; closed 2", "suspend 1, close, suspend 2"),
        ("time up", "1 on old, 2 on old, failed: busy 2"),
    ]);
    check(&[("found 1; 1 stops", "suspend 1, close"), ("time up", "1 on old, failed: busy")]);
}

#[test]
fn whoever_is_migrated_too_slowly_is_named_and_nothing_has_happened() {
    check(&[
        ("found 1 2; 1 stops; 2 stops; closed", "suspend 1, suspend 2, close, migrate 1, migrate 2"),
        ("2 moves; time up", "1 on old, 2 on old, failed: slow 1"),
    ]);
}

#[test]
fn it_can_be_called_off_at_any_stage_before_the_commit() {
    let stages = [
        ("found 1 2", "suspend 1, suspend 2", "1 on old, 2 on old, failed: cancelled"),
        ("1 stops", "", "1 on old, 2 on old, failed: cancelled"),
        ("2 stops", "close", "1 on old, 2 on old, failed: cancelled"),
        ("closed 3", "suspend 3", "1 on old, 2 on old, 3 on old, failed: cancelled"),
        ("3 stops", "migrate 1, migrate 2, migrate 3", "1 on old, 2 on old, 3 on old, failed: cancelled"),
        ("1 moves; 2 moves", "", "1 on old, 2 on old, 3 on old, failed: cancelled"),
        ("3 moves", "commit, 1 on new, 2 on new, 3 on new, done", ""),
    ];
    check(&[("cancel", "failed: cancelled"), ("found 1; closed 1; 1 stops", "")]);
    check(&[("found", "close"), ("cancel", "failed: cancelled")]);
    for last in 0..stages.len() {
        let mut lines: Vec<(&str, &str)> = stages[..=last].iter().map(|stage| (stage.0, stage.1)).collect();
        lines.push(("cancel", stages[last].2));
        lines.push(("1 stops; 1 moves; 3 gone; closed 4; cancel; time up; lull", ""));
        assert!(check(&lines).is_over());
    }
}

#[test]
fn late_births_take_part() {
    check(&[
        ("found 1; 1 stops", "suspend 1, close"),
        ("closed 2 3", "suspend 2, suspend 3"),
        ("3 stops", ""),
        ("2 stops", "migrate 1, migrate 2, migrate 3"),
    ]);
}

#[test]
fn births_go_on_while_somebody_late_is_busy_because_it_may_wait_for_one() {
    check(&[
        ("found 1; lull; 1 stops", "suspend 1, close"),
        ("lull", ""),
        ("closed 2", "suspend 2"),
        ("lull", "open"),
        // Once: there is nothing to open until they wait again.
        ("lull; lull", ""),
        ("2 stops", "close"),
        ("closed 3", "suspend 3"),
        ("3 stops", "migrate 1, migrate 2, migrate 3"),
        ("lull", ""),
    ]);
}

#[test]
fn births_are_let_go_on_a_few_times_only() {
    let mut upgrade = check(&[("found 1; 1 stops", "suspend 1, close")]);
    let mut told = |input: String| {
        let mut out = Vec::new();
        upgrade.step(read(&input), &mut out);
        show(&out)
    };
    for late in 2..2 + u64::from(REOPENED_MOST) {
        assert_eq!(told(format!("closed {late}")), format!("suspend {late}"));
        assert_eq!(told("lull".into()), "open");
        assert_eq!(told(format!("{late} stops")), "close");
    }
    assert_eq!(told("closed 9".into()), "suspend 9");
    assert_eq!(told("lull".into()), "", "somebody could be born for ever");
    assert_eq!(told("9 stops".into()).matches("migrate").count(), 6);
}

#[test]
fn what_is_told_out_of_turn_means_nothing() {
    check(&[
        ("lull; time up; closed 7; 7 stops; 7 gone", ""),
        ("found 1", "suspend 1"),
        ("closed 7; found 8; lull", ""),
        ("1 stops", "close"),
        ("found 8", ""),
        ("closed", "migrate 1"),
        ("closed 8; found 9; lull", ""),
        ("1 moves", "commit, 1 on new, done"),
    ]);
}
