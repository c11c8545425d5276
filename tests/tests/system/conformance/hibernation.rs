//! HIB: what wakes a process that has given its instance back, where it goes on, and what is left of it meanwhile.

use serde_json::{Value, json};
use skep_runtime::telemetry::{Event, Kind, Subscription, Told};
use skep_tests::app::PATIENCE;
use skep_tests::{TestApp, in_both_modes};

use super::{heard, monitor, probes, process, spawn};

/// Puts a probe to sleep.
async fn sleep(app: &TestApp, name: &str) {
    app.ask(name, json!("Hibernate")).await;
    app.sleeps(name).await;
}

/// Waits until this one has its instance again; it is not asked, for that would wake it.
async fn wakes(app: &TestApp, woken: &mut Subscription, name: &str) {
    let pid = app.pid(name);
    let told = async {
        loop {
            match woken.next().await {
                Some(Told::Event(Event::Wake { subject, .. })) if subject.pid == pid => return,
                Some(Told::Event(_)) => {}
                other => panic!("{name} does not wake: {other:?}"),
            }
        }
    };
    tokio::time::timeout(PATIENCE, told).await.unwrap_or_else(|_| panic!("{name} does not wake"));
}

#[tokio::test(flavor = "multi_thread")]
async fn hib_01_a_message_a_trapped_exit_and_a_down_wake_it() {
    in_both_modes(probes(["a", "b"]), async |app| {
        app.ask("a", json!({ "TrapExit": true })).await;
        let (linked, watched) = (spawn(app, "b", Value::Null).await, spawn(app, "b", Value::Null).await);
        app.ask("a", json!({ "Link": { "to": linked } })).await;
        monitor(app, "a", watched.clone()).await;
        for (kind, by) in [("info", None), ("exit", Some(&linked)), ("down", Some(&watched))] {
            sleep(app, "a").await;
            let mut woken = app.runtime.subscribe(&[Kind::Wake], 1_000);
            match by {
                None => app.send("a", &json!("hello")),
                Some(pid) => {
                    app.ask("b", json!({ "Kill": { "to": pid } })).await;
                }
            }
            wakes(app, &mut woken, "a").await;
            assert_eq!(heard(app, "a", kind, 1).await.len(), 1, "{kind}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hib_02_it_goes_on_in_restore_and_then_with_what_woke_it() {
    in_both_modes(probes(["a"]), async |app| {
        let restores = async || app.ask("a", json!("Restores")).await.as_u64().expect("a number");
        let before = restores().await;
        // What the steps behind it would do is done before it sleeps: nothing is left to go on with.
        let steps = json!({ "Many": [{ "Echo": "one" }, "Hibernate", { "Echo": "two" }] });
        app.ask("a", steps).await;
        app.sleeps("a").await;
        assert_eq!(app.ask("a", json!({ "Echo": "three" })).await, json!("three"));
        assert!(restores().await > before);
        assert_eq!(heard(app, "a", "call", 3).await, ["one", "two", "three"].map(Value::from));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hib_03_nothing_is_left_but_the_state_and_that_stays_as_small() {
    in_both_modes(probes(["a"]), async |app| {
        sleep(app, "a").await;
        let first = process(app, "a").saved_bytes.expect("it sleeps");
        for _ in 0..100 {
            sleep(app, "a").await;
        }
        let last = process(app, "a");
        // It counts how often it was restored, and that number may need more digits.
        let saved = last.saved_bytes.expect("it sleeps");
        assert!(saved <= first + 8, "{first} {saved}");
        assert_eq!(last.memory_bytes, Some(0));
        let usage = app.runtime.usage();
        assert_eq!((usage[0].total.instances, usage[0].total.memory_bytes), (0, saved as u64));
    })
    .await;
}
