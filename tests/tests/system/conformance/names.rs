//! REG: one name a process, one process a name, for as long as the process lives.

use serde_json::{Value, json};
use skep_runtime::kernel::supervisor::{RequestError, Restart, SupervisorSpec};
use skep_runtime::kernel::{Address, Body, Refusal, SpawnError};
use skep_runtime::{Request, RuntimeError};
use skep_tests::app::{PATIENCE, supervisor};
use skep_tests::{Child, MODES, TestApp, eventually, in_both_modes};

use super::{dead, monitor, probes, reason, spawn, through};

#[tokio::test(flavor = "multi_thread")]
async fn reg_01_a_name_is_found_until_it_is_given_back_or_its_holder_ends() {
    in_both_modes(probes(["a"]), async |app| {
        let [register, unregister, whereis] =
            ["Register", "Unregister", "Whereis"].map(|step| json!({ step: { "name": "bank" } }));
        let pid = spawn(app, "a", Value::Null).await;
        let steps = json!({ "Many": [whereis, register, whereis, unregister, whereis, unregister, register] });
        let results = through(app, "a", &pid, steps).await;
        assert_eq!(results, json!([null, { "Ok": null }, pid, true, null, false, { "Ok": null }]));
        assert_eq!(app.pid_text("bank"), pid);
        assert_eq!(app.ask("a", unregister).await, json!(false), "only the holder gives it back");
        let mark = monitor(app, "a", "bank").await;
        app.ask("a", json!({ "Kill": { "to": pid } })).await;
        assert_eq!(reason(app, "a", &mark).await, json!("killed"));
        assert_eq!(app.ask("a", whereis).await, Value::Null);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reg_02_what_cannot_be_registered_is_refused_and_says_why() {
    in_both_modes(probes(["a", "b"]), async |app| {
        let b = app.pid_text("b");
        let dead = dead(app, "a").await;
        let nameless = spawn(app, "a", Value::Null).await;
        let register = |name: &str, pid: &str| json!({ "Register": { "name": name, "pid": pid } });
        let results = app
            .steps(
                "a",
                json!([
                    register("b", &nameless),
                    register("another", &b),
                    register("free", &dead),
                    register("", &nameless),
                    register(&"x".repeat(100_000), &nameless),
                    register("free", &nameless),
                    register("free-too", &nameless)
                ]),
            )
            .await;
        assert_eq!(results[0], json!({ "Err": { "taken": b } }), "a taken name");
        assert!(results[1]["Err"]["invalid"].is_string(), "a process with a name: {results}");
        assert!(results[2]["Err"]["unknown"].is_string(), "a dead process: {results}");
        assert!(results[3]["Err"]["invalid"].is_string(), "no name: {results}");
        assert!(results[4]["Err"]["invalid"].is_string(), "a name too long");
        assert_eq!(results[5], json!({ "Ok": null }), "refusals leave nothing behind");
        assert!(results[6]["Err"]["invalid"].is_string(), "a second name: {results}");
        let found = ["b", "another", "free", "free-too"].map(|name| app.whereis(name).map(|pid| pid.to_text()));
        assert_eq!(found, [Some(b), None, Some(nameless), None]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reg_03_a_send_to_a_name_that_nobody_holds_is_an_error_and_one_to_the_dead_is_not() {
    in_both_modes(probes(["a"]), async |app| {
        let dead = dead(app, "a").await;
        let gone = spawn(app, "a", json!([{ "Register": { "name": "gone" } }])).await;
        let mark = monitor(app, "a", "gone").await;
        app.ask("a", json!({ "Kill": { "to": gone } })).await;
        reason(app, "a", &mark).await;
        app.ask("a", json!("Take")).await;
        let results = app
            .steps(
                "a",
                json!([
                    { "SendNamed": { "name": "nobody", "body": 1 } },
                    { "SendNamed": { "name": "gone", "body": 1 } },
                    { "Send": { "to": { "name": "nobody" }, "body": 1 } },
                    { "Send": { "to": dead, "body": 1 } },
                    { "Cast": { "to": { "name": "nobody" }, "body": 1 } },
                    { "SendAfter": { "after_ms": 0, "to": { "name": "nobody" }, "body": 1 } },
                    "Journal"
                ]),
            )
            .await;
        for step in 0..3 {
            assert!(results[step]["Err"]["unknown"].is_string(), "step {step}: {results}");
        }
        assert_eq!((&results[3], &results[4]), (&json!({ "Ok": null }), &Value::Null), "a cast is never refused");
        assert!(results[5].is_number(), "a timer looks the name up when it is due: {results}");
        assert_eq!(results[6], json!([]));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reg_04_whoever_finds_a_name_reaches_its_holder() {
    let child = Child::probe("bank").restart(Restart::Permanent);
    for keep in MODES {
        let spec = SupervisorSpec { max_restarts: u32::MAX, ..supervisor([child.clone()]) };
        let app = TestApp::try_start(keep, spec).await.expect("it starts");
        let mut holder = app.pid("bank");
        for round in 0..300 {
            app.runtime.kill(holder);
            holder = eventually("the next one", || app.whereis("bank").filter(|&next| next != holder)).await;
            let echo = Body::Json(json!({ "Echo": round }).to_string());
            let reply = app.runtime.call("test", Address::Pid(holder), echo, Some(PATIENCE)).await;
            assert_eq!(reply, Ok(Body::Json(round.to_string())), "{holder} has the name");
        }
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reg_05_a_start_under_a_taken_name_leaves_the_holder_alone() {
    in_both_modes(probes(["a", "bank"]), async |app| {
        let bank = app.pid("bank");
        let init = json!([{ "SendNamed": { "name": "a", "body": "init ran" } }]);
        let spawn =
            json!({ "Spawn": { "module": "probe", "name": "bank", "args": init, "monitor": true, "link": true } });
        let refused = app.ask("a", spawn).await;
        assert_eq!(refused, json!({ "Err": { "refused": { "taken": bank.to_text() } } }));

        let child = Child::new("other", "probe", &init).process(|process| process.name = Some("bank".into()));
        let root = app.runtime.root("test").expect("the app runs");
        let refused = app.runtime.supervise(root, Request::StartChild(child.spec)).await;
        let taken = RequestError::Failed(SpawnError::Refused(Refusal::Taken(bank)));
        assert!(matches!(refused, Err(RuntimeError::Refused(error)) if error == taken));

        assert_eq!(app.pid("bank"), bank);
        assert_eq!(app.ask("bank", json!("Journal")).await, json!([]));
        let journal = app.ask("a", json!("Journal")).await;
        assert_eq!(journal, json!([]), "neither init ran, and nothing of the failed starts was told");
    })
    .await;
}
