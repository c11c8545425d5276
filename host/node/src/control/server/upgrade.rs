//! Answers what is asked about code: which runs, and to have other code run.
//!
//! Owns when an upgrade is called off: whoever asked for it has hung up, and it is not being committed yet. Decides
//! nothing else.

use std::time::{Duration, Instant};

use axum::body::{Body as HttpBody, Bytes};
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Query, State};
use axum::response::Response;
use axum::{Extension, Json};
use serde::Deserialize;
use skep_runtime::kernel::Body;
use skep_runtime::upgrade::Progress;
use tokio::sync::mpsc::Sender;
use tokio::sync::watch;

use super::caller::Ticket;
use super::refusal::Refusal;
use super::{Shared, stream};
use crate::control::protocol::{Step, UpgradeLine, maybe_name, maybe_text, name};
use crate::node::Node;
use crate::node::code::history::{Event, How};
use crate::node::code::refused::Refused;
use crate::node::code::upgrade::{Delivered, Done, Order};
use crate::node::code::versions::Versions;

/// A line of progress is sent so often, and at each new step.
const LOOK: Duration = Duration::from_millis(50);

/// `GET /v1/modules`
pub(super) async fn modules(State(node): Shared) -> Json<Vec<Versions>> {
    Json(node.versions())
}

/// `GET /v1/upgrades`
pub(super) async fn upgrades(State(node): Shared) -> Json<Vec<Event>> {
    Json(node.history.events())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UpgradeQuery {
    #[serde(deserialize_with = "name")]
    module: String,
    wait_ms: Option<u64>,
    /// JSON for every migration.
    extra: Option<String>,
    /// Where the code comes from, for listings.
    #[serde(default, deserialize_with = "maybe_text")]
    origin: Option<String>,
    /// The text of its signature.
    #[serde(default, deserialize_with = "maybe_text")]
    signature: Option<String>,
}

/// `POST /v1/upgrade`
pub(super) async fn upgrade(
    State(node): Shared,
    Extension(ticket): Extension<Ticket>,
    query: Result<Query<UpgradeQuery>, QueryRejection>,
    code: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    let Query(UpgradeQuery { module, wait_ms, extra, origin, signature }) = query?;
    ticket.about(&module);
    let order = order(&node, &module, How::Upgrade, wait_ms, extra)?;
    let origin = origin.unwrap_or_else(|| "the control API".to_owned());
    let code = Delivered { bytes: Vec::from(code?), origin, signature };
    streamed(ticket, move |tell| async move { node.upgrade(order, code, tell.closure()).await })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RollbackQuery {
    #[serde(deserialize_with = "name")]
    module: String,
    /// A version, or the beginning of a digest; what ran before, unless said.
    #[serde(default, deserialize_with = "maybe_name")]
    to: Option<String>,
    wait_ms: Option<u64>,
    extra: Option<String>,
}

/// `POST /v1/rollback`
pub(super) async fn rollback(
    State(node): Shared,
    Extension(ticket): Extension<Ticket>,
    query: Result<Query<RollbackQuery>, QueryRejection>,
) -> Result<Response, Refusal> {
    let Query(RollbackQuery { module, to, wait_ms, extra }) = query?;
    ticket.about(&module);
    let order = order(&node, &module, How::Rollback, wait_ms, extra)?;
    streamed(ticket, move |tell| async move { node.roll_back(order, to.as_deref(), tell.closure()).await })
}

fn order(node: &Node, module: &str, how: How, wait_ms: Option<u64>, extra: Option<String>) -> Result<Order, Refusal> {
    let target = node.module(module).map_err(|error| Refusal::from(&error))?;
    if let Some(text) = &extra {
        let valid: Result<serde::de::IgnoredAny, _> = serde_json::from_str(text);
        valid.map_err(|error| Refusal::bad_request(format!("`extra` is not JSON: {error}")))?;
    }
    Ok(Order { target, how, wait: wait_ms.map(Duration::from_millis), extra: extra.map(Body::Json) })
}

/// Performs it, and sends lines meanwhile.
fn streamed<P>(ticket: Ticket, perform: impl FnOnce(Tell) -> P) -> Result<Response, Refusal>
where
    P: Future<Output = Result<Done, Refused>> + Send + 'static,
{
    ticket.pending();
    let (sender, lines) = stream::lines();
    let (tell, told) = watch::channel(None);
    let performing = perform(Tell(tell));
    tokio::spawn(async move {
        tokio::pin!(performing);
        let ended = tokio::select! {
            ended = &mut performing => Some(ended),
            () = forward(&sender, told.clone()) => None,
        };
        let ended = match ended {
            Some(ended) => ended,
            None if matches!(*told.borrow(), Some(Step::Committing)) => performing.await,
            // Dropped with this, which calls it off.
            None => return,
        };
        let line = match ended {
            Ok(done) => UpgradeLine::Done(done.into()),
            Err(refused) => UpgradeLine::Refused(Refusal::from(&refused).problem()),
        };
        ticket.came_of_it(match &line {
            UpgradeLine::Refused(problem) => &problem.code,
            _ => "done",
        });
        // Fails where nobody listens any more; what came of it is in the history.
        let _ = sender.send(stream::line(&line)).await;
    });
    stream::response(HttpBody::new(lines))
}

/// Sends each new step on. Returns when the reader has hung up.
async fn forward(lines: &Sender<Bytes>, mut told: watch::Receiver<Option<Step>>) {
    loop {
        let changed = tokio::select! {
            changed = told.changed() => changed.is_ok(),
            () = lines.closed() => return,
        };
        if !changed {
            return lines.closed().await;
        }
        let step = *told.borrow_and_update();
        if let Some(step) = step
            && lines.send(stream::line(&UpgradeLine::Progress(step))).await.is_err()
        {
            return;
        }
    }
}

/// Where progress goes. The runtime tells of every process, and a reader wants to see a bar move.
struct Tell(watch::Sender<Option<Step>>);

impl Tell {
    fn closure(self) -> impl FnMut(Progress) + Send {
        let mut last = Instant::now();
        move |progress| {
            let step = Step::from(progress);
            self.0.send_if_modified(|shown| {
                let new = shown.is_none_or(|shown| std::mem::discriminant(&shown) != std::mem::discriminant(&step));
                let due = new || last.elapsed() >= LOOK;
                if due {
                    *shown = Some(step);
                    last = Instant::now();
                }
                due
            });
        }
    }
}
