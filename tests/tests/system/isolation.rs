//! Apps beside each other: what one can do to another, with the other's pids, without them, and with a grant.

use std::sync::Arc;

use serde_json::{Value, json};
use skep_runtime::kernel::process::MADE_UP;
use skep_runtime::kernel::{ExitReason, Name};
use skep_runtime::spec::SpawnGrant;
use skep_tests::app::PATIENCE;
use skep_tests::{Child, TestApp, eventually, in_both_modes};

/// The other app.
const SHOP: &str = "shop";

/// A probe that may go to these apps.
fn traveller(id: &str, apps: &[&str]) -> Child {
    let apps: Vec<Name> = apps.iter().map(|entry| Name::from(*entry)).collect();
    Child::probe(id).process(move |process| Arc::make_mut(&mut process.grants).apps = apps)
}

/// Runs a test with these in an app, and with a `victim` and a `till` in another one.
async fn beside_a_shop(children: Vec<Child>, test: impl AsyncFn(&TestApp)) {
    in_both_modes(children, async |app| {
        app.start_beside(SHOP, [Child::probe("victim"), Child::probe("till")]).await;
        test(app).await;
        assert_eq!(app.runtime.stop_app(SHOP).await.expect("it runs"), ExitReason::Shutdown(None));
    })
    .await;
}

fn pid_in_shop(app: &TestApp, name: &str) -> String {
    app.runtime.whereis(SHOP, name).expect("somebody has the name").to_text()
}

async fn in_shop(app: &TestApp, name: &str, request: Value) -> Value {
    app.call_in(SHOP, name, request).await.expect("it answers")
}

fn denied(what: &str) -> Value {
    json!({ "Err": { "denied": what } })
}

fn refused(why: &str) -> Value {
    json!({ "Err": { "refused": why } })
}

const HELLO: &str = "hello from elsewhere";

#[tokio::test(flavor = "multi_thread")]
async fn a_pid_of_another_app_is_of_no_use_without_a_grant() {
    beside_a_shop(vec![Child::probe("a"), traveller("b", &["bank", "shop/till", "shops"])], async |app| {
        let (victim, alias) =
            (pid_in_shop(app, "victim"), in_shop(app, "victim", json!({ "OpenAlias": { "once": false } })).await);
        let timer = in_shop(app, "victim", json!({ "StartTimer": { "after_ms": 3_600_000, "body": 1 } })).await;
        for who in ["a", "b"] {
            let results = app
                .steps(
                    who,
                    json!([
                        { "Send": { "to": { "pid": victim }, "body": HELLO } },
                        { "Cast": { "to": { "pid": victim }, "body": HELLO } },
                        { "Call": { "to": { "pid": victim }, "body": "Journal" } },
                        { "StopServer": { "to": { "pid": victim }, "reason": "normal" } },
                        { "Link": { "to": victim } },
                        { "IsAlive": { "pid": victim } },
                        { "Send": { "to": alias, "body": HELLO } },
                        { "Call": { "to": alias, "body": "Journal", "timeout_ms": 50 } },
                        { "CancelOf": { "owner": victim, "mark": timer } },
                        { "Exit": { "to": victim, "reason": "killed" } },
                        { "Kill": { "to": victim } },
                        { "Register": { "name": "mine", "pid": victim } },
                        { "Group": { "scope": "pg", "name": "g", "does": { "Join": { "pid": victim } } } },
                        { "System": { "target": { "pid": victim }, "ask": "Suspend" } },
                        { "Supervise": { "supervisor": { "pid": victim }, "ask": "CountChildren" } },
                        { "Whereis": { "name": "//shop/victim" } },
                        { "Send": { "to": { "name": "//shop/victim" }, "body": HELLO } },
                        { "SendAfter": { "after_ms": 0, "to": { "pid": victim }, "body": HELLO } },
                        { "SendAfter": { "after_ms": 0, "to": { "name": "//shop/victim" }, "body": HELLO } },
                        { "Monitor": { "target": { "pid": victim } } },
                        { "Request": { "to": { "pid": victim }, "body": "Journal" } },
                    ]),
                )
                .await;
            let apps = "apps = [\"shop\"]";
            assert_eq!(results[0], denied(apps));
            assert_eq!(results[2], refused(&format!("not granted: {apps}")));
            assert_eq!(results[3], refused(&format!("not granted: {apps}")));
            assert_eq!(results[4], denied("a link with a process of another app, which cannot be granted"));
            assert_eq!(results[5], json!(false));
            assert_eq!(
                (&results[6], &results[7]),
                (&json!({ "Ok": null }), &json!({ "Err": "timeout" })),
                "as if closed"
            );
            assert_eq!(results[8], json!(null));
            assert_eq!(results[11], json!({ "Err": { "unknown": "noproc" } }));
            for place in [12, 13, 14] {
                assert!(results[place].to_string().contains("Err"), "{who}: step {place}: {}", results[place]);
            }
            assert_eq!((&results[15], &results[16]), (&json!(null), &denied(apps)));
            let journal = app.journal(who, |journal| journal.len() >= 2).await;
            let journal = Value::from(journal).to_string();
            assert!(journal.contains("noproc"), "it learns nothing by a monitor: {journal}");
        }
        assert_eq!(in_shop(app, "victim", json!("Journal")).await, json!([]), "nothing has reached it");
        assert_eq!(pid_in_shop(app, "victim"), victim, "and it lives");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_lets_messages_through_and_nothing_that_ends_or_holds_up() {
    beside_a_shop(vec![traveller("all", &["shop"]), traveller("some", &["shop/till"])], async |app| {
        let (victim, till) = (pid_in_shop(app, "victim"), pid_in_shop(app, "till"));
        let echo = json!({ "Echo": 1 });
        let by_name = json!({ "name": "//shop/till" });
        for (who, to) in [("all", &victim), ("all", &till), ("some", &till)] {
            let results = app
                .steps(
                    who,
                    json!([
                        { "Send": { "to": { "pid": to }, "body": HELLO } },
                        { "Call": { "to": { "pid": to }, "body": echo } },
                        { "Call": { "to": by_name, "body": echo } },
                        { "IsAlive": { "pid": to } },
                        { "Whereis": { "name": "//shop/till" } },
                        { "Whereis": { "name": "//shop/nobody" } },
                        { "Link": { "to": to } },
                        { "Exit": { "to": to, "reason": "killed" } },
                        { "Kill": { "to": to } },
                        { "StopServer": { "to": by_name, "reason": "normal" } },
                        { "System": { "target": by_name, "ask": "Suspend" } },
                    ]),
                )
                .await;
            let fine = json!({ "Ok": null });
            let one = json!({ "Ok": 1 });
            assert_eq!(
                [&results[0], &results[1], &results[2], &results[3]],
                [&fine, &one, &one, &json!(true)],
                "{who}"
            );
            assert_eq!([&results[4], &results[5]], [&json!(till), &json!(null)]);
            assert!(results[6].to_string().contains("cannot be granted"), "{}", results[6]);
            assert!(results[9].to_string().contains("cannot be granted"), "{}", results[9]);
            assert!(results[10].to_string().contains("Err"), "{}", results[10]);
            let alive = json!([{ "IsAlive": { "pid": to } }]);
            assert_eq!(app.steps(who, alive).await, json!([true]));
        }
        let results = app.steps("some", json!([{ "Send": { "to": { "pid": victim }, "body": HELLO } }])).await;
        assert_eq!(results[0], denied("apps = [\"shop\"]"), "it may go to the till only");

        // A monitor tells of the end, and a timer arrives.
        app.ask("all", json!({ "Monitor": { "target": { "pid": till } } })).await;
        app.ask("some", json!({ "SendAfter": { "after_ms": 0, "to": by_name, "body": "later" } })).await;
        eventually("the timer", || {
            let pid = app.runtime.whereis(SHOP, "till")?;
            app.runtime.inspect(pid).filter(|till| till.process.statistics.messages_in >= 7).map(|_| ())
        })
        .await;
        app.runtime.kill(app.runtime.whereis(SHOP, "till").expect("it lives"));
        app.journal("all", |journal| Value::from(journal.to_vec()).to_string().contains("killed")).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_groups_topics_and_registries_are_each_apps_own() {
    let both = vec![Child::probe("victim"), Child::probe("a")];
    beside_a_shop(both, async |app| {
        let places = json!([
            { "Group": { "scope": "pg", "name": "g", "does": { "Join": {} } } },
            { "Topic": { "name": "news", "does": "Subscribe" } },
            { "Registry": { "name": "users", "does": { "Register": { "key": "ada", "value": 1 } } } },
            { "Register": { "name": "second" } },
        ]);
        for results in [app.steps("a", places.clone()).await, in_shop(app, "till", json!({ "Many": places })).await] {
            assert!(!results.to_string().contains("taken"), "{results}");
        }
        app.ask("victim", json!({ "Topic": { "name": "news", "does": { "Broadcast": { "body": HELLO } } } })).await;
        app.journal("a", |journal| Value::from(journal.to_vec()).to_string().contains(HELLO)).await;
        let there = in_shop(app, "till", json!("Journal")).await.to_string();
        assert!(!there.contains(HELLO), "{there}");
        assert_ne!(app.pid_text("victim"), pid_in_shop(app, "victim"), "the same name, another process");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_guesses_pids_finds_nobody_and_is_ended() {
    beside_a_shop(vec![Child::probe("guesser"), Child::probe("forgetful")], async |app| {
        let victim = app.runtime.whereis(SHOP, "victim").expect("it lives");
        // The right number, as every list shows it, and a tag that is one bit off, or small, or the largest.
        let tag = |number: u16| match number % 3 {
            0 => victim.tag ^ (1 << (number % 53)),
            1 => u64::from(number),
            _ => (1 << 53) - 1 - u64::from(number),
        };
        let guess = |number: u16| format!("0.{}.{:x}", victim.id, tag(number));
        let cast = |number: u16| json!({ "Cast": { "to": { "pid": guess(number) }, "body": HELLO } });
        let casts = |numbers: std::ops::Range<u16>| Value::from_iter(numbers.map(cast));
        for name in ["guesser", "forgetful"] {
            app.steps(name, casts(0..MADE_UP)).await;
        }
        // Those who were there once are no guesses.
        let gone = app.steps("forgetful", json!([{ "Spawn": { "module": "probe" } }])).await[0]["Ok"]["pid"].take();
        app.ask("forgetful", json!({ "Kill": { "to": gone } })).await;
        let to_gone = json!({ "Cast": { "to": { "pid": gone }, "body": HELLO } });
        app.steps("forgetful", Value::from(vec![to_gone; 100])).await;

        app.send("guesser", &json!({ "do": casts(0..1) }));
        let end = || app.crashes("guesser").pop();
        assert_eq!(eventually("the end", end).await, ExitReason::limit("pids that were never given"));
        assert_eq!(in_shop(app, "victim", json!("Journal")).await, json!([]));
        assert_eq!(app.ask("forgetful", json!({ "Echo": 1 })).await, json!(1));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn so_many_processes_of_a_module_as_the_grant_says() {
    let few = |process: &mut skep_runtime::spec::ProcessSpec| {
        Arc::make_mut(&mut process.grants).spawn = vec![SpawnGrant { module: "probe".into(), most: 2 }];
    };
    in_both_modes(vec![Child::probe("parent").process(few)], async |app| {
        let spawn = json!({ "Spawn": { "module": "probe" } });
        let mut results = app.steps("parent", Value::from(vec![spawn.clone(); 3])).await;
        assert_eq!(results[2], json!({ "Err": { "refused": { "limit": "processes of this module" } } }));
        // What its supervisors hold counts as well.
        let supervisor = json!({ "StartSupervisor": { "children": [{ "id": "c", "start": { "process": { "module": "probe", "args": { "json": "null" } } } }] } });
        let refusal = app.ask("parent", supervisor.clone()).await.to_string();
        assert!(refusal.contains("processes of this module"), "{refusal}");
        // One that has ended makes room for another.
        app.ask("parent", json!({ "Kill": { "to": results[0]["Ok"]["pid"].take() } })).await;
        let started = std::time::Instant::now();
        while app.ask("parent", spawn.clone()).await["Ok"].is_null() {
            assert!(started.elapsed() < PATIENCE, "the place is never given back");
        }
        // And who it has spawned has the same right, and no more.
        let child = results[1]["Ok"]["pid"].take();
        let nested = json!({ "Call": { "to": { "pid": child }, "body": { "Many": vec![spawn; 3] } } });
        let nested = app.ask("parent", nested).await.to_string();
        assert_eq!(nested.matches("processes of this module").count(), 1, "{nested}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_registered_and_looked_up_as_granted() {
    let names = |process: &mut skep_runtime::spec::ProcessSpec| {
        let grants = Arc::make_mut(&mut process.grants);
        (grants.register, grants.look_up) = (vec!["room:*".into()], vec!["bank".into()]);
    };
    let children = vec![
        Child::probe("p").process(|process| process.name = None).process(names),
        Child::probe("bank"),
        Child::probe("vault"),
        Child::probe("o"),
    ];
    in_both_modes(children, async |app| {
        let p = app
            .runtime
            .processes()
            .into_iter()
            .find(|process| process.label.as_deref() == Some("p"))
            .expect("it lives");
        let steps = json!([
            { "Register": { "name": "bank:1" } },
            { "Register": { "name": "room:1" } },
            { "Whereis": { "name": "bank" } },
            { "Whereis": { "name": "vault" } },
            { "StopServer": { "to": { "name": "vault" }, "reason": "normal" } },
            { "Spawn": { "module": "probe", "name": "other" } },
            { "Call": { "to": { "name": "vault" }, "body": { "Echo": 1 } } },
        ]);
        let call = json!({ "Call": { "to": { "pid": p.pid.to_text() }, "body": { "Many": steps } } });
        let results = app.ask("o", call).await["Ok"].take();
        assert_eq!(results[0], denied("names = { register = [\"bank:1\"] }"));
        assert_eq!((&results[1], &results[2]), (&json!({ "Ok": null }), &json!(app.pid_text("bank"))));
        assert_eq!(results[3], json!(null));
        assert_eq!(results[4], refused("not granted: names = { look_up = [\"vault\"] }"));
        assert_eq!(results[5], json!({ "Err": { "refused": { "denied": "names = { register = [\"other\"] }" } } }));
        assert_eq!(results[6], json!({ "Ok": 1 }), "whoever knows a name may write to it");
    })
    .await;
}
