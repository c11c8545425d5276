//! `docs/semantics.md` against the tests: no promise without a test or a reason, and no test of a promise that is not there.
//!
//! Owns how the page is read. What the promises say is shown by the tests that carry their IDs, wherever they are.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;

use skep_tests::guests;

use crate::pages::{self, tests_in};

/// What the page says of a promise.
#[derive(PartialEq, Eq, Debug)]
enum Verdict {
    AsInOtp,
    /// With a note below the table.
    Differs,
    Later,
}

/// A row: `| EXIT-04 | title | as in OTP |`; whatever follows a colon is for people.
fn row(line: &str) -> Option<(&str, Result<Verdict, String>)> {
    let cells: Vec<&str> = line.strip_prefix('|')?.strip_suffix('|')?.split('|').map(str::trim).collect();
    let [id, _, skep] = cells[..] else { return None };
    is_id(id).then(|| (id, verdict(skep)))
}

fn verdict(skep: &str) -> Result<Verdict, String> {
    let (word, more) = skep.split_once(": ").unwrap_or((skep, ""));
    match (word, more) {
        ("as in OTP" | "as in Elixir", _) => Ok(Verdict::AsInOtp),
        ("differs", more) if !more.is_empty() => Ok(Verdict::Differs),
        ("later", more) if !more.is_empty() => Ok(Verdict::Later),
        _ => Err(format!("neither `as in OTP`, `differs: …` nor `later: …`: {skep}")),
    }
}

/// `EXIT-04`, and nothing else.
fn is_id(word: &str) -> bool {
    let is_group = |group: &str| !group.is_empty() && group.bytes().all(|byte| byte.is_ascii_uppercase());
    let is_number = |number: &str| number.len() == 2 && number.bytes().all(|byte| byte.is_ascii_digit());
    word.split_once('-').is_some_and(|(group, number)| is_group(group) && is_number(number))
}

/// The IDs that a note is about: those in its bold beginning, if tests are named in it.
fn noted(page: &str) -> Vec<&str> {
    let notes = page.split("\n- **").skip(1).filter_map(|note| note.split("\n\n").next()?.split_once("**"));
    let with_tests = notes.filter(|(_, text)| text.contains("Test: `") || text.contains("Tests: `"));
    with_tests.flat_map(|(head, _)| head.split([' ', ',']).filter(|word| is_id(word))).collect()
}

/// The IDs that the names of tests begin with, each with how many there are: `sup_04_sup_05_…` is one of either.
fn tested(tests: &[String]) -> BTreeMap<String, usize> {
    let mut tested = BTreeMap::new();
    for id in tests.iter().flat_map(|name| ids(name)) {
        *tested.entry(id).or_default() += 1;
    }
    tested
}

/// The IDs that a name begins with.
fn ids(name: &str) -> Vec<String> {
    let words: Vec<&str> = name.split(|c: char| !c.is_ascii_lowercase() && !c.is_ascii_digit()).collect();
    let pairs = words.chunks_exact(2).map(|pair| format!("{}-{}", pair[0].to_ascii_uppercase(), pair[1]));
    pairs.take_while(|id| is_id(id)).collect()
}

/// What is wrong with a page, given the tests; and each group in a line.
fn review(page: &str, tested: &BTreeMap<String, usize>) -> (Vec<String>, BTreeMap<String, String>) {
    let (noted, mut wrong) = (noted(page), Vec::new());
    let mut groups: BTreeMap<String, String> = BTreeMap::new();
    let mut known = Vec::new();
    for (id, verdict) in page.lines().filter_map(row) {
        let tests = tested.get(id).copied().unwrap_or(0);
        if known.contains(&id) {
            wrong.push(format!("{id} is there twice"));
        }
        known.push(id);
        let said = match verdict {
            Err(why) => {
                wrong.push(format!("{id}: {why}"));
                continue;
            }
            Ok(Verdict::AsInOtp) if tests == 0 => {
                wrong.push(format!("{id}: no test begins with {}_", id.to_ascii_lowercase().replace('-', "_")));
                continue;
            }
            Ok(Verdict::Differs) if !noted.contains(&id) => {
                wrong.push(format!("{id}: no note that begins with it, with the tests that show it"));
                continue;
            }
            Ok(Verdict::AsInOtp) => format!("{tests}"),
            Ok(Verdict::Differs) => format!("{tests} differs"),
            Ok(Verdict::Later) => "later".to_owned(),
        };
        let (group, number) = id.split_once('-').unwrap_or_default();
        let _ = write!(groups.entry(group.to_owned()).or_default(), " {number} ({said})");
    }
    let unknown = tested.keys().filter(|id| !known.contains(&id.as_str()));
    wrong.extend(unknown.map(|id| format!("{id} has a test, and is not on the page")));
    (wrong, groups)
}

#[test]
fn semantics_each_promise_has_a_test_or_a_reason() {
    let page = std::fs::read_to_string(guests::root().join("docs/semantics.md")).expect("it is there");
    let (wrong, groups) = review(&page, &tested(&pages::tests()));
    assert!(wrong.is_empty(), "docs/semantics.md:\n{}", wrong.join("\n"));
    // Past the harness, which would keep it to itself: `cargo test` lists every promise, with the number of its tests.
    let mut out = std::io::stdout().lock();
    for (group, promises) in groups {
        let _ = writeln!(out, "{group}:{promises}");
    }
}

#[test]
fn semantics_what_is_missing_is_found() {
    let names = ["fn abc_01_abc_02_both()", "async fn abc_01_again()", "fn abc_3_no()", "fn other_abc_03()"];
    let tests = tested(&tests_in(&names.map(|name| format!("#[test]\n{name} {{}}\n")).concat()));
    assert_eq!(tests, BTreeMap::from([("ABC-01".to_owned(), 2), ("ABC-02".to_owned(), 1)]));
    let note = "\n- **ABC-03, a note** on it.\n  Test: `that_one`.\n";
    for (text, complaint) in [
        ("| ABC-01 | x | as in OTP: more |\n| ABC-02 | x | as in OTP |", None),
        ("| ABC-01 | x | as in OTP |\n| ABC-02 | x | later: with more |\n| ABC-03 | x | differs: so |", None),
        ("| ABC-01 | x | as in OTP |", Some("ABC-02 has a test, and is not on the page")),
        ("| ABC-01 | x | perhaps |\n| ABC-02 | x | as in OTP |", Some("ABC-01: neither")),
        ("| ABC-01 | x | later |\n| ABC-02 | x | as in OTP |", Some("ABC-01: neither")),
        ("| ABC-01 | x | as in OTP |\n| ABC-02 | x | differs: so |", Some("ABC-02: no note")),
        ("| ABC-01 | x | as in OTP |\n| ABC-02 | x | as in OTP |\n| ABC-03 | x | as in OTP |", Some("no test begins")),
        ("| ABC-01 | x | as in OTP |\n| ABC-02 | x | as in OTP |\n| ABC-01 | x | as in OTP |", Some("is there twice")),
        ("| ABC-01 | x | to come |\n| ABC-02 | x | as in OTP |", Some("ABC-01: neither")),
    ] {
        let (wrong, _) = review(&format!("{text}\n{note}"), &tests);
        match complaint {
            None => assert_eq!(wrong, [] as [String; 0], "{text}"),
            Some(complaint) => assert!(wrong.len() == 1 && wrong[0].contains(complaint), "{text}: {wrong:?}"),
        }
    }
    assert_eq!(tested(&tests_in("fn abc_01_is_no_test() {}\n")), BTreeMap::new());
    assert_eq!(noted("x\n- **ABC-03, without** tests\n"), [] as [&str; 0]);
}
