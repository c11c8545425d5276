//! Start functions, which run before anybody has asked for anything.

use crate::guest::{Server, ZEROS, task};
use crate::suite::crimes;

crimes! {
    Starts;

    a_start_that_never_ends: "loops in its start function", Refused("limit reached: fuel"), 64 MiB =>
        |scene| scene.load(starts("", "(loop (br 0))"));
    a_start_that_traps: "traps in its start function", Refused("trap: unreachable"), 64 MiB => |scene| scene.load(starts("", "unreachable"));
    a_start_that_recurses: "recurses in its start function", Refused("limit reached: stack"), 64 MiB => |scene| scene.load(starts("", "(call $s)"));
    a_start_that_takes_memory: "takes memory in its start function until it is refused", Refused("limit reached: memory"), 128 MiB =>
        |scene| scene.load(starts("", "(loop (br_if 0 (i32.ne (i32.const -1) (memory.grow (i32.const 1))))) unreachable"));
    a_start_that_acts: "kills somebody in its start function", Refused("side-effect-in-start"), 64 MiB =>
        |scene| scene.load(starts(KILL, "(call $kill (i32.const 0) (i64.const 1) (i64.const 1))"));
    a_start_that_fills_its_memory: "fills its memory in its start function, without end", Refused("limit reached: fuel"), 64 MiB =>
        |scene| scene.load(starts("", "(loop (memory.fill (i32.const 0) (i32.const 1) (i32.const 65536)) (br 0))"));
    a_task_that_never_starts: "is a task that loops in its start function", Refused("limit reached: fuel"), 64 MiB =>
        |scene| scene.load(task("(start $s) (func $s (loop (br 0)))", ZEROS));
    a_describe_that_never_ends: "loops when it is asked what states it has", Refused("limit reached: fuel"), 64 MiB =>
        |scene| scene.load(Server { describe: "(loop (br 0)) unreachable".into(), ..Server::default() }.build());
}

const KILL: &str = r#"(import "skep:process/links@0.1.0" "kill" (func $kill (param i32 i64 i64)))"#;

fn starts(more: &str, what: &str) -> Vec<u8> {
    Server { more: format!("{more} (start $s) (func $s {what})"), ..Server::default() }.build()
}
