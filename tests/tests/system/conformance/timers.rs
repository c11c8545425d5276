//! TMR: never early, in order, and gone when cancelled.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use skep_tests::in_both_modes;

use super::{heard, probes, task};

#[tokio::test(flavor = "multi_thread")]
async fn tmr_01_a_timer_is_never_early() {
    in_both_modes(probes(["a"]), async |app| {
        for after_ms in [0, 1, 7, 30] {
            let started = Instant::now();
            app.ask("a", json!({ "StartTimer": { "after_ms": after_ms, "body": after_ms } })).await;
            app.ask("a", json!({ "SendAfter": { "after_ms": after_ms, "to": { "name": "a" }, "body": after_ms } }))
                .await;
            heard(app, "a", "timer", 1).await;
            heard(app, "a", "info", 1).await;
            assert!(started.elapsed() >= Duration::from_millis(after_ms), "{:?} < {after_ms} ms", started.elapsed());
            app.ask("a", json!("Take")).await;
            let started = Instant::now();
            let results = task(app, "a", json!([{ "Receive": { "timeout_ms": after_ms } }])).await;
            assert_eq!(results, [Value::Null]);
            assert!(started.elapsed() >= Duration::from_millis(after_ms));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tmr_02_a_timer_is_an_event_with_its_mark_and_send_after_a_plain_message() {
    in_both_modes(probes(["a", "b"]), async |app| {
        let b = app.pid_text("b");
        let results = app
            .steps(
                "a",
                json!([
                    { "StartTimer": { "after_ms": 1, "body": "ring" } },
                    { "SendAfter": { "after_ms": 1, "to": { "name": "b" }, "body": "by name" } },
                    { "SendAfter": { "after_ms": 5, "to": { "pid": b }, "body": "by pid" } },
                    { "SendAfter": { "after_ms": 60_000, "to": { "pid": b }, "body": "never" } },
                    { "StartTimer": { "after_ms": 60_000, "body": "never" } },
                    { "Left": { "mark": { "step": 3 } } },
                    { "Cancel": { "mark": { "step": 3 } } },
                    { "Cancel": { "mark": { "step": 4 } } }
                ]),
            )
            .await;
        for left in 5..8 {
            let left = results[left].as_u64().expect("milliseconds");
            assert!((1..=60_000).contains(&left), "{left} ms are left");
        }
        assert_eq!(heard(app, "a", "timer", 1).await, [json!({ "mark": results[0], "body": "ring" })]);
        let infos = heard(app, "b", "info", 2).await;
        assert!(infos.contains(&json!("by name")) && infos.contains(&json!("by pid")), "{infos:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tmr_03_deadlines_decide_the_order() {
    in_both_modes(probes(["a"]), async |app| {
        let arm = |after_ms: u64| json!({ "StartTimer": { "after_ms": after_ms, "body": after_ms } });
        let send =
            |after_ms: u64| json!({ "SendAfter": { "after_ms": after_ms, "to": { "name": "a" }, "body": after_ms } });
        app.steps("a", json!([arm(600), send(200), arm(400), send(800)])).await;
        let journal = app.journal("a", |journal| journal.len() >= 4).await;
        let order: Vec<u64> =
            journal.iter().filter_map(|entry| entry["info"].as_u64().or(entry["timer"]["body"].as_u64())).collect();
        assert_eq!(order, [200, 400, 600, 800]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tmr_04_cancelling_says_what_was_left_and_nothing_arrives() {
    in_both_modes(probes(["a"]), async |app| {
        let cancel = json!({ "Cancel": { "mark": { "step": 0 } } });
        for start in [
            json!({ "StartTimer": { "after_ms": 250, "body": "never" } }),
            json!({ "SendAfter": { "after_ms": 250, "to": { "name": "a" }, "body": "never" } }),
        ] {
            let results = app.steps("a", json!([start, cancel, cancel, { "Left": { "mark": { "step": 0 } } }])).await;
            assert!(results[1].as_u64().is_some_and(|left| left <= 250), "{results}");
            assert_eq!((&results[2], &results[3]), (&Value::Null, &Value::Null), "the second time there is nothing");
            app.ask("a", json!({ "StartTimer": { "after_ms": 300, "body": "later" } })).await;
            heard(app, "a", "timer", 1).await;
            let journal = app.ask("a", json!("Take")).await;
            assert_eq!(journal.as_array().map(Vec::len), Some(1), "{journal}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tmr_04_a_timer_that_has_fired_cannot_be_cancelled_and_is_in_the_mailbox() {
    in_both_modes(probes(["a"]), async |app| {
        let results = task(
            app,
            "a",
            json!([
                { "StartTimer": { "after_ms": 1, "body": "fired" } },
                { "StartTimer": { "after_ms": 20, "body": "later" } },
                { "ReceiveOnly": { "marks": [{ "step": 1 }] } },
                { "Cancel": { "mark": { "step": 0 } } },
                { "ReceiveOnly": { "marks": [{ "step": 0 }], "timeout_ms": 0 } },
                { "Receive": { "timeout_ms": 0 } }
            ]),
        )
        .await;
        assert_eq!(results[3], Value::Null, "it is too late");
        assert_eq!(results[4], json!({ "timer": { "mark": results[0], "body": "fired" } }), "so it is flushed");
        assert_eq!(results[5], Value::Null);
    })
    .await;
}
