//! Guests that send without end: what is refused, what is dropped and counted, and what it costs the flooder.

use std::time::Instant;

use serde_json::{Value, json};
use skep_runtime::inspect::ProcessInfo;
use skep_runtime::kernel::{CallError, ExitReason, Limits, LogLimits};
use skep_runtime::observe::Level;
use skep_runtime::spec::Keep;
use skep_tests::app::PATIENCE;
use skep_tests::{Child, TestApp, eventually};

use super::{MODES, app, beside_the_neighbour, cast, crash, ended};

/// An app with a `flooder`, and with a `sink` that takes nothing out of its mailbox because it waits for `holder`.
async fn flooded(keep: Keep, change: impl FnOnce(&mut Limits), sink: impl FnOnce(&mut Limits)) -> TestApp {
    let flooder = Child::new("flooder", "mailbox-flooder", &Value::Null).limits(change);
    let app = app(keep, [flooder, Child::probe("holder"), Child::probe("sink").limits(sink)]).await;
    app.send(
        "sink",
        &json!({ "do": [{ "Call": { "to": { "name": "holder" }, "body": "Hold", "timeout_ms": null } }] }),
    );
    eventually("the sink to block", || (info(&app, "sink").status == "blocked").then_some(())).await;
    app
}

fn info(app: &TestApp, name: &str) -> ProcessInfo {
    let pid = app.pid(name);
    app.runtime.processes().into_iter().find(|process| process.pid == pid).expect("it lives")
}

fn flood(by: &str, times: Option<u64>, bytes: usize) -> Value {
    json!({ "to": { "name": "sink" }, "times": times, "bytes": bytes, "by": by })
}

async fn count(app: &TestApp, by: &str, times: u64, bytes: usize) -> (u64, u64) {
    let count = app.ask("flooder", json!({ "Flood": flood(by, Some(times), bytes) })).await;
    let number = |key| count[key].as_u64().unwrap_or_else(|| panic!("{count}"));
    (number("sent"), number("refused"))
}

#[tokio::test(flavor = "multi_thread")]
async fn sends_to_a_full_mailbox_are_refused_and_casts_are_dropped_and_counted() {
    let _turn = crate::turn().await;
    for keep in MODES {
        let app = flooded(keep, |_| {}, |limits| limits.mailbox_messages = 100).await;
        assert_eq!(count(&app, "Send", 100, 1).await, (100, 0));
        assert_eq!(count(&app, "Send", 30, 1).await, (100, 30));
        assert_eq!((info(&app, "sink").mailbox_messages, info(&app, "sink").dropped), (100, 0));
        assert_eq!(count(&app, "Cast", 70, 1).await, (170, 30), "a cast is never refused");
        assert_eq!((info(&app, "sink").mailbox_messages, info(&app, "sink").dropped), (100, 70));
        let call = app.call("sink", json!("Journal")).await;
        assert!(matches!(&call, Err(CallError::Refused(why)) if why.contains("mailbox")), "{call:?}");
        // What was taken in is handled, once the sink can.
        app.ask("holder", json!({ "Release": { "body": "go on" } })).await;
        eventually("room for a question", || (info(&app, "sink").mailbox_messages < 100).then_some(())).await;
        let journal = app.journal("sink", |journal| journal.len() >= 102).await;
        assert_eq!(journal.len(), 102, "the script, its result, and 100 messages");
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mailbox_is_bounded_in_bytes_too() {
    let _turn = crate::turn().await;
    let app = flooded(Keep::WhileItFits, |_| {}, |limits| limits.mailbox_bytes = 1_000).await;
    assert_eq!(count(&app, "Send", 12, 100).await, (10, 2));
    assert_eq!((info(&app, "sink").mailbox_messages, info(&app, "sink").mailbox_bytes), (10, 1_000));
    assert_eq!(count(&app, "Send", 1, 0).await, (11, 2), "a message without a body fits");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_are_bounded_on_both_sides() {
    let _turn = crate::turn().await;
    let sender = flooded(Keep::WhileItFits, |limits| limits.body_bytes = 1_000, |_| {}).await;
    assert_eq!(count(&sender, "Send", 2, 1_000).await, (2, 0));
    assert_eq!(count(&sender, "Send", 2, 1_001).await, (2, 2));
    count(&sender, "Cast", 2, 1_001).await;
    assert_eq!(info(&sender, "sink").mailbox_messages, 2, "a cast that is too large goes nowhere");
    sender.stop().await;

    let receiver = flooded(Keep::WhileItFits, |_| {}, |limits| limits.body_bytes = 1_000).await;
    assert_eq!(count(&receiver, "Send", 2, 1_000).await, (2, 0));
    assert_eq!(count(&receiver, "Send", 2, 1_001).await, (2, 2));
    count(&receiver, "Cast", 2, 1_001).await;
    assert_eq!((info(&receiver, "sink").mailbox_messages, info(&receiver, "sink").dropped), (2, 2));
    receiver.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_brings_events_upon_itself_without_end_is_ended_by_its_own_mailbox() {
    let _turn = crate::turn().await;
    // Nobody refuses an answer, an alarm or a loss: what bounds them is how many can be under way. 1,024 in all here.
    let bounds = |limits: &mut Limits| {
        (limits.mailbox_messages, limits.links, limits.requests, limits.timers) = (1_000, 8, 8, 8);
        limits.monitors = 0;
    };
    for keep in MODES {
        let app = flooded(keep, bounds, |_| {}).await;
        count(&app, "Request", 1_000, 1).await;
        eventually("the answers to be handled", || (info(&app, "flooder").mailbox_messages == 0).then_some(())).await;
        let call = app.call("flooder", json!({ "Flood": flood("Request", None, 1) }));
        assert_eq!(ended(beside_the_neighbour(&app, "answers without end", call).await), ExitReason::limit("mailbox"));
        assert_eq!(crash(&app, "flooder").await, (ExitReason::limit("mailbox"), Some("call")));
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_without_an_answer_are_bounded() {
    let _turn = crate::turn().await;
    let app = flooded(Keep::WhileItFits, |limits| limits.requests = 10, |_| {}).await;
    count(&app, "Request", 25, 1).await;
    assert_eq!(info(&app, "sink").mailbox_messages, 10, "what is beyond the limit is not delivered");
    app.stop().await;
}

/// A call to somebody who is being flooded may be refused, like any other message.
async fn ask_until_there_is_room(app: &TestApp, name: &str) -> Value {
    let started = Instant::now();
    loop {
        match app.call(name, json!("Count")).await {
            Ok(count) => return count,
            Err(CallError::Refused(_)) if started.elapsed() < PATIENCE => tokio::task::yield_now().await,
            Err(error) => panic!("{name} does not answer: {error:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_who_flood_each_other_disturb_nobody() {
    let _turn = crate::turn().await;
    let flooder = |id: &str| Child::new(id, "mailbox-flooder", &Value::Null);
    let app = app(Keep::WhileItFits, [flooder("a"), flooder("b")]).await;
    let floods = async {
        for (from, to) in [("a", "b"), ("b", "a")] {
            for _ in 0..3 {
                cast(&app, from, &json!({ "to": { "name": to }, "times": 50_000, "bytes": 10, "by": "Send" }));
            }
        }
        for name in ["a", "b"] {
            let count = ask_until_there_is_room(&app, name).await;
            assert_eq!(count["sent"].as_u64().zip(count["refused"].as_u64()).map(|(a, b)| a + b), Some(150_000));
        }
    };
    beside_the_neighbour(&app, "two floods", floods).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_log_lines_is_dropped_and_told_of_in_one_line() {
    let _turn = crate::turn().await;
    // Nothing comes back, so that the clock has no say in it. A line counts 64 beside its bytes.
    let bounds = |limits: &mut Limits| limits.log = LogLimits { bytes_per_second: 0, burst: 10 * (64 + 5) };
    for keep in MODES {
        let app = app(keep, [Child::probe("noisy").limits(bounds)]).await;
        let script: Vec<Value> = (0..25).map(|number| json!({ "Log": format!("li-{number:02}") })).collect();
        let noise = app.steps("noisy", json!(script));
        beside_the_neighbour(&app, "a flood of log lines", noise).await;
        let expected: Vec<_> = (0..10).map(|number| (Level::Info, format!("li-{number:02}"))).collect();
        assert_eq!(app.log_lines("noisy"), expected);
        app.send("noisy", &json!({ "do": [{ "StopWith": "normal" }] }));
        eventually("it to say how many", || (app.log_lines("noisy").len() > 10).then_some(())).await;
        let told = "15 lines of its log dropped: it may write 0 bytes a second, and 690 at once";
        assert_eq!(app.log_lines("noisy")[10..], [(Level::Warn, told.to_owned())]);
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_line_is_cut_and_shows_it() {
    let _turn = crate::turn().await;
    let app = app(Keep::WhileItFits, [Child::probe("noisy")]).await;
    app.steps("noisy", json!([{ "Log": "x".repeat(10_000) }])).await;
    let expected = format!("{}…", "x".repeat(4_096));
    assert_eq!(app.log_lines("noisy"), [(Level::Info, expected)]);
    app.stop().await;
}
