//! The chat, as a person uses it: users by registry, rooms by topic and group, and what an operator sees of them.

use serde_json::{Value, json};

use crate::skep::{Home, Node, refused, until};

const CHAT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples-wasm/chat-lobby/chat.toml");

/// A user, who is let in and answers under this pid.
fn enter(home: &Home, name: &str) -> String {
    let request = json!({ "Enter": name }).to_string();
    let came = home.json(&["call", "lobby", &request, "--json"])["body"].take();
    came["Came"].as_str().unwrap_or_else(|| panic!("{name} does not come in: {came}")).to_owned()
}

/// What a user answers.
fn ask(home: &Home, pid: &str, request: Value) -> Value {
    home.json(&["call", pid, &request.to_string(), "--json"])["body"].take()
}

/// Waits until a user has heard this, and nothing else.
#[track_caller]
fn heard(home: &Home, pid: &str, expected: &Value) {
    let mut heard = Vec::new();
    until(|| {
        heard.extend(ask(home, pid, json!("Heard")).as_array().cloned().unwrap_or_default());
        if json!(heard) == *expected { Ok(()) } else { Err(format!("{heard:?} is not {expected}")) }
    });
}

#[test]
fn a_chat_of_two_and_who_is_known_by_what() {
    let home = Home::new();
    let node = Node::run(&home, CHAT);
    let (ada, bob) = (enter(&home, "ada"), enter(&home, "bob"));
    assert_eq!(home.json(&["call", "lobby", r#"{"Enter":"ada"}"#, "--json"])["body"], json!({ "Here": ada }));

    assert_eq!(ask(&home, &ada, json!({ "Join": "tea" })), json!([]));
    assert_eq!(ask(&home, &bob, json!({ "Join": "tea" })), json!(["ada"]));
    assert_eq!(ask(&home, &bob, json!({ "Say": { "room": "tea", "text": "hello" } })), json!(["heard by 1"]));
    assert_eq!(ask(&home, &bob, json!({ "Tell": { "user": "ada", "text": "psst" } })), json!([]));
    let expected = json!(["tea: bob came", "tea: bob: hello", "bob to you: psst"]);
    heard(&home, &ada, &expected);

    let pid = |text: &str| format!("<{}>", text.rsplit_once('.').expect("a tag").0);
    let (short_ada, short_bob) = (pid(&ada), pid(&bob));
    let known = home.json(&["names", "chat", "--json"]);
    let rows: Vec<[&Value; 5]> = known
        .as_array()
        .expect("a list")
        .iter()
        .map(|row| ["kind", "table", "key", "pid", "value"].map(|key| &row[key]))
        .collect();
    let value = json!({ "form": "messagepack", "body": 1 });
    let expected = [
        [json!("registry"), json!("users"), json!("\"ada\""), json!(short_ada), value.clone()],
        [json!("registry"), json!("users"), json!("\"bob\""), json!(short_bob), value],
        [json!("group"), json!("rooms"), json!("tea"), json!(short_ada), Value::Null],
        [json!("group"), json!("rooms"), json!("tea"), json!(short_bob), Value::Null],
        [json!("topic"), Value::Null, json!("room:tea"), json!(short_ada), Value::Null],
        [json!("topic"), Value::Null, json!("room:tea"), json!(short_bob), Value::Null],
    ];
    assert_eq!((rows[0][0], rows[0][2]), (&json!("name"), &json!("lobby")));
    for (row, expected) in rows[1..].iter().zip(&expected) {
        assert_eq!(row.map(Value::clone), *expected);
    }
    assert_eq!(rows.len(), 7);
    let table = home.ok(&["names"]);
    let line = table.lines().find(|line| line.contains("\"bob\"")).expect("bob is there");
    let words: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(words, ["chat", "registry", "users", "\"bob\"", &short_bob, "-", "1"]);
    refused(&home.skep(&["names", "chess"]), 1, &["no app named `chess`", "chat"]);

    home.ok(&["stop"]);
    assert!(node.wait().success());
}
