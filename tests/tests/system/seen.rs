//! What can be seen of a runtime from outside: what it counts, and what it tells of as it happens, of real guests.

use std::time::Duration;

use serde_json::json;
use skep_runtime::engine::Class;
use skep_runtime::kernel::budget::BudgetSpec;
use skep_runtime::kernel::supervisor::Restart;
use skep_runtime::kernel::{Address, Body, ExitReason};
use skep_runtime::metrics::Metrics;
use skep_runtime::observe::Subject;
use skep_runtime::spec::Keep;
use skep_runtime::telemetry::{Event, Eviction, Kind, Subscription, Told, Upgraded};
use skep_runtime::upgrade::Upgrade;
use skep_runtime::{EngineConfig, RuntimeConfig};
use skep_tests::app::{PATIENCE, supervisor};
use skep_tests::{Child, TestApp, eventually};

fn counter(id: &str) -> Child {
    Child::new(id, "counter", &json!(0))
}

/// Counters, in an engine with places for so many.
async fn counters(slots: u32, keep: Keep, names: &[&str]) -> TestApp {
    let engine = EngineConfig { slots: Some(slots), large_slots: 1, ..EngineConfig::default() };
    let config = RuntimeConfig { engine, keep: Some(keep), ..RuntimeConfig::default() };
    let root = supervisor(names.iter().map(|name| counter(name)));
    TestApp::try_start_as(config, root, std::sync::Arc::default()).await.expect("they start")
}

/// What has been counted, once it is enough: workers count what they have done when they have done it.
async fn counted(app: &TestApp, what: &str, enough: impl Fn(&Metrics) -> bool) -> Metrics {
    eventually(what, || Some(app.runtime.metrics()).filter(&enough)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cache_counts_hits_wakes_and_why_instances_went() {
    let app = counters(2, Keep::WhileItFits, &["a", "b", "c", "d"]).await;
    // Four for three places, one of them large: at least one has none, and who is asked has it back.
    for _ in 0..4 {
        for name in ["a", "b", "c", "d"] {
            app.ask(name, json!({ "Add": 1 })).await;
        }
    }
    let seen = counted(&app, "wakes", |seen| seen.wakes >= 4 && seen.evictions.room >= 4).await;
    assert_eq!((seen.evictions.idle, seen.evictions.budget), (0, 0), "{seen:?}");
    assert!(seen.evictions.room >= seen.wakes, "{seen:?}");
    assert_eq!(seen.slots(Class::Small).limit, 2);
    assert!(seen.slots(Class::Small).live <= 2);
    // Each of sixteen calls either found the instance there or brought it back.
    let before = counted(&app, "all calls", |seen| seen.hits + seen.wakes >= 16).await;
    for _ in 0..10 {
        app.ask("c", json!("Get")).await;
    }
    let after = counted(&app, "hits", |seen| seen.hits >= before.hits + 9).await;
    assert!(after.wakes <= before.wakes + 1, "{before:?} {after:?}");
    assert!(after.wake_times.count() > 0 && after.wake_times.sum_ns > 0);
    assert!(after.handle_times.count() > 0 && after.handle_times.count() <= after.hits + after.wakes);
    assert_eq!((after.spawns, after.exits), (5, 0), "four counters and their supervisor");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_idle_and_what_a_budget_wants_is_told_apart() {
    let app = counters(8, Keep::Never, &["a"]).await;
    app.ask("a", json!("Get")).await;
    let seen = counted(&app, "a to give its instance back twice", |seen| seen.evictions.idle >= 2).await;
    assert_eq!((seen.evictions.room, seen.evictions.budget), (0, 0), "{seen:?}");
    assert_eq!(seen.hits, 0, "it wakes for each");
    app.stop().await;

    let app = counters(8, Keep::WhileItFits, &[]).await;
    let budget = BudgetSpec { instances: Some(1), ..BudgetSpec::default() };
    app.start_bounded("tight", budget, supervisor([counter("x"), counter("y")])).await;
    for name in ["x", "y", "x"] {
        app.call_in("tight", name, json!("Get")).await.expect("there is a place in the end");
    }
    let seen = counted(&app, "evictions", |seen| seen.evictions.budget >= 2).await;
    assert_eq!((seen.evictions.room, seen.evictions.idle), (0, 0), "{seen:?}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fuel_ends_and_the_run_queue_are_counted_for_all_apps() {
    let app = counters(8, Keep::WhileItFits, &["a", "b"]).await;
    app.start_beside("other", [counter("c")]).await;
    app.ask("a", json!("Get")).await;
    let of_apps = || app.runtime.usage().iter().map(|app| app.total.fuel_used).sum::<u64>();
    eventually("all fuel", || (app.runtime.metrics().fuel == of_apps() && of_apps() > 0).then_some(())).await;
    app.runtime.stop_app("other").await.expect("it stops");
    let seen = counted(&app, "the end of one", |seen| seen.exits == 2).await;
    assert_eq!(seen.spawns, 5);
    assert!(seen.fuel > of_apps(), "what has been used stays used");

    // More that compute than there are workers: some of them wait.
    let busy = std::thread::available_parallelism().map_or(1, usize::from) + 2;
    let name = |number: usize| format!("s{number}");
    let spinners = (0..busy).map(|number| Child::new(&name(number), "spinner", &json!(null)));
    app.start_beside("busy", spinners).await;
    let spins = (0..busy).map(|number| {
        let (runtime, to) = (app.runtime.clone(), Address::Name(name(number).into()));
        tokio::spawn(async move { runtime.call("busy", to, Body::Json("\"Spin\"".into()), None).await })
    });
    let spins: Vec<_> = spins.collect();
    let runnable = || app.runtime.usage().iter().map(|app| app.runnable).sum::<u64>();
    eventually("somebody to wait", || (runnable() > 0).then_some(())).await;
    app.runtime.kill_app("busy").await.expect("it ends");
    for spin in spins {
        assert!(spin.await.expect("it only waits").is_err(), "who spins has no answer");
    }
    app.stop().await;
}

/// What is told next that is wanted.
async fn told<T>(subscription: &mut Subscription, wanted: impl Fn(Event) -> Option<T>) -> T {
    let waiting = async {
        loop {
            match subscription.next().await {
                Some(Told::Event(event)) => {
                    if let Some(found) = wanted(event) {
                        return found;
                    }
                }
                other => panic!("not an event: {other:?}"),
            }
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("it is told")
}

fn is(subject: &Subject, label: &str) -> bool {
    subject.label.as_deref() == Some(label)
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_subscribes_is_told_of_the_whole_life_of_a_process() {
    let app = counters(8, Keep::WhileItFits, &[]).await;
    let mut all = app.runtime.subscribe(&Kind::ALL, 1_000);
    app.start_beside("one", [counter("a").restart(Restart::Permanent), Child::probe("p")]).await;
    let (pid, parent) = told(&mut all, |event| match event {
        Event::Spawn { subject, parent } if is(&subject, "a") => Some((subject.pid, parent)),
        _ => None,
    })
    .await;
    assert_eq!(Some(pid), app.runtime.whereis("one", "a"));
    assert_ne!(parent, pid);

    let hibernate = Body::Json(json!({ "do": ["Hibernate"] }).to_string());
    app.runtime.send("one", &Address::from("p"), hibernate).expect("it lives");
    let (why, bytes) = told(&mut all, |event| match event {
        Event::Hibernate { subject, why, state_bytes } if is(&subject, "p") => Some((why, state_bytes)),
        _ => None,
    })
    .await;
    assert_eq!(why, Eviction::Idle);
    assert!(bytes > 0);
    app.call_in("one", "p", json!("Journal")).await.expect("it wakes");
    let took = told(&mut all, |event| match event {
        Event::Wake { subject, took } if is(&subject, "p") => Some(took),
        _ => None,
    })
    .await;
    assert!(took > Duration::ZERO);

    app.runtime.kill(pid);
    let reason = told(&mut all, |event| match event {
        Event::Exit { subject, reason, lived } if subject.pid == pid && lived > Duration::ZERO => Some(reason),
        _ => None,
    })
    .await;
    assert_eq!(reason, ExitReason::Killed);
    let restarts = told(&mut all, |event| match event {
        Event::Restart { child, restarts, .. } if &*child == "a" => Some(restarts),
        _ => None,
    })
    .await;
    assert_eq!(restarts, 1);
    told(&mut all, |event| matches!(event, Event::Spawn { subject, .. } if is(&subject, "a")).then_some(())).await;

    let modules = |event| match event {
        Event::Upgrade { modules, outcome, .. } => Some((modules, outcome)),
        _ => None,
    };
    let code = app.load_rebuilt("counter", 1);
    let same = code.clone();
    let upgrade = |code| Upgrade::one("one".into(), "counter".into(), code);
    let summary = app.upgrade_with(upgrade(code), |_| {}).await.expect("it fits");
    assert_eq!(told(&mut all, modules).await, (vec!["counter".into()], Upgraded::Done(Box::new(summary))));
    let error = app.upgrade_with(upgrade(same), |_| {}).await.expect_err("it runs already");
    assert_eq!(told(&mut all, modules).await.1, Upgraded::Refused(error.to_string()));

    app.runtime.stop_app("one").await.expect("it stops");
    app.runtime.shutdown().await;
    let rest = async { while all.next().await.is_some() {} };
    tokio::time::timeout(PATIENCE, rest).await.expect("there is an end to it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_who_takes_nothing_holds_nobody_up_and_is_told_what_he_lost() {
    let app = counters(8, Keep::Never, &["a"]).await;
    // Before that, a call could find the instance that `init` was done in.
    app.sleeps("a").await;
    let mut idle = app.runtime.subscribe(&[Kind::Hibernate, Kind::Wake], 3);
    let mut gone = app.runtime.subscribe(&[Kind::Wake], 1_000);
    for _ in 0..20 {
        app.ask("a", json!({ "Add": 1 })).await;
        app.sleeps("a").await;
    }
    let mut wakes = 0;
    while let Some(told) = gone.try_next() {
        assert!(matches!(told, Told::Event(Event::Wake { .. })), "{told:?}");
        wakes += 1;
    }
    assert_eq!(wakes, 20);
    drop(gone);
    let (mut events, mut lost) = (0, 0);
    while let Some(told) = idle.try_next() {
        match told {
            Told::Event(_) => events += 1,
            Told::Lost(many) => lost += many,
        }
    }
    assert_eq!(events, 3);
    // Twenty wakes and as often to sleep again, the last of which may not be told yet.
    assert!(lost >= 36, "{lost}");
    app.stop().await;
}
