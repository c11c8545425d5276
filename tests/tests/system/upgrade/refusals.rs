//! Upgrades that do not take place: everybody goes on with the old code, the old state and the old instance.

use std::time::Duration;

use serde_json::json;
use skep_runtime::kernel::{ExitReason, Form};
use skep_runtime::upgrade::{MigrationStep, Progress, Upgrade, UpgradeError};
use skep_tests::{Child, TestApp, in_both_modes};

use super::{counter, version};

/// Nothing has happened: the counters answer as before, and can be upgraded by code that does.
async fn all_is_as_before(app: &TestApp) {
    for name in ["a", "b", "c"] {
        assert_eq!(version(app, name).await, 1, "{name}");
        assert_eq!(app.ask(name, json!("Get")).await, json!(40), "{name}");
    }
    assert!(app.crashes("a").is_empty() && app.crashes("b").is_empty() && app.crashes("c").is_empty());
    let summary = app.upgrade("counter", app.load("counter-v2")).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(summary.migrated, 3);
    assert_eq!(version(app, "b").await, 2);
}

fn counters() -> [Child; 3] {
    [counter("a"), counter("b"), counter("c")]
}

async fn refused(app: &TestApp, code: &str) -> (MigrationStep, ExitReason, String) {
    match app.upgrade("counter", app.load(code)).await {
        Err(UpgradeError::Refused { step, reason, trace, subject }) => {
            assert!(["a", "b", "c"].map(Some).contains(&subject.label.as_deref()), "{subject:?}");
            (step, *reason, trace)
        }
        other => panic!("{code}: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hot_08_a_migration_that_refuses() {
    in_both_modes(counters(), async |app| {
        // It refuses only what is negative, and one is enough.
        assert_eq!(app.ask("b", json!({ "Add": -43 })).await, json!(-3));
        let (step, reason, _) = refused(app, "counter-refuses").await;
        assert_eq!(step, MigrationStep::Restore);
        assert_eq!(reason, ExitReason::failed("version 2 cannot count from -3: add 3 first"));
        assert_eq!(app.ask("b", json!({ "Add": 43 })).await, json!(40));
        all_is_as_before(app).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hot_08_a_migration_that_traps() {
    in_both_modes(counters(), async |app| {
        let (step, reason, trace) = refused(app, "counter-traps").await;
        assert_eq!(step, MigrationStep::Restore);
        assert!(matches!(&reason, ExitReason::Trap(_)), "{reason}");
        assert!(trace.contains("migrate"), "{trace}");
        all_is_as_before(app).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_grows_beyond_the_limits() {
    in_both_modes(counters(), async |app| {
        let (step, reason, _) = refused(app, "counter-grows").await;
        assert!(matches!(step, MigrationStep::Restore | MigrationStep::SaveAnew), "{step}: {reason}");
        all_is_as_before(app).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_that_never_ends_is_cut_short() {
    in_both_modes(counters(), async |app| {
        let upgrade = Upgrade {
            migrate_within: Duration::from_millis(200),
            ..Upgrade::one("test".into(), "counter".into(), app.load("counter-endless"))
        };
        match app.upgrade_with(upgrade, |_| {}).await {
            Err(UpgradeError::TooSlow { done: 0, total: 3, .. }) => {}
            other => panic!("{other:?}"),
        }
        all_is_as_before(app).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hot_10_what_does_not_fit_touches_nobody() {
    in_both_modes(counters(), async |app| {
        let mut stages = Vec::new();
        for (module, code) in [
            ("counter", app.load("counter-forgets")),
            ("counter", app.load("counter-json")),
            ("counter", app.load("counter")),
            ("counter", app.load("probe-task")),
            ("unheard-of", app.load("counter-v2")),
        ] {
            let upgrade = Upgrade::one("test".into(), module.into(), code);
            let refused = app.upgrade_with(upgrade, |progress| stages.push(progress)).await;
            let error = refused.map(|_| ()).expect_err("it does not fit");
            assert!(
                matches!(
                    error,
                    UpgradeError::NoPath { from: 1, .. }
                        | UpgradeError::OtherForm { writes: Form::MessagePack, .. }
                        | UpgradeError::Same { .. }
                        | UpgradeError::OtherKind { was: "server", is: "task", .. }
                        | UpgradeError::NoSuchModule { .. }
                ),
                "{error:?}"
            );
        }
        assert!(stages.iter().all(|stage| *stage == Progress::Checking), "{stages:?}");
        all_is_as_before(app).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hot_10_a_form_that_is_not_read() {
    in_both_modes([Child::new("a", "counter-json", &json!(40))], async |app| {
        let mut stages = Vec::new();
        let upgrade = Upgrade::one("test".into(), "counter-json".into(), app.load("counter"));
        let error = app.upgrade_with(upgrade, |progress| stages.push(progress)).await.map(|_| ()).expect_err("no way");
        let UpgradeError::OtherForm { writes: Form::Json, reads, .. } = &error else { panic!("{error:?}") };
        assert_eq!((&**reads, stages), (&[Form::MessagePack][..], vec![Progress::Checking]));
        assert_eq!(app.ask("a", json!({ "Add": 2 })).await, json!(42));
        // Where the form is read it goes on, like any other.
        let again = app.load_rebuilt("counter-json", 1);
        let summary = app.upgrade("counter-json", again).await.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((summary.migrated, app.ask("a", json!("Get")).await), (1, json!(42)));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_way_back_that_is_not_there() {
    let app = TestApp::start(skep_runtime::spec::Keep::WhileItFits, [Child::probe("probe"), counter("a")]).await;
    app.upgrade("counter", app.load("counter-v3")).await.unwrap_or_else(|error| panic!("{error}"));
    // It reads version 2 only, to which version 3 steps down; and it knows no way back to 1.
    app.upgrade("counter", app.load("counter-forgets")).await.unwrap_or_else(|error| panic!("{error}"));
    let error = app.upgrade("counter", app.load("counter")).await.map(|_| ()).expect_err("no way");
    assert!(matches!(&error, UpgradeError::NoPath { from: 2, steps_down, .. } if steps_down.is_empty()), "{error:?}");
    assert_eq!(version(&app, "a").await, 2);
    app.stop().await;
}
