//! `skep sys`: system messages to one process.

use clap::{Args, Subcommand};

use super::failure::Failure;
use super::inspect::state_shown;
use super::{Asking, Shared, json, log_line, logs, output, safe};
use crate::control::protocol::{Answered, Ask, Asked, TraceLine};
use crate::manifest::units::Time;
use crate::node::body::Readable;

/// Suspends, resumes, looks into and traces one process
///
/// System messages to one process, whatever its code is: it is suspended and resumed, its state is shown and replaced, what
/// it handles is traced, and it is ended in order. Each is served between two messages, ahead of the mail. All take --json.
#[derive(Args)]
#[command(after_help = "Examples:\n  skep sys suspend counter\n  skep sys state counter --json\n  \
                        skep sys replace-state counter '{\"count\": 7}'\n  skep sys trace counter\n  skep sys resume counter")]
pub(super) struct Sys {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Has a process handle nothing from the next message on
    ///
    /// Has a process handle nothing from the next message on, until `skep sys resume`: also when this command has long
    /// ended. Its mail waits, its timers go on, and exit signals still end it. If it does not come to the end of a message
    /// in time, it goes on.
    Suspend(To),
    /// Lets a suspended process go on
    Resume(To),
    /// Shows the state of a process
    State(To),
    /// Replaces the state of a process
    ///
    /// Replaces the state of a process by one that its own code, in an instance of its own, has taken and saved again. If
    /// it does not take it, nothing changes.
    ReplaceState {
        #[command(flatten)]
        to: To,

        /// The state: JSON as `skep sys state` shows it
        #[arg(value_name = "JSON", allow_negative_numbers = true)]
        state: String,
    },
    /// Has a process run `terminate`, and end
    Terminate {
        #[command(flatten)]
        to: To,

        /// Why: `normal`, `shutdown`, or any text
        #[arg(long, default_value = "shutdown", value_name = "REASON")]
        reason: String,
    },
    /// Shows what a process handles, and what comes of it, until Ctrl-C or its end
    ///
    /// Shows each event that a process handles from now on, and what comes of it: the reply, what is next, or why it
    /// failed. Ends with the process. Who reads too slowly misses events, and is told how many.
    Trace(To),
}

/// Whom.
#[derive(Args)]
struct To {
    /// Whom: a name, `app/name`, or a pid from `skep ps`
    #[arg(value_name = "NAME")]
    process: String,

    /// How long to wait until it is between two messages: milliseconds, or text such as `30s`
    #[arg(long, default_value = "5s", value_name = "TIME")]
    timeout: Time,

    #[command(flatten)]
    asking: Asking,
}

impl Verb {
    fn to(&self) -> &To {
        match self {
            Verb::Suspend(to) | Verb::Resume(to) | Verb::State(to) | Verb::Trace(to) => to,
            Verb::ReplaceState { to, .. } | Verb::Terminate { to, .. } => to,
        }
    }
}

impl Sys {
    pub(super) fn json(&self) -> bool {
        self.verb.to().asking.json
    }

    pub(super) async fn perform(self, shared: &Shared) -> Result<(), Failure> {
        let ask = |to: &To, ask| Ask {
            to: to.process.clone(),
            ask,
            state: None,
            reason: None,
            timeout_ms: Some(u64::try_from(to.timeout.0.as_millis()).unwrap_or(u64::MAX)),
        };
        let (to, ask, done) = match self.verb {
            Verb::Trace(to) => return trace(&to, shared).await,
            Verb::Suspend(to) => {
                let asked = ask(&to, Asked::Suspend);
                (to, asked, "is suspended; `skep sys resume` lets it go on")
            }
            Verb::Resume(to) => {
                let asked = ask(&to, Asked::Resume);
                (to, asked, "goes on")
            }
            Verb::State(to) => {
                let asked = ask(&to, Asked::State);
                (to, asked, "")
            }
            Verb::ReplaceState { to, state } => {
                let asked = Ask { state: Some(json::body(&state)?), ..ask(&to, Asked::ReplaceState) };
                (to, asked, "goes on with this state")
            }
            Verb::Terminate { to, reason } => {
                let asked = Ask { reason: Some(reason), ..ask(&to, Asked::Terminate) };
                (to, asked, "ends")
            }
        };
        let answered: Answered = shared.client(&to.asking).await?.post("/v1/system", &ask).await?;
        if to.asking.json {
            return output::print_json(&answered);
        }
        match &answered.state {
            Some(state) => output::print(&state_shown(state)),
            None => output::print(&format!("{} {} {done}\n", safe::line(&to.process), answered.pid)),
        }
    }
}

async fn trace(to: &To, shared: &Shared) -> Result<(), Failure> {
    let path = format!("/v1/trace?process={}", logs::escaped(&to.process));
    let as_json = to.asking.json;
    let client = shared.client(&to.asking).await?;
    client
        .lines(&path, |line| {
            if as_json {
                return output::print(&format!("{}\n", safe::json(line)));
            }
            match serde_json::from_str::<TraceLine>(line) {
                Ok(traced) => output::print(&shown(&traced)),
                Err(_) => output::print(&format!("{}\n", safe::line(line))),
            }
        })
        .await
}

/// `12:34:56.789Z call {"Add":2} -> 42 (31 us)`
fn shown(traced: &TraceLine) -> String {
    let mut words = vec![log_line::clock(traced.time_ms)];
    words.extend(traced.event.clone());
    words.extend(traced.body.as_ref().map(one_line));
    match (traced.outcome.as_str(), &traced.reason) {
        ("missed", _) => words.push(format!("{} events missed", traced.missed.unwrap_or_default())),
        ("done", _) => {
            words.extend(traced.reply.as_ref().map(|reply| format!("-> {}", one_line(reply))));
            words.extend(traced.next.as_ref().map(|next| format!("then {next}")));
        }
        (outcome, reason) => words.push(format!("{outcome}: {}", reason.as_deref().unwrap_or_default())),
    }
    words.extend(traced.took_us.filter(|_| traced.event.is_some()).map(|took| format!("({took} us)")));
    format!("{}\n", safe::line(&words.join(" ")))
}

fn one_line(body: &Readable) -> String {
    match body {
        Readable::Json(value) | Readable::MessagePack(value) => value.get().to_owned(),
        Readable::Text(text) => format!("{text:?}"),
        Readable::Raw(bytes) => format!("{} bytes", bytes.len() / 2),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_event_is_one_line() {
        let line = |json: &str| shown(&serde_json::from_str(json).expect("it is a line"));
        let cases = [
            (
                r#"{"time_ms":1,"event":"call","body":{"form":"json","body":{"Add":2}},"outcome":"done","reply":{"form":"messagepack","body":42},"took_us":31}"#,
                "00:00:00.001Z call {\"Add\":2} -> 42 (31 us)\n",
            ),
            (
                r#"{"time_ms":1,"event":"info","body":{"form":"text","body":"\u001b[2J"},"outcome":"done","next":"stop","took_us":3}"#,
                "00:00:00.001Z info \"\\u{1b}[2J\" then stop (3 us)\n",
            ),
            (
                r#"{"time_ms":1,"event":"idle","outcome":"failed","reason":"trap: unreachable","took_us":3}"#,
                "00:00:00.001Z idle failed: trap: unreachable (3 us)\n",
            ),
            (r#"{"time_ms":1,"outcome":"ended","reason":"killed","took_us":0}"#, "00:00:00.001Z ended: killed\n"),
            (r#"{"time_ms":1,"outcome":"missed","missed":7}"#, "00:00:00.001Z 7 events missed\n"),
        ];
        for (json, expected) in cases {
            assert_eq!(line(json), expected);
        }
    }
}
