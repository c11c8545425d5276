//! GS-17, GS-18, and the reports of crashes: who writes one, what is in it, and that it is one.

use serde_json::{Value, json};
use skep_runtime::kernel::supervisor::{ChildSpec, Restart, SupervisorSpec};
use skep_runtime::kernel::{Body, ExitReason};
use skep_runtime::observe::{Circumstances, Decision, Excerpt, Report};
use skep_runtime::spec::{Blueprint, Keep};
use skep_tests::app::supervisor;
use skep_tests::{Child, MODES, TestApp, eventually, in_both_modes};

use super::{custom, probes};

/// The reports of crashes of this label, once there are so many.
async fn reports(app: &TestApp, label: &str, count: usize) -> Vec<(ExitReason, Option<&'static str>, Circumstances)> {
    let of_label = |report| match report {
        Report::Crash { subject, reason, handling, about, .. } if subject.label.as_deref() == Some(label) => {
            Some((reason, handling, *about))
        }
        _ => None,
    };
    eventually(&format!("{count} crashes of {label}"), || {
        let reports: Vec<_> = app.reports().into_iter().filter_map(of_label).collect();
        (reports.len() >= count).then_some(reports)
    })
    .await
}

fn warnings(app: &TestApp, part: &str) -> usize {
    let is_it = |report: &Report| matches!(report, Report::Log { message, .. } if message.contains(part));
    app.reports().iter().filter(|report| is_it(report)).count()
}

/// What the guest itself writes into the log as it panics.
fn is_panic_line(report: &Report) -> bool {
    matches!(report, Report::Log { message, .. } if message.contains("panicked at"))
}

#[tokio::test(flavor = "multi_thread")]
async fn gs_17_a_message_that_no_handler_takes_is_logged_and_dropped_and_a_cast_or_call_is_a_crash() {
    let servers = ["a", "b"].map(|name| Child::new(name, "spinner", &Value::Null));
    in_both_modes([servers.to_vec(), vec![Child::new("t", "trapper", &Value::Null)]].concat(), async |app| {
        app.send("a", &json!("unheard-of"));
        eventually("a line in the log", || (warnings(app, "dropped a message") == 1).then_some(())).await;
        assert!(app.whereis("a").is_some(), "it lives");
        let to = skep_runtime::kernel::Address::Name("a".into());
        app.runtime.cast("test", &to, Body::Json("1".into())).expect("it takes it");
        let crashes = reports(app, "a", 1).await;
        assert!(crashes[0].0.to_string().contains("cannot decode a cast"), "{crashes:?}");
        assert!(app.call("b", json!("Unheard-of")).await.is_err());
        let crashes = reports(app, "b", 1).await;
        assert!(crashes[0].0.to_string().contains("cannot decode a call"), "{crashes:?}");
        // What goes wrong within a handler that is there is a crash too, and no dropped message.
        app.send("t", &json!({ "Here": "Unreachable" }));
        let crashes = reports(app, "t", 1).await;
        assert!(matches!(&crashes[0], (ExitReason::Trap(_), Some("info"), _)), "{crashes:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gs_18_normal_and_shutdown_write_no_report_and_everything_else_does() {
    let orderly = [json!("normal"), json!({ "shutdown": null }), json!({ "shutdown": { "text": "moving" } })];
    let others = [custom("x"), json!({ "failed": "no" }), json!("killed"), json!("noproc")];
    let names = ["o0", "o1", "o2", "c0", "c1", "c2", "c3", "failed", "stopped", "killed", "told", "linked"];
    in_both_modes(probes(names), async |app| {
        for (number, reason) in orderly.iter().enumerate() {
            let _ = app.call(&format!("o{number}"), json!({ "StopWith": reason })).await;
        }
        for (number, reason) in others.iter().enumerate() {
            let _ = app.call(&format!("c{number}"), json!({ "StopWith": reason })).await;
        }
        app.ask("linked", json!({ "Link": { "to": app.pid_text("failed") } })).await;
        let _ = app.call("failed", json!({ "Fail": "because" })).await;
        // Whoever is ended by another's signal has not crashed.
        app.runtime.exit(app.pid("stopped"), ExitReason::Shutdown(None));
        app.runtime.exit(app.pid("told"), ExitReason::Custom(std::sync::Arc::new(Body::Text("x".into()))));
        app.runtime.kill(app.pid("killed"));
        for label in ["c0", "c1", "c2", "c3", "failed"] {
            assert_eq!(reports(app, label, 1).await.len(), 1, "{label}");
        }
        eventually("all to be gone", || names.iter().all(|name| app.whereis(name).is_none()).then_some(())).await;
        for label in ["o0", "o1", "o2", "stopped", "killed", "told", "linked"] {
            assert_eq!(app.crashes(label), [], "{label}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_tells_who_what_and_what_becomes_of_it() {
    let a = Child::probe("a").restart(Restart::Permanent);
    in_both_modes([a, Child::probe("b"), Child::probe("once")], async |app| {
        let digest = app.load("probe").digest().to_owned();
        let b = app.pid("b");
        app.ask("a", json!({ "Link": { "to": app.pid_text("b") } })).await;
        app.ask("b", json!({ "TrapExit": true })).await;
        let panic = json!({ "Panic": "oh \u{1b}no" });
        assert!(app.call("a", panic.clone()).await.is_err());
        let crashes = reports(app, "a", 1).await;
        let (reason, handling, about) = &crashes[0];
        assert!(matches!(reason, ExitReason::Trap(_)), "{reason}");
        assert_eq!(*handling, Some("call"));
        assert_eq!((&*about.path, about.name.as_deref(), about.version), ("test/a", Some("a"), Some(1)));
        assert_eq!(about.digest.as_deref(), Some(&*digest));
        let text = panic.to_string();
        assert_eq!(about.message, Some(Excerpt { bytes: text.len(), body: Body::Json(text) }));
        let linked = about.links.0.iter().any(|peer| peer.pid == b && peer.name.as_deref() == Some("b"));
        assert!(linked && about.links.1 == 2, "its supervisor, and b: {:?}", about.links);
        assert_eq!(about.decision, Decision::Restarting { restarts: 1 });
        eventually("the restart", || app.whereis("a")).await;

        // One that answers with an error, on a message longer than a report shows.
        let long = "x".repeat(5_000);
        let fail = json!({ "Many": [{ "Echo": long }, { "Fail": "because" }] });
        assert!(app.call("once", fail.clone()).await.is_err());
        let crashes = reports(app, "once", 1).await;
        let message = crashes[0].2.message.clone().expect("it was handling something");
        assert_eq!((message.bytes, message.body.len()), (fail.to_string().len(), 1_024));
        assert_eq!(crashes[0].2.decision, Decision::NotRestarted);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_no_supervisor_is_reported_at_once() {
    in_both_modes(probes(["a"]), async |app| {
        let child = app.ask("a", json!({ "Spawn": { "module": "probe", "name": "kid" } })).await;
        assert!(child["Ok"]["pid"].is_string(), "{child}");
        assert!(app.call("kid", json!({ "Fail": "alone" })).await.is_err());
        let crashes = reports(app, "kid", 1).await;
        assert_eq!((crashes[0].2.decision, &*crashes[0].2.path), (Decision::NotSupervised, "test/a/kid"));
    })
    .await;
}

/// Three supervisors above each other, the innermost with this child.
fn nested(child: Child) -> SupervisorSpec<Blueprint> {
    let strict = |id: &str, child: ChildSpec<Blueprint>| {
        let spec = SupervisorSpec { max_restarts: 0, max_seconds: 3_600, children: vec![child], ..supervisor([]) };
        ChildSpec::supervisor(id, Blueprint::Supervisor(spec.into()))
    };
    let inner = strict("inner", child.spec);
    SupervisorSpec { children: vec![strict("outer", inner)], max_restarts: 0, max_seconds: 3_600, ..supervisor([]) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_is_reported_once_and_not_once_for_each_layer() {
    for keep in MODES {
        let child = Child::probe("leaf").restart(Restart::Permanent);
        let app = TestApp::try_start(keep, nested(child)).await.unwrap_or_else(|error| panic!("{error}"));
        assert!(app.call("leaf", json!({ "Fail": "no" })).await.is_err());
        app.runtime.app_ended("test").await.expect("it ran");
        let all: Vec<Report> = app.reports();
        let crashes: Vec<_> = all.iter().filter(|report| matches!(report, Report::Crash { .. })).collect();
        let [Report::Crash { about, .. }] = crashes[..] else { panic!("{all:#?}") };
        assert_eq!((about.decision, &*about.path), (Decision::GaveUp, "test/outer/inner/leaf"));
        let gave_up = |report: &&Report| matches!(report, Report::GaveUp { .. });
        assert_eq!(all.iter().filter(gave_up).count(), 3, "each supervisor says so once: {all:#?}");
        app.runtime.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_crashes_is_reported_once_too() {
    let root = nested(Child::new("leaf", "probe", &json!([{ "Panic": "at once" }])));
    let reports = std::sync::Arc::new(skep_tests::app::Reports::default());
    let started = TestApp::try_start_reporting(Keep::WhileItFits, root, reports.clone()).await;
    assert!(started.is_err());
    let all: Vec<Report> = reports.all().into_iter().filter(|report| !is_panic_line(report)).collect();
    let [Report::Crash { handling: Some("init"), about, .. }] = &all[..] else { panic!("{all:#?}") };
    assert_eq!((about.decision, &*about.path), (Decision::NotStarted, "test/outer/inner/leaf"));
}
