//! The command, as somebody runs it who looks for a seed that fails.

use std::process::{Command, Output};

fn simulation(options: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_skep-simulation")).args(options).output().expect("the command runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

#[test]
fn a_clean_run_says_what_happened() {
    let run = simulation(&["--seed", "7", "--steps", "5000", "--json"]);
    assert!(run.status.success());
    let json: serde_json::Value = serde_json::from_slice(&run.stdout).expect("JSON");
    assert!(json["steps"].as_u64() >= Some(5000) && json["failed"].is_null(), "{json}");
    assert_eq!(json["first_seed"], 7);
    assert!(json["figures"]["births"].as_u64() > Some(0), "{json}");
}

#[test]
fn a_failing_seed_tells_the_command_that_does_it_again() {
    let run = simulation(&["--steps", "1000000", "--bug", "lost-wake-up"]);
    assert_eq!(run.status.code(), Some(1));
    let told = text(&run.stdout);
    let (_, again) = told.split_once("again: cargo run -p skep-simulation -- ").expect("a command");
    let options: Vec<&str> = again.split_whitespace().collect();
    let replay = simulation(&options);
    assert_eq!(replay.status.code(), Some(1));
    let trace = text(&replay.stdout);
    assert!(trace.contains("*** LostWakeUp strikes") && trace.contains("!!! "), "{trace}");
    // The same, and the last in the trace.
    let line = |text: &str| text.lines().find(|line| line.contains("did not hold")).map(str::to_owned);
    assert!(line(&trace).is_some());
    assert_eq!(line(&trace), line(&told));
}

#[test]
fn help_has_an_example_and_wrong_words_are_explained() {
    let help = text(&simulation(&["--help"]).stdout);
    assert!(help.contains("cargo run --release -p skep-simulation -- --steps 100000000 --seed 1"), "{help}");
    let wrong = simulation(&["--without", "everything"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(text(&wrong.stderr).contains("known are calls, crashes,"));
    assert!(text(&simulation(&["--bug", "none"]).stderr).contains("known are drop-message,"));
}
