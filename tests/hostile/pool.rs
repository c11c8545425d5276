//! More processes than there is room for: instances are taken back and made anew, and whoever wants one gets it.

use serde_json::{Value, json};
use skep_runtime::EngineConfig;
use skep_runtime::engine::Class;
use skep_runtime::kernel::{Address, Body};
use skep_runtime::spec::Keep;
use skep_tests::{Child, TestApp, app, eventually};
use tokio::task::JoinSet;

use super::{add, gone, is_spinning, live};

const SLOTS: u32 = 4;

/// An app on few places: those of the small class, and of the large one, which helps out where the small one is full.
async fn cramped(large_slots: u32, children: impl IntoIterator<Item = Child>) -> TestApp {
    let engine = EngineConfig { slots: Some(SLOTS), large_slots, ..EngineConfig::default() };
    let started = TestApp::try_start_on(engine, Keep::WhileItFits, app::supervisor(children)).await;
    started.unwrap_or_else(|error| panic!("the app does not start: {error}"))
}

fn names(what: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{what}-{number}")).collect()
}

/// Calls all of these at once, and brings the answers in no order.
async fn ask_all(app: &TestApp, names: &[String], request: &Value) -> Vec<Value> {
    let mut calls = JoinSet::new();
    for name in names {
        let (runtime, to) = (app.runtime.clone(), Address::Name(name.as_str().into()));
        let body = Body::Json(request.to_string());
        calls.spawn(async move { runtime.call("test", to, body, Some(app::PATIENCE)).await });
    }
    let mut answers = Vec::new();
    while let Some(answer) = calls.join_next().await {
        match answer.expect("no panic") {
            Ok(Body::Json(text)) => answers.push(serde_json::from_str(&text).expect("JSON")),
            other => panic!("not an answer to {request}: {other:?}"),
        }
    }
    answers
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_counters_share_four_places() {
    let _turn = crate::turn().await;
    let counters = names("counter", 20);
    let app = cramped(0, counters.iter().map(|name| Child::new(name, "counter", &json!(0)))).await;
    for round in 1..=5 {
        for name in &counters {
            assert_eq!(app.ask(name, json!({ "Add": 1 })).await, json!(round), "one after the other");
        }
    }
    for round in 6..=25 {
        let answers = ask_all(&app, &counters, &json!({ "Add": 1 })).await;
        assert_eq!(answers, vec![json!(round); 20], "all at once");
    }
    assert!(live(&app, Class::Small) <= SLOTS);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_finds_all_places_busy_gets_one_when_somebody_rests() {
    let _turn = crate::turn().await;
    let spinners = names("spinner", SLOTS as usize);
    let children = spinners.iter().map(|name| Child::new(name, "spinner", &Value::Null));
    let app = cramped(0, std::iter::once(Child::new("counter", "counter", &json!(0))).chain(children)).await;
    for round in 1..=5 {
        let over = std::cell::Cell::new(false);
        let work = async {
            ask_all(&app, &spinners, &json!({ "Work": 20_000_000 })).await;
            over.set(true);
        };
        let count = async {
            eventually("some to be busy, or to have been", || {
                let busy = spinners.iter().filter(|name| is_spinning(&app, app.pid(name)));
                (over.get() || busy.count() > 1).then_some(())
            })
            .await;
            app.ask("counter", json!({ "Add": 1 })).await
        };
        let ((), count) = tokio::join!(work, count);
        assert_eq!(count, json!(round));
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_keep_their_places_and_the_next_one_waits_for_one() {
    let _turn = crate::turn().await;
    let counter = Child::new("counter", "counter", &json!(0));
    let task = |id: &String| Child::new(id, "probe-task", &json!([{ "Receive": { "timeout_ms": null } }]));
    let tasks = names("task", SLOTS as usize);
    let app = cramped(0, std::iter::once(counter).chain(tasks.iter().map(task))).await;
    eventually("all tasks to wait", || {
        let blocked = app.runtime.processes().iter().filter(|process| process.status == "blocked").count();
        (blocked == tasks.len()).then_some(())
    })
    .await;
    let late = "late".to_owned();
    let starts = async { add(&app, task(&late)).await.expect("it starts") };
    let counts = app.ask("counter", json!({ "Add": 1 }));
    let ends = async {
        for name in &tasks {
            app.send(name, &json!("go on"));
            gone(&app, name).await;
        }
    };
    let (late, count, ()) = tokio::join!(starts, counts, ends);
    assert!(app.is_alive(late.expect("a task")));
    assert_eq!(count, json!(1));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_that_hold_all_places_get_their_answers() {
    let _turn = crate::turn().await;
    let callers = names("caller", 2 * SLOTS as usize);
    let children = callers.iter().map(|name| Child::probe(name));
    let app = cramped(64, std::iter::once(Child::new("counter", "counter", &json!(0))).chain(children)).await;
    let call = json!({ "Call": { "to": { "name": "counter" }, "body": { "Add": 1 }, "timeout_ms": 20_000 } });
    let mut counts: Vec<u64> =
        ask_all(&app, &callers, &call).await.iter().map(|answer| answer["Ok"].as_u64().unwrap_or(0)).collect();
    counts.sort();
    assert_eq!(counts, (1..=2 * u64::from(SLOTS)).collect::<Vec<_>>());
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_beyond_all_places_wait_no_longer_than_their_calls() {
    let _turn = crate::turn().await;
    // Twelve callers, six places in both classes together: nobody is left whom the counter could ask for one.
    let callers = names("caller", 12);
    let children = callers.iter().map(|name| Child::probe(name));
    let app = cramped(2, std::iter::once(Child::new("counter", "counter", &json!(0))).chain(children)).await;
    let call = json!({ "Call": { "to": { "name": "counter" }, "body": { "Add": 1 }, "timeout_ms": 200 } });
    let outcomes = ask_all(&app, &callers, &call).await;
    let timeout = json!({ "Err": "timeout" });
    assert!(outcomes.iter().all(|outcome| outcome["Ok"].is_u64() || *outcome == timeout), "{outcomes:?}");
    // A call whose time is up may still be performed, and none is performed twice.
    assert_eq!(app.ask("counter", json!("Get")).await, json!(callers.len()));
    app.stop().await;
}
