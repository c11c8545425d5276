//! Code replaced under a running node, as an operator types it; and everything that is refused before a process is
//! touched.

use std::fs;

use serde_json::{Value, json};

use crate::node::counter;
use crate::skep::{Home, Node, refused};

/// The path of an example guest, built.
fn built(home: &Home, guest: &str) -> String {
    home.build(guest).to_str().expect("a plain path").to_owned()
}

/// What the counter replies.
#[track_caller]
fn asked(home: &Home, request: &str) -> Value {
    home.json(&["call", "counter", request, "--json"])["body"].clone()
}

/// The pid of the counter.
fn pid(home: &Home) -> Value {
    let processes = home.json(&["ps", "--json"]);
    let mut all = processes.as_array().expect("a list").iter();
    all.find(|process| process["name"] == json!("counter")).expect("it runs")["pid"].clone()
}

/// The counter is shown to run this version, by `skep ps` and by `skep tree`.
#[track_caller]
fn shown_as(home: &Home, version: u32) {
    let digest = home.json(&["versions", "--json"])[0]["code"][0]["digest"].clone();
    let (processes, trees) = (home.json(&["ps", "--json"]), home.json(&["tree", "--json"]));
    let mut all = processes.as_array().expect("a list").iter();
    let counter = all.find(|process| process["name"] == json!("counter")).expect("it runs");
    for shown in [counter, &trees[0]["root"]["children"][0]] {
        assert_eq!((&shown["version"], &shown["digest"]), (&json!(version), &digest), "{shown}");
    }
    assert!(home.ok(&["tree"]).contains(&format!("counter version {version}\n")), "{}", home.ok(&["tree"]));
    let table = home.ok(&["ps"]);
    let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    let column = lines[0].iter().position(|heading| heading.eq_ignore_ascii_case("version")).expect("a heading");
    assert!(lines.iter().any(|line| line.get(column) == Some(&&*version.to_string())), "{table}");
}

/// The code of the only module, as (version, is current, is before, processes).
fn versions(home: &Home) -> Vec<(u64, bool, bool, u64)> {
    let modules = home.json(&["versions", "--json"]);
    let code = modules[0]["code"].as_array().expect("a list").iter();
    let number = |value: &Value| value.as_u64().expect("a number");
    let truth = |value: &Value| value.as_bool().expect("true or false");
    code.map(|code| {
        (number(&code["version"]), truth(&code["current"]), truth(&code["before"]), number(&code["processes"]))
    })
    .collect()
}

#[test]
fn up_two_versions_and_down_again_with_the_same_pid_and_the_count() {
    let home = Home::new();
    let node = Node::run(&home, &counter(&home, "updown"));
    let pid_before = pid(&home);
    assert_eq!(asked(&home, r#"{"Add":2}"#), json!(42));

    let done = home.json(&["upgrade", "counter", &built(&home, "counter-v2"), "--json"]);
    assert_eq!((&done["from"]["version"], &done["to"]["version"]), (&json!(1), &json!(2)));
    assert_eq!((&done["processes"], &done["migrated"], &done["tasks"]), (&json!(1), &json!(1), &json!(0)));
    assert!(done["state_bytes"].as_u64() > Some(0), "{done}");
    assert_eq!(asked(&home, r#""Version""#), json!(2));
    assert_eq!(asked(&home, r#"{"Add":1}"#), json!(43));
    let summary = home.ok(&["upgrade", "updown/counter", &built(&home, "counter-v3"), "--wait", "2s"]);
    for part in
        ["updown/counter: version 2 (", "→ version 3 (", "migrated  ", "pause p50 / p99 / max", "bytes of state"]
    {
        assert!(summary.contains(part), "{part:?} is not in\n{summary}");
    }
    assert_eq!(asked(&home, r#""Version""#), json!(3));
    shown_as(&home, 3);
    let expected = [(3, true, false, 1), (2, false, true, 0), (1, false, false, 0)];
    assert_eq!(versions(&home), expected);

    home.ok(&["rollback", "counter"]);
    assert_eq!(asked(&home, r#""Version""#), json!(2));
    home.ok(&["rollback", "counter"]);
    assert_eq!(asked(&home, r#""Version""#), json!(1));
    assert_eq!(asked(&home, r#""Get""#), json!(43));
    // What was left by going back is kept, and one says which.
    let nothing = home.skep(&["rollback", "counter"]);
    refused(&nothing, 1, &["runs version 1 (", "nothing is known that it ran before", "--to", "version 3 ("]);
    home.ok(&["rollback", "counter", "--to", "3"]);
    assert_eq!(asked(&home, r#""Version""#), json!(3));
    home.ok(&["rollback", "counter"]);
    assert_eq!((asked(&home, r#""Version""#), pid(&home)), (json!(1), pid_before));

    let history = home.json(&["versions", "--history", "--json"]);
    let results: Vec<&str> =
        history.as_array().expect("a list").iter().filter_map(|event| event["how"].as_str()).collect();
    assert_eq!(results, ["upgrade", "upgrade", "rollback", "rollback", "rollback", "rollback"]);
    let history = home.ok(&["versions", "--history"]);
    assert!(history.contains("updown/counter") && history.contains("done"), "{history}");
    let log = home.ok(&["logs"]);
    assert!(log.contains("upgraded updown/counter from version 1 ("), "{log}");
    assert!(log.contains("rolled back updown/counter from version 3 ("), "{log}");
    home.ok(&["stop"]);
    assert!(node.wait().success());
}

#[test]
fn what_does_not_fit_is_refused_with_reason_and_remedy_and_the_old_code_runs_on() {
    let home = Home::new();
    let node = Node::run(&home, &counter(&home, "refuse"));
    let pid_before = pid(&home);
    let one = fs::read(home.build("counter")).expect("it was built");
    let text = home.file("text.wasm", b"hello, I am text");
    let cut = home.file("cut.wasm", &one[..one.len() / 2]);
    let empty = home.file("empty.wasm", &wat::parse_str("(component)").expect("it is a component"));
    let foreign = wat::parse_str(
        r#"(component
            (import "acme:rocket/engine@1.0.0" (instance (export "fire" (func))))
            (instance $nothing)
            (export "skep:process/behaviour@0.1.0" (instance $nothing)))"#,
    );
    let foreign = home.file("foreign.wasm", &foreign.expect("it is a component"));
    let other = wat::parse_str(
        r#"(component (instance $nothing) (export "skep:process/behaviour@0.1.0" (instance $nothing)))"#,
    );
    let other = home.file("other.wasm", &other.expect("it is a component"));
    let same = home.file("same.wasm", &one);
    let [task, forgets, form, refuses, traps, grows, two] = [
        "probe-task",
        "counter-forgets",
        "counter-json",
        "counter-refuses",
        "counter-traps",
        "counter-grows",
        "counter-v2",
    ]
    .map(|guest| built(&home, guest));
    // One that refuses only what is below zero.
    home.ok(&["call", "counter", r#"{"Add":-100}"#]);

    let cases: &[(&str, &str, &[&str])] = &[
        ("counter", "missing.wasm", &["cannot read missing.wasm", "skep build"]),
        ("counter", &text, &["text.wasm: ", "not WebAssembly", "skep build"]),
        ("counter", &cut, &["cut.wasm: ", "cut off", "again"]),
        ("counter", &empty, &["must export `skep:process/behaviour@0.1.0`", "skep_sdk::export!"]),
        ("counter", &foreign, &["imports `acme:rocket/engine@1.0.0`", "`wit` folder and SDK"]),
        ("counter", &other, &["does not fit the interfaces", "`wit` folder and SDK"]),
        ("counter", &task, &["module counter is a server, and the new code is a task", "skep versions"]),
        ("counter", &same, &["runs this code already", "nothing to do"]),
        ("counter", &forgets, &["processes have states of version 1", "`from` in `export!`", "Migrate"]),
        ("counter", &form, &["processes have states in MessagePack", "reads JSON", "`reads` of its `describe`"]),
        ("counter", &refuses, &["refuse/counter <0.", "did not take over the state", "correct the migration"]),
        ("counter", &traps, &["refuse/counter <0.", "did not take over the state", "correct the migration"]),
        ("counter", &grows, &["refuse/counter <0."]),
        ("countre", &two, &["no module named `countre`", "did you mean `counter`?"]),
        ("refuse/countre", &two, &["no module named `refuse/countre`", "did you mean `refuse/counter`?"]),
    ];
    for (module, file, expected) in cases {
        refused(&home.skep(&["upgrade", module, file]), 1, expected);
        assert_eq!(asked(&home, r#""Get""#), json!(-60), "after {file}");
    }
    refused(&home.skep(&["upgrade", "counter", &two, "--extra", "{oops}"]), 2, &["not JSON"]);
    refused(&home.skep(&["upgrade", "counter", &two, "--wait", "long"]), 2, &["--wait"]);
    refused(&home.skep(&["rollback", "counter"]), 1, &["nothing is known that it ran before", "skep upgrade"]);
    refused(&home.skep(&["rollback", "counter", "--to", "9"]), 1, &["no code `9`", "kept are: version 1 ("]);
    refused(&home.skep(&["rollback", "counter", "--to", "1"]), 1, &["runs this code already"]);
    let error = home.skep(&["upgrade", "counter", &traps, "--json"]);
    let error: Value = serde_json::from_slice(&error.stderr).expect("an error is JSON too");
    assert_eq!(error["error"]["code"], json!("migration"));
    assert!(error["error"]["detail"].as_str().is_some_and(|trace| trace.contains("migrate")), "{error}");
    assert_eq!(pid(&home), pid_before);
    assert_eq!(versions(&home), [(1, true, false, 1)]);

    // Down without a step down: version 3 has one, the endless one has none.
    home.ok(&["call", "counter", r#"{"Add":100}"#]);
    home.ok(&["upgrade", "counter", &refuses]);
    let down = home.skep(&["rollback", "counter"]);
    refused(&down, 1, &["processes have states of version 2", "steps down to none", "`back_to`"]);
    assert_eq!(asked(&home, r#""Version""#), json!(2));
    let history = home.ok(&["versions", "--history"]);
    assert!(history.contains("refused: module counter: processes have states"), "{history}");
    node.interrupt();
    assert!(node.wait().success());
}

#[test]
fn a_killed_command_calls_the_upgrade_off() {
    let home = Home::new();
    let node = Node::run(&home, &counter(&home, "killed"));
    let endless = built(&home, "counter-endless");
    let mut log = home.start(&["logs", "--follow", "--json"]);
    let command = home.start(&["upgrade", "counter", &endless]);
    log.wait_for("upgrading killed/counter");
    command.kill();
    log.wait_for("the upgrade of killed/counter was called off");
    assert_eq!(asked(&home, r#"{"Add":2}"#), json!(42));
    home.ok(&["upgrade", "counter", &built(&home, "counter-v2")]);
    assert_eq!(asked(&home, r#"{"Add":2}"#), json!(44));
    let history = home.json(&["versions", "--history", "--json"]);
    assert_eq!((&history[0]["result"], &history[1]["result"]), (&json!("called_off"), &json!("done")));
    home.ok(&["stop"]);
    assert!(node.wait().success());
}

#[test]
fn kept_code_outlives_the_node_and_is_checked_before_it_is_used() {
    let home = Home::new();
    let manifest = counter(&home, "again");
    let node = Node::run(&home, &manifest);
    home.ok(&["upgrade", "counter", &built(&home, "counter-v2")]);
    node.kill();

    // The manifest still says version 1.
    let node = Node::run(&home, &manifest);
    assert_eq!(asked(&home, r#""Version""#), json!(1));
    assert_eq!(versions(&home), [(1, true, false, 1), (2, false, false, 0)]);
    home.ok(&["rollback", "counter", "--to", "2"]);
    assert_eq!(asked(&home, r#""Version""#), json!(2));
    let history = home.json(&["versions", "--history", "--json"]);
    assert_eq!(history.as_array().map(Vec::len), Some(2), "the upgrade of the earlier life is in it: {history}");

    let modules = home.folder().join("home/nodes/again/modules");
    let modules_json = home.json(&["versions", "--json"]);
    let digest = modules_json[0]["code"][1]["digest"].as_str().expect("version 1 is kept").to_owned();
    let file = modules.join(format!("{digest}.wasm"));
    fs::write(&file, "damaged").expect("it is ours");
    let damaged = home.skep(&["rollback", "counter"]);
    refused(&damaged, 1, &[&digest[..12], "is damaged", "skep upgrade", "counter.wasm"]);
    fs::remove_file(&file).expect("it is ours");
    refused(&home.skep(&["rollback", "counter"]), 1, &["is missing", "skep upgrade", "counter.wasm"]);
    assert_eq!(asked(&home, r#""Version""#), json!(2));
    // The remedy; and a folder will do, too.
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples-wasm/counter");
    home.ok(&["upgrade", "counter", example]);
    assert_eq!(asked(&home, r#""Version""#), json!(1));
    home.ok(&["stop"]);
    assert!(node.wait().success());
}

#[test]
fn without_a_node_nothing_is_upgraded() {
    let home = Home::new();
    for command in [&["upgrade", "counter", "x.wasm"][..], &["rollback", "counter"], &["versions"]] {
        refused(&home.skep(command), 1, &["no node is running", "skep run"]);
    }
    refused(&home.skep(&["upgrade", "counter", "x.wasm", "--node", "ghost"]), 1, &["`ghost` is not running"]);
}

/// Old code is freed when the last process has left it: a module takes more than a megabyte, and each upgrade loads one.
#[test]
fn a_hundred_upgrades_up_and_down_leave_memory_flat() {
    let home = Home::new();
    let node = Node::run(&home, &counter(&home, "flat"));
    let codes = ["counter-v2", "counter-v3", "counter-v2", "counter"].map(|code| built(&home, code));
    let mut codes = codes.iter().cycle();
    let mut upgrade = |times: usize| {
        for code in codes.by_ref().take(times) {
            home.ok(&["upgrade", "counter", code]);
        }
        node.memory_kb()
    };
    let early = upgrade(20);
    let late = upgrade(80);
    println!("{early} kB after 20 upgrades, {late} kB after 100");
    assert!(late < early + 20_000, "{early} kB after 20 upgrades, {late} kB after 100");
    assert_eq!(asked(&home, r#""Get""#), json!(40));
    home.ok(&["stop"]);
    assert!(node.wait().success());
}
