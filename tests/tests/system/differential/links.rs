//! Scenarios of processes: signals, exits, links, monitors, names, timers and mailboxes.

use serde_json::{Value, json};

use super::{Scenario, at, bring, custom, hear, quietly, shutdown, tell};

fn link(to: &str) -> Value {
    json!({ "Link": { "to": format!("${to}") } })
}

fn unlink(to: &str) -> Value {
    json!({ "Unlink": { "to": format!("${to}") } })
}

fn exit(to: &str, reason: Value) -> Value {
    json!({ "Exit": { "to": format!("${to}"), "reason": reason } })
}

fn kill(to: &str) -> Value {
    json!({ "Kill": { "to": format!("${to}") } })
}

fn send(to: &str, body: Value) -> Value {
    json!({ "Send": { "to": format!("${to}"), "body": body } })
}

fn monitor(of: &str) -> Value {
    json!({ "Monitor": { "target": format!("${of}") } })
}

fn monitor_name(of: &str) -> Value {
    json!({ "Monitor": { "target": { "name": of } } })
}

fn stop(reason: Value) -> Value {
    json!({ "StopWith": reason })
}

fn trap() -> Value {
    json!({ "TrapExit": true })
}

/// One step of a name's life.
fn name(step: &str, name: &str) -> Value {
    json!({ step: { "name": name } })
}

fn spawn(init: Value) -> Value {
    json!({ "Spawn": { "module": "probe", "args": init, "link": true } })
}

/// A task of `a` with these steps, under `$t`.
fn task(steps: Value) -> Value {
    bring("t", "a", json!({ "Spawn": { "module": "probe-task", "args": steps, "monitor": true } }))
}

/// Someone who ended before: `$dead`.
fn dead() -> [Value; 2] {
    [bring("dead", "a", spawn(Value::Null)), at("a", json!({ "Many": [unlink("dead"), kill("dead")] }))]
}

pub(super) fn scenarios() -> Vec<Scenario> {
    [processes(), exits(), ties(), monitors(), names(), timers(), mailboxes()].into_iter().flatten().collect()
}

fn processes() -> Vec<Scenario> {
    let kinds = json!([
        send("b", json!(1)),
        { "Cast": { "to": "$b", "body": 2 } },
        exit("b", custom("x")),
        { "SendNamed": { "name": "b", "body": 3 } },
        link("b"),
        exit("b", json!("normal")),
        unlink("b"),
        { "Cast": { "to": { "name": "b" }, "body": 4 } },
        { "Call": { "to": "$b", "body": { "Echo": 5 } } }
    ]);
    let behind = json!({ "Many": [send("b", json!(1)), exit("b", custom("x")), send("c", json!(2)),
        { "Send": { "to": "$b", "body": { "do": [send("c", json!("too late"))] } } }] });
    let mut ends = vec![at("a", trap())];
    let ways = [
        stop(json!("normal")),
        stop(custom("tired")),
        json!({ "Stop": { "reason": custom("now") } }),
        json!({ "Stop": { "reason": "normal" } }),
        json!({ "Fail": "no" }),
        json!({ "Panic": "oh no" }),
        stop(json!({ "shutdown": { "text": "later" } })),
        stop(json!({ "limit": "patience" })),
    ];
    for (number, way) in ways.iter().enumerate() {
        let child = format!("child{number}");
        ends.push(bring(&child, "a", spawn(Value::Null)));
        ends.push(at("a", monitor(&child)));
        ends.push(tell(&child, json!([way])));
    }
    let named = |round: &str| json!({ "Spawn": { "module": "probe", "name": round } });
    let freed = json!([
        named("bank"),
        { "Monitor": { "target": { "name": "bank" } } },
        { "Kill": { "to": { "step": 0 } } },
        { "ReceiveOnly": { "marks": [{ "step": 1 }] } },
        name("Whereis", "bank"),
        name("Register", "bank")
    ]);
    let at_end = json!([trap(), { "AtEnd": { "tell": { "name": "b" } } }]);
    let last_words =
        json!(["Me", { "Kill": { "to": { "step": 0 } } }, { "SendNamed": { "name": "b", "body": "late" } }]);
    vec![
        Scenario::new(
            "PROC-01 all kinds of signals keep their order",
            &["a", "b"],
            [at("b", trap()), at("a", json!({ "Many": kinds }))],
        ),
        Scenario::new("PROC-01 what is behind an exit signal is never handled", &["a", "b", "c"], [at("a", behind)]),
        Scenario::new(
            "PROC-01 links and monitors are signals like others",
            &["a", "b", "c"],
            [
                at("a", trap()),
                at("a", json!({ "Many": [link("b"), unlink("b"), monitor("b"), kill("b")] })),
                at("a", json!({ "Many": [unlink("c"), link("c"), monitor("c"), kill("c")] })),
            ],
        )
        .in_any_order(),
        Scenario::new(
            "PROC-03 the dead are sent to without an error",
            &["a", "b"],
            [
                &dead()[..],
                &[at("a", send("dead", json!(1))), at("a", json!({ "Cast": { "to": "$dead", "body": 1 } }))],
                &[at("a", exit("dead", custom("x"))), at("a", unlink("dead"))],
            ]
            .concat(),
        ),
        Scenario::new(
            "PROC-05 PROC-06 the first of two exit signals decides",
            &["a", "b"],
            [
                at(
                    "a",
                    json!({ "Many": [exit("b", custom("first")), exit("b", custom("second")), name("Register", "c")] }),
                ),
                at("a", json!({ "Many": [monitor("b"), send("b", json!(1))] })),
            ],
        ),
        Scenario::new(
            "PROC-06 whoever was killed is gone",
            &["a", "b"],
            [at("a", json!({ "Many": [kill("b"), monitor("b"), { "Call": { "to": "$b", "body": "Me" } }] }))],
        )
        .in_any_order(),
        Scenario::new("PROC-07 GS-18 each way to end has its reason", &["a"], ends).in_any_order(),
        Scenario::new(
            "PROC-09 REG-01 a name is free before the end is known",
            &["a"],
            [task(freed), at("a", monitor("t"))],
        ),
        Scenario::new(
            "PROC-10 no word after a kill",
            &["a", "b"],
            [bring("c", "a", spawn(at_end)), at("a", unlink("c")), tell("c", last_words)],
        ),
    ]
}

fn exits() -> Vec<Scenario> {
    let alone = |reason: Value| {
        let own = json!(["Me", { "Exit": { "to": { "step": 0 }, "reason": reason } },
            { "SendNamed": { "name": "b", "body": "not stopped" } }]);
        Scenario::new(
            "EXIT-03 an exit signal to oneself",
            &["a", "b"],
            [at("a", monitor("b")), tell("a", own.clone()), at("b", trap()), tell("b", own)],
        )
    };
    let row = |reason: Value| {
        Scenario::new(
            "EXIT-07 EXIT-08 LINK-01 a row falls until the one who traps",
            &["a", "b", "c", "d", "e"],
            [
                at("d", trap()),
                at("a", link("b")),
                at("c", link("b")),
                at("c", link("d")),
                at("d", link("e")),
                at("e", monitor("b")),
                tell("a", json!([stop(reason)])),
            ],
        )
        .in_any_order()
    };
    let large = "0123456789".repeat(10_000);
    let mut scenarios = vec![
        Scenario::new(
            "EXIT-01 normal is ignored, or trapped",
            &["a", "b"],
            [
                at("a", exit("b", json!("normal"))),
                at("b", trap()),
                at("a", exit("b", json!("normal"))),
                at("b", json!({ "TrapExit": false })),
                at("a", exit("b", shutdown())),
            ],
        ),
        Scenario::new(
            "EXIT-04 nobody traps a kill",
            &["a", "b", "c", "d"],
            [
                at("b", json!({ "Many": [trap(), { "AtEnd": { "tell": { "name": "d" } } }] })),
                at("c", trap()),
                at("c", link("b")),
                at("d", monitor("b")),
                at("a", kill("b")),
            ],
        ),
        Scenario::new(
            "EXIT-04 the word killed is no kill",
            &["a", "b"],
            [
                at("b", trap()),
                at("a", exit("b", json!("killed"))),
                at("b", json!({ "TrapExit": false })),
                at("a", exit("b", json!("killed"))),
            ],
        ),
        Scenario::new(
            "EXIT-05 a kill is passed on as killed",
            &["a", "b", "c", "d", "e"],
            [at("d", trap()), at("a", link("b")), at("b", link("c")), at("c", link("d")), at("e", kill("a"))],
        ),
        Scenario::new("EXIT-09 MON-02 a link to the dead", &["a", "b"], {
            let linking = [at("a", link("dead")), at("a", trap()), at("a", link("dead")), at("a", monitor("dead"))];
            [&dead()[..], &linking[..]].concat()
        }),
        Scenario::new(
            "EXIT-12 a large reason arrives as it was",
            &["a", "b", "c"],
            [at("a", trap()), at("a", link("b")), at("c", monitor("b")), tell("b", json!([stop(custom(&large))]))],
        ),
    ];
    scenarios.extend([custom("me"), json!("normal"), shutdown(), json!("killed")].map(alone));
    scenarios.extend([custom("x"), json!("normal"), shutdown(), json!({ "shutdown": { "text": "x" } })].map(row));
    scenarios
}

fn ties() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "LINK-01 either side makes and undoes a link",
            &["a", "b", "c", "d"],
            [
                at("a", trap()),
                at("b", link("a")),
                at("a", unlink("b")),
                at("d", kill("b")),
                at("c", link("a")),
                at("d", exit("c", custom("x"))),
            ],
        ),
        Scenario::new(
            "LINK-02 one link a pair",
            &["a", "b", "c"],
            [
                at("a", trap()),
                at("a", json!({ "Many": [link("b"), link("b"), unlink("b")] })),
                at("b", stop(custom("x"))),
                at("a", json!({ "Many": [link("c"), link("c")] })),
                at("c", link("a")),
                at("c", stop(custom("y"))),
            ],
        ),
        Scenario::new(
            "LINK-05 oneself and strangers",
            &["a", "b"],
            [at("a", json!({ "Many": [link("a"), unlink("b"), unlink("a")] })), at("a", stop(custom("alone")))],
        ),
    ]
}

fn monitors() -> Vec<Scenario> {
    let words = json!([
        send("a", json!(1)),
        { "SendNamed": { "name": "a", "body": 2 } },
        { "Cast": { "to": { "name": "a" }, "body": 3 } },
        { "Stop": { "reason": custom("x") } }
    ]);
    vec![
        Scenario::new(
            "MON-01 one way and once",
            &["a", "b", "c"],
            [
                bring("m", "a", monitor("b")),
                at("b", monitor("c")),
                at("b", stop(custom("x"))),
                at("a", json!({ "Demonitor": { "mark": "$m" } })),
                at("c", json!("Journal")),
            ],
        ),
        Scenario::new("MON-02 nobody", &["a"], [at("a", monitor_name("nobody"))]),
        Scenario::new(
            "MON-03 each for itself",
            &["a", "b"],
            [
                bring("m", "a", monitor("b")),
                at("a", monitor("b")),
                at("a", monitor_name("b")),
                at("a", json!({ "Demonitor": { "mark": "$m", "flush": true } })),
                at("a", json!({ "Demonitor": { "mark": "$m", "flush": true } })),
                at("b", stop(custom("x"))),
            ],
        )
        .in_any_order(),
        Scenario::new(
            "MON-04 the holder of that moment",
            &["a", "b", "c"],
            [
                at("a", monitor_name("b")),
                at("b", name("Unregister", "b")),
                at("c", json!({ "Many": [name("Unregister", "c"), name("Register", "b")] })),
                at("c", stop(custom("x"))),
                at("b", stop(custom("y"))),
            ],
        ),
        Scenario::new(
            "MON-06 the last words come first",
            &["a", "b"],
            [at("a", monitor("b")), tell("b", words.clone())],
        ),
        Scenario::new(
            "MON-06 the last words come first, by name",
            &["a", "b"],
            [at("a", monitor_name("b")), tell("b", words)],
        ),
    ]
}

fn names() -> Vec<Scenario> {
    let life = ["Whereis", "Register", "Whereis", "Unregister", "Whereis", "Unregister", "Register"];
    let life: Vec<Value> = life.into_iter().map(|step| name(step, "bank")).collect();
    let register = |name: &str, pid: &str| json!({ "Register": { "name": name, "pid": format!("${pid}") } });
    let say = json!([{ "SendNamed": { "name": "a", "body": "init ran" } }]);
    let named = json!({ "Spawn": { "module": "probe", "name": "b", "args": say, "link": true, "monitor": true } });
    vec![
        Scenario::new(
            "REG-01 a name's life",
            &["a", "b"],
            [
                bring("c", "a", spawn(Value::Null)),
                at("c", json!({ "Many": life })),
                at("a", name("Whereis", "bank")),
                at("a", json!({ "SendNamed": { "name": "bank", "body": 1 } })),
                at("a", unlink("c")),
                at("b", kill("c")),
                at("a", name("Whereis", "bank")),
            ],
        ),
        Scenario::new("REG-02 what is refused", &["a", "b"], {
            let refused = json!([
                register("b", "c"),
                register("another", "b"),
                register("free", "dead"),
                register("", "c"),
                register("free", "c"),
                register("free-too", "c"),
                name("Whereis", "b"),
                name("Whereis", "free")
            ]);
            let steps = [bring("c", "a", spawn(Value::Null)), at("a", json!({ "Many": refused }))];
            [&dead()[..], &steps[..]].concat()
        }),
        Scenario::new(
            "REG-03 nobody of that name",
            &["a"],
            [
                at("a", json!({ "SendNamed": { "name": "nobody", "body": 1 } })),
                at("a", json!({ "Cast": { "to": { "name": "nobody" }, "body": 1 } })),
            ],
        ),
        Scenario::new(
            "REG-05 GS-02 a start under a taken name",
            &["a", "b"],
            [at("a", trap()), at("a", named), at("b", json!("Journal"))],
        ),
    ]
}

fn timers() -> Vec<Scenario> {
    let start = |after_ms: u64, body: &str| json!({ "StartTimer": { "after_ms": after_ms, "body": body } });
    let later = |after_ms: u64, to: &str| json!({ "SendAfter": { "after_ms": after_ms, "to": to, "body": after_ms } });
    let cancel = |step: usize| json!({ "Cancel": { "mark": { "step": step } } });
    let left = |step: usize| json!({ "Left": { "mark": { "step": step } } });
    vec![
        Scenario::new(
            "TMR-02 both kinds",
            &["a", "b"],
            [
                quietly(tell("a", json!([start(1, "ring")]))),
                hear("a", 2),
                quietly(tell("a", json!([later(1, "$b")]))),
                hear("b", 1),
                quietly(tell(
                    "a",
                    json!([{ "SendAfter": { "after_ms": 1, "to": { "name": "b" }, "body": "by name" } }]),
                )),
                hear("b", 1),
            ],
        ),
        Scenario::new(
            "TMR-03 deadlines decide",
            &["a"],
            [
                quietly(tell("a", json!([start(150, "c"), later(50, "$a"), start(100, "b"), later(200, "$a")]))),
                hear("a", 5),
            ],
        ),
        Scenario::new(
            "TMR-04 cancelled",
            &["a"],
            [
                at("a", json!({ "Many": [start(60_000, "x"), left(0), cancel(0), cancel(0), left(0)] })),
                at("a", json!({ "Many": [later(60_000, "$a"), left(0), cancel(0), cancel(0), left(0)] })),
            ],
        ),
        Scenario::new(
            "TMR-04 MBX-02 too late to cancel, so it is flushed",
            &["a"],
            [
                quietly(task(json!([
                    start(1, "rang"),
                    start(50, "later"),
                    { "ReceiveOnly": { "marks": [{ "step": 1 }] } },
                    cancel(0),
                    { "ReceiveOnly": { "marks": [{ "step": 0 }], "timeout_ms": 0 } },
                    { "Receive": { "timeout_ms": 0 } }
                ]))),
                hear("a", 2),
            ],
        ),
    ]
}

fn mailboxes() -> Vec<Scenario> {
    let say = |body: Value| json!({ "Send": { "to": { "step": 0 }, "body": body } });
    let start = |after_ms: u64| json!({ "StartTimer": { "after_ms": after_ms, "body": after_ms } });
    let now = json!({ "Receive": { "timeout_ms": 0 } });
    let only = |steps: &[usize], timeout_ms: u64| {
        let marks: Vec<Value> = steps.iter().map(|step| json!({ "step": step })).collect();
        json!({ "ReceiveOnly": { "marks": marks, "timeout_ms": timeout_ms } })
    };
    vec![
        Scenario::new(
            "MBX-01 the oldest match, and the rest in place",
            &["a"],
            [
                quietly(task(json!([
                    "Me",
                    start(60),
                    start(1),
                    start(120),
                    say(json!("before")),
                    only(&[3], 5000),
                    say(json!("behind")),
                    only(&[1, 2], 5000),
                    now,
                    now,
                    now,
                    now
                ]))),
                hear("a", 2),
            ],
        ),
        Scenario::new(
            "MBX-02 no time at all",
            &["a"],
            [task(
                json!([now, "Me", start(60_000), { "Send": { "to": { "step": 1 }, "body": 1 } }, only(&[2], 0), now, now]),
            )],
        ),
    ]
}
