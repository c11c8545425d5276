//! Answers what is asked about which apps run: what a manifest would change, to change it, to stop an app.
//!
//! Owns the promise that what has begun is done, also when whoever asked for it hangs up. Decides nothing else.

use std::time::Duration;

use axum::body::{Body as HttpBody, Bytes};
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::response::Response;
use axum::{Extension, Json};
use serde::de::DeserializeOwned;
use skep_runtime::upgrade::WAIT;
use tokio::sync::watch;

use super::caller::Ticket;
use super::refusal::Refusal;
use super::{Answer, Shared, stream};
use crate::control::protocol::{Agreed, DeployLine, DeployStep, Proposal, Undeploy, Undeployed, Wanted};
use crate::node::body;
use crate::node::deployment::{NotDeployed, Order};

/// `POST /v1/plan`
pub(super) async fn plan(
    State(node): Shared,
    Extension(ticket): Extension<Ticket>,
    request: Result<Bytes, BytesRejection>,
) -> Answer<Proposal> {
    let wanted: Wanted = parsed(request, "{\"manifest\", \"files\"}")?;
    ticket.about(&wanted.manifest.to_string_lossy());
    match node.plan(wanted.into()).await {
        Ok(planned) => Ok(Json(planned.into())),
        Err(error) => Err(Refusal::from(&error)),
    }
}

/// `POST /v1/deploy`
pub(super) async fn deploy(
    State(node): Shared,
    Extension(ticket): Extension<Ticket>,
    request: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    let Agreed { manifest, files, agreed, wait_ms } =
        parsed(request, "{\"manifest\", \"files\", \"agreed\", \"wait_ms\"}")?;
    ticket.about(&manifest.to_string_lossy());
    ticket.pending();
    let order = Order { manifest, files };
    let wait = wait_ms.map_or(WAIT, Duration::from_millis);
    let (sender, lines) = stream::lines();
    let (tell, mut told) = watch::channel(None);
    // On its own: half a deployment is worse than one that nobody waits for.
    let performing = tokio::spawn(async move {
        let progress = |progress| drop(tell.send_replace(Some(DeployStep::from(progress))));
        node.deploy(order, &agreed, wait, progress).await
    });
    tokio::spawn(async move {
        while told.changed().await.is_ok() {
            let step = told.borrow_and_update().clone();
            if let Some(step) = step
                && sender.send(stream::line(&DeployLine::Progress(step))).await.is_err()
            {
                break;
            }
        }
        let ended = performing.await.unwrap_or_else(|error| Err(NotDeployed::Broken(error.to_string())));
        let line = match ended {
            Ok(done) => DeployLine::Done(done.into()),
            Err(error) => DeployLine::Refused(Refusal::from(&error).problem()),
        };
        ticket.came_of_it(match &line {
            DeployLine::Refused(problem) => &problem.code,
            _ => "done",
        });
        // Fails where nobody listens any more; what came of it is in the log.
        let _ = sender.send(stream::line(&line)).await;
    });
    stream::response(HttpBody::new(lines))
}

/// `POST /v1/undeploy`
pub(super) async fn undeploy(
    State(node): Shared,
    Extension(ticket): Extension<Ticket>,
    request: Result<Bytes, BytesRejection>,
) -> Answer<Undeployed> {
    let Undeploy { app } = parsed(request, "{\"app\"}")?;
    ticket.about(&app);
    let name = app.clone();
    let stopping = tokio::spawn(async move { node.undeploy(&name).await });
    match stopping.await.unwrap_or_else(|error| Err(NotDeployed::Broken(error.to_string()))) {
        Ok(reason) => Ok(Json(Undeployed { app, reason: body::reason(&reason) })),
        Err(error) => Err(Refusal::from(&error)),
    }
}

fn parsed<T: DeserializeOwned>(request: Result<Bytes, BytesRejection>, shape: &str) -> Result<T, Refusal> {
    serde_json::from_slice(&request?)
        .map_err(|error| Refusal::bad_request(format!("the request is not {shape}: {error}")))
}
