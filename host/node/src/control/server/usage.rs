//! Answers what apps use, as JSON and as OpenMetrics.

use axum::Json;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;

use super::Shared;
use crate::control::protocol::Usage;
use crate::node::metrics;

/// `GET /v1/usage`
pub(super) async fn usage(State(node): Shared) -> Json<Vec<Usage>> {
    Json(node.runtime.usage().iter().map(Usage::from).collect())
}

/// `GET /metrics`
pub(super) async fn metrics(State(node): Shared) -> impl IntoResponse {
    ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], metrics::exposition(&node))
}
