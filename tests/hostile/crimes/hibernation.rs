//! Everybody waits for one who has no instance.

use serde_json::json;
use skep_runtime::kernel::{Address, Body};
use skep_tests::{Child, app};
use tokio::task::JoinSet;

use crate::scene::{Place, Scene};
use crate::suite::{Seen, crimes};

crimes! {
    Hibernation;

    all_wait_for_one_that_sleeps: "sixteen on eight places call one server that was put to sleep", Nothing, 64 MiB,
        Place { slots: 8, large_slots: 16, ..Place::default() } => |scene| all(scene, 16, 20_000);
    more_wait_than_there_are_places: "forty on twelve places do, for half a second each", Nothing, 64 MiB,
        Place { slots: 8, large_slots: 4, ..Place::default() } => |scene| all(scene, 40, 500);
    one_that_sleeps_after_each_call: "asks one a hundred times that goes to sleep after each", Nothing, 64 MiB, Place::forgetful() =>
        |scene| again_and_again(scene);
}

/// Each gets its answer, or hears that its time is up; and no call is performed twice.
async fn all(scene: &Scene, callers: usize, timeout_ms: u64) -> Seen {
    let counter = Child::new("sleeper", "counter", &json!(0));
    scene.other(counter).await;
    let call = json!({ "Call": { "to": { "name": "sleeper" }, "body": { "Add": 1 }, "timeout_ms": timeout_ms } });
    let mut calls = JoinSet::new();
    for number in 0..callers {
        let label = format!("culprit-{number}");
        scene.culprit(Child::probe(&label)).await.expect("it starts");
    }
    for number in 0..callers {
        let to = Address::Name(format!("culprit-{number}").as_str().into());
        let (runtime, body) = (scene.app.runtime.clone(), Body::Json(call.to_string()));
        calls.spawn(async move { runtime.call("test", to, body, Some(app::PATIENCE)).await });
    }
    let mut answered = 0;
    while let Some(outcome) = calls.join_next().await {
        match outcome.expect("no panic") {
            Ok(Body::Json(text)) if text.contains("Ok") => answered += 1,
            Ok(Body::Json(text)) if text.contains("timeout") => assert!(timeout_ms < 1_000, "nobody need wait so long"),
            other => panic!("neither an answer nor a time that is up: {other:?}"),
        }
    }
    println!("{answered} of {callers} were answered");
    let count = scene.app.ask("sleeper", json!("Get")).await.as_u64().expect("a number");
    assert!((answered..=callers as u64).contains(&count), "{count} were performed, and {answered} answered");
    Seen::Nothing
}

async fn again_and_again(scene: &Scene) -> Seen {
    scene.other(Child::new("sleeper", "counter", &json!(0))).await;
    for count in 1..=100 {
        assert_eq!(scene.app.ask("sleeper", json!({ "Add": 1 })).await, json!(count));
    }
    Seen::Nothing
}
