//! The same scenarios in Skep and in a real Erlang: what each process hears, and who ends why, must be equal.
//!
//! A scenario is data: who takes part, and steps, each of which one process performs while all others wait. It is
//! interpreted twice: by the guests `probe` and `probe-task` (`skep`), and by the same two written against OTP
//! (`probe.escript`). Between two steps everybody comes to rest, so that the outcome is determined. Compared is what
//! `trace` leaves of both traces. Where no `escript` is installed nothing is compared, which is said.

mod aliases;
mod dynamic;
mod erlang;
mod groups;
mod links;
mod machines;
mod random;
mod servers;
mod skep;
mod supervisors;
mod system;
mod tasks;
mod trace;

use std::collections::BTreeSet;

use serde_json::{Value, json};
use skep_tests::MODES;

use skep::Stage;
use trace::Order;

/// Something to be done in both worlds.
pub(super) struct Scenario {
    /// Begins with the IDs of the promises that it shows.
    title: String,
    /// As both interpreters read it.
    script: Value,
    order: Order,
}

impl Scenario {
    /// Probes of these names, each registered under it, and what they do.
    fn new(title: &str, names: &[&str], steps: impl IntoIterator<Item = Value>) -> Scenario {
        let steps: Vec<Value> = steps.into_iter().collect();
        Scenario { title: title.into(), script: json!({ "names": names, "steps": steps }), order: Order::Counts }
    }

    /// With several senders at once.
    fn in_any_order(mut self) -> Scenario {
        self.order = Order::Free;
        self
    }

    fn ids(&self) -> impl Iterator<Item = &str> {
        let is_id = |word: &&str| word.contains('-') && !word.contains(|c: char| c.is_lowercase());
        self.title.split_whitespace().take_while(is_id)
    }
}

/// A step: this process does that, and what it brings is compared.
fn at(name: &str, step: Value) -> Value {
    json!({ "at": format!("${name}"), "do": step })
}

/// As [`at`]; `$word` stands for what it brings from then on.
fn bring(word: &str, name: &str, step: Value) -> Value {
    json!({ "at": format!("${name}"), "do": step, "as": word })
}

/// A step: this process is told to do that, and nobody waits for it.
fn tell(name: &str, script: Value) -> Value {
    json!({ "at": format!("${name}"), "tell": script })
}

/// A step: waits until this process has heard so much more.
fn hear(name: &str, entries: usize) -> Value {
    json!({ "hear": name, "entries": entries })
}

/// The same step, after which nobody is asked what he has heard: being asked would disturb, or would come too early.
fn quietly(mut step: Value) -> Value {
    step["quiet"] = true.into();
    step
}

/// The same step, whose result has no order.
fn unordered(mut step: Value) -> Value {
    step["unordered"] = true.into();
    step
}

/// The same step, which is known to bring one thing in Erlang and another in Skep: `docs/semantics.md` says why.
fn decided(mut step: Value, erlang: Value, skep: Value) -> Value {
    step["decided"] = json!({ "erlang": erlang, "skep": skep });
    step
}

fn custom(text: &str) -> Value {
    json!({ "custom": { "text": text } })
}

fn shutdown() -> Value {
    json!({ "shutdown": null })
}

/// How one line of a trace is shown beside another.
fn difference(step: &Value, erlang: &Value, skep: &Value) -> String {
    format!("  step   {step}\n  erlang {erlang}\n  skep   {skep}\n")
}

/// The first line in which two traces differ. The line before the first step is that of the start, if there is one.
fn compare(scenario: &Scenario, erlang: &[Value], skep: &[Value]) -> Option<String> {
    let steps = scenario.script["steps"].as_array().expect("there are steps");
    let before = erlang.len().saturating_sub(steps.len());
    for (number, (erlang, skep)) in erlang.iter().zip(skep).enumerate() {
        let step = number.checked_sub(before).map_or(&Value::Null, |number| &steps[number]);
        let [erlang, skep] = [("erlang", erlang), ("skep", skep)].map(|(side, line)| {
            let line = trace::line(line.clone(), scenario.order, step.get("unordered").is_some());
            trace::without_decided(line, &step["decided"][side])
        });
        if erlang != skep {
            return Some(format!("{}, line {number}\n{}", scenario.title, difference(step, &erlang, &skep)));
        }
    }
    (erlang.len() != skep.len()).then(|| format!("{}: {} and {} lines", scenario.title, erlang.len(), skep.len()))
}

/// Performs scenarios in both worlds, in both modes of keeping instances.
async fn agree(scenarios: &[Scenario]) {
    let Some(erlang) = erlang::traces(scenarios.iter().map(|scenario| &scenario.script)) else { return };
    assert_eq!(erlang.len(), scenarios.len(), "each scenario has its trace");
    let mut differences = Vec::new();
    for keep in MODES {
        let stage = Stage::new(keep).await;
        for (scenario, erlang) in scenarios.iter().zip(&erlang) {
            let skep = match scenario.script.get("supervisor") {
                Some(_) => stage.supervise(&scenario.script).await,
                None => stage.run(&scenario.script).await,
            };
            differences.extend(compare(scenario, erlang, &skep).map(|text| format!("{keep:?}: {text}")));
        }
        stage.app.stop().await;
    }
    assert!(differences.is_empty(), "{} differ:\n{}", differences.len(), differences.join("\n"));
}

/// All that are written by hand.
fn by_hand() -> Vec<Scenario> {
    [
        links::scenarios(),
        aliases::scenarios(),
        servers::scenarios(),
        machines::scenarios(),
        supervisors::scenarios(),
        dynamic::scenarios(),
        tasks::scenarios(),
        groups::scenarios(),
        system::scenarios(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn differential_processes_do_the_same_in_erlang() {
    agree(&[links::scenarios(), aliases::scenarios(), tasks::scenarios()].into_iter().flatten().collect::<Vec<_>>())
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn differential_servers_do_the_same_in_erlang() {
    agree(&servers::scenarios()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn differential_machines_do_the_same_in_erlang() {
    agree(&machines::scenarios()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn differential_supervisors_do_the_same_in_erlang() {
    agree(&supervisors::scenarios()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn differential_dynamic_supervisors_do_the_same_in_erlang() {
    agree(&dynamic::scenarios()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn differential_groups_do_the_same_in_erlang() {
    agree(&groups::scenarios()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn differential_system_messages_do_the_same_in_erlang() {
    agree(&system::scenarios()).await;
}

#[test]
fn differential_scenarios_show_eighty_promises() {
    let scenarios = by_hand();
    let ids: BTreeSet<&str> = scenarios.iter().flat_map(Scenario::ids).collect();
    assert!(ids.len() >= 80, "only {}: {ids:?}", ids.len());
}

#[test]
fn differential_the_first_difference_is_shown() {
    let scenario = Scenario::new("x", &["a"], [at("a", json!("Me")), at("a", json!("Journal"))]);
    let line = |result: &str| json!({ "result": result, "heard": {}, "ended": {} });
    let (one, other) = ([line("x"), line("y")], [line("x"), line("z")]);
    assert_eq!(compare(&scenario, &one, &one), None);
    let shown = compare(&scenario, &one, &other).expect("they differ");
    assert!(shown.contains("Journal") && shown.contains("\"y\"") && shown.contains("\"z\""), "{shown}");
    assert!(compare(&scenario, &one, &one[..1]).is_some());
}
