//! Children that crash as often as they are restarted: the supervisor gives up, and says so.

use serde_json::json;
use skep_runtime::StartError;
use skep_runtime::kernel::supervisor::{Restart, Strategy, SupervisorSpec};
use skep_runtime::kernel::{ExitReason, SpawnError};
use skep_runtime::observe::Report;
use skep_runtime::spec::{Blueprint, Keep};
use skep_tests::app::supervisor;
use skep_tests::{Child, TestApp};

use super::MODES;

/// A supervisor of these that tolerates three restarts.
fn strict(strategy: Strategy, children: impl IntoIterator<Item = Child>) -> SupervisorSpec<Blueprint> {
    SupervisorSpec { strategy, max_restarts: 3, max_seconds: 3_600, ..supervisor(children) }
}

fn given_up(app: &TestApp) -> Vec<String> {
    let child = |report| match report {
        Report::GaveUp { child, .. } => Some(child.to_string()),
        _ => None,
    };
    app.reports().into_iter().filter_map(child).collect()
}

fn restarts(app: &TestApp) -> usize {
    app.reports().iter().filter(|report| matches!(report, Report::Restart { .. })).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_that_crashes_after_each_restart_brings_its_supervisor_down() {
    let _turn = crate::turn().await;
    for keep in MODES {
        // What it sends itself in `init` kills it each time.
        let send = json!({ "Send": { "to": { "step": 0 }, "body": { "do": [{ "Panic": "again" }] } } });
        let doomed = Child::new("doomed", "probe", &json!(["Me", send])).restart(Restart::Permanent);
        let app = TestApp::try_start(keep, strict(Strategy::OneForOne, [Child::probe("sibling"), doomed])).await;
        let app = app.unwrap_or_else(|error| panic!("it starts the first time: {error}"));
        let end = tokio::time::timeout(skep_tests::app::PATIENCE, app.runtime.app_ended("test")).await;
        assert_eq!(end.expect("it ends").expect("it ran"), ExitReason::Shutdown(None));
        assert_eq!(given_up(&app), ["doomed"]);
        assert_eq!(restarts(&app), 3);
        assert_eq!(app.crashes("doomed").len(), 4);
        assert_eq!(app.crashes("sibling"), [], "stopped in order");
        let left: Vec<_> = app.runtime.processes().into_iter().filter(|process| process.module.is_some()).collect();
        assert_eq!(left, [], "nothing is left of it");
        app.runtime.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_whose_child_never_starts_does_not_start() {
    let _turn = crate::turn().await;
    let broken = Child::new("broken", "trapper", &json!({ "Init": { "Panic": "never" } })).restart(Restart::Permanent);
    let started =
        TestApp::try_start(Keep::WhileItFits, strict(Strategy::OneForOne, [Child::probe("first"), broken])).await;
    let Err(StartError::Failed(SpawnError::Failed(reason))) = started.map(|_| ()) else { panic!("it started") };
    assert!(reason.to_string().contains("broken"), "it says which child: {reason}");
}
