//! The demo's app, where its server crashes after it was upgraded.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use serde_json::{Value, json};
use skep::build::Quiet;
use skep::manifest::{Manifest, Source};
use skep::node::deploy;
use skep_runtime::kernel::{Address, Body, CallError, ExitReason};
use skep_runtime::spec::Keep;
use skep_runtime::upgrade::Upgrade;
use skep_runtime::{EngineConfig, Runtime, RuntimeConfig};
use skep_tests::app::{PATIENCE, Reports};
use skep_tests::{MODES, guests};

const LINES: u64 = 20_000;

/// Two forms of one word in each line, and a word of its own.
fn text() -> String {
    (0..LINES).fold(String::new(), |mut text, n| {
        writeln!(text, "The the w{n}").expect("a string takes all");
        text
    })
}

/// The app as it is shipped, but for the file that it reads, of which it keeps the end back.
fn manifest(folder: &Path) -> Manifest {
    let path = guests::root().join("examples-wasm/tally/tally.toml");
    let mut text = std::fs::read_to_string(&path).expect("the app is there");
    let folder = folder.to_str().expect("a plain path");
    for (shipped, ours) in [
        (r#"args = { file = "/input/many-voices.txt" }"#, r#"args = { file = "/input/text", keep_end = true }"#),
        (r#""./texts:/input""#, &*format!(r#""{folder}:/input""#)),
    ] {
        assert!(text.contains(shipped), "{shipped} is missing in the manifest");
        text = text.replace(shipped, ours);
    }
    let source = Source { path, text: text.into() };
    Manifest::parse(source, Path::new("/nonexistent")).expect("the manifest makes sense")
}

async fn call(runtime: &Runtime, name: &str, question: Value) -> Result<Value, CallError> {
    let body = Body::Json(question.to_string());
    let answer = runtime.call("tally", Address::Name(name.into()), body, Some(PATIENCE)).await?;
    Ok(serde_json::from_slice(answer.as_bytes()).expect("an answer in JSON"))
}

async fn ask(runtime: &Runtime, name: &str, question: Value) -> Value {
    call(runtime, name, question).await.expect("an answer")
}

/// The version goes on, the counts do not: the whole file is read again, and each word counts once.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_crashes_after_its_upgrade_begins_anew_on_version_2() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("text"), text()).expect("it can be written");
    for keep in MODES {
        crash_after_the_upgrade(folder.path(), keep).await;
    }
}

async fn crash_after_the_upgrade(folder: &Path, keep: Keep) {
    let engine = EngineConfig { cache: Some(guests::cache()), slots: Some(64), ..EngineConfig::default() };
    let config = RuntimeConfig { engine, keep: Some(keep), ..RuntimeConfig::default() };
    let runtime = Runtime::new(config, Arc::new(Reports::default())).expect("a runtime");
    let app = deploy::app(manifest(folder), runtime.engine(), &mut Quiet).expect("it can be loaded");
    runtime.start_app(app).await.expect("it starts");

    let half = ask(&runtime, "reader", json!("Half")).await;
    assert!(half["done"].as_u64() >= Some(half["bytes"].as_u64().expect("a number") / 2), "{half}");
    let successor = runtime.engine().load("server", &guests::bytes("tally-server-v2")).expect("it can be loaded");
    let upgrade = Upgrade::one("tally".into(), "server".into(), successor);
    let summary = runtime.upgrade(upgrade, |_| {}).await.expect("it goes up");
    assert_eq!(summary.migrated, 1, "{summary:?}");
    let totals = ask(&runtime, "tally", json!("Totals")).await["Totals"].take();
    assert_eq!(totals["version"], 2);
    assert!(totals["pieces_before"].as_u64() > Some(0), "{totals}");

    let reader = runtime.whereis("tally", "reader").expect("a reader");
    let torn = json!({ "Add": { "piece": { "start": 1, "end": u32::MAX }, "result": "Rejected" } });
    let crashed = call(&runtime, "tally", torn).await;
    assert!(matches!(crashed, Err(CallError::Ended(ExitReason::Failed(_)))), "{crashed:?}");
    let started = Instant::now();
    loop {
        assert!(started.elapsed() < PATIENCE, "the file is not read again: {:#?}", runtime.tree("tally"));
        tokio::task::yield_now().await;
        if runtime.whereis("tally", "reader").is_none_or(|now| now == reader) {
            continue;
        }
        let progress = ask(&runtime, "reader", json!("GoOn")).await;
        if progress["stage"] == "Done" {
            break;
        }
    }
    let totals = ask(&runtime, "tally", json!("Totals")).await["Totals"].take();
    for (field, number) in [("version", 2), ("lines", LINES), ("words", 3 * LINES), ("distinct", LINES + 1)] {
        assert_eq!(totals[field], number, "{field}: {totals}");
    }
    assert_eq!(totals["pieces_before"], 0, "what version 1 had is gone: {totals}");
    let page = ask(&runtime, "tally", json!({ "Page": { "after": "tgz" } })).await["Page"].take();
    assert_eq!(page[0], json!(["the", 2 * LINES]));
    runtime.shutdown().await;
}
