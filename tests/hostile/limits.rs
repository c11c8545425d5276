//! Limits to the unit: what is just allowed is done, what is just not ends in the way that is written down.

use serde_json::{Value, json};
use skep_runtime::kernel::{CallError, ExitReason, Limits, Refusal, SpawnError};
use skep_runtime::spec::Keep;
use skep_tests::{Child, TestApp};

use super::{MODES, add, app, crash, ended, gone};

/// What becomes of some work under a fuel limit.
async fn work(app: &TestApp, turns: u64, fuel: u64) -> Result<Value, CallError> {
    let spinner = Child::new("spinner", "spinner", &Value::Null).limits(|limits| limits.fuel_per_message = fuel);
    add(app, spinner).await.expect("it starts");
    let outcome = app.call("spinner", json!({ "Work": turns })).await;
    if outcome.is_ok() {
        app.runtime.kill(app.pid("spinner"));
    }
    gone(app, "spinner").await;
    outcome
}

#[tokio::test(flavor = "multi_thread")]
async fn fuel_is_counted_to_the_unit_and_the_same_every_time() {
    let _turn = crate::turn().await;
    for keep in MODES {
        let app = app(keep, []).await;
        for turns in [0, 100_000] {
            // The least that is enough.
            let (mut scarce, mut enough) = (0, 1 << 24);
            while enough - scarce > 1 {
                let middle = (scarce + enough) / 2;
                match work(&app, turns, middle).await {
                    Ok(_) => enough = middle,
                    end => {
                        assert_eq!(ended(end), ExitReason::limit("fuel"));
                        scarce = middle;
                    }
                }
            }
            println!("{turns} turns take {enough} units of fuel");
            assert!(enough > turns, "about one for each instruction");
            for _ in 0..3 {
                assert!(work(&app, turns, enough).await.is_ok(), "{enough} units were enough");
                assert_eq!(ended(work(&app, turns, enough - 1).await), ExitReason::limit("fuel"));
            }
        }
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_message_has_its_fuel_anew() {
    let _turn = crate::turn().await;
    for keep in MODES {
        let limited = |limits: &mut Limits| limits.fuel_per_message = 20_000_000;
        let app = app(keep, [Child::new("spinner", "spinner", &Value::Null).limits(limited)]).await;
        for _ in 0..20 {
            app.ask("spinner", json!({ "Work": 1_000_000 })).await;
        }
        app.stop().await;
    }
}

/// Does steps in a probe with limits of its own.
async fn probe(app: &TestApp, change: impl FnOnce(&mut Limits), steps: &Value) -> Result<Value, CallError> {
    add(app, Child::probe("probe").limits(change)).await.expect("it starts");
    let outcome = app.call("probe", json!({ "Many": steps })).await;
    if let Some(pid) = app.whereis("probe") {
        app.runtime.kill(pid);
    }
    gone(app, "probe").await;
    outcome
}

#[tokio::test(flavor = "multi_thread")]
async fn timers_monitors_and_links_have_limits() {
    let _turn = crate::turn().await;
    let app = app(Keep::WhileItFits, [Child::probe("a"), Child::probe("b")]).await;
    let timer = json!({ "StartTimer": { "after_ms": 3_600_000, "body": 1 } });
    let monitor = json!({ "Monitor": { "target": { "name": "a" } } });
    for (what, step) in [("timers", timer), ("monitors", monitor)] {
        let few = |limits: &mut Limits| (limits.timers, limits.monitors) = (5, 5);
        let steps = |times: usize| Value::from(vec![step.clone(); times]);
        assert!(probe(&app, few, &steps(5)).await.is_ok(), "{what}: five are allowed");
        assert_eq!(ended(probe(&app, few, &steps(6)).await), ExitReason::limit(what));
    }
    // One link is the supervisor's.
    let links = ["a", "b"].map(|name| json!({ "Link": { "to": app.pid_text(name) } }));
    let outcome = probe(&app, |limits| limits.links = 2, &json!(links)).await;
    assert_eq!(outcome, Ok(json!([{ "Ok": null }, { "Err": { "limit": "links" } }])));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replies_arguments_and_states_are_bodies_too() {
    let _turn = crate::turn().await;
    let small = |limits: &mut Limits| limits.body_bytes = 1_000;
    let app = app(Keep::Never, [Child::probe("probe").limits(small)]).await;
    // The journal is the state: once too large for a body, it can no longer be saved, and the instance stays.
    for number in 0..10 {
        app.ask("probe", json!({ "Echo": "x".repeat(100 + number) })).await;
    }
    let restores = app.ask("probe", json!("Restores")).await;
    assert_eq!(app.ask("probe", json!("Restores")).await, restores, "no longer given back");
    assert_eq!(ended(app.call("probe", json!("Journal")).await), ExitReason::limit("body"));
    assert_eq!(crash(&app, "probe").await, (ExitReason::limit("body"), Some("call")));

    let arguments = Child::new("late", "probe", &json!([{ "Log": "x".repeat(1_000) }])).limits(small);
    let start = add(&app, arguments).await;
    assert!(matches!(start, Err(SpawnError::Refused(Refusal::Limit(_)))), "{start:?}");
    app.stop().await;
}
