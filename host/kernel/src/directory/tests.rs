//! RPG: registries, groups and topics as one directory, told what to do by hand.

use super::*;

fn pid(id: u64) -> Pid {
    Pid { node: 0, id, tag: id * 7 }
}

fn users(key: &str) -> Place {
    Place { table: Table::Registry("users".into()), key: key.into() }
}

fn group(key: &str) -> Place {
    Place { table: Table::Scope("pg".into()), key: key.into() }
}

fn topic(key: &str) -> Place {
    Place { table: Table::Topics, key: key.into() }
}

fn value(text: &str) -> Arc<Body> {
    Arc::new(Body::Text(text.into()))
}

/// A directory, and what it wants done.
#[derive(Default)]
struct Desk {
    directory: Directory,
    actions: Vec<Action>,
}

impl Desk {
    fn register(&mut self, place: &Place, keys: Keys, who: u64, text: &str) -> Result<(), Taken> {
        self.directory.register(place.clone(), keys, pid(who), value(text), &mut self.actions)
    }

    fn join(&mut self, place: &Place, who: u64) {
        assert_eq!(self.register(place, Keys::Duplicate, who, ""), Ok(()));
    }

    fn unregister(&mut self, place: &Place, who: u64, how_many: HowMany) -> Removed {
        self.directory.unregister(place, pid(who), how_many, &mut self.actions)
    }

    fn release(&mut self, holding: &Holding, who: u64) {
        self.directory.release(holding, pid(who), &mut self.actions);
    }

    fn members(&self, place: &Place) -> Vec<u64> {
        self.directory.lookup(place).map(|(pid, _)| pid.id).collect()
    }

    fn values(&self, place: &Place) -> Vec<String> {
        let shown = |body: &Body| String::from_utf8_lossy(body.as_bytes()).into_owned();
        self.directory.lookup(place).map(|(pid, body)| format!("{} {}", pid.id, shown(body))).collect()
    }

    /// What watchers were told, and who got a lock: `2: +1 at a (x)`, `3: -1 at b`, `4: has 9`.
    fn told(&mut self) -> Vec<String> {
        let shown = |action| match action {
            Action::Deliver { to, signal: Signal::Change { mark, what: Changed::Added { key, pid, value } } } => {
                let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
                format!("{}/{}: +{} at {key} ({value})", to.id, mark.0, pid.id)
            }
            Action::Deliver { to, signal: Signal::Change { mark, what: Changed::Removed { key, pid } } } => {
                format!("{}/{}: -{} at {key}", to.id, mark.0, pid.id)
            }
            Action::Deliver { to, signal: Signal::Answer { mark, by, outcome: Ok(body) } } => {
                assert_eq!((by, body), (to, Body::Raw(Vec::new())));
                format!("{}: has {}", to.id, mark.0)
            }
            other => panic!("{other:?}"),
        };
        std::mem::take(&mut self.actions).into_iter().map(shown).collect()
    }
}

#[test]
fn rpg_01_a_unique_key_has_one_holder_and_a_second_registration_is_told_whom() {
    let mut desk = Desk::default();
    assert_eq!(desk.register(&users("ada"), Keys::Unique, 1, "x"), Ok(()));
    for who in [1, 2] {
        assert_eq!(desk.register(&users("ada"), Keys::Unique, who, "y"), Err(Taken(pid(1))));
    }
    assert_eq!(desk.values(&users("ada")), ["1 x"]);
    // Keys are the same if their bytes are: 1 and 1.0 are two.
    assert_eq!(desk.register(&users("1"), Keys::Unique, 1, ""), Ok(()));
    assert_eq!(desk.register(&users("1.0"), Keys::Unique, 2, ""), Ok(()));
    assert_eq!(desk.register(&users("1 "), Keys::Unique, 3, ""), Ok(()));
    assert_eq!(
        [users("1"), users("1.0"), users("1.00")].map(|key| desk.directory.holder(&key)),
        [Some(pid(1)), Some(pid(2)), None]
    );
    // The same key elsewhere is another one.
    let elsewhere = Via { registry: "others".into(), key: "ada".into() };
    assert_eq!(elsewhere.to_string(), "ada in others");
    let elsewhere = Place::from(elsewhere);
    assert_eq!(desk.register(&elsewhere, Keys::Unique, 2, ""), Ok(()));
    let _ = desk.unregister(&users("ada"), 1, HowMany::All);
    assert_eq!(desk.register(&users("ada"), Keys::Unique, 2, ""), Ok(()));
}

#[test]
fn rpg_02_what_an_owner_leaves_behind_is_taken_out_and_nothing_else() {
    let mut desk = Desk::default();
    assert_eq!(desk.register(&users("ada"), Keys::Unique, 1, ""), Ok(()));
    assert_eq!(desk.register(&users("bob"), Keys::Unique, 1, ""), Ok(()));
    desk.join(&group("a"), 1);
    desk.join(&group("a"), 2);
    for _ in 0..2 {
        // Twice, since whoever finds a dead owner may be quicker than its own end.
        desk.release(&Holding::Entries(users("ada")), 1);
        desk.release(&Holding::Entries(group("a")), 1);
        assert_eq!(desk.members(&users("ada")), [] as [u64; 0]);
        assert_eq!((desk.members(&users("bob")), desk.members(&group("a"))), (vec![1], vec![2]));
    }
    assert_eq!(desk.register(&users("ada"), Keys::Unique, 2, ""), Ok(()));
    desk.release(&Holding::Entries(users("ada")), 1);
    assert_eq!(desk.members(&users("ada")), [2], "whoever has it by now keeps it");
}

#[test]
fn rpg_03_a_duplicate_key_has_many_entries_and_one_call_takes_out_all_of_the_caller() {
    let mut desk = Desk::default();
    for (who, text) in [(2, "a"), (1, "bb"), (2, "ccc"), (2, "a")] {
        assert_eq!(desk.register(&users("room"), Keys::Duplicate, who, text), Ok(()));
    }
    assert_eq!(desk.register(&users("other"), Keys::Duplicate, 2, ""), Ok(()));
    assert_eq!(desk.values(&users("room")), ["1 bb", "2 a", "2 ccc", "2 a"]);
    assert_eq!(desk.unregister(&users("room"), 2, HowMany::All), Removed { count: 3, bytes: 5 });
    assert_eq!(desk.unregister(&users("room"), 2, HowMany::All), Removed::default());
    assert_eq!(desk.values(&users("room")), ["1 bb"]);
    assert_eq!(desk.members(&users("other")), [2]);
}

#[test]
fn rpg_06_a_value_is_changed_for_its_owner_alone() {
    let mut desk = Desk::default();
    assert_eq!(desk.register(&users("ada"), Keys::Unique, 1, "four"), Ok(()));
    assert_eq!(desk.directory.update(&users("ada"), pid(2), value("y")), None);
    assert_eq!(desk.directory.update(&users("bob"), pid(1), value("y")), None);
    assert_eq!(desk.values(&users("ada")), ["1 four"]);
    assert_eq!(desk.directory.update(&users("ada"), pid(1), value("y")), Some(4));
    assert_eq!(desk.values(&users("ada")), ["1 y"]);
    assert_eq!(desk.values(&users("bob")), [] as [&str; 0]);
}

#[test]
fn rpg_06_a_lock_has_one_holder_and_goes_to_who_waits_longest() {
    let mut desk = Desk::default();
    let ada = || Holding::Lock(users("ada"));
    assert_eq!(desk.directory.lock(users("ada"), pid(1), Mark(10)), Locking::Granted);
    for who in 2..=4 {
        assert_eq!(desk.directory.lock(users("ada"), pid(who), Mark(who * 10)), Locking::Queued);
    }
    assert_eq!(desk.directory.lock(users("bob"), pid(2), Mark(21)), Locking::Granted, "one lock a key");
    // Whoever no longer waits is passed over, and nobody is told; nor if a stranger gives it back.
    desk.release(&ada(), 3);
    desk.release(&ada(), 9);
    assert_eq!(desk.told(), [] as [&str; 0]);
    desk.release(&ada(), 1);
    assert_eq!(desk.told(), ["2: has 20"]);
    desk.release(&ada(), 2);
    assert_eq!(desk.told(), ["4: has 40"]);
    desk.release(&ada(), 4);
    assert_eq!(desk.told(), [] as [&str; 0]);
    assert_eq!(desk.directory.lock(users("ada"), pid(9), Mark(90)), Locking::Granted, "it is free again");
}

#[test]
fn rpg_07_a_topic_has_the_subscribers_of_exactly_that_topic() {
    let mut desk = Desk::default();
    for (place, who) in [(topic("room:1"), 1), (topic("room:10"), 2), (topic("room"), 3), (group("room:1"), 4)] {
        desk.join(&place, who);
    }
    assert_eq!(desk.members(&topic("room:1")), [1]);
    assert_eq!(desk.members(&topic("room:")), [] as [u64; 0]);
}

#[test]
fn rpg_08_who_subscribes_twice_is_there_twice_and_gone_at_once() {
    let mut desk = Desk::default();
    for who in [1, 2, 1] {
        desk.join(&topic("news"), who);
    }
    assert_eq!(desk.members(&topic("news")), [1, 1, 2]);
    assert_eq!(desk.unregister(&topic("news"), 1, HowMany::All).count, 2);
    assert_eq!(desk.unregister(&topic("news"), 1, HowMany::All).count, 0, "without a subscription it is no error");
    assert_eq!(desk.members(&topic("news")), [2]);
}

#[test]
fn rpg_10_who_joins_twice_leaves_twice_and_whoever_watches_is_told_each_time() {
    let mut desk = Desk::default();
    desk.directory.watch(Watched::Key(group("a")), pid(8), Mark(80));
    desk.directory.watch(Watched::Table(group("a").table), pid(9), Mark(90));
    desk.directory.watch(Watched::Table(Table::Topics), pid(9), Mark(91));
    desk.join(&group("a"), 1);
    desk.join(&group("a"), 1);
    desk.join(&group("b"), 1);
    let expected = ["9/90: +1 at a ()", "8/80: +1 at a ()", "9/90: +1 at a ()", "8/80: +1 at a ()", "9/90: +1 at b ()"];
    assert_eq!(desk.told(), expected);
    assert_eq!(desk.unregister(&group("a"), 1, HowMany::One).count, 1);
    assert_eq!(desk.told(), ["9/90: -1 at a", "8/80: -1 at a"]);
    assert_eq!(desk.members(&group("a")), [1]);
    // It dies, and is made to leave besides: one of the two finds nothing.
    desk.release(&Holding::Entries(group("a")), 1);
    assert_eq!(desk.told(), ["9/90: -1 at a", "8/80: -1 at a"]);
    assert_eq!(desk.unregister(&group("a"), 1, HowMany::One).count, 0);
    desk.directory.unwatch(&Watched::Key(group("a")), pid(8), Mark(80));
    desk.release(&Holding::Watch { watched: Watched::Table(group("a").table), mark: Mark(90) }, 9);
    desk.join(&group("a"), 2);
    assert_eq!(desk.told(), [] as [&str; 0]);
}

#[test]
fn listeners_are_told_of_values_and_every_watch_of_its_own() {
    let mut desk = Desk::default();
    let all = || Watched::Table(users("").table);
    desk.directory.watch(all(), pid(9), Mark(1));
    desk.directory.watch(all(), pid(9), Mark(2));
    assert_eq!(desk.register(&users("ada"), Keys::Unique, 1, "x"), Ok(()));
    assert_eq!(desk.told(), ["9/1: +1 at ada (x)", "9/2: +1 at ada (x)"]);
    assert_eq!(desk.register(&users("ada"), Keys::Unique, 2, "x"), Err(Taken(pid(1))));
    assert_eq!(desk.directory.update(&users("ada"), pid(1), value("y")), Some(1));
    assert_eq!(desk.told(), [] as [&str; 0], "neither a refusal nor another value is told");
    desk.directory.unwatch(&all(), pid(9), Mark(1));
    desk.directory.unwatch(&all(), pid(8), Mark(2));
    let _ = desk.unregister(&users("ada"), 1, HowMany::All);
    assert_eq!(desk.told(), ["9/2: -1 at ada"]);
}

#[test]
fn tables_are_listed_by_key_each_by_itself() {
    let mut desk = Desk::default();
    for (place, who) in [(topic("b"), 1), (group("z"), 2), (topic("a"), 2), (topic("a"), 1), (users("u"), 3)] {
        desk.join(&place, who);
    }
    let listed = |table: Table| -> Vec<String> {
        desk.directory.table(&table).map(|(key, pid, _)| format!("{key} {}", pid.id)).collect()
    };
    assert_eq!(listed(Table::Topics), ["a 1", "a 2", "b 1"]);
    assert_eq!(listed(group("").table), ["z 2"]);
    assert_eq!(listed(users("").table), ["u 3"]);
    assert_eq!(listed(Table::Scope("none".into())), [] as [&str; 0]);
    let all: Vec<u64> = desk.directory.iter().map(|(_, pid, _)| pid.id).collect();
    assert_eq!(all, [3, 2, 1, 2, 1]);
}

#[test]
fn keys_are_short_visible_text() {
    for good in ["1", "\"ada\"", "{\"a\":[1,2]}", &"x".repeat(KEY_BYTES)] {
        assert_eq!(valid_key(good), Ok(()), "{good}");
    }
    for bad in ["", "a\nb", "\u{85}", &"x".repeat(KEY_BYTES + 1)] {
        assert!(valid_key(bad).is_err(), "{bad:?}");
    }
}
