//! Why a process ended.

use std::fmt;
use std::sync::Arc;

use crate::Body;

/// A failure in machine terms.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// Which trap or error: a stable word such as `unreachable`.
    pub kind: String,
    /// What it said.
    pub message: String,
    /// Where: one frame a line, innermost first.
    pub trace: String,
}

/// Why a process ended, in Erlang's terms. Large parts are shared, since every observer gets a copy.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ExitReason {
    /// It had finished. Over a link this ends nobody (EXIT-07).
    Normal,
    /// It was asked to end.
    Shutdown(Option<Arc<Body>>),
    /// It was killed (EXIT-04).
    Killed,
    /// There was no such process.
    Noproc,
    /// Its node cannot be reached.
    Noconnection,
    /// A limit was reached: `memory`, `fuel`, `mailbox`, `stack`, `time`…
    Limit(Arc<str>),
    /// The guest trapped.
    Trap(Arc<Fault>),
    /// An export answered with an error: its text.
    Failed(Arc<str>),
    /// What the guest itself gave as its reason.
    Custom(Arc<Body>),
}

impl ExitReason {
    /// Whether a transient child with this end stays down, and no crash is reported (SUP-04, GS-18).
    #[must_use]
    pub fn is_orderly(&self) -> bool {
        matches!(self, ExitReason::Normal | ExitReason::Shutdown(_))
    }

    /// The size of what it carries, in bytes, as limits and fuel count it.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            ExitReason::Shutdown(Some(body)) | ExitReason::Custom(body) => body.len(),
            ExitReason::Trap(fault) => fault.kind.len() + fault.message.len() + fault.trace.len(),
            ExitReason::Limit(text) | ExitReason::Failed(text) => text.len(),
            ExitReason::Normal
            | ExitReason::Shutdown(None)
            | ExitReason::Killed
            | ExitReason::Noproc
            | ExitReason::Noconnection => 0,
        }
    }

    /// Whether it carries nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A limit's name as the reason.
    #[must_use]
    pub fn limit(what: &str) -> Self {
        ExitReason::Limit(what.into())
    }

    /// An error text as the reason.
    #[must_use]
    pub fn failed(text: impl Into<Arc<str>>) -> Self {
        ExitReason::Failed(text.into())
    }
}

/// One line, for logs and errors; guest text is not yet made safe for a terminal.
impl fmt::Display for ExitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExitReason::Normal => f.write_str("normal"),
            ExitReason::Shutdown(None) => f.write_str("shutdown"),
            ExitReason::Shutdown(Some(body)) => write!(f, "shutdown: {}", Shown(body)),
            ExitReason::Killed => f.write_str("killed"),
            ExitReason::Noproc => f.write_str("noproc"),
            ExitReason::Noconnection => f.write_str("noconnection"),
            ExitReason::Limit(what) => write!(f, "limit reached: {what}"),
            ExitReason::Trap(fault) if fault.message.is_empty() => write!(f, "trap: {}", fault.kind),
            ExitReason::Trap(fault) => write!(f, "trap: {}: {}", fault.kind, fault.message),
            ExitReason::Failed(text) => write!(f, "failed: {text}"),
            ExitReason::Custom(body) => write!(f, "{}", Shown(body)),
        }
    }
}

/// A body in a line of text: itself if it is text, else its size.
struct Shown<'a>(&'a Body);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Body::Json(text) | Body::Text(text) => f.write_str(text),
            Body::Raw(bytes) => write!(f, "({} bytes)", bytes.len()),
            Body::MessagePack(bytes) => write!(f, "(MessagePack, {} bytes)", bytes.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_reads_as_one_line_and_orderly_are_normal_and_shutdown_alone() {
        let fault = |message: &str| {
            let trace = "not shown".to_owned();
            ExitReason::Trap(Arc::new(Fault { kind: "unreachable".into(), message: message.into(), trace }))
        };
        let text = || Arc::new(Body::Text("why".into()));
        let table = [
            (ExitReason::Normal, true, 0, "normal"),
            (ExitReason::Shutdown(None), true, 0, "shutdown"),
            (ExitReason::Shutdown(Some(text())), true, 3, "shutdown: why"),
            (ExitReason::Killed, false, 0, "killed"),
            (ExitReason::Noproc, false, 0, "noproc"),
            (ExitReason::Noconnection, false, 0, "noconnection"),
            (ExitReason::limit("memory"), false, 6, "limit reached: memory"),
            (fault(""), false, 20, "trap: unreachable"),
            (fault("said so"), false, 27, "trap: unreachable: said so"),
            (ExitReason::failed("bad"), false, 3, "failed: bad"),
            (ExitReason::Custom(text()), false, 3, "why"),
            (ExitReason::Custom(Arc::new(Body::Raw(vec![0; 3]))), false, 3, "(3 bytes)"),
            (ExitReason::Custom(Arc::new(Body::MessagePack(vec![0; 3]))), false, 3, "(MessagePack, 3 bytes)"),
            (ExitReason::Custom(Arc::new(Body::Json("{}".into()))), false, 2, "{}"),
        ];
        for (reason, orderly, bytes, shown) in table {
            assert_eq!((reason.is_orderly(), reason.to_string()), (orderly, shown.to_owned()));
            assert_eq!((reason.len(), reason.is_empty()), (bytes, bytes == 0), "{shown}");
        }
    }
}
