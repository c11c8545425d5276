//! The example `chat`, with guests that lose their instance after every message and with guests that keep it.

use serde_json::{Value, json};
use skep_tests::{Child, TestApp, in_both_modes};

/// Lets somebody in: the pid.
async fn enter(app: &TestApp, name: &str) -> String {
    let came = app.ask("lobby", json!({ "Enter": name })).await;
    came["Came"].as_str().unwrap_or_else(|| panic!("{name} does not come in: {came}")).to_owned()
}

async fn ask(app: &TestApp, pid: &str, request: Value) -> Value {
    let through = json!({ "Call": { "to": { "pid": pid }, "body": request } });
    app.ask("probe", through).await["Ok"].take()
}

/// Asks a user until so much was heard.
async fn hears(app: &TestApp, pid: &str, expected: &[&str]) {
    let mut heard = Vec::new();
    while heard.len() < expected.len() {
        heard.extend(ask(app, pid, json!("Heard")).await.as_array().cloned().unwrap_or_default());
    }
    assert_eq!(heard, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn users_meet_in_a_room_and_one_who_dies_is_seen_to_go() {
    in_both_modes([Child::new("lobby", "chat-lobby", &Value::Null), Child::probe("probe")], async |app| {
        let (ada, bob) = (enter(app, "ada").await, enter(app, "bob").await);
        assert_eq!(app.ask("lobby", json!({ "Enter": "ada" })).await, json!({ "Here": ada }));
        assert_eq!(ask(app, &ada, json!({ "Join": "tea" })).await, json!([]));
        assert_eq!(ask(app, &bob, json!({ "Join": "tea" })).await, json!(["ada"]));
        assert_eq!(ask(app, &bob, json!({ "Say": { "room": "tea", "text": "hello" } })).await, json!(["heard by 1"]));
        assert_eq!(ask(app, &bob, json!({ "Tell": { "user": "ada", "text": "psst" } })).await, json!([]));
        assert_eq!(app.ask("lobby", json!("Who")).await, json!({ "Users": [["ada", 1], ["bob", 1]] }));
        // Whose name she asks for when he comes. After his end nobody could tell her.
        hears(app, &ada, &["tea: bob came", "tea: bob: hello", "bob to you: psst"]).await;
        app.ask("probe", json!({ "Kill": { "to": bob } })).await;
        assert_eq!(app.ask("lobby", json!("Who")).await, json!({ "Users": [["ada", 1]] }));
        hears(app, &ada, &["tea: bob went"]).await;
    })
    .await;
}
