//! What is sent of one process: how it is, what is asked of it, and what it handles.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use skep_runtime::inspect::{Inspection, Mail, Suspended, Waits, Watched};
use skep_runtime::kernel::Limits;
use skep_runtime::system::{Handled, Traced};

use super::Process;
use super::bounds;
use crate::node::body::{self, Readable};
use crate::node::log::named;

/// `GET /v1/inspect`
#[derive(Debug, Serialize, Deserialize)]
pub struct Inspected {
    /// What a listing shows of it.
    #[serde(flatten)]
    pub process: Process,
    /// The child ids that lead to it: `tally/parsers/parser.3`.
    pub path: String,
    /// Who started it.
    pub parent: Option<String>,
    /// When it was started, in milliseconds since 1970.
    pub started_ms: u64,
    /// How often its supervisor has restarted it; none if it has no supervisor.
    pub restarts: Option<u64>,
    /// What it is in the middle of.
    pub handling: Option<String>,
    /// What its guest waits for meanwhile.
    pub waits_for: Option<String>,
    /// Who has suspended it: `operator` or `upgrade`.
    pub suspended: Option<String>,
    /// Whether exit signals arrive as messages.
    pub traps_exits: bool,
    /// Whom it is linked to. Of this and the following the first hundred.
    pub linked: Vec<String>,
    /// Whom it monitors.
    pub monitors: Vec<String>,
    /// Who monitors it.
    pub monitored_by: Vec<String>,
    /// Who waits for a reply.
    pub callers: Vec<String>,
    /// The oldest in its mailbox.
    pub oldest: Vec<Waiting>,
    /// Its bounds.
    pub limits: Bounds,
    /// Its state; none if it has none, or did not tell.
    pub state: Option<Readable>,
    /// Why it did not tell.
    pub state_problem: Option<String>,
}

/// Something in a mailbox.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Waiting {
    /// What kind of event.
    pub kind: String,
    /// How large.
    pub bytes: usize,
}

/// The bounds of a process.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the keys of a manifest's `limits`")]
pub struct Bounds {
    pub memory: usize,
    pub fuel_per_message: u64,
    pub mailbox_messages: usize,
    pub mailbox_bytes: usize,
    pub body_bytes: usize,
    pub timers: usize,
    pub links: usize,
    pub monitors: usize,
    pub requests: usize,
}

impl From<&Limits> for Bounds {
    fn from(limits: &Limits) -> Self {
        Bounds {
            memory: limits.memory_bytes,
            fuel_per_message: limits.fuel_per_message,
            mailbox_messages: limits.mailbox_messages,
            mailbox_bytes: limits.mailbox_bytes,
            body_bytes: limits.body_bytes,
            timers: limits.timers,
            links: limits.links,
            monitors: limits.monitors,
            requests: limits.requests,
        }
    }
}

impl From<&Inspection> for Inspected {
    fn from(seen: &Inspection) -> Self {
        let since = seen.started.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Inspected {
            process: Process::from(&seen.process),
            path: seen.path.clone(),
            parent: seen.parent.as_ref().map(named),
            started_ms: u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
            restarts: seen.restarts,
            handling: seen.handling.map(str::to_owned),
            waits_for: seen.waits_for.as_ref().map(waits),
            suspended: seen.suspended.map(|by| {
                match by {
                    Suspended::ByOperator => "operator",
                    Suspended::ByUpgrade => "upgrade",
                }
                .to_owned()
            }),
            traps_exits: seen.traps_exits,
            linked: seen.links.iter().map(named).collect(),
            monitors: seen.monitors.iter().map(watched).collect(),
            monitored_by: seen.monitored_by.iter().map(named).collect(),
            callers: seen.callers.iter().map(named).collect(),
            oldest: seen.oldest.iter().map(waiting).collect(),
            limits: Bounds::from(&*seen.limits),
            state: None,
            state_problem: None,
        }
    }
}

fn waiting(mail: &Mail) -> Waiting {
    Waiting { kind: mail.kind.to_owned(), bytes: mail.bytes }
}

fn waits(waits: &Waits) -> String {
    let of = |peer: &Option<_>| peer.as_ref().map_or_else(|| "a process".to_owned(), named);
    match waits {
        Waits::Reply(peer) => format!("the reply of {}", of(peer)),
        Waits::Start(peer) => format!("the start of {}", of(peer)),
        Waits::Message => "a message".to_owned(),
        Waits::Supervisor => "the answer of a supervisor".to_owned(),
    }
}

fn watched(watched: &Watched) -> String {
    match (&watched.name, &watched.peer) {
        (Some(name), Some(peer)) => format!("{} by the name {name}", peer.pid),
        (Some(name), None) => format!("the name {name}"),
        (None, Some(peer)) => named(peer),
        (None, None) => "nobody".to_owned(),
    }
}

/// `POST /v1/system`
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// A name, `app/name`, or a pid.
    #[serde(deserialize_with = "bounds::name")]
    pub to: String,
    /// What.
    pub ask: Asked,
    /// The state, for `replace_state`: any JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<Box<RawValue>>,
    /// The reason, for `terminate`: `normal`, `shutdown`, or any text. `shutdown`, unless said.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "bounds::maybe_text")]
    pub reason: Option<String>,
    /// How long to wait for the process to come to the end of a message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
}

/// What is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Asked {
    /// Handle nothing from the next message on.
    Suspend,
    /// Go on.
    Resume,
    /// Tell the state.
    State,
    /// Take another state.
    ReplaceState,
    /// Run `terminate`, and end.
    Terminate,
}

/// What came of it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Answered {
    /// The process, without its tag.
    pub pid: String,
    /// Its state, if that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<Readable>,
    /// The version of the state's layout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
}

/// One line of `GET /v1/trace`.
#[derive(Debug, Serialize, Deserialize)]
pub struct TraceLine {
    /// Milliseconds since 1970, when it was over.
    pub time_ms: u64,
    /// What it was handed; none where it ended otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// What that carried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Readable>,
    /// `done`, `failed`, `ended`, or `missed`.
    pub outcome: String,
    /// The reply to a call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply: Option<Readable>,
    /// What the process does next, if that is not to wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Why it failed or ended.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "bounds::maybe_text")]
    pub reason: Option<String>,
    /// Microseconds that it took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took_us: Option<u64>,
    /// So many events are missing before this: the reader was too slow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missed: Option<u64>,
}

impl TraceLine {
    /// A line that says how many are missing.
    #[must_use]
    pub fn missed(time_ms: u64, events: u64) -> Self {
        TraceLine {
            time_ms,
            event: None,
            body: None,
            outcome: "missed".to_owned(),
            reply: None,
            next: None,
            reason: None,
            took_us: None,
            missed: Some(events),
        }
    }

    /// A line about an event.
    #[must_use]
    pub fn new(time_ms: u64, traced: &Traced) -> Self {
        let (outcome, reply, next, reason) = match &traced.outcome {
            Handled::Done { reply, next } => {
                ("done", reply.as_ref().map(Readable::from), Some(*next).filter(|next| *next != "wait"), None)
            }
            Handled::Failed(reason) => ("failed", None, None, Some(body::reason(reason))),
            Handled::Ended(reason) => ("ended", None, None, Some(body::reason(reason))),
        };
        TraceLine {
            time_ms,
            event: Some(traced.kind.to_owned()).filter(|kind| !kind.is_empty()),
            body: traced.body.as_ref().map(Readable::from),
            outcome: outcome.to_owned(),
            reply,
            next: next.map(str::to_owned),
            reason,
            took_us: Some(u64::try_from(traced.took.as_micros()).unwrap_or(u64::MAX)),
            missed: None,
        }
    }
}
