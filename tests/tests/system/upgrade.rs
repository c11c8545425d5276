//! Code replaced in running processes.

mod busy;
mod counters;
mod differences;
mod faults;
mod load;
mod refusals;
mod tally;

use serde_json::json;
use skep_tests::{Child, TestApp};

/// A counter at 40.
fn counter(id: &str) -> Child {
    Child::new(id, "counter", &json!(40))
}

/// Which version answers.
async fn version(app: &TestApp, name: &str) -> i64 {
    app.ask(name, json!("Version")).await.as_i64().unwrap_or_default()
}
