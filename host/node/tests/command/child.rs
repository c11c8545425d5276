//! Children of a supervisor that runs, started and stopped as an operator types it.

use serde_json::json;

use crate::skep::{Home, Node, refused};

/// An app with counters of each kind: listed, made from a template, partitioned.
fn counters(home: &Home) -> String {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples-wasm/counter");
    let text = format!(
        r#"
name = "counters"
modules.counter.crate = "{example}"

[supervisor]
[[supervisor.children]]
id = "fixed"
[supervisor.children.supervisor]
[[supervisor.children.supervisor.children]]
id = "one"
module = "counter"
name = "one"
args = 1

[[supervisor.children]]
id = "sessions"
name = "sessions"
[supervisor.children.supervisor]
strategy = "simple_one_for_one"
max_children = 2
[[supervisor.children.supervisor.children]]
id = "session"
module = "counter"
restart = "temporary"

[[supervisor.children]]
id = "parts"
name = "parts"
[supervisor.children.supervisor]
partitioned = true
[[supervisor.children.supervisor.children]]
id = "part"
module = "counter"
args = 0
count = 3
"#
    );
    home.file("counters.toml", text.as_bytes())
}

#[test]
fn sup_18_children_are_started_stopped_and_forgotten_by_command() {
    let home = Home::new();
    let node = Node::run(&home, &counters(&home));
    // By the ids that lead there.
    let fixed = "counters/fixed";
    assert!(home.ok(&["child", "list", fixed]).contains("one"));
    let started =
        home.ok(&["child", "start", fixed, "--id", "two", "--module", "counter", "--name", "two", "--args", "7"]);
    assert!(started.starts_with("started as <0."), "{started}");
    assert_eq!(home.json(&["call", "two", "\"Get\"", "--json"])["body"], json!(7));
    refused(
        &home.skep(&["child", "start", fixed, "--id", "two", "--module", "counter"]),
        1,
        &["a child with this id runs"],
    );
    refused(
        &home.skep(&["child", "start", fixed, "--id", "x", "--module", "countr"]),
        1,
        &["no module named `countr`", "counter"],
    );
    refused(&home.skep(&["child", "start", fixed]), 1, &["has no template", "--id and --module"]);
    refused(&home.skep(&["child", "delete", fixed, "two"]), 1, &["the child runs", "skep child stop"]);
    home.ok(&["child", "stop", fixed, "two"]);
    home.ok(&["child", "restart", fixed, "two"]);
    home.ok(&["child", "stop", fixed, "two"]);
    home.ok(&["child", "delete", fixed, "two"]);
    refused(&home.skep(&["child", "stop", fixed, "two"]), 1, &["no such child", "skep child list"]);
    refused(&home.skep(&["child", "list", "one"]), 1, &["`one` is no supervisor", "skep tree"]);
    refused(&home.skep(&["child", "list", "nobody"]), 1, &["no process named `nobody`"]);
    home.ok(&["stop"]);
    assert!(node.wait().success());
}

#[test]
fn dsup_01_children_that_come_and_go_by_command() {
    let home = Home::new();
    let node = Node::run(&home, &counters(&home));
    let first = home.json(&["child", "start", "sessions", "--args", "5", "--json"])["started"]["pid"].take();
    let first = first.as_str().expect("it runs").to_owned();
    assert_eq!(home.json(&["call", &first, "\"Get\"", "--json"])["body"], json!(5));
    home.ok(&["child", "start", "sessions", "--args", "6"]);
    refused(
        &home.skep(&["child", "start", "sessions", "--args", "7"]),
        1,
        &["as many children as it may have", "max_children"],
    );
    refused(&home.skep(&["child", "stop", "sessions", "session"]), 1, &["known by their pids", "skep child list"]);
    refused(&home.skep(&["child", "start", "sessions", "--id", "x", "--module", "counter"]), 1, &["from its template"]);
    home.ok(&["child", "stop", "sessions", &first]);
    let listed = home.json(&["child", "list", "sessions", "--json"]);
    assert_eq!(listed["children"].as_array().map(Vec::len), Some(1), "{listed}");

    home.ok(&["child", "resize", "parts", "1"]);
    assert!(home.ok(&["tree"]).contains("1 of 3 partitions"), "{}", home.ok(&["tree"]));
    refused(&home.skep(&["child", "resize", "parts", "4"]), 1, &["not so many partitions"]);
    refused(
        &home.skep(&["child", "start", "parts", "--id", "x", "--module", "counter"]),
        1,
        &["are partitions", "resize"],
    );
    home.ok(&["stop"]);
    assert!(node.wait().success());
}
