//! Components that do not fit the contract, or claim to be what they are not.

use crate::guest::{Server, ZEROS};
use crate::suite::crimes;

crimes! {
    Boundary;

    no_exports: "exports nothing", Refused("exports nothing"), 64 MiB => |scene| scene.load(component(""));
    an_export_is_missing: "is a task without `run`", Refused("run"), 64 MiB =>
        |scene| scene.load(component(r#"(instance $i) (export "skep:process/entry@0.1.0" (instance $i))"#));
    an_export_of_another_type: "is a task whose `run` takes nothing", Refused("expected 1-tuple, found 0-tuple"), 128 MiB =>
        |scene| scene.load(component(
            r#"(core module $m (func (export "f"))) (core instance $c (instantiate $m))
            (func $run (canon lift (core func $c "f"))) (instance $i (export "run" (func $run)))
            (export "skep:process/entry@0.1.0" (instance $i))"#));
    an_export_that_is_a_type: "is a task that is no instance", Refused("export `skep:process/entry@0.1.0.run` is missing"), 64 MiB =>
        |scene| scene.load(component(r#"(type $t u32) (export "skep:process/entry@0.1.0" (type $t))"#));
    both_kinds: "is a server and a task at once", Refused("both"), 64 MiB =>
        |scene| scene.load(component(
            r#"(instance $i) (export "skep:process/entry@0.1.0" (instance $i))
            (instance $j) (export "skep:process/behaviour@0.1.0" (instance $j))"#));
    an_import_of_another_type: "imports `log` as a function of a number", Refused("log"), 64 MiB =>
        |scene| scene.load(component(
            r#"(import "skep:process/log@0.1.0" (instance (export "log" (func (param "x" u32)))))
            (instance $i) (export "skep:process/entry@0.1.0" (instance $i))"#));
    an_import_that_is_not_there: "imports a function that the contract does not have", Refused("self-destruct"), 64 MiB =>
        |scene| scene.load(component(
            r#"(import "skep:process/log@0.1.0" (instance (export "self-destruct" (func))))
            (instance $i) (export "skep:process/entry@0.1.0" (instance $i))"#));
    an_unknown_interface: "imports an interface of somebody else", Refused("acme:database/query"), 64 MiB =>
        |scene| scene.load(component(
            r#"(import "acme:database/query@1.2.0" (instance)) (instance $i)
            (export "skep:process/entry@0.1.0" (instance $i))"#));
    an_interface_of_the_future: "imports the next version of an interface", Refused("skep:process/log@0.2.0"), 64 MiB =>
        |scene| scene.load(component(
            r#"(import "skep:process/log@0.2.0" (instance)) (instance $i)
            (export "skep:process/entry@0.1.0" (instance $i))"#));
    an_answer_of_no_case: "answers with neither ok nor error", Fault("malformed"), 32 MiB =>
        |scene| scene.run(handle("(i32.store8 (i32.const 1024) (i32.const 9))"), Default::default());
    an_answer_elsewhere: "answers from beyond its memory", Fault("malformed"), 32 MiB =>
        |scene| scene.run(
            Server { handle: "(i32.const 65532)".into(), ..Server::default() }.build(), Default::default());
    an_argument_of_no_case: "logs at a level that there is not", Fault("malformed"), 32 MiB =>
        |scene| scene.run(logs("(i32.const 99) (i32.const 0) (i32.const 1)"), Default::default());
    an_argument_elsewhere: "logs a line from beyond its memory", Fault("malformed"), 32 MiB =>
        |scene| scene.run(logs("(i32.const 1) (i32.const -16) (i32.const 64)"), Default::default());
    an_argument_that_is_no_text: "logs bytes that are no text", Fault("malformed"), 32 MiB =>
        |scene| scene.run(logs("(i32.const 1) (i32.const 512) (i32.const 2)"), Default::default());
    a_giant_argument: "logs 4 GiB", Fault("malformed"), 32 MiB =>
        |scene| scene.run(logs("(i32.const 1) (i32.const 0) (i32.const -1)"), Default::default());
    a_number_beyond_the_contract: "starts a timer in 2^64 - 1 ms", Ends("after-ms"), 32 MiB =>
        |scene| scene.run(
            Server {
                more: r#"(import "skep:process/timers@0.1.0" "start" (func $start (param i64 i32 i32 i32) (result i64)))"#.into(),
                handle: format!("(drop (call $start (i64.const -1) (i32.const 0) (i32.const 0) (i32.const 0))) {ZEROS}"),
                ..Server::default()
            }.build(),
            Default::default());
}

fn component(text: &str) -> Vec<u8> {
    wat::parse_str(format!("(component {text})")).expect("text")
}

fn handle(what: &str) -> Vec<u8> {
    Server { handle: format!("{what} {ZEROS}"), ..Server::default() }.build()
}

fn logs(arguments: &str) -> Vec<u8> {
    Server {
        more: r#"(import "skep:process/log@0.1.0" "log" (func $log (param i32 i32 i32)))
            (data (i32.const 512) "\ff\fe")"#
            .into(),
        handle: format!("(call $log {arguments}) {ZEROS}"),
        ..Server::default()
    }
    .build()
}
