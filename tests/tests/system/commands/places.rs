//! Who needs an instance while there are few: a program that has one keeps it, and one that has none gets one.

use std::time::Duration;

use serde_json::json;
use skep_runtime::EngineConfig;
use skep_runtime::inspect::Waits;
use skep_runtime::spec::{Input, Keep};
use skep_tests::app::supervisor;
use skep_tests::{Child, TestApp, eventually};

use super::{app_on, command, ends_input, exits, says, types};

/// Every way in which an instance may be taken back, with an engine that has two places.
const KEEPS: [Keep; 3] = [Keep::WhileItFits, Keep::Never, Keep::For(Duration::from_millis(1))];

fn cramped() -> EngineConfig {
    EngineConfig { slots: Some(1), large_slots: 1, ..EngineConfig::default() }
}

/// Three servers want the one place that is left, again and again.
async fn press(app: &TestApp) {
    for name in ["a", "b", "c"].repeat(3) {
        assert_eq!(app.ask(name, json!({ "Echo": name })).await, json!(name));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_waits_for_input_keeps_its_instance_whoever_wants_it() {
    for keep in KEEPS {
        let cat = command("cat", "cat", Input::Messages);
        let servers = ["a", "b", "c"].map(Child::probe);
        let app = app_on(cramped(), keep, supervisor(std::iter::once(cat).chain(servers))).await;
        let pid = app.pid("cat");
        for (number, line) in ["one", "two", "three"].into_iter().enumerate() {
            press(&app).await;
            let waits = || Some(app.runtime.inspect(pid)?).filter(|cat| cat.waits_for == Some(Waits::Message));
            let process = eventually("it to wait", waits).await.process;
            assert_eq!((process.kind, process.status, process.saved_bytes), ("command", "blocked", None));
            assert!(process.memory_bytes >= Some(65_536), "it has its instance: {process:?}");
            types(&app, "cat", &format!("{line}\n")).await;
            says(&app, "cat", &["one", "two", "three"][..=number]).await;
        }
        // It has counted to three in its own memory.
        ends_input(&app, "cat");
        exits(&app, "cat", &[3]).await;
        press(&app).await;
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_gets_a_place_from_a_server_and_a_server_waits_for_the_end_of_a_command() {
    for keep in KEEPS {
        let cats = ["x", "y"].map(|id| command(id, "cat", Input::Messages));
        let app = app_on(cramped(), keep, supervisor(["a", "b"].map(Child::probe).into_iter().chain(cats))).await;
        for cat in ["x", "y"] {
            types(&app, cat, &format!("{cat}\n")).await;
            says(&app, cat, &[cat]).await;
        }
        // Both places are taken by programs: a server wakes when one has ended.
        assert_eq!(app.runtime.inspect(app.pid("a")).expect("it lives").process.memory_bytes, Some(0));
        app.send("a", &json!("hello"));
        let heard = async { app.journal("a", |journal| journal.contains(&json!({ "info": "hello" }))).await };
        let ends = async {
            eventually("it to wait for a place", || {
                let waiting = app.runtime.inspect(app.pid("a"))?.process;
                (waiting.mailbox_messages > 0).then_some(())
            })
            .await;
            ends_input(&app, "x");
        };
        tokio::join!(heard, ends);
        exits(&app, "x", &[1]).await;
        types(&app, "y", "still here\n").await;
        says(&app, "y", &["y", "still here"]).await;
        app.stop().await;
    }
}
