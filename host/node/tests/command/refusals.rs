//! Bad input from people: refused before anything changes, with the place, the reason and the remedy.

use std::fs;

use crate::node::counter;
use crate::skep::{Home, Node, refused};

/// A manifest with one child of one module, which is this file.
fn manifest(path: &str) -> String {
    format!(
        "name = \"refused\"\n[modules.m]\npath = \"{path}\"\n[supervisor]\n[[supervisor.children]]\nid = \"x\"\nmodule = \"m\"\n"
    )
}

#[test]
fn a_manifest_that_makes_no_sense_is_refused_with_its_place() {
    let home = Home::new();
    let cases: &[(&str, &[&str])] = &[
        ("name = \"a\"\nmodul = 1\n", &["unknown key `modul`", ":2:1", "did you mean `modules`?"]),
        ("name = \"a\"\n", &["supervisor"]),
        (
            "name = \"a\"\n[supervisor]\nstrategy = \"one_for_each\"\n",
            &["unknown value `one_for_each`", ":3:12", "did you mean `one_for_all`?"],
        ),
        (
            "name = \"a\"\n[supervisor]\n[[supervisor.children]]\nid = \"x\"\nmodule = \"nope\"\n",
            &["unknown module `nope`", ":5:", "[modules.nope]"],
        ),
        (
            "name = \"a\"\n[modules.m]\npath = \"m.wasm\"\n[supervisor]\n[[supervisor.children]]\nid = \"x\"\nmodule = \"m\"\n[[supervisor.children]]\nid = \"x\"\nmodule = \"m\"\n",
            &["have the id `x`", ":9:", "its own id"],
        ),
        ("name = \n", &[":1:"]),
    ];
    for (text, expected) in cases {
        let path = home.file("app.toml", text.as_bytes());
        refused(&home.skep(&["run", &path]), 1, expected);
    }
    refused(&home.skep(&["run", "no-such-file.toml"]), 1, &["cannot read", "no-such-file.toml", "manifest"]);
}

#[test]
fn code_that_is_no_process_is_refused_with_the_reason() {
    let home = Home::new();
    let counter = fs::read(home.build("counter")).expect("it was built");
    // A component without anything in it; and one that imports what Skep does not have.
    let empty = wat::parse_str("(component)").expect("it is a component");
    let foreign = wat::parse_str(
        r#"(component
            (import "acme:rocket/engine@1.0.0" (instance (export "fire" (func))))
            (instance $nothing)
            (export "skep:process/entry@0.1.0" (instance $nothing)))"#,
    )
    .expect("it is a component");
    let cases: &[(&[u8], &[&str])] = &[
        (b"hello, I am text", &["not WebAssembly", "skep build"]),
        (&counter[..counter.len() / 2], &["cut off", "again"]),
        (&empty, &["must export `skep:process/behaviour@0.1.0`", "skep_sdk::export!"]),
        (&foreign, &["acme:rocket/engine"]),
    ];
    for (code, expected) in cases {
        home.file("m.wasm", code);
        let path = home.file("app.toml", manifest("m.wasm").as_bytes());
        refused(&home.skep(&["run", &path]), 1, expected);
    }
    let path = home.file("app.toml", manifest("missing.wasm").as_bytes());
    refused(&home.skep(&["run", &path]), 1, &["missing.wasm", "app.toml:3:", "check the path"]);
}

#[test]
fn input_and_output_of_a_module_that_is_no_command_are_refused_with_their_place() {
    let home = Home::new();
    let node = Node::run(&home, &counter(&home, "refused"));
    let before = home.json(&["ps", "--json"]);
    let server = home.build("counter");
    let task = home.build("probe-task");
    // A command may have both, beside others that have neither.
    home.file(
        "true.wasm",
        &wat::parse_str("(module (memory (export \"memory\") 1) (func (export \"_start\")))").expect("text"),
    );
    let child =
        |module: &str, keys: &str| format!("[[supervisor.children]]\nid = '{module}'\nmodule = '{module}'\n{keys}\n");
    let app = |keys: &str, tasks_keys: &str| {
        let modules = format!(
            "name = 'refused'\nmodules.counter.path = '{}'\nmodules.task.path = '{}'\nmodules.true.path = 'true.wasm'\n[supervisor]\n",
            server.display(),
            task.display()
        );
        let command = child("true", "restart = 'temporary'\nstdin = 'messages'\noutput = { to = 'counter' }");
        let children = [
            command,
            child("counter", &format!("args = 1\n{keys}")),
            child("task", &format!("args = []\nrestart = 'temporary'\n{tasks_keys}")),
        ];
        home.file("refused.toml", (modules + &children.concat()).as_bytes())
    };
    for (keys, tasks_keys, expected) in [
        (
            "stdin = 'messages'",
            "",
            ["`stdin` is for commands", "module `counter` is none", "refused.toml:16:9", "remove `stdin`"],
        ),
        (
            "output = { to = 'x' }",
            "",
            ["`output` is for commands", "module `counter` is none", "refused.toml:16:10", "wasi:cli/run"],
        ),
        (
            "output = 'log'",
            "",
            ["`output` is for commands", "module `counter` is none", "refused.toml:16:10", "remove `output`"],
        ),
        (
            "",
            "stdin = { file = 'true.wasm' }",
            ["`stdin` is for commands", "module `task` is none", "refused.toml:22:9", "`_start`"],
        ),
    ] {
        let path = app(keys, tasks_keys);
        refused(&home.skep(&["run", &path, "--node", "other"]), 1, &expected);
        refused(&home.skep(&["deploy", &path, "--yes"]), 1, &expected);
        assert_eq!(home.json(&["ps", "--json"]), before, "nothing has changed");
    }
    home.ok(&["deploy", &app("", ""), "--yes"]);
    home.ok(&["stop"]);
    assert!(node.wait().success());
}

#[test]
fn a_command_that_is_not_one_shows_how_it_is_used() {
    let home = Home::new();
    refused(&home.skep(&["fly"]), 2, &["unrecognized subcommand", "--help"]);
    refused(&home.skep(&["call", "counter"]), 2, &["<JSON>", "Usage"]);
    refused(&home.skep(&["call", "counter", "{oops}"]), 2, &["not JSON", "single quotes"]);
}

#[test]
fn without_a_node_the_remedy_is_to_start_one() {
    let home = Home::new();
    refused(&home.skep(&["ps"]), 1, &["no node is running", "skep run"]);
    refused(&home.skep(&["ps", "--node", "ghost"]), 1, &["`ghost` is not running", "skep run"]);
}
