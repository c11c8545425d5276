//! Answers what is asked over the control socket.
//!
//! Owns the routes, the check of who connects, and the bounds of what is read. Decides nothing about processes: each
//! handler makes one call on the node.

mod children;
mod deploy;
mod inspect;
mod listener;
mod names;
mod refusal;
mod stream;
mod upgrade;

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use axum::body::{Body as HttpBody, Bytes};
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use skep_runtime::kernel::{Body, Name};

use super::protocol::{AppTree, Branch, Halted, Message, NodeInfo, Process, Sent};
use crate::node::body::Readable;
use crate::node::deploy::MODULE_BYTES;
use crate::node::{Node, Stage, address};
pub use listener::Listener;
use refusal::Refusal;

/// Bytes of a request's body at most: well above the default `body_bytes` of a process.
const REQUEST_BYTES: usize = 16 << 20;
/// How long a call waits that does not say: OTP's 5 seconds.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// Entries of the log for a request that does not say how many.
const LOG_LINES: usize = 100;
/// How long requests under way may take to end once the node has stopped.
const LAST_WORDS: Duration = Duration::from_secs(2);

type Shared = State<Arc<Node>>;
type Answer<T> = Result<Json<T>, Refusal>;

/// Serves until the node has stopped and what was asked before is answered.
pub async fn serve(node: Arc<Node>, listener: Listener) -> std::io::Result<()> {
    let router = Router::new()
        .route("/v1/node", get(info))
        .route("/v1/processes", get(processes))
        .route("/v1/tree", get(tree))
        .route("/v1/inspect", get(inspect::inspect))
        .route("/v1/system", post(inspect::system))
        .route("/v1/trace", get(inspect::trace))
        .route("/v1/children", post(children::children))
        .route("/v1/names", get(names::names))
        .route("/v1/call", post(call))
        .route("/v1/cast", post(cast))
        .route("/v1/logs", get(logs))
        .route("/v1/modules", get(upgrade::modules))
        .route("/v1/upgrade", post(upgrade::upgrade).layer(DefaultBodyLimit::max(MODULE_BYTES)))
        .route("/v1/rollback", post(upgrade::rollback))
        .route("/v1/upgrades", get(upgrade::upgrades))
        .route("/v1/plan", post(deploy::plan))
        .route("/v1/deploy", post(deploy::deploy))
        .route("/v1/undeploy", post(deploy::undeploy))
        .route("/v1/stop", post(stop))
        .fallback(|| async { Refusal::not_found("there is nothing at this path") })
        .method_not_allowed_fallback(|| async { Refusal::bad_request("this path takes another method") })
        .layer(DefaultBodyLimit::max(REQUEST_BYTES))
        .with_state(Arc::clone(&node));
    let stopped = {
        let node = Arc::clone(&node);
        async move { node.reaches(Stage::Stopped).await }
    };
    let late = async {
        node.reaches(Stage::Stopped).await;
        tokio::time::sleep(LAST_WORDS).await;
    };
    tokio::select! {
        served = axum::serve(listener, router).with_graceful_shutdown(stopped) => served,
        () = late => Ok(()),
    }
}

async fn info(State(node): Shared) -> Json<NodeInfo> {
    let since = node.started.duration_since(UNIX_EPOCH).unwrap_or_default();
    Json(NodeInfo {
        name: node.name.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        os_process: std::process::id(),
        started_ms: u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
        apps: node.runtime.apps().iter().map(Name::to_string).collect(),
    })
}

async fn processes(State(node): Shared) -> Json<Vec<Process>> {
    Json(node.runtime.processes().iter().map(Process::from).collect())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TreeQuery {
    app: Option<String>,
}

async fn tree(State(node): Shared, query: Result<Query<TreeQuery>, QueryRejection>) -> Answer<Vec<AppTree>> {
    let Query(TreeQuery { app }) = query?;
    let apps = node.runtime.apps();
    if let Some(wanted) = &app
        && !apps.iter().any(|known| **known == **wanted)
    {
        return Err(Refusal::unknown_app(wanted, &apps));
    }
    let wanted = apps.iter().filter(|known| app.as_deref().is_none_or(|app| app == &***known));
    let trees = wanted.filter_map(|name| {
        let root = node.runtime.tree(name)?;
        Some(AppTree { app: name.to_string(), root: Branch::from(&root) })
    });
    Ok(Json(trees.collect()))
}

async fn call(State(node): Shared, request: Result<Bytes, BytesRejection>) -> Answer<Readable> {
    let message = parsed(request)?;
    let target = address::resolve(&message.to, &node.runtime)?;
    let timeout = message.timeout_ms.map_or(CALL_TIMEOUT, Duration::from_millis);
    let body = Body::Json(message.body.get().to_owned());
    match node.runtime.call(&target.app, target.address, body, Some(timeout)).await {
        Ok(reply) => Ok(Json(Readable::from(&reply))),
        Err(error) => Err(Refusal::call(&message.to, timeout, &error)),
    }
}

async fn cast(State(node): Shared, request: Result<Bytes, BytesRejection>) -> Answer<Sent> {
    let message = parsed(request)?;
    let target = address::resolve(&message.to, &node.runtime)?;
    let body = Body::Json(message.body.get().to_owned());
    match node.runtime.cast(&target.app, &target.address, body) {
        Ok(()) => Ok(Json(Sent { sent: true })),
        Err(error) => Err(Refusal::call(&message.to, CALL_TIMEOUT, &error)),
    }
}

/// Not axum's extractor, which goes through a layer that would take the body apart.
fn parsed(request: Result<Bytes, BytesRejection>) -> Result<Message, Refusal> {
    let bytes = request?;
    serde_json::from_slice(&bytes).map_err(|error| {
        Refusal::bad_request(format!("the request is not {{\"to\", \"body\", \"timeout_ms\"}}: {error}"))
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LogQuery {
    lines: Option<usize>,
    #[serde(default)]
    follow: bool,
    process: Option<String>,
}

async fn logs(State(node): Shared, query: Result<Query<LogQuery>, QueryRejection>) -> Result<Response, Refusal> {
    let Query(LogQuery { lines, follow, process }) = query?;
    let wanted = move |entry: &crate::node::log::Entry| process.as_ref().is_none_or(|process| entry.is_about(process));
    let mut following = node.log.follow(lines.unwrap_or(LOG_LINES), &wanted);
    if !follow {
        following.future = None;
    }
    stream::response(HttpBody::new(stream::entries(following, wanted)))
}

async fn stop(State(node): Shared) -> Json<Halted> {
    node.ask_to_stop();
    node.reaches(Stage::Stopped).await;
    Json(Halted { stopped: true })
}
