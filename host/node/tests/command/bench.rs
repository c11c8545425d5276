//! The benchmark, with works that are quick: that it measures, and says what it cannot.

use std::process::Stdio;

use serde_json::Value;

use crate::skep::{Home, refused};

#[test]
fn every_figure_is_measured_in_each_round_and_memory_in_the_first() {
    let home = Home::new();
    let works = ["restart", "idle"];
    let arguments = ["bench", "--rounds", "2", "--processes", "500", "--json"];
    let outcome = home.json(&[&arguments[..], &works[..]].concat());
    let figures = outcome["figures"].as_array().expect("a list");
    for work in works {
        assert!(figures.iter().any(|figure| figure["work"] == work), "{work} is not in {outcome}");
    }
    for figure in figures {
        let rounds = figure["skep"]["rounds"].as_array().expect("a list");
        // Memory comes on top only once: the second round finds it.
        assert_eq!(rounds.len(), if figure["unit"] == "bytes" { 1 } else { 2 }, "{figure}");
        let number = |key: &str| figure["skep"][key].as_f64().unwrap_or_else(|| panic!("no {key} in {figure}"));
        assert!(number("least") <= number("median") && number("median") <= number("most"), "{figure}");
        // Memory may be left from before, and be enough.
        assert!(number("most") > 0.0 || figure["unit"] == "bytes", "{figure}");
        assert_eq!((&figure["erlang"], &figure["ratio"]), (&Value::Null, &Value::Null));
    }
    assert!(outcome["machine"]["processors"].as_u64().is_some_and(|processors| processors > 0), "{outcome}");
}

#[test]
fn without_erlang_nothing_is_compared_with_it() {
    let home = Home::new();
    let mut command = home.command(&["bench", "ping", "--vs", "erlang"]);
    let output = command.env("PATH", home.folder()).stdin(Stdio::null()).output().expect("skep can be started");
    refused(&output, 1, &["Erlang does not start", "--vs erlang"]);
    refused(&home.skep(&["bench", "pong"]), 2, &["pong", "ping"]);
}

/// The other half of the benchmark does the same, where there is an Erlang.
#[test]
fn erlang_is_measured_by_turns() {
    if std::process::Command::new("escript").arg("-h").stdin(Stdio::null()).output().is_err() {
        return;
    }
    let works = ["spawn", "ping", "call", "restart", "idle", "wake", "upgrade"];
    let arguments = ["bench", "--rounds", "1", "--processes", "500", "--json", "--vs", "erlang"];
    let outcome = Home::new().json(&[&arguments[..], &works[..]].concat());
    assert!(outcome["erlang"].as_str().is_some_and(|version| version.starts_with("Erlang/OTP ")), "{outcome}");
    for figure in outcome["figures"].as_array().expect("a list") {
        assert_eq!(figure["erlang"]["rounds"].as_array().map(Vec::len), Some(1), "{figure}");
        let of = |who: &str| figure[who]["median"].as_f64().unwrap_or(f64::NAN);
        let ratio = figure["ratio"].as_f64().unwrap_or(f64::NAN);
        // Of a few processes the system may not show the memory.
        assert!(figure["unit"] == "bytes" || (ratio * of("erlang") / of("skep") - 1.0).abs() < 1e-9, "{figure}");
    }
}

#[test]
fn what_computes_is_seen_beside_the_same_code_unmetered() {
    let outcome = Home::new().json(&["bench", "cpu", "--rounds", "1", "--json"]);
    let figures = outcome["figures"].as_array().expect("a list");
    let median =
        |name: &str| figures.iter().find(|figure| figure["name"] == name).map(|figure| &figure["skep"]["median"]);
    let mut pairs = 0;
    for figure in figures.iter().filter(|figure| !figure["beside"].is_null()) {
        let (ratio, other) = (&figure["beside"]["ratio"], figure["beside"]["figure"].as_str().expect("a name"));
        let other = median(other).unwrap_or_else(|| panic!("no {other} in {outcome}")).as_f64().unwrap_or(f64::NAN);
        let product = ratio.as_f64().unwrap_or(f64::NAN) * other;
        assert!((product / figure["skep"]["median"].as_f64().unwrap_or(f64::NAN) - 1.0).abs() < 1e-9, "{figure}");
        pairs += 1;
    }
    assert_eq!(pairs, 2, "fib and SHA-256: {outcome}");
}

#[test]
fn curves_are_drawn_into_a_folder() {
    let home = Home::new();
    let folder = home.folder().join("new/pictures");
    let arguments = ["bench", "--curves", folder.to_str().expect("a plain path"), "--rounds", "1", "--processes", "5"];
    let curves = home.json(&[&arguments[..], &["--json"]].concat());
    for (kind, points) in [("memory", 2), ("latency", 4), ("pause", 6)] {
        let curve = curves["curves"].as_array().expect("a list").iter().find(|curve| curve["kind"] == kind);
        let lines = curve.unwrap_or_else(|| panic!("no {kind} in {curves}"))["lines"].as_array().expect("a list");
        let is_whole = |line: &Value| line["points"].as_array().is_some_and(|at| at.len() == points);
        assert!(!lines.is_empty() && lines.iter().all(is_whole), "{kind}: {lines:?}");
        let svg = std::fs::read_to_string(folder.join(kind).with_extension("svg")).expect("it is drawn");
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n") && svg.contains("Skep"), "{svg}");
        // Of so few processes the system need not show the memory.
        assert!(kind == "memory" || svg.contains("<circle"), "{svg}");
    }
    // Nothing but folders is written to, and works are not curves.
    let file = home.file("file", b"");
    refused(
        &home.skep(&["bench", "--curves", &file, "--processes", "1", "--rounds", "1"]),
        1,
        &["cannot write", "file"],
    );
    refused(&home.skep(&["bench", "ping", "--curves", &file]), 2, &["--curves"]);
}
