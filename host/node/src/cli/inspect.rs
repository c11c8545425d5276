//! `skep inspect`.

use std::fmt::Write;

use clap::Args;

use super::failure::Failure;
use super::{Asking, Shared, json, output, safe, when};
use crate::control::protocol::{Inspected, Waiting};
use crate::manifest::units::Time;
use crate::node::body::Readable;

/// Shows all there is to see of one process
///
/// Shows one process: where it stands in the tree, what it is doing and waits for, its mailbox, links and monitors both
/// ways, what it has used of what it may use, its code, and its state. A state in MessagePack is shown as JSON. The process
/// goes on meanwhile; its state is as it was between two messages.
#[derive(Args)]
#[command(after_help = "Examples:\n  skep inspect counter\n  skep inspect '<0.12>' --state-timeout 30s\n  \
                        skep inspect tally/parser.3 --json | jq .state.body")]
pub(super) struct Inspect {
    /// Whom: a name, `app/name`, or a pid from `skep ps`
    #[arg(value_name = "NAME")]
    process: String,

    /// How long to wait for the state of a process that is busy; 0 to do without
    #[arg(long, default_value = "1s", value_name = "TIME")]
    state_timeout: Time,

    #[command(flatten)]
    pub(super) asking: Asking,
}

/// Ties of one kind that are shown; `--json` has more.
const SHOWN: usize = 20;

impl Inspect {
    pub(super) async fn perform(self, shared: &Shared) -> Result<(), Failure> {
        let process = super::logs::escaped(&self.process);
        let state_ms = self.state_timeout.0.as_millis();
        let path = format!("/v1/inspect?process={process}&state_ms={state_ms}");
        let inspected: Inspected = shared.client(&self.asking).await?.get(&path).await?;
        if self.asking.json {
            return output::print_json(&inspected);
        }
        output::print(&shown(&inspected))
    }
}

fn shown(seen: &Inspected) -> String {
    let process = &seen.process;
    let mut text = String::new();
    let mut line = |word: &str, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            let _ = writeln!(text, "{word:<13} {}", safe::line(&value));
        }
    };
    line("pid", Some(process.pid.clone()));
    line("path", Some(seen.path.clone()));
    line("name", process.name.clone());
    line("kind", Some(process.kind.clone()));
    line("code", code(seen));
    line("status", Some(status(seen)));
    line("started", Some(when::when(seen.started_ms)));
    line("restarts", seen.restarts.map(|restarts| restarts.to_string()));
    line("parent", seen.parent.clone());
    line("mailbox", Some(mailbox(seen)));
    line("oldest", Some(oldest(&seen.oldest)));
    line("links", Some(several(&seen.linked, process.links)));
    line("monitors", Some(several(&seen.monitors, seen.monitors.len())));
    line("monitored by", Some(several(&seen.monitored_by, seen.monitored_by.len())));
    line("callers", Some(several(&seen.callers, seen.callers.len())));
    line("traps exits", seen.traps_exits.then(|| "yes".to_owned()));
    line("timers", Some(process.timers).filter(|timers| *timers > 0).map(|timers| timers.to_string()));
    line("messages", Some(format!("{} handled, {} sent", seen.process.messages_in, seen.process.messages_out)));
    line(
        "fuel",
        seen.process.fuel_used.map(|fuel| format!("{fuel} used, {} a message at most", seen.limits.fuel_per_message)),
    );
    line("memory", seen.process.memory_bytes.map(|bytes| memory(bytes, seen)));
    match (&seen.state, &seen.state_problem) {
        (Some(state), _) => text.push_str(&state_shown(state)),
        (None, Some(problem)) => {
            let _ = writeln!(text, "state         not told: {}", safe::line(problem));
        }
        (None, None) => {}
    }
    text
}

fn code(seen: &Inspected) -> Option<String> {
    let module = seen.process.module.clone()?;
    let version = seen.process.version.map_or_else(String::new, |version| format!(" version {version}"));
    let digest = seen.process.digest.as_deref().map_or("", |digest| digest.get(..12).unwrap_or(digest));
    Some(format!("{module}{version} ({digest})"))
}

fn status(seen: &Inspected) -> String {
    let mut status = seen.process.status.clone();
    if let Some(by) = &seen.suspended {
        let _ = write!(status, " by an {by}");
    }
    if let Some(event) = &seen.handling {
        let _ = write!(status, ", handling `{event}`");
    }
    if let Some(waits) = &seen.waits_for {
        let _ = write!(status, ", waits for {waits}");
    }
    status
}

fn mailbox(seen: &Inspected) -> String {
    let (process, limits) = (&seen.process, &seen.limits);
    let mut text = format!(
        "{} of {} messages, {} of {} bytes",
        process.mailbox_messages, limits.mailbox_messages, process.mailbox_bytes, limits.mailbox_bytes
    );
    if process.dropped > 0 {
        let _ = write!(text, ", {} dropped", process.dropped);
    }
    text
}

fn oldest(oldest: &[Waiting]) -> String {
    let each = oldest.iter().map(|waiting| format!("{} ({} bytes)", waiting.kind, waiting.bytes));
    each.collect::<Vec<_>>().join(", ")
}

fn several(listed: &[String], total: usize) -> String {
    let shown = listed.len().min(SHOWN);
    let text = listed[..shown].join(", ");
    match total.saturating_sub(shown) {
        0 => text,
        more => format!("{text}, and {more} more"),
    }
}

fn memory(bytes: usize, seen: &Inspected) -> String {
    let limit = seen.limits.memory;
    match seen.process.saved_bytes {
        Some(saved) => format!("hibernated, {saved} bytes saved; {limit} at most"),
        None => format!("{bytes} of {limit} bytes"),
    }
}

/// A state in as many lines as it takes.
pub(super) fn state_shown(state: &Readable) -> String {
    match state {
        Readable::Json(value) | Readable::MessagePack(value) => {
            let lines = safe::json(&json::pretty(value.get()));
            let indented: String = lines.lines().map(|line| format!("  {line}\n")).collect();
            format!("state\n{indented}")
        }
        Readable::Text(text) => format!("state\n{}", safe::block(text, "  ")),
        Readable::Raw(bytes) => format!("state         {} bytes in hexadecimal:\n  {bytes}\n", bytes.len() / 2),
    }
}
