//! Bodies with a bound, and answers that do not stand still for ever.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep, sleep};
use wasmtime_wasi_http::{Error, WasiBody};

use crate::engine::wasi::opened::Place;

/// Bytes of one body, of a request or of an answer: what passes through is held by neither side for long.
pub(super) const BODY: u64 = 1 << 30;

/// Takes from what is left of a body what a part of it has.
fn take(left: &mut u64, frame: &Frame<Bytes>) -> Result<(), ()> {
    let length = frame.data_ref().map_or(0, |bytes| bytes.len() as u64);
    *left = left.checked_sub(length).ok_or(())?;
    Ok(())
}

/// The body of a request.
pub(super) struct Outgoing {
    body: WasiBody,
    left: u64,
}

impl Outgoing {
    pub(super) fn new(body: WasiBody) -> Self {
        Outgoing { body, left: BODY }
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        Poll::Ready(match frame {
            Some(Ok(frame)) if take(&mut self.left, &frame).is_err() => {
                Some(Err(Error::HttpRequestBodySize(Some(BODY))))
            }
            frame => frame,
        })
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
    left: u64,
    patience: Duration,
    timer: Pin<Box<Sleep>>,
    _place: Place,
}

impl Answer {
    /// `patience` is for each part of it.
    pub(super) fn new(body: Incoming, patience: Duration, place: Place) -> Self {
        Answer { body, left: BODY, patience, timer: Box::pin(sleep(patience)), _place: place }
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
        Poll::Ready(frame.map(|frame| match frame {
            Ok(frame) if take(&mut self.left, &frame).is_err() => Err(Error::HttpResponseBodySize(Some(BODY))),
            frame => frame.map_err(Error::Hyper),
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
