//! Guests that misbehave, each beside a neighbour that must not notice, in a binary of its own: there its memory is seen.
//!
//! Owns the neighbour and its stopwatch, and how a misbehaving guest is added to a running app and watched to its end. The
//! modules below hold the crimes.

mod binary;
mod budgets;
mod cache;
mod crimes;
mod faults;
mod floods;
#[path = "../../host/runtime/src/engine/tests/guest.rs"]
#[allow(dead_code, reason = "the engine's own tests use the rest")]
mod guest;
mod hooks;
mod limits;
mod memory;
mod page;
mod pool;
mod preemption;
mod remains;
mod scene;
#[path = "../../host/runtime/src/engine/tests/script.rs"]
#[allow(dead_code, reason = "the engine's own tests use the rest")]
mod script;
mod stack;
mod steady;
mod storms;
mod suite;
mod watch;

use std::sync::Arc;

use serde_json::{Value, json};
use skep_runtime::EngineConfig;
use skep_runtime::engine::{Class, Usage};
use skep_runtime::kernel::supervisor::{Answer, RequestError};
use skep_runtime::kernel::{Address, Body, CallError, ExitReason, Fault, Pid, SpawnError};
use skep_runtime::observe::Report;
use skep_runtime::spec::Keep;
use skep_runtime::{Request, RuntimeError};
use skep_tests::app::{SLOTS, supervisor};
use skep_tests::{Child, TestApp, eventually};
use tokio::sync::{Mutex, MutexGuard};

use watch::beside_the_neighbour;

/// Both ways in which an instance may be treated.
const MODES: [Keep; 2] = [Keep::WhileItFits, Keep::Never];

/// Memory limits of a guest, and in which class of engine it lives with them.
const CLASSES: [(usize, Class); 2] = [(4 << 20, Class::Small), (16 << 20, Class::Large)];

/// Whoever has it is the only one who does anything in this program: memory, threads and files are counted.
static TURN: Mutex<()> = Mutex::const_new(());

/// Waits for the turn of a test, which lasts until this is dropped.
async fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().await
}

/// An app of a counter called `neighbour`, and these.
async fn app(keep: Keep, children: impl IntoIterator<Item = Child>) -> TestApp {
    app_on(EngineConfig { slots: Some(SLOTS), ..EngineConfig::default() }, keep, children).await
}

/// As [`app`], on an engine of other sizes.
async fn app_on(engine: EngineConfig, keep: Keep, children: impl IntoIterator<Item = Child>) -> TestApp {
    let neighbour = Child::new("neighbour", "counter", &json!(0));
    let root = supervisor(std::iter::once(neighbour).chain(children));
    let started = TestApp::try_start_on(engine, keep, root).await;
    started.unwrap_or_else(|error| panic!("the app does not start: {error}"))
}

/// Starts one more child of the root supervisor.
async fn add(app: &TestApp, child: Child) -> Result<Option<Pid>, SpawnError> {
    let root = app.runtime.root("test").expect("the app runs");
    match app.runtime.supervise(root, Request::StartChild(child.spec)).await {
        Ok(Answer::Started(pid)) => Ok(pid),
        Err(RuntimeError::Refused(RequestError::Failed(error))) => Err(error),
        other => panic!("not an answer to a start: {other:?}"),
    }
}

/// Whether a spinner has begun with what it was called for. That it has work may also be its start.
fn is_spinning(app: &TestApp, pid: Pid) -> bool {
    app.runtime.inspect(pid).is_some_and(|process| process.handling == Some("call"))
}

/// Sends a cast to a child.
fn cast(app: &TestApp, name: &str, message: &Value) {
    let body = Body::Json(message.to_string());
    app.runtime.cast("test", &Address::Name(name.into()), body).expect("somebody has the name");
}

/// Why and where a child of this label crashed, once it is gone. It must have crashed once.
async fn crash(app: &TestApp, label: &str) -> (ExitReason, Option<&'static str>) {
    gone(app, label).await;
    let mut crashes = crashes(app, label);
    assert_eq!(crashes.len(), 1, "one crash, one report: {crashes:?}");
    crashes.remove(0)
}

fn crashes(app: &TestApp, label: &str) -> Vec<(ExitReason, Option<&'static str>)> {
    let of_label = |report| match report {
        Report::Crash { subject, reason, handling, .. } if subject.label.as_deref() == Some(label) => {
            Some((reason, handling))
        }
        _ => None,
    };
    app.reports().into_iter().filter_map(of_label).collect()
}

/// Waits until no process has this label, and the supervisor has heard of it.
async fn gone(app: &TestApp, label: &str) {
    let lives = || app.runtime.processes().iter().any(|process| process.label.as_deref() == Some(label));
    let listed = || app.runtime.tree("test").is_some_and(|root| root.children.iter().any(|child| &*child.id == label));
    eventually(&format!("the end of {label}"), || (!lives() && !listed()).then_some(())).await;
}

/// The fault in a reason that must be a trap.
fn fault(reason: &ExitReason) -> &Arc<Fault> {
    let ExitReason::Trap(fault) = reason else { panic!("not a trap: {reason:?}") };
    fault
}

/// The reason of a call that must have failed with the callee.
fn ended(outcome: Result<Value, CallError>) -> ExitReason {
    match outcome {
        Err(CallError::Ended(reason)) => reason,
        other => panic!("the callee did not end: {other:?}"),
    }
}

fn live(app: &TestApp, class: Class) -> u32 {
    let Usage { live, .. } = app.runtime.engine().usage(class);
    live
}
