//! The example that shows how a Rust program embeds Skep, run with a real guest: it asserts what it shows.

#[path = "../../../host/node/examples/embed.rs"]
#[allow(dead_code, reason = "its `main` is for whoever runs it alone")]
mod embed;

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use skep_runtime::kernel::{Address, Body, Event, ExitReason, SpawnError};
use skep_runtime::observe::{Observer, Report};
use skep_runtime::spec::{AppSpec, ModuleSpec, ProcessSpec};
use skep_runtime::{EngineConfig, Runtime, RuntimeConfig};
use skep_tests::app::PATIENCE;
use skep_tests::{Child, eventually, guests, in_both_modes};

#[tokio::test(flavor = "multi_thread")]
async fn the_example_of_a_module_does_what_it_says() {
    embed::from_a_module(&guests::bytes("counter")).await.expect("it is as it says");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_of_a_manifest_does_what_it_says() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("counter.wasm"), guests::bytes("counter")).expect("it is ours");
    let manifest = "name = \"counter\"\n[modules.counter]\npath = \"counter.wasm\"\n[supervisor]\n\
        [[supervisor.children]]\nid = \"counter\"\nmodule = \"counter\"\nname = \"counter\"\nargs = 40\n";
    let path = folder.path().join("counter.toml");
    std::fs::write(&path, manifest).expect("it is ours");
    embed::from_a_manifest(&path, &folder.path().join("home")).await.expect("it is as it says");
}

/// Nobody who only reports.
struct Quiet;

impl Observer for Quiet {
    fn report(&self, _: Report) {}
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runtime_that_is_dropped_lets_go_of_everything() {
    let observer = Arc::new(Quiet);
    let engine = EngineConfig { slots: Some(4), large_slots: 1, ..EngineConfig::default() };
    let config = RuntimeConfig { engine, ..RuntimeConfig::default() };
    let runtime = Runtime::new(config, Arc::<Quiet>::clone(&observer)).expect("there is room for four");
    let counter = runtime.engine().load("counter", &guests::bytes("counter")).expect("it loads");
    let till = ProcessSpec::new("counter").args(Body::Json("40".into())).named("till");
    let app = AppSpec::new("shop").module(ModuleSpec::new("counter", counter)).child(till.child("till"));
    runtime.start_app(app).await.expect("it starts");
    let mut me = runtime.client("shop").expect("it runs");
    let mark = me.monitor("till").expect("it is a name");
    // One that was called keeps its instance, and waits in it.
    let added = me.call(Address::from("till"), Body::Json(json!({ "Add": 2 }).to_string()), Some(PATIENCE)).await;
    assert_eq!(added, Ok(Body::Json("42".into())));

    drop(runtime);
    let target = Address::from("till");
    assert_eq!(me.receive(PATIENCE).await, Some(Event::Down { mark, target, reason: ExitReason::Killed, tag: None }));
    assert!(Arc::strong_count(&observer) > 1, "a client holds on to it");
    drop(me);
    eventually("nobody to hold on to it", || (Arc::strong_count(&observer) == 1).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_is_a_process_among_the_others() {
    in_both_modes([Child::probe("a"), Child::probe("b")], async |app| {
        let mut me = app.runtime.client("test").expect("it runs");
        // Links go both ways, and at most one of a pair (LINK-01, LINK-02).
        let (a, b) = (app.pid("a"), app.pid("b"));
        me.link(a).expect("it lives");
        me.link(a).expect("it is linked already");
        me.link(b).expect("it lives");
        me.unlink(b);
        app.runtime.kill(b);
        app.runtime.kill(a);
        assert_eq!(me.receive(PATIENCE).await, Some(Event::Exit { pid: a, reason: ExitReason::Killed }));
        // Whom it links too late has ended (EXIT-09); whom it monitors too late too (MON-02).
        me.link(a).expect("its exit signal tells");
        assert_eq!(me.receive(PATIENCE).await, Some(Event::Exit { pid: a, reason: ExitReason::Noproc }));
        let mark = me.monitor("nobody").expect("it is a name");
        let target = Address::from("nobody");
        assert_eq!(
            me.receive(PATIENCE).await,
            Some(Event::Down { mark, target, reason: ExitReason::Noproc, tag: None })
        );
        // Whose an alias is nobody can ask (MON-12).
        let alias = skep_runtime::kernel::Alias { node: 0, id: 1, tag: 2 };
        let refused = me.monitor(Address::Alias(alias));
        assert!(matches!(refused, Err(skep_runtime::kernel::Refusal::Invalid(_))), "{refused:?}");
        // It starts processes, and a start that fails is an answer and nothing else (GS-02).
        let fails = Body::Json(json!([{ "Fail": "no" }]).to_string());
        let failed = me.spawn_link(ProcessSpec::new("probe").args(fails)).await;
        assert_eq!(failed, Err(SpawnError::Failed(ExitReason::failed("no"))));
        let (pid, mark) = me.spawn_monitor(ProcessSpec::new("probe").named("kid")).await.expect("it starts");
        // Messages and calls reach it.
        let to = me.pid().to_text();
        me.send(pid, Body::Json(json!({ "do": [{ "Send": { "to": { "pid": to }, "body": "hello" } }] }).to_string()));
        assert_eq!(me.receive(PATIENCE).await, Some(Event::Info(Body::Json("\"hello\"".into()))));
        let call = json!({ "Call": { "to": { "pid": to }, "body": "what?" } });
        let asks = Body::Json(json!({ "do": [call, { "SendNamed": { "name": "kid", "body": "told" } }] }).to_string());
        me.send(pid, asks);
        let Some(Event::Call { caller, body }) = me.receive(PATIENCE).await else { panic!("no call") };
        assert_eq!(body, Body::Json("\"what?\"".into()));
        me.reply(caller, Body::Json("\"this\"".into()));
        let journal = app.journal("kid", |journal| journal.iter().any(|entry| entry["info"] == "told")).await;
        assert!(journal.iter().any(|entry| entry["did"][0] == json!({ "Ok": "this" })), "{journal:?}");
        me.exit(pid, ExitReason::Shutdown(None));
        let target = Address::Pid(pid);
        assert_eq!(
            me.receive(PATIENCE).await,
            Some(Event::Down { mark, target, reason: ExitReason::Shutdown(None), tag: None })
        );
        me.demonitor(mark);
        assert_eq!(me.receive(Duration::from_millis(1)).await, None, "that is all");
    })
    .await;
}
