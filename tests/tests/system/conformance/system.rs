//! SYS, HOT-07: what an operator asks of running processes, whatever their code is.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use skep::node::body::Readable;
use skep_runtime::SYSTEM_TIMEOUT;
use skep_runtime::kernel::{Body, ExitReason, State};
use skep_runtime::system::{Handled, SystemError, Traced};
use skep_tests::{Child, TestApp, eventually, in_both_modes};

use super::{block, custom, dead, heard, monitor, probes, process, reason, until};

/// So short that a busy process does not make it.
const SOON: Duration = Duration::from_millis(20);

fn counter(name: &str) -> Child {
    Child::new(name, "counter", &json!(40))
}

async fn suspend(app: &TestApp, name: &str) {
    app.runtime.suspend(app.pid(name), SYSTEM_TIMEOUT).await.expect("it is between two messages");
}

async fn resume(app: &TestApp, name: &str) {
    app.runtime.resume(app.pid(name)).await.expect("it lives");
}

/// The author's own part of a state.
pub(crate) fn opened(state: &State) -> Value {
    match skep::node::state::readable(state) {
        Readable::MessagePack(json) => serde_json::from_str(json.get()).expect("it is JSON"),
        other => panic!("{other:?}"),
    }
}

/// The same with another one in it.
pub(crate) fn sealed(state: State, wanted: &Value) -> Result<State, String> {
    skep::node::state::replaced(state, &serde_json::value::to_raw_value(wanted).expect("it is plain data"))
}

async fn state(app: &TestApp, name: &str) -> Value {
    opened(&app.runtime.state(app.pid(name), SYSTEM_TIMEOUT).await.expect("it is between two messages"))
}

#[tokio::test(flavor = "multi_thread")]
async fn sys_01_suspend_and_resume_as_often_as_one_likes() {
    in_both_modes(probes(["a", "b"]), async |app| {
        resume(app, "a").await;
        for _ in 0..2 {
            suspend(app, "a").await;
            assert_eq!(process(app, "a").status, "suspended");
        }
        app.send("a", &json!("one"));
        let late = app.runtime.call(
            "test",
            skep_runtime::kernel::Address::Name("a".into()),
            Body::Json("\"Journal\"".into()),
            Some(SOON),
        );
        assert!(late.await.is_err(), "it does not answer");
        // Others go on.
        assert_eq!(app.ask("b", json!("Journal")).await, json!([]));
        for _ in 0..2 {
            resume(app, "a").await;
        }
        assert_eq!(heard(app, "a", "info", 1).await, [json!("one")]);
        assert_ne!(process(app, "a").status, "suspended");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sys_01_a_suspension_that_does_not_come_about_in_time_is_withdrawn() {
    in_both_modes(probes(["a", "holder"]), async |app| {
        block(app, "a", "holder").await;
        let busy = app.runtime.suspend(app.pid("a"), SOON).await.expect_err("it is in the middle of something");
        let expected = SystemError::Busy { pid: app.pid("a"), doing: "info", waited: SOON };
        assert_eq!(busy, expected);
        app.ask("holder", json!({ "Release": { "body": null } })).await;
        assert_eq!(app.ask("a", json!({ "Echo": "here" })).await, json!("here"), "it goes on");
        // And one that does comes between two messages.
        block(app, "a", "holder").await;
        app.send("a", &json!("behind"));
        let (suspended, _) = tokio::join!(app.runtime.suspend(app.pid("a"), SYSTEM_TIMEOUT), async {
            app.ask("holder", json!({ "Release": { "body": null } })).await
        });
        assert_eq!(suspended, Ok(()));
        eventually("it to stand still", || (process(app, "a").status == "suspended").then_some(())).await;
        assert_eq!(process(app, "a").mailbox_messages, 1);
        resume(app, "a").await;
        until(app, "a", json!("Journal"), |journal| journal.to_string().contains("behind")).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sys_01_a_suspended_process_is_stopped_in_order() {
    in_both_modes(probes(["watcher"]), async |app| {
        // Its supervisor stops it: of all its mail, that exit signal is picked out, and `terminate` runs.
        let child = Child::new("kid", "probe", &json!([{ "TrapExit": true }]));
        let root = app.runtime.root("test").expect("it runs");
        let start = skep_runtime::Request::StartChild(child.spec);
        app.runtime.supervise(root, start).await.expect("it starts");
        let tell = json!({ "name": "watcher" });
        app.ask("kid", json!({ "AtEnd": { "tell": tell, "steps": [] } })).await;
        suspend(app, "kid").await;
        app.send("kid", &json!("never handled"));
        let stop = skep_runtime::Request::TerminateChild("kid".into());
        app.runtime.supervise(root, stop).await.expect("it stops");
        assert_eq!(heard(app, "watcher", "info", 1).await, [json!({ "terminated": { "shutdown": null } })]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sys_03_the_state_is_told_and_replaced_running_and_suspended() {
    in_both_modes([counter("c")], async |app| {
        for suspended in [false, true] {
            if suspended {
                suspend(app, "c").await;
            }
            let before = state(app, "c").await;
            assert_eq!(before, json!({ "count": 40, "noted": {}, "violations": 0 }));
            let replaced = app.runtime.replace_state(app.pid("c"), SYSTEM_TIMEOUT, |state| {
                sealed(state, &json!({ "count": 7, "noted": {}, "violations": 0 }))
            });
            assert_eq!(replaced.await, Ok(()));
            assert_eq!(state(app, "c").await["count"], 7);
            if suspended {
                assert_eq!(process(app, "c").status, "suspended");
                resume(app, "c").await;
            }
            assert_eq!(app.ask("c", json!({ "Add": 33 })).await, json!(40));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sys_03_a_replacement_that_fails_changes_nothing_and_says_why() {
    in_both_modes([counter("c")], async |app| {
        let pid = app.pid("c");
        type Replace = fn(State) -> Result<State, String>;
        let table: [(&str, &str, Replace); 4] = [
            ("the state was not replaced", "no such thing", |_| Err("no such thing".into())),
            ("the state was not replaced", "as it was told", |_| panic!("as it was told")),
            ("the code does not take this state", "cannot read the state", |state| sealed(state, &json!("?"))),
            ("the state was not replaced", "are allowed for a body", |state| {
                Ok(State { body: Body::Raw(vec![0; 2 << 20]), ..state })
            }),
        ];
        for (step, why, replace) in table {
            let refused = app.runtime.replace_state(pid, SYSTEM_TIMEOUT, replace).await;
            let Err(SystemError::CallbackFailed(failed)) = refused else { panic!("{refused:?}") };
            assert_eq!(failed.step, step);
            assert!(failed.reason.to_string().contains(why), "{failed:?}");
            assert_eq!(app.ask("c", json!("Get")).await, json!(40), "{step}");
        }
        assert_eq!(app.crashes("c"), []);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sys_03_a_save_that_refuses_is_told_and_the_process_goes_on() {
    in_both_modes(probes(["a"]), async |app| {
        app.ask("a", json!({ "RefuseSave": true })).await;
        let refused = app.runtime.state(app.pid("a"), SYSTEM_TIMEOUT).await;
        let Err(SystemError::CallbackFailed(failed)) = refused else { panic!("{refused:?}") };
        assert_eq!(failed.reason, ExitReason::failed("told to refuse"));
        let refused = app.runtime.replace_state(app.pid("a"), SYSTEM_TIMEOUT, Ok).await;
        assert!(matches!(refused, Err(SystemError::CallbackFailed(_))), "{refused:?}");
        assert_eq!(app.ask("a", json!({ "Echo": 1 })).await, json!(1));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sys_03_the_state_of_a_hibernated_process_is_told_without_waking_it() {
    in_both_modes(probes(["a"]), async |app| {
        app.ask("a", json!("Hibernate")).await;
        let asleep = || process(app, "a").saved_bytes;
        let bytes = eventually("it to sleep", asleep).await;
        let restores = state(app, "a").await["restores"].take();
        assert_eq!(state(app, "a").await["restores"], restores);
        assert_eq!(asleep(), Some(bytes));
        // Nor is it to have its state replaced: that happens in an instance of its own.
        assert_eq!(app.runtime.replace_state(app.pid("a"), SYSTEM_TIMEOUT, Ok).await, Ok(()));
        assert!(asleep().is_some());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sys_04_a_trace_shows_each_event_and_what_came_of_it_and_ends_with_the_process() {
    in_both_modes(probes(["a", "b"]), async |app| {
        let mut trace = app.runtime.trace(app.pid("a")).expect("it lives");
        let text = |body: &Option<Body>| match body {
            Some(Body::Json(text)) => text.clone(),
            other => format!("{other:?}"),
        };
        let line = |traced: &Traced| match &traced.outcome {
            Handled::Done { reply, next } => {
                format!("{} {} -> {} {next}", traced.kind, text(&traced.body), text(reply))
            }
            Handled::Failed(reason) => format!("{} {} failed: {reason}", traced.kind, text(&traced.body)),
            Handled::Ended(reason) => format!("ended: {reason}"),
        };
        app.ask("a", json!({ "Echo": 1 })).await;
        app.ask("b", json!({ "Echo": 1 })).await;
        app.runtime
            .cast("test", &skep_runtime::kernel::Address::Name("a".into()), Body::Json("2".into()))
            .expect("it takes it");
        app.send("a", &json!({ "do": [{ "StopWith": custom("enough") }] }));
        let mut seen = Vec::new();
        while let Some(traced) = trace.next().await {
            seen.push(line(&traced));
        }
        let expected = [
            "call {\"Echo\":1} -> 1 wait",
            "cast 2 -> None wait",
            "info {\"do\":[{\"StopWith\":{\"custom\":{\"text\":\"enough\"}}}]} -> None stop",
            "ended: enough",
        ];
        assert_eq!(seen, expected);
        assert_eq!(trace.missed(), 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sys_04_a_trace_that_nobody_reads_is_dropped_and_counted_and_holds_nobody_up() {
    in_both_modes([counter("c")], async |app| {
        let pid = app.pid("c");
        let mut trace = app.runtime.trace(pid).expect("it lives");
        let handled = Arc::new(std::sync::atomic::AtomicU64::new(0));
        let counted = Arc::clone(&handled);
        let look = move |_: &Traced| {
            counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            true
        };
        assert_eq!(app.runtime.install(pid, "count", look), Ok(true));
        assert_eq!(app.runtime.install(pid, "count", |_| panic!("it is installed once")), Ok(false));
        assert_eq!(app.runtime.install(pid, "bad", |_| panic!("as it was told")), Ok(true));
        for _ in 0..300 {
            app.ask("c", json!({ "Add": 1 })).await;
        }
        eventually("all to be seen", || (handled.load(std::sync::atomic::Ordering::SeqCst) == 300).then_some(())).await;
        assert_eq!(trace.missed(), 44, "256 are kept");
        assert!(matches!(trace.next().await, Some(Traced { kind: "call", .. })));
        assert!(!app.runtime.remove(pid, "bad"), "it has removed itself");
        assert!(app.runtime.remove(pid, "count"));
        let statistics = app.runtime.statistics(pid).expect("it lives");
        assert_eq!((statistics.messages_in, statistics.messages_out), (300, 300));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sys_05_a_request_to_a_missing_process_is_refused_at_once() {
    in_both_modes(probes(["a", "b"]), async |app| {
        let text = dead(app, "a").await;
        let pid: skep_runtime::kernel::Pid = text.parse().expect("it was a pid");
        let runtime = &app.runtime;
        assert_eq!(runtime.suspend(pid, SYSTEM_TIMEOUT).await, Err(SystemError::Noproc(pid)));
        assert_eq!(runtime.resume(pid).await, Err(SystemError::Noproc(pid)));
        assert_eq!(runtime.state(pid, SYSTEM_TIMEOUT).await, Err(SystemError::Noproc(pid)));
        assert_eq!(runtime.replace_state(pid, SYSTEM_TIMEOUT, Ok).await, Err(SystemError::Noproc(pid)));
        assert_eq!(runtime.terminate(pid, ExitReason::Normal, SYSTEM_TIMEOUT).await, Err(SystemError::Noproc(pid)));
        assert!(matches!(runtime.trace(pid), Err(SystemError::Noproc(_))));
        assert_eq!(runtime.statistics(pid), None);
        let root = runtime.root("test").expect("it runs");
        assert_eq!(runtime.suspend(root, SYSTEM_TIMEOUT).await, Err(SystemError::NotAServer(root)));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sys_05_whoever_waits_for_a_process_that_ends_is_told() {
    in_both_modes(probes(["a", "holder"]), async |app| {
        block(app, "a", "holder").await;
        let pid = app.pid("a");
        let (told, ()) = tokio::join!(app.runtime.state(pid, SYSTEM_TIMEOUT), async { app.runtime.kill(pid) });
        assert_eq!(told, Err(SystemError::Noproc(pid)));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sys_05_terminate_runs_terminate_and_ends_with_the_reason() {
    in_both_modes(probes(["a", "b", "watcher"]), async |app| {
        for (name, suspended) in [("a", false), ("b", true)] {
            let mark = monitor(app, "watcher", json!({ "pid": app.pid_text(name) })).await;
            app.ask(name, json!({ "AtEnd": { "tell": { "name": "watcher" }, "steps": [] } })).await;
            if suspended {
                suspend(app, name).await;
            }
            let why = ExitReason::Custom(Arc::new(Body::Text("enough".into())));
            app.runtime.terminate(app.pid(name), why, SYSTEM_TIMEOUT).await.expect("it lives");
            assert_eq!(reason(app, "watcher", &mark).await, custom("enough"));
        }
        assert_eq!(heard(app, "watcher", "info", 2).await, vec![json!({ "terminated": custom("enough") }); 2]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sys_05_a_suspended_server_that_is_stopped_ends_at_once() {
    in_both_modes(probes(["a", "b", "watcher"]), async |app| {
        app.ask("a", json!({ "AtEnd": { "tell": { "name": "watcher" }, "steps": [] } })).await;
        suspend(app, "a").await;
        app.send("a", &json!("never handled"));
        let stop = json!({ "StopServer": { "to": { "name": "a" }, "reason": custom("enough") } });
        assert_eq!(app.ask("b", stop).await, json!({ "Ok": null }));
        assert_eq!(heard(app, "watcher", "info", 1).await, [json!({ "terminated": custom("enough") })]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hot_07_a_suspended_process_is_upgraded_and_stays_suspended() {
    in_both_modes([counter("c"), counter("d")], async |app| {
        suspend(app, "c").await;
        let summary = app.upgrade("counter", app.load("counter-v2")).await.expect("it fits");
        assert_eq!(summary.migrated, 2);
        assert_eq!((process(app, "c").status, process(app, "d").status == "suspended"), ("suspended", false));
        resume(app, "c").await;
        for name in ["c", "d"] {
            assert_eq!(app.ask(name, json!("Get")).await, json!(40));
        }
    })
    .await;
}
