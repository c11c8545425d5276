//! Programs for WASI as children: restarted and stopped like any other, with input, output and open files of their own.
//!
//! Owns the programs and how a test types to one and reads what it says. What a single program sees of WASI is tried with
//! the engine.

mod owners;
mod places;
mod restarts;
mod stopping;

#[path = "../../../host/runtime/src/engine/tests/program.rs"]
mod program;

use std::sync::Arc;

use serde_json::{Value, json};
use skep_runtime::kernel::supervisor::SupervisorSpec;
use skep_runtime::kernel::{Address, Body, ExitReason};
use skep_runtime::observe::Level;
use skep_runtime::spec::{Blueprint, Console, Input, Keep, Output};
use skep_runtime::{EngineConfig, RuntimeConfig};
use skep_tests::app::{Reports, SLOTS};
use skep_tests::{Child, TestApp, eventually};

use program::{CAT, HOLD, SPIN, program};

/// The modules that a test's app has beside the example guests.
fn programs() -> Vec<(&'static str, Vec<u8>)> {
    let programs = [
        ("cat", CAT.to_owned()),
        ("holding-cat", format!("{HOLD} {CAT}")),
        ("holding-spinner", format!("{HOLD} {SPIN}")),
    ];
    programs.map(|(name, start)| (name, program(&start))).into()
}

/// An app in which these programs are modules, on an engine of the usual size.
async fn app(keep: Keep, root: SupervisorSpec<Blueprint>) -> TestApp {
    app_on(EngineConfig { slots: Some(SLOTS), ..EngineConfig::default() }, keep, root).await
}

/// As [`app`], on an engine of another size.
async fn app_on(engine: EngineConfig, keep: Keep, root: SupervisorSpec<Blueprint>) -> TestApp {
    let config = RuntimeConfig { engine, keep: Some(keep), ..RuntimeConfig::default() };
    let started = TestApp::try_start_with(config, &programs(), root, Arc::new(Reports::default())).await;
    started.unwrap_or_else(|error| panic!("the app does not start: {error}"))
}

/// A program under its child's id, which is its name.
fn command(id: &str, module: &str, input: Input) -> Child {
    Child::new(id, module, &Value::Null).process(|process| {
        process.console = Console { input, ..Console::default() };
    })
}

/// What a program writes goes to the process of this name.
fn owned_by(child: Child, owner: &str) -> Child {
    child.process(|process| process.console.output = Output::To(owner.into()))
}

/// Types this, and waits until the program has taken it.
async fn types(app: &TestApp, name: &str, text: &str) {
    assert_eq!(app.ask(name, json!(text)).await, Value::Null, "it was taken");
}

/// The end of its input, which a program may not outlive long enough to say that it has heard of it.
fn ends_input(app: &TestApp, name: &str) {
    app.runtime.cast("test", &Address::Name(name.into()), Body::Text(String::new())).expect("somebody has the name");
}

/// Waits until a program has said all of this, in this order, in all its lives, and nothing else.
async fn says(app: &TestApp, label: &str, expected: &[&str]) {
    let said = || app.log_lines(label).into_iter().map(|(level, line)| (level == Level::Info).then_some(line));
    eventually(&format!("{label} to say {expected:?}"), || (said().count() >= expected.len()).then_some(())).await;
    assert_eq!(said().collect::<Option<Vec<_>>>().expect("lines of its output alone"), expected);
}

/// Waits until programs of this label have exited with all of these, and with nothing else.
async fn exits(app: &TestApp, label: &str, expected: &[u32]) {
    // The supervisor decides what becomes of the child before the end is told.
    let enough = || (app.crashes(label).len() >= expected.len()).then_some(());
    eventually(&format!("{label} to exit with {expected:?}"), enough).await;
    let reasons = expected.iter().map(|status| ExitReason::failed(format!("exit status {status}")));
    assert_eq!(app.crashes(label), reasons.collect::<Vec<_>>());
}
