//! Guests that start others without end.

use serde_json::{Value, json};
use skep_runtime::kernel::budget::BudgetSpec;
use skep_tests::Child;

use crate::scene::{EVIL, Scene, refusals};
use crate::suite::{Seen, crimes};

crimes! {
    Processes;

    a_process_bomb: "starts 200 tasks that wait for ever, in an app that may have 50 processes", Refused("processes of app evil"), 64 MiB =>
        |scene| bomb(scene, json!({ "Many": vec![waiter(); 200] }), 150);
    a_chain_of_processes: "starts a task that starts a task, and so on, eight deep", Nothing, 96 MiB =>
        |scene| chain(scene, 8, 200);
    a_chain_beyond_the_budget: "the same, in an app that may have six processes", Refused("processes of app evil"), 96 MiB =>
        |scene| chain(scene, 8, 6);
    a_bomb_of_supervisors: "starts supervisors without end", Refused("supervisors"), 64 MiB =>
        |scene| bomb(scene, json!({ "Many": vec![json!({ "StartSupervisor": {} }); 40] }), 20);
    a_bomb_of_children: "has its own supervisor start a thousand children, with limits of ten", Refused("children"), 64 MiB =>
        |scene| children(scene);
    modules_that_were_not_granted: "starts what it may not", Refused("denied"), 32 MiB =>
        |scene| not_granted(scene);
    a_thousand_links: "links itself to as many as it can", Refused("links"), 64 MiB =>
        |scene| links(scene);
}

/// A task that waits for ever.
fn waiter() -> Value {
    spawn(&json!([{ "Receive": { "timeout_ms": null } }]))
}

fn spawn(steps: &Value) -> Value {
    json!({ "Spawn": { "module": "probe-task", "args": steps } })
}

fn few(processes: u64) -> BudgetSpec {
    BudgetSpec { processes: Some(processes), ..BudgetSpec::default() }
}

async fn bomb(scene: &Scene, steps: Value, at_least: usize) -> Seen {
    scene.crowd(few(50), [Child::probe("culprit")]).await;
    let results = scene.app.call_in(EVIL, "culprit", steps).await.expect("it answers");
    let refused = refusals(&results);
    assert!(refused.len() >= at_least, "{} were refused", refused.len());
    Seen::Refused(refused.into_iter().last().unwrap_or_default())
}

async fn chain(scene: &Scene, depth: usize, most: u64) -> Seen {
    let mut steps = json!([{ "Receive": { "timeout_ms": null } }]);
    for _ in 0..depth {
        steps = json!([spawn(&steps), { "Receive": { "timeout_ms": null } }]);
    }
    scene.crowd(few(most), [Child::probe("culprit")]).await;
    let first = scene.app.call_in(EVIL, "culprit", spawn(&steps)).await.expect("it answers");
    assert!(first["Ok"].is_object(), "{first}");
    let processes =
        || scene.app.runtime.usage().into_iter().find(|usage| &*usage.app == EVIL).map(|usage| usage.total.processes);
    // The root, the culprit, and the chain, as far as there is room.
    let expected = (depth as u64 + 3).min(most);
    skep_tests::eventually("the chain", || (processes() == Some(expected)).then_some(())).await;
    if expected < most {
        return Seen::Nothing;
    }
    let one_more = scene.app.call_in(EVIL, "culprit", waiter()).await.expect("it answers");
    Seen::Refused(one_more.to_string())
}

async fn children(scene: &Scene) -> Seen {
    let supervisor = json!({ "StartSupervisor": { "roster": { "dynamic": null } } });
    let start = |number: usize| {
        let process = json!({ "module": "probe", "args": { "json": "null" } });
        let child = json!({ "id": format!("child-{number}"), "start": { "process": process } });
        json!({ "Supervise": { "supervisor": { "step": 0 }, "ask": { "StartChild": child } } })
    };
    let steps: Vec<Value> = std::iter::once(supervisor).chain((0..20).map(start)).collect();
    let results = scene.steps(|limits| limits.children = 10, Value::from(steps)).await;
    Seen::Refused(refusals(&results).pop().unwrap_or(results.to_string()))
}

async fn not_granted(scene: &Scene) -> Seen {
    let nothing = |process: &mut skep_runtime::spec::ProcessSpec| {
        std::sync::Arc::make_mut(&mut process.grants).spawn = Vec::new();
    };
    scene.culprit(Child::probe("culprit").process(nothing)).await.expect("it starts");
    let answer = scene.app.ask("culprit", waiter()).await;
    Seen::Refused(answer.to_string())
}

async fn links(scene: &Scene) -> Seen {
    let mut steps = vec![waiter(); 20];
    steps.extend((0..20).map(|step| json!({ "Link": { "to": { "step": step } } })));
    let results = scene.steps(|limits| limits.links = 10, Value::from(steps)).await;
    Seen::Refused(refusals(&results).pop().unwrap_or(results.to_string()))
}
