//! `skep call` and `skep cast`.

use std::io::Read;

use clap::Args;
use serde_json::value::RawValue;

use super::failure::Failure;
use super::{Asking, Shared, json, output, safe};
use crate::control::protocol::{Message, Sent};
use crate::manifest::units::Time;
use crate::node::body::Readable;

/// Calls a process and prints its reply
///
/// Calls a process and waits for its reply. A reply in MessagePack is shown as JSON. If the process ends before it
/// replies, its reason is printed and the exit code is 1.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  skep call counter '\"Get\"'\n  skep call counter '{\"Add\": 2}' --timeout 30s\n  \
                        skep call '<0.12>' null --json\n  skep call store - < big.json"
)]
pub(super) struct Call {
    #[command(flatten)]
    message: Body,

    /// How long to wait: milliseconds, or text such as `30s`
    #[arg(long, default_value = "5s", value_name = "TIME")]
    timeout: Time,

    #[command(flatten)]
    pub(super) asking: Asking,
}

/// Sends a process a message that has no reply
///
/// Sends a cast. It is handed over when this returns, not yet handled.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  skep cast counter '\"Reset\"'\n  skep cast tally/parser.3 '{\"path\": \"/input/a\"}' --json"
)]
pub(super) struct Cast {
    #[command(flatten)]
    message: Body,

    #[command(flatten)]
    pub(super) asking: Asking,
}

/// Whom, and what.
#[derive(Args)]
struct Body {
    /// Whom: a name, `app/name`, or a pid from `skep ps`
    #[arg(value_name = "NAME")]
    to: String,

    /// What: JSON, or `-` to read it from standard input
    #[arg(value_name = "JSON", allow_negative_numbers = true)]
    body: String,
}

impl Body {
    /// The body, checked before anything is sent.
    fn read(&self) -> Result<Box<RawValue>, Failure> {
        if self.body != "-" {
            return json::body(&self.body);
        }
        let mut text = String::new();
        let read = std::io::stdin().read_to_string(&mut text);
        read.map_err(|error| Failure::new(format!("cannot read the body from standard input: {error}")))?;
        json::body(&text)
    }
}

impl Call {
    pub(super) async fn perform(self, shared: &Shared) -> Result<(), Failure> {
        let body = self.message.read()?;
        let timeout_ms = Some(u64::try_from(self.timeout.0.as_millis()).unwrap_or(u64::MAX));
        let message = Message { to: self.message.to, body, timeout_ms };
        let reply: Readable = shared.client(&self.asking).await?.post("/v1/call", &message).await?;
        if self.asking.json {
            return output::print_json(&reply);
        }
        match reply {
            Readable::Json(value) | Readable::MessagePack(value) => {
                output::print(&format!("{}\n", safe::json(&json::pretty(value.get()))))
            }
            Readable::Text(text) => output::print(&safe::block(&text, "")),
            Readable::Raw(bytes) => output::print(&format!("{} bytes in hexadecimal:\n{bytes}\n", bytes.len() / 2)),
        }
    }
}

impl Cast {
    pub(super) async fn perform(self, shared: &Shared) -> Result<(), Failure> {
        let body = self.message.read()?;
        let message = Message { to: self.message.to, body, timeout_ms: None };
        let sent: Sent = shared.client(&self.asking).await?.post("/v1/cast", &message).await?;
        if self.asking.json { output::print_json(&sent) } else { Ok(()) }
    }
}
