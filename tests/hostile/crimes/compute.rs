//! Guests that compute without end, or as much as they may to the last unit.

use serde_json::{Value, json};
use skep_runtime::kernel::Limits;
use skep_tests::{Child, eventually};

use crate::guest::{Server, ZEROS};
use crate::is_spinning;
use crate::scene::Scene;
use crate::suite::{Seen, crimes};

crimes! {
    Compute;

    a_call_spins: "loops without end in a call", Limit("fuel"), 32 MiB =>
        |scene| scene.call(spinner(500_000_000, 4), json!("Spin"));
    a_call_spins_in_the_large_class: "the same, with more memory than a small guest may have", Limit("fuel"), 32 MiB =>
        |scene| scene.call(spinner(500_000_000, 16), json!("Spin"));
    an_init_spins: "loops without end in `init`", Limit("time"), 32 MiB =>
        |scene| scene.start(Child::new("culprit", "spinner", &json!("Init")).limits(|limits| {
            limits.init_timeout = std::time::Duration::from_millis(300);
        }));
    eight_spin_for_ever: "eight that loop, with all the fuel there is, until they are killed", Ends("killed"), 32 MiB =>
        |scene| eight(scene);
    host_calls_without_end: "loops over a host call that does nothing", Limit("fuel"), 32 MiB =>
        |scene| scene.run(text(IMPORT_ME, "(loop (call $me (i32.const 2048)) (br 0)) unreachable"), fuel(200_000_000));
    a_recursion_without_end: "recurses until its memory's stack is full", Fault("memory-out-of-bounds"), 32 MiB =>
        |scene| scene.call(Child::new("culprit", "stack-overflow", &Value::Null), json!("Overflow"));
    a_recursion_on_the_stack: "recurses until the engine's stack is full", Limit("stack"), 32 MiB =>
        |scene| scene.run(text(DEEP, "(call $deep (i32.const 1))"), Limits::default());
    a_recursion_through_a_table: "the same, by indirect calls", Limit("stack"), 32 MiB =>
        |scene| scene.run(text(INDIRECT, "(call_indirect (type $t) (i32.const 1) (i32.const 0))"), Limits::default());
    a_table_that_grows_without_end: "grows a table until it is refused, and uses what it has not", Fault("table-out-of-bounds"), 32 MiB =>
        |scene| scene.run(
            text(TABLE, &format!("(loop (br_if 0 (i32.ne (i32.const -1) (table.grow $t (ref.null func) (i32.const 1000)))))
                (table.set $t (i32.const 20000000) (ref.null func)) {ZEROS}")),
            Limits::default(),
        );
    a_table_too_large_from_the_start: "declares a table of ten million elements", Refused("limit reached: memory"), 64 MiB =>
        |scene| scene.run(text("(table 10000000 funcref)", ZEROS), Limits::default());
    fuel_that_ends_in_a_host_call: "has one unit of fuel too little for its last host call", Limit("fuel"), 32 MiB =>
        |scene| to_the_unit(scene, "(call $me (i32.const 2048))");
    fuel_that_ends_in_a_bulk_operation: "has one unit of fuel too little for filling its memory", Limit("fuel"), 32 MiB =>
        |scene| to_the_unit(scene, "(memory.fill (i32.const 4096) (i32.const 7) (i32.const 60000))");
    bulk_operations_without_end: "fills and copies all of its memory, again and again", Limit("fuel"), 96 MiB =>
        |scene| scene.run(
            Server {
                pages: 512,
                handle: "(loop (memory.fill (i32.const 0) (i32.const 7) (i32.const 33554432))
                    (memory.copy (i32.const 1) (i32.const 0) (i32.const 33554431)) (br 0)) unreachable".to_owned(),
                ..Server::default()
            }.build(),
            Limits { memory_bytes: 64 << 20, ..fuel(1_000_000_000) },
        );
    table_operations_without_end: "fills and copies a table, again and again", Limit("fuel"), 32 MiB =>
        |scene| scene.run(
            text("(table $t 20000 funcref)",
                "(loop (table.fill $t (i32.const 0) (ref.null func) (i32.const 20000))
                    (table.copy $t $t (i32.const 1) (i32.const 0) (i32.const 19999)) (br 0)) unreachable"),
            fuel(200_000_000),
        );
}

const IMPORT_ME: &str = r#"(import "skep:process/messaging@0.1.0" "me" (func $me (param i32)))"#;
const DEEP: &str = "(func $deep (param i32) (result i32) (i32.add (call $deep (local.get 0)) (local.get 0)))";
const INDIRECT: &str = "(type $t (func (param i32) (result i32))) (table 1 funcref) (elem (i32.const 0) $deep)
    (func $deep (type $t) (i32.add (call_indirect (type $t) (local.get 0) (i32.const 0)) (local.get 0)))";
const TABLE: &str = "(table $t 1 funcref)";

fn spinner(fuel: u64, memory_mib: usize) -> Child {
    Child::new("culprit", "spinner", &Value::Null).limits(|limits| {
        (limits.fuel_per_message, limits.memory_bytes) = (fuel, memory_mib << 20);
    })
}

fn text(more: &str, handle: &str) -> Vec<u8> {
    Server { more: more.into(), handle: handle.into(), ..Server::default() }.build()
}

fn fuel(units: u64) -> Limits {
    Limits { fuel_per_message: units, ..Limits::default() }
}

/// Several for each processor, and none ever runs out of fuel.
async fn eight(scene: &Scene) -> Seen {
    let mut pids = Vec::new();
    for number in 0..8 {
        let label = format!("culprit-{number}");
        let mut child = spinner(1 << 52, 4);
        child.spec.id = label.as_str().into();
        let child = child.process(|process| process.name = Some(label.as_str().into()));
        pids.push(scene.culprit(child).await.expect("it starts").expect("it does not decline"));
        let (runtime, to) = (scene.app.runtime.clone(), skep_runtime::kernel::Address::Name(label.as_str().into()));
        let body = skep_runtime::kernel::Body::Json(r#""Spin""#.into());
        tokio::spawn(async move { runtime.call("test", to, body, None).await });
    }
    for pid in &pids {
        eventually("all to spin", || is_spinning(&scene.app, *pid).then_some(())).await;
    }
    for _ in 0..100 {
        scene.app.ask("neighbour", json!("Get")).await;
    }
    assert!(pids.iter().all(|pid| is_spinning(&scene.app, *pid)), "they spin all the while");
    pids.iter().for_each(|pid| scene.app.runtime.kill(*pid));
    Seen::Ended(skep_runtime::kernel::ExitReason::Killed)
}

/// Looks for the least fuel that is enough for something, and takes one unit less.
async fn to_the_unit(scene: &Scene, what: &str) -> Seen {
    let guest = text(IMPORT_ME, &format!("{what} {ZEROS}"));
    let (mut scarce, mut enough) = (0, 1 << 20);
    while enough - scarce > 1 {
        let middle = (scarce + enough) / 2;
        match scene.run(guest.clone(), fuel(middle)).await {
            Seen::Nothing => enough = middle,
            _ => scarce = middle,
        }
        scene.clear().await;
        scene.forget();
    }
    let outcome = scene.run(guest.clone(), fuel(enough)).await;
    assert!(matches!(outcome, Seen::Nothing), "{enough} units were enough: {outcome:?}");
    scene.clear().await;
    scene.forget();
    scene.run(guest, fuel(scarce)).await
}
