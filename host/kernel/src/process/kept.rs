//! The state of a process that has no instance: what is kept of it for as long as nobody needs it.

use crate::{Body, State};

/// A state, of just the size that it has: of a million processes, most of what is theirs.
#[derive(Debug)]
pub(super) enum Kept {
    Raw(u32, Box<[u8]>),
    MessagePack(u32, Box<[u8]>),
    Json(u32, Box<str>),
    Text(u32, Box<str>),
}

impl From<State> for Kept {
    fn from(State { version, body }: State) -> Self {
        match body {
            Body::Raw(bytes) => Kept::Raw(version, bytes.into()),
            Body::MessagePack(bytes) => Kept::MessagePack(version, bytes.into()),
            Body::Json(text) => Kept::Json(version, text.into()),
            Body::Text(text) => Kept::Text(version, text.into()),
        }
    }
}

impl From<Kept> for State {
    fn from(kept: Kept) -> Self {
        let (version, body) = match kept {
            Kept::Raw(version, bytes) => (version, Body::Raw(bytes.into())),
            Kept::MessagePack(version, bytes) => (version, Body::MessagePack(bytes.into())),
            Kept::Json(version, text) => (version, Body::Json(text.into())),
            Kept::Text(version, text) => (version, Body::Text(text.into())),
        };
        State { version, body }
    }
}

impl Kept {
    /// Bytes of it.
    pub(super) fn len(&self) -> usize {
        match self {
            Kept::Raw(_, bytes) | Kept::MessagePack(_, bytes) => bytes.len(),
            Kept::Json(_, text) | Kept::Text(_, text) => text.len(),
        }
    }

    /// A copy of it, for whoever looks.
    pub(super) fn state(&self) -> State {
        let (version, body) = match self {
            Kept::Raw(version, bytes) => (*version, Body::Raw(bytes.to_vec())),
            Kept::MessagePack(version, bytes) => (*version, Body::MessagePack(bytes.to_vec())),
            Kept::Json(version, text) => (*version, Body::Json(text.to_string())),
            Kept::Text(version, text) => (*version, Body::Text(text.to_string())),
        };
        State { version, body }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brings_back_what_was_put_in() {
        let raw = || vec![1, 2, 3];
        let text = || "[1]".to_owned();
        for body in [Body::Raw(raw()), Body::MessagePack(raw()), Body::Json(text()), Body::Text(text())] {
            let state = State { version: 7, body };
            let kept = Kept::from(state.clone());
            assert_eq!((kept.len(), kept.state()), (3, state.clone()));
            assert_eq!(State::from(kept), state);
        }
        assert_eq!(std::mem::size_of::<Option<Kept>>(), 24);
    }
}
