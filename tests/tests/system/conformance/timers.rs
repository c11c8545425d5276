//! TMR: never early, in order, and gone when cancelled.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use skep_runtime::kernel::{Address, Body, CallError};
use skep_tests::{Child, eventually, in_both_modes};

use super::{block, heard, probes, process, task, until};

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
async fn tmr_07_whoever_knows_a_timer_can_ask_for_it_and_cancel_it() {
    in_both_modes(probes(["a", "b"]), async |app| {
        let (a, b) = (app.pid_text("a"), app.pid_text("b"));
        for start in [
            json!({ "StartTimer": { "after_ms": 60_000, "body": "never" } }),
            json!({ "SendAfter": { "after_ms": 60_000, "to": { "name": "b" }, "body": "never" } }),
        ] {
            let mark = app.ask("a", start).await;
            let [left, cancel] = ["LeftOf", "CancelOf"].map(|step| json!({ step: { "owner": a, "mark": mark } }));
            let wrong_owner = json!({ "CancelOf": { "owner": b, "mark": mark } });
            let results = app.steps("b", json!([left, wrong_owner, cancel, cancel, left])).await;
            assert!(results[0].as_u64().is_some_and(|left| (1..=60_000).contains(&left)), "{results}");
            assert!(results[2].as_u64().is_some_and(|left| (1..=60_000).contains(&left)), "{results}");
            assert_eq!((&results[1], &results[3], &results[4]), (&Value::Null, &Value::Null, &Value::Null));
            assert_eq!(app.ask("a", json!({ "Left": { "mark": mark } })).await, Value::Null);
        }
        // One's own are as others'.
        let own = app.ask("a", json!({ "StartTimer": { "after_ms": 60_000, "body": "never" } })).await;
        let cancel = json!({ "CancelOf": { "owner": a, "mark": own } });
        assert!(app.ask("a", cancel).await.is_u64());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tmr_08_times_beyond_what_32_bits_hold_do_not_wrap() {
    in_both_modes(probes(["a"]), async |app| {
        for after_ms in [1_u64 << 31, (1 << 32) - 1, 1 << 32, (1 << 53) - 1] {
            let results = app
                .steps(
                    "a",
                    json!([
                        { "StartTimer": { "after_ms": after_ms, "body": "never" } },
                        { "SendAfter": { "after_ms": after_ms, "to": { "name": "a" }, "body": "never" } },
                        { "Left": { "mark": { "step": 0 } } },
                        { "Cancel": { "mark": { "step": 1 } } }
                    ]),
                )
                .await;
            for step in [2, 3] {
                let left = results[step].as_u64().expect("milliseconds");
                assert!(left <= after_ms && after_ms - left < 60_000, "{left} of {after_ms} ms are left");
            }
        }
        let receive = json!([{ "Receive": { "timeout_ms": (1_u64 << 53) - 1 } }]);
        let spawn = json!({ "Spawn": { "module": "probe-task", "args": receive, "name": "patient" } });
        let pid = app.ask("a", spawn).await["Ok"]["pid"].take();
        until(app, "a", json!({ "Whereis": { "name": "patient" } }), |found| *found == pid).await;
        eventually("it to wait", || (process(app, "patient").status == "blocked").then_some(())).await;
        app.ask("a", json!({ "StartTimer": { "after_ms": 1, "body": "now" } })).await;
        assert_eq!(heard(app, "a", "timer", 1).await.len(), 1, "and no other has gone off");
        assert_eq!(app.ask("a", json!({ "IsAlive": { "pid": pid } })).await, json!(true));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tmr_09_a_timer_may_be_given_the_moment_instead_of_the_time() {
    in_both_modes(probes(["a", "b"]), async |app| {
        let now = app.ask("a", json!("Now")).await.as_u64().expect("milliseconds");
        let (soon, later) = (now + 100, now + 60_000);
        let results = app
            .steps(
                "a",
                json!([
                    { "StartTimerAt": { "at_ms": soon, "body": "soon" } },
                    { "SendAt": { "at_ms": soon, "to": { "name": "b" }, "body": "soon" } },
                    { "StartTimerAt": { "at_ms": 0, "body": "past" } },
                    { "StartTimerAt": { "at_ms": later, "body": "never" } },
                    { "Left": { "mark": { "step": 3 } } }
                ]),
            )
            .await;
        assert!(results[4].as_u64().is_some_and(|left| left <= 60_000), "{results}");
        let timers = heard(app, "a", "timer", 2).await;
        assert_eq!(
            timers,
            [json!({ "mark": results[2], "body": "past" }), json!({ "mark": results[0], "body": "soon" })]
        );
        assert_eq!(heard(app, "b", "info", 1).await, [json!("soon")]);
        // Both look at one clock, which goes by no calendar.
        assert!(app.ask("b", json!("Now")).await.as_u64().is_some_and(|now| now >= soon));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tmr_10_ten_thousand_waits_that_end_at_once_all_end() {
    const MANY: usize = 10_000;
    let patient = Child::probe("b").limits(|limits| limits.mailbox_messages = 2 * MANY);
    in_both_modes([probes(["holder"]), vec![patient]].concat(), async |app| {
        block(app, "b", "holder").await;
        let end = Instant::now() + Duration::from_secs(3);
        let mut waits = tokio::task::JoinSet::new();
        for _ in 0..MANY {
            let (runtime, to) = (app.runtime.clone(), Address::Name("b".into()));
            waits.spawn(async move {
                let body = Body::Json("{}".into());
                runtime.call("test", to, body, Some(end.saturating_duration_since(Instant::now()))).await
            });
        }
        let mut ended = 0;
        while let Some(outcome) = waits.join_next().await {
            assert_eq!(outcome.expect("it waits"), Err(CallError::Timeout));
            assert!(Instant::now() >= end, "not one of them is early");
            ended += 1;
        }
        assert_eq!(ended, MANY);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tmr_10_many_waits_that_end_at_once_all_end() {
    /// Guests, hibernating while they wait.
    const MANY: u64 = 500;
    in_both_modes(probes(["a"]), async |app| {
        let at_ms = app.ask("a", json!("Now")).await.as_u64().expect("milliseconds") + 1_500;
        let wait = json!([{ "SendAt": { "at_ms": at_ms, "to": { "name": "a" }, "body": "up" } }, "Hibernate"]);
        for _ in 0..MANY {
            app.ask("a", json!({ "Spawn": { "module": "probe", "args": wait } })).await;
        }
        assert_eq!(heard(app, "a", "info", usize::try_from(MANY).expect("a small number")).await.len(), 500);
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
