//! Processes in the middle of something: waited for, and past the time nothing happens.

use std::time::Duration;

use serde_json::json;
use skep_runtime::spec::Keep;
use skep_runtime::upgrade::{Progress, Upgrade, UpgradeError};
use skep_tests::{TestApp, eventually, in_both_modes};

use crate::conformance::{block, call_and_wait, heard, probes, process, until};

/// An upgrade of the probes to the same code under another digest.
fn rebuilt(app: &TestApp, wait: Duration) -> Upgrade {
    Upgrade { wait, ..Upgrade::one("test".into(), "probe".into(), app.load_rebuilt("probe", 1)) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_blocks_in_a_call_is_named_and_nothing_happens() {
    in_both_modes(probes(["a", "b", "c"]), async |app| {
        block(app, "a", "b").await;
        match app.upgrade_with(rebuilt(app, Duration::from_millis(20)), |_| {}).await {
            Err(error @ UpgradeError::Busy { .. }) => {
                let text = error.to_string();
                assert!(text.starts_with("test/a <0."), "{text}");
                assert!(text.ends_with("was in the middle of something (info) for longer than 20 ms"), "{text}");
            }
            other => panic!("{other:?}"),
        }
        let waits = || ["waiting", "hibernating"].contains(&process(app, "c").status).then_some(());
        eventually("c waits again", waits).await;
        assert_eq!(app.ask("b", json!({ "Release": { "body": "now" } })).await, json!(true), "it goes on");
        assert_eq!(heard(app, "a", "did", 1).await, [json!([{ "Ok": "now" }])]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_blocks_in_a_call_is_waited_for() {
    in_both_modes(probes(["a", "b", "c"]), async |app| {
        // c holds the answer; b would, but it is suspended meanwhile, as it has nothing to do.
        block(app, "a", "c").await;
        let (mut suspended, mut told) = (0, false);
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let mut sender = Some(sender);
        let code = app.load_rebuilt("probe", 2);
        let upgrade = app.upgrade_with(Upgrade::one("test".into(), "probe".into(), code), |progress| {
            if let Progress::Suspending { done, total } = progress {
                (suspended, told) = (suspended.max(done), told || done == total - 1);
                if done == total - 1 {
                    sender.take().map(|sender| sender.send(()));
                }
            }
        });
        let killed = async {
            receiver.await.expect("two of three are suspended");
            assert_eq!(process(app, "b").status, "suspended");
            assert_eq!(process(app, "c").status, "suspended");
            // Whoever the blocked one waits for ends, so that it hears.
            app.runtime.kill(app.pid("c"));
        };
        let (summary, ()) = tokio::join!(upgrade, killed);
        let summary = summary.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((summary.migrated, summary.waited_for), (2, 1));
        assert_eq!(heard(app, "a", "did", 1).await, [json!([{ "Err": { "ended": "killed" } }])]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_finish_on_the_code_they_began_with_and_are_counted() {
    in_both_modes(probes(["a"]), async |app| {
        let steps = json!([call_and_wait("a")]);
        let spawn = json!({ "Spawn": { "module": "probe-task", "args": steps, "monitor": true } });
        app.ask("a", spawn.clone()).await;
        until(app, "a", json!("Held"), |held| *held != json!([])).await;
        let code = app.load_rebuilt("probe-task", 1);
        let summary = app.upgrade("probe-task", code.clone()).await.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((summary.tasks, summary.migrated), (1, 0));
        let modules = app.runtime.modules("test").unwrap_or_default();
        let tasks = modules.iter().find(|module| &*module.name == "probe-task").expect("it is a module");
        assert!(tasks.current.is(&code), "the next one begins on it");
        assert_eq!(tasks.running.iter().map(|(_, count)| *count).collect::<Vec<_>>(), [0, 1]);
        app.ask("a", json!({ "Release": { "body": "done" } })).await;
        let answers = heard(app, "a", "answer", 1).await;
        assert_eq!(answers[0]["outcome"], json!({ "Ok": [{ "Ok": "done" }] }));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_upgrades_of_one_module_do_not_meet() {
    let app = TestApp::start(Keep::WhileItFits, probes(["a", "b"])).await;
    block(&app, "a", "b").await;
    let first = app.upgrade_with(rebuilt(&app, Duration::from_millis(100)), |_| {});
    let second = async {
        until_suspended(&app, "b").await;
        app.upgrade_with(Upgrade::one("test".into(), "probe".into(), app.load_rebuilt("probe", 3)), |_| {}).await
    };
    let (first, second) = tokio::join!(first, second);
    assert!(matches!(first, Err(UpgradeError::Busy { .. })), "{first:?}");
    assert!(matches!(second, Err(UpgradeError::UnderWay { .. })), "{second:?}");
    app.ask("b", json!({ "Release": { "body": null } })).await;
    app.upgrade("probe", app.load_rebuilt("probe", 4)).await.unwrap_or_else(|error| panic!("{error}"));
    app.stop().await;
}

async fn until_suspended(app: &TestApp, name: &str) {
    skep_tests::eventually("the suspension", || (process(app, name).status == "suspended").then_some(())).await;
}
