//! PROC: the order of signals, who gets turns, why processes end, and what is left of them then.

use serde_json::{Value, json};
use skep_runtime::kernel::{CallError, ExitReason};
use skep_tests::{Child, TestApp, eventually, in_both_modes};

use super::{block, custom, dead, heard, monitor, probes, process, reason, shutdown, task};

#[tokio::test(flavor = "multi_thread")]
async fn proc_01_one_sender_is_heard_in_the_order_of_sending_whatever_is_sent() {
    in_both_modes(probes(["a", "b"]), async |app| {
        let (a, b) = (app.pid_text("a"), app.pid_text("b"));
        app.ask("b", json!({ "TrapExit": true })).await;
        app.steps(
            "a",
            json!([
                { "Send": { "to": b, "body": 1 } },
                { "Cast": { "to": b, "body": 2 } },
                { "Exit": { "to": b, "reason": custom("x") } },
                { "SendNamed": { "name": "b", "body": 3 } },
                { "Link": { "to": b } },
                { "Exit": { "to": b, "reason": "normal" } },
                { "Unlink": { "to": b } },
                { "Cast": { "to": { "name": "b" }, "body": 4 } },
                { "Call": { "to": b, "body": { "Echo": 5 } } }
            ]),
        )
        .await;
        let expected = json!([
            { "info": 1 },
            { "cast": 2 },
            { "exit": { "pid": a, "reason": custom("x") } },
            { "info": 3 },
            { "exit": { "pid": a, "reason": "normal" } },
            { "cast": 4 },
            { "call": 5 }
        ]);
        assert_eq!(app.ask("b", json!("Journal")).await, expected);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn proc_01_what_is_sent_behind_an_exit_signal_is_never_handled() {
    in_both_modes(probes(["a", "o"]), async |app| {
        for round in 0..20 {
            let tell = |what: u32| json!({ "Send": { "to": { "step": 0 }, "body": { "do": [tells(what)] } } });
            let results = app
                .steps(
                    "a",
                    json!([
                        { "Spawn": { "module": "probe" } },
                        tell(1),
                        tell(2),
                        { "Exit": { "to": { "step": 0 }, "reason": custom("x") } },
                        tell(3),
                        { "Cast": { "to": { "step": 0 }, "body": { "do": [tells(4)] } } },
                        { "Monitor": { "target": { "step": 0 } } }
                    ]),
                )
                .await;
            reason(app, "a", &results[6]).await;
            let heard = app.ask("o", json!("Take")).await;
            let all = [json!({ "info": 1 }), json!({ "info": 2 })];
            let heard = heard.as_array().expect("a journal");
            assert!(all.starts_with(heard), "round {round}: {heard:?}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn proc_01_the_last_messages_come_before_the_exit_signal_of_a_link() {
    in_both_modes(probes(["a"]), async |app| {
        app.ask("a", json!({ "TrapExit": true })).await;
        let a = app.pid_text("a");
        for end in
            [json!({ "StopWith": "normal" }), json!({ "Stop": { "reason": custom("x") } }), json!({ "Panic": "x" })]
        {
            let words = json!([
                { "Link": { "to": a } },
                { "Send": { "to": a, "body": 1 } },
                { "SendNamed": { "name": "a", "body": 2 } },
                { "Cast": { "to": { "pid": a }, "body": 3 } },
                end
            ]);
            let spawn = json!({ "Spawn": { "module": "probe" } });
            let tell = json!({ "Send": { "to": { "step": 0 }, "body": { "do": words } } });
            let results = app.steps("a", json!([spawn, tell])).await;
            heard(app, "a", "exit", 1).await;
            let journal = app.ask("a", json!("Take")).await;
            let expected = [json!({ "info": 1 }), json!({ "info": 2 }), json!({ "cast": 3 })];
            assert_eq!(journal.as_array().map(|journal| &journal[..3]), Some(&expected[..]), "{journal}");
            assert_eq!(journal[3]["exit"]["pid"], results[0]["Ok"]["pid"]);
            assert_eq!(journal[4], Value::Null, "{journal}");
        }
    })
    .await;
}

fn tells(what: u32) -> Value {
    json!({ "SendNamed": { "name": "o", "body": what } })
}

/// Messages in a row to one receiver travel together (`shell/outbox.rs`): nobody is to notice but by the time that it takes.
#[tokio::test(flavor = "multi_thread")]
async fn proc_01_a_row_of_messages_arrives_whole_and_in_order_however_the_turn_goes_on() {
    const ROW: usize = 100;
    in_both_modes(probes(["o"]), async |app| {
        let o = app.pid_text("o");
        let say = |number: usize| match number % 3 {
            0 => json!({ "Cast": { "to": o, "body": number } }),
            _ => json!({ "Send": { "to": o, "body": number } }),
        };
        let row: Vec<Value> = (0..ROW).map(say).collect();
        let said: Vec<Value> =
            (0..ROW).map(|number| json!({ if number % 3 == 0 { "cast" } else { "info" }: number })).collect();
        // What comes behind it, and why the process ends then; if it loops for ever, by an exit signal.
        let endings = [
            (json!({ "Panic": "x" }), None),
            (json!({ "StopWith": custom("x") }), Some(custom("x"))),
            (json!({ "Fail": "x" }), Some(json!({ "failed": "x" }))),
            (json!("Spin"), Some(custom("enough"))),
        ];
        for (ending, expected) in endings {
            let work = [row.clone(), vec![ending.clone()]].concat();
            let results = app
                .steps(
                    "o",
                    json!([
                        { "Spawn": { "module": "probe" } },
                        { "Monitor": { "target": { "step": 0 } } },
                        { "Send": { "to": { "step": 0 }, "body": { "do": work } } }
                    ]),
                )
                .await;
            let heard = app.journal("o", |journal| journal.len() >= ROW).await;
            assert_eq!(heard[..ROW], said, "{ending}");
            if ending == "Spin" {
                assert_eq!(heard.len(), ROW, "it loops on");
                app.ask("o", json!({ "Exit": { "to": results[0]["Ok"]["pid"], "reason": custom("enough") } })).await;
            }
            let why = reason(app, "o", &results[1]).await;
            expected.inspect(|expected| assert_eq!(why, *expected));
            let journal = app.ask("o", json!("Take")).await;
            assert_eq!(journal.as_array().map(Vec::len), Some(ROW + 1), "the row, then the end: {journal}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn proc_01_links_and_monitors_keep_their_place_among_the_signals() {
    in_both_modes(probes(["a"]), async |app| {
        app.ask("a", json!({ "TrapExit": true })).await;
        let spawn = json!({ "Spawn": { "module": "probe" } });
        let [link, unlink, kill] = ["Link", "Unlink", "Kill"].map(|step| json!({ step: { "to": { "step": 0 } } }));
        let watch = json!({ "Monitor": { "target": { "step": 0 } } });
        for _ in 0..20 {
            let mark = &app.steps("a", json!([spawn, link, unlink, watch, kill])).await[3];
            assert_eq!(reason(app, "a", mark).await, json!("killed"));

            let results = app.steps("a", json!([spawn, unlink, link, watch, kill])).await;
            assert_eq!(reason(app, "a", &results[3]).await, json!("killed"));
            let exits = heard(app, "a", "exit", 1).await;
            assert_eq!(exits, [json!({ "pid": results[0]["Ok"]["pid"], "reason": "killed" })], "of the second only");

            let forget = json!({ "Demonitor": { "mark": { "step": 1 } } });
            let results = app.steps("a", json!([spawn, watch, forget, watch, kill])).await;
            assert_eq!(results[2], json!(true));
            assert_eq!(reason(app, "a", &results[3]).await, json!("killed"));
            let downs = super::of_kind(app.ask("a", json!("Take")).await.as_array().expect("a journal"), "down");
            assert!(downs.iter().all(|down| down["mark"] != results[1]), "it was taken back: {downs:?}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn proc_03_a_message_to_the_dead_goes_nowhere_and_is_no_error() {
    in_both_modes(probes(["a"]), async |app| {
        let dead = dead(app, "a").await;
        let results = app
            .steps(
                "a",
                json!([{ "Send": { "to": dead, "body": 1 } }, { "Cast": { "to": dead, "body": 2 } }, "Journal"]),
            )
            .await;
        assert_eq!(results, json!([{ "Ok": null }, null, []]));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn proc_03_a_full_mailbox_blocks_no_sender() {
    let full = Child::probe("b").limits(|limits| limits.mailbox_messages = 3);
    in_both_modes([probes(["a", "holder"]), vec![full]].concat(), async |app| {
        block(app, "b", "holder").await;
        let b = app.pid_text("b");
        let sends: Vec<Value> = (0..5).map(|number| json!({ "Send": { "to": b, "body": number } })).collect();
        let refused = json!({ "Err": { "limit": "mailbox" } });
        let ok = json!({ "Ok": null });
        assert_eq!(app.steps("a", json!(sends)).await, json!([ok, ok, ok, refused, refused]));
        assert_eq!(app.ask("holder", json!({ "Release": { "body": null } })).await, json!(true));
        eventually("room in its mailbox", || (process(app, "b").mailbox_messages == 0).then_some(())).await;
        assert_eq!(heard(app, "b", "info", 4).await[1..], [json!(0), json!(1), json!(2)]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn proc_04_endless_loops_let_others_run_and_end_by_an_exit_signal() {
    let spinners = ["s1", "s2", "s3", "s4"];
    let tireless =
        probes(spinners).into_iter().map(|child| child.limits(|limits| limits.fuel_per_message = u64::MAX >> 4));
    let children: Vec<Child> = probes(["a", "b"]).into_iter().chain(tireless).collect();
    in_both_modes(children, async |app| {
        let mut marks = Vec::new();
        for name in spinners {
            marks.push(monitor(app, "a", app.pid_text(name)).await);
            app.send(name, &json!({ "do": ["Spin"] }));
        }
        for number in 0..10 {
            assert_eq!(app.ask("b", json!({ "Echo": number })).await, json!(number));
        }
        for (name, reason) in spinners.iter().zip(reasons()) {
            let to = app.pid_text(name);
            app.steps(
                "a",
                json!([{ "Exit": { "to": to, "reason": "normal" } }, { "Exit": { "to": to, "reason": reason } }]),
            )
            .await;
        }
        for (mark, expected) in marks.iter().zip(reasons()) {
            assert_eq!(reason(app, "a", mark).await, expected);
        }
    })
    .await;
}

fn reasons() -> [Value; 4] {
    [custom("enough"), shutdown(), json!("killed"), json!({ "limit": "patience" })]
}

#[tokio::test(flavor = "multi_thread")]
async fn proc_02_between_two_senders_there_is_no_order_and_each_keeps_its_own() {
    in_both_modes(probes(["a", "b", "c"]), async |app| {
        let count = 20;
        let sends = |who: &str| {
            let send = |number: u32| json!({ "SendNamed": { "name": "c", "body": [who, number] } });
            json!({ "do": (0..count).map(send).collect::<Vec<_>>() })
        };
        app.send("a", &sends("a"));
        app.send("b", &sends("b"));
        let all = usize::try_from(2 * count).expect("a small number");
        let infos = heard(app, "c", "info", all).await;
        for who in ["a", "b"] {
            let numbers = infos.iter().filter(|info| info[0] == who).map(|info| info[1].as_u64().expect("a number"));
            assert!(numbers.eq(0..u64::from(count)), "whatever came in between: {infos:?}");
        }
        assert_eq!(infos.len(), all);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn proc_05_the_first_of_two_exit_signals_decides() {
    let tireless =
        ["first", "second"].map(|name| Child::probe(name).limits(|limits| limits.fuel_per_message = u64::MAX >> 4));
    in_both_modes([probes(["a"]), tireless.into()].concat(), async |app| {
        for (name, expected) in [("first", custom("x")), ("second", json!("killed"))] {
            let pid = app.pid_text(name);
            let mark = monitor(app, "a", pid.clone()).await;
            app.send(name, &json!({ "do": ["Spin"] }));
            let exit = |reason: Value| json!({ "Exit": { "to": pid, "reason": reason } });
            let kill = json!({ "Kill": { "to": pid } });
            let signals = if name == "first" {
                json!([exit(expected.clone()), exit(custom("y")), kill])
            } else {
                json!([kill, exit(custom("y"))])
            };
            app.steps("a", signals).await;
            assert_eq!(reason(app, "a", &mark).await, expected);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn proc_06_after_an_exit_signal_the_answer_to_is_it_alive_is_no_and_its_name_is_free() {
    in_both_modes(probes(["a"]), async |app| {
        for round in 0..20 {
            let name = format!("doomed-{round}");
            let alive = json!({ "IsAlive": { "pid": { "step": 0 } } });
            let end = match round % 2 {
                0 => json!({ "Kill": { "to": { "step": 0 } } }),
                _ => json!({ "Exit": { "to": { "step": 0 }, "reason": custom("x") } }),
            };
            let results = app
                .steps(
                    "a",
                    json!([
                        { "Spawn": { "module": "probe", "name": name } },
                        { "Send": { "to": { "step": 0 }, "body": { "do": ["Spin"] } } },
                        { "Exit": { "to": { "step": 0 }, "reason": "normal" } },
                        alive,
                        end,
                        alive,
                        alive,
                        { "Spawn": { "module": "probe" } },
                        { "Register": { "name": name, "pid": { "step": 7 } } },
                        "Me",
                        { "IsAlive": { "pid": { "step": 9 } } }
                    ]),
                )
                .await;
            let answers = [3, 5, 6, 8, 10].map(|step| &results[step]);
            assert_eq!(answers, [&json!(true), &json!(false), &json!(false), &json!({ "Ok": null }), &json!(true)]);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn proc_11_who_takes_too_much_memory_ends_and_the_neighbours_do_not() {
    let hog = |name: &str| Child::new(name, "memory-hog", &Value::Null).limits(|limits| limits.memory_bytes = 2 << 20);
    in_both_modes([probes(["a", "b"]), vec![hog("blocks"), hog("crumbs")]].concat(), async |app| {
        let before = app.pid("b");
        for (name, bytes) in [("blocks", 64 << 10), ("crumbs", 100)] {
            let mark = monitor(app, "a", app.pid_text(name)).await;
            let end = app.call(name, json!({ "Many": { "bytes": bytes } })).await;
            assert_eq!(end, Err(CallError::Ended(ExitReason::limit("memory"))), "{name}");
            assert_eq!(reason(app, "a", &mark).await, json!({ "limit": "memory" }), "{name}");
        }
        assert_eq!(app.ask("b", json!({ "Echo": 1 })).await, json!(1));
        assert_eq!(app.pid("b"), before);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn proc_07_each_way_to_end_has_its_reason() {
    let own = custom("tired");
    let ways = [
        ("probe-task", json!([]), Value::Null, json!("normal")),
        ("probe-task", json!([{ "Stop": { "reason": own } }]), Value::Null, own.clone()),
        ("probe-task", json!([{ "Fail": "no" }]), Value::Null, json!({ "failed": "no" })),
        ("probe", Value::Null, json!({ "do": [{ "StopWith": "normal" }] }), json!("normal")),
        ("probe", Value::Null, json!({ "do": [{ "StopWith": own }] }), own.clone()),
        ("probe", Value::Null, json!({ "do": [{ "Stop": { "reason": own } }] }), own.clone()),
        ("probe", Value::Null, json!({ "do": [{ "Fail": "no" }] }), json!({ "failed": "no" })),
    ];
    // A reason that a process chooses is passed on as it is, whatever the host makes of the same word.
    let words = [
        shutdown(),
        json!({ "shutdown": { "json": "{\"for\":\"good\"}" } }),
        json!("killed"),
        json!("noproc"),
        json!("noconnection"),
        json!({ "limit": "patience" }),
        json!({ "failed": "no" }),
        json!({ "custom": { "messagepack": [1] } }),
    ];
    in_both_modes(probes(["a"]), async |app| {
        for (module, args, message, expected) in &ways {
            assert_eq!(end_of(app, module, args, message).await, *expected, "{module} {args} {message}");
        }
        for word in &words {
            for end in ["StopWith", "Stop"] {
                let step = if end == "Stop" { json!({ end: { "reason": word } }) } else { json!({ end: word }) };
                assert_eq!(end_of(app, "probe", &Value::Null, &json!({ "do": [step] })).await, *word, "{end}");
            }
            let stop = json!([{ "Stop": { "reason": word } }]);
            assert_eq!(end_of(app, "probe-task", &stop, &Value::Null).await, *word, "by a task");
        }
        let panic = json!({ "do": [{ "Panic": "oh no" }] });
        let trap = end_of(app, "probe", &Value::Null, &panic).await;
        assert_eq!(trap["trap"]["kind"], "unreachable");
        assert!(trap["trap"]["message"].as_str().is_some_and(|text| text.contains("oh no")), "{trap}");
        assert!(trap["trap"]["trace"].as_str().is_some_and(|trace| trace.contains("probe")), "{trap}");
        assert_eq!(end_of(app, "probe", &Value::Null, &panic).await, trap, "the same trap, the same reason");
        let trap = end_of(app, "trapper", &Value::Null, &json!({ "Here": "OutOfBounds" })).await;
        assert_eq!(trap["trap"]["kind"], "memory-out-of-bounds");
        let none = app.ask("a", json!({ "Spawn": { "module": "no-such-module" } })).await;
        assert!(none["Err"]["refused"].is_object(), "no code, no process: {none}");
    })
    .await;
}

/// Why a process ended that `a` started and told this.
async fn end_of(app: &TestApp, module: &str, args: &Value, message: &Value) -> Value {
    let spawn = json!({ "Spawn": { "module": module, "args": args, "monitor": true } });
    let results = app.steps("a", json!([spawn, { "Send": { "to": { "step": 0 }, "body": message } }])).await;
    reason(app, "a", &results[0]["Ok"]["mark"]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn proc_09_a_name_is_free_before_anybody_hears_of_the_end() {
    in_both_modes(probes(["a"]), async |app| {
        for round in 0..10 {
            let name = format!("named-{round}");
            let named = json!({ "Spawn": { "module": "probe", "name": name } });
            let [whereis, register] = [json!({ "Whereis": { "name": name } }), json!({ "Register": { "name": name } })];
            let kill = json!({ "Kill": { "to": { "step": 0 } } });
            let by_monitor = json!([
                named,
                { "Monitor": { "target": { "name": name } } },
                kill,
                { "ReceiveOnly": { "marks": [{ "step": 1 }] } },
                whereis,
                register
            ]);
            let results = task(app, "a", by_monitor).await;
            assert_eq!(results[3]["down"]["reason"], "killed");
            assert_eq!(results[4..], [Value::Null, json!({ "Ok": null })]);
        }
        for round in 0..10 {
            let name = format!("linked-{round}");
            let by_link = json!([
                { "Spawn": { "module": "probe", "name": name, "link": true } },
                { "TrapExit": true },
                { "Exit": { "to": { "step": 0 }, "reason": custom("x") } },
                { "Receive": {} },
                { "Whereis": { "name": name } },
                { "Register": { "name": name } }
            ]);
            let results = task(app, "a", by_link).await;
            assert_eq!(results[3]["exit"]["reason"], custom("x"));
            assert_eq!(results[4..], [Value::Null, json!({ "Ok": null })]);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn proc_10_no_guest_code_runs_after_a_kill() {
    in_both_modes(probes(["o"]), async |app| {
        let at_end = json!([{ "TrapExit": true }, { "AtEnd": { "tell": { "name": "o" } } }]);
        let last_words = tells(1);
        for script in [
            json!(["Me", { "Kill": { "to": { "step": 0 } } }, last_words]),
            json!(["Me", { "TrapExit": false }, { "Exit": { "to": { "step": 0 }, "reason": "normal" } }, last_words]),
            json!(["Spin", last_words]),
        ] {
            let pid = super::spawn(app, "o", at_end.clone()).await;
            let mark = monitor(app, "o", pid.clone()).await;
            let more = json!({ "Send": { "to": pid, "body": { "do": [last_words] } } });
            app.steps("o", json!([{ "Send": { "to": pid, "body": { "do": script } } }, more, more])).await;
            if script[0] == "Spin" {
                app.ask("o", json!({ "Kill": { "to": pid } })).await;
            }
            reason(app, "o", &mark).await;
            let journal = app.ask("o", json!("Take")).await;
            assert_eq!(super::of_kind(journal.as_array().expect("a journal"), "info"), [] as [Value; 0], "{script}");
        }
    })
    .await;
}
