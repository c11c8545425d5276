//! Bodies of responses that are lines of JSON; of the log the past first, then what happens.
//!
//! Owns how fast: as fast as the reader takes them. A reader that is too slow misses entries and is told how many.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body as HttpBody, Bytes};
use axum::response::Response;
use hyper::body::{Body, Frame};
use serde::Serialize;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;

use super::refusal::Refusal;
use crate::node::log::{Entry, Following, What};

/// Lines between the log and the socket.
const AHEAD: usize = 64;

/// Lines, one frame each.
pub(super) struct Lines(mpsc::Receiver<Bytes>);

impl Body for Lines {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|line| line.map(|line| Ok(Frame::data(line))))
    }
}

/// Sends a following, as far as it is wanted. Ends with the log, or when the reader hangs up.
pub(super) fn entries(following: Following, wanted: impl Fn(&Entry) -> bool + Send + 'static) -> Lines {
    let (sender, lines) = lines();
    tokio::spawn(async move {
        let Following { past, future } = following;
        for entry in past {
            if sender.send(line(&*entry)).await.is_err() {
                return;
            }
        }
        let Some(mut future) = future else { return };
        loop {
            let received = tokio::select! {
                received = future.recv() => received,
                () = sender.closed() => return,
            };
            let entry = match received {
                Ok(entry) if wanted(&entry) => entry,
                Ok(_) => continue,
                Err(RecvError::Lagged(lines)) => Arc::new(Entry::now(What::Suppressed { lines })),
                Err(RecvError::Closed) => return,
            };
            if sender.send(line(&*entry)).await.is_err() {
                return;
            }
        }
    });
    lines
}

/// Where lines are put in, and the body that they come out of.
pub(super) fn lines() -> (mpsc::Sender<Bytes>, Lines) {
    let (sender, lines) = mpsc::channel(AHEAD);
    (sender, Lines(lines))
}

/// The response with this body of lines.
pub(super) fn response(lines: HttpBody) -> Result<Response, Refusal> {
    Response::builder()
        .header("content-type", "application/x-ndjson")
        .body(lines)
        .map_err(|error| Refusal::bad_request(error.to_string()))
}

/// A value as a line of JSON.
pub(super) fn line(value: &impl Serialize) -> Bytes {
    let mut text = serde_json::to_string(value).unwrap_or_default();
    text.push('\n');
    text.into()
}
