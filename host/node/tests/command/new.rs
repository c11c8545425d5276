//! A crate from its first line to its second version, as a newcomer types it.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::skep::{Home, Node, refused};

/// What the crate's README does with `sed`: lines that end with `// v1` go, those that begin with `// v2:` are code.
fn make_version_2(source: &Path) {
    let text = fs::read_to_string(source).expect("it is there");
    let lines = text.lines().filter(|line| !line.ends_with(" // v1"));
    let lines = lines.map(|line| {
        let code = line.trim_start_matches(' ');
        match code.strip_prefix("// v2: ") {
            Some(code) => format!("{}{code}\n", &line[..line.len() - code.len() - "// v2: ".len()]),
            None => format!("{line}\n"),
        }
    });
    fs::write(source, lines.collect::<String>()).expect("it is ours");
}

#[test]
fn a_new_crate_is_built_tested_run_upgraded_and_rolled_back() {
    let home = Home::for_crates_of("new");
    let said = home.ok(&["new", "greeter"]);
    assert!(said.contains("cd greeter") && said.contains("skep build && cargo test"), "{said}");
    refused(&home.skep(&["new", "greeter"]), 1, &["greeter is there already", "another name"]);
    refused(&home.skep(&["new", "fn"]), 2, &["`fn`", "Rust has another use", "such as `greeter`"]);
    refused(&home.skep(&["new", "other", "--sdk", "."]), 1, &["no SDK in .", "--sdk"]);

    home.ok(&["build", "greeter"]);
    assert!(home.cargo_test("greeter").contains("2 passed"));
    let node = Node::run(&home, "greeter/greeter.toml");
    let asked = |request: &str| home.json(&["call", "greeter", request, "--json"])["body"].clone();
    assert_eq!(asked(r#"{"Greet":"Ada"}"#), json!("hello Ada, you are number 1"));

    make_version_2(&home.folder().join("greeter/src/lib.rs"));
    assert!(home.cargo_test("greeter").contains("3 passed"));
    home.ok(&["build", "greeter"]);
    let done = home.json(&["upgrade", "greeter", &home.component("greeter"), "--json"]);
    assert_eq!((&done["from"]["version"], &done["to"]["version"]), (&json!(1), &json!(2)));
    assert_eq!(asked(r#"{"Greet":"Grace"}"#), json!("hello Grace, you are number 2 after somebody"));
    assert_eq!(asked(r#"{"Greet":"Joan"}"#), json!("hello Joan, you are number 3 after Grace"));
    home.ok(&["rollback", "greeter"]);
    assert_eq!(asked(r#"{"Greet":"Alan"}"#), json!("hello Alan, you are number 4"));
    home.ok(&["stop"]);
    assert!(node.wait().success());
}

#[test]
fn a_watched_source_is_upgraded_and_one_that_does_not_compile_is_shown() {
    let home = Home::for_crates_of("watch");
    home.ok(&["new", "watched"]);
    let node = Node::run_with(&home, &["watched/watched.toml", "--watch"]);
    let source = home.folder().join("watched/src/lib.rs");
    let asked = |request: &str| home.json(&["call", "watched", request, "--json"])["body"].clone();
    let mut log = home.start(&["logs", "--follow", "--json"]);
    assert_eq!(asked(r#"{"Greet":"Ada"}"#), json!("hello Ada, you are number 1"));

    let sound = fs::read_to_string(&source).expect("it is there");
    fs::write(&source, sound.clone() + "\nthis is no Rust\n").expect("it is ours");
    let trouble = log.wait_for("cannot be built");
    assert!(trouble.contains("the old code runs on"), "{trouble}");
    assert_eq!(asked(r#""Count""#), json!("1"));

    fs::write(&source, sound).expect("it is ours");
    log.wait_for("the same code as before");
    make_version_2(&source);
    log.wait_for("upgraded watched/watched from version 1 (");
    assert_eq!(asked(r#"{"Greet":"Grace"}"#), json!("hello Grace, you are number 2 after somebody"));
    let history = home.json(&["versions", "--history", "--json"]);
    assert_eq!(history[0]["how"], json!("watch"), "{history}");

    // From another crate, in another folder.
    let words = |name: &str| format!("pub const HE: &str = \"{name}\";\n");
    let beside = home.folder().join("words");
    fs::create_dir_all(beside.join("src")).expect("it is ours");
    let manifest = "[package]\nname = \"words\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n";
    fs::write(beside.join("Cargo.toml"), manifest).expect("it is ours");
    fs::write(beside.join("src/lib.rs"), words("Alan")).expect("it is ours");
    let manifest = home.folder().join("watched/Cargo.toml");
    let changed = fs::read_to_string(&manifest).expect("it is there");
    let changed = changed.replace("[dependencies]\n", "[dependencies]\nwords = { path = \"../words\" }\n");
    fs::write(&manifest, changed).expect("it is ours");
    let text = fs::read_to_string(&source).expect("it is there").replace("after {last}", "after {last}, not {}");
    fs::write(&source, text.replace("not {}\"", "not {}\", words::HE")).expect("it is ours");
    log.wait_for("upgraded watched/watched from version 2 (");
    assert_eq!(asked(r#"{"Greet":"Ada"}"#), json!("hello Ada, you are number 3 after Grace, not Alan"));
    fs::write(beside.join("src/lib.rs"), words("Kurt")).expect("it is ours");
    log.wait_for("upgraded watched/watched from version 2 (");
    assert_eq!(asked(r#"{"Greet":"Ada"}"#), json!("hello Ada, you are number 4 after Ada, not Kurt"));

    node.interrupt();
    assert!(node.wait().success());
}
