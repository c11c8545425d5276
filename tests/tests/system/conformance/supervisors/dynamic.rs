//! DSUP: children that come and go.

use skep_runtime::kernel::supervisor::{Counts, Roster};
use skep_runtime::observe::Report;
use skep_tests::app::{PATIENCE, SLOTS};

use super::*;

/// A supervisor of this name, whose children are made from this one.
fn workers(child: Child) -> Child {
    let template = ChildSpec { id: "worker".into(), ..child.spec };
    named("workers", SupervisorSpec { max_restarts: 1_000, max_seconds: 1, ..SupervisorSpec::template(template) })
}

/// A temporary child of the root that is this supervisor, and is called so.
fn named(name: &str, spec: SupervisorSpec<Blueprint>) -> Child {
    let spec = SupervisorSpec { name: Some(name.into()), ..spec };
    let mut spec = ChildSpec::supervisor(name, Blueprint::Supervisor(spec.into()));
    spec.restart = Restart::Temporary;
    Child { spec }
}

/// A probe without a name that is told by its arguments what to do.
fn plain(args: &Value) -> Child {
    Child::new("worker", "probe", args).process(|process| process.name = None)
}

async fn started(app: &TestApp, supervisor: Pid, args: Value) -> Pid {
    let args = Body::Json(args.to_string());
    match ask(app, supervisor, Request::StartFromTemplate(Some(args))).await {
        Ok(Answer::Started(Some(pid))) => pid,
        other => panic!("it does not start: {other:?}"),
    }
}

async fn counts(app: &TestApp, supervisor: Pid) -> Counts {
    match ask(app, supervisor, Request::CountChildren).await {
        Ok(Answer::Counts(counts)) => counts,
        other => panic!("no counts: {other:?}"),
    }
}

/// A step that says to `o` who it is.
fn say(what: &str) -> Value {
    json!({ "SendNamed": { "name": "o", "body": what } })
}

#[tokio::test(flavor = "multi_thread")]
async fn dsup_01_children_are_made_from_the_template_with_arguments_of_their_own() {
    in_both_modes(probes(["o"]), async |app| {
        let sup = add(app, workers(plain(&Value::Null).restart(Restart::Permanent))).await;
        assert_eq!(app.whereis("workers"), Some(sup));
        assert_eq!(counts(app, sup).await, Counts { specs: 1, ..Counts::default() }, "nothing is started");
        let first = started(app, sup, json!([say("first")])).await;
        let second = started(app, sup, json!([say("second")])).await;
        assert_eq!(told(app, 2).await, ["first", "second"]);
        assert_eq!(counts(app, sup).await, Counts { specs: 1, active: 2, supervisors: 0, workers: 2 });
        // What a child was started with, it is restarted with (DSUP-04).
        app.runtime.kill(first);
        assert_eq!(told(app, 1).await, ["first"]);
        assert!(app.is_alive(second));
        let spec = plain(&Value::Null).spec;
        assert_eq!(ask(app, sup, Request::StartChild(spec)).await, Err(RequestError::OnlyByTemplate));
        assert_eq!(ask(app, root(app), Request::StartFromTemplate(None)).await, Err(RequestError::NoTemplate),);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dsup_01_template_and_child_arguments_make_a_pair() {
    in_both_modes(probes(["o"]), async |app| {
        // A probe takes a list of steps: the template's is the first, the child's the second.
        let sup = add(app, workers(plain(&say("template")))).await;
        started(app, sup, say("child")).await;
        assert_eq!(told(app, 2).await, ["template", "child"]);
        let args = Body::Text("x".into());
        let refused = ask(app, sup, Request::StartFromTemplate(Some(args))).await;
        let Err(RequestError::Failed(SpawnError::Refused(Refusal::Invalid(why)))) = refused else {
            panic!("not refused: {refused:?}");
        };
        assert!(why.contains("JSON"), "{why}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dsup_07_extra_arguments_come_first_also_at_a_restart() {
    in_both_modes(probes(["o"]), async |app| {
        let extra_args = Some(Body::Json(say("extra").to_string()));
        let sup =
            add(app, named("workers", SupervisorSpec { max_children: 1, ..SupervisorSpec::dynamic(extra_args) })).await;
        let spec = plain(&say("own")).restart(Restart::Permanent).spec;
        let Ok(Answer::Started(Some(first))) = ask(app, sup, Request::StartChild(spec.clone())).await else {
            panic!("it does not start");
        };
        assert_eq!(told(app, 2).await, ["extra", "own"]);
        assert_eq!(ask(app, sup, Request::StartChild(spec)).await, Err(RequestError::MaxChildren));
        app.runtime.kill(first);
        assert_eq!(told(app, 2).await, ["extra", "own"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dsup_02_children_are_stopped_by_their_pids() {
    in_both_modes(probes(["o"]), async |app| {
        let sup = add(app, workers(plain(&Value::Null))).await;
        let pid = started(app, sup, Value::Null).await;
        let by_id = Request::TerminateChild("worker".into());
        assert_eq!(ask(app, sup, by_id).await, Err(RequestError::OnlyByPid));
        let stranger = app.pid("o");
        assert_eq!(ask(app, sup, Request::TerminatePid(stranger)).await, Err(RequestError::NotFound));
        assert!(app.is_alive(stranger));
        assert_eq!(ask(app, sup, Request::TerminatePid(pid)).await, Ok(Answer::Done));
        assert!(!app.is_alive(pid));
        assert_eq!(ask(app, sup, Request::TerminatePid(pid)).await, Err(RequestError::NotFound));
        assert_eq!(counts(app, sup).await.active, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dsup_03_all_are_told_at_once_and_share_one_deadline() {
    const MANY: usize = 20;
    // Told to end, they wait for `o`.
    let stubborn = json!([{ "TrapExit": true }, { "AtEnd": { "steps": [call_and_wait("o")] } }]);
    in_both_modes(probes(["o"]), async |app| {
        for (patience, expected) in [(10 * PATIENCE, "shutdown"), (Duration::from_millis(50), "killed")] {
            let child = plain(&stubborn).restart(Restart::Temporary).shutdown(Shutdown::Timeout(patience));
            let sup = add(app, workers(child)).await;
            let mut marks = Vec::new();
            for _ in 0..MANY {
                let pid = started(app, sup, Value::Null).await;
                marks.push(monitor(app, "o", pid.to_text()).await);
            }
            let all_wait = async {
                if expected == "shutdown" {
                    // All have their last words at once: nobody had to end for the next one to be told.
                    until(app, "o", json!("Held"), |held| held.as_array().is_some_and(|held| held.len() == MANY)).await;
                    app.steps("o", vec![json!({ "Release": { "body": null } }); MANY].into()).await;
                }
            };
            let begun = Instant::now();
            let stop = ask(app, root(app), Request::TerminateChild("workers".into()));
            let both = tokio::time::timeout(PATIENCE, async { tokio::join!(stop, all_wait) });
            assert_eq!(both.await.expect("they stop").0, Ok(Answer::Done));
            assert!(expected == "shutdown" || begun.elapsed() >= patience);
            for mark in &marks {
                let reason = reason(app, "o", mark).await;
                assert_eq!(reason, if expected == "killed" { json!("killed") } else { shutdown() });
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dsup_04_arguments_of_temporary_children_are_not_kept() {
    in_both_modes(probes(["o"]), async |app| {
        for (restart, kept) in [(Restart::Temporary, false), (Restart::Transient, true)] {
            let sup = add(app, workers(plain(&Value::Null).restart(restart))).await;
            let large = json!([{ "Log": "x".repeat(100_000) }]);
            let pid = started(app, sup, large).await;
            let planned = app.runtime.tree("test").expect("the app runs");
            let workers = planned.children.iter().find(|child| &*child.id == "workers").expect("it runs");
            assert_eq!(workers.children[0].pid, Some(pid));
            // A restart has them, and there is none without.
            app.runtime.kill(pid);
            let again = eventually("the end", || {
                let tree = app.runtime.tree("test")?;
                let workers = tree.children.into_iter().find(|child| &*child.id == "workers")?;
                let next = workers.children.first().map(|child| child.pid);
                (next != Some(Some(pid)) && next != Some(None)).then_some(next)
            });
            assert_eq!(again.await.is_some(), kept);
            assert_eq!(ask(app, root(app), Request::TerminateChild("workers".into())).await, Ok(Answer::Done));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dsup_08_the_limit_of_restarts_is_shared() {
    in_both_modes(probes(["o"]), async |app| {
        let template = ChildSpec { restart: Restart::Permanent, ..plain(&Value::Null).spec };
        let spec = SupervisorSpec { max_restarts: 2, max_seconds: 1_000, ..SupervisorSpec::template(template) };
        let sup = add(app, named("workers", spec)).await;
        let pids = [started(app, sup, Value::Null).await, started(app, sup, Value::Null).await];
        let other = started(app, sup, Value::Null).await;
        let mark = monitor(app, "o", sup.to_text()).await;
        for pid in pids {
            app.runtime.kill(pid);
        }
        app.runtime.kill(other);
        assert_eq!(reason(app, "o", &mark).await, shutdown());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dsup_08_ten_thousand_children_start_and_stop_under_one_deadline() {
    const MANY: usize = 10_000;
    in_both_modes(probes(["o"]), async |app| {
        // Each one ends in its own code, for which it needs an instance again. That takes however long it takes: this is no
        // test of a clock, and the deadline is far away.
        let steps = json!([{ "TrapExit": true }, { "AtEnd": { "steps": [{ "Log": "down" }] } }]);
        let child = plain(&steps).restart(Restart::Temporary).shutdown(Shutdown::Timeout(10 * PATIENCE));
        let sup = add(app, workers(child)).await;
        for _ in 0..MANY {
            let begun = ask(app, sup, Request::StartFromTemplate(None)).await;
            assert!(matches!(begun, Ok(Answer::Started(Some(_)))), "{begun:?}");
        }
        assert_eq!(counts(app, sup).await.active, MANY);
        let guests = || app.runtime.processes().into_iter().filter(|process| process.module.is_some());
        let with_instance = guests().filter(|process| process.saved_bytes.is_none()).count();
        assert!(with_instance <= SLOTS as usize, "who waits holds no instance, but {with_instance} do");
        assert_eq!(ask(app, root(app), Request::TerminateChild("workers".into())).await, Ok(Answer::Done));
        let down = |report: &Report| matches!(report, Report::Log { message, .. } if message == "down");
        assert_eq!(app.reports().iter().filter(|report| down(report)).count(), MANY, "nobody was killed");
        assert_eq!(guests().count(), 1, "only `o`");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hot_19_a_dynamic_supervisor_cannot_become_one_that_lists_its_children() {
    in_both_modes(probes(["o"]), async |app| {
        let sup = add(app, workers(plain(&Value::Null))).await;
        let pid = started(app, sup, Value::Null).await;
        let refused = ask(app, sup, Request::Replace(supervisor([plain(&Value::Null)]))).await;
        assert_eq!(refused, Err(RequestError::Invalid(SpecError::AnotherRoster)));
        let template = plain(&Value::Null).restart(Restart::Temporary).spec;
        let other = SupervisorSpec { max_children: 1, ..SupervisorSpec::template(template) };
        assert_eq!(other.roster, Roster::Template);
        assert_eq!(ask(app, sup, Request::Replace(other)).await, Ok(Answer::Done));
        assert!(app.is_alive(pid));
        assert_eq!(ask(app, sup, Request::StartFromTemplate(None)).await, Err(RequestError::MaxChildren));
    })
    .await;
}
