//! SYS: system messages from guests that were granted control.

use serde_json::{Value, json};
use skep_runtime::inspect::Waits;
use skep_runtime::kernel::Name;
use skep_runtime::kernel::supervisor::SupervisorSpec;
use skep_runtime::spec::Grants;
use skep_tests::{Child, TestApp, eventually, in_both_modes};

use super::{block, call_and_wait, heard, probes, process, spawn, through, until};

fn counter(name: &str) -> Child {
    Child::new(name, "counter", &json!(40))
}

/// A probe that may control these.
fn controller(name: &str, control: &[&str]) -> Child {
    Child::probe(name).process(|process| {
        let control = control.iter().map(|name| Name::from(*name)).collect();
        process.grants = Grants { control, ..Grants::clone(&process.grants) }.into();
    })
}

async fn ask(app: &TestApp, by: &str, target: impl Into<Value>, what: &str) -> Value {
    app.ask(by, json!({ "System": { "target": target.into(), "ask": what } })).await
}

fn done() -> Value {
    json!({ "Ok": "Done" })
}

fn refused(kind: &str, why: &str) -> Value {
    json!({ "Err": { "refused": { kind: why } } })
}

async fn set(app: &TestApp, by: &str, target: &str, state: Value) -> Value {
    app.ask(by, json!({ "SetState": { "target": target, "state": state } })).await
}

#[tokio::test(flavor = "multi_thread")]
async fn sys_01_a_guest_suspends_and_resumes_a_server_that_it_controls() {
    in_both_modes([controller("boss", &["c"]), Child::probe("c")], async |app| {
        assert_eq!(ask(app, "boss", "c", "Resume").await, done());
        for _ in 0..2 {
            assert_eq!(ask(app, "boss", "c", "Suspend").await, done());
        }
        app.send("c", &json!("one"));
        let status = ask(app, "boss", "c", "Status").await["Ok"]["Status"].take();
        let seen = (&status["doing"], &status["suspended"], &status["mailbox_messages"], &status["module"]);
        assert_eq!(seen, (&json!("suspended"), &json!(true), &json!(1), &json!("probe")), "{status}");
        assert_eq!((&status["name"], &status["pid"]), (&json!("c"), &json!(app.pid_text("c"))));
        assert_eq!(status["parent"], app.runtime.root("test").expect("it runs").to_text());
        // It stays so, whatever becomes of whoever wanted it.
        app.runtime.kill(app.pid("boss"));
        eventually("the end", || app.whereis("boss").is_none().then_some(())).await;
        assert_eq!(process(app, "c").status, "suspended");
        app.runtime.resume(app.pid("c")).await.expect("it lives");
        assert_eq!(heard(app, "c", "info", 1).await, [json!("one")]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sys_01_a_guest_that_waits_in_vain_or_ends_leaves_nothing_behind() {
    in_both_modes(probes(["boss", "a", "holder"]), async |app| {
        block(app, "a", "holder").await;
        let asks = |ms: Value| json!({ "System": { "target": "a", "ask": "Suspend", "timeout_ms": ms } });
        assert_eq!(app.ask("boss", asks(json!(20))).await, json!({ "Err": "timeout" }));
        // One that waits for ever is shown to wait for whom it asked, and withdraws its request with its end.
        app.send("boss", &json!({ "do": [asks(Value::Null)] }));
        let boss = app.pid("boss");
        let waits = eventually("it to block", || app.runtime.inspect(boss)?.waits_for).await;
        let Waits::Reply(Some(peer)) = &waits else { panic!("{waits:?}") };
        assert_eq!(peer.pid, app.pid("a"));
        app.runtime.kill(boss);
        eventually("its end", || (!app.is_alive(boss)).then_some(())).await;
        app.ask("holder", json!({ "Release": { "body": null } })).await;
        assert_eq!(app.ask("a", json!({ "Echo": "here" })).await, json!("here"), "it goes on");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sys_03_a_guest_is_told_a_state_and_replaces_it_or_changes_nothing() {
    in_both_modes([controller("boss", &["c", "m*"]), counter("c"), Child::probe("mine")], async |app| {
        let with = |count: i64| json!({ "count": count, "noted": {}, "violations": 0 });
        for suspended in [false, true] {
            if suspended {
                assert_eq!(ask(app, "boss", "c", "Suspend").await, done());
            }
            assert_eq!(set(app, "boss", "c", with(7)).await, json!({ "Ok": with(40) }));
            let nonsense = set(app, "boss", "c", json!("?")).await;
            let failed = &nonsense["Err"]["failed"];
            assert_eq!(failed["step"], "the code does not take this state", "{nonsense}");
            assert!(failed["reason"]["failed"].as_str().is_some_and(|why| why.contains("cannot read the state")));
            assert_eq!(set(app, "boss", "c", with(8)).await, json!({ "Ok": with(7) }));
            if suspended {
                assert_eq!(ask(app, "boss", "c", "Resume").await, done());
            }
            assert_eq!(app.ask("c", json!({ "Add": 32 })).await, json!(40));
        }
        app.ask("mine", json!({ "RefuseSave": true })).await;
        let refused = ask(app, "boss", "mine", "State").await;
        assert_eq!(refused["Err"]["failed"]["reason"], json!({ "failed": "told to refuse" }));
        assert_eq!(app.crashes("c"), []);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sys_03_a_state_larger_than_a_body_is_not_told() {
    let small = controller("boss", &["*"]).limits(|limits| limits.body_bytes = 2_000);
    in_both_modes([small, Child::probe("a")], async |app| {
        app.ask("a", json!({ "Echo": "x".repeat(2_000) })).await;
        let answer = ask(app, "boss", "a", "State").await;
        assert_eq!(answer, refused("limit", "the answer is larger than a body may be"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sys_04_a_guest_is_told_what_a_process_has_done() {
    in_both_modes(probes(["boss", "a", "o"]), async |app| {
        for _ in 0..3 {
            app.ask("a", json!({ "SendNamed": { "name": "o", "body": "x" } })).await;
        }
        let told = ask(app, "boss", "a", "Statistics").await["Ok"]["Statistics"].take();
        assert_eq!((&told["messages_in"], &told["messages_out"]), (&json!(3), &json!(6)), "{told}");
        assert!(told["fuel_used"].as_u64().is_some_and(|fuel| fuel > 0), "{told}");
        // Also of a task, which takes no system messages.
        let spawned = app.ask("o", json!({ "Spawn": { "module": "probe-task", "args": [call_and_wait("o")] } })).await;
        let task = spawned["Ok"]["pid"].as_str().expect("it starts").to_owned();
        until(app, "o", json!("Held"), |held| held[0].is_object()).await;
        let status = json!({ "System": { "target": &task, "ask": "Status" } });
        until(app, "boss", status, |told| told["Ok"]["Status"]["doing"] == "blocked").await;
        assert_eq!(ask(app, "boss", task, "Suspend").await, refused("invalid", "only servers take system messages"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sys_05_control_is_denied_unless_it_is_granted_by_the_name_of_a_start() {
    let workers = SupervisorSpec { name: Some("workers".into()), ..SupervisorSpec::dynamic(None) };
    let workers = skep_runtime::kernel::supervisor::ChildSpec::supervisor(
        "workers",
        skep_runtime::spec::Blueprint::Supervisor(workers.into()),
    );
    let children = vec![
        controller("nobody", &[]),
        controller("boss", &["c", "late"]),
        controller("all", &["*"]),
        counter("c"),
        counter("d"),
        Child { spec: workers },
    ];
    in_both_modes(children, async |app| {
        for what in ["Suspend", "Resume", "State", "Status", "Statistics"] {
            assert_eq!(ask(app, "nobody", "c", what).await, refused("denied", "control"));
            assert_eq!(ask(app, "nobody", "not there", what).await, refused("denied", "control"));
            assert_eq!(ask(app, "boss", "d", what).await, refused("denied", "control = [\"d\"]"));
            assert_eq!(ask(app, "boss", "not there", what).await, refused("unknown", "noproc"));
            assert_eq!(ask(app, "all", "all", what).await, refused("invalid", "a process cannot control itself"));
            let none = refused("invalid", "only servers take system messages");
            assert_eq!(ask(app, "all", "workers", what).await, none);
        }
        let denied = set(app, "nobody", "c", json!(1)).await;
        assert_eq!(denied, refused("denied", "control"));
        // A name that is given later gives nobody a right.
        let pid = spawn(app, "boss", Value::Null).await;
        let named = app.ask("boss", json!({ "Register": { "name": "late", "pid": pid } })).await;
        assert_eq!(named, json!({ "Ok": null }));
        assert_eq!(ask(app, "boss", "late", "Suspend").await, refused("denied", "control = [\"*\"]"));
        assert_eq!(ask(app, "all", "late", "Suspend").await, done());
        // An alias says nothing of whose it is.
        let way = app.ask("all", json!({ "OpenAlias": { "once": false } })).await;
        assert_eq!(ask(app, "boss", way, "Status").await, refused("unknown", "noproc"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sys_05_control_ends_at_the_border_of_the_app_and_goes_no_farther_than_the_parents() {
    in_both_modes([controller("all", &["*"]), controller("boss", &["c"]), counter("c"), counter("d")], async |app| {
        app.start_beside("other", [Child::probe("x")]).await;
        let stranger = app.runtime.whereis("other", "x").expect("it runs").to_text();
        for what in ["Suspend", "State", "Status"] {
            let told = ask(app, "all", json!({ "pid": stranger }), what).await;
            assert_eq!(told, refused("unknown", "noproc"), "nobody is there");
        }
        app.runtime.stop_app("other").await.expect("it runs");
        // The module is granted everybody, and its parent passes on no more than it has.
        let asks = |target: &str| json!({ "System": { "target": target, "ask": "Suspend" } });
        let child = spawn(app, "boss", Value::Null).await;
        assert_eq!(through(app, "boss", &child, asks("c")).await, done());
        assert_eq!(through(app, "boss", &child, asks("d")).await, refused("denied", "control = [\"d\"]"));
        let child = spawn(app, "all", Value::Null).await;
        assert_eq!(through(app, "all", &child, asks("d")).await, done());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sys_05_who_waits_for_a_process_that_ends_is_told() {
    in_both_modes(probes(["boss", "a", "holder"]), async |app| {
        block(app, "a", "holder").await;
        let asks = json!({ "System": { "target": "a", "ask": "State", "timeout_ms": null } });
        let (told, ()) = tokio::join!(app.ask("boss", asks), async {
            eventually("it to block", || (process(app, "boss").status == "blocked").then_some(())).await;
            app.runtime.kill(app.pid("a"));
        });
        assert_eq!(told, json!({ "Err": "ended" }));
        assert_eq!(ask(app, "boss", "a", "State").await, refused("unknown", "noproc"));
    })
    .await;
}
