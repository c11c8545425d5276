//! Bodies and exit reasons as a person reads them: JSON and text, whatever form the guest chose.
//!
//! Owns the translation. Never makes text safe for a terminal: the command does.

use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use skep_runtime::kernel::{Body, ExitReason, Refusal, SpawnError};

/// Nesting beyond this is not translated: the translation is recursive, and a guest chose the depth.
const DEPTH_MOST: usize = 100;

/// A body that was translated, or had no translation.
#[derive(Serialize, Deserialize, Debug)]
#[serde(tag = "form", content = "body", rename_all = "lowercase")]
pub enum Readable {
    /// JSON, as the guest wrote it.
    Json(Box<RawValue>),
    /// MessagePack, as the JSON that says the same.
    MessagePack(Box<RawValue>),
    /// Text.
    Text(String),
    /// Bytes that only guests know to read, in hexadecimal.
    Raw(String),
}

impl From<&Body> for Readable {
    fn from(body: &Body) -> Self {
        match body {
            Body::Json(text) => match RawValue::from_string(text.clone()) {
                Ok(json) => Readable::Json(json),
                Err(_) => Readable::Text(text.clone()),
            },
            Body::MessagePack(bytes) => match translated(bytes) {
                Some(json) => Readable::MessagePack(json),
                None => Readable::Raw(hexadecimal(bytes)),
            },
            Body::Text(text) => Readable::Text(text.clone()),
            Body::Raw(bytes) => Readable::Raw(hexadecimal(bytes)),
        }
    }
}

/// One line about an exit reason: the kernel's, with what a guest gave as MessagePack in words.
#[must_use]
pub fn reason(reason: &ExitReason) -> String {
    let given = |body: &Body| match Readable::from(body) {
        Readable::Json(json) | Readable::MessagePack(json) => Some(json.get().to_owned()),
        Readable::Text(text) => Some(text),
        Readable::Raw(_) => None,
    };
    let readable = match reason {
        ExitReason::Shutdown(Some(body)) => given(body).map(|text| format!("shutdown: {text}")),
        ExitReason::Custom(body) => given(body),
        _ => None,
    };
    readable.unwrap_or_else(|| reason.to_string())
}

/// Where it went wrong, one frame a line, innermost first, if the reason knows.
#[must_use]
pub fn trace(reason: &ExitReason) -> Option<&str> {
    match reason {
        ExitReason::Trap(fault) if !fault.trace.is_empty() => Some(&fault.trace),
        _ => None,
    }
}

/// Why a process or a supervisor did not start, in one line.
#[must_use]
pub fn not_started(error: &SpawnError) -> String {
    match error {
        SpawnError::Failed(why) => reason(why),
        SpawnError::Ignored => "it was told to ignore its start".to_owned(),
        SpawnError::Refused(refusal) => match refusal {
            Refusal::Denied(grant) => format!("{grant} is not granted"),
            Refusal::Unknown(what) => format!("{what} is unknown"),
            Refusal::Taken(pid) => format!("its name is held by {pid}"),
            Refusal::Limit(what) => format!("limit reached: {what}"),
            Refusal::Invalid(what) => what.clone(),
        },
    }
}

/// MessagePack as JSON; none where it says what JSON cannot: bytes, or keys that are no text.
fn translated(bytes: &[u8]) -> Option<Box<RawValue>> {
    let mut reader = rmp_serde::Deserializer::from_read_ref(bytes);
    reader.set_max_depth(DEPTH_MOST);
    let value = serde_json::Value::deserialize(&mut reader).ok()?;
    to_raw_value(&value).ok()
}

fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn shown(body: Body) -> String {
        serde_json::to_string(&Readable::from(&body)).expect("it is plain data")
    }

    #[test]
    fn each_form_is_told() {
        assert_eq!(shown(Body::Json("{\"b\":1, \"a\":1e400}".into())), r#"{"form":"json","body":{"b":1, "a":1e400}}"#);
        assert_eq!(shown(Body::Json("{oops".into())), r#"{"form":"text","body":"{oops"}"#);
        assert_eq!(shown(Body::Text("hi".into())), r#"{"form":"text","body":"hi"}"#);
        assert_eq!(shown(Body::Raw(vec![0, 255])), r#"{"form":"raw","body":"00ff"}"#);
        let map = rmp_serde::to_vec_named(&serde_json::json!({"Add": [1, -2, null]})).expect("it is plain data");
        assert_eq!(shown(Body::MessagePack(map)), r#"{"form":"messagepack","body":{"Add":[1,-2,null]}}"#);
    }

    #[test]
    fn what_has_no_translation_stays_bytes() {
        assert_eq!(shown(Body::MessagePack(vec![0xc4, 1, 7])), r#"{"form":"raw","body":"c40107"}"#);
        let deep = vec![0x91; 100_000];
        assert!(shown(Body::MessagePack(deep)).starts_with(r#"{"form":"raw""#));
    }

    #[test]
    fn reasons_are_words() {
        let words = |body| reason(&ExitReason::Custom(Arc::new(body)));
        assert_eq!(words(Body::MessagePack(vec![0xa2, b'n', b'o'])), "\"no\"");
        assert_eq!(words(Body::Text("no".into())), "no");
        assert_eq!(words(Body::Raw(vec![1, 2])), "(2 bytes)");
        let shutdown = ExitReason::Shutdown(Some(Arc::new(Body::MessagePack(vec![7]))));
        assert_eq!(reason(&shutdown), "shutdown: 7");
        assert_eq!(reason(&ExitReason::Killed), "killed");
    }
}
