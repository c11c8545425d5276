//! Guests that start timers without end.

use serde_json::{Value, json};
use skep_tests::{Child, eventually};

use crate::scene::Scene;
use crate::suite::{Seen, crimes};

crimes! {
    Timers;

    timers_without_end: "starts one timer more than it may have", Limit("timers"), 32 MiB =>
        |scene| scene.call(Child::probe("culprit"), json!({ "Many": vec![late(); 1_001] }));
    timers_that_fire_at_once: "starts a thousand that fire at once, at the neighbour", Nothing, 32 MiB =>
        |scene| at_the_neighbour(scene);
    a_flood_of_timers: "starts timers that fire at once, without end", Limit("timers"), 64 MiB =>
        |scene| scene.call(
            Child::new("culprit", "mailbox-flooder", &Value::Null).limits(|limits| limits.timers = 8),
            json!({ "Flood": { "to": { "name": "nobody" }, "times": null, "bytes": 100, "by": "Timer" } }));
    a_timer_for_ever: "starts a timer for the end of time", Nothing, 32 MiB =>
        |scene| for_ever(scene, (1 << 53) - 1);
    monitors_without_end: "watches one process more often than it may", Limit("monitors"), 32 MiB =>
        |scene| scene.call(
            Child::probe("culprit").limits(|limits| limits.monitors = 100),
            json!({ "Many": vec![json!({ "Monitor": { "target": { "name": "neighbour" } } }); 101] }));
    aliases_without_end: "opens more aliases than it may have", Limit("aliases"), 32 MiB =>
        |scene| scene.call(
            Child::probe("culprit").limits(|limits| limits.aliases = 100),
            json!({ "Many": vec![json!({ "OpenAlias": { "once": false } }); 101] }));
}

fn late() -> Value {
    json!({ "StartTimer": { "after_ms": 3_600_000, "body": 1 } })
}

async fn at_the_neighbour(scene: &Scene) -> Seen {
    let timer = json!({ "SendAfter": { "after_ms": 0, "to": { "name": "neighbour" }, "body": "late" } });
    for _ in 0..10 {
        // They need not have fired when the next ones are started.
        let steps = Value::from(vec![timer.clone(); 100]);
        if scene.app.whereis("culprit").is_none() {
            scene.steps(|_| {}, steps).await;
        } else {
            scene.app.steps("culprit", steps).await;
        }
    }
    let culprit = scene.app.pid("culprit");
    let left = || scene.app.runtime.inspect(culprit).map(|culprit| culprit.process.timers);
    eventually("them to fire", || (left() == Some(0)).then_some(())).await;
    Seen::Nothing
}

async fn for_ever(scene: &Scene, after_ms: u64) -> Seen {
    let steps = json!([{ "StartTimer": { "after_ms": after_ms, "body": 1 } }, { "Left": { "mark": { "step": 0 } } }]);
    let results = scene.steps(|_| {}, steps).await;
    assert!(results[1].as_u64().is_some_and(|left| left > 1 << 50), "{results}");
    Seen::Nothing
}
