//! Scenarios of monitors with more to them: tags, and aliases of every mode.

use serde_json::{Value, json};

use super::{Scenario, at, bring, custom, tell};

const MODES: [&str; 3] = ["explicit-unalias", "demonitor", "reply-demonitor"];

fn watch(of: &str, mode: &str) -> Value {
    json!({ "MonitorWith": { "target": of, "alias": mode } })
}

/// Through the alias that this word stands for.
fn send(way: &str, body: Value) -> Value {
    json!({ "Send": { "to": { "alias": format!("${way}.alias") }, "body": body } })
}

fn unalias(way: &str) -> Value {
    json!({ "Unalias": { "alias": format!("${way}.alias") } })
}

fn demonitor(way: &str, flush: bool) -> Value {
    json!({ "Demonitor": { "mark": format!("${way}.mark"), "flush": flush } })
}

fn open(once: bool) -> Value {
    json!({ "OpenAlias": { "once": once } })
}

pub(super) fn scenarios() -> Vec<Scenario> {
    let mut scenarios = vec![tags(), closed(), once(), strangers(), liveness(), order()];
    scenarios
        .extend(MODES.into_iter().flat_map(|mode| [lost(mode), demonitored(mode), unaliased(mode), replied(mode)]));
    scenarios
}

fn tags() -> Scenario {
    let tagged = |target: Value, tag: &str| json!({ "MonitorWith": { "target": target, "tag": { "$text": tag } } });
    let kill = json!({ "Kill": { "to": "$b" } });
    Scenario::new(
        "MON-07 a tag comes with the loss, also of nobody",
        &["a", "b", "c"],
        [
            at("a", tagged(json!({ "name": "nobody" }), "gone before")),
            at("a", tagged(json!("$b"), "one")),
            at("a", tagged(json!({ "name": "b" }), "another")),
            at("a", json!({ "Monitor": { "target": "$b" } })),
            at("c", kill),
            at("a", tagged(json!("$b"), "too late")),
        ],
    )
    .in_any_order()
}

/// What was there before stays, what comes later is dropped.
fn closed() -> Scenario {
    let both = json!({ "Many": [send("way", json!("before")), { "SendNamed": { "name": "a", "body": {
        "do": [unalias("way"), unalias("way")] } } }, send("way", json!("behind"))] });
    Scenario::new(
        "MON-08 MON-12 what goes through an alias that is off is dropped",
        &["a", "b"],
        [
            bring("way", "a", open(false)),
            at("b", send("way", json!(1))),
            at("b", both),
            at("b", send("way", json!("late"))),
            at("a", unalias("way")),
            at("a", json!({ "StopWith": "normal" })),
            at("b", send("way", json!("of the dead"))),
        ],
    )
}

fn once() -> Scenario {
    let four = [1, 2, 3, 4].map(|number| send("way", json!(number)));
    let four = json!({ "Many": four });
    Scenario::new(
        "MON-09 an alias for a reply takes one message",
        &["a", "b", "c"],
        [
            bring("way", "a", open(true)),
            at("b", four.clone()),
            at("a", unalias("way")),
            bring("way", "a", open(true)),
            at("a", unalias("way")),
            at("c", four),
        ],
    )
}

fn strangers() -> Scenario {
    Scenario::new(
        "MON-12 only its maker turns an alias off",
        &["a", "b"],
        [
            bring("way", "a", open(false)),
            at("b", unalias("way")),
            at("b", send("way", json!("still open"))),
            at("a", unalias("way")),
        ],
    )
}

fn liveness() -> Scenario {
    let alive = json!({ "IsAlive": { "pid": "$b" } });
    Scenario::new(
        "PROC-06 whoever was killed is not alive",
        &["a", "b"],
        [at("a", alive.clone()), at("a", json!({ "Many": [{ "Kill": { "to": "$b" } }, alive] })), at("a", alive)],
    )
}

/// Messages by pid, by name and through the alias of the monitor, then the loss.
fn order() -> Scenario {
    let words = json!([
        send("way", json!(1)),
        { "Send": { "to": "$a", "body": 2 } },
        { "SendNamed": { "name": "a", "body": 3 } },
        send("way", json!(4)),
        { "Stop": { "reason": custom("x") } }
    ]);
    Scenario::new(
        "MON-06 the last words come first, through an alias",
        &["a", "b"],
        [bring("way", "a", watch("$b", "demonitor")), tell("b", words)],
    )
}

fn lost(mode: &str) -> Scenario {
    Scenario::new(
        &format!("MON-11 a loss, and an alias of mode {mode}"),
        &["a", "b", "c"],
        [
            bring("way", "a", watch("$b", mode)),
            at("c", json!({ "Many": [{ "Kill": { "to": "$b" } }] })),
            at("c", send("way", json!("after the loss"))),
            at("a", demonitor("way", false)),
            at("a", unalias("way")),
            bring("none", "a", watch("$b", mode)),
            at("c", send("none", json!("of one who was dead before"))),
        ],
    )
}

fn demonitored(mode: &str) -> Scenario {
    Scenario::new(
        &format!("MON-11 demonitored, and an alias of mode {mode}"),
        &["a", "b", "c"],
        [
            bring("way", "a", watch("$b", mode)),
            at("a", demonitor("way", true)),
            at("c", send("way", json!("after that"))),
            at("c", json!({ "Kill": { "to": "$b" } })),
            at("a", unalias("way")),
        ],
    )
}

fn unaliased(mode: &str) -> Scenario {
    Scenario::new(
        &format!("MON-11 closed, and a monitor of mode {mode}"),
        &["a", "b", "c"],
        [
            bring("way", "a", watch("$b", mode)),
            at("a", unalias("way")),
            at("c", send("way", json!("never"))),
            at("c", json!({ "Kill": { "to": "$b" } })),
        ],
    )
}

fn replied(mode: &str) -> Scenario {
    let replies = json!({ "Many": [send("way", json!("one")), send("way", json!("two"))] });
    Scenario::new(
        &format!("MON-09 MON-11 replied to, and a monitor of mode {mode}"),
        &["a", "b", "c"],
        [
            bring("way", "a", watch("$b", mode)),
            at("c", replies),
            at("c", json!({ "Kill": { "to": "$b" } })),
            at("a", demonitor("way", false)),
            at("a", unalias("way")),
        ],
    )
}
