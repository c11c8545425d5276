//! TASK-11: tasks that a supervisor starts for whoever awaits them.

use super::super::{custom, of_kind, task};
use super::*;

/// A supervisor called workers, declared by the app, of temporary tasks that do what they are told.
fn workers(max_children: usize) -> Child {
    let template = Child::new("worker", "probe-task", &Value::Null).process(|process| process.name = None);
    declared(SupervisorSpec { max_children, ..SupervisorSpec::template(template.spec) })
}

fn declared(spec: SupervisorSpec<Blueprint>) -> Child {
    let spec = SupervisorSpec { name: Some("workers".into()), ..spec };
    let mut spec = ChildSpec::supervisor("workers", Blueprint::Supervisor(spec.into()));
    spec.restart = Restart::Temporary;
    Child { spec }
}

fn body(value: &Value) -> Value {
    json!({ "json": value.to_string() })
}

/// Has a probe, which is a server, start a task under workers: the answer.
async fn begin(app: &TestApp, by: &str, steps: &Value, link: bool) -> Value {
    let ask = json!({ "StartTaskFromTemplate": { "args": body(steps), "link": link } });
    app.ask(by, json!({ "Supervise": { "supervisor": "workers", "ask": ask } })).await
}

/// As [`begin`], of one that must start: its pid and its mark.
async fn begun(app: &TestApp, by: &str, steps: &Value, link: bool) -> (String, Value) {
    let mut answer = begin(app, by, steps, link).await;
    let task = answer["Ok"]["Task"].take();
    let pid = task["pid"].as_str().unwrap_or_else(|| panic!("no task: {answer}"));
    (pid.to_owned(), task["mark"].clone())
}

async fn children(app: &TestApp) -> Vec<Pid> {
    match ask(app, app.pid("workers"), Request::WhichChildren).await {
        Ok(Answer::Children(children)) => children.iter().filter_map(|child| child.status.pid()).collect(),
        other => panic!("no list of children: {other:?}"),
    }
}

async fn alone(app: &TestApp) {
    let begun = Instant::now();
    while !children(app).await.is_empty() {
        assert!(begun.elapsed() < skep_tests::app::PATIENCE, "it keeps {:?}", children(app).await);
    }
}

async fn stop_workers(app: &TestApp) {
    assert_eq!(ask(app, root(app), Request::TerminateChild("workers".into())).await, Ok(Answer::Done));
}

/// Waits for an answer that does not come before `o` gives it.
fn waits() -> Value {
    json!([call_and_wait("o"), "Me"])
}

async fn release(app: &TestApp) {
    until(app, "o", json!("Held"), |held| held[0].is_object()).await;
    app.ask("o", json!({ "Release": { "body": null } })).await;
}

fn app_with(names: &[&str], workers: Child) -> Vec<Child> {
    names.iter().map(|name| Child::probe(name)).chain([workers]).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn task_11_a_supervised_task_is_in_the_tree_and_brings_its_result_to_its_owner_alone() {
    in_both_modes(app_with(&["o", "a", "b"], workers(10)), async |app| {
        for link in [true, false] {
            let (pid, mark) = begun(app, "a", &waits(), link).await;
            assert_eq!(children(app).await, [pid.parse().expect("it is a pid")]);
            let tree = app.runtime.tree("test").expect("the app runs");
            let workers = tree.children.iter().find(|child| &*child.id == "workers").expect("it runs");
            assert_eq!(workers.children[0].module.as_deref(), Some("probe-task"));
            let watching = monitor(app, "b", pid.clone()).await;
            release(app).await;
            let of_it = |entry: &Value| entry["answer"]["mark"] == mark || entry["down"]["mark"] == mark;
            let journal = app.journal("a", |journal| journal.iter().filter(|entry| of_it(entry)).count() == 2).await;
            let of_it: Vec<&Value> = journal.iter().filter(|entry| of_it(entry)).collect();
            assert_eq!(of_it[0]["answer"]["outcome"], json!({ "Ok": [{ "Ok": null }, pid] }));
            assert_eq!(of_it[1]["down"]["reason"], "normal");
            assert_eq!(reason(app, "b", &watching).await, "normal");
            assert_eq!(
                of_kind(app.ask("b", json!("Take")).await.as_array().expect("a journal"), "answer"),
                [] as [Value; 0]
            );
            alone(app).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn task_11_a_failure_is_the_owners_or_a_down_and_the_supervisor_goes_on() {
    in_both_modes(app_with(&["o", "a", "b"], workers(10)), async |app| {
        let fails = json!([call_and_wait("o"), { "Fail": "no" }]);
        let no = json!({ "failed": "no" });
        let (_, mark) = begun(app, "b", &fails, false).await;
        release(app).await;
        assert_eq!(reason(app, "b", &mark).await, no);
        let ends = monitor(app, "b", app.pid_text("a")).await;
        begun(app, "a", &fails, true).await;
        release(app).await;
        assert_eq!(reason(app, "b", &ends).await, no, "it was linked");
        alone(app).await;
        assert_eq!(app.ask("b", json!({ "Echo": 1 })).await, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn task_11_an_owner_that_ends_takes_its_task_along_if_they_are_linked() {
    in_both_modes(app_with(&["o", "a"], workers(10)), async |app| {
        for link in [true, false] {
            if !link {
                while child(app, root(app), "a").await.is_some() {}
                add(app, Child::probe("a")).await;
            }
            let (pid, _) = begun(app, "a", &waits(), link).await;
            let mark = monitor(app, "o", pid).await;
            until(app, "o", json!("Held"), |held| held[0].is_object()).await;
            let _ = app.call("a", json!({ "Stop": { "reason": custom("enough") } })).await;
            if !link {
                eventually("the end of its owner", || app.whereis("a").is_none().then_some(())).await;
                assert_eq!(children(app).await.len(), 1);
            }
            app.ask("o", json!({ "Release": { "body": null } })).await;
            let expected = if link { custom("enough") } else { json!("normal") };
            assert_eq!(reason(app, "o", &mark).await, expected);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn task_11_a_task_whose_owner_has_ended_before_it_is_there_does_not_run() {
    in_both_modes(probes(["o"]), async |app| {
        for link in [true, false] {
            let owner = add(app, Child::probe("a")).await;
            // It starts its children one after the other, and requests wait meanwhile.
            let slow = Child::new("slow", "probe", &json!([call_and_wait("o")]));
            let workers = add(app, declared(supervisor([slow])));
            let asked = async {
                until(app, "o", json!("Held"), |held| held[0].is_object()).await;
                let process = json!({ "module": "probe-task", "args": body(&json!([{ "SendNamed": { "name": "o", "body": "ran" } }])) });
                let spec = json!({ "id": "t", "start": { "process": process }, "restart": "temporary" });
                let ask = json!({ "StartTask": { "task": spec, "link": link } });
                app.send("a", &json!({ "do": [{ "Supervise": { "supervisor": "workers", "ask": ask } }] }));
                let blocked = || (super::super::process(app, "a").status == "blocked").then_some(());
                eventually("it to block", blocked).await;
                app.runtime.kill(owner);
                eventually("its end", || (!app.is_alive(owner)).then_some(())).await;
                app.ask("o", json!({ "Release": { "body": null } })).await;
            };
            tokio::join!(workers, asked);
            // Who runs is listed until he has ended, and has told by then.
            let begun = Instant::now();
            while child(app, app.pid("workers"), "t").await.is_some() {
                assert!(begun.elapsed() < skep_tests::app::PATIENCE);
            }
            assert_eq!(of_kind(app.ask("o", json!("Journal")).await.as_array().expect("a journal"), "info"), [] as [Value; 0]);
            stop_workers(app).await;
            while child(app, root(app), "a").await.is_some() {}
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn task_11_tasks_are_stopped_with_their_supervisor_each_in_its_way() {
    let dynamic = || declared(SupervisorSpec::dynamic(None));
    in_both_modes(app_with(&["o", "a"], dynamic()), async |app| {
        // Told to end, it does not care.
        let stubborn =
            json!([{ "TrapExit": true }, { "SendNamed": { "name": "o", "body": "up" } }, call_and_wait("o")]);
        let waits = waits();
        for (shutdown, steps, expected) in [
            (Value::Null, &waits, json!({ "shutdown": null })),
            (json!("brutal_kill"), &waits, json!("killed")),
            (json!({ "timeout_ms": 20 }), &stubborn, json!("killed")),
        ] {
            let process = json!({ "module": "probe-task", "args": body(steps) });
            let spec =
                json!({ "id": "t", "start": { "process": process }, "restart": "temporary", "shutdown": shutdown });
            let ask = json!({ "StartTask": { "task": spec, "link": false } });
            let answer = app.ask("a", json!({ "Supervise": { "supervisor": "workers", "ask": ask } })).await;
            let mark = &answer["Ok"]["Task"]["mark"];
            assert!(mark.is_number(), "{answer}");
            if steps == &stubborn {
                told(app, 1).await;
            }
            stop_workers(app).await;
            assert_eq!(reason(app, "a", mark).await, expected, "{shutdown}");
            add(app, dynamic()).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn task_11_a_task_that_nobody_awaits_is_restarted_if_that_is_said() {
    in_both_modes(
        app_with(&["o", "a"], declared(SupervisorSpec { max_restarts: 9, ..SupervisorSpec::dynamic(None) })),
        async |app| {
            let fails = json!([{ "SendNamed": { "name": "o", "body": "up" } }, call_and_wait("o"), { "Fail": "no" }]);
            for (restart, again) in [("temporary", false), ("transient", true), ("permanent", true)] {
                let under = json!({ "supervisor": "workers", "module": true, "restart": restart });
                let started = task(app, "a", json!([{ "StartTaskChild": { "steps": fails, "under": under } }])).await;
                assert_eq!(told(app, 1).await, ["up"]);
                let first: Pid = started[0].as_str().and_then(|pid| pid.parse().ok()).expect("it is a pid");
                assert_eq!(children(app).await, [first], "whoever started it has ended");
                release(app).await;
                if again {
                    assert_eq!(told(app, 1).await, ["up"]);
                    let next = children(app).await;
                    assert!(next.len() == 1 && next[0] != first, "{next:?}");
                    let end = Request::TerminatePid(next[0]);
                    assert_eq!(ask(app, app.pid("workers"), end).await, Ok(Answer::Done));
                    app.ask("o", json!({ "Release": { "body": null } })).await;
                }
                alone(app).await;
            }
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn task_11_what_is_refused_leaves_nothing_behind() {
    let stranger = Child::probe("stranger").process(|process| {
        let mut grants = (*process.grants).clone();
        grants.supervise.clear();
        process.grants = grants.into();
    });
    let children_of =
        |workers| app_with(&["o", "a"], workers).into_iter().chain([stranger.clone()]).collect::<Vec<_>>();
    let refused = |answer: &Value, kind: &str| answer["Err"]["refused"][kind].as_str().unwrap_or_default().to_owned();
    in_both_modes(children_of(workers(1)), async |app| {
        let (pid, mark) = begun(app, "a", &waits(), true).await;
        assert_eq!(begin(app, "a", &waits(), true).await, json!({ "Err": "max-children" }));
        let denied = begin(app, "stranger", &waits(), true).await;
        assert_eq!(refused(&denied, "denied"), "supervise = [\"workers\"]");
        release(app).await;
        heard(app, "a", "down", 1).await;
        let journal = app.ask("a", json!("Take")).await;
        let journal = journal.as_array().expect("a journal").clone();
        assert_eq!((of_kind(&journal, "down").len(), of_kind(&journal, "answer").len()), (1, 1), "{journal:?}");
        assert_eq!(journal[0]["answer"]["mark"], mark);
        // It has as many links as before.
        let links = app.runtime.processes().into_iter().find(|process| process.pid == app.pid("a")).map(|a| a.links);
        assert_eq!(links, Some(1), "to its supervisor, and no longer to {pid}");
    })
    .await;
    for (guest, restart, why) in [
        ("probe", Restart::Temporary, "module probe is no task"),
        ("probe-task", Restart::Permanent, "a task whose result is awaited is temporary"),
    ] {
        let template =
            Child::new("worker", guest, &Value::Null).restart(restart).process(|process| process.name = None);
        let workers = declared(SupervisorSpec::template(template.spec));
        in_both_modes(children_of(workers), async |app| {
            for link in [true, false] {
                assert_eq!(refused(&begin(app, "a", &json!([]), link).await, "invalid"), why);
            }
            assert_eq!(children(app).await, []);
            assert_eq!(app.ask("a", json!("Take")).await, json!([]));
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn task_11_a_guests_own_supervisor_starts_tasks_and_streams_of_them() {
    in_both_modes(probes(["o", "a"]), async |app| {
        let under = json!({ "supervisor": { "step": 0 }, "module": true });
        let item = |text: &str| json!([{ "SendNamed": { "name": "o", "body": text } }, "Me"]);
        let steps = json!([
            { "StartSupervisor": { "roster": { "dynamic": null } } },
            { "StartTask": { "steps": ["Me"], "under": under } },
            { "Await": { "task": { "step": 1 } } },
            { "StartTask": { "steps": [{ "Fail": "no" }], "link": false, "under": under } },
            { "Yield": { "task": { "step": 3 }, "timeout_ms": null } },
            { "Stream": { "items": [item("x"), [{ "Fail": "no" }], item("z")], "max": 2, "under": under } },
            { "Supervise": { "supervisor": { "step": 0 }, "ask": "CountChildren" } },
            { "Receive": { "timeout_ms": 0 } },
        ]);
        let results = task(app, "a", steps).await;
        assert_eq!(results[2], json!([results[1]["pid"]]));
        assert_eq!(results[4], json!({ "Err": { "failed": "no" } }));
        assert_eq!(results[5][1], json!({ "Err": { "failed": "no" } }));
        assert!(results[5][0]["Ok"][1].is_string() && results[5][2]["Ok"][1].is_string(), "{}", results[5]);
        assert_eq!(results[6]["Ok"]["Counts"]["supervisors"], 0);
        assert_eq!(results[7], Value::Null, "nothing is left in its mailbox");
        let mut heard = told(app, 2).await;
        heard.sort_by_key(Value::to_string);
        assert_eq!(heard, ["x", "z"]);
    })
    .await;
}
