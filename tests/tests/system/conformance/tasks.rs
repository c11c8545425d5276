//! TASK: tasks that start tasks and wait for them, by real guests. Times and orders in all their cases are tested natively,
//! in guest-sdk/tests/tasks.rs.

use serde_json::{Value, json};
use skep_tests::{TestApp, in_both_modes};

use super::{custom, heard, of_kind, probes, reason, task};

fn start(steps: &Value) -> Value {
    json!({ "StartTask": { "steps": steps } })
}

fn start_nolink(steps: &Value) -> Value {
    json!({ "StartTask": { "steps": steps, "link": false } })
}

/// What is left in the mailbox of a task.
fn left() -> Value {
    json!({ "Receive": { "timeout_ms": 0 } })
}

/// Brings `null` after so long.
fn slow(ms: u64) -> Value {
    json!([{ "Receive": { "timeout_ms": ms } }])
}

fn never() -> Value {
    json!([{ "Receive": {} }])
}

/// Why a task with these steps ends.
async fn fate(app: &TestApp, steps: Value) -> Value {
    let spawn = json!({ "Spawn": { "module": "probe-task", "args": steps, "monitor": true } });
    let child = app.ask("a", spawn).await;
    reason(app, "a", &child["Ok"]["mark"]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn task_01_await_brings_the_result_and_leaves_nothing() {
    in_both_modes(probes(["a"]), async |app| {
        let steps = json!(["Me", start(&json!(["Me"])), { "Await": { "task": { "step": 1 } } }, left()]);
        let results = task(app, "a", steps).await;
        assert_eq!(results[2], json!([results[1]["pid"]]));
        assert_eq!(results[1]["owner"], results[0]);
        assert_eq!(results[3], Value::Null);
        let trapping =
            json!([{ "TrapExit": true }, start(&json!(["Me"])), { "Await": { "task": { "step": 1 } } }, { "Receive": {} }, left()]);
        let results = task(app, "a", trapping).await;
        assert_eq!(results[3]["exit"]["reason"], "normal", "it was linked");
        assert_eq!(results[4], Value::Null);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn task_02_awaiting_in_vain_ends_the_owner() {
    in_both_modes(probes(["a"]), async |app| {
        let steps = json!([start(&never()), { "Await": { "task": { "step": 0 }, "timeout_ms": 20 } }]);
        let why = fate(app, steps).await;
        assert!(why["failed"].as_str().is_some_and(|text| text.starts_with("timeout")), "{why}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn task_03_a_task_that_fails_ends_whoever_waits() {
    in_both_modes(probes(["a"]), async |app| {
        let awaits = |start: Value| json!([start, { "Await": { "task": { "step": 0 } } }]);
        let trapping = |start: Value| json!([{ "TrapExit": true }, start, { "Await": { "task": { "step": 1 } } }]);
        let fails = json!([{ "Fail": "no" }]);
        let no = json!({ "failed": "no" });
        assert_eq!(fate(app, awaits(start(&fails))).await, no);
        assert_eq!(fate(app, awaits(start_nolink(&fails))).await, no);
        assert_eq!(fate(app, trapping(start(&fails))).await, no);
        let quits = json!([{ "Stop": { "reason": "normal" } }]);
        let why = fate(app, awaits(start(&quits))).await;
        assert!(why["failed"].as_str().is_some_and(|text| text.ends_with("ended without a result")), "{why}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn task_03_a_task_that_fails_takes_a_linked_owner_along_whatever_that_does() {
    in_both_modes(probes(["a"]), async |app| {
        let elsewhere = |start: Value| json!([start, { "Receive": { "timeout_ms": null } }, left(), left()]);
        let fails = json!([{ "Fail": "no" }]);
        // It waits for anything but the task.
        assert_eq!(fate(app, elsewhere(start(&fails))).await, json!({ "failed": "no" }));
        assert_eq!(fate(app, elsewhere(start_nolink(&fails))).await, "normal", "the loss is all that it hears");
        let quits = json!([{ "Stop": { "reason": "normal" } }]);
        assert_eq!(fate(app, elsewhere(start(&quits))).await, "normal", "a normal end harms nobody");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn task_04_nobody_but_the_owner_may_wait() {
    in_both_modes(probes(["a"]), async |app| {
        let theirs = task(app, "a", json!([start(&never())])).await[0].take();
        for step in ["Await", "Yield", "ShutdownTask", "Ignore"] {
            let why = fate(app, json!([{ step: { "task": theirs, "timeout_ms": 1 } }])).await;
            assert!(why["failed"].as_str().is_some_and(|text| text.contains("belongs to")), "{step}: {why}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn task_05_yield_may_be_repeated() {
    in_both_modes(probes(["a"]), async |app| {
        let ask = |ms: Option<u64>| json!({ "Yield": { "task": { "step": 0 }, "timeout_ms": ms } });
        let results = task(app, "a", json!([start(&slow(200)), ask(Some(0)), ask(Some(1)), ask(None), left()])).await;
        assert_eq!(results[1..], [Value::Null, Value::Null, json!({ "Ok": [null] }), Value::Null]);
        let fails = start_nolink(&json!([{ "Stop": { "reason": custom("x") } }]));
        let results = task(app, "a", json!([fails, ask(None), left()])).await;
        assert_eq!(results[1..], [json!({ "Err": custom("x") }), Value::Null]);
        let many = json!({ "YieldMany": { "tasks": [{ "step": 0 }, { "step": 1 }], "timeout_ms": 300 } });
        let results = task(app, "a", json!([start(&never()), start(&json!([])), many])).await;
        assert_eq!(results[2], json!([null, { "Ok": [] }]));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_is_shut_down_has_ended() {
    in_both_modes(probes(["a"]), async |app| {
        let shutdown = |ms: Option<u64>| json!({ "ShutdownTask": { "task": { "step": 0 }, "timeout_ms": ms } });
        for how in [Some(5_000), None] {
            let results = task(app, "a", json!([start(&never()), shutdown(how), left()])).await;
            assert_eq!(results[1..], [Value::Null, Value::Null], "{how:?}");
        }
        let stubborn = start(&json!([{ "TrapExit": true }, { "Receive": {} }, { "Receive": {} }]));
        let results =
            task(app, "a", json!([stubborn, { "Receive": { "timeout_ms": 100 } }, shutdown(Some(50)), left()])).await;
        assert_eq!(results[2..], [json!({ "Err": "killed" }), Value::Null]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn task_07_nothing_comes_of_an_ignored_task() {
    in_both_modes(probes(["a"]), async |app| {
        let tells = json!({ "SendNamed": { "name": "a", "body": "done" } });
        let ends = [
            json!([{ "Receive": { "timeout_ms": 50 } }, tells]),
            json!([{ "Receive": { "timeout_ms": 50 } }, tells, { "Fail": "no" }]),
        ];
        let ignore = json!({ "Ignore": { "task": { "step": 0 } } });
        for end in &ends {
            let results = task(app, "a", json!([start(end), ignore, { "Receive": { "timeout_ms": 300 } }])).await;
            assert_eq!(results[1..], [Value::Null, Value::Null], "{end}");
        }
        assert_eq!(heard(app, "a", "info", 2).await, [json!("done"), json!("done")], "they went on");
        let wait = json!({ "ReceiveOnly": { "marks": [], "timeout_ms": 300 } });
        let results = task(app, "a", json!([start(&json!(["Me"])), wait, ignore, left()])).await;
        assert_eq!(results[2], json!({ "Ok": [results[0]["pid"]] }), "a result that is there is told");
        assert_eq!(results[3], Value::Null);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn task_08_the_failure_of_an_unlinked_task_is_a_down_and_no_more() {
    in_both_modes(probes(["a"]), async |app| {
        let steps = json!([{ "TrapExit": true }, start_nolink(&json!([{ "Fail": "no" }])), { "Receive": {} }, { "Receive": { "timeout_ms": 200 } }]);
        let results = task(app, "a", steps).await;
        assert_eq!(results[2]["down"]["reason"], json!({ "failed": "no" }));
        assert_eq!(results[2]["down"]["mark"], results[1]["mark"]);
        assert_eq!(results[3], Value::Null);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn task_09_await_many_brings_all_in_order_or_fails_with_the_first() {
    in_both_modes(probes(["a"]), async |app| {
        let many = |steps: &[usize]| {
            let tasks: Vec<Value> = steps.iter().map(|step| json!({ "step": step })).collect();
            json!({ "AwaitMany": { "tasks": tasks } })
        };
        let marked = |ms: u64| start(&json!([slow(ms)[0], { "Whereis": { "name": "a" } }, "Me"]));
        let results = task(app, "a", json!([marked(100), marked(50), marked(0), many(&[0, 1, 2]), left()])).await;
        let pids: Vec<&Value> = results[..3].iter().map(|task| &task["pid"]).collect();
        let brought: Vec<&Value> = (0..3).map(|place| &results[3][place][2]).collect();
        assert_eq!(brought, pids);
        assert_eq!(results[4], Value::Null);
        let fails = start_nolink(&json!([{ "Fail": "no" }]));
        let why = fate(app, json!([start(&never()), fails, many(&[0, 1])])).await;
        assert_eq!(why, json!({ "failed": "no" }));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_tasks_keeps_order_time_and_number() {
    in_both_modes(probes(["a"]), async |app| {
        let item = |ms: u64| json!([slow(ms)[0], "Me"]);
        let stream = json!({ "Stream": { "items": [item(100), item(0), [{ "Fail": "no" }], never()], "max": 2, "timeout_ms": 400 } });
        let results = task(app, "a", json!([stream, left()])).await;
        assert!(results[0][0]["Ok"][1].is_string() && results[0][1]["Ok"][1].is_string(), "{results:?}");
        assert_eq!(results[0][2], json!({ "Err": { "failed": "no" } }));
        assert_eq!(results[0][3], json!({ "Err": { "limit": "time" } }));
        assert_eq!(results[1], Value::Null);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn primes_are_counted_by_tasks_that_start_tasks() {
    in_both_modes(probes(["a"]), async |app| {
        let spawn = json!({ "Spawn": { "module": "primes", "args": { "from": 0, "to": 10_000, "piece": 700 }, "monitor": true } });
        app.ask("a", spawn).await;
        let journal = app.journal("a", |journal| !of_kind(journal, "down").is_empty()).await;
        assert_eq!(of_kind(&journal, "answer")[0]["outcome"], json!({ "Ok": 1229 }));
        assert_eq!(of_kind(&journal, "down")[0]["reason"], "normal");
    })
    .await;
}
