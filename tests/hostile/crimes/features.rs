//! What is off of WebAssembly: each is refused when it is loaded, by its name.

use crate::suite::crimes;

crimes! {
    Features;

    shared_memory: "has a memory that threads share", Refused("shared memor"), 64 MiB => |scene| scene.load(module("(memory 1 1 shared)"));
    memory64: "has a memory of 64 bits", Refused("memory64"), 64 MiB => |scene| scene.load(module("(memory i64 1)"));
    table64: "has a table of 64 bits", Refused("memory64"), 64 MiB => |scene| scene.load(module("(table i64 1 funcref)"));
    several_memories: "has two memories in one module", Refused("multi"), 64 MiB => |scene| scene.load(module("(memory 1) (memory 1)"));
    other_page_sizes: "has a memory of pages of one byte", Refused("custom page sizes"), 64 MiB =>
        |scene| scene.load(module("(memory 1 (pagesize 1))"));
    wide_arithmetic: "adds 128 bits at once", Refused("wide arithmetic"), 64 MiB =>
        |scene| scene.load(module(
            "(func (result i64 i64) (i64.add128 (i64.const 0) (i64.const 0) (i64.const 0) (i64.const 0)))"));
    exceptions: "has a tag for exceptions", Refused("exceptions"), 64 MiB => |scene| scene.load(module("(tag)"));
    garbage_collection: "has a struct", Refused("gc"), 64 MiB => |scene| scene.load(module("(type (struct (field i32)))"));
    stack_switching: "has a continuation", Refused("stack switching"), 64 MiB => |scene| scene.load(module("(type $f (func)) (type (cont $f))"));
    asynchronous_functions: "lifts a function as asynchronous", Refused("async"), 64 MiB =>
        |scene| scene.load(wat::parse_str(
            r#"(component (core module $m (func (export "f"))) (core instance $c (instantiate $m))
            (type $t (func async)) (func (export "f") (type $t) (canon lift (core func $c "f") async)))"#).expect("text"));
    starting_threads: "starts a thread", Refused("thread"), 64 MiB =>
        |scene| scene.load(wat::parse_str("(component (core func $n (canon thread.available_parallelism)))").expect("text"));
}

fn module(text: &str) -> Vec<u8> {
    wat::parse_str(format!("(component (core module {text}))")).expect("text")
}
