//! Where an upgrade differs from OTP's on purpose: what `docs/semantics.md` says, shown.

use serde_json::json;
use skep_runtime::Request;
use skep_runtime::kernel::ExitReason;
use skep_runtime::kernel::supervisor::{Restart, Shutdown};
use skep_runtime::spec::Keep;
use skep_runtime::upgrade::{MigrationStep, Progress, Upgrade, UpgradeError};
use skep_tests::{Child, TestApp, eventually, in_both_modes};

use super::{counter, version};
use crate::conformance::{block, heard, probes, process};

/// Upgrades all probes but `holder`, for whom one of them waits; while the others are suspended, something happens.
async fn while_suspended<T>(app: &TestApp, others: usize, meanwhile: impl Future<Output = T>) -> T {
    let (tell, told) = tokio::sync::oneshot::channel();
    let mut tell = Some(tell);
    let upgrade = Upgrade::one("test".into(), "probe".into(), app.load_rebuilt("probe", 1));
    let upgrade = app.upgrade_with(upgrade, |progress| {
        if matches!(progress, Progress::Suspending { done, total } if done == others && total == others + 1) {
            tell.take().map(|tell| tell.send(()));
        }
    });
    let meanwhile = async {
        told.await.expect("the others are suspended");
        meanwhile.await
    };
    let (upgraded, happened) = tokio::join!(upgrade, meanwhile);
    upgraded.unwrap_or_else(|error| panic!("{error}"));
    happened
}

/// Why an upgrade was refused, and at which process.
async fn refused(app: &TestApp, upgrade: Upgrade) -> (String, MigrationStep, ExitReason) {
    match app.upgrade_with(upgrade, |_| {}).await {
        Err(UpgradeError::Refused { subject, step, reason, .. }) => {
            (subject.label.unwrap_or_default().to_string(), step, *reason)
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hot_03_mail_that_was_there_before_waits_for_the_new_code() {
    let app = TestApp::start(Keep::WhileItFits, probes(["a", "holder"])).await;
    block(&app, "a", "holder").await;
    // In the mailbox before the upgrade begins. The new code alone is restored: to take over, and to go on.
    app.send("a", &json!({ "do": ["Restores"] }));
    while_suspended(&app, 1, async { app.runtime.kill(app.pid("holder")) }).await;
    let did = heard(&app, "a", "did", 2).await;
    assert_eq!(did, [json!([{ "Err": { "ended": "killed" } }]), json!([2])]);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hot_03_a_trapped_exit_signal_of_the_parent_waits_for_the_new_code() {
    let mut all = probes(["a", "holder", "o"]);
    all.push(Child::probe("b").shutdown(Shutdown::Infinity));
    in_both_modes(all, async |app| {
        app.steps("b", json!([{ "TrapExit": true }, { "AtEnd": { "tell": { "name": "o" } } }])).await;
        block(app, "a", "holder").await;
        let (root, b) = (app.runtime.root("test").expect("the app runs"), app.pid("b"));
        let stopped = while_suspended(app, 3, async {
            let go_on = async {
                eventually("the order to stop", || (process(app, "b").mailbox_messages == 1).then_some(())).await;
                assert_eq!(process(app, "b").status, "suspended");
                assert!(app.is_alive(b));
                app.runtime.kill(app.pid("holder"));
            };
            tokio::join!(app.runtime.supervise(root, Request::TerminateChild("b".into())), go_on).0
        });
        stopped.await.unwrap_or_else(|error| panic!("{error:?}"));
        assert_eq!(heard(app, "o", "info", 1).await, [json!({ "terminated": { "shutdown": null } })]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hot_08_a_running_save_that_refuses_or_traps_holds_back_everybody_and_a_trap_ends_its_process() {
    let trapper = |id| Child::new(id, "trapper", &json!(null));
    for (how, ends) in [(json!({ "Fail": "not now" }), false), (json!("Unreachable"), true)] {
        let app = TestApp::start(Keep::WhileItFits, ["a", "b", "c"].map(trapper)).await;
        let before = app.pid("b");
        app.ask("b", json!({ "Save": how })).await;
        let upgrade = Upgrade::one("test".into(), "trapper".into(), app.load_rebuilt("trapper", 1));
        let (label, step, reason) = refused(&app, upgrade).await;
        assert_eq!((&*label, step), ("b", MigrationStep::Save), "{reason}");
        if ends {
            eventually("its end", || (!app.is_alive(before)).then_some(())).await;
            eventually("its report", || (app.crashes("b") == [reason.clone()]).then_some(())).await;
        } else {
            app.ask("b", json!("Nowhere")).await;
            assert_eq!((app.pid("b"), app.crashes("b").len()), (before, 0));
        }
        for other in ["a", "c"] {
            app.ask(other, json!("Nowhere")).await;
            assert_eq!(app.crashes(other), []);
        }
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hot_08_what_was_taken_over_must_be_such_that_it_can_be_saved() {
    // Room for a state that grows in the migration, but not for saving it.
    let roomy = |id| counter(id).limits(|limits| limits.memory_bytes = 128 << 20);
    in_both_modes([counter("a"), roomy("b")], async |app| {
        app.runtime.kill(app.pid("a"));
        eventually("its end", || app.whereis("a").is_none().then_some(())).await;
        let (_, step, reason) =
            refused(app, Upgrade::one("test".into(), "counter".into(), app.load("counter-grows"))).await;
        assert_eq!(step, MigrationStep::SaveAnew, "{reason}");
        assert_eq!((version(app, "b").await, app.ask("b", json!("Get")).await), (1, json!(40)));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hot_11_a_step_down_that_traps_does_so_in_a_copy() {
    in_both_modes([Child::probe("probe")], async |app| {
        app.upgrade("counter", app.load("counter-traps")).await.unwrap_or_else(|error| panic!("{error}"));
        let root = app.runtime.root("test").expect("the app runs");
        app.runtime.supervise(root, Request::StartChild(counter("a").spec)).await.expect("it begins on the new code");
        assert_eq!(version(app, "a").await, 2);
        let (_, step, reason) = refused(app, Upgrade::one("test".into(), "counter".into(), app.load("counter"))).await;
        assert_eq!(step, MigrationStep::StepDown);
        assert!(matches!(&reason, ExitReason::Trap(_)), "{reason}");
        assert_eq!((version(app, "a").await, app.ask("a", json!("Get")).await), (2, json!(40)));
        assert_eq!(app.crashes("a"), []);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_begins_anew_with_the_first_arguments_on_the_new_code() {
    in_both_modes([counter("a").restart(Restart::Permanent)], async |app| {
        app.ask("a", json!({ "Add": 2 })).await;
        app.upgrade("counter", app.load("counter-v2")).await.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(app.ask("a", json!("Get")).await, json!(42));
        let before = app.pid("a");
        app.runtime.kill(before);
        eventually("the restart", || app.whereis("a").filter(|pid| *pid != before)).await;
        assert_eq!((version(app, "a").await, app.ask("a", json!("Get")).await), (2, json!(40)));
    })
    .await;
}
