//! Guests that take names, keys and topics that others want.

use serde_json::{Value, json};
use skep_tests::{Child, eventually};

use crate::scene::{Scene, last, refusals};
use crate::suite::{Seen, crimes};

crimes! {
    Names;

    a_name_that_is_taken: "registers itself under the neighbour's name", Refused("taken"), 32 MiB =>
        |scene| alone(scene, json!([{ "Unregister": { "name": "culprit" } }, { "Register": { "name": "neighbour" } }]));
    a_second_name: "registers itself under a second name", Refused("invalid"), 32 MiB =>
        |scene| alone(scene, json!([{ "Register": { "name": "second" } }]));
    a_name_for_another: "registers the neighbour under a name of its choice", Refused("invalid"), 32 MiB =>
        |scene| for_the_neighbour(scene);
    the_name_of_another: "gives up the neighbour's name", Nothing, 32 MiB =>
        |scene| unregister(scene);
    many_names: "has fifty tasks take fifty names, and dies", Nothing, 64 MiB =>
        |scene| squat(scene);
    a_name_without_end: "registers a name of 100,000 characters", Refused("invalid"), 32 MiB =>
        |scene| alone(scene, json!([{ "Unregister": { "name": "culprit" } }, { "Register": { "name": "x".repeat(100_000) } }]));
    names_that_were_not_granted: "registers and asks for names that it was not granted", Refused("denied"), 32 MiB =>
        |scene| not_granted(scene);
    entries_without_end: "registers more keys than it may have", Refused("limit"), 32 MiB =>
        |scene| entries(scene, &|number| json!({ "Registry": { "name": "badges", "does": { "Register": { "key": number } } } }));
    groups_without_end: "joins more groups than it may be in", Refused("limit"), 32 MiB =>
        |scene| entries(scene, &|number| json!({ "Group": { "name": format!("g{number}"), "does": { "Join": {} } } }));
    topics_without_end: "subscribes to more topics than it may", Refused("limit"), 32 MiB =>
        |scene| entries(scene, &|number| json!({ "Topic": { "name": format!("t{number}"), "does": "Subscribe" } }));
    values_without_end: "registers values of more bytes than it may have there", Refused("limit"), 32 MiB =>
        |scene| values(scene);
}

async fn alone(scene: &Scene, steps: Value) -> Seen {
    last(&scene.steps(|_| {}, steps).await)
}

async fn for_the_neighbour(scene: &Scene) -> Seen {
    let neighbour = scene.app.pid_text("neighbour");
    alone(scene, json!([{ "Register": { "name": "mine", "pid": neighbour } }])).await
}

async fn unregister(scene: &Scene) -> Seen {
    let results = scene.steps(|_| {}, json!([{ "Unregister": { "name": "neighbour" } }])).await;
    assert_eq!(results, json!([false]));
    assert!(scene.app.whereis("neighbour").is_some());
    Seen::Nothing
}

async fn squat(scene: &Scene) -> Seen {
    let task = |number: usize| {
        let waits = json!([{ "Receive": { "timeout_ms": null } }]);
        json!({ "Spawn": { "module": "probe-task", "args": waits, "link": true, "name": format!("name-{number}") } })
    };
    let results = scene.steps(|_| {}, Value::from_iter((0..50).map(task))).await;
    assert_eq!(refusals(&results), [""; 0]);
    assert!(scene.app.whereis("name-49").is_some());
    scene.app.runtime.kill(scene.app.pid("culprit"));
    for number in 0..50 {
        let name = format!("name-{number}");
        eventually("the name to be free", || scene.app.whereis(&name).is_none().then_some(())).await;
    }
    scene.other(Child::probe("name-7")).await;
    Seen::Nothing
}

async fn not_granted(scene: &Scene) -> Seen {
    let none = |process: &mut skep_runtime::spec::ProcessSpec| {
        let grants = std::sync::Arc::make_mut(&mut process.grants);
        (grants.register, grants.look_up) = (Vec::new(), Vec::new());
    };
    scene.culprit(Child::probe("culprit").process(none)).await.expect("it starts");
    let steps = json!([{ "Whereis": { "name": "neighbour" } }, { "Register": { "name": "mine" } }]);
    let results = scene.app.steps("culprit", steps).await;
    assert_eq!(results[0], json!(null));
    last(&results)
}

async fn entries(scene: &Scene, step: &dyn Fn(usize) -> Value) -> Seen {
    let results = scene.steps(|limits| limits.entries = 20, Value::from_iter((0..30).map(step))).await;
    assert_eq!(refusals(&results).len(), 10, "{results}");
    last(&results)
}

async fn values(scene: &Scene) -> Seen {
    let value = "x".repeat(1_000);
    let step = |key: usize| json!({ "Registry": { "name": "badges", "does": { "Register": { "key": key, "value": value } } } });
    let results = scene.steps(|limits| limits.entry_bytes = 10_000, Value::from_iter((0..20).map(step))).await;
    last(&results)
}
