//! The sources of all tests, for pages that name them.

use std::path::Path;

use skep_tests::{crimes, guests};

/// The names of all tests there are, as often as there are tests of a name.
pub fn tests() -> Vec<String> {
    let mut sources = String::new();
    for folder in ["host", "guest-sdk", "examples-wasm", "tests"] {
        read_all(&guests::root().join(folder), &mut sources);
    }
    let mut tests = tests_in(&sources);
    let mut rows = String::new();
    read_all(&guests::root().join("tests/hostile/crimes"), &mut rows);
    tests.extend(rows.lines().filter_map(crimes::row).map(str::to_owned));
    tests
}

/// The names of the tests in sources.
pub fn tests_in(sources: &str) -> Vec<String> {
    let (mut tests, mut is_test) = (Vec::new(), false);
    for line in sources.lines().map(str::trim) {
        if line.starts_with("#[") {
            is_test |= line.contains("test");
            continue;
        }
        if let Some(name) = line.trim_start_matches("async ").strip_prefix("fn ").filter(|_| is_test) {
            tests.push(name.split('(').next().unwrap_or(name).to_owned());
        }
        is_test = false;
    }
    tests
}

fn read_all(folder: &Path, into: &mut String) {
    for entry in std::fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            read_all(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push_str(&std::fs::read_to_string(&path).expect("a source"));
        }
    }
}
