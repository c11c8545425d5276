//! RPG: registries, process groups and topics, in the hands of real guests.

use serde_json::{Value, json};
use skep_runtime::kernel::directory::{Claim, Via};
use skep_tests::app::PATIENCE;
use skep_tests::{Child, TestApp, eventually, in_both_modes};

use super::{block, dead, heard, journal_behind, monitor, of_kind, probes, process, reason, spawn};

fn users(does: Value) -> Value {
    json!({ "Registry": { "name": "users", "does": does } })
}

fn badges(does: Value) -> Value {
    json!({ "Registry": { "name": "badges", "does": does } })
}

fn group(name: &str, does: Value) -> Value {
    json!({ "Group": { "name": name, "does": does } })
}

fn topic(name: &str, does: Value) -> Value {
    json!({ "Topic": { "name": name, "does": does } })
}

fn register(key: &str) -> Value {
    json!({ "Register": { "key": key } })
}

fn lookup(key: &str) -> Value {
    json!({ "Lookup": { "key": key } })
}

fn publish(body: &str) -> Value {
    json!({ "Broadcast": { "body": body } })
}

/// A key of a registry as an address: in its text form, as JSON.
fn via(registry: &str, key: &str) -> Value {
    json!({ "via": { "registry": registry, "key": json!(key).to_string() } })
}

fn ok(value: impl Into<Value>) -> Value {
    json!({ "Ok": value.into() })
}

/// What a probe was told of what it watches.
fn changes(journal: &[Value]) -> Vec<Value> {
    of_kind(journal, "change")
}

fn pids(found: &Value) -> Vec<Value> {
    found["Ok"].as_array().expect("it was found").iter().map(|entry| entry["pid"].clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn rpg_01_a_unique_key_has_one_holder_and_keys_compare_strictly() {
    in_both_modes(probes(["a", "b"]), async |app| {
        let (a, b) = (app.pid_text("a"), app.pid_text("b"));
        let value = json!({ "Register": { "key": "ada", "value": { "since": 5 } } });
        assert_eq!(app.ask("a", users(value.clone())).await, ok(Value::Null));
        for name in ["a", "b"] {
            assert_eq!(app.ask(name, users(value.clone())).await, json!({ "Err": { "taken": a } }));
        }
        let found = app.ask("b", users(lookup("ada"))).await;
        assert_eq!(found, ok(json!([{ "key": "ada", "pid": a, "value": { "since": 5 } }])));
        let number = |key: Value| users(json!({ "Register": { "key": key } }));
        assert_eq!(app.ask("a", number(json!(1))).await, ok(Value::Null));
        assert_eq!(app.ask("b", number(json!(1.0))).await, ok(Value::Null), "1 and 1.0 are two keys");
        assert_eq!(app.ask("b", number(json!("1"))).await, ok(Value::Null), "and so is the text");
        assert_eq!(app.ask("b", number(json!(1))).await, json!({ "Err": { "taken": a } }));
        let keys = app.ask("a", users(json!({ "Keys": { "of": b } }))).await;
        assert_eq!(keys, ok(json!(["1", 1.0])));
        assert_eq!(app.ask("a", users(json!("Count"))).await, ok(4));
        assert_eq!(app.ask("a", users(json!({ "Unregister": { "key": "ada" } }))).await, ok(1));
        assert_eq!(app.ask("b", users(value)).await, ok(Value::Null));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rpg_02_a_dead_owner_is_never_found_and_keeps_nobody_waiting() {
    in_both_modes(probes(["a"]), async |app| {
        for _ in 0..50 {
            // In one go: what the dead leaves behind may not have been taken out yet.
            let child = json!({ "Spawn": { "module": "probe", "args": [
                users(register("ada")), badges(register("ada")), group("all", json!({ "Join": {} })),
            ] } });
            let steps = app
                .steps(
                    "a",
                    json!([
                        child,
                        users(register("ada")),
                        { "Kill": { "to": { "step": 0 } } },
                        users(lookup("ada")),
                        badges(lookup("ada")),
                        group("all", json!("Members")),
                        users(json!({ "Keys": { "of": { "step": 0 } } })),
                        users(register("ada")),
                        users(json!({ "Unregister": { "key": "ada" } })),
                    ]),
                )
                .await;
            assert_eq!(steps[1], json!({ "Err": { "taken": steps[0]["Ok"]["pid"] } }));
            for found in 3..=6 {
                assert_eq!(steps[found], ok(json!([])), "{steps}");
            }
            assert_eq!((&steps[7], &steps[8]), (&ok(Value::Null), &ok(1)));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rpg_02_keys_are_free_when_the_down_arrives() {
    in_both_modes(probes(["a"]), async |app| {
        let pid = spawn(app, "a", json!([users(register("ada")), group("all", json!({ "Join": {} }))])).await;
        let mark = monitor(app, "a", pid.clone()).await;
        app.ask("a", json!({ "Kill": { "to": pid } })).await;
        assert_eq!(reason(app, "a", &mark).await, json!("killed"));
        assert_eq!(app.runtime.entries("test").expect("the app runs"), []);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rpg_03_a_duplicate_registry_takes_many_entries_and_is_no_place_for_names() {
    in_both_modes(probes(["a", "b"]), async |app| {
        let (a, b) = (app.pid_text("a"), app.pid_text("b"));
        for (name, value) in [("a", 1), ("a", 2), ("b", 3)] {
            let register = json!({ "Register": { "key": "gold", "value": value } });
            assert_eq!(app.ask(name, badges(register)).await, ok(Value::Null));
        }
        let entry = |pid: &str, value: u64| json!({ "key": "gold", "pid": pid, "value": value });
        let found = app.ask("b", badges(lookup("gold"))).await;
        assert_eq!(found, ok(json!([entry(&a, 1), entry(&a, 2), entry(&b, 3)])));
        let keys = app.ask("b", badges(json!({ "Keys": { "of": a } }))).await;
        assert_eq!(keys, ok(json!(["gold", "gold"])));
        let update = app.ask("a", badges(json!({ "Update": { "key": "gold", "value": 9 } }))).await;
        assert!(update["Err"]["invalid"].is_string(), "{update}");
        assert_eq!(app.ask("a", badges(json!({ "Unregister": { "key": "gold" } }))).await, ok(2));
        assert_eq!(app.ask("a", badges(json!({ "Unregister": { "key": "gold" } }))).await, ok(0));
        assert_eq!(app.ask("a", badges(json!("Entries"))).await, ok(json!([entry(&b, 3)])));

        let gold = via("badges", "gold");
        let results = app
            .steps(
                "a",
                json!([
                    { "Send": { "to": gold, "body": 1 } },
                    { "Call": { "to": gold, "body": "Me" } },
                    { "Spawn": { "module": "probe", "via": gold["via"] } },
                    { "Spawn": { "module": "probe", "via": { "registry": "badges", "key": "\"free\"" } } },
                ]),
            )
            .await;
        let text = "keys of a duplicate registry are no names";
        assert_eq!(results[0], json!({ "Err": { "invalid": text } }));
        assert_eq!(results[1], json!({ "Err": { "refused": format!("invalid: {text}") } }));
        for spawned in [&results[2], &results[3]] {
            assert_eq!(*spawned, json!({ "Err": { "refused": { "invalid": text } } }));
        }
        assert_eq!(journal_behind(app, "b", "a").await, [] as [Value; 0], "nothing reached the holder");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rpg_03_a_key_of_a_unique_registry_is_a_name_for_everything() {
    in_both_modes(probes(["a", "b"]), async |app| {
        let b = app.pid_text("b");
        assert_eq!(app.ask("b", users(register("bob"))).await, ok(Value::Null));
        let (bob, nobody) = (via("users", "bob"), via("users", "nobody"));
        let mark = app.ask("a", json!({ "Monitor": { "target": bob } })).await;
        let results = app
            .steps(
                "a",
                json!([
                    { "Call": { "to": bob, "body": "Me" } },
                    { "Send": { "to": bob, "body": "sent" } },
                    { "Cast": { "to": bob, "body": "cast" } },
                    { "SendAfter": { "after_ms": 0, "to": bob, "body": "later" } },
                    { "Call": { "to": nobody, "body": "Me" } },
                    { "Send": { "to": nobody, "body": 1 } },
                    { "Cast": { "to": nobody, "body": 1 } },
                    { "Monitor": { "target": nobody } },
                ]),
            )
            .await;
        assert_eq!((&results[0], &results[1]), (&ok(b.clone()), &ok(Value::Null)));
        assert_eq!(results[4], json!({ "Err": { "ended": "noproc" } }));
        assert!(results[5]["Err"]["unknown"].is_string(), "{results}");
        heard(app, "b", "info", 2).await;
        let journal = app.ask("b", json!("Journal")).await;
        assert_eq!(journal, json!([{ "info": "sent" }, { "cast": "cast" }, { "info": "later" }]));
        let down = super::loss(app, "a", &results[7]).await;
        assert_eq!(down, json!({ "mark": results[7], "target": nobody, "reason": "noproc" }));
        app.ask("a", json!({ "Kill": { "to": b } })).await;
        let down = super::loss(app, "a", &mark).await;
        assert_eq!(down, json!({ "mark": mark, "target": bob, "reason": "killed" }), "as for a name");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reg_05_agt_03_a_start_under_a_taken_key_tells_who_holds_it_and_runs_no_init() {
    in_both_modes(probes(["a", "b"]), async |app| {
        let init = json!([{ "SendNamed": { "name": "b", "body": "init ran" } }]);
        let bob = via("users", "bob")["via"].clone();
        let start = json!({ "Spawn": { "module": "probe", "via": bob, "args": init, "monitor": true } });
        let first = app.ask("a", start.clone()).await["Ok"]["pid"].take();
        let found = app.ask("a", users(lookup("bob"))).await;
        assert_eq!(
            found,
            ok(json!([{ "key": "bob", "pid": first, "value": { "$messagepack": null } }])),
            "before its init has begun"
        );
        assert_eq!(app.ask("a", start.clone()).await, json!({ "Err": { "refused": { "taken": first } } }));
        assert_eq!(heard(app, "b", "info", 1).await.len(), 1);
        assert_eq!(journal_behind(app, "b", "a").await.len(), 1, "the second init never ran");
        assert_eq!(app.ask("a", json!("Journal")).await, json!([]), "nothing of the failed start was told");

        // An init that fails leaves the key free.
        let failing = json!({ "Spawn": { "module": "probe", "args": [{ "Fail": "no" }],
            "via": { "registry": "users", "key": "\"eve\"" } } });
        assert_eq!(app.ask("a", failing.clone()).await, json!({ "Err": { "failed": { "failed": "no" } } }));
        assert_eq!(app.ask("a", users(lookup("eve"))).await, ok(json!([])));
        assert_eq!(app.ask("a", failing).await, json!({ "Err": { "failed": { "failed": "no" } } }));

        // Nobody waits for the end of a holder that was killed.
        let kill_and_start = json!([{ "Kill": { "to": first } }, start]);
        let again = app.steps("a", kill_and_start).await;
        assert!(again[1]["Ok"]["pid"].is_string(), "{again}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_given_back_when_the_key_is_taken() {
    in_both_modes(probes(["a"]), async |app| {
        app.ask("a", users(register("bob"))).await;
        let bob = via("users", "bob")["via"].clone();
        let start = json!({ "Spawn": { "module": "probe", "name": "free", "via": bob } });
        assert_eq!(app.ask("a", start).await, json!({ "Err": { "refused": { "taken": app.pid_text("a") } } }));
        assert_eq!(app.whereis("free"), None);
        assert_eq!(app.runtime.processes().iter().filter(|process| process.kind == "server").count(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rpg_06_a_value_is_its_owners_and_dispatch_needs_somebody() {
    in_both_modes(probes(["a", "b"]), async |app| {
        let value = json!({ "Register": { "key": "ada", "value": { "$text": "first" } } });
        assert_eq!(app.ask("a", users(value)).await, ok(Value::Null));
        let update = users(json!({ "Update": { "key": "ada", "value": { "$text": "second" } } }));
        let refused = app.ask("b", update.clone()).await;
        assert!(refused["Err"]["unknown"].is_string(), "{refused}");
        let value = async || app.ask("b", users(lookup("ada"))).await["Ok"][0]["value"].take();
        assert_eq!(value().await, json!({ "$text": "first" }));
        assert_eq!(app.ask("a", update).await, ok(json!({ "$text": "second" })));
        assert_eq!(value().await, json!({ "$text": "second" }));

        let dispatch = |key: &str| users(json!({ "Dispatch": { "key": key } }));
        assert_eq!(app.ask("b", dispatch("nobody")).await, ok(false));
        assert_eq!(app.ask("b", dispatch("ada")).await, ok(true));
        assert_eq!(heard(app, "a", "info", 1).await, [json!({ "$text": "second" })]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rpg_06_a_lock_has_one_holder_and_is_free_when_that_ends() {
    let names = probes(["holder", "a", "b", "c", "desk"]);
    in_both_modes(names, async |app| {
        let lock = |timeout_ms: Value, steps: Value| {
            users(json!({ "Lock": { "key": "ada", "timeout_ms": timeout_ms, "steps": steps } }))
        };
        let report = |text: &str| json!({ "SendNamed": { "name": "desk", "body": text } });
        // It holds the lock for as long as it waits for an answer.
        let wait = super::call_and_wait("holder");
        app.send("a", &json!({ "do": [lock(Value::Null, json!([wait, report("a is done")]))] }));
        super::until(app, "holder", json!("Held"), |held| held[0]["pid"] == app.pid_text("a")).await;
        assert_eq!(app.ask("b", lock(json!(0), json!([report("never")]))).await, ok(Value::Null), "the time is up");
        assert_eq!(app.ask("b", lock(json!(1), json!([report("never")]))).await, ok(Value::Null), "and a little later");
        let other = users(json!({ "Lock": { "key": "bob", "steps": ["Me"] } }));
        assert_eq!(app.ask("b", other).await, ok(json!([app.pid_text("b")])), "another key is another lock");

        // Two wait; the first of them panics while it has the lock, and the other one has its turn.
        app.send("b", &json!({ "do": [lock(Value::Null, json!([report("b has it"), { "Panic": "oh" }]))] }));
        blocked(app, "b").await;
        app.send(
            "c",
            &json!({ "do": [lock(Value::Null, json!([report("c has it"), super::call_and_wait("holder")]))] }),
        );
        blocked(app, "c").await;
        assert_eq!(app.ask("holder", json!({ "Release": { "body": 1 } })).await, json!(true));
        let told = heard(app, "desk", "info", 3).await;
        assert_eq!(told, [json!("a is done"), json!("b has it"), json!("c has it")]);

        // Killed while it has it.
        app.ask("desk", json!({ "Kill": { "to": app.pid_text("c") } })).await;
        assert_eq!(app.ask("a", lock(Value::Null, json!(["Me"]))).await, ok(json!([app.pid_text("a")])));
        let twice = lock(Value::Null, json!([lock(Value::Null, json!([]))]));
        let refused = app.ask("a", twice).await;
        assert!(refused["Ok"][0]["Err"]["invalid"].is_string(), "nobody waits for itself: {refused}");
    })
    .await;
}

/// Until this probe stands in the middle of a host function.
async fn blocked(app: &TestApp, name: &str) {
    eventually("it to block", || (super::process(app, name).status == "blocked").then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn listeners_hear_of_every_registration_and_its_end_until_they_no_longer_listen() {
    in_both_modes(probes(["a", "b", "ear"]), async |app| {
        let mark = app.ask("ear", users(json!("Listen"))).await["Ok"].take();
        assert!(mark.is_u64());
        app.ask("a", users(json!({ "Register": { "key": "ada", "value": 5 } }))).await;
        app.ask("a", users(json!({ "Update": { "key": "ada", "value": 6 } }))).await;
        app.ask("b", users(register("ada"))).await;
        app.ask("a", badges(register("elsewhere"))).await;
        app.ask("a", users(json!({ "Unregister": { "key": "ada" } }))).await;
        app.ask("b", users(register("ada"))).await;
        let (a, b) = (app.pid_text("a"), app.pid_text("b"));
        app.ask("a", json!({ "Kill": { "to": b } })).await;
        let added = |pid: &str, value: Value| json!({ "key": "\"ada\"", "pid": pid, "value": value });
        let removed = |pid: &str| json!({ "key": "\"ada\"", "pid": pid });
        let journal = app.journal("ear", |journal| changes(journal).len() >= 4).await;
        assert_eq!(
            changes(&journal),
            [
                json!({ "mark": mark, "added": added(&a, json!(5)) }),
                json!({ "mark": mark, "removed": removed(&a) }),
                json!({ "mark": mark, "added": added(&b, Value::Null) }),
                json!({ "mark": mark, "removed": removed(&b) }),
            ]
        );
        app.ask("ear", json!("Take")).await;
        let unlisten = users(json!({ "Unlisten": { "mark": mark } }));
        assert_eq!(app.ask("ear", unlisten.clone()).await, json!(true));
        assert_eq!(app.ask("ear", unlisten).await, json!(false));
        app.ask("a", users(register("ada"))).await;
        assert_eq!(journal_behind(app, "ear", "a").await, [] as [Value; 0]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rpg_07_a_broadcast_reaches_the_subscribers_of_exactly_that_topic() {
    in_both_modes(probes(["a", "b", "c"]), async |app| {
        for (name, subscribed) in [("a", "news"), ("b", "news"), ("c", "news:sport"), ("c", "new")] {
            assert_eq!(app.ask(name, topic(subscribed, json!("Subscribe"))).await, ok(Value::Null));
        }
        assert_eq!(app.ask("a", topic("news", publish("to all"))).await, ok(2));
        let others = json!({ "BroadcastToOthers": { "body": "to others" } });
        assert_eq!(app.ask("a", topic("news", others)).await, ok(1));
        assert_eq!(app.ask("c", topic("news", publish("from outside"))).await, ok(2));
        assert_eq!(app.ask("c", topic("nobody", publish("to nobody"))).await, ok(0));
        assert_eq!(journal_behind(app, "c", "a").await, [] as [Value; 0]);
        assert_eq!(heard(app, "a", "info", 2).await, [json!("to all"), json!("from outside")]);
        assert_eq!(heard(app, "b", "info", 3).await, [json!("to all"), json!("to others"), json!("from outside")]);
        assert_eq!(app.ask("a", topic("nobody", json!("Unsubscribe"))).await, ok(0), "without a subscription it is ok");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rpg_08_who_subscribes_twice_hears_twice_and_who_is_dead_vanishes() {
    in_both_modes(probes(["a", "b"]), async |app| {
        for name in ["a", "a", "b"] {
            app.ask(name, topic("news", json!("Subscribe"))).await;
        }
        assert_eq!(app.ask("b", topic("news", publish("one"))).await, ok(3));
        assert_eq!(heard(app, "a", "info", 2).await, [json!("one"), json!("one")]);
        assert_eq!(app.ask("a", topic("news", json!("Unsubscribe"))).await, ok(2));
        assert_eq!(app.ask("b", topic("news", publish("two"))).await, ok(1));
        app.ask("a", topic("news", json!("Subscribe"))).await;
        let steps = json!([{ "Kill": { "to": app.pid_text("a") } }, topic("news", publish("three"))]);
        assert_eq!(app.steps("b", steps).await[1], ok(1));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rpg_10_members_join_leave_and_go_with_their_process() {
    in_both_modes(probes(["a", "b", "ear"]), async |app| {
        let (a, b) = (app.pid_text("a"), app.pid_text("b"));
        let join = |pid: &str| json!({ "Join": { "pid": pid } });
        let leave = |pid: &str| json!({ "Leave": { "pid": pid } });
        for does in [json!({ "Join": {} }), json!({ "Join": {} }), join(&b)] {
            assert_eq!(app.ask("a", group("red", does)).await, ok(Value::Null));
        }
        app.ask("b", group("blue", json!({ "Join": {} }))).await;
        assert_eq!(app.ask("ear", group("red", json!("Members"))).await, ok(json!([a, a, b])));
        assert_eq!(app.ask("ear", group("", json!("Groups"))).await, ok(json!(["blue", "red"])));

        let red = app.ask("ear", group("red", json!("Monitor"))).await["Ok"].take();
        assert_eq!(red[1], json!([a, a, b]));
        let all = app.ask("ear", group("red", json!("MonitorAll"))).await["Ok"].take();
        assert_eq!(all[1], json!([["blue", b], ["red", a], ["red", a], ["red", b]]));
        assert_eq!(app.ask("b", group("red", leave(&a))).await, ok(true));
        assert_eq!(app.ask("b", group("red", json!({ "Leave": {} }))).await, ok(true));
        assert_eq!(app.ask("b", group("red", json!({ "Leave": {} }))).await, ok(false));
        assert_eq!(app.ask("b", group("red", join(&b))).await, ok(Value::Null));
        let removed = |pid: &str| json!({ "key": "red", "pid": pid });
        let journal = app.journal("ear", |journal| changes(journal).len() >= 6).await;
        let told = |mark: &Value| -> Vec<Value> {
            changes(&journal).into_iter().filter(|change| change["mark"] == *mark).collect()
        };
        for mark in [&red[0], &all[0]] {
            let added = json!({ "key": "red", "pid": b, "value": null });
            assert_eq!(
                told(mark),
                [
                    json!({ "mark": mark, "removed": removed(&a) }),
                    json!({ "mark": mark, "removed": removed(&b) }),
                    json!({ "mark": mark, "added": added })
                ]
            );
        }

        // Its death, and somebody who makes it leave: harmless, in whatever order.
        app.ask("ear", json!("Take")).await;
        assert_eq!(app.ask("ear", group("red", json!({ "Demonitor": { "mark": all[0] } }))).await, json!(true));
        let steps = json!([{ "Kill": { "to": b } }, group("red", leave(&b)), group("red", leave(&b))]);
        let left = app.steps("a", steps).await;
        assert_eq!(left[2], ok(false), "{left}");
        let journal = app.journal("ear", |journal| !changes(journal).is_empty()).await;
        assert_eq!(changes(&journal), [json!({ "mark": red[0], "removed": removed(&b) })], "told once");
        assert_eq!(app.ask("ear", group("red", json!("Members"))).await, ok(json!([a])));
        let which =
            super::until(app, "ear", group("", json!("Groups")), |groups| groups["Ok"] != json!(["blue", "red"]));
        assert_eq!(which.await, ok(json!(["red"])));

        let elsewhere = format!("7{}", &a[1..]);
        let refused = app.ask("a", group("red", join(&elsewhere))).await;
        assert!(refused["Err"]["invalid"].as_str().is_some_and(|why| why.starts_with("nolocal")), "{refused}");
        let gone = dead(app, "a").await;
        let refused = app.ask("a", group("red", join(&gone))).await;
        assert!(refused["Err"]["unknown"].is_string(), "{refused}");
        assert_eq!(app.ask("a", group("red", leave(&gone))).await, ok(false), "nor does it leave");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rpg_10_a_dead_member_has_left_all_groups_and_whoever_watches_is_told() {
    in_both_modes(probes(["a", "ear"]), async |app| {
        let join = |name: &str| group(name, json!({ "Join": {} }));
        for end in [
            json!({ "Kill": { "to": { "step": 0 } } }),
            json!({ "Send": { "to": { "step": 0 }, "body": { "do": [{ "StopWith": "normal" }] } } }),
        ] {
            let watch = app.ask("ear", group("red", json!("MonitorAll"))).await["Ok"][0].take();
            let init = json!([join("red"), join("blue"), join("red")]);
            let results = app.steps("a", json!([{ "Spawn": { "module": "probe", "args": init } }, end])).await;
            let pid = &results[0]["Ok"]["pid"];
            let journal = app.journal("ear", |journal| changes(journal).len() >= 6).await;
            let (came, went) =
                changes(&journal).into_iter().partition::<Vec<_>, _>(|change| change["added"].is_object());
            assert_eq!(came.len(), 3, "{journal:?}");
            let mut left: Vec<_> = went.iter().map(|change| change["removed"].clone()).collect();
            left.sort_by_key(Value::to_string);
            assert_eq!(left, ["blue", "red", "red"].map(|key| json!({ "key": key, "pid": pid })), "once for each time");
            assert_eq!(app.ask("ear", group("", json!("Groups"))).await, ok(json!([])));
            assert_eq!(app.ask("ear", group("red", json!({ "Demonitor": { "mark": watch } }))).await, json!(true));
            app.ask("ear", json!("Take")).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rpg_10_nobody_of_another_app_is_made_a_member() {
    in_both_modes(probes(["a"]), async |app| {
        app.start_beside("other", [Child::probe("x")]).await;
        let stranger = app.runtime.whereis("other", "x").expect("it runs").to_text();
        let denied = json!({ "Err": { "denied": "members of another app" } });
        for does in ["Join", "Leave"] {
            assert_eq!(app.ask("a", group("red", json!({ does: { "pid": stranger } }))).await, denied, "{does}");
        }
        app.ask("a", group("red", json!({ "Join": {} }))).await;
        assert_eq!(app.runtime.entries("other").expect("it runs"), []);
        app.runtime.stop_app("other").await.expect("it runs");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_there_without_its_grant_and_the_refusal_names_it() {
    let bare = Child::probe("bare").process(|process| process.grants = std::sync::Arc::default());
    let some = Child::probe("some").process(|process| {
        let grants = skep_runtime::spec::Grants { topics: vec!["room:*".into()], ..Default::default() };
        process.grants = std::sync::Arc::new(grants);
    });
    in_both_modes([bare, some, Child::probe("a")], async |app| {
        app.ask("a", users(register("ada"))).await;
        let denied = |grant: &str| json!({ "Err": { "denied": grant } });
        let cases = [
            (users(register("bob")), "registries = [\"users\"]"),
            (users(lookup("ada")), "registries = [\"users\"]"),
            (users(json!("Entries")), "registries = [\"users\"]"),
            (users(json!("Count")), "registries = [\"users\"]"),
            (users(json!("Listen")), "registries = [\"users\"]"),
            (users(json!({ "Lock": { "key": "ada" } })), "registries = [\"users\"]"),
            (json!({ "Send": { "to": via("users", "ada"), "body": 1 } }), "registries = [\"users\"]"),
            (group("red", json!({ "Join": {} })), "groups = [\"pg\"]"),
            (group("red", json!("Members")), "groups = [\"pg\"]"),
            (group("red", json!("MonitorAll")), "groups = [\"pg\"]"),
            (topic("news", json!("Subscribe")), "topics = [\"news\"]"),
            (topic("news", publish("x")), "topics = [\"news\"]"),
        ];
        for (step, grant) in cases {
            assert_eq!(app.ask("bare", step.clone()).await, denied(grant), "{step}");
        }
        let call = json!({ "Call": { "to": via("users", "ada"), "body": "Me" } });
        let refused = json!({ "Err": { "refused": "not granted: registries = [\"users\"]" } });
        assert_eq!(app.ask("bare", call).await, refused);
        app.ask("bare", json!({ "Cast": { "to": via("users", "ada"), "body": "unheard" } })).await;
        assert_eq!(app.ask("a", json!("Journal")).await, json!([]));

        assert_eq!(app.ask("some", topic("room:1", json!("Subscribe"))).await, ok(Value::Null));
        assert_eq!(app.ask("some", topic("room", json!("Subscribe"))).await, denied("topics = [\"room\"]"));
        let unknown = json!({ "Registry": { "name": "none", "does": "Count" } });
        assert_eq!(app.ask("a", unknown).await, denied("registries = [\"none\"]"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_process_may_hold_is_bounded_in_number_and_bytes() {
    let few = Child::probe("few").limits(|limits| limits.entries = 2);
    let short = Child::probe("short").limits(|limits| limits.entry_bytes = 20);
    in_both_modes([few, short, Child::probe("a")], async |app| {
        let limit = |what: &str| json!({ "Err": { "limit": what } });
        app.ask("few", users(register("ada"))).await;
        app.ask("few", topic("news", json!("Subscribe"))).await;
        for step in [users(register("bob")), group("red", json!({ "Join": {} })), topic("news", json!("Subscribe"))] {
            assert_eq!(app.ask("few", step.clone()).await, limit("entries"), "{step}");
        }
        let join = json!({ "Join": { "pid": app.pid_text("few") } });
        assert_eq!(app.ask("a", group("red", join)).await, limit("entries"), "whoever asks, it is the member's");
        assert_eq!(app.ask("few", users(json!({ "Unregister": { "key": "ada" } }))).await, ok(1));
        assert_eq!(app.ask("few", group("red", json!({ "Join": {} }))).await, ok(Value::Null));

        let long = json!({ "Register": { "key": "ada", "value": { "$zeros": 16 } } });
        assert_eq!(app.ask("short", users(long)).await, limit("entry_bytes"));
        let fits = json!({ "Register": { "key": "ada", "value": { "$zeros": 15 } } });
        assert_eq!(app.ask("short", users(fits)).await, ok(Value::Null));
        let update = json!({ "Update": { "key": "ada", "value": { "$zeros": 16 } } });
        assert_eq!(app.ask("short", users(update)).await, limit("entry_bytes"));
        let found = app.ask("a", users(lookup("ada"))).await;
        assert_eq!(pids(&found), [json!(app.pid_text("short"))]);
        let endless = "x".repeat(2000);
        let refused = app.ask("a", users(register(&endless))).await;
        assert!(refused["Err"]["invalid"].is_string(), "{refused}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_no_larger_than_a_body_may_be() {
    let small = Child::probe("small").limits(|limits| limits.body_bytes = 1_000);
    in_both_modes([small, Child::probe("a")], async |app| {
        let fill: Vec<Value> =
            (0..60).map(|key| badges(json!({ "Register": { "key": key, "value": null } }))).collect();
        app.steps("a", Value::Array(fill)).await;
        let refused = app.ask("small", badges(json!("Entries"))).await;
        assert_eq!(refused, json!({ "Err": { "limit": "the answer is larger than a body may be" } }));
        assert_eq!(app.ask("small", badges(json!("Count"))).await, ok(60));
        let one = app.ask("small", badges(json!({ "Lookup": { "key": 7 } }))).await;
        assert_eq!(pids(&one).len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watcher_that_cannot_keep_up_is_told_that_it_has_missed_something() {
    let ear = Child::probe("ear").limits(|limits| limits.mailbox_messages = 2);
    in_both_modes([ear, Child::probe("a"), Child::probe("holder")], async |app| {
        let watch = app.ask("ear", group("red", json!("Monitor"))).await["Ok"].take();
        block(app, "ear", "holder").await;
        for _ in 0..5 {
            app.ask("a", group("red", json!({ "Join": {} }))).await;
        }
        assert_eq!(app.ask("holder", json!({ "Release": { "body": 1 } })).await, json!(true));
        let emptied = || (super::process(app, "ear").mailbox_messages == 0).then_some(());
        eventually("room for a question", emptied).await;
        let journal = app.journal("ear", |journal| changes(journal).len() >= 3).await;
        let told = changes(&journal);
        assert!(told[0]["added"].is_object() && told[1]["added"].is_object(), "{told:?}");
        assert_eq!(told[2..], [json!({ "mark": watch[0], "missed": true })]);
        // It begins anew, and knows everything.
        let again = app.ask("ear", group("red", json!("Monitor"))).await;
        assert_eq!(again["Ok"][1].as_array().map(Vec::len), Some(5), "{again}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broadcast_passes_over_who_is_full_and_says_so() {
    let full = Child::probe("full").limits(|limits| limits.mailbox_messages = 1);
    in_both_modes([full, Child::probe("a"), Child::probe("holder")], async |app| {
        for name in ["full", "a"] {
            app.ask(name, topic("news", json!("Subscribe"))).await;
        }
        block(app, "full", "holder").await;
        assert_eq!(app.ask("a", topic("news", publish("one"))).await, ok(2));
        assert_eq!(app.ask("a", topic("news", publish("two"))).await, ok(1));
        assert_eq!(app.ask("holder", json!({ "Release": { "body": 1 } })).await, json!(true));
        // As long as there is something in its mailbox, it cannot even be asked.
        eventually("room", || (process(app, "full").mailbox_messages == 0).then_some(())).await;
        assert_eq!(heard(app, "full", "info", 1).await[..1], [json!({ "do": [super::call_and_wait("holder")] })]);
        assert_eq!(heard(app, "full", "info", 2).await[1..], [json!("one")]);
        assert_eq!(heard(app, "a", "info", 2).await, [json!("one"), json!("two")]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_supervisor_starts_its_child_under_a_key_and_again_after_a_crash() {
    let bob = Via { registry: "users".into(), key: "\"bob\"".into() };
    let child = Child::probe("bob").restart(skep_runtime::kernel::supervisor::Restart::Permanent);
    let value = std::sync::Arc::new(skep_runtime::kernel::Body::Json("5".into()));
    let claim = Claim { via: bob.clone(), value };
    let child = child.process(|process| process.claim = Some(claim.clone()));
    in_both_modes([child, Child::probe("a")], async |app| {
        let first = app.pid("bob");
        app.runtime.kill(first);
        let next = eventually("the next one", || app.whereis("bob").filter(|pid| *pid != first)).await;
        let found = app.ask("a", users(lookup("bob"))).await;
        assert_eq!(found, ok(json!([{ "key": "bob", "pid": next.to_text(), "value": 5 }])));
        let to = skep_runtime::kernel::Address::Via(bob.clone());
        let body = skep_runtime::kernel::Body::Json("\"Me\"".into());
        let reply = app.runtime.call("test", to, body, Some(PATIENCE)).await;
        assert_eq!(reply, Ok(skep_runtime::kernel::Body::Json(json!(next.to_text()).to_string())));
    })
    .await;
}
