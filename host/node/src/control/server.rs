//! Answers what is asked over the control socket, or over TCP.
//!
//! Owns the routes, with the scope that each one needs, and the bounds of what is read. Decides nothing about processes: each
//! handler makes one call on the node.

mod caller;
mod children;
mod connection;
mod deploy;
mod failures;
mod inspect;
mod listener;
mod names;
mod refusal;
mod remote;
mod stream;
mod upgrade;
mod usage;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use axum::body::{Body as HttpBody, Bytes};
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use hyper_util::server::graceful::GracefulShutdown;
use serde::Deserialize;
use skep_runtime::kernel::{Body, Name};
use skep_runtime::observe::Level;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;
use tower_http::timeout::RequestBodyTimeoutLayer;

use super::protocol::{AppTree, Branch, Halted, Message, NodeInfo, Process, Sent, maybe_name};
use crate::node::body::Readable;
use crate::node::deploy::MODULE_BYTES;
use crate::node::{Node, Stage, address};
use caller::{Gate, Peer, Session, Ticket};
pub use listener::Listener;
use refusal::Refusal;
use remote::Incoming;
pub use remote::Remote;

/// Bytes of a request's body at most: well above the default `body_bytes` of a process.
const REQUEST_BYTES: usize = 16 << 20;
/// Bytes of a request that says what is to be deployed: paths, no code.
const ORDER_BYTES: usize = 1 << 20;
/// Connections over the socket at once.
const CONNECTIONS: usize = 256;
/// How long a call waits that does not say: OTP's 5 seconds.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// Entries of the log for a request that does not say how many.
const LOG_LINES: usize = 100;
/// How long requests under way may take to end once the node has stopped.
const LAST_WORDS: Duration = Duration::from_secs(2);

type Shared = State<Arc<Node>>;
type Answer<T> = Result<Json<T>, Refusal>;

/// Where a node is asked.
pub struct Doors {
    /// The socket in its folder.
    pub socket: Listener,
    /// An address, for whoever has a token.
    pub remote: Option<Remote>,
}

/// Serves until the node has stopped and what was asked before is answered.
pub async fn serve(node: Arc<Node>, doors: Doors) {
    let router = router(&node);
    let graceful = GracefulShutdown::new();
    tokio::select! {
        () = accept(&node, &doors, &router, &graceful) => {}
        () = node.reaches(Stage::Stopped) => {}
    }
    let _ = tokio::time::timeout(LAST_WORDS, graceful.shutdown()).await;
}

/// Answers what is asked on one connection, until it ends, for a program that carries connections itself: from an address,
/// where each request needs a token, or without one from the owner.
pub async fn answer<S>(node: &Arc<Node>, stream: S, from: Option<SocketAddr>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let peer = match from {
        Some(address) => Peer::Remote(Arc::new(Session::new(address))),
        None => Peer::Owner { uid: rustix::process::getuid().as_raw() },
    };
    let graceful = GracefulShutdown::new();
    connection::serve(stream, peer, router(node), graceful.watcher()).await;
}

/// Accepts connections. Never returns.
async fn accept(node: &Arc<Node>, doors: &Doors, router: &Router, graceful: &GracefulShutdown) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let (router, watcher) = (router.clone(), graceful.watcher());
        tokio::select! {
            (stream, uid) = doors.socket.accept() => match Arc::clone(&room).try_acquire_owned() {
                Ok(place) => {
                    let serving = connection::serve(stream, Peer::Owner { uid }, router, watcher);
                    tokio::spawn(async move {
                        serving.await;
                        drop(place);
                    });
                }
                Err(_) => node.log.note(Level::Warn, format!("{CONNECTIONS} connections are open: one more was closed")),
            },
            incoming = from_elsewhere(doors.remote.as_ref()) => {
                tokio::spawn(incoming.serve(Arc::clone(node), router, watcher));
            }
        }
    }
}

async fn from_elsewhere(remote: Option<&Remote>) -> Incoming {
    match remote {
        Some(remote) => remote.accept().await,
        None => std::future::pending().await,
    }
}

/// Every path, each in the scope that it needs.
fn router(node: &Arc<Node>) -> Router {
    let gate = Gate { node: Arc::clone(node), failures: Arc::default() };
    let read = Router::new()
        .route("/v1/node", get(info))
        .route("/v1/processes", get(processes))
        .route("/v1/usage", get(usage::usage))
        .route("/metrics", get(usage::metrics))
        .route("/v1/tree", get(tree))
        .route("/v1/inspect", get(inspect::inspect))
        .route("/v1/grants", get(inspect::grants))
        .route("/v1/trace", get(inspect::trace))
        .route("/v1/names", get(names::names))
        .route("/v1/logs", get(logs))
        .route("/v1/modules", get(upgrade::modules))
        .route("/v1/upgrades", get(upgrade::upgrades))
        .route_layer(from_fn_with_state(gate.clone(), caller::may_read));
    let operate = Router::new()
        .route("/v1/system", post(inspect::system))
        .route("/v1/children", post(children::children))
        .route("/v1/call", post(call))
        .route("/v1/cast", post(cast))
        .route("/v1/stop", post(stop))
        .route_layer(from_fn_with_state(gate.clone(), caller::may_operate));
    let deploy = Router::new()
        .route("/v1/upgrade", post(upgrade::upgrade).layer(DefaultBodyLimit::max(MODULE_BYTES)))
        .route("/v1/rollback", post(upgrade::rollback))
        .route("/v1/plan", post(deploy::plan).layer(DefaultBodyLimit::max(ORDER_BYTES)))
        .route("/v1/deploy", post(deploy::deploy).layer(DefaultBodyLimit::max(ORDER_BYTES)))
        .route("/v1/undeploy", post(deploy::undeploy).layer(DefaultBodyLimit::max(ORDER_BYTES)))
        .route_layer(from_fn_with_state(gate.clone(), caller::may_deploy));
    read.merge(operate)
        .merge(deploy)
        .fallback(|| async { Refusal::not_found("there is nothing at this path") })
        .method_not_allowed_fallback(|| async { Refusal::bad_request("this path takes another method") })
        .layer(DefaultBodyLimit::max(REQUEST_BYTES))
        .layer(RequestBodyTimeoutLayer::new(connection::BODY_TIME))
        .layer(from_fn_with_state(gate, caller::authenticate))
        .with_state(Arc::clone(node))
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
    #[serde(default, deserialize_with = "maybe_name")]
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

async fn call(
    State(node): Shared,
    Extension(ticket): Extension<Ticket>,
    request: Result<Bytes, BytesRejection>,
) -> Answer<Readable> {
    let message = parsed(request)?;
    ticket.about(&message.to);
    let target = address::resolve(&message.to, &node.runtime)?;
    let timeout = message.timeout_ms.map_or(CALL_TIMEOUT, Duration::from_millis);
    let body = Body::Json(message.body.get().to_owned());
    match node.runtime.call(&target.app, target.address, body, Some(timeout)).await {
        Ok(reply) => Ok(Json(Readable::from(&reply))),
        Err(error) => Err(Refusal::call(&message.to, timeout, &error)),
    }
}

async fn cast(
    State(node): Shared,
    Extension(ticket): Extension<Ticket>,
    request: Result<Bytes, BytesRejection>,
) -> Answer<Sent> {
    let message = parsed(request)?;
    ticket.about(&message.to);
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
    #[serde(default, deserialize_with = "maybe_name")]
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
