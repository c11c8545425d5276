//! Partitioned supervisors (DSUP-09).

use super::super::*;
use super::scenario::{Scenario, check, child, spec};
use Strategy::{OneForAll, OneForOne};

fn partitioned(strategy: Strategy, children: &str) -> SupervisorSpec<crate::Name> {
    SupervisorSpec { roster: Roster::Partitions, ..spec(strategy, children) }
}

fn route(scenario: &Scenario, key: &str) -> Result<u64, RouteError> {
    scenario.sup.route(key.as_bytes()).map(|pid| pid.id)
}

#[test]
fn dsup_09_a_key_leads_always_to_the_same_partition() {
    let mut scenario = Scenario::new(partitioned(OneForOne, "a b c"));
    for what in ["begin", "ok a", "ok b", "ok c"] {
        scenario.happens(what);
    }
    let keys: Vec<String> = (0..300).map(|n| format!("key {n}")).collect();
    let places: Vec<_> = keys.iter().map(|key| route(&scenario, key).expect("all run")).collect();
    for place in 0..3 {
        let share = places.iter().filter(|&&found| found == place).count();
        assert!((60..140).contains(&share), "partition {place} has {share} of 300 keys");
    }
    let again: Vec<_> = keys.iter().map(|key| route(&scenario, key).expect("all run")).collect();
    assert_eq!(places, again);
    // The key leads to the place, whoever is there now.
    let key = keys.iter().zip(&places).find(|(_, place)| **place == 1).expect("every partition has keys").0;
    scenario.happens("down b1 x");
    assert_eq!(route(&scenario, key), Err(RouteError::Down(2)));
    scenario.happens("ok b");
    assert_eq!(route(&scenario, key), Ok(3), "the fourth process is b2");
}

#[test]
fn dsup_09_the_hash_is_the_same_on_every_node() {
    // FNV-1a's own test vectors, folded.
    for (key, hash) in
        [("", 0xcbf2_9ce4_8422_2325_u64), ("a", 0xaf63_dc4c_8601_ec8c), ("foobar", 0x8594_4171_f739_67e8)]
    {
        let folded = usize::try_from((hash ^ (hash >> 32)) % 1_000_003).expect("it is small");
        assert_eq!(place_of(key.as_bytes(), 1_000_003), Some(folded), "{key}");
    }
    assert_eq!(place_of(b"x", 0), None);
    assert_eq!(place_of(b"x", 1), Some(0));
}

#[test]
fn dsup_09_fewer_and_more_partitions() {
    check(
        partitioned(OneForOne, "a:infinity b:infinity c:infinity"),
        &[
            ("begin; resize 2", "init a1"),
            // It waits for init, then stops the last one.
            ("ok a; ok b; ok c", "init b1, init c1, ready, shutdown c1"),
            ("down c1 shutdown", "[resize 2] ok"),
            ("which; count", "[which] c:stopped b1 a1, [count] 3 specs 2 active 0 supervisors 3 workers"),
            ("resize 0; resize 3", "shutdown b1"),
            ("down b1 shutdown", "shutdown a1"),
            ("down a1 shutdown", "[resize 0] ok, request a2"),
            ("ok a; ok b", "request b2, request c2"),
            ("fail c", "c did not start (failed: boom), [resize 3] failed: boom"),
            // It stands at two, and can be asked again.
            (
                "resize 3; ok c; resize 3; resize 4",
                "request c3, [resize 3] ok, [resize 3] ok, [resize 4] NoSuchPartitions",
            ),
            ("start d; delete a", "[start d] OnlyByNumber, [delete a] Running"),
            ("terminate a; down a2 shutdown; delete a", "shutdown a2, [terminate a] ok, [delete a] OnlyByNumber"),
        ],
    );
}

#[test]
fn dsup_09_no_key_leads_to_one_that_is_being_stopped_or_started() {
    let mut scenario = Scenario::new(partitioned(OneForOne, "a:infinity b:infinity"));
    let all = |scenario: &Scenario| {
        let mut found: Vec<_> = (0..50).map(|n| route(scenario, &format!("{n}"))).collect();
        found.sort_by_key(|found| format!("{found:?}"));
        found.dedup();
        found
    };
    for (what, places, leads_to) in [
        ("begin", 2, vec![Err(RouteError::Down(1)), Err(RouteError::Down(2))]),
        ("ok a", 2, vec![Err(RouteError::Down(2)), Ok(0)]),
        ("ok b", 2, vec![Ok(0), Ok(1)]),
        ("resize 1", 1, vec![Ok(0)]),
        ("down b1 shutdown", 1, vec![Ok(0)]),
        ("resize 0", 0, vec![Err(RouteError::NoPartitions)]),
        ("down a1 shutdown", 0, vec![Err(RouteError::NoPartitions)]),
        ("resize 1", 0, vec![Err(RouteError::NoPartitions)]),
        ("ok a", 1, vec![Ok(2)]),
    ] {
        scenario.happens(what);
        assert_eq!(all(&scenario), leads_to, "{what}");
        assert_eq!(scenario.sup.partitions(), Some((places, 2)), "{what}");
    }
}

#[test]
fn dsup_09_who_is_up_already_or_ignores_its_start_is_in_use_like_the_others() {
    check(
        partitioned(OneForOne, "a:infinity b:infinity c:infinity"),
        &[
            ("begin; ok a; ok b; ok c; resize 0", "init a1, init b1, init c1, ready, shutdown c1"),
            ("down c1 shutdown; down b1 shutdown; down a1 shutdown", "shutdown b1, shutdown a1, [resize 0] ok"),
            ("restart b; ok b", "request b2, [restart b] b2"),
            ("resize 3; ok a; ignore c", "request a2, request c2, [resize 3] ok"),
            ("which; resize 3", "[which] c:stopped b2 a2, [resize 3] ok"),
        ],
    );
}

#[test]
fn a_key_that_leads_to_nobody_is_told_why() {
    for (error, expected) in [
        (RouteError::NotPartitioned, "the supervisor has no partitions"),
        (RouteError::NoPartitions, "no partition is in use"),
        (RouteError::Down(2), "partition 2 does not run now"),
    ] {
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn a_rebuild_or_an_end_comes_in_between() {
    check(
        partitioned(OneForAll, "a:infinity b:infinity c:infinity"),
        &[
            ("begin; ok a; ok b; ok c", "init a1, init b1, init c1, ready"),
            ("resize 0; down c1 shutdown", "shutdown c1, shutdown b1"),
            // The rebuild comes first, and brings back who was down; then the number is changed further.
            ("down a1 x", "a1 ended (failed: x), restarting a #1"),
            ("down b1 shutdown", "restart a2"),
            ("ok a; ok c; down a2 shutdown", "restart c2, shutdown a2, [resize 0] ok"),
            ("resize 3; ok a", "request a3, request b2"),
            ("stop shutdown", "[resize 3] Stopping, shutdown c2"),
        ],
    );
}

#[test]
fn hot_17_another_list_of_partitions() {
    let mut scenario = Scenario::new(partitioned(OneForOne, "a b"));
    for what in ["begin", "ok a", "ok b"] {
        scenario.happens(what);
    }
    let replace = |scenario: &mut Scenario, children: &str| {
        let mut out = Vec::new();
        let spec = partitioned(OneForOne, children);
        scenario.sup.step(Input::Replace { spec, ask: "replace".into() }, Time::ZERO, &mut out);
        let [Order::Reply { result, .. }] = &out[..] else { panic!("{out:?}") };
        result.clone()
    };
    assert_eq!(replace(&mut scenario, "a b c"), Ok(Answer::Done));
    assert_eq!(scenario.sup.partitions(), Some((3, 3)));
    assert_eq!(replace(&mut scenario, "a"), Ok(Answer::Done));
    assert_eq!(scenario.sup.partitions(), Some((1, 1)));
    // What is no partition any more can be stopped and deleted.
    scenario.happens("terminate b");
    scenario.happens("down b1 shutdown");
    assert_eq!(scenario.happens("delete b"), ["[delete b] ok"]);
    assert_eq!(scenario.happens("replace a"), ["[replace] whether children are listed or come and go cannot change"],);
}

#[test]
fn a_partition_is_never_temporary() {
    let refused = partitioned(OneForOne, "a b:temporary").check();
    assert_eq!(refused, Err(SpecError::TemporaryPartition("b".into())));
    assert_eq!(child("b:temporary").check(AutoShutdown::Never), Ok(()));
}
