//! Guests that want more memory than they may have, or hand over more than anybody takes.

use serde_json::{Value, json};
use skep_runtime::engine::wrap;
use skep_runtime::kernel::Limits;
use skep_tests::Child;

use crate::binary::{leb, list, section, sections};
use crate::guest::{SHAPE, Server, ZEROS, task};
use crate::scene::{Place, Scene};
use crate::suite::{Seen, crimes};

crimes! {
    Memory;

    many_blocks: "takes blocks of 64 KiB until there is no more", Limit("memory"), 32 MiB =>
        |scene| scene.call(hog(4 << 20), json!({ "Many": { "bytes": 64 << 10 } }));
    many_blocks_in_the_large_class: "the same, of 16 MiB", Limit("memory"), 48 MiB =>
        |scene| scene.call(hog(16 << 20), json!({ "Many": { "bytes": 64 << 10 } }));
    many_crumbs: "takes blocks of 100 bytes until there is no more", Limit("memory"), 32 MiB =>
        |scene| scene.call(hog(4 << 20), json!({ "Many": { "bytes": 100 } }));
    one_giant: "takes one block of 1 GiB", Limit("memory"), 32 MiB =>
        |scene| scene.call(hog(4 << 20), json!({ "Giant": { "bytes": 1_u64 << 30 } }));
    one_a_little_too_large: "takes one block of just its limit", Limit("memory"), 32 MiB =>
        |scene| scene.call(hog(4 << 20), json!({ "Giant": { "bytes": 4 << 20 } }));
    memory_in_save: "takes memory without end when its state is saved", Limit("memory"), 32 MiB, Place::forgetful() =>
        |scene| in_save(scene);
    more_from_the_start: "needs more memory to start than it may have", Limit("memory"), 32 MiB =>
        |scene| scene.start(hog(32 << 10));
    growing_without_end: "asks for a page for ever, and does not mind the answer", Limit("fuel"), 32 MiB =>
        |scene| scene.run(
            handle("(loop (drop (memory.grow (i32.const 1))) (br 0)) unreachable").build(),
            Limits { fuel_per_message: 20_000_000, ..Limits::default() });
    beyond_its_memory: "fills what it does not have", Fault("memory-out-of-bounds"), 32 MiB =>
        |scene| evil(scene, handle(&format!("(memory.fill (i32.const 0) (i32.const 1) (i32.const -1)) {ZEROS}")));
    a_copy_beyond_its_memory: "copies from what it does not have", Fault("memory-out-of-bounds"), 32 MiB =>
        |scene| evil(scene, handle(&format!("(memory.copy (i32.const 0) (i32.const -8) (i32.const 8)) {ZEROS}")));
    hundreds_of_memories: "a component of 500 instances, each with a memory", Refused("memory count too high"), 256 MiB =>
        |scene| scene.load(many("(memory 1)", 500));
    hundreds_of_tables: "a component of 500 instances, each with a table", Refused("table count too high"), 256 MiB =>
        |scene| scene.load(many("(table 1 funcref)", 500));
    hundreds_of_instances: "a component of 500 instances of nothing", Refused("instance count too high"), 256 MiB =>
        |scene| scene.load(many("", 500));
    a_giant_reply: "replies with 3 MiB", Limit("body"), 32 MiB =>
        |scene| evil(scene, giant(Server { handle: answer(&[(8, 1), (12, 0)], 16), ..Server::default() }));
    a_reply_beyond_its_memory: "replies with 4 GiB that it does not have", Fault("malformed"), 32 MiB =>
        |scene| evil(scene, Server {
            handle: format!("(i32.store8 (i32.const 1032) (i32.const 1)) (i32.store (i32.const 1044) (i32.const -1)) {ZEROS}"),
            ..Server::default()
        });
    a_giant_error: "fails with a text of 3 MiB", Limit("body"), 32 MiB =>
        |scene| evil(scene, giant(Server { handle: answer(&[(0, 1)], 8), ..Server::default() }));
    a_giant_error_of_init: "fails with a text of 3 MiB in `init`", Limit("body"), 32 MiB =>
        |scene| evil(scene, giant(Server { init: answer(&[(0, 1)], 8), ..Server::default() }));
    a_giant_state: "saves a state of 3 MiB", Limit("body"), 32 MiB, Place::forgetful() =>
        |scene| evil(scene, giant(Server { save: answer(&[], 12), ..Server::default() }));
    a_giant_error_of_restore: "refuses a state with a text of 3 MiB", Limit("body"), 32 MiB, Place::forgetful() =>
        |scene| twice(scene, giant(Server { restore: answer(&[(0, 1)], 4), ..Server::default() }));
    a_giant_shape: "says that it reads 700,000 versions of its state", Refused("limit reached: body"), 64 MiB =>
        |scene| scene.load(giant(Server {
            describe: format!("(i32.store (i32.const 964) (i32.const 65536)) (i32.store (i32.const 968) (i32.const 700000)) {SHAPE}"),
            ..Server::default()
        }).build());
    a_giant_result: "a task whose result has 3 MiB", Limit("body"), 32 MiB =>
        |scene| scene.run(
            task("", &format!("(drop (memory.grow (i32.const 50))) {}", answer(&[], 8))), Limits::default());
}

fn hog(memory_bytes: usize) -> Child {
    Child::new("culprit", "memory-hog", &Value::Null).limits(|limits| limits.memory_bytes = memory_bytes)
}

async fn in_save(scene: &Scene) -> Seen {
    scene.culprit(hog(4 << 20)).await.expect("it starts");
    scene.app.ask("culprit", json!("GrowInSave")).await;
    Seen::Ended(crate::crash(&scene.app, "culprit").await.0)
}

async fn evil(scene: &Scene, server: Server) -> Seen {
    scene.run(server.build(), Limits::default()).await
}

/// Its second message finds it saved.
async fn twice(scene: &Scene, server: Server) -> Seen {
    match evil(scene, server).await {
        Seen::Nothing => scene.again().await,
        seen => seen,
    }
}

fn handle(handle: &str) -> Server {
    Server { handle: handle.into(), ..Server::default() }
}

/// With 3 MiB and more.
fn giant(server: Server) -> Server {
    Server { pages: 60, ..server }
}

/// An answer, in which these bytes are set, and at `at` there is a list or a text of 3 MiB.
fn answer(set: &[(u32, u32)], at: u32) -> String {
    let set = set.iter().map(|(place, byte)| format!("(i32.store8 (i32.const {}) (i32.const {byte}))", 1024 + place));
    let place = 1024 + at;
    format!(
        "{} (i32.store (i32.const {place}) (i32.const 65536)) (i32.store (i32.const {}) (i32.const 3145728)) {ZEROS}",
        set.collect::<String>(),
        place + 4
    )
}

/// A task that has so many instances of a core module beside its own.
fn many(text: &str, times: usize) -> Vec<u8> {
    let task = task("", ZEROS);
    let mut component = wrap::component(&task).expect("it can be wrapped").into_owned();
    let number = leb(sections(&component).filter(|id| *id == 1).count() as u64);
    component.extend(section(1, &wat::parse_str(format!("(module {text})")).expect("text")));
    component.extend(section(2, &list(&vec![[&[0], &number[..], &[0]].concat(); times])));
    component
}
