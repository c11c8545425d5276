//! A trap in each callback: whatever it was called for, its process ends alone and its reason says how.

use serde_json::{Value, json};
use skep_runtime::kernel::ExitReason;
use skep_tests::Child;

use crate::guest::Server;
use crate::scene::{Place, Scene};
use crate::suite::{Seen, crimes};

crimes! {
    Callbacks;

    a_trap_in_init: "traps in `init`", Fault("unreachable"), 32 MiB =>
        |scene| scene.start(Child::new("culprit", "trapper", &json!({ "Init": "Unreachable" })));
    a_trap_in_a_call: "traps in a call", Fault("unreachable"), 32 MiB =>
        |scene| scene.call(trapper(), json!({ "Here": "Unreachable" }));
    a_trap_in_a_cast: "traps in a cast", Fault("unreachable"), 32 MiB =>
        |scene| cast(scene, json!({ "Here": "Unreachable" }));
    a_trap_in_an_info: "traps in a plain message", Fault("unreachable"), 32 MiB =>
        |scene| scene.told(trapper(), json!({ "Here": "Unreachable" }));
    a_trap_in_a_continue: "traps in `continue`, after its reply", Fault("unreachable"), 32 MiB =>
        |scene| replies_first(scene, json!({ "Continue": "Unreachable" }));
    a_trap_in_a_timer: "traps when its timer fires", Fault("unreachable"), 32 MiB =>
        |scene| scene.told(trapper(), json!({ "Timer": "Unreachable" }));
    a_trap_in_a_down: "traps when it hears that a process it watches is gone", Fault("unreachable"), 32 MiB =>
        |scene| scene.told(trapper(), json!({ "Down": "Unreachable" }));
    a_trap_in_an_exit: "traps when it hears an exit signal", Fault("unreachable"), 32 MiB =>
        |scene| scene.told(trapper(), json!({ "Exit": "Unreachable" }));
    a_trap_in_save: "traps when its state is saved", Fault("unreachable"), 32 MiB, Place::forgetful() =>
        |scene| replies_first(scene, json!({ "Save": "Unreachable" }));
    a_trap_in_restore: "traps when its state is restored", Fault("unreachable"), 32 MiB, Place::forgetful() =>
        |scene| restores(scene);
    a_trap_in_terminate: "traps in `terminate`", Fault("unreachable"), 32 MiB =>
        |scene| terminates(scene);
    a_trap_in_describe: "traps when it is asked what states it has", Refused("trap: unreachable"), 32 MiB =>
        |scene| scene.load(Server { describe: "unreachable".to_owned(), ..Server::default() }.build());
    a_trap_in_code_change: "new code that traps when it takes a state over", Refused("trap: unreachable"), 64 MiB =>
        |scene| upgrades(scene);
    a_trap_in_a_task: "a task that traps", Fault("unreachable"), 32 MiB =>
        |scene| task(scene);
}

fn trapper() -> Child {
    Child::new("culprit", "trapper", &Value::Null)
}

async fn cast(scene: &Scene, message: Value) -> Seen {
    scene.culprit(trapper()).await.expect("it starts");
    crate::cast(&scene.app, "culprit", &message);
    ended(scene).await
}

async fn ended(scene: &Scene) -> Seen {
    Seen::Ended(crate::crash(&scene.app, "culprit").await.0)
}

async fn replies_first(scene: &Scene, plan: Value) -> Seen {
    scene.culprit(trapper()).await.expect("it starts");
    assert_eq!(scene.app.ask("culprit", plan).await, json!(null), "the reply goes before");
    ended(scene).await
}

async fn restores(scene: &Scene) -> Seen {
    scene.culprit(trapper()).await.expect("it starts");
    assert_eq!(scene.app.ask("culprit", json!({ "Restore": "Unreachable" })).await, json!(null));
    scene.app.sleeps("culprit").await;
    let told = crate::ended(scene.app.call("culprit", json!("Nowhere")).await);
    let Seen::Ended(reason) = ended(scene).await else { unreachable!("it ended") };
    assert_eq!(told, reason, "the caller learns the same");
    Seen::Ended(reason)
}

async fn terminates(scene: &Scene) -> Seen {
    scene.culprit(trapper()).await.expect("it starts");
    scene.app.ask("culprit", json!({ "Terminate": "Unreachable" })).await;
    crate::cast(&scene.app, "culprit", &json!({ "Here": { "Stop": "normal" } }));
    ended(scene).await
}

async fn upgrades(scene: &Scene) -> Seen {
    let engine = scene.app.runtime.engine().clone();
    let load = move || engine.load("counter", &skep_tests::guests::bytes("counter-traps")).expect("it loads");
    let traps = tokio::task::spawn_blocking(load).await.expect("no panic");
    let refused = scene.app.upgrade("counter", traps).await.expect_err("it does not take place");
    Seen::Refused(refused.to_string())
}

async fn task(scene: &Scene) -> Seen {
    let task = Child::new("culprit", "probe-task", &json!([{ "Panic": "on purpose" }]));
    scene.culprit(task).await.expect("a task has started at once");
    let Seen::Ended(reason) = ended(scene).await else { unreachable!("it ended") };
    assert!(matches!(reason, ExitReason::Trap(_)));
    Seen::Ended(reason)
}
