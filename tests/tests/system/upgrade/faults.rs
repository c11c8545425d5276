//! A fault at every step of an upgrade: afterwards every process answers, on one and the same code.

use std::time::Duration;

use serde_json::json;
use skep_runtime::engine::EngineConfig;
use skep_runtime::kernel::supervisor::Restart;
use skep_runtime::spec::Keep;
use skep_runtime::upgrade::{Progress, Upgrade};
use skep_tests::app::supervisor;
use skep_tests::{Child, MODES, TestApp, eventually};

use super::{counter, version};

/// More than are migrated at once.
const COUNTERS: usize = 40;

fn name(number: usize) -> String {
    format!("counter-{number}")
}

fn counters() -> Vec<Child> {
    (0..COUNTERS).map(|number| counter(&name(number)).restart(Restart::Permanent)).collect()
}

/// The steps at which something can happen.
fn steps() -> Vec<Progress> {
    let total = COUNTERS;
    let mut steps = vec![Progress::Checking, Progress::Committing];
    steps.extend([0, 1, COUNTERS / 2, COUNTERS].map(|done| Progress::Suspending { done, total }));
    steps.extend([0, 1, COUNTERS / 2, COUNTERS - 1].map(|done| Progress::Migrating { done, total }));
    steps
}

/// Whether an upgrade has come at least so far.
fn is_at(progress: Progress, step: Progress) -> bool {
    match (progress, step) {
        (Progress::Suspending { done, .. }, Progress::Suspending { done: wanted, .. })
        | (Progress::Migrating { done, .. }, Progress::Migrating { done: wanted, .. }) => done >= wanted,
        (progress, step) => progress == step,
    }
}

/// Everybody answers, in the same version, with the state it had.
async fn all_answer(app: &TestApp, what: &str) -> i64 {
    let first = version(app, &name(0)).await;
    for number in 0..COUNTERS {
        assert_eq!(version(app, &name(number)).await, first, "{what}: {number}");
        assert_eq!(app.ask(&name(number), json!("Get")).await, json!(40), "{what}: {number}");
    }
    first
}

#[tokio::test(flavor = "multi_thread")]
async fn called_off_at_every_step() {
    for keep in MODES {
        let app = TestApp::start(keep, counters()).await;
        let code = app.load("counter-v2");
        for step in steps() {
            // Dropped in the middle, as when whoever asked for it is killed.
            let (tell, told) = tokio::sync::oneshot::channel();
            let mut tell = Some(tell);
            let upgrade = Upgrade::one("test".into(), "counter".into(), code.clone());
            let going = app.upgrade_with(upgrade, |progress| {
                if is_at(progress, step) {
                    tell.take().map(|tell| tell.send(()));
                }
            });
            let upgraded = tokio::select! {
                biased;
                _ = told => None,
                result = going => Some(result),
            };
            let version = all_answer(&app, &format!("{step:?}")).await;
            match upgraded {
                Some(Ok(_)) => assert_eq!(version, 2, "{step:?}"),
                Some(Err(error)) => panic!("{step:?}: {error}"),
                None => {}
            }
            if version == 2 {
                app.upgrade("counter", app.load("counter")).await.unwrap_or_else(|error| panic!("{error}"));
            }
        }
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_at_every_step() {
    let app = TestApp::start(Keep::WhileItFits, counters()).await;
    let code = app.load("counter-v2");
    for step in steps() {
        let (runtime, code) = (app.runtime.clone(), code.clone());
        let upgrade = Upgrade::one("test".into(), "counter".into(), code);
        let upgraded = tokio::spawn(async move {
            runtime.upgrade(upgrade, |progress| assert!(!is_at(progress, step), "a fault at {step:?}")).await
        });
        let panicked = upgraded.await;
        let version = all_answer(&app, &format!("{step:?}")).await;
        if panicked.is_ok() || version == 2 {
            app.upgrade("counter", app.load("counter")).await.unwrap_or_else(|error| panic!("{error}"));
        }
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_killed_at_every_step() {
    for keep in MODES {
        let app = TestApp::start(keep, counters()).await;
        let codes = [app.load("counter-v2"), app.load("counter")];
        for (turn, step) in steps().into_iter().enumerate() {
            let victim = name(turn * 7 % COUNTERS);
            let before = app.pid(&victim);
            let mut killed = false;
            let upgrade = Upgrade::one("test".into(), "counter".into(), codes[turn % 2].clone());
            let upgraded = app
                .upgrade_with(upgrade, |progress| {
                    if !killed && is_at(progress, step) {
                        killed = true;
                        app.runtime.kill(before);
                    }
                })
                .await;
            upgraded.unwrap_or_else(|error| panic!("{step:?}: {error}"));
            if killed {
                eventually("the restart", || app.whereis(&victim).filter(|pid| *pid != before)).await;
            }
            let wanted = if turn % 2 == 0 { 2 } else { 1 };
            assert_eq!(all_answer(&app, &format!("{step:?}")).await, wanted, "{step:?}");
        }
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_time_at_any_stage() {
    let app = TestApp::start(Keep::WhileItFits, counters()).await;
    let code = app.load("counter-v2");
    for (wait, migrate_within) in [(Duration::ZERO, Duration::from_secs(9)), (Duration::from_secs(9), Duration::ZERO)] {
        let upgrade = Upgrade { wait, migrate_within, ..Upgrade::one("test".into(), "counter".into(), code.clone()) };
        let upgraded = app.upgrade_with(upgrade, |_| {}).await;
        let version = all_answer(&app, "no time").await;
        assert_eq!(version == 2, upgraded.is_ok(), "{upgraded:?}");
        if version == 2 {
            app.upgrade("counter", app.load("counter")).await.unwrap_or_else(|error| panic!("{error}"));
        }
    }
    app.stop().await;
}

/// Far more processes than there is room for instances: each migration needs one beside its own.
#[tokio::test(flavor = "multi_thread")]
async fn room_for_two_instances_is_enough() {
    for keep in MODES {
        let engine = EngineConfig { slots: Some(2), large_slots: 1, ..EngineConfig::default() };
        let app = TestApp::try_start_on(engine, keep, supervisor(counters())).await;
        let app = app.unwrap_or_else(|error| panic!("{error}"));
        for (code, number) in [("counter-v2", 2), ("counter-v3", 3), ("counter", 1)] {
            let summary = app.upgrade("counter", app.load(code)).await.unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(summary.migrated, COUNTERS, "{code}");
            assert_eq!(all_answer(&app, code).await, number, "{code}");
        }
        app.stop().await;
    }
}
