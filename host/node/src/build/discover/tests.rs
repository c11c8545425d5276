//! What is a guest and what is not, on cargo's own words.

use serde_json::{Value, json};

use super::*;

fn package(name: &str, kinds: &[&str], dependencies: Value, metadata: Value) -> Value {
    json!({
        "name": name,
        "manifest_path": format!("/project/guests/{name}/Cargo.toml"),
        "targets": [{ "kind": kinds, "name": name }],
        "dependencies": dependencies,
        "metadata": metadata,
        "version": "0.1.0",
    })
}

fn sdk(kind: Option<&str>) -> Value {
    json!([{ "name": "skep-sdk", "kind": kind }, { "name": "serde", "kind": null }])
}

fn read_packages(packages: &[Value], dir: &str) -> Result<Option<Workspace>, BuildError> {
    let metadata = json!({
        "packages": packages,
        "workspace_root": "/project",
        "target_directory": "/project/target",
    });
    read(serde_json::from_value(metadata).expect("as cargo says it"), Path::new(dir)).map(|(_, workspace)| workspace)
}

#[test]
fn a_guest_is_known_by_its_dependency_or_its_word() {
    let none = Value::Null;
    // kinds of its targets, dependencies, metadata, what it becomes
    let table = [
        (vec!["cdylib"], sdk(None), none.clone(), Some((Target::Unknown, 16))),
        (vec!["cdylib", "rlib"], sdk(None), none.clone(), Some((Target::Unknown, 16))),
        (vec!["lib"], sdk(None), none.clone(), None),
        (vec!["bin"], sdk(None), none.clone(), None),
        (vec!["cdylib"], sdk(Some("dev")), none.clone(), None),
        (vec!["cdylib"], json!([]), none, None),
        (vec!["cdylib"], json!([]), json!({ "other": 1 }), None),
        (vec!["cdylib"], json!([]), json!({ "skep": {} }), Some((Target::Unknown, 16))),
        (vec!["lib"], json!([]), json!({ "skep": {} }), Some((Target::Unknown, 16))),
        (vec!["cdylib"], sdk(None), json!({ "skep": { "wasi": true } }), Some((Target::Wasip1, 16))),
        (vec!["cdylib"], sdk(None), json!({ "skep": { "stack-kib": 64 } }), Some((Target::Unknown, 64))),
    ];
    for (kinds, dependencies, metadata, expected) in table {
        let row = format!("{kinds:?} {dependencies} {metadata}");
        let workspace = read_packages(&[package("g", &kinds, dependencies, metadata)], "/project").expect(&row);
        let found = workspace.map(|workspace| (workspace.guests[0].target, workspace.guests[0].stack_kib));
        assert_eq!(found, expected, "{row}");
    }
}

#[test]
fn settings_that_make_no_sense_are_errors_at_their_manifest() {
    let table = [
        (vec!["cdylib"], json!({ "skep": { "wasm": true } }), "unknown field `wasm`"),
        (vec!["cdylib"], json!({ "skep": { "wasi": "yes" } }), "invalid type"),
        (vec!["cdylib"], json!({ "skep": { "stack-kib": 0 } }), "between 1 and"),
        (vec!["cdylib"], json!({ "skep": { "stack-kib": 1_000_000 } }), "between 1 and"),
        (vec!["bin"], json!({ "skep": {} }), "needs a `[lib]`"),
    ];
    for (kinds, metadata, expected) in table {
        let error =
            read_packages(&[package("g", &kinds, sdk(None), metadata.clone())], "/project").expect_err("refused");
        let text = error.to_string();
        assert!(text.contains(expected), "{metadata}: {text}");
        assert!(text.contains("/project/guests/g/Cargo.toml"), "{text}");
    }
}

#[test]
fn only_packages_beneath_the_folder_are_built() {
    let packages = [
        package("b", &["cdylib"], sdk(None), Value::Null),
        package("a", &["cdylib"], sdk(None), Value::Null),
        package("lib", &["lib"], sdk(None), Value::Null),
    ];
    let names = |dir: &str| -> Vec<String> {
        let workspace = read_packages(&packages, dir).expect("readable");
        workspace.map_or(Vec::new(), |found| found.guests.into_iter().map(|guest| guest.package).collect())
    };
    assert_eq!(names("/project"), ["a", "b"]);
    assert_eq!(names("/project/guests/b"), ["b"]);
    assert_eq!(names("/project/guests/lib"), [""; 0]);
    assert_eq!(names("/elsewhere"), [""; 0]);
}

#[test]
fn a_package_that_was_asked_for_must_be_there() {
    let packages =
        [package("a", &["cdylib"], sdk(None), Value::Null), package("b", &["cdylib"], sdk(None), Value::Null)];
    let all = || vec![read_packages(&packages, "/project").expect("readable").expect("guests")];
    let dir = Path::new("/project");

    let some = restrict(all(), &["b".to_owned()], dir).expect("it is there");
    assert_eq!(some[0].guests.len(), 1);
    assert_eq!(some[0].guests[0].package, "b");

    let error = restrict(all(), &["c".to_owned()], dir).expect_err("it is not there").to_string();
    assert!(error.contains("`c`") && error.contains("a, b"), "{error}");
}
