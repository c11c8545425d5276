//! Answers what is asked about one process, hands it system messages, and streams what it handles.
//!
//! Owns that a trace ends when its reader goes, and that a slow reader misses events and is told how many. A suspension
//! outlives whoever asked for it, as in OTP; one that has not come about in time does not come about later.

use std::time::Duration;

use axum::body::Body as HttpBody;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Query, State};
use axum::response::Response;
use axum::{Extension, Json};
use serde::Deserialize;
use skep_runtime::SYSTEM_TIMEOUT;
use skep_runtime::kernel::{Body, ExitReason, Pid};
use skep_runtime::system::SystemError;

use super::caller::Ticket;
use super::refusal::Refusal;
use super::{Answer, Shared, stream};
use crate::control::protocol::{Answered, Ask, Asked, Granted, Inspected, TraceLine, name};
use crate::node::log::now_ms;
use crate::node::{Node, address, state};

/// How long an inspection waits for the state of a process that is busy, unless it says how long.
const STATE_TIMEOUT: Duration = Duration::from_secs(1);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct InspectQuery {
    #[serde(deserialize_with = "name")]
    process: String,
    /// How long to wait for its state; 0: not to ask for it.
    state_ms: Option<u64>,
}

/// `GET /v1/inspect`
pub(super) async fn inspect(
    axum::extract::State(node): Shared,
    query: Result<Query<InspectQuery>, QueryRejection>,
) -> Answer<Inspected> {
    let Query(InspectQuery { process, state_ms }) = query?;
    let pid = pid(&node, &process)?;
    // Before the rest: telling it is not what it is handling.
    let seen = node.runtime.inspect(pid).ok_or(SystemError::Noproc(pid))?;
    let mut inspected = Inspected::from(&seen);
    let within = state_ms.map_or(STATE_TIMEOUT, Duration::from_millis);
    if seen.process.kind == "server" && !within.is_zero() {
        match node.runtime.state(pid, within).await {
            Ok(saved) => inspected.state = Some(state::readable(&saved)),
            Err(error) => inspected.state_problem = Some(error.to_string()),
        }
    }
    Ok(Json(inspected))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GrantsQuery {
    #[serde(deserialize_with = "name")]
    process: String,
}

/// `GET /v1/grants`
pub(super) async fn grants(
    axum::extract::State(node): Shared,
    query: Result<Query<GrantsQuery>, QueryRejection>,
) -> Answer<Granted> {
    let Query(GrantsQuery { process }) = query?;
    let pid = pid(&node, &process)?;
    let seen = node.runtime.inspect(pid).ok_or(SystemError::Noproc(pid))?;
    let rights = node.runtime.rights(pid).ok_or_else(|| Refusal::not_a_guest(pid))?;
    Ok(Json(Granted::new(pid.to_string(), seen.path, &rights)))
}

fn pid(node: &Node, process: &str) -> Result<Pid, Refusal> {
    Ok(address::pid(process, &node.runtime)?)
}

/// `POST /v1/system`
pub(super) async fn system(
    State(node): Shared,
    Extension(ticket): Extension<Ticket>,
    request: Result<Bytes, BytesRejection>,
) -> Answer<Answered> {
    let ask: Ask = serde_json::from_slice(&request?).map_err(|error| {
        Refusal::bad_request(format!("the request is not {{\"to\", \"ask\", \"state\", \"timeout_ms\"}}: {error}"))
    })?;
    ticket.about(&ask.to);
    let pid = pid(&node, &ask.to)?;
    let within = ask.timeout_ms.map_or(SYSTEM_TIMEOUT, Duration::from_millis);
    let runtime = &node.runtime;
    let mut answered = Answered { pid: pid.to_string(), state: None, version: None };
    match ask.ask {
        Asked::Suspend => runtime.suspend(pid, within).await?,
        Asked::Resume => runtime.resume(pid).await?,
        Asked::State => {
            let saved = runtime.state(pid, within).await?;
            (answered.state, answered.version) = (Some(state::readable(&saved)), Some(saved.version));
        }
        Asked::ReplaceState => {
            let wanted = ask.state.ok_or_else(|| Refusal::bad_request("`replace_state` needs a `state`"))?;
            runtime.replace_state(pid, within, move |present| state::replaced(present, &wanted)).await?;
        }
        Asked::Terminate => runtime.terminate(pid, reason(ask.reason.as_deref()), within).await?,
    }
    Ok(Json(answered))
}

fn reason(text: Option<&str>) -> ExitReason {
    match text {
        None | Some("shutdown") => ExitReason::Shutdown(None),
        Some("normal") => ExitReason::Normal,
        Some(other) => ExitReason::Custom(Body::Text(other.to_owned()).into()),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TraceQuery {
    #[serde(deserialize_with = "name")]
    process: String,
}

/// `GET /v1/trace`
pub(super) async fn trace(
    State(node): Shared,
    query: Result<Query<TraceQuery>, QueryRejection>,
) -> Result<Response, Refusal> {
    let Query(TraceQuery { process }) = query?;
    let mut trace = node.runtime.trace(pid(&node, &process)?)?;
    let (sender, lines) = stream::lines();
    tokio::spawn(async move {
        loop {
            let traced = tokio::select! {
                traced = trace.next() => traced,
                () = sender.closed() => return,
            };
            let Some(traced) = traced else { return };
            let missed = trace.missed();
            if missed > 0 && sender.send(stream::line(&TraceLine::missed(now_ms(), missed))).await.is_err() {
                return;
            }
            if sender.send(stream::line(&TraceLine::new(now_ms(), &traced))).await.is_err() {
                return;
            }
        }
    });
    stream::response(HttpBody::new(lines))
}
