//! Values into bodies and back.
//!
//! Owns the choice of codec: MessagePack with named fields unless the other side spoke JSON, who is then answered in
//! JSON. Never logs and never ends a process: what cannot be read is an error, which the caller judges.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};

use crate::types::Body;

/// How a body is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Codec {
    /// MessagePack with named fields: added, removed and reordered fields do no harm.
    #[default]
    Messagepack,
    /// JSON, so that a person and a guest in any language can follow.
    Json,
}

impl Codec {
    /// How to answer such a body: JSON and text in JSON, everything else in MessagePack.
    pub fn of(body: &Body) -> Codec {
        match body {
            Body::Json(_) | Body::Text(_) => Codec::Json,
            Body::Raw(_) | Body::Messagepack(_) => Codec::Messagepack,
        }
    }
}

/// A body could not be read or written as the type wanted; the text says why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodecError(String);

impl CodecError {
    /// An error with this text, for a [`Message`] of one's own.
    pub fn new(text: impl std::fmt::Display) -> CodecError {
        CodecError(text.to_string())
    }
}

impl std::fmt::Display for CodecError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for CodecError {}

/// What can travel in a body: everything that serde can write and read, and [`Raw`] for bodies taken as they are.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot travel in a message",
    note = "derive it: #[derive(Serialize, Deserialize)]",
    note = "or take the body as it is: skep_sdk::Raw"
)]
pub trait Message: Sized {
    /// Writes the value.
    ///
    /// # Errors
    ///
    /// If serde cannot write it, as with a map in JSON whose keys are no strings.
    fn encode(&self, codec: Codec) -> Result<Body, CodecError>;

    /// Reads a value, in whatever codec it comes. A body of text is read as a string, or as the name of an enum's case.
    ///
    /// # Errors
    ///
    /// If the body has another shape.
    fn decode(body: Body) -> Result<Self, CodecError>;
}

impl<T: Serialize + DeserializeOwned> Message for T {
    fn encode(&self, codec: Codec) -> Result<Body, CodecError> {
        encode(self, codec)
    }

    fn decode(body: Body) -> Result<T, CodecError> {
        decode(&body)
    }
}

/// As [`Message::encode`], for what need not be read back.
pub(crate) fn encode<T: Serialize + ?Sized>(value: &T, codec: Codec) -> Result<Body, CodecError> {
    match codec {
        Codec::Messagepack => rmp_serde::to_vec_named(value).map(Body::Messagepack).map_err(CodecError::new),
        Codec::Json => serde_json::to_string(value).map(Body::Json).map_err(CodecError::new),
    }
}

fn decode<T: DeserializeOwned>(body: &Body) -> Result<T, CodecError> {
    match body {
        Body::Messagepack(bytes) => rmp_serde::from_slice(bytes).map_err(CodecError::new),
        Body::Json(text) => serde_json::from_str(text).map_err(CodecError::new),
        // By way of JSON, since each further form of input would compile all of the author's types once more.
        Body::Text(text) => {
            let quoted = serde_json::to_string(text).map_err(CodecError::new)?;
            serde_json::from_str(&quoted).map_err(CodecError::new)
        }
        // No bytes at all are nothing at all, as where a person gives no arguments.
        Body::Raw(bytes) if bytes.is_empty() => serde_json::from_str("null").map_err(CodecError::new),
        Body::Raw(_) => Err(CodecError::new("raw bytes, where MessagePack or JSON is expected")),
    }
}

/// A body as it is, for protocols of one's own and for passing on what one does not understand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raw(pub Body);

impl Message for Raw {
    fn encode(&self, _: Codec) -> Result<Body, CodecError> {
        Ok(self.0.clone())
    }

    fn decode(body: Body) -> Result<Raw, CodecError> {
        Ok(Raw(body))
    }
}

/// The type of messages that cannot be: what [`server`](crate::server) fills in for a kind that a server does not take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Never {}

impl Serialize for Never {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        match *self {}
    }
}

impl<'de> Deserialize<'de> for Never {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Never, D::Error> {
        Err(serde::de::Error::custom("this process takes none"))
    }
}
