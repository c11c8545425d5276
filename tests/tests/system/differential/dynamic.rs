//! Scenarios of supervisors whose children come and go: OTP's `simple_one_for_one`.
//!
//! Children have a name, which they register, instead of an id; they are listed by it, since they have no order. What
//! Elixir alone has, such as a greatest number of children, is not compared.

use serde_json::{Value, json};

use super::supervisors::{COMES_AND_GOES, end};
use super::trace::Order;
use super::{Scenario, custom, decided, shutdown};

fn supervised(
    title: &str,
    restart: &str,
    shutdown: Value,
    max_restarts: u32,
    steps: impl IntoIterator<Item = Value>,
) -> Scenario {
    let template = json!({ "id": COMES_AND_GOES, "restart": restart, "shutdown": shutdown });
    let supervisor = json!({ "template": template, "max_restarts": max_restarts });
    // Children are listed in no order.
    let steps: Vec<Value> = steps.into_iter().collect();
    let script = json!({ "supervisor": supervisor, "steps": steps });
    Scenario { title: title.into(), script, order: Order::Free }
}

/// Starts a child of this name, which says to `o` when it comes up, and, if it traps exits, when it goes down.
fn begin(name: &str, traps: bool) -> Value {
    let say = |what: &str| json!({ "SendNamed": { "name": "o", "body": format!("{name} {what}") } });
    let named = json!({ "Register": { "name": name } });
    json!({ "begin": [named, { "TrapExit": traps }, { "AtEnd": { "steps": [say("down")] } }, say("up")] })
}

fn three(traps: bool) -> [Value; 3] {
    ["a", "b", "c"].map(|name| begin(name, traps))
}

fn stop() -> Value {
    json!({ "stop": true })
}

pub(super) fn scenarios() -> Vec<Scenario> {
    [lives(), every_end(), starts(), requests(), limits()].into_iter().flatten().collect()
}

fn lives() -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for shutdown in [json!(5000), json!("infinity"), json!("brutal_kill")] {
        for traps in [false, true] {
            let steps = [&three(traps)[..], &[stop()]].concat();
            let title = "DSUP-01 DSUP-03 nobody is there at first, and all end together";
            scenarios.push(supervised(title, "permanent", shutdown.clone(), 1, steps));
        }
    }
    scenarios
}

/// Each restart type, after each kind of end. Who comes again does as it did at first (DSUP-04).
fn every_end() -> Vec<Scenario> {
    let reasons = [json!("normal"), shutdown(), json!({ "shutdown": { "text": "x" } }), custom("x"), json!("killed")];
    let mut ends: Vec<Value> = reasons.iter().map(|reason| end("b", reason)).collect();
    ends.push(json!({ "tell": "b", "do": [{ "Fail": "no" }] }));
    ends.push(json!({ "kill": "b" }));
    let mut scenarios = Vec::new();
    for restart in ["permanent", "transient", "temporary"] {
        for end in &ends {
            let steps = [&three(true)[..], &[end.clone(), stop()]].concat();
            let title = format!("DSUP-04 {restart}");
            scenarios.push(supervised(&title, restart, json!(5000), 5, steps));
        }
    }
    scenarios
}

/// Starts that fail or ignore leave nothing behind.
fn starts() -> Vec<Scenario> {
    let ways =
        [json!("Ignore"), json!({ "Fail": "no" }), json!({ "StopWith": custom("x") }), json!({ "StopWith": "normal" })];
    let failing = |way: &Value| {
        let steps = [begin("a", true), json!({ "begin": [way] }), end("a", &custom("x"))];
        supervised("DSUP-07 a failing start harms nobody", "permanent", json!(5000), 5, steps)
    };
    ways.iter().map(failing).collect()
}

fn requests() -> Vec<Scenario> {
    let by_id = |what: &str| json!({ what: COMES_AND_GOES });
    ["permanent", "transient", "temporary"]
        .map(|restart| {
            let steps = [
                begin("a", true),
                begin("b", false),
                json!({ "end": "a" }),
                // OTP says `ok` of any process that is dead, Elixir does not.
                decided(json!({ "end": "a" }), json!("done"), json!("not found")),
                json!({ "end": "o" }),
                by_id("terminate"),
                by_id("restart"),
                by_id("delete"),
                json!({ "terminate": "b" }),
                begin("a", true),
                json!({ "end": "b" }),
            ];
            supervised("DSUP-02 children are known by their pids", restart, json!(5000), 5, steps)
        })
        .into()
}

/// The limit of restarts is everybody's.
fn limits() -> Vec<Scenario> {
    [0, 1, 2]
        .map(|max_restarts| {
            let ends = ["a", "b", "c"].map(|name| end(name, &custom("x")));
            let steps = [&three(true)[..], &ends].concat();
            supervised("DSUP-08 SUP-08 the limit of restarts is shared", "permanent", json!(5000), max_restarts, steps)
        })
        .into()
}
