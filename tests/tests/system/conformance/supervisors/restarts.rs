//! SUP: after which end who is restarted, until there are too many.

use std::time::Instant;

use serde_json::{Value, json};
use skep_runtime::Request;
use skep_runtime::kernel::supervisor::{Answer, ChildStatus, ChildView, Restart, Strategy, SupervisorSpec};
use skep_runtime::kernel::{ExitReason, Pid};
use skep_runtime::observe::Report;
use skep_runtime::spec::Blueprint;
use skep_tests::app::{PATIENCE, supervisor};
use skep_tests::{Child, MODES, TestApp, eventually, in_both_modes};

use super::super::{custom, heard, monitor, of_kind, probes, reason, shutdown};
use super::{add, ask, child, inner, root, teller, told};

/// Far from every limit, and with a window that no test outlasts.
fn tolerant(strategy: Strategy, children: impl IntoIterator<Item = Child>) -> SupervisorSpec<Blueprint> {
    SupervisorSpec { strategy, max_restarts: 1000, max_seconds: 1000, ..supervisor(children) }
}

/// What became of a child whose process has ended, once its supervisor has decided.
async fn fate(app: &TestApp, supervisor: Pid, id: &str, before: Pid) -> Option<ChildView> {
    let started = Instant::now();
    loop {
        let view = child(app, supervisor, id).await;
        assert!(started.elapsed() < PATIENCE, "{id} is still {view:?}");
        match view.as_ref().map(|view| view.status) {
            Some(ChildStatus::Running(pid)) if pid == before => {}
            Some(ChildStatus::Starting | ChildStatus::Restarting | ChildStatus::Stopping(_)) => {}
            _ => return view,
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sup_04_the_restart_type_and_the_reason_decide() {
    let types = [Restart::Permanent, Restart::Transient, Restart::Temporary];
    let ends = [json!("normal"), shutdown(), json!({ "shutdown": { "text": "later" } }), custom("x"), json!("killed")];
    let id = |restart: Restart, end: usize| format!("{restart:?}-{end}");
    let ends_of = |restart| (0..ends.len()).map(move |end| Child::probe(&id(restart, end)).restart(restart));
    let children: Vec<Child> = types.into_iter().flat_map(ends_of).collect();
    for keep in MODES {
        let app = TestApp::try_start(keep, tolerant(Strategy::OneForOne, children.clone())).await.expect("it starts");
        for restart in types {
            for (number, end) in ends.iter().enumerate() {
                let (id, root) = (id(restart, number), root(&app));
                let before = app.pid(&id);
                app.send(&id, &json!({ "do": [{ "StopWith": end }] }));
                let fate = fate(&app, root, &id, before).await;
                let restarted = matches!(fate.as_ref().map(|view| view.status), Some(ChildStatus::Running(_)));
                let orderly = number < 3;
                match restart {
                    Restart::Permanent => assert!(restarted, "{id} {end}: {fate:?}"),
                    Restart::Transient if !orderly => assert!(restarted, "{id} {end}: {fate:?}"),
                    Restart::Transient => {
                        assert_eq!(fate.map(|view| view.status), Some(ChildStatus::Stopped), "{id} {end}");
                    }
                    Restart::Temporary => assert_eq!(fate, None, "{id} {end}"),
                }
                assert_eq!(app.whereis(&id).is_some(), restarted, "{id}");
            }
        }
        assert_eq!(app.stop().await, ExitReason::Shutdown(None));
    }
}

/// An `inner` supervisor of the tellers a, b, c, whose b is then killed; all were heard to come up.
async fn b_is_killed(app: &TestApp, strategy: Strategy) -> (Pid, [Pid; 3]) {
    let sup = add(app, inner(tolerant(strategy, ["a", "b", "c"].map(teller)))).await;
    told(app, 3).await;
    app.ask("a", json!({ "Echo": "before" })).await;
    let pids = ["a", "b", "c"].map(|name| app.pid(name));
    app.runtime.kill(pids[1]);
    (sup, pids)
}

#[tokio::test(flavor = "multi_thread")]
async fn sup_05_one_for_one_touches_nobody_else() {
    in_both_modes(probes(["o"]), async |app| {
        let (sup, [a, b, c]) = b_is_killed(app, Strategy::OneForOne).await;
        assert_eq!(told(app, 1).await, ["b up"]);
        fate(app, sup, "b", b).await;
        assert_eq!((app.pid("a"), app.pid("c")), (a, c));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sup_05_one_for_all_stops_in_reverse_and_starts_forward() {
    in_both_modes(probes(["o"]), async |app| {
        let (_, before) = b_is_killed(app, Strategy::OneForAll).await;
        assert_eq!(told(app, 5).await, ["c down", "a down", "a up", "b up", "c up"]);
        for (name, before) in ["a", "b", "c"].into_iter().zip(before) {
            assert_ne!(app.pid(name), before);
        }
        assert_eq!(app.ask("a", json!("Journal")).await.as_array().map(Vec::len), Some(1), "only its own init");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sup_05_rest_for_one_spares_who_was_started_before() {
    in_both_modes(probes(["o"]), async |app| {
        let (_, [a, b, c]) = b_is_killed(app, Strategy::RestForOne).await;
        assert_eq!(told(app, 3).await, ["c down", "b up", "c up"]);
        assert_eq!(app.pid("a"), a);
        assert_eq!(of_kind(&app.journal("a", |_| true).await, "call"), [json!("before")], "with its state");
        assert!(app.pid("b") != b && app.pid("c") != c);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sup_08_gives_up_above_max_restarts() {
    in_both_modes(probes(["o"]), async |app| {
        for max_restarts in [0, 1, 3] {
            let spec = SupervisorSpec { max_restarts, ..tolerant(Strategy::OneForOne, ["a", "b"].map(teller)) };
            let sup = add(app, inner(spec)).await;
            assert_eq!(told(app, 2).await, ["a up", "b up"]);
            let mark = monitor(app, "o", sup.to_text()).await;
            for _ in 0..max_restarts {
                app.runtime.kill(app.pid("b"));
                assert_eq!(told(app, 1).await, ["b up"]);
            }
            app.runtime.kill(app.pid("b"));
            assert_eq!(reason(app, "o", &mark).await, shutdown());
            assert_eq!(told(app, 1).await, ["a down"], "and stops the others");
            assert_eq!((app.whereis("a"), app.whereis("b")), (None, None));
        }
        let gave_up = |report: &Report| matches!(report, Report::GaveUp { child, .. } if &**child == "b");
        assert_eq!(app.reports().iter().filter(|report| gave_up(report)).count(), 3);
    })
    .await;
}

/// A child that starts as long as there is a `host`, whom it calls in its `init`.
fn guest() -> Child {
    let init = json!([{ "CallOrExit": { "to": { "name": "host" }, "body": { "Echo": "may I?" } } }]);
    Child::new("guest", "probe", &init).restart(Restart::Permanent)
}

/// How often the supervisor of a child has restarted it.
fn restarts(app: &TestApp, id: &str) -> usize {
    let is_it = |report: &Report| matches!(report, Report::Restart { child, .. } if &**child == id);
    app.reports().iter().filter(|report| is_it(report)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn sup_11_a_failing_restart_is_tried_again_at_once_and_each_try_counts() {
    in_both_modes(probes(["o", "host"]), async |app| {
        let spec = SupervisorSpec { max_restarts: 5, ..tolerant(Strategy::OneForOne, [teller("a"), guest()]) };
        let sup = add(app, inner(spec)).await;
        told(app, 1).await;
        let mark = monitor(app, "o", sup.to_text()).await;
        let lost = monitor(app, "o", "host").await;
        app.runtime.kill(app.pid("host"));
        reason(app, "o", &lost).await;
        app.runtime.kill(app.pid("guest"));
        assert_eq!(reason(app, "o", &mark).await, shutdown());
        assert_eq!(restarts(app, "guest"), 5);
        assert_eq!(of_kind(&app.journal("o", |_| true).await, "info"), [json!("a down")]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sup_11_between_two_tries_the_supervisor_serves() {
    in_both_modes(probes(["o"]), async |app| {
        let endless =
            SupervisorSpec { max_restarts: u32::MAX, ..tolerant(Strategy::OneForOne, [teller("a"), guest()]) };
        for terminate in [true, false] {
            let host = add(app, Child::probe("host")).await;
            let sup = add(app, inner(endless.clone())).await;
            told(app, 1).await;
            let lost = monitor(app, "o", "host").await;
            app.runtime.kill(host);
            reason(app, "o", &lost).await;
            let before = restarts(app, "guest");
            app.runtime.kill(app.pid("guest"));
            eventually("some tries", || (restarts(app, "guest") > before + 3).then_some(())).await;
            if terminate {
                assert_eq!(ask(app, sup, Request::TerminateChild("guest".into())).await, Ok(Answer::Done));
                let view = child(app, sup, "guest").await.expect("its spec is kept");
                assert_eq!(view.status, ChildStatus::Stopped);
                assert_eq!(app.ask("a", json!({ "Echo": 1 })).await, json!(1));
            }
            assert_eq!(ask(app, root(app), Request::TerminateChild("inner".into())).await, Ok(Answer::Done));
            assert_eq!(told(app, 1).await, ["a down"]);
        }
        assert_eq!(heard(app, "o", "exit", 0).await, [] as [Value; 0]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sup_21_a_supervisor_that_is_restarted_knows_only_its_spec_and_has_all_its_restarts() {
    in_both_modes(probes(["o"]), async |app| {
        let spec = SupervisorSpec { max_restarts: 1, ..tolerant(Strategy::OneForOne, ["a", "b"].map(teller)) };
        let sup = add(app, inner(spec).restart(Restart::Permanent)).await;
        assert_eq!(told(app, 2).await, ["a up", "b up"]);
        assert!(matches!(ask(app, sup, Request::StartChild(teller("c").spec)).await, Ok(Answer::Started(Some(_)))));
        assert_eq!(ask(app, sup, Request::TerminateChild("b".into())).await, Ok(Answer::Done));
        assert_eq!(ask(app, sup, Request::DeleteChild("b".into())).await, Ok(Answer::Done));
        assert_eq!(told(app, 2).await, ["c up", "b down"]);
        app.runtime.kill(app.pid("a"));
        assert_eq!(told(app, 1).await, ["a up"]);
        // One restart too many: it ends, and the one above restarts it.
        app.runtime.kill(app.pid("a"));
        assert_eq!(told(app, 3).await, ["c down", "a up", "b up"]);
        let next =
            fate(app, root(app), "inner", sup).await.and_then(|view| view.status.pid()).expect("it was restarted");
        assert_ne!(next, sup);
        let Ok(Answer::Children(children)) = ask(app, next, Request::WhichChildren).await else {
            panic!("no children")
        };
        let ids: Vec<&str> = children.iter().map(|child| &*child.id).collect();
        assert_eq!(ids, ["b", "a"], "what was added is lost, what was deleted is back");
        // Its restarts are counted from zero.
        app.runtime.kill(app.pid("a"));
        assert_eq!(told(app, 1).await, ["a up"]);
        assert_eq!(child(app, root(app), "inner").await.and_then(|view| view.status.pid()), Some(next));
    })
    .await;
}
