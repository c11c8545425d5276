//! HOT and HIB: what an upgrade does to the processes it finds, and leaves alone.

use std::time::Duration;

use serde_json::{Value, json};
use skep_runtime::upgrade::{Progress, Upgrade};
use skep_tests::{TestApp, in_both_modes};

use super::{block, heard, monitor, probes, process, reason};

/// The probes, on the same code under another digest.
fn rebuilt(app: &TestApp, number: u8) -> Upgrade {
    Upgrade::one("test".into(), "probe".into(), app.load_rebuilt("probe", number))
}

#[tokio::test(flavor = "multi_thread")]
async fn hot_01_all_are_suspended_before_any_of_them_changes() {
    in_both_modes(probes(["a", "b", "c", "d"]), async |app| {
        block(app, "a", "d").await;
        let mut seen = Vec::new();
        let (tell, told) = tokio::sync::oneshot::channel();
        let mut tell = Some(tell);
        let upgrade = app.upgrade_with(rebuilt(app, 1), |progress| {
            seen.push(progress);
            if matches!(progress, Progress::Suspending { done: 3, total: 4 }) {
                tell.take().map(|tell| tell.send(()));
            }
        });
        let meanwhile = async {
            told.await.expect("three are suspended");
            app.send("b", &json!({ "do": [{ "Echo": "handled" }] }));
            assert_eq!(process(app, "b").mailbox_messages, 1, "it waits for the new code");
            assert_eq!(process(app, "b").status, "suspended");
            app.runtime.kill(app.pid("d"));
        };
        let (summary, ()) = tokio::join!(upgrade, meanwhile);
        assert_eq!(summary.unwrap_or_else(|error| panic!("{error}")).migrated, 3);
        let first = seen.iter().position(|progress| matches!(progress, Progress::Migrating { .. }));
        let before = &seen[..first.unwrap_or(seen.len())];
        assert!(before.contains(&Progress::Suspending { done: 3, total: 4 }), "{seen:?}");
        let after = first.unwrap_or(seen.len());
        assert!(seen[after..].iter().all(|progress| !matches!(progress, Progress::Suspending { .. })));
        assert_eq!(heard(app, "b", "did", 1).await, [json!(["handled"])]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hot_04_everything_of_a_process_stays_but_its_code() {
    in_both_modes(probes(["a", "friend", "watched", "watcher"]), async |app| {
        let pid = app.pid("a");
        let (friend, watched) = (app.pid_text("friend"), app.pid_text("watched"));
        let set = json!([
            { "TrapExit": true },
            { "Link": { "to": friend } },
            { "Monitor": { "target": { "pid": watched } } },
            { "StartTimer": { "after_ms": 60_000, "body": "later" } },
        ]);
        let results = app.steps("a", set).await;
        app.ask("friend", json!({ "TrapExit": true })).await;
        let (mark, timer) = (results[2].clone(), results[3].clone());
        let watch = monitor(app, "watcher", json!({ "pid": app.pid_text("a") })).await;

        for number in 1..=3 {
            let summary = app.upgrade_with(rebuilt(app, number), |_| {}).await;
            assert_eq!(summary.unwrap_or_else(|error| panic!("{error}")).migrated, 4);
        }
        assert_eq!((app.pid("a"), process(app, "a").name.as_deref()), (pid, Some("a")));
        assert_eq!((process(app, "a").links, process(app, "a").timers), (2, 1), "its supervisor and its friend");
        let left = app.ask("a", json!({ "Left": { "mark": timer } })).await.as_u64().expect("it runs");
        assert!(left < 60_000, "{left}");
        assert!(app.ask("a", json!({ "Cancel": { "mark": timer } })).await.is_u64());

        app.runtime.kill(app.pid("watched"));
        let down = heard(app, "a", "down", 1).await;
        assert_eq!((&down[0]["mark"], &down[0]["reason"]), (&mark, &json!("killed")));
        app.ask("friend", json!({ "Exit": { "to": app.pid_text("a"), "reason": "normal" } })).await;
        assert_eq!(heard(app, "a", "exit", 1).await[0]["reason"], json!("normal"), "it still traps exits");
        app.runtime.kill(pid);
        assert_eq!(reason(app, "watcher", &watch).await, json!("killed"));
        assert_eq!(heard(app, "friend", "exit", 1).await[0]["reason"], json!("killed"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hot_04_mail_that_waited_is_handled_by_the_new_code_in_order() {
    in_both_modes(probes(["a", "b"]), async |app| {
        let mut sent = 0;
        let upgrade = app.upgrade_with(rebuilt(app, 1), |progress| {
            // The last time when all has been taken over, and nobody goes on yet.
            if !matches!(progress, Progress::Checking) {
                sent += 1;
                app.send("a", &json!(sent));
                assert_eq!(process(app, "a").mailbox_messages, sent, "nothing is handled");
            }
        });
        upgrade.await.unwrap_or_else(|error| panic!("{error}"));
        assert!(sent >= 1);
        app.send("a", &json!(sent + 1));
        let expected: Vec<Value> = (1..=sent + 1).map(Value::from).collect();
        assert_eq!(heard(app, "a", "info", expected.len()).await, expected);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hib_01_a_hibernated_process_is_upgraded_without_being_woken() {
    in_both_modes(probes(["a", "b"]), async |app| {
        app.ask("a", json!("Hibernate")).await;
        skep_tests::eventually("its sleep", || (process(app, "a").status == "hibernating").then_some(())).await;
        let before = process(app, "a").saved_bytes;
        let summary = app.upgrade_with(rebuilt(app, 1), |_| {}).await.unwrap_or_else(|error| panic!("{error}"));
        assert!(summary.hibernated >= 1, "{summary:?}");
        // The worker that took its state over may still be about to leave; woken, it would stay awake.
        skep_tests::eventually("its sleep", || (process(app, "a").status == "hibernating").then_some(())).await;
        assert!(process(app, "a").saved_bytes >= before);
        assert_eq!(app.ask("a", json!({ "Echo": "awake" })).await, json!("awake"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hib_01_with_mail_in_the_queue_it_resumes_at_once() {
    in_both_modes(probes(["a"]), async |app| {
        app.send("a", &json!({ "do": ["Hibernate"] }));
        app.send("a", &json!("next"));
        assert_eq!(heard(app, "a", "info", 1).await.last(), Some(&json!("next")));
    })
    .await;
}

/// Timers run on, and callers time out by their own clocks.
#[tokio::test(flavor = "multi_thread")]
async fn hot_04_time_goes_on_while_a_process_is_suspended() {
    in_both_modes(probes(["a", "b", "c"]), async |app| {
        block(app, "b", "c").await;
        let (tell, told) = tokio::sync::oneshot::channel();
        let mut tell = Some(tell);
        app.ask("a", json!({ "StartTimer": { "after_ms": 5, "body": "rang" } })).await;
        let upgrade = Upgrade { wait: Duration::from_millis(300), ..rebuilt(app, 1) };
        let upgrade = app.upgrade_with(upgrade, |progress| {
            if matches!(progress, Progress::Suspending { done: 2, total: 3 }) {
                tell.take().map(|tell| tell.send(()));
            }
        });
        let caller = async {
            told.await.expect("a is suspended");
            let to = skep_runtime::kernel::Address::Pid(app.pid("a"));
            let body = skep_runtime::kernel::Body::Json("\"Me\"".into());
            app.runtime.call("test", to, body, Some(Duration::from_millis(10))).await
        };
        let (upgraded, called) = tokio::join!(upgrade, caller);
        assert!(upgraded.is_err(), "b was busy all the time");
        assert_eq!(called, Err(skep_runtime::kernel::CallError::Timeout));
        assert_eq!(heard(app, "a", "timer", 1).await.len(), 1);
        app.ask("c", json!({ "Release": { "body": null } })).await;
    })
    .await;
}
