//! Entries of the log as people read them: a line each, a crash as a block.
//!
//! Owns the layout and the colours. Used by `skep run` and `skep logs` alike.

use super::safe;
use crate::node::log::{About, Entry, Importance, What, Who};

/// Frames of a backtrace that are shown; `--json` has all.
const FRAMES: usize = 20;

/// Before what belongs to the line above.
const INDENT: &str = "                    ";

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
        What::CrashesLeftOut { in_app, crashes } => {
            (Importance::Warn, format!("{crashes} more crashes in `{}` left out: too many at once", safe::line(in_app)))
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
    if let What::Crash { trace, about, .. } = &entry.what {
        if let Some(about) = about {
            line.push_str(&circumstances(about, entry.who.as_ref()));
        }
        if let Some(trace) = trace {
            line.push_str(&frames(trace));
        }
    }
    line
}

/// What was around a crash, a line each.
fn circumstances(about: &About, who: Option<&Who>) -> String {
    let mut code = who.and_then(|who| who.module.clone()).unwrap_or_default();
    if let Some(version) = about.version {
        code.push_str(&format!(" version {version}"));
    }
    if let Some(digest) = &about.digest {
        code.push_str(&format!(" ({digest})"));
    }
    let message = about.message.as_ref().map(|message| {
        let more = if message.cut { "… " } else { " " };
        format!("{}{more}({}, {} bytes)", message.text, message.form, message.bytes)
    });
    let more = about.links_total.saturating_sub(about.links.len());
    let links = match (about.links.join(", "), more) {
        (links, 0) => links,
        (links, more) => format!("{links}, and {more} more"),
    };
    let decision = match (about.decision.as_str(), about.restarts) {
        ("restarting", Some(restarts)) => format!("restarting (restart {restarts} of its supervisor)"),
        ("restarting_later", _) => "restarting after a wait".to_owned(),
        ("gave_up", _) => "its supervisor gave up: too many restarts".to_owned(),
        ("not_restarted", _) => "not restarted".to_owned(),
        ("not_started", _) => "not started".to_owned(),
        ("supervisor_ended", _) => "its supervisor has ended".to_owned(),
        ("not_supervised", _) => "nobody restarts it: it has no supervisor".to_owned(),
        (other, _) => other.to_owned(),
    };
    let lived = format!("{}.{:03} s", about.lived_ms / 1_000, about.lived_ms % 1_000);
    let lines = [
        ("path", Some(about.path.clone())),
        ("name", about.name.clone()),
        ("code", Some(code)),
        ("message", message),
        ("links", Some(links)),
        ("lived", Some(lived)),
        ("then", Some(decision)),
    ];
    let shown = lines.into_iter().filter_map(|(word, text)| Some((word, text?))).filter(|(_, text)| !text.is_empty());
    shown.map(|(word, text)| format!("{INDENT}{word:<8} {}\n", safe::line(&text))).collect()
}

fn frames(trace: &str) -> String {
    let shown: Vec<&str> = trace.lines().take(FRAMES).collect();
    let hidden = trace.lines().count() - shown.len();
    let mut block = safe::block(&shown.join("\n"), &format!("{INDENT}at "));
    if hidden > 0 {
        block.push_str(&format!("{INDENT}… {hidden} more, which --json shows\n"));
    }
    block
}

/// The time of day, in UTC.
pub(super) fn clock(time_ms: u64) -> String {
    let seconds = time_ms / 1_000;
    let (hours, minutes) = (seconds / 3_600 % 24, seconds / 60 % 60);
    format!("{hours:02}:{minutes:02}:{:02}.{:03}Z", seconds % 60, time_ms % 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::log::Quoted;

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
            about: None,
        };
        let head = "01:02:03.004Z ERROR a/c\\n <0.7> crashed while handling `call`: trap: unreachable\n";
        assert_eq!(shown(crash(None)), head);
        let block = format!("{head}                    at one\n                    at two\n");
        assert_eq!(shown(crash(Some("one\ntwo".into()))), block);
        assert!(shown(crash(Some("f\n".repeat(25)))).ends_with("… 5 more, which --json shows\n"));
        let about = About {
            path: "a/c\u{7}".into(),
            name: None,
            version: Some(2),
            digest: Some("0123456789ab".into()),
            message: Some(Quoted { form: "text".into(), text: "x\u{1b}[2J".into(), bytes: 5_000, cut: true }),
            links: vec!["<0.8> store".into()],
            links_total: 3,
            lived_ms: 1_234,
            decision: "restarting".into(),
            restarts: Some(4),
        };
        let whole = shown(What::Crash {
            reason: "failed: no".into(),
            handling: None,
            trace: Some("one".into()),
            about: Some(Box::new(about)),
        });
        let expected = [
            "01:02:03.004Z ERROR a/c\\n <0.7> crashed: failed: no",
            "path     a/c\\u{7}",
            "code      version 2 (0123456789ab)",
            "message  x\\u{1b}[2J… (text, 5000 bytes)",
            "links    <0.8> store, and 2 more",
            "lived    1.234 s",
            "then     restarting (restart 4 of its supervisor)",
            "at one",
            "",
        ];
        assert_eq!(whole, expected.join("\n                    ").trim_end_matches(' '));
        let restart = shown(What::Restart { child: "w".into(), restarts: 2 });
        assert!(restart.ends_with("WARN  a/c\\n <0.7> restarted `w` (restart 2 of this supervisor)\n"), "{restart}");
        assert!(shown(What::GaveUp { child: "w".into() }).contains("gave up: too many restarts, the last of `w`"));
        assert!(shown(What::Suppressed { lines: 9 }).contains("9 lines suppressed"));
    }
}
