//! STM: a state machine by a real guest, a door whose code is in its arguments. The rules in all their cases are tested
//! natively, in guest-sdk/tests/machines; here, that they hold across the boundary, where instances come and go.

use serde_json::{Value, json};
use skep_tests::{Child, TestApp, in_both_modes};

use super::{heard, monitor, probes, reason, until};

/// Times that never come in a test.
const NEVER_MS: u64 = 3_600_000;

fn door(plan: &Value) -> Child {
    Child::new("door", "door", plan)
}

fn patient() -> Value {
    json!({ "code": "12", "open_ms": NEVER_MS, "digits_ms": NEVER_MS, "alarm_ms": NEVER_MS })
}

fn ask_to_pass(by: &str) -> Value {
    json!({ "Request": { "to": { "name": "door" }, "body": by, "timeout_ms": null } })
}

fn finger(does: &Value) -> Value {
    json!({ "Cast": { "to": { "name": "door" }, "body": does } })
}

fn is(state: &str) -> impl Fn(&Value) -> bool {
    move |answer| *answer == state
}

/// The numbers with which the door has let this probe pass, once there are so many.
async fn numbers(app: &TestApp, name: &str, count: usize) -> Vec<Value> {
    let answers = heard(app, name, "answer", count).await;
    answers.into_iter().map(|mut answer| answer["outcome"]["Ok"].take()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn stm_01_who_was_postponed_comes_before_whoever_comes_later() {
    in_both_modes([probes(["a", "b"]), vec![door(&patient())]].concat(), async |app| {
        let pass = ask_to_pass("Pass");
        app.steps("a", json!([pass, pass])).await;
        app.ask("b", json!({ "Request": { "to": { "name": "door" }, "body": "Look" } })).await;
        assert_eq!(heard(app, "b", "answer", 1).await[0]["outcome"], json!({ "Ok": "Locked" }));
        // One sender: the door has all of it in this order.
        app.steps("b", json!([finger(&json!({ "Type": "12" })), pass])).await;
        assert_eq!(numbers(app, "a", 2).await, [json!(1), json!(2)]);
        assert_eq!(numbers(app, "b", 2).await, [json!("Locked"), json!(3)]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stm_02_inserted_events_come_before_what_is_queued() {
    in_both_modes([probes(["a"]), vec![door(&patient())]].concat(), async |app| {
        // The digits are inserted one by one, and the code is complete, before the door is closed again.
        let steps = [finger(&json!({ "Type": "12" })), finger(&json!("Close")), finger(&json!({ "Type": "12" }))];
        app.steps("a", json!(steps)).await;
        assert_eq!(app.ask("door", json!("Look")).await, "Open");
        app.ask("a", finger(&json!("Close"))).await;
        let wrong = finger(&json!({ "Type": "999999" }));
        app.steps("a", json!([wrong, finger(&json!({ "Press": "1" })), finger(&json!({ "Press": "2" }))])).await;
        assert_eq!(app.ask("door", json!("Look")).await, "Alarm");
        assert_eq!(app.ask("door", json!("Alarms")).await, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stm_04_a_state_has_its_time() {
    let mut plan = patient();
    plan["open_ms"] = json!(30);
    in_both_modes([probes(["a"]), vec![door(&plan)]].concat(), async |app| {
        app.steps("a", json!([ask_to_pass("Pass"), finger(&json!({ "Type": "12" }))])).await;
        assert_eq!(numbers(app, "a", 1).await, [json!(1)]);
        until(app, "door", json!("Look"), is("Locked")).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stm_04_a_timeout_with_a_name_outlives_events_and_one_of_events_does_not() {
    let mut plan = patient();
    plan["digits_ms"] = json!(20);
    plan["alarm_ms"] = json!(20);
    in_both_modes([probes(["a"]), vec![door(&plan)]].concat(), async |app| {
        app.ask("a", finger(&json!({ "Press": "1" }))).await;
        assert_eq!(app.ask("door", json!("Look")).await, "Locked", "which is an event");
        later(app, "a", 1).await;
        // The digit is forgotten, or these would be 11 and 2.
        app.ask("a", finger(&json!({ "Type": "12" }))).await;
        assert_eq!(app.ask("door", json!("Look")).await, "Open");
        app.steps("a", json!([finger(&json!("Close")), finger(&json!({ "Type": "999999" }))])).await;
        assert_eq!(app.ask("door", json!("Alarms")).await, 1);
        // Whoever asks makes the alarm last; when nobody does it ends.
        later(app, "a", 2).await;
        assert_eq!(app.ask("door", json!("Look")).await, "Locked");
    })
    .await;
}

/// Waits until this probe's timer has gone off, which takes longer than any of the door's in this test.
async fn later(app: &TestApp, by: &str, times: usize) {
    app.ask(by, json!({ "SendAfter": { "after_ms": 300, "to": { "name": by }, "body": "later" } })).await;
    heard(app, by, "info", times).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stm_06_replies_go_out_before_the_end_and_who_was_postponed_hears_of_it() {
    in_both_modes([probes(["a", "o"]), vec![door(&patient())]].concat(), async |app| {
        app.ask("a", ask_to_pass("Pass")).await;
        let mark = monitor(app, "o", json!({ "name": "door" })).await;
        app.ask("o", ask_to_pass("Demolish")).await;
        assert_eq!(reason(app, "o", &mark).await, "normal");
        let journal = app.ask("o", json!("Take")).await;
        assert_eq!(journal[0]["answer"]["outcome"], json!({ "Ok": 0 }), "{journal}");
        assert_eq!(heard(app, "a", "answer", 1).await[0]["outcome"], json!({ "Err": { "ended": "normal" } }));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stm_10_an_upgrade_takes_along_whoever_was_postponed_and_every_timeout() {
    let mut plan = patient();
    plan["open_ms"] = json!(30);
    in_both_modes([probes(["a"]), vec![door(&plan)]].concat(), async |app| {
        app.steps("a", json!([ask_to_pass("Pass"), finger(&json!({ "Press": "1" }))])).await;
        assert_eq!(app.ask("door", json!("Look")).await, "Locked");
        app.upgrade("door", app.load_rebuilt("door", 1)).await.expect("the same states");
        app.ask("a", finger(&json!({ "Press": "2" }))).await;
        assert_eq!(numbers(app, "a", 1).await, [json!(1)]);
        app.upgrade("door", app.load_rebuilt("door", 2)).await.expect("the same states");
        until(app, "door", json!("Look"), is("Locked")).await;
    })
    .await;
}
