//! GS: how a server starts, is called, answers and ends.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use skep_runtime::kernel::supervisor::RequestError;
use skep_runtime::kernel::{ExitReason, SpawnError};
use skep_runtime::{Request, RuntimeError};
use skep_tests::{Child, eventually, in_both_modes};

use super::{
    block, call_and_wait, custom, dead, heard, journal_behind, monitor, of_kind, probes, process, reason, shutdown,
    spawn, task, through, until,
};

#[tokio::test(flavor = "multi_thread")]
async fn gs_01_a_start_waits_until_init_is_over() {
    in_both_modes(probes(["a", "holder"]), async |app| {
        let init = json!([call_and_wait("holder"), { "SendNamed": { "name": "a", "body": "init is over" } }]);
        let started = async {
            let say = json!({ "SendNamed": { "name": "a", "body": "started" } });
            app.steps("a", json!([{ "Spawn": { "module": "probe", "args": init } }, say])).await
        };
        let released = async {
            until(app, "holder", json!("Held"), |held| *held != json!([])).await;
            eventually("the starter to wait", || (process(app, "a").status == "blocked").then_some(())).await;
            app.ask("holder", json!({ "Release": { "body": null } })).await
        };
        let (results, _) = tokio::join!(started, released);
        assert!(results[0]["Ok"]["pid"].is_string(), "{results}");
        assert_eq!(heard(app, "a", "info", 2).await, [json!("init is over"), json!("started")]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gs_01_a_start_says_how_init_ended() {
    let ends = [
        (json!("Ignore"), json!("ignored")),
        (json!({ "StopWith": custom("x") }), json!({ "failed": custom("x") })),
        (json!({ "StopWith": "normal" }), json!({ "failed": "normal" })),
        (json!({ "Stop": { "reason": custom("x") } }), json!({ "failed": custom("x") })),
        (json!({ "Fail": "no" }), json!({ "failed": { "failed": "no" } })),
    ];
    in_both_modes(probes(["a"]), async |app| {
        let processes = app.runtime.processes().len();
        app.ask("a", json!({ "TrapExit": true })).await;
        let start =
            |init: &Value| json!({ "Spawn": { "module": "probe", "args": [init], "link": true, "monitor": true } });
        for (init, expected) in &ends {
            assert_eq!(app.ask("a", start(init)).await, json!({ "Err": expected }), "{init}");
        }
        let trapped = app.ask("a", start(&json!({ "Panic": "oh no" }))).await;
        assert_eq!(trapped["Err"]["failed"]["trap"]["kind"], "unreachable", "{trapped}");
        assert_eq!(app.ask("a", json!("Journal")).await, json!([]), "the answer is all that is heard of it");
        eventually("nothing to be left", || (app.runtime.processes().len() <= processes).then_some(())).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gs_02_a_failed_start_harms_no_starter_even_one_that_does_not_trap() {
    in_both_modes(probes(["a"]), async |app| {
        let a = app.pid("a");
        let start =
            json!({ "Spawn": { "module": "probe", "args": [{ "Fail": "no" }], "link": true, "monitor": true } });
        assert_eq!(app.ask("a", start).await, json!({ "Err": { "failed": { "failed": "no" } } }));
        assert_eq!(app.ask("a", json!("Journal")).await, json!([]));
        assert_eq!(app.pid("a"), a);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gs_01_an_init_that_takes_too_long_is_ended_and_its_starter_told_so() {
    in_both_modes(probes(["holder"]), async |app| {
        let child = Child::new("slow", "probe", &json!([call_and_wait("holder")]))
            .limits(|limits| limits.init_timeout = Duration::from_millis(30));
        let root = app.runtime.root("test").expect("the app runs");
        let refused = app.runtime.supervise(root, Request::StartChild(child.spec)).await;
        let too_slow = RequestError::Failed(SpawnError::Failed(ExitReason::limit("time")));
        assert!(matches!(&refused, Err(RuntimeError::Refused(error)) if *error == too_slow), "{refused:?}");
        assert_eq!(app.whereis("slow"), None);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gs_03_a_caller_gives_up_and_the_server_performs_the_request() {
    in_both_modes(probes(["a", "server", "holder"]), async |app| {
        block(app, "server", "holder").await;
        let call = json!({ "Call": { "to": { "name": "server" }, "body": { "Echo": "late" }, "timeout_ms": 10 } });
        assert_eq!(app.ask("a", call).await, json!({ "Err": "timeout" }));
        app.ask("holder", json!({ "Release": { "body": null } })).await;
        assert_eq!(heard(app, "server", "call", 1).await, [json!("late")]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gs_03_without_a_time_of_its_own_a_call_ends_its_caller_after_five_seconds() {
    in_both_modes(probes(["o", "holder"]), async |app| {
        let caller = spawn(app, "o", Value::Null).await;
        let mark = monitor(app, "o", caller.clone()).await;
        let started = Instant::now();
        let call = json!({ "CallOrExit": { "to": { "name": "holder" }, "body": "Hold" } });
        app.ask("o", json!({ "Send": { "to": caller, "body": { "do": [call] } } })).await;
        let why = reason(app, "o", &mark).await;
        assert!(why["failed"].as_str().is_some_and(|text| text.contains("timeout")), "{why}");
        assert!(started.elapsed() >= Duration::from_secs(5));
        assert_eq!(app.ask("holder", json!("Held")).await.as_array().map(Vec::len), Some(1), "it was not told");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gs_04_a_late_reply_never_arrives() {
    in_both_modes(probes(["a", "holder"]), async |app| {
        let call = json!({ "Call": { "to": { "name": "holder" }, "body": "Hold", "timeout_ms": 10 } });
        assert_eq!(app.ask("a", call).await, json!({ "Err": "timeout" }));
        let request = json!({ "Request": { "to": { "name": "holder" }, "body": "Hold", "timeout_ms": 10 } });
        let mark = app.ask("a", request).await;
        let answers = heard(app, "a", "answer", 1).await;
        assert_eq!(answers, [json!({ "mark": mark, "outcome": { "Err": "timeout" } })]);
        until(app, "holder", json!("Held"), |held| held.as_array().is_some_and(|held| held.len() == 2)).await;
        let release = json!({ "Release": { "body": "late" } });
        assert_eq!(app.steps("holder", json!([release, release, release])).await, json!([true, true, false]));
        assert_eq!(journal_behind(app, "a", "holder").await.len(), 1, "nothing but the answer that it had");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gs_06_the_callers_of_a_server_that_ends_are_told_at_once() {
    let ends = [
        (json!({ "StopWith": custom("x") }), custom("x")),
        (json!({ "StopWith": "normal" }), json!("normal")),
        (json!({ "Fail": "no" }), json!({ "failed": "no" })),
        (json!("Me"), json!("killed")),
    ];
    in_both_modes(probes(["a", "b", "o"]), async |app| {
        for (end, expected) in &ends {
            let server = spawn(app, "o", Value::Null).await;
            let call = json!([{ "Call": { "to": server, "body": "Hold", "timeout_ms": null } }]);
            let exiting = spawn(app, "o", Value::Null).await;
            let mark = monitor(app, "o", exiting.clone()).await;
            let call_or_exit = json!([{ "CallOrExit": { "to": server, "body": "Hold" } }]);
            app.ask("o", json!({ "Send": { "to": exiting, "body": { "do": call_or_exit } } })).await;
            app.send("b", &json!({ "do": [{ "Request": { "to": server, "body": "Hold", "timeout_ms": null } }] }));
            let ended = async {
                let held = json!({ "Call": { "to": { "pid": server }, "body": "Held" } });
                until(app, "o", held, |held| held["Ok"].as_array().is_some_and(|held| held.len() == 3)).await;
                if end == "Me" {
                    app.ask("o", json!({ "Kill": { "to": server } })).await;
                } else {
                    app.ask("o", json!({ "Send": { "to": server, "body": { "do": [end] } } })).await;
                }
            };
            let (told, ()) = tokio::join!(app.steps("a", call), ended);
            assert_eq!(told, json!([{ "Err": { "ended": expected } }]));
            let answers = heard(app, "b", "answer", 1).await;
            assert_eq!(answers[0]["outcome"], json!({ "Err": { "ended": expected } }));
            app.ask("b", json!("Take")).await;
            let why = reason(app, "o", &mark).await;
            let after_normal = expected == "normal" && why["failed"].is_string();
            assert!(why == *expected || after_normal, "the caller that ends with its callee: {why}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gs_06_a_call_to_nobody_or_oneself_is_answered_at_once() {
    in_both_modes(probes(["a"]), async |app| {
        let dead = dead(app, "a").await;
        let (a, noproc) = (app.pid_text("a"), json!({ "Err": { "ended": "noproc" } }));
        let call = |to: Value| json!({ "Call": { "to": to, "body": "Journal", "timeout_ms": null } });
        let calls = json!([
            call(json!({ "pid": dead })),
            call(json!({ "name": "nobody" })),
            call(json!({ "pid": a })),
            call(json!({ "name": "a" }))
        ]);
        let results = app.steps("a", calls).await;
        assert_eq!((&results[0], &results[1]), (&noproc, &noproc));
        for own in [&results[2], &results[3]] {
            assert!(own["Err"]["refused"].is_string(), "it would wait for itself: {own}");
        }
        for to in [json!({ "pid": dead }), json!({ "name": "nobody" })] {
            let mark = app.ask("a", json!({ "Request": { "to": to, "body": "Journal" } })).await;
            let answers = heard(app, "a", "answer", 1).await;
            assert_eq!(answers, [json!({ "mark": mark, "outcome": noproc })]);
            app.ask("a", json!("Take")).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gs_07_a_cast_always_succeeds() {
    in_both_modes(probes(["a", "b"]), async |app| {
        let dead = dead(app, "a").await;
        let forged = "0.999999.1";
        let cast = |to: &str| json!({ "Cast": { "to": to, "body": 1 } });
        let results = app.steps("a", json!([cast("nobody"), cast(&dead), cast(forged), cast("b")])).await;
        assert_eq!(results, json!([null, null, null, null]));
        assert_eq!(heard(app, "b", "cast", 1).await, [json!(1)]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gs_08_a_reply_may_come_later_and_from_another() {
    in_both_modes(probes(["a", "b", "server", "other"]), async |app| {
        let call = json!([{ "Call": { "to": { "name": "server" }, "body": "Hold" } }]);
        let answered = async {
            let held =
                until(app, "server", json!("Held"), |held| held.as_array().is_some_and(|held| held.len() == 2)).await;
            assert_eq!(app.ask("server", json!({ "Echo": "meanwhile" })).await, json!("meanwhile"));
            let reply = |held: &Value, body: &str| json!({ "ReplyTo": { "caller": held, "body": body } });
            let of_a = usize::from(held[0]["pid"] != app.pid_text("a"));
            app.steps("other", json!([reply(&held[of_a], "from another"), reply(&held[of_a], "twice")])).await;
            app.ask("server", reply(&held[1 - of_a], "later")).await;
        };
        let (to_a, to_b, ()) = tokio::join!(app.steps("a", call.clone()), app.steps("b", call.clone()), answered);
        assert_eq!((to_a, to_b), (json!([{ "Ok": "from another" }]), json!([{ "Ok": "later" }])));
        assert_eq!(journal_behind(app, "a", "other").await, [] as [Value; 0], "the second reply goes nowhere");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gs_12_an_exit_signal_of_the_parent_is_an_order_to_those_who_trap() {
    in_both_modes(probes(["o"]), async |app| {
        let at_end = json!({ "AtEnd": { "tell": { "name": "o" } } });
        for why in [shutdown(), custom("x"), json!("normal")] {
            // o is the parent.
            let pid = spawn(app, "o", json!([{ "TrapExit": true }, at_end])).await;
            let mark = monitor(app, "o", pid.clone()).await;
            app.ask("o", json!({ "Exit": { "to": pid, "reason": why } })).await;
            assert_eq!(reason(app, "o", &mark).await, why);
            let journal = app.ask("o", json!("Take")).await;
            let infos = of_kind(journal.as_array().expect("a journal"), "info");
            assert_eq!(infos, [json!({ "terminated": why })]);
        }
        let pid = spawn(app, "o", json!([at_end])).await;
        let mark = monitor(app, "o", pid.clone()).await;
        app.ask("o", json!({ "Exit": { "to": pid, "reason": shutdown() } })).await;
        assert_eq!(reason(app, "o", &mark).await, shutdown());
        assert_eq!(heard(app, "o", "info", 0).await, [] as [Value; 0], "who does not trap ends without a word");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gs_12_an_exit_signal_of_a_stranger_is_an_event_to_those_who_trap() {
    in_both_modes(probes(["a", "o"]), async |app| {
        let pid = spawn(app, "o", json!([{ "TrapExit": true }, { "AtEnd": { "tell": { "name": "o" } } }])).await;
        app.ask("a", json!({ "Exit": { "to": pid, "reason": shutdown() } })).await;
        let journal = through(app, "a", &pid, json!("Journal")).await;
        assert_eq!(journal[1], json!({ "exit": { "pid": app.pid_text("a"), "reason": shutdown() } }));
        assert_eq!(heard(app, "o", "info", 0).await, [] as [Value; 0]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gs_15_a_continue_comes_before_what_arrived_during_init() {
    in_both_modes(probes(["a", "o", "holder"]), async |app| {
        let init = json!([call_and_wait("holder"), { "Continue": 2 }]);
        let spawn = json!([{ "Spawn": { "module": "probe", "args": init, "name": "late" } }]);
        let sent = async {
            until(app, "holder", json!("Held"), |held| *held != json!([])).await;
            app.ask("a", json!({ "SendNamed": { "name": "late", "body": "early" } })).await;
            app.ask("holder", json!({ "Release": { "body": null } })).await
        };
        tokio::join!(app.steps("o", spawn), sent);
        let journal = app.journal("late", |journal| journal.len() >= 4).await;
        assert_eq!(journal[1..], [json!({ "continue": 2 }), json!({ "continue": 1 }), json!({ "info": "early" })]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gs_19_a_request_is_waited_for_again_or_given_up() {
    in_both_modes(probes(["a", "holder"]), async |app| {
        let ask = json!({ "Request": { "to": { "name": "holder" }, "body": "Hold", "timeout_ms": null } });
        let release = json!({ "Release": { "body": "answer" } });
        let answered = async {
            for _ in 0..2 {
                until(app, "holder", json!("Held"), |held| *held != json!([])).await;
                // By then the task has waited in vain at least once; or not, and then it is answered at once.
                app.ask("holder", release.clone()).await;
            }
        };
        let wait = |ms: u64| json!({ "ReceiveOnly": { "marks": [{ "step": 0 }], "timeout_ms": ms } });
        let steps = json!([
            ask,
            { "ReceiveOnly": { "marks": [{ "step": 0 }] } },
            ask,
            { "Abandon": { "mark": { "step": 2 } } },
            { "Abandon": { "mark": { "step": 2 } } },
            { "Abandon": { "mark": { "step": 0 } } },
            "Me",
            // Only the answer that was given up could come.
            { "Receive": { "timeout_ms": 300 } },
            wait(0)
        ]);
        let (results, ()) = tokio::join!(task(app, "a", steps), answered);
        assert_eq!(results[1]["answer"]["outcome"], json!({ "Ok": "answer" }));
        assert_eq!(results[3..6], [json!(true), json!(false), json!(false)]);
        assert_eq!(results[7..], [Value::Null, Value::Null]);
        // One that is not given up may be waited for as often as one likes.
        let late = json!([ask, wait(1), wait(1), { "ReceiveOnly": { "marks": [{ "step": 0 }] } }]);
        let answered = async {
            until(app, "holder", json!("Held"), |held| *held != json!([])).await;
            app.ask("holder", release.clone()).await
        };
        let (results, _) = tokio::join!(task(app, "a", late), answered);
        let heard = results[1..].iter().filter(|result| **result != Value::Null).count();
        assert_eq!(heard, 1, "once, whenever it came: {results:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gs_14_stopping_a_server_says_whether_it_ended_as_it_should() {
    in_both_modes(probes(["a", "o", "holder"]), async |app| {
        let stop = |to: &Value, ms: u64| json!({ "StopServer": { "to": to, "reason": custom("x"), "timeout_ms": ms } });
        let tell = json!({ "AtEnd": { "tell": { "name": "o" } } });
        let named = json!({ "Spawn": { "module": "probe", "args": [tell], "name": "named" } });
        let by_name = json!({ "name": "named" });
        let results = app.steps("o", json!([named, stop(&by_name, 5_000), { "Whereis": { "name": "named" } }])).await;
        assert_eq!((&results[1], &results[2]), (&json!({ "Ok": null }), &Value::Null), "its name is free");
        assert_eq!(heard(app, "o", "info", 1).await, [json!({ "terminated": custom("x") })]);

        let otherwise =
            spawn(app, "o", json!([{ "AtEnd": { "steps": [{ "Stop": { "reason": custom("y") } }] } }])).await;
        let gone = dead(app, "a").await;
        let results = app.steps("a", json!([stop(&json!(otherwise), 5_000), stop(&json!(gone), 5_000)])).await;
        assert_eq!(results, json!([{ "Err": { "ended": custom("y") } }, { "Err": { "ended": "noproc" } }]));

        // It is busy for longer than that, and ends afterwards.
        block(app, "o", "holder").await;
        let mark = monitor(app, "a", json!({ "name": "o" })).await;
        assert_eq!(app.ask("a", stop(&json!({ "name": "o" }), 20)).await, json!({ "Err": "timeout" }));
        app.ask("holder", json!({ "Release": { "body": null } })).await;
        assert_eq!(reason(app, "a", &mark).await, custom("x"));
    })
    .await;
}
