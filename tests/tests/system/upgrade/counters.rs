//! The counter in three versions, up and down.

use serde_json::json;
use skep_runtime::reconfigure::Reconfiguration;
use skep_runtime::spec::{AppSpec, Grants, Keep};
use skep_tests::{TestApp, in_both_modes};

use super::{counter, version};

#[tokio::test(flavor = "multi_thread")]
async fn a_counter_goes_up_and_comes_back() {
    in_both_modes([counter("a"), counter("b")], async |app| {
        let pids = [app.pid("a"), app.pid("b")];
        assert_eq!(app.ask("a", json!({ "Add": 2 })).await, json!(42));
        let codes = [("counter-v2", 2), ("counter-v3", 3), ("counter", 1), ("counter-v3", 3), ("counter-v2", 2)];
        for (code, number) in codes {
            let summary =
                app.upgrade("counter", app.load(code)).await.unwrap_or_else(|error| panic!("{code}: {error}"));
            assert_eq!((summary.migrated, summary.tasks, summary.not_begun), (2, 0, 0), "{code}");
            assert!(summary.state_bytes > 0 && summary.pause.max >= summary.pause.p50, "{summary:?}");
            assert_eq!([app.pid("a"), app.pid("b")], pids, "{code}");
            assert_eq!(version(app, "a").await, number, "{code}");
            assert_eq!(version(app, "b").await, number, "{code}");
            assert_eq!(app.ask("a", json!("Get")).await, json!(42), "{code}");
            assert_eq!(app.ask("b", json!("Get")).await, json!(40), "{code}");
        }
    })
    .await;
}

/// A process of it may call, but not spawn: nobody finds out by the first refusal.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_new_code_imports_without_a_grant_is_told() {
    let app = TestApp::start(Keep::WhileItFits, []).await;
    let mut spec: AppSpec = app.runtime.app_spec("test").expect("it runs");
    for module in &mut spec.modules {
        module.grants = Grants::default().into();
    }
    app.runtime.reconfigure(Reconfiguration::new(spec), |_| {}).await.unwrap_or_else(|error| panic!("{error}"));
    let mut told = Vec::new();
    // Forth, and back: what was imported before is no news.
    for code in ["probe", "counter"] {
        let summary = app.upgrade("counter", app.load(code)).await.unwrap_or_else(|error| panic!("{error}"));
        told.push(summary.ungranted.iter().map(ToString::to_string).collect::<Vec<_>>());
    }
    let of = |interface| {
        format!(
            "module counter now imports skep:process/{interface}@0.1.0, and no process of it has a grant for that: using \
             it is refused"
        )
    };
    assert!(told[0].contains(&of("spawning")) && told[0].contains(&of("names")), "{told:?}");
    assert_eq!(told[1], [""; 0]);
    app.stop().await;
}
