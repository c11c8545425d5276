//! One connection: requests one after another, none of which may take for ever to be said.
//!
//! Owns the bounds of a request's head, and how long a client may take for it and for each part of a body.

use std::future::Future;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::Watcher;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};

use super::caller::Peer;

/// Bytes of a request's line and headers: room for `extra`, which travels in the line.
const HEAD_BYTES: usize = 64 << 10;
/// Headers of a request; the command sends five.
const HEADERS: usize = 64;
/// How long the head of a request may take, and how long a connection may be silent between two requests.
pub(super) const HEAD_TIME: Duration = Duration::from_secs(10);
/// How long a body may stand still.
pub(super) const BODY_TIME: Duration = Duration::from_secs(30);

/// Answers what is asked on this connection, until it ends.
pub(super) fn serve<S>(stream: S, peer: Peer, router: Router, watcher: Watcher) -> impl Future<Output = ()> + Send
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer.clone());
        hyper::service::Service::call(&TowerToHyperService::new(router.clone()), request)
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME).max_headers(HEADERS).max_buf_size(HEAD_BYTES);
    let connection = watcher.watch(http.serve_connection(TokioIo::new(stream), service));
    async move {
        // Whatever went wrong went wrong for the client, which has been told if it listened.
        let _ = connection.await;
    }
}
