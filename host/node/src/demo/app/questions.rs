//! What the demo asks the running app, in JSON, which every guest of the SDK understands.
//!
//! Owns the shapes of questions and answers, as the crate `tally` in examples-wasm describes them. Changes nothing in the
//! app but that it lets the reader go on.

use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use skep_runtime::Runtime;
use skep_runtime::kernel::{Address, Body};

use crate::demo::DemoError;

/// The app's name in its manifest.
pub(super) const APP: &str = "tally";
/// The reader's name.
const READER: &str = "reader";
/// The name of the server that adds up.
const SERVER: &str = "tally";
/// How long an answer may take: the server sorts all words for a page. The reader waits as long for the server.
pub(super) const PATIENCE: Duration = Duration::from_secs(120);

/// How far the reader is.
#[derive(Deserialize)]
pub(super) struct Progress {
    pub(super) bytes: u64,
    pub(super) done: u64,
    pub(super) keeps_end: bool,
    pub(super) stage: ReaderStage,
}

/// What the reader is at.
#[derive(Deserialize)]
pub(super) enum ReaderStage {
    Running,
    Done,
    Failed(String),
}

/// The sums of the app.
#[derive(Deserialize)]
pub(in crate::demo) struct Totals {
    pub(in crate::demo) version: u32,
    pub(in crate::demo) lines: u64,
    pub(in crate::demo) rejected: u64,
    pub(in crate::demo) words: u64,
    pub(in crate::demo) distinct: u64,
    pub(in crate::demo) pieces: u64,
    pub(in crate::demo) pieces_before: u64,
}

#[derive(Deserialize)]
enum Reply {
    Totals(Totals),
    Page(Vec<(String, u64)>),
}

/// How far the reader is.
pub(super) async fn progress(runtime: &Runtime) -> Result<Progress, DemoError> {
    ask(runtime, READER, &json!("Progress"), Some(PATIENCE)).await
}

/// The same as soon as half is done, or all that the reader does not keep back, however long that takes.
pub(super) async fn half(runtime: &Runtime) -> Result<Progress, DemoError> {
    ask(runtime, READER, &json!("Half"), None).await
}

/// Lets the reader pass on what it keeps back.
pub(super) async fn go_on(runtime: &Runtime) -> Result<Progress, DemoError> {
    ask(runtime, READER, &json!("GoOn"), Some(PATIENCE)).await
}

/// How many processes were restarted so far.
pub(in crate::demo) fn restarts(runtime: &Runtime) -> u64 {
    runtime.tree(APP).map_or(0, |tree| tree.restarts_total())
}

/// The sums.
pub(in crate::demo) async fn totals(runtime: &Runtime) -> Result<Totals, DemoError> {
    match ask(runtime, SERVER, &json!("Totals"), Some(PATIENCE)).await? {
        Reply::Totals(totals) => Ok(totals),
        Reply::Page(_) => Err(DemoError::BadAnswer { name: SERVER, problem: "words instead of sums".to_owned() }),
    }
}

/// The words behind this one, as many as the app gives at once; none at the end.
pub(in crate::demo) async fn page(runtime: &Runtime, after: Option<&str>) -> Result<Vec<(String, u64)>, DemoError> {
    match ask(runtime, SERVER, &json!({ "Page": { "after": after } }), Some(PATIENCE)).await? {
        Reply::Page(words) => Ok(words),
        Reply::Totals(_) => Err(DemoError::BadAnswer { name: SERVER, problem: "sums instead of words".to_owned() }),
    }
}

async fn ask<T: DeserializeOwned>(
    runtime: &Runtime,
    name: &'static str,
    question: &Value,
    patience: Option<Duration>,
) -> Result<T, DemoError> {
    let body = Body::Json(question.to_string());
    let answer = runtime.call(APP, Address::Name(name.into()), body, patience).await;
    let answer = answer.map_err(|error| DemoError::NoAnswer { name, error })?;
    serde_json::from_slice(answer.as_bytes()).map_err(|error| DemoError::BadAnswer { name, problem: error.to_string() })
}
