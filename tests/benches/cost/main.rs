//! What a spawn, a send and a call cost, of guests in an app without and with budgets.
//!
//! `cargo bench -p skep-tests --bench cost [-- ROUNDS]`. To compare two versions, run their binaries by turns. Measures and
//! prints; asserts nothing about time.

use std::time::Instant;

use serde_json::{Value, json};
use skep_runtime::EngineConfig;
use skep_runtime::kernel::budget::{BudgetSpec, FuelRate, WhenOut};
use skep_runtime::kernel::supervisor::SupervisorSpec;
use skep_runtime::spec::Keep;
use skep_tests::app::supervisor;
use skep_tests::{Child, TestApp};

const SENDS: u64 = 100_000;
const CALLS: u64 = 5_000;
const SPAWNS: u64 = 1_000;

#[tokio::main]
async fn main() {
    let rounds = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(5);
    println!("{:>8} {:>12} {:>12} {:>12}", "", "spawn us", "send us", "call us");
    for _ in 0..rounds {
        measure("none", BudgetSpec::default()).await;
        measure("budget", ample()).await;
    }
}

/// Bounds for everything, none of which is met.
fn ample() -> BudgetSpec {
    let much = Some(1 << 50);
    let fuel = FuelRate { per_second: 1 << 50, burst: 1 << 50, when_out: WhenOut::Throttle };
    BudgetSpec {
        memory_bytes: much,
        instances: much,
        processes: much,
        mailbox_bytes: much,
        timers: much,
        open_files: much,
        blocking_operations: much,
        log: None,
        fuel: Some(fuel),
    }
}

async fn measure(title: &str, budget: BudgetSpec) {
    let sink = |id: &str| {
        Child::new(id, "mailbox-flooder", &Value::Null).limits(|limits| {
            limits.mailbox_messages = 1 << 30;
            limits.mailbox_bytes = 1 << 30;
            limits.fuel_per_message = 1 << 50;
        })
    };
    let starter = Child::probe("starter").limits(|limits| limits.fuel_per_message = 1 << 50);
    let children = [sink("source"), sink("sink"), starter, Child::new("counter", "counter", &json!(0))];
    let root = SupervisorSpec { budget: Box::new(budget), ..supervisor(children) };
    let app = TestApp::try_start_on(EngineConfig::default(), Keep::WhileItFits, root).await;
    let app = app.unwrap_or_else(|error| panic!("{error}"));
    let spawn = spawns(&app).await;
    let send = sends(&app).await;
    let call = calls(&app).await;
    println!("{title:>8} {spawn:>12.2} {send:>12.3} {call:>12.2}");
    app.stop().await;
}

/// A task that does nothing, started by a guest, which waits for its end.
async fn spawns(app: &TestApp) -> f64 {
    let step = json!({ "Spawn": { "module": "probe-task", "args": [] } });
    let steps = Value::Array(vec![step; 50]);
    let started = Instant::now();
    for _ in 0..SPAWNS / 50 {
        app.steps("starter", steps.clone()).await;
    }
    each(started, SPAWNS)
}

/// Messages of 32 bytes, until the last one is handled.
async fn sends(app: &TestApp) -> f64 {
    let flood = json!({ "to": { "name": "sink" }, "times": SENDS, "bytes": 32, "by": "Send" });
    let started = Instant::now();
    app.ask("source", json!({ "Flood": flood })).await;
    app.ask("sink", json!("Count")).await;
    each(started, SENDS)
}

/// Calls of a Rust program, one after the other.
async fn calls(app: &TestApp) -> f64 {
    let started = Instant::now();
    for _ in 0..CALLS {
        app.ask("counter", json!({ "Add": 1 })).await;
    }
    each(started, CALLS)
}

#[allow(clippy::cast_precision_loss, reason = "counts are small")]
fn each(started: Instant, times: u64) -> f64 {
    started.elapsed().as_secs_f64() * 1e6 / times as f64
}
