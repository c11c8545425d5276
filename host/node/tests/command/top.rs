//! What apps use, as an operator sees it and as a monitoring system reads it.

use serde_json::{Value, json};

use crate::node::counter;
use crate::skep::{Home, Node, refused};

/// The counter's manifest with a budget.
fn bounded(home: &Home) -> String {
    let plain = counter(home, "bounded");
    let text = std::fs::read_to_string(&plain).expect("it was just written");
    let budget = "budget = { memory = \"64MiB\", processes = 10, fuel_per_second = 1_000_000_000 }\n[modules.counter]";
    home.file("bounded.toml", text.replacen("[modules.counter]", budget, 1).as_bytes())
}

fn samples(text: &str) -> Vec<(String, f64)> {
    let sample = |line: &str| {
        let (name, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no sample: {line}"));
        (name.to_owned(), value.parse().unwrap_or_else(|_| panic!("no number: {line}")))
    };
    text.lines().filter(|line| !line.starts_with('#')).map(sample).collect()
}

#[test]
fn what_an_app_uses_stands_beside_what_it_may() {
    let home = Home::new();
    let node = Node::run(&home, &bounded(&home));
    home.ok(&["call", "counter", r#"{"Add":2}"#]);

    let usage = home.json(&["metrics", "--json"]);
    assert_eq!(usage[0]["app"], json!("bounded"));
    assert_eq!(usage[0]["budget"]["processes"], json!(10));
    assert_eq!(usage[0]["budget"]["when_out_of_fuel"], json!("throttle"));
    let number = |key: &str| usage[0][key].as_f64().unwrap_or_else(|| panic!("no {key}: {usage}"));
    let processes = home.json(&["ps", "--json"]);
    let of_app = processes.as_array().expect("a list").iter().filter(|process| process["kind"] != "client");
    let memory = |process: &Value| process["memory_bytes"].as_f64().unwrap_or(0.0);
    assert_eq!(number("processes"), of_app.clone().count() as f64, "{processes}");
    assert_eq!(number("memory_bytes"), of_app.map(memory).sum::<f64>(), "{processes}");

    // The same for a monitoring system. How strictly that reads is tried where it is written.
    let text = home.ok(&["metrics"]);
    assert!(text.ends_with("# EOF\n"), "{text}");
    let samples = samples(&text);
    for (name, value) in [
        ("skep_app_processes{app=\"bounded\"}", number("processes")),
        ("skep_app_memory_bytes{app=\"bounded\"}", number("memory_bytes")),
        ("skep_app_messages_received_total{app=\"bounded\"}", number("messages_in")),
        ("skep_app_fuel_total{app=\"bounded\"}", number("fuel_used")),
        ("skep_app_budget_memory_bytes{app=\"bounded\"}", 67_108_864.0),
        // Where thousands have room, and an instance is made in microseconds.
        ("skep_class_instances{class=\"small\"}", 1.0),
        ("skep_class_instances{class=\"large\"}", 0.0),
    ] {
        assert!(samples.contains(&(name.to_owned(), value)), "{name} {value} is not in\n{text}");
    }

    // In a pipe the table is printed once, in plain words.
    let table = home.ok(&["top"]);
    assert!(table.starts_with("APP ") && !table.contains('\u{1b}'), "{table}");
    for word in ["bounded", "/10 ", "/64.0MiB", "counter", "FUEL", "PID"] {
        assert!(table.contains(word), "{word} is not in\n{table}");
    }
    let one = home.ok(&["top", "--once", "--app", "bounded", "--sort", "memory", "-n", "1"]);
    assert!(one.contains("… and ") && one.lines().any(|line| line.contains(" counter ")), "{one}");
    let all = home.json(&["top", "--json"]);
    assert_eq!(all["apps"][0]["budget"], usage[0]["budget"]);
    assert!(all["processes"].as_array().is_some_and(|processes| processes.len() > 1), "{all}");
    refused(&home.skep(&["top", "--app", "bound"]), 1, &["no app named `bound`", "bounded"]);

    // The budget changes while the app runs; the plan says so.
    let path = bounded(&home);
    let text = std::fs::read_to_string(&path).expect("it was just written");
    let more = home.file("more.toml", text.replace("processes = 10", "processes = 20, timers = 5").as_bytes());
    let plan = home.ok(&["deploy", &more, "--yes"]);
    assert_eq!(home.json(&["metrics", "--json"])[0]["budget"]["processes"], json!(20), "{plan}");
    home.ok(&["stop"]);
    assert!(node.wait().success());
}

#[test]
fn each_supervisor_with_a_budget_is_shown_below_its_app() {
    let home = Home::new();
    let plain = counter(&home, "bounded");
    let text = std::fs::read_to_string(&plain).expect("it was just written");
    let bounded = text.replacen("[supervisor]", "[supervisor]\nbudget = { open_files = 7, log_bytes = \"1MiB\" }", 1);
    let node = Node::run(&home, &home.file("bounded.toml", bounded.as_bytes()));
    home.ok(&["call", "counter", r#"{"Add":2}"#]);
    let usage = home.json(&["metrics", "--json"]);
    let (app, below) = (&usage[0], &usage[0]["supervisors"]["bounded"]);
    assert_eq!(below["budget"], json!({ "open_files": 7, "log_bytes": 1_048_576, "log_burst": 1_048_576 }), "{usage}");
    assert_eq!(app["budget"]["blocking_operations"], json!(64));
    // All but the supervisor itself.
    assert_eq!(below["processes"].as_u64().map(|below| below + 1), app["processes"].as_u64(), "{usage}");
    assert_eq!((&below["memory_bytes"], &below["fuel_used"]), (&app["memory_bytes"], &app["fuel_used"]), "{usage}");
    let samples = samples(&home.ok(&["metrics"]));
    let labels = "{app=\"bounded\",supervisor=\"bounded\"}";
    assert!(samples.contains(&(format!("skep_supervisor_budget_open_files{labels}"), 7.0)), "{samples:?}");
    let table = home.ok(&["top"]);
    let row = table.lines().find(|line| line.contains("└ bounded")).unwrap_or_else(|| panic!("no row in\n{table}"));
    assert!(row.contains("0/7"), "{table}");
    home.ok(&["stop"]);
    assert!(node.wait().success());
}
