//! The shortest roads through everything: if these fail, look here first.

use serde_json::json;
use skep_runtime::kernel::supervisor::Restart;
use skep_runtime::kernel::{CallError, ExitReason};
use skep_runtime::spec::Keep;
use skep_tests::{Child, TestApp, eventually};

/// Both ways in which an instance may be treated.
const MODES: [Keep; 2] = [Keep::WhileItFits, Keep::Never];

#[tokio::test(flavor = "multi_thread")]
async fn a_counter_counts_and_the_app_stops_in_order() {
    for keep in MODES {
        let app = TestApp::start(keep, [Child::new("counter", "counter", &json!(40))]).await;
        assert_eq!(app.ask("counter", json!({ "Add": 1 })).await, json!(41));
        assert_eq!(app.ask("counter", json!({ "Add": 1 })).await, json!(42));
        assert_eq!(app.ask("counter", json!("Get")).await, json!(42));
        assert_eq!(app.stop().await, ExitReason::Shutdown(None));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_probes_talk() {
    for keep in MODES {
        let app = TestApp::start(keep, [Child::probe("a"), Child::probe("b")]).await;
        let b = app.pid_text("b");
        let results = app
            .steps("a", json!([{ "Send": { "to": { "pid": b }, "body": "hello" } }, { "Call": { "to": { "name": "b" }, "body": { "Echo": 7 } } }]))
            .await;
        assert_eq!(results, json!([{ "Ok": null }, { "Ok": 7 }]));
        assert_eq!(app.ask("b", json!("Journal")).await, json!([{ "info": "hello" }, { "call": 7 }]));
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_crashes_is_restarted_and_everything_else_goes_on() {
    for keep in MODES {
        let fragile = Child::new("fragile", "counter", &json!(1)).restart(Restart::Permanent);
        let app = TestApp::start(keep, [fragile, Child::new("other", "counter", &json!(5))]).await;
        let (first, other) = (app.pid("fragile"), app.pid("other"));
        let Err(CallError::Ended(ExitReason::Failed(_))) = app.call("fragile", json!("Fly")).await else {
            panic!("a request it does not know ends it");
        };
        eventually("the restart", || app.whereis("fragile").filter(|pid| *pid != first)).await;
        assert_eq!(app.ask("fragile", json!("Get")).await, json!(1));
        assert_eq!(app.pid("other"), other);
        assert_eq!(app.crashes("fragile").len(), 1);
        assert_eq!(app.stop().await, ExitReason::Shutdown(None));
    }
}
