//! SUP: who is started, stopped and restarted, in which order, and how often.

mod dynamic;
mod guests;
mod partitions;
mod restarts;
mod significant;
mod tasks;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use skep_runtime::kernel::supervisor::{
    Answer, ChildKind, ChildSpec, ChildStatus, ChildView, RequestError, Restart, Shutdown, SpecError, SupervisorSpec,
};
use skep_runtime::kernel::{Body, ExitReason, Pid, Refusal, SpawnError};
use skep_runtime::spec::Blueprint;
use skep_runtime::{Request, RuntimeError, StartError};
use skep_tests::app::supervisor;
use skep_tests::{Child, MODES, TestApp, eventually, in_both_modes};

use super::{call_and_wait, heard, monitor, probes, reason, shutdown, until};

/// A probe that says to `o` when it is up, and, if it is stopped in order, when it goes down.
fn teller(id: &str) -> Child {
    let say = |what: &str| json!({ "SendNamed": { "name": "o", "body": format!("{id} {what}") } });
    let args = json!([{ "TrapExit": true }, { "AtEnd": { "steps": [say("down")] } }, say("up")]);
    Child::new(id, "probe", &args).restart(Restart::Permanent)
}

/// A supervisor as a temporary child, so that the app outlives it.
fn inner(spec: SupervisorSpec<Blueprint>) -> Child {
    let mut spec = ChildSpec::supervisor("inner", Blueprint::Supervisor(spec.into()));
    spec.restart = Restart::Temporary;
    Child { spec }
}

async fn ask(app: &TestApp, supervisor: Pid, request: Request) -> Result<Answer, RequestError> {
    match app.runtime.supervise(supervisor, request).await {
        Ok(answer) => Ok(answer),
        Err(RuntimeError::Refused(error)) => Err(error),
        Err(error) => panic!("the supervisor does not answer: {error}"),
    }
}

fn root(app: &TestApp) -> Pid {
    app.runtime.root("test").expect("the app runs")
}

/// Starts a child of the root: its pid.
async fn add(app: &TestApp, child: Child) -> Pid {
    match ask(app, root(app), Request::StartChild(child.spec)).await {
        Ok(Answer::Started(Some(pid))) => pid,
        other => panic!("it does not start: {other:?}"),
    }
}

async fn child(app: &TestApp, supervisor: Pid, id: &str) -> Option<ChildView> {
    match ask(app, supervisor, Request::WhichChildren).await {
        Ok(Answer::Children(children)) => children.into_iter().find(|child| &*child.id == id),
        other => panic!("no list of children: {other:?}"),
    }
}

/// What `o` has heard, once it is so much; forgotten afterwards.
async fn told(app: &TestApp, count: usize) -> Vec<Value> {
    heard(app, "o", "info", count).await;
    super::of_kind(app.ask("o", json!("Take")).await.as_array().expect("a journal"), "info")
}

#[tokio::test(flavor = "multi_thread")]
async fn sup_01_children_start_left_to_right_and_stop_right_to_left_one_by_one() {
    in_both_modes(probes(["o"]), async |app| {
        let sup = add(app, inner(supervisor(["a", "b", "c"].map(teller)))).await;
        assert_eq!(told(app, 3).await, ["a up", "b up", "c up"]);
        let mark = monitor(app, "o", sup.to_text()).await;
        assert_eq!(ask(app, root(app), Request::TerminateChild("inner".into())).await, Ok(Answer::Done));
        assert_eq!(reason(app, "o", &mark).await, shutdown());
        assert_eq!(told(app, 3).await, ["c down", "b down", "a down"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sup_01_a_child_is_started_when_the_one_before_is_up() {
    in_both_modes(probes(["o"]), async |app| {
        let slow = Child::new("slow", "probe", &json!([call_and_wait("o")]));
        let started = add(app, inner(supervisor([slow, teller("next")])));
        let released = async {
            until(app, "o", json!("Held"), |held| held[0].is_object()).await;
            assert_eq!(app.whereis("next"), None);
            app.ask("o", json!({ "Release": { "body": null } })).await
        };
        tokio::join!(started, released);
        assert_eq!(told(app, 1).await, ["next up"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sup_02_a_failed_start_stops_the_ones_before_and_fails_the_supervisor() {
    let bad = Child::new("bad", "probe", &json!([{ "Fail": "no" }]));
    let children = || [teller("a"), teller("b"), bad.clone(), teller("c")];
    let why = "failed to start child \"bad\": failed: no";
    let why = ExitReason::Shutdown(Some(Body::Text(why.into()).into()));
    in_both_modes(probes(["o"]), async |app| {
        let refused = ask(app, root(app), Request::StartChild(inner(supervisor(children())).spec)).await;
        assert_eq!(refused, Err(RequestError::Failed(SpawnError::Failed(why.clone()))));
        assert_eq!(told(app, 4).await, ["a up", "b up", "b down", "a down"]);
    })
    .await;
    for keep in MODES {
        let refused = TestApp::try_start(keep, supervisor(children())).await.map(|_| ());
        let expected = SpawnError::Failed(why.clone());
        assert!(matches!(&refused, Err(StartError::Failed(error)) if *error == expected), "{refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sup_03_defaults_are_those_of_otp() {
    let Blueprint::Process(process) = Child::probe("a").spec.start else { panic!("a probe is a process") };
    let spec = SupervisorSpec::new(vec![ChildSpec::worker("a", Blueprint::Process(process))]);
    assert_eq!(spec.children[0].shutdown, Shutdown::Timeout(Duration::from_millis(5000)));
    in_both_modes(probes(["o"]), async |app| {
        let sup = add(app, inner(spec.clone())).await;
        let mark = monitor(app, "o", sup.to_text()).await;
        let first = app.pid("a");
        assert_eq!(app.ask("a", json!({ "ReplyAndStop": "normal" })).await, Value::Null);
        let next = eventually("the one restart", || app.whereis("a").filter(|&pid| pid != first)).await;
        app.ask("o", json!({ "Kill": { "to": next.to_text() } })).await;
        assert_eq!(reason(app, "o", &mark).await, shutdown(), "two within five seconds are too many");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sup_03_bad_specs_are_refused_by_name() {
    let twice = supervisor([Child::probe("a"), Child::probe("a")]);
    let no_window = SupervisorSpec { max_seconds: 0, ..supervisor([]) };
    let nameless = supervisor([Child::probe("")]);
    in_both_modes(probes(["o"]), async |app| {
        for (spec, expected) in
            [(&twice, "have the id \"a\""), (&no_window, "max_seconds"), (&nameless, "bad child id")]
        {
            let refused = ask(app, root(app), Request::StartChild(inner(spec.clone()).spec)).await;
            let Err(RequestError::Failed(SpawnError::Refused(Refusal::Invalid(why)))) = &refused else {
                panic!("not refused as invalid: {refused:?}");
            };
            assert!(why.contains(expected), "{why}");
            assert_eq!(child(app, root(app), "inner").await, None, "a spec that cannot be is not kept");
        }
        let mut nameless = Child::probe("x").spec;
        nameless.id = "".into();
        let refused = ask(app, root(app), Request::StartChild(nameless)).await;
        assert!(matches!(refused, Err(RequestError::Invalid(SpecError::BadId { .. }))), "{refused:?}");
    })
    .await;
}

/// A probe that traps exits and, told to end, waits until `o` releases it.
fn lingering(shutdown: Shutdown) -> Child {
    let tell = json!({ "SendNamed": { "name": "o", "body": "asked to end" } });
    let args = json!([{ "TrapExit": true }, { "AtEnd": { "steps": [tell, call_and_wait("o")] } }]);
    Child::new("slow", "probe", &args).shutdown(shutdown).restart(Restart::Permanent)
}

#[tokio::test(flavor = "multi_thread")]
async fn sup_15_brutal_kill_kills_at_once() {
    in_both_modes(probes(["o"]), async |app| {
        let slow = add(app, lingering(Shutdown::BrutalKill)).await;
        let mark = monitor(app, "o", slow.to_text()).await;
        assert_eq!(ask(app, root(app), Request::TerminateChild("slow".into())).await, Ok(Answer::Done));
        assert_eq!(reason(app, "o", &mark).await, json!("killed"));
        assert_eq!(heard(app, "o", "info", 0).await, [] as [Value; 0], "it was not asked");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sup_15_a_timeout_asks_first_and_kills_when_it_is_over() {
    in_both_modes(probes(["o", "ready"]), async |app| {
        let patience = Duration::from_millis(40);
        let slow = add(app, lingering(Shutdown::Timeout(patience))).await;
        let mark = monitor(app, "o", slow.to_text()).await;
        let started = Instant::now();
        assert_eq!(ask(app, root(app), Request::TerminateChild("slow".into())).await, Ok(Answer::Done));
        assert!(started.elapsed() >= patience);
        assert_eq!(reason(app, "o", &mark).await, json!("killed"));
        assert_eq!(told(app, 1).await, ["asked to end"]);

        let mark = monitor(app, "o", "ready").await;
        assert_eq!(ask(app, root(app), Request::TerminateChild("ready".into())).await, Ok(Answer::Done));
        assert_eq!(reason(app, "o", &mark).await, shutdown(), "who does not trap ends when asked");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sup_15_infinity_waits_for_workers_too() {
    in_both_modes(probes(["o"]), async |app| {
        let slow = add(app, lingering(Shutdown::Infinity)).await;
        let mark = monitor(app, "o", slow.to_text()).await;
        let released = async {
            until(app, "o", json!("Held"), |held| held[0].is_object()).await;
            let view = child(app, root(app), "slow").await.expect("its spec is known");
            assert_eq!((view.status, view.kind), (ChildStatus::Stopping(slow), ChildKind::Worker));
            app.ask("o", json!({ "Release": { "body": null } })).await
        };
        let (stopped, _) = tokio::join!(ask(app, root(app), Request::TerminateChild("slow".into())), released);
        assert_eq!(stopped, Ok(Answer::Done));
        assert_eq!(reason(app, "o", &mark).await, shutdown());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sup_18_start_terminate_restart_and_delete() {
    use Request::{DeleteChild, RestartChild, StartChild, TerminateChild};
    in_both_modes(probes(["o"]), async |app| {
        let root = root(app);
        let ask = async |request| ask(app, root, request).await;
        let spec = teller("a").spec;
        for unknown in [TerminateChild("a".into()), RestartChild("a".into()), DeleteChild("a".into())] {
            assert_eq!(ask(unknown).await, Err(RequestError::NotFound));
        }
        let first = ask(StartChild(spec.clone())).await;
        let Ok(Answer::Started(Some(pid))) = first else { panic!("it does not start: {first:?}") };
        assert_eq!(ask(StartChild(spec.clone())).await, Err(RequestError::AlreadyStarted(pid)));
        assert_eq!(ask(RestartChild("a".into())).await, Err(RequestError::Running));
        assert_eq!(ask(DeleteChild("a".into())).await, Err(RequestError::Running));
        for _ in 0..2 {
            assert_eq!(ask(TerminateChild("a".into())).await, Ok(Answer::Done), "also one that is down");
        }
        assert_eq!(told(app, 2).await, ["a up", "a down"]);
        assert_eq!(ask(StartChild(spec.clone())).await, Err(RequestError::AlreadyPresent));
        let again = ask(RestartChild("a".into())).await;
        assert!(matches!(again, Ok(Answer::Started(Some(next))) if next != pid && app.pid("a") == next), "{again:?}");
        assert_eq!(ask(TerminateChild("a".into())).await, Ok(Answer::Done));
        assert_eq!(ask(DeleteChild("a".into())).await, Ok(Answer::Done));
        assert_eq!(ask(DeleteChild("a".into())).await, Err(RequestError::NotFound));
    })
    .await;
}
