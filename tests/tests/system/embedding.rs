//! The example that shows how a Rust program embeds Skep, run with a real guest: it asserts what it shows.

#[path = "../../../host/node/examples/embed.rs"]
#[allow(dead_code, reason = "its `main` is for whoever runs it alone")]
mod embed;

use std::time::Duration;

use serde_json::json;
use skep_runtime::kernel::{Address, Body, Event, ExitReason, SpawnError};
use skep_runtime::spec::ProcessSpec;
use skep_tests::app::PATIENCE;
use skep_tests::{Child, guests, in_both_modes};

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
