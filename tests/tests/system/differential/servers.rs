//! Scenarios of servers: how they start, are called, answer, go on and end.

use serde_json::{Value, json};

use super::{Scenario, at, bring, custom, hear, quietly, shutdown, tell};

fn call(to: &str, body: Value) -> Value {
    json!({ "Call": { "to": format!("${to}"), "body": body, "timeout_ms": null } })
}

/// A call that waits until `to` releases it. With a time: without one, OTP lets a second reply through.
fn hold(to: &str) -> Value {
    json!({ "Call": { "to": format!("${to}"), "body": "Hold", "timeout_ms": 60_000 } })
}

fn release(body: &str) -> Value {
    json!({ "Release": { "body": body } })
}

fn spawn(init: Value) -> Value {
    json!({ "Spawn": { "module": "probe", "args": init, "link": true, "monitor": true } })
}

pub(super) fn scenarios() -> Vec<Scenario> {
    [starts(), calls(), losses(), handlers(), ends()].into_iter().flatten().collect()
}

fn starts() -> Vec<Scenario> {
    let ways = [
        json!("Ignore"),
        json!({ "StopWith": custom("x") }),
        json!({ "StopWith": "normal" }),
        json!({ "StopWith": shutdown() }),
        json!({ "Stop": { "reason": custom("x") } }),
        json!({ "Fail": "no" }),
        json!({ "Panic": "oh no" }),
    ];
    let starting = ways.iter().map(|way| at("a", spawn(json!([way]))));
    vec![
        Scenario::new("GS-01 GS-02 a start says how it ended, and nothing else does", &["a"], {
            [at("a", json!({ "TrapExit": true }))].into_iter().chain(starting)
        }),
        Scenario::new(
            "GS-01 a start returns when init is over",
            &["a", "b"],
            [
                bring(
                    "c",
                    "a",
                    spawn(json!([{ "SendNamed": { "name": "a", "body": "init" } }, call("b", json!({ "Echo": 1 }))])),
                ),
                at("c", json!("Me")),
            ],
        ),
        Scenario::new(
            "GS-12 whoever is linked to its starter goes along",
            &["a", "b"],
            [
                bring("c", "a", spawn(json!([{ "AtEnd": { "tell": { "name": "b" } } }]))),
                at("a", json!({ "StopWith": custom("x") })),
            ],
        ),
    ]
}

fn calls() -> Vec<Scenario> {
    let short = |body: Value| json!({ "Call": { "to": "$b", "body": body, "timeout_ms": 20 } });
    let request = |timeout_ms: Value| json!({ "Request": { "to": "$b", "body": "Hold", "timeout_ms": timeout_ms } });
    vec![
        Scenario::new(
            "GS-03 GS-04 a caller gives up, and the late reply goes nowhere",
            &["a", "b"],
            [
                at("a", short(json!("Hold"))),
                at("b", json!({ "Many": [release("late"), release("nobody")] })),
                at("a", json!("Journal")),
            ],
        ),
        Scenario::new(
            "GS-03 the server performs the request",
            &["a", "b", "c"],
            [tell("b", json!([hold("c")])), at("a", short(json!({ "Echo": "late" }))), at("c", release("go"))],
        ),
        Scenario::new(
            "GS-04 a late answer goes nowhere",
            &["a", "b"],
            [
                quietly(at("a", request(json!(10)))),
                hear("a", 1),
                at("b", release("late")),
                at("a", request(Value::Null)),
                at("b", release("in time")),
            ],
        ),
        Scenario::new(
            "GS-08 a reply may come later, and from another",
            &["a", "b", "c", "d"],
            [
                tell("a", json!([hold("c")])),
                tell("b", json!([hold("c")])),
                bring("held", "c", json!("Held")),
                at("c", json!({ "Echo": "meanwhile" })),
                at("d", json!({ "ReplyTo": { "caller": "$held.1", "body": "from another" } })),
                at("d", json!({ "ReplyTo": { "caller": "$held.0", "body": "to the first" } })),
                at("d", json!({ "ReplyTo": { "caller": "$held.0", "body": "twice" } })),
            ],
        ),
        Scenario::new(
            "GS-07 REG-03 a cast always succeeds",
            &["a", "b"],
            [
                bring("dead", "a", json!({ "Spawn": { "module": "probe" } })),
                at("a", json!({ "Kill": { "to": "$dead" } })),
                at(
                    "a",
                    json!({ "Many": [
                { "Cast": { "to": "nobody", "body": 1 } },
                { "Cast": { "to": "$dead", "body": 2 } },
                { "Cast": { "to": "b", "body": 3 } }
            ] }),
                ),
            ],
        ),
    ]
}

/// Callers whose callee ends.
fn losses() -> Vec<Scenario> {
    let ends = [
        json!({ "StopWith": custom("x") }),
        json!({ "StopWith": "normal" }),
        json!({ "StopWith": shutdown() }),
        json!({ "Fail": "no" }),
        json!({ "Panic": "oh no" }),
    ];
    let ending = |end: &Value| {
        Scenario::new(
            "GS-06 the callers of a server that ends are told",
            &["a", "b", "c"],
            [
                tell("a", json!([hold("c")])),
                tell("b", json!([{ "Request": { "to": "$c", "body": "Hold", "timeout_ms": null } }])),
                tell("c", json!([end])),
            ],
        )
    };
    let mut scenarios: Vec<Scenario> = ends.iter().map(ending).collect();
    scenarios.push(Scenario::new(
        "GS-06 a call to nobody, the dead or oneself",
        &["a", "b"],
        [
            bring("dead", "a", json!({ "Spawn": { "module": "probe" } })),
            at("a", json!({ "Kill": { "to": "$dead" } })),
            at(
                "a",
                json!({ "Many": [
            call("dead", json!("Me")),
            call("a", json!("Me")),
            { "Call": { "to": { "name": "nobody" }, "body": "Me" } },
            { "Call": { "to": { "name": "a" }, "body": "Me" } }
        ] }),
            ),
            at("a", json!({ "Request": { "to": "$dead", "body": "Me" } })),
            at("a", json!({ "Request": { "to": { "name": "nobody" }, "body": "Me" } })),
        ],
    ));
    scenarios.push(Scenario::new(
        "GS-06 who calls or ends, ends with its callee",
        &["a", "b", "c"],
        [
            tell("a", json!([{ "CallOrExit": { "to": "$c", "body": "Hold" } }])),
            at("b", json!({ "Kill": { "to": "$c" } })),
        ],
    ));
    scenarios.push(Scenario::new(
        "GS-06 a call still in the mailbox is answered too",
        &["a", "b", "c", "d"],
        [
            tell("b", json!([hold("c")])),
            tell("a", json!([call("b", json!("Me"))])),
            at("d", json!({ "Kill": { "to": "$b" } })),
        ],
    ));
    scenarios
}

fn handlers() -> Vec<Scenario> {
    let over = json!([{ "StartTimer": { "after_ms": 60, "body": "over" } }]);
    vec![
        Scenario::new(
            "GS-15 a continue comes before all mail",
            &["a", "b"],
            [
                at("a", json!({ "Many": [{ "Send": { "to": "$a", "body": "mail" } }, { "Continue": 3 }] })),
                bring(
                    "c",
                    "b",
                    spawn(json!(["Me", { "Send": { "to": { "step": 0 }, "body": "mail" } }, { "Continue": 2 }])),
                ),
            ],
        ),
        Scenario::new(
            "GS-16 idleness is told, unless something comes",
            &["a", "b"],
            [
                quietly(at("a", json!({ "Idle": { "after_ms": 20 } }))),
                quietly(tell("b", over.clone())),
                hear("b", 2),
                quietly(at(
                    "a",
                    json!({ "Many": [{ "Send": { "to": "$a", "body": "mail" } }, { "Idle": { "after_ms": 20 } }] }),
                )),
                quietly(tell("b", over)),
                hear("b", 2),
            ],
        ),
        Scenario::new(
            "HIB-01 a hibernating server wakes with its mail",
            &["a", "b"],
            [
                at("a", json!({ "Many": [{ "StartTimer": { "after_ms": 60_000, "body": "x" } }, "Hibernate"] })),
                at("b", json!({ "Send": { "to": "$a", "body": 1 } })),
                at("a", json!({ "Many": [{ "Send": { "to": "$a", "body": 2 } }, "Hibernate"] })),
            ],
        ),
    ]
}

fn ends() -> Vec<Scenario> {
    let at_end = json!({ "AtEnd": { "tell": { "name": "b" } } });
    let child = |init: Value| spawn(init);
    let ordered = |reason: Value| {
        Scenario::new(
            "GS-12 the parent's exit signal is an order to those who trap",
            &["a", "b"],
            [
                bring("c", "a", child(json!([{ "TrapExit": true }, at_end]))),
                bring("d", "a", child(json!([at_end]))),
                at("a", json!({ "TrapExit": true })),
                at("a", json!({ "Exit": { "to": "$c", "reason": reason } })),
                at("a", json!({ "Exit": { "to": "$d", "reason": reason } })),
            ],
        )
        .in_any_order()
    };
    let mut scenarios: Vec<Scenario> = [shutdown(), custom("x"), json!("normal")].map(ordered).into();
    scenarios.push(Scenario::new(
        "GS-12 a stranger's exit signal is a message to those who trap",
        &["a", "b"],
        [
            bring("c", "a", child(json!([{ "TrapExit": true }, at_end]))),
            at("b", json!({ "Exit": { "to": "$c", "reason": shutdown() } })),
        ],
    ));
    let ways = [json!("normal"), shutdown(), custom("x")];
    let stopping = ways.map(|why| {
        Scenario::new(
            "GS-10 GS-14 a server that stops cleans up",
            &["a", "b"],
            [at("a", at_end.clone()), at("a", json!({ "ReplyAndStop": why }))],
        )
    });
    scenarios.extend(stopping);
    scenarios.push(Scenario::new(
        "GS-10 a handler that fails cleans up",
        &["a", "b"],
        [at("a", at_end.clone()), at("a", json!({ "Fail": "no" }))],
    ));
    scenarios
}
