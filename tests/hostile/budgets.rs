//! Bombs in an app that has a budget, beside another app: each goes off in its own app, and nobody else notices.

use std::sync::Arc;
use std::time::Instant;

use serde_json::{Value, json};
use skep_runtime::Request;
use skep_runtime::inspect::{AppUsage, BudgetUsage, ProcessInfo};
use skep_runtime::kernel::budget::{BudgetSpec, FuelRate, WhenOut};
use skep_runtime::kernel::supervisor::{Answer, ChildSpec, Restart, SupervisorSpec};
use skep_runtime::kernel::{Body, ExitReason, LogLimits, Pid};
use skep_runtime::observe::{Level, Report};
use skep_runtime::reconfigure::Reconfiguration;
use skep_runtime::spec::{AppSpec, Blueprint, Keep, ProcessSpec};
use skep_tests::app::supervisor;
use skep_tests::{Child, TestApp, eventually};

use super::{MODES, app, beside_the_neighbour, ended};

/// The app with the budget.
const CROWD: &str = "crowd";

/// A neighbour in an app of its own, and the crowd.
async fn crowd(keep: Keep, budget: BudgetSpec, children: impl IntoIterator<Item = Child>) -> TestApp {
    let app = app(keep, []).await;
    app.start_bounded(CROWD, budget, supervisor(children)).await;
    app
}

fn usage(app: &TestApp) -> AppUsage {
    app.runtime.usage().into_iter().find(|usage| &*usage.app == CROWD).expect("it runs")
}

fn processes(app: &TestApp) -> Vec<ProcessInfo> {
    let of_crowd = |process: &ProcessInfo| &*process.app == CROWD && process.kind != "client";
    app.runtime.processes().into_iter().filter(of_crowd).collect()
}

async fn ask(app: &TestApp, name: &str, request: Value) -> Value {
    let shown = request.to_string();
    let answer = app.call_in(CROWD, name, request).await;
    answer.unwrap_or_else(|error| panic!("{name} does not answer {shown}: {error:?}"))
}

fn pid(app: &TestApp, name: &str) -> Pid {
    app.runtime.whereis(CROWD, name).unwrap_or_else(|| panic!("nobody is called {name}"))
}

fn crash(app: &TestApp, label: &str) -> Option<ExitReason> {
    app.reports().into_iter().find_map(|report| match report {
        Report::Crash { subject, reason, .. } if subject.label.as_deref() == Some(label) => Some(reason),
        _ => None,
    })
}

/// A task that waits for ever.
fn waiter() -> Value {
    json!({ "Spawn": { "module": "probe-task", "args": [{ "Receive": { "timeout_ms": null } }] } })
}

fn bomb(app: &TestApp, most: usize) -> impl Future<Output = Vec<Value>> {
    let steps = json!({ "Many": vec![waiter(); most] });
    async move {
        match ask(app, "bomber", steps).await {
            Value::Array(results) => results,
            other => panic!("no results: {other}"),
        }
    }
}

fn refused(results: &[Value]) -> Vec<String> {
    results.iter().filter(|result| !result["Err"].is_null()).map(|result| result["Err"].to_string()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_bomb_fills_the_budget_of_its_app_and_no_other() {
    let _turn = crate::turn().await;
    for keep in MODES {
        let budget = BudgetSpec { processes: Some(10), ..BudgetSpec::default() };
        let app = crowd(keep, budget, [Child::probe("bomber")]).await;
        let results = beside_the_neighbour(&app, "a process bomb", bomb(&app, 40)).await;
        // The root supervisor, the bomber, and eight more.
        let refusals = refused(&results);
        assert_eq!((results.len(), refusals.len()), (40, 32));
        assert!(refusals.iter().all(|why| why.contains("processes of app crowd")), "{refusals:?}");
        assert_eq!((usage(&app).total.processes, processes(&app).len()), (10, 10));
        // Places come back.
        let task = processes(&app).into_iter().find(|process| process.kind == "task").expect("eight of them");
        app.runtime.kill(task.pid);
        eventually("a place", || (usage(&app).total.processes == 9).then_some(())).await;
        assert_eq!(refused(&bomb(&app, 2).await).len(), 1);
        app.runtime.stop_app(CROWD).await.expect("it stops");
        app.stop().await;
    }
}

/// A supervisor called `workers`, with a budget of its own, of children that come and go.
fn workers(budget: BudgetSpec) -> Child {
    let spec = SupervisorSpec {
        name: Some("workers".into()),
        max_restarts: 1_000,
        max_seconds: 1,
        budget: Box::new(budget),
        ..SupervisorSpec::dynamic(None)
    };
    Child { spec: ChildSpec::supervisor("workers", Blueprint::Supervisor(Arc::new(spec))) }
}

async fn start(app: &TestApp, id: &str, restart: Restart) -> Result<(), String> {
    let mut child = ProcessSpec::new("counter").args(Body::Json("0".into())).child(id);
    child.restart = restart;
    match app.runtime.supervise(pid(app, "workers"), Request::StartChild(child)).await {
        Ok(Answer::Started(_)) => Ok(()),
        Ok(other) => panic!("not an answer to a start: {other:?}"),
        Err(error) => Err(format!("{error:?}")),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn budgets_of_supervisors_nest_in_that_of_their_app() {
    let _turn = crate::turn().await;
    let of = |processes| BudgetSpec { processes: Some(processes), ..BudgetSpec::default() };
    let app = crowd(Keep::WhileItFits, of(6), [Child::probe("bomber"), workers(of(2))]).await;
    for id in ["a", "b"] {
        start(&app, id, Restart::Temporary).await.expect("there is room");
    }
    let refusal = start(&app, "c", Restart::Temporary).await.expect_err("it is the third");
    assert!(refusal.contains("processes of supervisor workers"), "{refusal}");
    // Root, bomber, workers, and the two below: one place is left in the app.
    assert_eq!(refused(&bomb(&app, 3).await).len(), 2);
    assert_eq!(usage(&app).total.processes, 6);
    // What the supervisor has room for, the app has not.
    let below = processes(&app).into_iter().find(|process| process.module.as_deref() == Some("counter"));
    app.runtime.kill(below.expect("two of them").pid);
    eventually("a place", || (usage(&app).total.processes == 5).then_some(())).await;
    assert_eq!(refused(&bomb(&app, 2).await).len(), 1);
    let refusal = start(&app, "c", Restart::Temporary).await.expect_err("there is no room in the app");
    assert!(refusal.contains("processes of app crowd"), "{refusal}");
    app.runtime.stop_app(CROWD).await.expect("it stops");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_without_a_place_counts_as_one_that_failed() {
    let _turn = crate::turn().await;
    let budget = BudgetSpec { processes: Some(3), ..BudgetSpec::default() };
    let app = crowd(Keep::WhileItFits, budget, [Child::probe("bomber"), Child::probe("victim")]).await;
    // It crashes, and what is left of its place is taken at once by what the bomber goes on to start.
    let spec = app.runtime.app_spec(CROWD).expect("it runs");
    let mut root = SupervisorSpec { max_restarts: 2, max_seconds: 3_600, ..spec.root.clone() };
    root.children[1].restart = Restart::Permanent;
    let budget = BudgetSpec { processes: Some(2), ..BudgetSpec::default() };
    app.runtime
        .reconfigure(Reconfiguration::new(AppSpec { root, budget, ..spec }), |_| {})
        .await
        .expect("it is taken over");
    app.runtime.kill(pid(&app, "victim"));
    let end = app.runtime.app_ended(CROWD).await.expect("it was started");
    assert_eq!(end, ExitReason::Shutdown(None), "it gave up");
    let why = app.reports().into_iter().any(|report| match report {
        Report::Log { message, .. } => message.contains("processes of app crowd"),
        _ => false,
    });
    assert!(why, "the log says why: {:?}", app.reports());
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_beyond_the_budget_is_refused_like_memory_beyond_a_limit() {
    let _turn = crate::turn().await;
    let hog = |id: &str| Child::new(id, "memory-hog", &Value::Null).limits(|limits| limits.memory_bytes = 64 << 20);
    for keep in MODES {
        let budget = BudgetSpec { memory_bytes: Some(16 << 20), ..BudgetSpec::default() };
        let app = crowd(keep, budget, [hog("one"), hog("two")]).await;
        assert_eq!(ask(&app, "one", json!({ "Take": { "bytes": 4 << 20 } })).await, json!(4 << 20));
        let many = app.call_in(CROWD, "two", json!({ "Many": { "bytes": 65_536 } }));
        let end = ended(beside_the_neighbour(&app, "memory without end", many).await);
        assert_eq!(end, ExitReason::limit("memory of app crowd"));
        eventually("its report", || crash(&app, "two")).await;
        // What it had came back, so that the other one can have as much again.
        eventually("its memory", || (usage(&app).total.memory_bytes <= 8 << 20).then_some(())).await;
        assert_eq!(
            ask(&app, "one", json!({ "Take": { "bytes": 4 << 20 } })).await.as_u64().map(|held| held > 0),
            Some(true)
        );
        app.runtime.stop_app(CROWD).await.expect("it stops");
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_counters_share_the_instances_of_their_app() {
    let _turn = crate::turn().await;
    let names: Vec<String> = (0..20).map(|number| format!("counter-{number}")).collect();
    let counters = names.iter().map(|name| Child::new(name, "counter", &json!(0)));
    let budget = BudgetSpec { instances: Some(4), ..BudgetSpec::default() };
    let app = crowd(Keep::WhileItFits, budget, counters).await;
    let all_count = async {
        for round in 1..=20 {
            let calls = names.iter().map(|name| (app.runtime.clone(), name.clone()));
            let mut open = tokio::task::JoinSet::new();
            for (runtime, name) in calls {
                let body = Body::Json(json!({ "Add": 1 }).to_string());
                let to = skep_runtime::kernel::Address::Name(name.into());
                open.spawn(async move { runtime.call(CROWD, to, body, Some(skep_tests::app::PATIENCE)).await });
            }
            while let Some(answer) = open.join_next().await {
                assert_eq!(answer.expect("no panic"), Ok(Body::Json(round.to_string())), "nothing is lost");
                assert!(usage(&app).total.instances <= 4, "{:?}", usage(&app));
            }
        }
    };
    beside_the_neighbour(&app, "twenty on four places", all_count).await;
    app.runtime.stop_app(CROWD).await.expect("it stops");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn counters_share_memory_for_fewer_instances_than_there_are_of_them() {
    let _turn = crate::turn().await;
    let names: Vec<String> = (0..12).map(|number| format!("counter-{number}")).collect();
    let counters = names.iter().map(|name| Child::new(name, "counter", &json!(0)));
    let probe = crowd(Keep::WhileItFits, BudgetSpec::default(), [Child::new("one", "counter", &json!(0))]).await;
    ask(&probe, "one", json!("Get")).await;
    let each = usage(&probe).total.memory_bytes;
    probe.runtime.stop_app(CROWD).await.expect("it stops");
    probe.stop().await;
    let budget = BudgetSpec { memory_bytes: Some(each * 3 + each / 2), ..BudgetSpec::default() };
    let app = crowd(Keep::WhileItFits, budget, counters).await;
    for round in 1..=5 {
        for name in &names {
            assert_eq!(ask(&app, name, json!({ "Add": 1 })).await, json!(round), "{name}");
        }
    }
    assert!(usage(&app).total.memory_bytes <= each * 3 + each / 2, "{:?}", usage(&app));
    app.runtime.stop_app(CROWD).await.expect("it stops");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_beyond_the_budget_is_refused_or_dropped_whoever_it_is_for() {
    let _turn = crate::turn().await;
    let sinks = ["sink-1", "sink-2"];
    let children = sinks.iter().map(|name| Child::probe(name)).chain([Child::probe("holder"), flooder()]);
    // Room for ten messages, and beside them for the words that order the next flood.
    let budget = BudgetSpec { mailbox_bytes: Some(1_090), ..BudgetSpec::default() };
    let app = crowd(Keep::WhileItFits, budget, children).await;
    for sink in sinks {
        let call = json!({ "do": [{ "Call": { "to": { "name": "holder" }, "body": "Hold", "timeout_ms": null } }] });
        let to = skep_runtime::kernel::Address::Name(sink.into());
        app.runtime.send(CROWD, &to, Body::Json(call.to_string())).expect("it is there");
    }
    eventually("both to block", || {
        let blocked = processes(&app).into_iter().filter(|process| process.status == "blocked").count();
        (blocked == sinks.len() && usage(&app).total.mailbox_bytes == 0).then_some(())
    })
    .await;
    let count = |flood: Value| {
        let app = &app;
        async move {
            let count = ask(app, "flooder", json!({ "Flood": flood })).await;
            (count["sent"].as_u64(), count["refused"].as_u64())
        }
    };
    // The flood itself is mail of the flooder, and is out of its mailbox when it begins.
    let flood = |to: &str, times, by| json!({ "to": { "name": to }, "times": times, "bytes": 100, "by": by });
    assert_eq!(count(flood("sink-1", 6, "Send")).await, (Some(6), Some(0)));
    let floods = async {
        assert_eq!(count(flood("sink-2", 6, "Send")).await, (Some(10), Some(2)));
        count(flood("sink-1", 3, "Cast")).await
    };
    assert_eq!(beside_the_neighbour(&app, "a flood", floods).await, (Some(13), Some(2)));
    assert_eq!(usage(&app).total.mailbox_bytes, 1_000);
    assert_eq!(usage(&app).dropped, 3);
    let call = app.call_in(CROWD, "sink-1", json!("x".repeat(100))).await;
    assert!(format!("{call:?}").contains("mailbox_bytes of app crowd"), "{call:?}");
    // With the sinks their mail goes.
    app.runtime.kill(pid(&app, "sink-1"));
    eventually("its end", || (usage(&app).total.processes == 4).then_some(())).await;
    assert_eq!(usage(&app).total.mailbox_bytes, 400);
    assert_eq!(count(flood("sink-2", 7, "Send")).await, (Some(13 + 6), Some(3)));
    app.runtime.stop_app(CROWD).await.expect("it stops");
    app.stop().await;
}

fn flooder() -> Child {
    Child::new("flooder", "mailbox-flooder", &Value::Null)
}

#[tokio::test(flavor = "multi_thread")]
async fn timers_beyond_the_budget_end_whoever_starts_one_more() {
    let _turn = crate::turn().await;
    let budget = BudgetSpec { timers: Some(50), ..BudgetSpec::default() };
    let app = crowd(Keep::WhileItFits, budget, [Child::probe("one"), Child::probe("two")]).await;
    let timer = json!({ "SendAfter": { "to": { "name": "nobody" }, "after_ms": 3_600_000, "body": "late" } });
    let timers = |many: usize| json!({ "Many": vec![timer.clone(); many] });
    ask(&app, "one", timers(50)).await;
    assert_eq!(usage(&app).total.timers, 50);
    let one_more = app.call_in(CROWD, "two", timers(1));
    let end = ended(beside_the_neighbour(&app, "a timer bomb", one_more).await);
    assert_eq!(end, ExitReason::limit("timers of app crowd"));
    app.runtime.kill(pid(&app, "one"));
    eventually("no timer to be left", || (usage(&app).total.timers == 0).then_some(())).await;
    app.runtime.stop_app(CROWD).await.expect("it stops");
    app.stop().await;
}

fn spinner(id: &str) -> Child {
    Child::new(id, "spinner", &Value::Null).limits(|limits| limits.fuel_per_message = 1 << 52)
}

fn rate(per_second: u64, when_out: WhenOut) -> BudgetSpec {
    BudgetSpec { fuel: Some(FuelRate { per_second, burst: per_second, when_out }), ..BudgetSpec::default() }
}

fn spin(app: &TestApp, name: &str) {
    let to = skep_runtime::kernel::Address::Name(name.into());
    let (runtime, body) = (app.runtime.clone(), Body::Json(r#""Spin""#.into()));
    tokio::spawn(async move { runtime.call(CROWD, to, body, None).await });
}

#[tokio::test(flavor = "multi_thread")]
async fn spinners_that_are_throttled_use_what_flows_in_and_can_be_ended_at_any_time() {
    let _turn = crate::turn().await;
    const RATE: u64 = 50_000_000;
    for keep in MODES {
        let names = ["a", "b", "c", "d"];
        let children = names.map(spinner).into_iter().chain([Child::new("quiet", "counter", &json!(0))]);
        let app = crowd(keep, rate(RATE, WhenOut::Throttle), children).await;
        let started = Instant::now();
        names.iter().for_each(|name| spin(&app, name));
        let waits = async {
            eventually("most of them to wait for fuel", || (usage(&app).throttled >= 3).then_some(())).await;
            let seen = || processes(&app).iter().any(|process| process.status == "throttled").then_some(());
            eventually("one of them to be seen to wait", seen).await;
            // Another one of that app gets its turn too.
            for count in 1..=3 {
                assert_eq!(ask(&app, "quiet", json!({ "Add": 1 })).await, json!(count));
            }
        };
        beside_the_neighbour(&app, "throttled spinners", waits).await;
        // One is ended in the middle, the others with their app; what they had used is known then. None waits for fuel.
        app.runtime.kill(pid(&app, "a"));
        eventually("its end", || app.runtime.whereis(CROWD, "a").is_none().then_some(())).await;
        tokio::time::timeout(skep_tests::app::PATIENCE, app.runtime.stop_app(CROWD))
            .await
            .expect("in time")
            .expect("it runs");
        let seconds = started.elapsed().as_secs() + 1;
        println!("within {seconds} s");
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn work_takes_as_long_as_its_fuel_takes_to_flow_in() {
    let _turn = crate::turn().await;
    const RATE: u64 = 20_000_000;
    const WORK: u64 = 50_000_000;
    let app = crowd(Keep::WhileItFits, rate(RATE, WhenOut::Throttle), [spinner("worker")]).await;
    let started = Instant::now();
    let work = ask(&app, "worker", json!({ "Work": WORK / 5 }));
    beside_the_neighbour(&app, "work without haste", work).await;
    let (used, taken) = (usage(&app).total.fuel_used, started.elapsed());
    // What was there at first, what has flown in, and the last turn's debt.
    let there = RATE + RATE * u64::try_from(taken.as_millis()).expect("it is short") / 1_000 + 10_000_000;
    assert!(used > 2 * RATE, "{used} is no work at all");
    assert!(used <= there, "{used} used within {taken:?}, and {there} was there at most");
    // With another rate it need not wait.
    let spec = app.runtime.app_spec(CROWD).expect("it runs");
    let wanted = AppSpec { budget: BudgetSpec::default(), ..spec };
    spin(&app, "worker");
    eventually("it to wait", || (usage(&app).throttled == 1).then_some(())).await;
    app.runtime.reconfigure(Reconfiguration::new(wanted), |_| {}).await.expect("it is taken over");
    eventually("it to go on", || (usage(&app).throttled == 0).then_some(())).await;
    app.runtime.stop_app(CROWD).await.expect("it stops");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_uses_the_last_of_the_fuel_ends_where_that_is_wanted() {
    let _turn = crate::turn().await;
    for keep in MODES {
        let children = [spinner("spinner"), Child::new("quiet", "counter", &json!(0))];
        let app = crowd(keep, rate(100_000_000, WhenOut::End), children).await;
        let spins = app.call_in(CROWD, "spinner", json!("Spin"));
        let end = ended(beside_the_neighbour(&app, "a spinner", spins).await);
        assert_eq!(end, ExitReason::limit("fuel-rate of app crowd"));
        assert_eq!(eventually("its report", || crash(&app, "spinner")).await, end);
        assert_eq!(ask(&app, "quiet", json!({ "Add": 1 })).await, json!(1), "nobody pays for another's debt");
        app.runtime.stop_app(CROWD).await.expect("it stops");
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_changes_while_the_app_runs() {
    let _turn = crate::turn().await;
    let of = |processes| BudgetSpec { processes: Some(processes), ..BudgetSpec::default() };
    let app = crowd(Keep::WhileItFits, of(5), [Child::probe("bomber"), workers(of(1))]).await;
    assert_eq!(refused(&bomb(&app, 3).await).len(), 1);
    start(&app, "a", Restart::Temporary).await.expect_err("the app is full");
    let change = async |app_most, workers_most| {
        let spec = app.runtime.app_spec(CROWD).expect("it runs");
        let mut root = spec.root.clone();
        root.children[1] = workers(of(workers_most)).spec;
        let wanted = AppSpec { budget: of(app_most), root, ..spec };
        app.runtime.reconfigure(Reconfiguration::new(wanted), |_| {}).await.expect("it is taken over");
        assert_eq!(usage(&app).total.bounds, of(app_most));
    };
    change(9, 1).await;
    start(&app, "a", Restart::Temporary).await.expect("there is room now");
    let refusal = start(&app, "b", Restart::Temporary).await.expect_err("not below the supervisor");
    assert!(refusal.contains("supervisor workers"), "{refusal}");
    change(9, 2).await;
    start(&app, "b", Restart::Temporary).await.expect("there is room now");
    change(2, 2).await;
    assert_eq!(usage(&app).total.processes, 7, "whoever is there stays");
    assert_eq!(refused(&bomb(&app, 1).await).len(), 1);
    app.runtime.stop_app(CROWD).await.expect("it stops");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_app_uses_is_the_sum_over_its_processes() {
    let _turn = crate::turn().await;
    for keep in MODES {
        let budget = BudgetSpec { mailbox_bytes: Some(1 << 20), ..BudgetSpec::default() };
        let counters = (0..5).map(|number| Child::new(&format!("counter-{number}"), "counter", &json!(0)));
        let others = [Child::probe("one"), Child::probe("two").restart(Restart::Permanent), flooder()];
        let app = crowd(keep, budget, counters.chain(others)).await;
        for number in 0..5 {
            ask(&app, &format!("counter-{number}"), json!({ "Add": number })).await;
        }
        let timer = json!({ "SendAfter": { "to": { "name": "nobody" }, "after_ms": 3_600_000, "body": "late" } });
        ask(&app, "one", json!({ "Many": [timer, timer] })).await;
        // It ends, and is started anew: what it has done stays in the sum.
        let first = pid(&app, "two");
        ask(&app, "two", json!("Journal")).await;
        app.runtime.kill(first);
        eventually("its restart", || app.runtime.whereis(CROWD, "two").filter(|pid| *pid != first)).await;
        ask(&app, "two", json!("Journal")).await;
        let sums = || {
            let all = processes(&app);
            let sum = |of: fn(&ProcessInfo) -> u64| all.iter().map(of).sum::<u64>();
            (
                all.len() as u64,
                sum(|process| u64::from(process.memory_bytes.is_some_and(|bytes| bytes > 0))),
                sum(|process| (process.memory_bytes.unwrap_or(0) + process.saved_bytes.unwrap_or(0)) as u64),
                sum(|process| process.timers as u64),
                sum(|process| process.mailbox_bytes as u64),
            )
        };
        let whole = || {
            let BudgetUsage { processes, instances, memory_bytes, timers, mailbox_bytes, .. } = usage(&app).total;
            (processes, instances, memory_bytes, timers, mailbox_bytes)
        };
        eventually("all to rest", || (sums() == whole()).then_some(())).await;
        assert_eq!((sums().0, sums().3), (9, 2), "{:?}", processes(&app));
        assert!(keep == Keep::Never || sums().2 >= 8 << 16, "{:?}", sums());
        assert_eq!(sums().1, if keep == Keep::Never { 0 } else { 8 });
        // Of what is over the sum over those who live is only a part.
        let (live, all) = (processes(&app), usage(&app));
        let of_live = |of: fn(&ProcessInfo) -> u64| live.iter().map(of).sum::<u64>();
        let fuel = of_live(|process| process.fuel_used.unwrap_or(0));
        let handled = of_live(|process| process.statistics.messages_in);
        assert!(all.total.fuel_used > fuel && fuel > 0, "{} of {}", fuel, all.total.fuel_used);
        assert!(all.messages_in > handled && handled > 0, "{} of {}", handled, all.messages_in);
        assert_eq!(all.restarts, 1);
        app.runtime.stop_app(CROWD).await.expect("it stops");
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fuel_and_messages_of_an_app_are_those_of_its_processes_while_none_has_ended() {
    let _turn = crate::turn().await;
    for keep in MODES {
        let children =
            [Child::new("a", "counter", &json!(0)), Child::new("b", "counter", &json!(0)), Child::probe("c")];
        let app = crowd(keep, BudgetSpec::default(), children).await;
        for name in ["a", "b", "a"] {
            ask(&app, name, json!({ "Add": 1 })).await;
        }
        ask(&app, "c", json!({ "Many": [{ "SendNamed": { "name": "a", "body": "nothing" } }] })).await;
        let sum = |of: fn(&ProcessInfo) -> u64| processes(&app).iter().map(of).sum::<u64>();
        eventually("the sums to be equal", || {
            let all = usage(&app);
            let same = all.total.fuel_used == sum(|process| process.fuel_used.unwrap_or(0))
                && all.messages_in == sum(|process| process.statistics.messages_in)
                && all.messages_out == sum(|process| process.statistics.messages_out)
                && all.messages_in > 0
                && all.total.fuel_used > 0;
            same.then_some(())
        })
        .await;
        app.runtime.stop_app(CROWD).await.expect("it stops");
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_app_logs_is_bounded_however_many_write() {
    for keep in MODES {
        // Nothing comes back, so that the clock has no say in it. A line counts 64 beside its bytes.
        let log = Some(LogLimits { bytes_per_second: 0, burst: 10 * (64 + 5) });
        let budget = BudgetSpec { log, ..BudgetSpec::default() };
        let app = crowd(keep, budget, [Child::probe("one"), Child::probe("two")]).await;
        let script: Vec<Value> = (0..8).map(|number| json!({ "Log": format!("li-{number:02}") })).collect();
        for name in ["one", "two"] {
            ask(&app, name, json!({ "Many": script })).await;
        }
        assert_eq!((app.log_lines("one").len(), app.log_lines("two").len()), (8, 2));
        assert_eq!(usage(&app).total.logged_bytes, 10 * 5);
        app.runtime.stop_app(CROWD).await.expect("it stops");
        let told = "6 lines of its log dropped: log_bytes of app crowd, which many share";
        assert_eq!(app.log_lines("two")[2..], [(Level::Warn, told.to_owned())]);
        assert_eq!(app.log_lines("one").len(), 8, "whoever lost nothing says nothing");
        app.stop().await;
    }
}
