//! Calls in a circle: who closes one is told at once, where OTP has all of them wait until their time is up.

use serde_json::{Value, json};
use skep_tests::{TestApp, eventually, in_both_modes};

use super::{block, heard, probes, process, until};

/// A step that calls and waits for ever.
fn call(to: &str, body: Value) -> Value {
    json!({ "Call": { "to": { "name": to }, "body": body, "timeout_ms": null } })
}

/// What whoever closes a circle is told: that it waits for the second, which waits for the third, and so on.
fn refused(app: &TestApp, circle: &[&str]) -> Value {
    let who = |name: &&str| format!("{name} {}", app.pid(name));
    let others: Vec<String> = circle[1..].iter().chain(&circle[..1]).map(who).collect();
    let text = format!("deadlock: {} waits for {}", who(&circle[0]), others.join(", which waits for "));
    json!({ "Err": { "refused": text } })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callee_that_calls_its_caller_back_is_told_so() {
    in_both_modes(probes(["a", "b", "c"]), async |app| {
        for (circle, expected) in [
            (call("b", call("a", json!("Me"))), refused(app, &["b", "a"])),
            (call("b", call("c", call("a", json!("Me")))), refused(app, &["c", "a", "b"])),
        ] {
            let mut answer = app.ask("a", circle).await;
            while answer.get("Ok").is_some() {
                answer = answer["Ok"].take();
            }
            assert_eq!(answer, expected);
        }
        assert_eq!(app.ask("a", json!("Journal")).await, json!([]), "what was taken back was never delivered");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_that_turn_to_each_other_the_second_is_told_so() {
    in_both_modes(probes(["a", "b", "h", "i"]), async |app| {
        // Both are in the middle of something else, so that neither is handled.
        for (name, other, holder) in [("a", "b", "h"), ("b", "a", "i")] {
            app.send(name, &json!({ "do": [call(holder, json!("Hold")), call(other, json!({ "Echo": name }))] }));
            until(app, holder, json!("Held"), |held| held[0].is_object()).await;
        }
        app.ask("h", json!({ "Release": { "body": "on" } })).await;
        eventually("a to call b", || (process(app, "b").mailbox_messages == 1).then_some(())).await;
        app.ask("i", json!({ "Release": { "body": "on" } })).await;
        let told = refused(app, &["b", "a"]);
        assert_eq!(heard(app, "b", "did", 1).await, [json!([{ "Ok": "on" }, told])]);
        assert_eq!(heard(app, "a", "did", 1).await, [json!([{ "Ok": "on" }, { "Ok": "a" }])]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mon_12_a_circle_through_an_alias_is_told_to_nobody() {
    in_both_modes(probes(["a", "b"]), async |app| {
        let way = app.ask("a", json!({ "OpenAlias": { "once": false } })).await;
        let back = json!({ "Call": { "to": way, "body": { "Echo": "late" }, "timeout_ms": 30 } });
        assert_eq!(app.ask("a", call("b", back)).await, json!({ "Ok": { "Err": "timeout" } }));
        assert_eq!(heard(app, "a", "call", 1).await, [json!("late")], "nothing was taken back");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_that_calls_its_parent_from_init_is_told_so() {
    in_both_modes(probes(["a", "h"]), async |app| {
        let init = json!([call("a", json!("Me")), { "SendNamed": { "name": "h", "body": "it goes on" } }]);
        let child = app.ask("a", json!({ "Spawn": { "module": "probe", "args": init } })).await;
        assert!(child["Ok"]["pid"].is_string(), "{child}");
        assert_eq!(heard(app, "h", "info", 1).await, [json!("it goes on")]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deferred_reply_is_not_mistaken_for_a_circle() {
    in_both_modes(probes(["a", "b", "h"]), async |app| {
        // a waits for b, which has put that off and waits for a: but the reply comes from elsewhere.
        block(app, "a", "b").await;
        let caller = app.ask("b", json!("Held")).await[0].take();
        app.send("b", &json!({ "do": [call("a", json!({ "Echo": "there" }))] }));
        eventually("b to wait", || (process(app, "b").status == "blocked").then_some(())).await;
        app.ask("h", json!({ "ReplyTo": { "caller": caller, "body": "from h" } })).await;
        assert_eq!(heard(app, "a", "did", 1).await, [json!([{ "Ok": "from h" }])]);
        assert_eq!(heard(app, "b", "did", 1).await, [json!([{ "Ok": "there" }])]);
    })
    .await;
}
