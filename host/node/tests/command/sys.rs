//! One process looked into and asked from outside, as an operator types it (SYS).

use serde_json::{Value, json};

use crate::node::counter;
use crate::skep::{Home, Node, refused};

#[test]
fn sys_01_sys_03_a_process_is_inspected_suspended_and_given_another_state() {
    let home = Home::new();
    let node = Node::run(&home, &counter(&home, "sys"));
    home.ok(&["call", "counter", r#"{"Add":2}"#]);

    let seen = home.json(&["inspect", "counter", "--json"]);
    assert_eq!((&seen["path"], &seen["name"]), (&json!("sys/counter"), &json!("counter")), "{seen}");
    assert_eq!((&seen["version"], &seen["restarts"], &seen["messages_in"]), (&json!(1), &json!(0), &json!(1)));
    assert_eq!(seen["state"], json!({ "form": "messagepack", "body": { "count": 42, "noted": {}, "violations": 0 } }));
    assert!(seen["fuel_used"].as_u64() > Some(1_000) && seen["memory_bytes"].as_u64() > Some(0), "{seen}");
    let pid = seen["pid"].as_str().expect("it has one").to_owned();
    assert!(!pid.contains(".1.") && pid.matches('.').count() == 1, "no tag: {pid}");
    let shown = home.ok(&["inspect", &pid]);
    for part in
        ["sys/counter", "counter version 1 (", "waiting", "\"count\": 42", "0 of 10000 messages", "1 handled, 1 sent"]
    {
        assert!(shown.contains(part), "{part:?} is not in\n{shown}");
    }

    // Suspended, it stays so when whoever asked has gone, and its mail waits.
    assert!(home.ok(&["sys", "suspend", "counter"]).contains("is suspended"));
    home.ok(&["sys", "suspend", "counter"]);
    home.ok(&["cast", "counter", r#"{"Note":{"client":1,"number":1}}"#]);
    refused(&home.skep(&["call", "counter", r#""Get""#, "--timeout", "50ms"]), 1, &["did not reply within 50 ms"]);
    let seen = home.json(&["inspect", "counter", "--json"]);
    assert_eq!((&seen["status"], &seen["suspended"]), (&json!("suspended"), &json!("operator")));
    let oldest = seen["oldest"].as_array().expect("they are listed");
    assert_eq!(oldest.iter().map(|mail| &mail["kind"]).collect::<Vec<_>>(), ["cast", "call"]);

    // Its state is replaced meanwhile; what its code does not take changes nothing.
    let other = r#"{"count":7,"noted":{},"violations":0}"#;
    home.ok(&["sys", "replace-state", "counter", other]);
    let bad = home.skep(&["sys", "replace-state", "counter", r#"{"count":"many"}"#]);
    refused(&bad, 1, &["the code does not take this state", "cannot read the state", "nothing has changed"]);
    refused(&home.skep(&["sys", "replace-state", "counter", "{"]), 2, &["not JSON"]);
    assert_eq!(home.json(&["sys", "state", "counter", "--json"])["state"]["body"]["count"], json!(7));
    assert!(home.ok(&["sys", "state", "counter"]).contains("\"count\": 7"));
    assert!(home.ok(&["sys", "resume", &pid]).contains("goes on"));
    assert_eq!(home.json(&["call", "counter", r#"{"Add":1}"#, "--json"])["body"], json!(8));

    refused(&home.skep(&["sys", "suspend", "nobody"]), 1, &["no process named `nobody`", "counter"]);
    refused(&home.skep(&["inspect", "<0.99999>"]), 1, &["there is no process <0.99999>"]);
    let root = home.json(&["tree", "--json"])[0]["root"]["pid"].as_str().expect("it runs").to_owned();
    refused(&home.skep(&["sys", "suspend", &root]), 1, &["takes no system messages"]);
    let seen = home.json(&["inspect", &root, "--json"]);
    assert_eq!((&seen["kind"], &seen["state"]), (&json!("supervisor"), &Value::Null));

    // Ended in order, it is restarted, for it is permanent.
    home.ok(&["sys", "terminate", "counter", "--reason", "enough"]);
    home.ok(&["stop"]);
    assert!(node.wait().success());
}

#[test]
fn sys_04_a_trace_is_lines_until_the_process_ends() {
    let home = Home::new();
    let _node = Node::run(&home, &counter(&home, "trace"));
    let mut trace = home.start(&["sys", "trace", "counter"]);
    let mut lines = home.start(&["sys", "trace", "counter", "--json"]);
    // Whoever looks has begun to when an event shows; until then it is asked again.
    let asks = std::sync::atomic::AtomicBool::new(true);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while asks.load(std::sync::atomic::Ordering::SeqCst) {
                home.ok(&["call", "counter", r#"{"Add":0}"#]);
            }
        });
        let first = trace.wait_for("call");
        assert!(first.contains("call {\"Add\":0} -> 40 ("), "{first}");
        let first: Value = serde_json::from_str(&lines.wait_for("call")).expect("a line is JSON");
        assert_eq!(
            (&first["event"], &first["outcome"], &first["reply"]["body"]),
            (&json!("call"), &json!("done"), &json!(40))
        );
        asks.store(false, std::sync::atomic::Ordering::SeqCst);
    });
    let _ = home.skep(&["call", "counter", r#""Fly""#]);
    let failed = trace.wait_for("failed");
    assert!(failed.contains("call \"Fly\" failed: failed: cannot decode a call"), "{failed}");
    assert!(trace.wait_for("ended").contains("ended: failed: cannot decode a call"));
    lines.wait_for("\"ended\"");

    // And the crash report says who, what and what then, as JSON and for people.
    let log = home.ok(&["logs", "--json"]);
    let crash = log.lines().map(|line| serde_json::from_str::<Value>(line).expect("a line is JSON"));
    let crash = crash.filter(|entry| entry["kind"] == "crash").collect::<Vec<_>>();
    let [crash] = &crash[..] else { panic!("one crash, one report: {log}") };
    let about = &crash["about"];
    assert_eq!(
        (&about["path"], &about["version"], &about["decision"]),
        (&json!("trace/counter"), &json!(1), &json!("restarting"))
    );
    assert_eq!(about["message"], json!({ "form": "json", "text": "\"Fly\"", "bytes": 5, "cut": false }));
    let log = home.ok(&["logs"]);
    for part in [
        "path     trace/counter",
        "message  \"Fly\" (json, 5 bytes)",
        "then     restarting (restart 1 of its supervisor)",
    ] {
        assert!(log.contains(part), "{part:?} is not in\n{log}");
    }
}
