//! `docs/security.md` against the tests: a reader finds the test behind every promise.

use std::collections::BTreeSet;

use skep_tests::guests;

use crate::pages;

/// What is wrong with the rows of promises on a page, given the names of all tests; and how many rows there are.
fn review(page: &str, tests: &BTreeSet<String>) -> (Vec<String>, usize) {
    let (mut wrong, mut rows) = (Vec::new(), 0);
    for line in page
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| promise") && !line.starts_with("| ---"))
    {
        rows += 1;
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [promise, named] = cells[..] else {
            wrong.push(format!("a row is no promise and its tests: {line}"));
            continue;
        };
        let names: Vec<&str> = named.split('`').skip(1).step_by(2).collect();
        if names.is_empty() {
            wrong.push(format!("no test behind: {promise}"));
        }
        let missing = names.into_iter().filter(|name| !tests.contains(*name));
        wrong.extend(missing.map(|name| format!("there is no test `{name}`, for: {promise}")));
    }
    (wrong, rows)
}

#[test]
fn security_each_promise_names_tests_that_exist() {
    let page = std::fs::read_to_string(guests::root().join("docs/security.md")).expect("it is there");
    let (wrong, rows) = review(&page, &pages::tests().into_iter().collect());
    assert!(wrong.is_empty(), "docs/security.md:\n{}", wrong.join("\n"));
    assert!(rows >= 40, "the page has {rows} promises");
}

#[test]
fn security_what_is_missing_is_found() {
    let tests = BTreeSet::from(["is_there".to_owned()]);
    let head = "| promise | test |\n| --- | --- |\n";
    for (row, complaint) in [
        ("| a, `b` | `is_there` |", None),
        ("| a | `is_there`, `is_not` |", Some("there is no test `is_not`, for: a")),
        ("| a | later |", Some("no test behind: a")),
        ("| a | `is_there` | b |", Some("a row is no promise")),
    ] {
        let (wrong, rows) = review(&format!("{head}{row}\ntext | with a bar\n"), &tests);
        assert_eq!((wrong.len(), rows), (usize::from(complaint.is_some()), 1), "{row}");
        assert!(complaint.is_none_or(|complaint| wrong[0].contains(complaint)), "{wrong:?}");
    }
}
