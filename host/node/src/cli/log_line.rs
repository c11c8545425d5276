//! Entries of the log as people read them: a line each, a crash as a block.
//!
//! Owns the layout and the colours. Used by `skep run` and `skep logs` alike.

use super::safe;
use crate::node::log::{Entry, Importance, What};

/// Frames of a backtrace that are shown; `--json` has all.
const FRAMES: usize = 20;

/// Whether to use a terminal's colours.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Colour {
    Never,
    Always,
}

impl Colour {
    /// On a terminal, unless `NO_COLOR` is set.
    pub(super) fn on(terminal: bool) -> Self {
        if terminal && std::env::var_os("NO_COLOR").is_none() { Colour::Always } else { Colour::Never }
    }

    fn paint(self, code: &str, text: &str) -> String {
        match self {
            Colour::Always => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
            Colour::Never => text.to_owned(),
        }
    }
}

/// An entry with the end of its last line.
pub(super) fn line(entry: &Entry, colour: Colour) -> String {
    let (level, text) = match &entry.what {
        What::Log { level, message } | What::Node { level, message } => (*level, safe::line(message)),
        What::Crash { reason, handling, .. } => {
            let handling = handling.as_ref().map_or_else(String::new, |event| format!(" while handling `{event}`"));
            (Importance::Error, format!("crashed{}: {}", safe::line(&handling), safe::line(reason)))
        }
        What::Restart { child, restarts } => {
            (Importance::Warn, format!("restarted `{}` (restart {restarts} of this supervisor)", safe::line(child)))
        }
        What::GaveUp { child } => {
            (Importance::Error, format!("gave up: too many restarts, the last of `{}`", safe::line(child)))
        }
        What::Suppressed { lines } => (Importance::Warn, format!("{lines} lines suppressed: too many at once")),
    };
    let who = match &entry.who {
        Some(who) => safe::line(&format!("{}/{} {}", who.app, who.process, who.pid)),
        None => "node".to_owned(),
    };
    let (word, code) = match level {
        Importance::Trace => ("TRACE", "2"),
        Importance::Debug => ("DEBUG", "2"),
        Importance::Info => ("INFO ", "32"),
        Importance::Warn => ("WARN ", "33"),
        Importance::Error => ("ERROR", "31"),
    };
    let mut line = format!(
        "{} {} {} {text}\n",
        colour.paint("2", &clock(entry.time_ms)),
        colour.paint(code, word),
        colour.paint("36", &who)
    );
    if let What::Crash { trace: Some(trace), .. } = &entry.what {
        line.push_str(&frames(trace));
    }
    line
}

fn frames(trace: &str) -> String {
    let shown: Vec<&str> = trace.lines().take(FRAMES).collect();
    let hidden = trace.lines().count() - shown.len();
    let mut block = safe::block(&shown.join("\n"), "                    at ");
    if hidden > 0 {
        block.push_str(&format!("                    … {hidden} more, which --json shows\n"));
    }
    block
}

/// The time of day, in UTC.
fn clock(time_ms: u64) -> String {
    let seconds = time_ms / 1_000;
    let (hours, minutes) = (seconds / 3_600 % 24, seconds / 60 % 60);
    format!("{hours:02}:{minutes:02}:{:02}.{:03}Z", seconds % 60, time_ms % 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::log::Who;

    fn shown(what: What) -> String {
        let who = Who { app: "a".into(), process: "c\n".into(), module: None, pid: "<0.7>".into() };
        line(&Entry { time_ms: 86_400_000 + 3_723_004, who: Some(who), what }, Colour::Never)
    }

    #[test]
    fn every_kind_is_one_line_and_a_crash_shows_where() {
        let log = What::Log { level: Importance::Info, message: "hi\u{1b}[2J\nfake".into() };
        assert_eq!(shown(log), "01:02:03.004Z INFO  a/c\\n <0.7> hi\\u{1b}[2J\\nfake\n");
        let crash = |trace: Option<String>| What::Crash {
            reason: "trap: unreachable".into(),
            handling: Some("call".into()),
            trace,
        };
        let head = "01:02:03.004Z ERROR a/c\\n <0.7> crashed while handling `call`: trap: unreachable\n";
        assert_eq!(shown(crash(None)), head);
        let block = format!("{head}                    at one\n                    at two\n");
        assert_eq!(shown(crash(Some("one\ntwo".into()))), block);
        assert!(shown(crash(Some("f\n".repeat(25)))).ends_with("… 5 more, which --json shows\n"));
        let restart = shown(What::Restart { child: "w".into(), restarts: 2 });
        assert!(restart.ends_with("WARN  a/c\\n <0.7> restarted `w` (restart 2 of this supervisor)\n"), "{restart}");
        assert!(shown(What::GaveUp { child: "w".into() }).contains("gave up: too many restarts, the last of `w`"));
        assert!(shown(What::Suppressed { lines: 9 }).contains("9 lines suppressed"));
    }
}
