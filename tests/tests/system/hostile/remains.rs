//! What the dead leave behind: nothing.

use serde_json::{Value, json};
use skep_runtime::EngineConfig;
use skep_runtime::engine::Class;
use skep_runtime::spec::Keep;
use skep_tests::{Child, TestApp, app, eventually};

use super::{add, gone, live};

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_births_and_deaths_leave_nothing() {
    let engine = EngineConfig { slots: Some(2), ..EngineConfig::default() };
    let started = TestApp::try_start_on(engine, Keep::WhileItFits, app::supervisor([])).await;
    let app = started.unwrap_or_else(|error| panic!("the app does not start: {error}"));
    let alone = app.runtime.processes().len();
    for round in 0..1_000 {
        let pid = add(&app, Child::new("spinner", "spinner", &Value::Null)).await.expect("it starts").expect("a pid");
        if round % 10 == 0 {
            // Killed in the middle of a call.
            app.send("spinner", &json!("no such message"));
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
    let engine = EngineConfig { slots: Some(1), ..EngineConfig::default() };
    let spinner = || Child::new("spinner", "spinner", &Value::Null).limits(|limits| limits.fuel_per_message = 1 << 52);
    let started = TestApp::try_start_on(engine, Keep::WhileItFits, app::supervisor([])).await;
    let app = started.unwrap_or_else(|error| panic!("the app does not start: {error}"));
    for _ in 0..20 {
        let pid = add(&app, spinner()).await.expect("there is room").expect("a pid");
        let kill = async {
            eventually("the spinner to spin", || {
                let processes = app.runtime.processes();
                processes.iter().find(|it| it.pid == pid && matches!(it.status, "running" | "runnable")).map(|_| ())
            })
            .await;
            app.runtime.kill(pid);
        };
        let (end, ()) = tokio::join!(app.call("spinner", json!("Spin")), kill);
        assert_eq!(super::ended(end), skep_runtime::kernel::ExitReason::Killed);
        gone(&app, "spinner").await;
        assert_eq!(live(&app, Class::Small), 0);
    }
    app.stop().await;
}
