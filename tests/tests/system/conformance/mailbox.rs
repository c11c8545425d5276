//! MBX: what is taken, what stays, and what dies with the process.

use serde_json::{Value, json};
use skep_runtime::kernel::supervisor::Restart;
use skep_tests::{Child, eventually, in_both_modes};

use super::{block, probes, process, task};

#[tokio::test(flavor = "multi_thread")]
async fn mbx_01_a_selective_receive_takes_the_oldest_match_and_leaves_the_rest_in_place() {
    in_both_modes(probes(["a"]), async |app| {
        let say = |text: &str| json!({ "Send": { "to": { "step": 0 }, "body": text } });
        let receive = json!({ "Receive": { "timeout_ms": 0 } });
        let results = task(
            app,
            "a",
            json!([
                "Me",
                { "StartTimer": { "after_ms": 200, "body": "second" } },
                { "StartTimer": { "after_ms": 1, "body": "first" } },
                { "StartTimer": { "after_ms": 400, "body": "third" } },
                say("before"),
                { "ReceiveOnly": { "marks": [{ "step": 3 }] } },
                say("behind"),
                { "ReceiveOnly": { "marks": [{ "step": 1 }, { "step": 2 }] } },
                receive,
                receive,
                receive,
                receive
            ]),
        )
        .await;
        assert_eq!(results[5]["timer"]["body"], "third");
        assert_eq!(results[7]["timer"]["body"], "first", "the oldest of the two, whatever was asked for first");
        assert_eq!(results[8], json!({ "info": "before" }));
        assert_eq!(results[9]["timer"]["body"], "second");
        assert_eq!(results[10..], [json!({ "info": "behind" }), Value::Null]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mbx_01_a_receive_by_choice_skips_the_rest_and_keeps_it_in_order() {
    in_both_modes(probes(["a"]), async |app| {
        let say = |text: &str| json!({ "Send": { "to": { "step": 0 }, "body": text } });
        let choose =
            |text: &str, timeout_ms: u64| json!({ "ReceiveWhere": { "text": text, "timeout_ms": timeout_ms } });
        let receive = json!({ "Receive": { "timeout_ms": 0 } });
        let results = task(
            app,
            "a",
            json!([
                "Me",
                { "StartTimer": { "after_ms": 20, "body": "bell" } },
                say("one"),
                say("two"),
                say("three"),
                say("two"),
                choose("two", 0),
                choose("nothing", 0),
                choose("bell", 5_000),
                choose("nothing", 20),
                choose("three", 0),
                receive,
                receive,
                receive
            ]),
        )
        .await;
        assert_eq!(results[6], json!({ "info": "two" }));
        assert_eq!(results[7], Value::Null);
        assert_eq!(results[8]["timer"]["body"], "bell", "it came while the task waited");
        assert_eq!(results[9], Value::Null, "the time is that of the whole search");
        assert_eq!(results[10], json!({ "info": "three" }));
        assert_eq!(results[11..], [json!({ "info": "one" }), json!({ "info": "two" }), Value::Null]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mbx_02_a_receive_with_no_time_looks_once() {
    in_both_modes(probes(["a"]), async |app| {
        let results = task(
            app,
            "a",
            json!([
                { "Receive": { "timeout_ms": 0 } },
                "Me",
                { "StartTimer": { "after_ms": 60_000, "body": "never" } },
                { "Send": { "to": { "step": 1 }, "body": 1 } },
                { "Send": { "to": { "step": 1 }, "body": 2 } },
                { "ReceiveOnly": { "marks": [{ "step": 2 }], "timeout_ms": 0 } },
                { "Receive": { "timeout_ms": 0 } },
                { "Receive": { "timeout_ms": 0 } },
                { "Receive": { "timeout_ms": 0 } }
            ]),
        )
        .await;
        assert_eq!(results[0], Value::Null);
        assert_eq!(results[5..], [Value::Null, json!({ "info": 1 }), json!({ "info": 2 }), Value::Null]);
    })
    .await;
}

/// What goes to others in a row travels together, a little later; to itself it must not.
#[tokio::test(flavor = "multi_thread")]
async fn mbx_02_what_a_process_has_sent_itself_is_there_at_once() {
    in_both_modes(probes(["a"]), async |app| {
        let send = |number: usize| json!({ "Send": { "to": { "step": 0 }, "body": number } });
        let receive = |_: usize| json!({ "Receive": { "timeout_ms": 0 } });
        let steps: Vec<Value> = [json!("Me")].into_iter().chain((0..5).map(send)).chain((0..6).map(receive)).collect();
        let results = task(app, "a", json!(steps)).await;
        let expected: Vec<Value> = (0..5).map(|number| json!({ "info": number })).chain([Value::Null]).collect();
        assert_eq!(results[6..], expected);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mbx_06_the_mailbox_dies_with_the_process() {
    let heir = Child::probe("b").restart(Restart::Permanent);
    in_both_modes([probes(["a", "holder"]), vec![heir]].concat(), async |app| {
        let b = app.pid("b");
        block(app, "b", "holder").await;
        let say = |number: u32| json!({ "SendNamed": { "name": "b", "body": number } });
        app.steps("a", json!([say(1), say(2), say(3)])).await;
        assert_eq!(process(app, "b").mailbox_messages, 3);
        app.ask("a", json!({ "Kill": { "to": b.to_text() } })).await;
        eventually("its successor", || app.whereis("b").filter(|&pid| pid != b)).await;
        app.ask("a", say(4)).await;
        assert_eq!(app.journal("b", |journal| !journal.is_empty()).await, [json!({ "info": 4 })]);
    })
    .await;
}
