//! Scenarios of tasks: processes that are started, do their steps, and bring a result, as plain Erlang shows them.
//!
//! A result comes before the end of whoever brings it. What Elixir makes of it is in the SDK, and tested there.

use serde_json::{Value, json};

use super::{Scenario, at, bring, custom, shutdown, tell};

fn start(steps: Value, link: bool, monitor: bool) -> Value {
    json!({ "Spawn": { "module": "probe-task", "args": steps, "link": link, "monitor": monitor } })
}

/// A task that waits for a message, and says whatever it is told after it.
fn waiting(then: Value) -> Value {
    json!([{ "Receive": { "timeout_ms": null } }, then])
}

fn wake() -> Value {
    json!({ "Send": { "to": "$t", "body": "go on" } })
}

/// The ways for a task to end.
fn ends() -> [Value; 6] {
    [
        json!("Me"),
        json!({ "Stop": { "reason": custom("x") } }),
        json!({ "Stop": { "reason": "normal" } }),
        json!({ "Stop": { "reason": shutdown() } }),
        json!({ "Fail": "no" }),
        json!({ "Panic": "oh no" }),
    ]
}

pub(super) fn scenarios() -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for end in ends() {
        for (title, link, trap) in [
            ("TASK-01 TASK-03 a task that is linked and monitored", true, false),
            ("TASK-01 TASK-03 a task of one who traps exits", true, true),
            ("TASK-08 a task without a link", false, false),
        ] {
            let steps = [
                at("b", json!({ "TrapExit": true })),
                at("a", json!({ "TrapExit": trap })),
                at("a", json!({ "Link": { "to": "$b" } })),
                bring("t", "a", start(waiting(end.clone()), link, true)),
                at("b", wake()),
                at("a", json!("Me")),
            ];
            // An exit signal by the link and the loss come from one, but in no order.
            scenarios.push(Scenario::new(title, &["a", "b"], steps).in_any_order());
        }
    }
    scenarios.extend([forgotten(), owner_first(), killed()]);
    scenarios
}

/// Taken back the link and the monitor: nothing is heard any more.
fn forgotten() -> Scenario {
    let ignore =
        json!({ "Many": [{ "Unlink": { "to": "$t" } }, { "Demonitor": { "mark": "$t.mark", "flush": true } }] });
    Scenario::new(
        "TASK-07 a task that is ignored leaves nothing behind",
        &["a", "b"],
        [
            bring("t", "a", start(waiting(json!({ "Fail": "no" })), true, true)),
            at("a", ignore),
            at("b", wake()),
            at("a", json!("Me")),
        ],
    )
}

fn owner_first() -> Scenario {
    Scenario::new(
        "TASK-01 a linked task ends with its owner",
        &["a", "b"],
        [
            bring("t", "a", start(waiting(json!("Me")), true, true)),
            bring("u", "a", start(waiting(json!("Me")), false, true)),
            tell("a", json!([{ "StopWith": custom("x") }])),
            at("b", json!({ "IsAlive": { "pid": "$t" } })),
            at("b", json!({ "IsAlive": { "pid": "$u" } })),
        ],
    )
}

fn killed() -> Scenario {
    Scenario::new(
        "TASK-03 TASK-08 a task that is killed",
        &["a", "b"],
        [
            at("a", json!({ "TrapExit": true })),
            bring("t", "a", start(waiting(json!("Me")), true, true)),
            at("b", json!({ "Kill": { "to": "$t" } })),
        ],
    )
    .in_any_order()
}
