//! Children that end as often as they are started.

use std::sync::Arc;

use serde_json::{Value, json};
use skep_runtime::kernel::supervisor::{ChildSpec, Restart, SupervisorSpec};
use skep_runtime::observe::Report;
use skep_runtime::spec::Blueprint;
use skep_tests::{Child, eventually};

use crate::scene::Scene;
use crate::suite::{Seen, crimes};

crimes! {
    Restarts;

    a_child_that_crashes_after_each_start: "sends itself what kills it, in each `init`", Refused("gave up"), 64 MiB =>
        |scene| gives_up(scene, suicidal());
    a_child_that_never_starts_again: "starts once, and crashes in each `init` after that", Refused("gave up"), 64 MiB =>
        |scene| gives_up(scene, once());
    a_hundred_crashes: "crashes whenever it is told to, a hundred times", Nothing, 64 MiB => |scene| hundred(scene);
    a_tree_of_crashes: "below three supervisors, each of which gives up in turn", Refused("gave up"), 64 MiB =>
        |scene| tree(scene);
}

/// What it sends itself in `init` kills it each time.
fn suicidal() -> Child {
    let send = json!({ "Send": { "to": { "step": 0 }, "body": { "do": [{ "Panic": "again" }] } } });
    Child::new("culprit", "probe", &json!(["Me", send])).restart(Restart::Permanent)
}

/// The first one takes a name that no other gets while it lives, and hands it to a process that stays.
fn once() -> Child {
    let keep =
        json!({ "Spawn": { "module": "probe-task", "args": [{ "Receive": { "timeout_ms": null } }], "name": "once" } });
    let die = json!({ "Send": { "to": { "step": 1 }, "body": { "do": [{ "Panic": "again" }] } } });
    Child::new("culprit", "probe", &json!([keep, "Me", die])).restart(Restart::Permanent)
}

fn supervisor(id: &str, max_restarts: u32, child: ChildSpec<Blueprint>) -> ChildSpec<Blueprint> {
    let spec = SupervisorSpec { max_restarts, max_seconds: 3_600, ..SupervisorSpec::new(vec![child]) };
    let mut spec = ChildSpec::supervisor(id, Blueprint::Supervisor(Arc::new(spec)));
    spec.restart = Restart::Temporary;
    spec
}

fn given_up(scene: &Scene) -> usize {
    scene.app.reports().iter().filter(|report| matches!(report, Report::GaveUp { .. })).count()
}

async fn gives_up(scene: &Scene, child: Child) -> Seen {
    scene.also("once");
    scene.also("culprit");
    let spec = supervisor("pen", 3, child.spec);
    scene.culprit(Child { spec }).await.expect("it starts the first time");
    eventually("the supervisor to give up", || (given_up(scene) == 1).then_some(())).await;
    assert_eq!(scene.app.crashes("culprit").len(), 4);
    crate::gone(&scene.app, "pen").await;
    Seen::Refused("gave up".to_owned())
}

async fn hundred(scene: &Scene) -> Seen {
    let trapper = Child::new("culprit", "trapper", &Value::Null).restart(Restart::Permanent);
    scene.also("culprit");
    scene.culprit(Child { spec: supervisor("pen", 1_000, trapper.spec) }).await.expect("it starts");
    for round in 1..=100 {
        let pid = eventually("the next life", || scene.app.whereis("culprit")).await;
        crate::ended(scene.app.call("culprit", json!({ "Here": "Unreachable" })).await);
        eventually("a restart", || scene.app.whereis("culprit").filter(|next| *next != pid)).await;
        assert_eq!(scene.app.crashes("culprit").len(), round);
    }
    Seen::Nothing
}

async fn tree(scene: &Scene) -> Seen {
    for label in ["culprit", "inner", "middle", "pen"] {
        scene.also(label);
    }
    let again = |mut spec: ChildSpec<Blueprint>| {
        spec.restart = Restart::Permanent;
        spec
    };
    let inner = again(supervisor("inner", 3, suicidal().spec));
    let spec = supervisor("pen", 3, again(supervisor("middle", 3, inner)));
    scene.culprit(Child { spec }).await.expect("it starts the first time");
    // Each of the outer ones starts the inner one four times.
    eventually("all to give up", || (given_up(scene) == 1 + 4 + 16).then_some(())).await;
    crate::gone(&scene.app, "pen").await;
    assert_eq!(scene.app.crashes("culprit").len(), 4 * 16);
    Seen::Refused("gave up".to_owned())
}
