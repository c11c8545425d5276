//! Upgrades while everybody is at work: nothing lost, nothing doubled, nothing out of order.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use serde_json::json;
use skep_runtime::kernel::{Address, Body};
use skep_tests::{Child, TestApp, in_both_modes};

use super::counter;

/// Upgrades in a row.
const UPGRADES: usize = 100;
/// Notes that may wait in the counter's mailbox: an honest client waits when it is so far ahead.
const AHEAD: i64 = 2_000;

#[tokio::test(flavor = "multi_thread")]
async fn hot_02_a_hundred_upgrades_under_load_lose_double_and_reorder_nothing() {
    in_both_modes([counter("a"), counter("b"), counter("c")], async |app| {
        let over = AtomicBool::new(false);
        let calls = AtomicI64::new(0);
        let callers = async {
            tokio::join!(
                caller(app, "a", &over, &calls),
                caller(app, "b", &over, &calls),
                caller(app, "a", &over, &calls)
            )
        };
        let noters =
            async { tokio::join!(noter(app, "a", 1, &over), noter(app, "a", 2, &over), noter(app, "c", 1, &over)) };
        let upgrades = async {
            let codes = ["counter-v2", "counter-v3", "counter-v2", "counter"].map(|code| app.load(code));
            let mut waited_for = 0;
            for code in codes.iter().cycle().take(UPGRADES) {
                // Something happens between any two.
                let before = calls.load(Ordering::SeqCst);
                while calls.load(Ordering::SeqCst) < before + 3 {
                    tokio::task::yield_now().await;
                }
                let summary = app.upgrade("counter", code.clone()).await.unwrap_or_else(|error| panic!("{error}"));
                assert_eq!(summary.migrated, 3);
                waited_for += summary.waited_for;
            }
            over.store(true, Ordering::SeqCst);
            waited_for
        };
        let (waited_for, (one, two, three), (notes_1, notes_2, notes_c)) = tokio::join!(upgrades, callers, noters);
        println!("{} calls, {} notes, {waited_for} waited for", one + two + three, notes_1 + notes_2 + notes_c);
        assert_eq!(app.ask("a", json!("Get")).await, json!(40 + one + three));
        assert_eq!(app.ask("b", json!("Get")).await, json!(40 + two));
        for (name, client, sent) in [("a", 1, notes_1), ("a", 2, notes_2), ("c", 1, notes_c)] {
            assert_eq!(app.ask(name, json!({ "Noted": client })).await, json!(sent), "{name} {client}");
            assert_eq!(app.ask(name, json!("Violations")).await, json!(0), "{name}");
        }
        assert!(app.reports().is_empty(), "nobody crashed: {:?}", app.reports());
    })
    .await;
}

/// Adds one after the other: how often.
async fn caller(app: &TestApp, name: &str, over: &AtomicBool, calls: &AtomicI64) -> i64 {
    let mut added = 0;
    while !over.load(Ordering::SeqCst) {
        app.ask(name, json!({ "Add": 1 })).await;
        added += 1;
        calls.fetch_add(1, Ordering::SeqCst);
    }
    added
}

/// Sends numbered casts as fast as they are taken: how many.
async fn noter(app: &TestApp, name: &str, client: u64, over: &AtomicBool) -> i64 {
    let (mut number, mut noted) = (0, 0);
    while !over.load(Ordering::SeqCst) {
        number += 1;
        let note = json!({ "Note": { "client": client, "number": number } });
        let to = Address::Name(name.into());
        app.runtime.cast("test", &to, Body::Json(note.to_string())).unwrap_or_else(|error| panic!("{error:?}"));
        if number % 16 == 0 {
            tokio::task::yield_now().await;
        }
        while number - noted > AHEAD {
            noted = app.ask(name, json!({ "Noted": client })).await.as_i64().unwrap_or_default();
        }
    }
    number
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_born_meanwhile_takes_part() {
    in_both_modes([Child::probe("parent")], async |app| {
        let over = AtomicBool::new(false);
        let births = async {
            let mut born = Vec::new();
            while !over.load(Ordering::SeqCst) {
                let child = app.ask("parent", json!({ "Spawn": { "module": "counter", "args": 7 } })).await;
                born.push(child["Ok"]["pid"].clone());
                if born.len() > 200 {
                    let first = born.remove(0);
                    app.ask("parent", json!({ "Kill": { "to": first } })).await;
                }
            }
            born
        };
        let upgrades = async {
            let codes = ["counter-v2", "counter-v3", "counter"].map(|code| app.load(code));
            for code in codes.iter().cycle().take(30) {
                app.upgrade("counter", code.clone()).await.unwrap_or_else(|error| panic!("{error}"));
            }
            app.upgrade("counter", codes[1].clone()).await.unwrap_or_else(|error| panic!("{error}"));
            over.store(true, Ordering::SeqCst);
        };
        let (born, ()) = tokio::join!(births, upgrades);
        assert!(!born.is_empty());
        for pid in born {
            let call = |body: &str| json!({ "Call": { "to": { "pid": pid }, "body": body } });
            assert_eq!(app.ask("parent", call("Version")).await, json!({ "Ok": 3 }));
            assert_eq!(app.ask("parent", call("Get")).await, json!({ "Ok": 7 }));
        }
    })
    .await;
}
