//! Erlang's promises, kept by real guests: a test or more for each ID of `docs/semantics.md`, in both modes of keeping
//! instances.
//!
//! Owns what these tests have in common: probes told what to do, and the waits for what must follow. That nothing
//! follows is shown by something that can only come behind it.

mod agents;
mod aliases;
mod circles;
mod control;
mod crashes;
mod directory;
mod exits;
mod hibernation;
mod links;
mod machines;
mod mailbox;
mod monitors;
mod names;
mod processes;
mod reconfigure;
mod servers;
mod supervisors;
pub(crate) mod system;
mod tasks;
mod timers;
mod upgrades;

use std::time::Instant;

use serde_json::{Value, json};
use skep_runtime::inspect::ProcessInfo;
use skep_tests::app::PATIENCE;
use skep_tests::{Child, TestApp, eventually};

/// Probes of these names.
pub(crate) fn probes<const N: usize>(names: [&str; N]) -> Vec<Child> {
    names.map(Child::probe).into()
}

/// A reason of a guest's own.
fn custom(text: &str) -> Value {
    json!({ "custom": { "text": text } })
}

/// `shutdown`, the plain one.
fn shutdown() -> Value {
    json!({ "shutdown": null })
}

/// The contents of the entries of one kind in a journal.
pub(crate) fn of_kind(journal: &[Value], kind: &str) -> Vec<Value> {
    journal.iter().filter_map(|entry| entry.get(kind).cloned()).collect()
}

/// The entries of one kind, once there are so many.
pub(crate) async fn heard(app: &TestApp, name: &str, kind: &str, count: usize) -> Vec<Value> {
    of_kind(&app.journal(name, |journal| of_kind(journal, kind).len() >= count).await, kind)
}

/// The whole journal, once this probe has heard `last`, which `by` sends it: whatever `by` sent before is in it too.
async fn journal_behind(app: &TestApp, name: &str, by: &str) -> Vec<Value> {
    let last = json!({ "info": "that is all" });
    let to = app.pid_text(name);
    assert_eq!(app.ask(by, json!({ "Send": { "to": to, "body": "that is all" } })).await, json!({ "Ok": null }));
    let mut journal = app.journal(name, |journal| journal.contains(&last)).await;
    journal.retain(|entry| *entry != last);
    journal
}

/// Has a probe monitor a pid or a name: the mark.
pub(crate) async fn monitor(app: &TestApp, by: &str, target: impl Into<Value>) -> Value {
    app.ask(by, json!({ "Monitor": { "target": target.into() } })).await
}

/// What a probe hears of the monitor with this mark.
async fn loss(app: &TestApp, by: &str, mark: &Value) -> Value {
    let is_it = |entry: &Value| entry["down"]["mark"] == *mark;
    let journal = app.journal(by, |journal| journal.iter().any(is_it)).await;
    journal.into_iter().find(is_it).unwrap_or_default()["down"].take()
}

/// Why the process ended that is monitored with this mark.
pub(crate) async fn reason(app: &TestApp, by: &str, mark: &Value) -> Value {
    loss(app, by, mark).await["reason"].take()
}

/// Asks the same of a probe until the answer is as wanted.
pub(crate) async fn until(app: &TestApp, name: &str, step: Value, wanted: impl Fn(&Value) -> bool) -> Value {
    let started = Instant::now();
    loop {
        let answer = app.ask(name, step.clone()).await;
        if wanted(&answer) {
            return answer;
        }
        assert!(started.elapsed() < PATIENCE, "{name} still answers {answer} to {step}");
        tokio::task::yield_now().await;
    }
}

/// Has a probe run a task with these steps: what each brought.
pub(crate) async fn task(app: &TestApp, by: &str, steps: Value) -> Vec<Value> {
    let spawn = json!({ "Spawn": { "module": "probe-task", "args": steps, "monitor": true } });
    let mark = app.ask(by, spawn).await["Ok"]["mark"].take();
    let is_it = |entry: &Value| entry["answer"]["mark"] == mark || entry["down"]["mark"] == mark;
    let journal = app.journal(by, |journal| journal.iter().any(is_it)).await;
    let outcome = journal.into_iter().find(is_it).unwrap_or_default();
    match &outcome["answer"]["outcome"]["Ok"] {
        Value::Array(results) if !outcome.to_string().contains("\"script\"") => results.clone(),
        _ => panic!("no results: {outcome}"),
    }
}

/// Has a probe spawn another, without a name and with these steps in its `init`: its pid.
async fn spawn(app: &TestApp, by: &str, init: Value) -> String {
    let child = app.ask(by, json!({ "Spawn": { "module": "probe", "args": init } })).await;
    child["Ok"]["pid"].as_str().unwrap_or_else(|| panic!("no child: {child}")).to_owned()
}

/// Has one probe call another, and brings the reply.
async fn through(app: &TestApp, by: &str, pid: &str, step: Value) -> Value {
    let mut reply = app.ask(by, json!({ "Call": { "to": { "pid": pid }, "body": step } })).await;
    assert!(reply.get("Ok").is_some(), "no reply: {reply}");
    reply["Ok"].take()
}

/// Makes `name` call `holder` and wait for an answer that does not come before `holder` is told to release it.
pub(crate) async fn block(app: &TestApp, name: &str, holder: &str) {
    app.send(name, &json!({ "do": [call_and_wait(holder)] }));
    until(app, holder, json!("Held"), |held| held[0]["pid"] == app.pid_text(name)).await;
    eventually("it to block", || (process(app, name).status == "blocked").then_some(())).await;
}

/// A process as a listing shows it.
pub(crate) fn process(app: &TestApp, name: &str) -> ProcessInfo {
    let pid = app.pid(name);
    app.runtime.processes().into_iter().find(|process| process.pid == pid).expect("it lives")
}

/// A call that waits until the holder releases it.
pub(crate) fn call_and_wait(holder: &str) -> Value {
    json!({ "Call": { "to": { "name": holder }, "body": "Hold", "timeout_ms": null } })
}

/// A pid that somebody had.
async fn dead(app: &TestApp, by: &str) -> String {
    let pid = spawn(app, by, Value::Null).await;
    let mark = monitor(app, by, pid.clone()).await;
    app.ask(by, json!({ "Kill": { "to": pid } })).await;
    assert_eq!(reason(app, by, &mark).await, json!("killed"));
    app.ask(by, json!("Take")).await;
    pid
}
