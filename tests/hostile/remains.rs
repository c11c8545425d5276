//! What the dead leave behind: nothing.

use serde_json::{Value, json};
use skep_runtime::EngineConfig;
use skep_runtime::engine::Class;
use skep_runtime::kernel::{Address, Body, ExitReason, Pid};
use skep_runtime::spec::Keep;
use skep_tests::{Child, TestApp, app, eventually};

use super::{add, gone, is_spinning, live};

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_births_and_deaths_leave_nothing() {
    let _turn = crate::turn().await;
    let engine = EngineConfig { slots: Some(2), ..EngineConfig::default() };
    let started = TestApp::try_start_on(engine, Keep::WhileItFits, app::supervisor([])).await;
    let app = started.unwrap_or_else(|error| panic!("the app does not start: {error}"));
    let alone = app.runtime.processes().len();
    for round in 0..1_000 {
        let pid = add(&app, Child::new("spinner", "spinner", &Value::Null)).await.expect("it starts").expect("a pid");
        if round % 10 == 0 {
            // Killed in the middle of a call.
            let runtime = app.runtime.clone();
            tokio::spawn(
                async move { runtime.call("test", Address::Pid(pid), Body::Json(r#""Spin""#.into()), None).await },
            );
            eventually("the spinner to spin", || is_spinning(&app, pid).then_some(())).await;
        }
        app.runtime.kill(pid);
        gone(&app, "spinner").await;
    }
    assert_eq!(app.runtime.processes().len(), alone);
    assert_eq!(live(&app, Class::Small), 0);
    assert!(app.whereis("spinner").is_none());
    for name in ["a", "b", "c"] {
        add(&app, Child::new(name, "counter", &json!(1))).await.expect("there is room");
        assert_eq!(app.ask(name, json!("Get")).await, json!(1));
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_place_of_a_killed_spinner_comes_back() {
    let _turn = crate::turn().await;
    let engine = EngineConfig { slots: Some(1), ..EngineConfig::default() };
    let spinner = || Child::new("spinner", "spinner", &Value::Null).limits(|limits| limits.fuel_per_message = 1 << 52);
    let started = TestApp::try_start_on(engine, Keep::WhileItFits, app::supervisor([])).await;
    let app = started.unwrap_or_else(|error| panic!("the app does not start: {error}"));
    for _ in 0..20 {
        let pid = add(&app, spinner()).await.expect("there is room").expect("a pid");
        let kill = async {
            eventually("the spinner to spin", || is_spinning(&app, pid).then_some(())).await;
            app.runtime.kill(pid);
        };
        let (end, ()) = tokio::join!(app.call("spinner", json!("Spin")), kill);
        assert_eq!(super::ended(end), ExitReason::Killed);
        gone(&app, "spinner").await;
        assert_eq!(live(&app, Class::Small), 0);
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_offered_to_one_who_dies_goes_to_the_next() {
    let _turn = crate::turn().await;
    let engine = EngineConfig { slots: Some(1), large_slots: 0, ..EngineConfig::default() };
    let app = TestApp::try_start_on(engine, Keep::WhileItFits, app::supervisor([])).await;
    let app = app.unwrap_or_else(|error| panic!("the app does not start: {error}"));
    let spinner = Child::new("spinner", "spinner", &Value::Null).limits(|limits| limits.fuel_per_message = 1 << 52);
    let children = [Child::new("first", "counter", &json!(0)), Child::new("second", "counter", &json!(0)), spinner];
    let call = |to: Pid, body: &str| {
        let (runtime, body) = (app.runtime.clone(), Body::Json(body.into()));
        tokio::spawn(async move { runtime.call("test", Address::Pid(to), body, Some(app::PATIENCE)).await })
    };
    let waits = |pid: Pid| {
        let rests = |status| !matches!(status, "running" | "runnable");
        let processes = app.runtime.processes();
        processes.iter().any(|it| it.pid == pid && it.mailbox_messages == 1 && rests(it.status)).then_some(())
    };
    for _ in 0..200 {
        let mut pids = Vec::new();
        for child in &children {
            pids.push(add(&app, child.clone()).await.expect("it starts").expect("a pid"));
        }
        let [first, second, spinner] = pids[..] else { panic!("three children") };
        // The last one started has the only place, and the others wait for it, in this order.
        let spin = call(spinner, r#""Spin""#);
        eventually("the spinner to spin", || is_spinning(&app, spinner).then_some(())).await;
        let unanswered = call(first, r#""Get""#);
        eventually("the first to wait", || waits(first)).await;
        let answer = call(second, r#""Get""#);
        eventually("the second to wait", || waits(second)).await;
        app.runtime.kill(spinner);
        app.runtime.kill(first);
        assert!(spin.await.expect("no panic").is_err(), "killed");
        // It may have been quick enough.
        let _ = unanswered.await.expect("no panic");
        assert_eq!(answer.await.expect("no panic"), Ok(Body::Json("0".into())), "the second gets the place");
        app.runtime.kill(second);
        for name in ["first", "second", "spinner"] {
            gone(&app, name).await;
        }
    }
    app.stop().await;
}
