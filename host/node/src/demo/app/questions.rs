//! What the demo asks the running app, in JSON, which every guest of the SDK understands.
//!
//! Owns the shapes of questions and answers, as the crate `tally` in examples-wasm describes them. Never changes
//! anything in the app.

use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use skep_runtime::Runtime;
use skep_runtime::kernel::{Address, Body, CallError};

use super::Crashes;
use crate::demo::{DemoError, LOOK, Stage, Watch};

/// The app's name in its manifest.
const APP: &str = "tally";
/// The reader's name.
const READER: &str = "reader";
/// The name of the server that adds up.
const SERVER: &str = "tally";
/// How long an answer may take: the server sorts all words for a page.
const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Deserialize)]
struct Progress {
    bytes: u64,
    done: u64,
    stage: ReaderStage,
}

#[derive(Deserialize)]
enum ReaderStage {
    Running,
    Done,
    Failed(String),
}

/// The sums of the app.
#[derive(Deserialize)]
pub(in crate::demo) struct Totals {
    pub(in crate::demo) lines: u64,
    pub(in crate::demo) rejected: u64,
    pub(in crate::demo) words: u64,
    pub(in crate::demo) distinct: u64,
}

#[derive(Deserialize)]
enum Reply {
    Totals(Totals),
    Page(Vec<(String, u64)>),
}

/// Waits until all is added up.
pub(in crate::demo) async fn counted(runtime: &Runtime, crashes: &Crashes, watch: &dyn Watch) -> Result<(), DemoError> {
    let mut tick = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            ended = runtime.app_ended(APP) => {
                return Err(DemoError::Ended { reason: ended?, crash: crashes.last() });
            }
            _ = tick.tick() => {}
        }
        let Progress { bytes, done, stage } = match ask(runtime, READER, &json!("Progress")).await {
            // It crashed, and is being restarted; or its supervisor gives up, which is noticed above.
            Err(DemoError::NoAnswer { error: CallError::Ended(_), .. }) => continue,
            progress => progress?,
        };
        watch.stage(Stage::Running { done, bytes });
        match stage {
            ReaderStage::Running => {}
            ReaderStage::Done => return Ok(()),
            ReaderStage::Failed(why) => return Err(DemoError::Failed(why)),
        }
    }
}

/// How many processes were restarted so far.
pub(in crate::demo) fn restarts(runtime: &Runtime) -> u64 {
    runtime.tree(APP).map_or(0, |tree| tree.restarts_total())
}

/// The sums.
pub(in crate::demo) async fn totals(runtime: &Runtime) -> Result<Totals, DemoError> {
    match ask(runtime, SERVER, &json!("Totals")).await? {
        Reply::Totals(totals) => Ok(totals),
        Reply::Page(_) => Err(DemoError::BadAnswer { name: SERVER, problem: "words instead of sums".to_owned() }),
    }
}

/// The words behind this one, as many as the app gives at once; none at the end.
pub(in crate::demo) async fn page(runtime: &Runtime, after: Option<&str>) -> Result<Vec<(String, u64)>, DemoError> {
    match ask(runtime, SERVER, &json!({ "Page": { "after": after } })).await? {
        Reply::Page(words) => Ok(words),
        Reply::Totals(_) => Err(DemoError::BadAnswer { name: SERVER, problem: "sums instead of words".to_owned() }),
    }
}

async fn ask<T: DeserializeOwned>(runtime: &Runtime, name: &'static str, question: &Value) -> Result<T, DemoError> {
    let body = Body::Json(question.to_string());
    let answer = runtime.call(APP, Address::Name(name.into()), body, Some(PATIENCE)).await;
    let answer = answer.map_err(|error| DemoError::NoAnswer { name, error })?;
    serde_json::from_slice(answer.as_bytes()).map_err(|error| DemoError::BadAnswer { name, problem: error.to_string() })
}
