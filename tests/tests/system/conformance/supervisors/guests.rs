//! Supervisors that guests start and ask: what they may, what it counts against, and when it ends.

use skep_tests::app::PATIENCE;

use super::*;

/// A child spec as a script has it: a probe with these steps.
fn spec(id: &str, restart: &str, steps: &Value) -> Value {
    json!({ "id": id, "restart": restart, "start": { "process": { "module": "probe", "args": body(steps) } } })
}

fn body(value: &Value) -> Value {
    json!({ "json": value.to_string() })
}

async fn start(app: &TestApp, by: &str, supervisor: Value) -> Value {
    app.ask(by, json!({ "StartSupervisor": supervisor })).await
}

/// A supervisor that must start: its pid.
async fn started(app: &TestApp, by: &str, supervisor: Value) -> String {
    let answer = start(app, by, supervisor).await;
    answer["Ok"]["pid"].as_str().unwrap_or_else(|| panic!("it does not start: {answer}")).to_owned()
}

async fn supervise(app: &TestApp, by: &str, supervisor: &str, what: Value) -> Value {
    app.ask(by, json!({ "Supervise": { "supervisor": supervisor, "ask": what } })).await
}

/// A probe called boss, once the root has heard of the end of the one before.
async fn new_boss(app: &TestApp) -> Pid {
    while child(app, root(app), "boss").await.is_some() {}
    add(app, Child::probe("boss")).await
}

fn say(what: &str) -> Value {
    json!({ "SendNamed": { "name": "o", "body": what } })
}

/// The pid in an answer to a start.
fn pid(answer: &Value) -> &str {
    answer["Ok"]["Started"].as_str().unwrap_or_else(|| panic!("no child: {answer}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn sup_18_a_guest_starts_a_tree_and_asks_for_everything() {
    in_both_modes(probes(["o", "boss"]), async |app| {
        let nested = json!({ "strategy": "rest_for_one", "children": [spec("c", "permanent", &json!([say("c")]))] });
        let tree = json!({
            "strategy": "one_for_all", "max_restarts": 5, "max_seconds": 60, "name": "tree",
            "children": [
                spec("a", "permanent", &json!([say("a")])),
                { "id": "b", "start": { "supervisor": nested } },
            ],
        });
        let sup = started(app, "boss", tree).await;
        assert_eq!(told(app, 2).await, ["a", "c"]);
        assert_eq!(app.pid_text("tree"), sup);
        let listed = supervise(app, "boss", "tree", json!("WhichChildren")).await;
        let listed = listed["Ok"]["Children"].as_array().expect("a list").clone();
        let ids: Vec<_> = listed.iter().map(|child| (child["id"].as_str(), child["supervisor"].as_bool())).collect();
        assert_eq!(ids, [(Some("b"), Some(true)), (Some("a"), Some(false))], "newest first");
        let counts = supervise(app, "boss", &sup, json!("CountChildren")).await;
        assert_eq!(counts["Ok"]["Counts"], json!({ "specs": 2, "active": 2, "supervisors": 1, "workers": 1 }));

        let d = json!({ "StartChild": spec("d", "temporary", &json!([say("d")])) });
        let answer = supervise(app, "boss", &sup, d.clone()).await;
        let taken = supervise(app, "boss", &sup, d).await;
        assert_eq!(taken, json!({ "Err": { "already-started": pid(&answer) } }));
        let done = json!({ "Ok": "Done" });
        assert_eq!(supervise(app, "boss", &sup, json!({ "TerminateChild": "d" })).await, done);
        assert_eq!(supervise(app, "boss", &sup, json!({ "DeleteChild": "d" })).await, json!({ "Err": "not-found" }));
        assert_eq!(supervise(app, "boss", &sup, json!({ "DeleteChild": "a" })).await, json!({ "Err": "running" }));
        assert_eq!(supervise(app, "boss", &sup, json!({ "TerminateChild": "a" })).await, done);
        pid(&supervise(app, "boss", &sup, json!({ "RestartChild": "a" })).await);
        assert_eq!(told(app, 2).await, ["d", "a"]);
        // A crash goes by the strategy.
        let a = child_pid(app, "boss", &sup, "a").await;
        app.ask("o", json!({ "Kill": { "to": a } })).await;
        assert_eq!(told(app, 2).await, ["a", "c"]);
    })
    .await;
}

async fn child_pid(app: &TestApp, by: &str, supervisor: &str, id: &str) -> Value {
    let listed = supervise(app, by, supervisor, json!("WhichChildren")).await;
    let listed = listed["Ok"]["Children"].as_array().expect("a list").clone();
    listed.into_iter().find(|child| child["id"] == id).expect("it is listed")["pid"].take()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guests_supervisor_ends_with_it_whatever_becomes_of_the_link() {
    in_both_modes(probes(["o"]), async |app| {
        for how in
            [json!({ "ReplyAndStop": "normal" }), json!({ "Stop": { "reason": "killed" } }), json!({ "Panic": "x" })]
        {
            for unlinks in [false, true] {
                let boss = new_boss(app).await;
                let child = json!([{ "TrapExit": true }, { "AtEnd": { "steps": [say("down")] } }, say("up")]);
                let sup = started(app, "boss", json!({ "children": [spec("a", "permanent", &child)] })).await;
                assert_eq!(told(app, 1).await, ["up"]);
                if unlinks {
                    app.ask("boss", json!({ "Unlink": { "to": sup } })).await;
                }
                let mark = monitor(app, "o", sup).await;
                let _ = app.call("boss", how.clone()).await;
                reason(app, "o", &mark).await;
                assert_eq!(told(app, 1).await, ["down"], "its children are stopped in order");
                eventually("the end", || (!app.is_alive(boss)).then_some(())).await;
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_supervisor_that_gives_up_takes_its_guest_along() {
    in_both_modes(probes(["o"]), async |app| {
        for traps in [false, true] {
            let boss = new_boss(app).await;
            app.ask("boss", json!({ "TrapExit": traps })).await;
            let mark = monitor(app, "o", boss.to_text()).await;
            let children = json!([spec("a", "permanent", &Value::Null)]);
            let sup = started(app, "boss", json!({ "max_restarts": 0, "children": children })).await;
            let a = child_pid(app, "boss", &sup, "a").await;
            app.ask("o", json!({ "Kill": { "to": a } })).await;
            if traps {
                let told = heard(app, "boss", "exit", 1).await;
                assert_eq!(told[0], json!({ "pid": sup, "reason": shutdown() }));
                app.runtime.kill(boss);
            }
            let expected = if traps { json!("killed") } else { shutdown() };
            assert_eq!(reason(app, "o", &mark).await, expected);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_granted_and_nothing_is_left_of_what_did_not_start() {
    let plain = |id: &str, change: fn(&mut skep_runtime::spec::Grants)| {
        Child::probe(id).process(|process| {
            let mut grants = (*process.grants).clone();
            change(&mut grants);
            process.grants = grants.into();
        })
    };
    let children = vec![
        Child::probe("o"),
        plain("nothing", |grants| grants.supervisors = false),
        plain("nobody", |grants| grants.spawn.clear()),
        plain("nameless", |grants| grants.register.clear()),
        plain("stranger", |grants| grants.supervise.clear()),
    ];
    in_both_modes(children, async |app| {
        let one = json!({ "children": [spec("a", "permanent", &Value::Null)] });
        let denied = |what: &str| json!({ "Err": { "refused": { "denied": what } } });
        assert_eq!(start(app, "nothing", one.clone()).await, denied("supervisors = true"));
        assert_eq!(start(app, "nobody", one.clone()).await, denied("spawn = [\"probe\"]"));
        assert_eq!(start(app, "nameless", json!({ "name": "x" })).await, denied("names = { register = [\"x\"] }"));
        let mine = started(app, "o", one.clone()).await;
        let answer = supervise(app, "stranger", &mine, json!("WhichChildren")).await;
        assert!(answer["Err"]["refused"]["denied"].as_str().is_some_and(|why| why.contains("another's")), "{answer}");
        let missing = supervise(app, "o", &app.pid_text("o"), json!("WhichChildren")).await;
        assert!(missing["Err"]["refused"]["unknown"].is_string(), "{missing}");

        // What makes no sense is refused before anything starts.
        for (odd, why) in [
            (json!({ "children": [spec("a", "permanent", &Value::Null), spec("a", "permanent", &Value::Null)] }), "have the id"),
            (json!({ "auto_shutdown": "any_significant", "roster": "template", "children": [spec("a", "permanent", &Value::Null)] }), "never significant"),
            (json!({ "max_seconds": 0 }), "max_seconds"),
        ] {
            let refused = start(app, "o", odd).await;
            assert!(refused["Err"]["refused"]["invalid"].as_str().is_some_and(|text| text.contains(why)), "{refused}");
        }
        let bad = json!({ "children": [spec("a", "permanent", &json!([{ "TrapExit": true }, { "AtEnd": { "steps": [say("down")] } }])),
            spec("b", "permanent", &json!([{ "Fail": "no" }]))] });
        let failed = start(app, "o", bad).await;
        let why = failed["Err"]["failed"]["shutdown"]["text"].as_str().unwrap_or_else(|| panic!("{failed}"));
        assert!(why.contains("failed to start child \"b\""), "{why}");
        assert_eq!(told(app, 1).await, ["down"]);
        assert_eq!(heard(app, "o", "exit", 0).await, [] as [Value; 0]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn how_many_supervisors_and_children_a_guest_has_is_bounded_and_given_back() {
    let small = Child::probe("boss").limits(|limits| {
        (limits.supervisors, limits.children, limits.mailbox_bytes) = (2, 3, 100_000);
    });
    in_both_modes(vec![Child::probe("o"), small], async |app| {
        let limit = |what: &str| json!({ "Err": { "refused": { "limit": what } } });
        let nested = json!({ "children": [{ "id": "b", "start": { "supervisor": {} } }] });
        let two = started(app, "boss", nested.clone()).await;
        assert_eq!(start(app, "boss", json!({})).await, limit("supervisors"));
        app.ask("boss", json!({ "TrapExit": true })).await;
        app.ask("boss", json!({ "Exit": { "to": two, "reason": shutdown() } })).await;
        heard(app, "boss", "exit", 1).await;
        let worker = json!([spec("w", "permanent", &Value::Null)]);
        let begun = Instant::now();
        let jobs = loop {
            // Its place is free once its process is gone.
            let answer = start(app, "boss", json!({ "roster": "template", "children": worker })).await;
            if let Some(pid) = answer["Ok"]["pid"].as_str() {
                break pid.to_owned();
            }
            assert_eq!(answer, limit("supervisors"));
            assert!(begun.elapsed() < PATIENCE, "it is never given back");
        };

        // The template counts as well.
        let job = |args: &str| json!({ "StartFromTemplate": { "json": args } });
        let first = supervise(app, "boss", &jobs, job("null")).await;
        let second = supervise(app, "boss", &jobs, job("[]")).await;
        assert_eq!(supervise(app, "boss", &jobs, job("null")).await, limit("children"));
        // What is stopped and forgotten is given back, as soon as nobody knows of it.
        let long = json!([{ "Log": "x".repeat(60_000) }]).to_string();
        stop_and_start(app, &jobs, pid(&first), &long, |answer| answer["Ok"]["Started"].is_string()).await;
        let too_much =
            |answer: &Value| answer["Err"]["refused"]["limit"].as_str().is_some_and(|why| why.contains("arguments"));
        stop_and_start(app, &jobs, pid(&second), &long, too_much).await;
    })
    .await;
}

/// Stops a child and starts another, until that comes to what is expected.
async fn stop_and_start(app: &TestApp, jobs: &str, old: &str, args: &str, expected: impl Fn(&Value) -> bool) {
    assert_eq!(supervise(app, "boss", jobs, json!({ "TerminatePid": old })).await, json!({ "Ok": "Done" }));
    let begun = Instant::now();
    loop {
        let answer = supervise(app, "boss", jobs, json!({ "StartFromTemplate": { "json": args } })).await;
        if expected(&answer) {
            return;
        }
        assert_eq!(answer, json!({ "Err": { "refused": { "limit": "children" } } }));
        assert!(begun.elapsed() < PATIENCE, "it is never given back");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dsup_07_a_guest_starts_children_in_a_supervisor_that_the_app_declares() {
    let template = Child::new("worker", "probe", &Value::Null).process(|process| process.name = None);
    let declared = SupervisorSpec {
        name: Some("workers".into()),
        max_children: 2,
        ..SupervisorSpec::template(template.restart(Restart::Temporary).spec)
    };
    let workers = Child { spec: ChildSpec::supervisor("workers", Blueprint::Supervisor(declared.into())) };
    // Its own right to spawn is not needed: what the children are, the app says.
    let boss = Child::probe("boss").process(|process| {
        let mut grants = (*process.grants).clone();
        (grants.spawn, grants.supervisors) = (Vec::new(), false);
        process.grants = grants.into();
    });
    let stranger = Child::probe("stranger").process(|process| {
        let mut grants = (*process.grants).clone();
        grants.supervise.clear();
        process.grants = grants.into();
    });
    in_both_modes(vec![Child::probe("o"), workers, boss, stranger], async |app| {
        let job = |what: &str| json!({ "StartFromTemplate": body(&json!([say(what)])) });
        let first = supervise(app, "boss", "workers", job("one")).await;
        let first = pid(&first).to_owned();
        pid(&supervise(app, "boss", "workers", job("two")).await);
        assert_eq!(told(app, 2).await, ["one", "two"]);
        assert_eq!(supervise(app, "boss", "workers", job("three")).await, json!({ "Err": "max-children" }));
        let refused = supervise(app, "stranger", "workers", job("four")).await;
        assert_eq!(refused, json!({ "Err": { "refused": { "denied": "supervise = [\"workers\"]" } } }));
        let spec = json!({ "StartChild": spec("x", "temporary", &Value::Null) });
        let refused = supervise(app, "boss", "workers", spec).await;
        assert_eq!(refused, json!({ "Err": { "refused": { "denied": "spawn = [\"probe\"]" } } }));
        assert_eq!(supervise(app, "boss", "workers", json!({ "TerminatePid": first })).await, json!({ "Ok": "Done" }),);
        let own = app.pid_text("o");
        assert_eq!(
            supervise(app, "boss", "workers", json!({ "TerminatePid": own })).await,
            json!({ "Err": "not-found" })
        );
        assert_eq!(
            supervise(app, "boss", "nobody", json!("CountChildren")).await["Err"]["refused"]["unknown"],
            "supervisor nobody"
        );
        // They belong to the app, and go on without whoever started them.
        app.runtime.kill(app.pid("boss"));
        let workers = app.pid("workers");
        eventually("the end of boss", || app.whereis("boss").is_none().then_some(())).await;
        let left = ask(app, workers, Request::CountChildren).await;
        assert!(matches!(left, Ok(Answer::Counts(counts)) if counts.active == 1), "{left:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn counters_are_started_on_demand_and_anew_after_an_end() {
    let counters = Child::new("counters", "counters", &Value::Null);
    in_both_modes(vec![Child::probe("o"), counters], async |app| {
        let add = |name: &str, by: i64| json!({ "Add": { "name": name, "by": by } });
        for (name, by, sum) in [("a", 2, 2), ("b", 5, 5), ("a", 3, 5)] {
            assert_eq!(app.ask("counters", add(name, by)).await, sum);
        }
        let running =
            || app.runtime.processes().into_iter().filter(|process| process.module.as_deref() == Some("counter"));
        let pids: Vec<Pid> = running().map(|process| process.pid).collect();
        assert_eq!(pids.len(), 2);
        app.runtime.kill(pids[0]);
        let started = Instant::now();
        // Until the desk has heard of it, the call fails.
        while app.ask("counters", add("a", 1)).await != 1 {
            assert!(started.elapsed() < PATIENCE, "it is not started anew");
        }
        assert_eq!(app.ask("counters", json!({ "Close": "a" })).await, json!(["b"]));
        assert_eq!(running().count(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sup_19_what_is_ignored_or_fails_is_told() {
    in_both_modes(probes(["o"]), async |app| {
        let sup = started(app, "o", json!({})).await;
        let child = |id: &str, step: Value| json!({ "StartChild": spec(id, "permanent", &json!([step])) });
        let ignored = supervise(app, "o", &sup, child("a", json!("Ignore"))).await;
        assert_eq!(ignored, json!({ "Ok": { "Started": null } }));
        let failed = supervise(app, "o", &sup, child("b", json!({ "Fail": "no" }))).await;
        assert_eq!(failed, json!({ "Err": { "failed": { "failed": "no" } } }));
        let listed = supervise(app, "o", &sup, json!("WhichChildren")).await;
        let listed = listed["Ok"]["Children"].as_array().expect("a list").clone();
        assert_eq!(listed.len(), 1, "who ignored its start is kept, who failed is not: {listed:?}");
        assert_eq!(
            (&listed[0]["id"], &listed[0]["status"], &listed[0]["pid"]),
            (&json!("a"), &json!("stopped"), &Value::Null)
        );
        assert_eq!(supervise(app, "o", &sup, json!({ "RestartChild": "a" })).await, ignored);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dsup_09_a_guest_finds_the_partition_of_a_key() {
    in_both_modes(probes(["o", "boss"]), async |app| {
        let parts: Vec<Value> = (0..4).map(|n| spec(&format!("p{n}"), "permanent", &Value::Null)).collect();
        let sup = started(app, "boss", json!({ "roster": "partitions", "name": "parts", "children": parts })).await;
        let key = |text: &str| json!({ "Route": text.as_bytes() });
        let routed = supervise(app, "boss", &sup, key("apples")).await;
        // Whoever may look up names may do so, and asks for nothing else.
        assert_eq!(supervise(app, "o", "parts", key("apples")).await, routed);
        assert_eq!(supervise(app, "o", "parts", json!("Partitions")).await, json!({ "Ok": { "Number": 4 } }));
        let refused = supervise(app, "o", "parts", json!({ "Resize": 0 })).await;
        assert_eq!(refused, json!({ "Err": { "refused": { "denied": "supervise = [\"parts\"]" } } }));
        assert_eq!(supervise(app, "boss", &sup, json!({ "Resize": 0 })).await, json!({ "Ok": "Done" }));
        let nowhere = supervise(app, "boss", &sup, key("apples")).await;
        assert_eq!(nowhere, json!({ "Err": { "refused": { "unknown": "no partition is in use" } } }));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_a_supervisor_blocks_and_hears_of_its_end() {
    in_both_modes(probes(["o"]), async |app| {
        let boss = new_boss(app).await;
        let sup = started(app, "boss", json!({})).await;
        // A child whose init does not return before `o` says so.
        let slow = spec("slow", "temporary", &json!([call_and_wait("o")]));
        let begin = json!({ "do": [{ "Supervise": { "supervisor": sup, "ask": { "StartChild": slow } } }] });
        app.send("boss", &begin);
        until(app, "o", json!("Held"), |held| held[0].is_object()).await;
        eventually("it to block", || (super::super::process(app, "boss").status == "blocked").then_some(())).await;
        app.runtime.kill(boss);
        eventually("its end", || (!app.is_alive(boss)).then_some(())).await;

        let boss = new_boss(app).await;
        let sup = started(app, "boss", json!({})).await;
        app.ask("boss", json!({ "TrapExit": true })).await;
        let begin = json!({ "do": [{ "Supervise": { "supervisor": sup, "ask": { "StartChild": slow } } }] });
        app.send("boss", &begin);
        until(app, "o", json!("Held"), |held| held[1].is_object()).await;
        app.ask("o", json!({ "Kill": { "to": sup } })).await;
        let ended = heard(app, "boss", "exit", 1).await;
        assert_eq!(ended[0]["reason"], "killed");
        app.runtime.kill(boss);
    })
    .await;
}
