//! Bodies with a bound, and answers that do not stand still for ever.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep, sleep};
use wasmtime_wasi_http::{Error, WasiBody};

use crate::engine::wasi::opened::Place;

/// How many bytes of a body may still come.
struct Allowance {
    bytes: u64,
    left: u64,
}

impl Allowance {
    fn of(bytes: u64) -> Self {
        Allowance { bytes, left: bytes }
    }

    /// Takes what a part of the body has; or says how many bytes there may be, if it has too many.
    fn take(&mut self, frame: &Frame<Bytes>) -> Result<(), Option<u64>> {
        let length = frame.data_ref().map_or(0, |bytes| bytes.len() as u64);
        self.left = self.left.checked_sub(length).ok_or(Some(self.bytes))?;
        Ok(())
    }
}

/// The body of a request.
pub(super) struct Outgoing {
    body: WasiBody,
    allowance: Allowance,
}

impl Outgoing {
    /// Of so many bytes at most.
    pub(super) fn new(body: WasiBody, bytes: u64) -> Self {
        Outgoing { body, allowance: Allowance::of(bytes) }
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        Poll::Ready(frame.map(|frame| {
            let frame = frame?;
            self.allowance.take(&frame).map_err(Error::HttpRequestBodySize)?;
            Ok(frame)
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of an answer. Keeps the request's place among the open files.
pub(super) struct Answer {
    body: Incoming,
    allowance: Allowance,
    patience: Duration,
    timer: Pin<Box<Sleep>>,
    _place: Place,
}

impl Answer {
    /// Of so many bytes at most; `patience` is for each part of it.
    pub(super) fn new(body: Incoming, bytes: u64, patience: Duration, place: Place) -> Self {
        Answer { body, allowance: Allowance::of(bytes), patience, timer: Box::pin(sleep(patience)), _place: place }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) else {
            ready!(self.timer.as_mut().poll(cx));
            return Poll::Ready(Some(Err(Error::ConnectionReadTimeout)));
        };
        let again = Instant::now() + self.patience;
        self.timer.as_mut().reset(again);
        Poll::Ready(frame.map(|frame| {
            let frame = frame.map_err(Error::Hyper)?;
            self.allowance.take(&frame).map_err(Error::HttpResponseBodySize)?;
            Ok(frame)
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
