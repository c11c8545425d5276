//! The beginning of what an instance was handed last, kept for the case that it fails on it.
//!
//! Owns one small buffer, used again for each message: a copy of all of each would cost more than handling it.

use skep_kernel::{Body, Event};

use crate::observe::Excerpt;

/// Bytes that are kept: enough for a person to recognize a message.
const BYTES: usize = 1_024;

/// What an instance was handed last.
#[derive(Default)]
pub(crate) struct Handed {
    form: Option<Form>,
    /// Of all of it.
    bytes: usize,
    start: Vec<u8>,
}

#[derive(Clone, Copy)]
enum Form {
    Raw,
    MessagePack,
    Json,
    Text,
}

impl Handed {
    /// This is what it is handed now.
    pub(crate) fn note(&mut self, event: &Event) {
        self.start.clear();
        let body = event.body();
        self.form = body.map(|body| match body {
            Body::Raw(_) => Form::Raw,
            Body::MessagePack(_) => Form::MessagePack,
            Body::Json(_) => Form::Json,
            Body::Text(_) => Form::Text,
        });
        let bytes = body.map_or(&[][..], Body::as_bytes);
        self.bytes = bytes.len();
        self.start.extend_from_slice(&bytes[..bytes.len().min(BYTES)]);
    }

    /// It, as far as it is kept; none if it carried nothing.
    pub(crate) fn excerpt(&self) -> Option<Excerpt> {
        let text = || String::from_utf8_lossy(&self.start).into_owned();
        let is_whole = self.bytes == self.start.len();
        let body = match self.form? {
            Form::MessagePack if is_whole => Body::MessagePack(self.start.clone()),
            Form::Raw | Form::MessagePack => Body::Raw(self.start.clone()),
            Form::Json if is_whole => Body::Json(text()),
            Form::Json | Form::Text => Body::Text(text()),
        };
        Some(Excerpt { body, bytes: self.bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_short_is_kept_whole_and_of_what_is_long_the_beginning() {
        let mut handed = Handed::default();
        assert_eq!(handed.excerpt(), None);
        let mut noted = |body: Body| {
            handed.note(&Event::Info(body));
            let Excerpt { body, bytes } = handed.excerpt().expect("it carried something");
            (body, bytes)
        };
        for body in [Body::Raw(vec![1]), Body::MessagePack(vec![7]), Body::Json("{}".into()), Body::Text("a".into())] {
            assert_eq!(noted(body.clone()), (body.clone(), body.len()));
        }
        let long = vec![b'x'; 5_000];
        let text = String::from_utf8(long.clone()).expect("it is text");
        assert_eq!(noted(Body::MessagePack(long)), (Body::Raw(vec![b'x'; BYTES]), 5_000));
        assert_eq!(noted(Body::Json(text)), (Body::Text("x".repeat(BYTES)), 5_000));
        handed.note(&Event::Idle);
        assert_eq!(handed.excerpt(), None);
    }
}
