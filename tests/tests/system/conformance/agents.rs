//! AGT: an agent by a real guest, which keeps what is in stock.

use serde_json::{Value, json};
use skep_tests::{Child, in_both_modes};

use super::{heard, probes};

fn stock() -> Child {
    Child::new("stock", "stock", &json!({ "nut": 3 }))
}

fn call(body: &Value) -> Value {
    json!({ "Call": { "to": { "name": "stock" }, "body": body } })
}

#[tokio::test(flavor = "multi_thread")]
async fn agt_01_what_is_asked_runs_in_the_agent_one_at_a_time() {
    in_both_modes([probes(["a", "b"]), vec![stock()]].concat(), async |app| {
        let look = json!({ "Get": { "HowMany": "nut" } });
        let put = json!({ "Cast": { "to": { "name": "stock" }, "body": { "Put": ["nut", 4] } } });
        let results = app.steps("a", json!([call(&look), put, call(&look)])).await;
        assert_eq!(results, json!([{ "Ok": 3 }, null, { "Ok": 7 }]));
        // Two take at the same time: together they get what was there.
        let take: Vec<Value> = vec![call(&json!({ "Update": { "Take": ["nut", 1] } })); 5];
        let (by_a, by_b) = tokio::join!(app.steps("a", json!(take)), app.steps("b", json!(take)));
        let taken = by_a.to_string().matches("1").count() + by_b.to_string().matches("1").count();
        assert_eq!(taken, 7, "{by_a} {by_b}");
        assert_eq!(app.ask("stock", look).await, 0);
        let stop = json!({ "StopServer": { "to": { "name": "stock" }, "reason": "normal" } });
        let results = app.steps("a", json!([stop, { "Whereis": { "name": "stock" } }])).await;
        assert_eq!(results, json!([{ "Ok": null }, null]), "its name is free when it has ended");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn agt_02_the_value_goes_over_to_new_code() {
    in_both_modes([probes(["a"]), vec![stock()]].concat(), async |app| {
        app.upgrade("stock", app.load_rebuilt("stock", 1)).await.expect("the same value");
        assert_eq!(app.ask("stock", json!({ "Get": "All" })).await, 3);
        let refused = app.upgrade("stock", app.load("counter-forgets")).await;
        assert!(refused.is_err(), "that code reads no such value");
        assert_eq!(app.ask("stock", json!({ "Update": { "Take": ["nut", 5] } })).await, 3);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn agt_03_a_start_under_a_taken_name_tells_who_holds_it_and_a_failed_one_leaves_nobody() {
    in_both_modes([probes(["a"]), vec![stock()]].concat(), async |app| {
        let spawn = |name: &str, args: Value| json!({ "Spawn": { "module": "stock", "args": args, "name": name, "link": true, "monitor": true } });
        let pid = app.pid_text("stock");
        let results = app.steps("a", json!([{ "TrapExit": true }, spawn("stock", Value::Null), spawn("other", json!({ "": 1 }))])).await;
        assert_eq!(results[1], json!({ "Err": { "refused": { "taken": pid } } }));
        assert!(results[2]["Err"]["failed"]["failed"].is_string(), "{results}");
        assert_eq!(app.whereis("other"), None);
        assert_eq!(heard(app, "a", "down", 0).await, [] as [Value; 0]);
    })
    .await;
}
