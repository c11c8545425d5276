//! Scenarios of state machines: what each handles, in which order, and when.
//!
//! Nobody asks a machine, which would be an event: it tells `o` of each that it handles. Times are none at all, or so long
//! that they never come, but where a scenario is about them.

use serde_json::{Value, json};

use super::{Scenario, at, bring, custom, hear, quietly, shutdown};

pub(super) const NEVER_MS: u64 = 3_600_000;

/// Starts the machine `$m` that this table describes.
fn machine(mut table: Value) -> Value {
    table["tell"] = json!("o");
    bring("m", "a", json!({ "Spawn": { "module": "probe-machine", "args": table } }))
}

pub(super) fn send(words: &[&str]) -> Value {
    let sends = words.iter().map(|word| json!({ "Send": { "to": "$m", "body": word } }));
    at("a", json!({ "Many": sends.collect::<Vec<_>>() }))
}

fn cast(word: &str) -> Value {
    at("a", json!({ "Cast": { "to": "$m", "body": word } }))
}

/// Asks without waiting: the answer is heard when it comes.
fn ask(word: &str) -> Value {
    at("a", json!({ "Request": { "to": "$m", "body": word, "timeout_ms": null } }))
}

fn to(state: &str) -> Value {
    json!({ "goes": { "To": state } })
}

fn does(actions: Value) -> Value {
    json!({ "does": actions })
}

pub(super) fn after(kind: Value, ms: u64, word: &str) -> Value {
    json!({ "After": [kind, ms, word] })
}

pub(super) fn named(name: &str) -> Value {
    json!({ "named": name })
}

pub(super) fn scenario(title: &str, table: Value, steps: impl IntoIterator<Item = Value>) -> Scenario {
    Scenario::new(title, &["a", "o"], [machine(table)].into_iter().chain(steps))
}

pub(super) fn scenarios() -> Vec<Scenario> {
    [held(), entries(), ends(), timeouts(), times()].into_iter().flatten().collect()
}

/// Postponed and inserted events.
fn held() -> Vec<Scenario> {
    let lock = json!({
        "first": "locked",
        "rules": {
            "locked pass": does(json!(["Postpone"])), "open pass": does(json!([{ "Reply": "passed" }])),
            "locked key": to("open"), "open key": to("locked"), "locked same": to("locked"),
            "locked again": { "goes": "Repeat" },
            "locked both": { "goes": { "To": "open" }, "does": ["Postpone"] },
            "open both": does(json!([{ "Reply": "twice" }])),
        },
    });
    let inserted = json!([{ "Internal": "i1" }, { "Cast": "c" }, { "Info": "i" }, { "Internal": "i2" }]);
    let all = json!({
        "first": "x",
        "start": [{ "Internal": "begin" }, { "Internal": "then" }],
        "rules": {
            "x p": does(json!(["Postpone"])),
            "x go": { "goes": { "To": "y" }, "does": inserted },
            "x more": does(inserted.clone()),
            "y i1": does(json!([{ "Internal": "i1.1" }, { "Internal": "i1.2" }])),
            "y q": does(json!(["Postpone", { "Internal": "back" }])),
            "y back": to("x"),
            "x ask": does(json!([{ "Call": "asked" }, { "Internal": "first?" }])),
            "x asked": does(json!([{ "Reply": "here" }])),
        },
    });
    vec![
        scenario(
            "STM-01 a postponed event waits for another state and comes before newer ones",
            lock.clone(),
            [ask("pass"), ask("pass"), send(&["same", "again"]), send(&["key", "late"]), send(&["key"]), ask("pass")],
        ),
        scenario("STM-01 one that is postponed by the step that leaves", lock, [ask("both"), ask("pass")]),
        scenario(
            "STM-02 inserted events come first, in their order",
            all.clone(),
            [send(&["p", "p", "more", "last"]), send(&["go", "behind"]), send(&["q", "behind"])],
        ),
        scenario("STM-02 a call is handed on", all, [ask("ask"), ask("asked")]),
    ]
}

fn entries() -> Vec<Scenario> {
    let enter = json!({ "y": [after(json!("state"), 0, "entered")], "x": [] });
    let table = json!({
        "first": "x", "enter": enter,
        "rules": {
            "x go": { "goes": { "To": "y" }, "does": [{ "Internal": "inner" }, after(named("n"), 0, "named")] },
            "y again": { "goes": "Repeat" }, "y same": to("y"), "y inner": does(json!([])),
            "y back": { "goes": { "To": "x" }, "does": ["Hibernate"] },
        },
    });
    let first = json!({
        "first": "x", "enter": { "x": [after(json!("event"), 0, "begun")] }, "start": [{ "Internal": "inner" }],
    });
    vec![
        scenario(
            "STM-01 STM-04 entering a state",
            table,
            [send(&["go"]), send(&["again", "behind"]), send(&["same"]), send(&["back"]), send(&["go", "back"])],
        ),
        scenario("STM-02 STM-04 at the start", first, [send(&["later"])]),
    ]
}

fn ends() -> Vec<Scenario> {
    let reasons = [json!("normal"), custom("x"), shutdown()];
    let ending = |reason: &Value| {
        let table = json!({
            "first": "x",
            "rules": {
                "x wait": does(json!(["Postpone"])),
                "x end": { "goes": { "Stop": reason }, "does": [{ "Reply": "over" }] },
            },
        });
        let steps = [ask("wait"), at("o", json!({ "Monitor": { "target": "$m" } })), ask("end")];
        // What was postponed hears of the end beside the others.
        scenario("STM-06 GS-06 replies go out before the end", table, steps).in_any_order()
    };
    reasons.iter().map(ending).collect()
}

/// Of no time at all: their order among other events.
fn timeouts() -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for kind in [json!("event"), json!("state"), named("n")] {
        for goes in [json!("Keep"), json!({ "To": "y" }), json!("Repeat")] {
            let now = after(kind.clone(), 0, "now");
            let rules = json!({
                "x p": does(json!(["Postpone"])),
                "x alone": { "goes": goes, "does": [now] },
                "x inner": { "goes": goes, "does": [now, { "Internal": "i" }] },
                "x twice": { "goes": goes, "does": [now, after(kind.clone(), 0, "again")] },
                "x all": { "goes": goes, "does": [
                    after(named("one"), 0, "1"), after(json!("state"), 0, "s"), after(json!("event"), 0, "e"),
                    after(named("two"), 0, "2"),
                ] },
                "x off": { "goes": goes, "does": [now, { "Cancel": kind }] },
                "x new": { "goes": goes, "does": [{ "Update": [kind, "updated"] }] },
                "x never": { "goes": goes, "does": [after(kind.clone(), NEVER_MS, "never"), { "Update": [kind, "u"] }, now] },
                "y back": to("x"), "x now": does(json!([])),
            });
            let table = json!({ "first": "x", "rules": rules });
            let words = ["alone", "inner", "twice", "all", "off", "new", "never"];
            let steps = words
                .map(|word| [send(&[word, "behind"]), send(&["back"]), send(&["p", word, "behind"]), cast("back")]);
            scenarios.push(scenario("STM-04 timeouts of no time at all", table, steps.concat()));
        }
    }
    scenarios
}

/// What ends a timeout that runs.
fn times() -> Vec<Scenario> {
    let set = json!([
        after(json!("event"), 40, "event"),
        after(json!("state"), 80, "state"),
        after(named("n"), 120, "named")
    ]);
    let table = |set: Value| {
        json!({
            "first": "x",
            "rules": {
                "x set": does(set), "x go": to("y"), "x renew": does(json!([after(named("n"), 400, "renewed")])),
                "x update": does(json!([{ "Update": [named("n"), "updated"] }])),
                "x cancel": does(json!([{ "Cancel": named("n") }, { "Cancel": "state" }])),
            },
        })
    };
    let run = |words: &[&str], entries: usize| {
        let title = "STM-04 each timeout has its own end";
        // In one go: however slow the machine is, no time is up between two words.
        let words = [&["set"], words].concat();
        let over = json!({ "SendAfter": { "after_ms": 600, "to": { "name": "o" }, "body": "over" } });
        let heard = hear("o", words.len() + entries + 1);
        scenario(title, table(set.clone()), [quietly(send(&words)), quietly(at("a", over)), heard])
    };
    vec![
        // Nothing but time.
        run(&[], 3),
        // Any event calls the first off.
        run(&["word"], 2),
        // Another state calls the second off, too, and is entered.
        run(&["go"], 2),
        run(&["renew"], 2),
        run(&["update"], 2),
        run(&["cancel"], 0),
    ]
}
