//! Guests that misbehave, each beside a neighbour that must not notice, in a binary of its own: there its memory is seen.
//!
//! Owns the neighbour and its stopwatch, and how a misbehaving guest is added to a running app and watched to its end. The
//! modules below hold the crimes.

mod budgets;
mod cache;
mod faults;
mod floods;
mod hooks;
mod limits;
mod memory;
mod pool;
mod preemption;
mod remains;
mod stack;
mod storms;

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use skep_runtime::engine::{Class, Usage};
use skep_runtime::kernel::supervisor::{Answer, RequestError};
use skep_runtime::kernel::{Address, Body, CallError, ExitReason, Fault, Pid, SpawnError};
use skep_runtime::observe::{Level, Report};
use skep_runtime::spec::Keep;
use skep_runtime::{Request, RuntimeError};
use skep_tests::{Child, TestApp, eventually};

/// Both ways in which an instance may be treated.
const MODES: [Keep; 2] = [Keep::WhileItFits, Keep::Never];

/// Memory limits of a guest, and in which class of engine it lives with them.
const CLASSES: [(usize, Class); 2] = [(4 << 20, Class::Small), (16 << 20, Class::Large)];

/// How long the neighbour's answer may take on any machine, however busy. It is milliseconds; beyond this it hangs.
const FOREVER: Duration = Duration::from_secs(5);

/// An app of a counter called `neighbour`, and these.
async fn app(keep: Keep, children: impl IntoIterator<Item = Child>) -> TestApp {
    let neighbour = Child::new("neighbour", "counter", &json!(0));
    TestApp::start(keep, std::iter::once(neighbour).chain(children)).await
}

/// How long answers took.
struct Times(Vec<Duration>);

impl Times {
    fn median(&self) -> Duration {
        self.0[self.0.len() / 2]
    }

    fn max(&self) -> Duration {
        self.0[self.0.len() - 1]
    }
}

/// Calls the neighbour at least `times` times, one call after the other, until `over`. Each must be answered.
async fn calls(app: &TestApp, times: usize, over: impl Fn() -> bool) -> Times {
    let Value::Number(first) = app.ask("neighbour", json!("Get")).await else { panic!("no number") };
    let mut taken = Vec::new();
    while taken.len() < times || !over() {
        let started = Instant::now();
        let count = app.ask("neighbour", json!({ "Add": 1 })).await;
        taken.push(started.elapsed());
        assert_eq!(count.as_u64(), first.as_u64().map(|first| first + taken.len() as u64), "nothing is lost");
    }
    taken.sort();
    Times(taken)
}

/// Does something evil, and calls the neighbour before and all the while.
async fn beside_the_neighbour<T>(app: &TestApp, what: &str, evil: impl Future<Output = T>) -> T {
    const TIMES: usize = 100;
    let before = calls(app, TIMES, || true).await;
    let done = std::cell::Cell::new(false);
    let evil = async {
        let result = evil.await;
        done.set(true);
        result
    };
    let (result, during) = tokio::join!(evil, calls(app, TIMES, || done.get()));
    println!(
        "{what}: the neighbour answers in {:?} (at most {:?}) before, {:?} (at most {:?}, {} calls) during",
        before.median(),
        before.max(),
        during.median(),
        during.max(),
        during.0.len()
    );
    assert!(during.max() < FOREVER, "{what}: the neighbour waited for {:?}", during.max());
    result
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

/// The lines that a process has logged, and what the host says in its name.
fn log_lines(app: &TestApp, name: &str) -> Vec<(Level, String)> {
    let lines = app.reports().into_iter().filter_map(|report| match report {
        Report::Log { subject, level, message } if subject.label.as_deref() == Some(name) => Some((level, message)),
        _ => None,
    });
    lines.collect()
}
