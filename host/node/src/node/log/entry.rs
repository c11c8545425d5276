//! One entry of the log, as the control API sends it.
//!
//! Owns the bounds of what guests make it hold. The command makes a line of it.

use serde::{Deserialize, Serialize};
use skep_runtime::observe::{Circumstances, Decision, Excerpt, Level, Peer, Report, Subject};

use crate::node::body::{self, Readable};

/// Bytes of a reason that are kept: as many as the runtime keeps of a line.
const REASON_BYTES: usize = 4_096;
/// Bytes of a backtrace that are kept: some hundred frames.
const TRACE_BYTES: usize = 16_384;

/// Digits of a digest that people are shown: enough to tell code apart.
const DIGEST_SHOWN: usize = 12;

/// Something that happened, and when.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// Milliseconds since 1970.
    pub time_ms: u64,
    /// To whom; none for the node itself.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub who: Option<Who>,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

/// A process.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Who {
    /// Its app.
    pub app: String,
    /// Its child id, or its name, or its module.
    pub process: String,
    /// Its module; none for a supervisor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
    /// Its pid as listings show it, without the tag.
    pub pid: String,
}

/// What can happen.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum What {
    /// A guest wrote a line.
    Log {
        /// How important.
        level: Importance,
        /// The line: guest text, not safe for a terminal.
        message: String,
    },
    /// A process crashed.
    Crash {
        /// Why, in one line.
        reason: String,
        /// The kind of event it was handling.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        handling: Option<String>,
        /// Where: one frame a line, innermost first.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        trace: Option<String>,
        /// Everything else that helps to act on it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        about: Option<Box<About>>,
    },
    /// An app crashed so often that not all of it was written down.
    CrashesLeftOut {
        /// Which app.
        in_app: String,
        /// So many reports are missing before this.
        crashes: u64,
    },
    /// A supervisor started a child anew.
    Restart {
        /// The child's id.
        child: String,
        /// Restarts by this supervisor so far.
        restarts: u64,
    },
    /// A supervisor restarted too often, and ends.
    GaveUp {
        /// The child that crashed last.
        child: String,
    },
    /// The node says something itself.
    Node {
        /// How important.
        level: Importance,
        /// The line.
        message: String,
    },
    /// There was more in one second than the log takes.
    Suppressed {
        /// So many entries are missing here.
        lines: u64,
    },
}

/// What was around a crash.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct About {
    /// The child ids that lead to it: `tally/parsers/parser.3`.
    pub path: String,
    /// The name it held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The version of its state's layout; none for a task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// The beginning of the digest of its code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// What it was handling.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<Quoted>,
    /// Whom it was linked to; the first ten.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<String>,
    /// How many links it had.
    pub links_total: usize,
    /// How long it had lived.
    pub lived_ms: u64,
    /// What becomes of it: `restarting`, `restarting_later`, `gave_up`, `not_restarted`, `not_started`, `supervisor_ended`,
    /// `not_supervised`.
    pub decision: String,
    /// How often its supervisor has restarted a child so far, if it restarts this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restarts: Option<u64>,
}

/// A message, or the beginning of one, as a person reads it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Quoted {
    /// `json`, `messagepack`, `text` or `raw`.
    pub form: String,
    /// JSON, also of MessagePack; text; or hexadecimal. Guest text, not safe for a terminal.
    pub text: String,
    /// Bytes of the whole.
    pub bytes: usize,
    /// Whether there is more of it.
    pub cut: bool,
}

impl Quoted {
    fn new(excerpt: &Excerpt) -> Self {
        let (form, text) = match Readable::from(&excerpt.body) {
            Readable::Json(json) => ("json", json.get().to_owned()),
            Readable::MessagePack(json) => ("messagepack", json.get().to_owned()),
            Readable::Text(text) => ("text", text),
            Readable::Raw(text) => ("raw", text),
        };
        let cut = excerpt.body.len() < excerpt.bytes;
        Quoted { form: form.to_owned(), text: self::cut(text, REASON_BYTES), bytes: excerpt.bytes, cut }
    }
}

impl About {
    fn new(about: Circumstances) -> Self {
        let (decision, restarts) = match about.decision {
            Decision::Restarting { restarts } => ("restarting", Some(restarts)),
            Decision::RestartingLater => ("restarting_later", None),
            Decision::GaveUp => ("gave_up", None),
            Decision::NotRestarted => ("not_restarted", None),
            Decision::NotStarted => ("not_started", None),
            Decision::SupervisorEnded => ("supervisor_ended", None),
            Decision::NotSupervised => ("not_supervised", None),
        };
        let (links, links_total) = about.links;
        About {
            path: about.path,
            name: about.name.as_deref().map(str::to_owned),
            version: about.version,
            digest: about.digest.map(|digest| digest.chars().take(DIGEST_SHOWN).collect()),
            message: about.message.as_ref().map(Quoted::new),
            links: links.iter().map(named).collect(),
            links_total,
            lived_ms: u64::try_from(about.lived.as_millis()).unwrap_or(u64::MAX),
            decision: decision.to_owned(),
            restarts,
        }
    }

    fn len(&self) -> usize {
        let message = self.message.as_ref().map_or(0, |message| message.text.len());
        message + self.path.len() + self.links.iter().map(String::len).sum::<usize>() + 100
    }
}

/// A process that another one's report names: `<0.7> store`.
#[must_use]
pub fn named(peer: &Peer) -> String {
    match &peer.name {
        Some(name) => format!("{} {name}", peer.pid),
        None => peer.pid.to_string(),
    }
}

/// A level of the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the words of every log")]
pub enum Importance {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

impl From<Level> for Importance {
    fn from(level: Level) -> Self {
        match level {
            Level::Trace => Importance::Trace,
            Level::Debug => Importance::Debug,
            Level::Info => Importance::Info,
            Level::Warn => Importance::Warn,
            Level::Error => Importance::Error,
        }
    }
}

impl Entry {
    pub(super) fn new(time_ms: u64, report: Report) -> Self {
        let (subject, what) = match report {
            Report::Log { subject, level, message } => (subject, What::Log { level: level.into(), message }),
            Report::Crash { subject, reason, trace, handling, about } => {
                let what = What::Crash {
                    reason: cut(body::reason(&reason), REASON_BYTES),
                    handling: handling.map(str::to_owned),
                    trace: Some(cut(trace, TRACE_BYTES)).filter(|trace| !trace.is_empty()),
                    about: Some(Box::new(About::new(*about))),
                };
                (subject, what)
            }
            Report::Restart { supervisor, child, restarts } => {
                (supervisor, What::Restart { child: child.to_string(), restarts })
            }
            Report::GaveUp { supervisor, child } => (supervisor, What::GaveUp { child: child.to_string() }),
        };
        Entry { time_ms, who: Some(Who::new(&subject)), what }
    }

    /// Of the node itself, at this moment.
    #[must_use]
    pub fn now(what: What) -> Self {
        Entry { time_ms: super::now_ms(), who: None, what }
    }

    /// About how many bytes it takes.
    pub(super) fn len(&self) -> usize {
        let text = match &self.what {
            What::Log { message, .. } | What::Node { message, .. } => message.len(),
            What::Crash { reason, trace, about, .. } => {
                reason.len() + trace.as_ref().map_or(0, String::len) + about.as_ref().map_or(0, |about| about.len())
            }
            What::CrashesLeftOut { in_app, .. } => in_app.len(),
            What::Restart { child, .. } | What::GaveUp { child } => child.len(),
            What::Suppressed { .. } => 0,
        };
        text + 100
    }

    /// Whether it is about this process: its child id, name, module, or pid as listings show it.
    #[must_use]
    pub fn is_about(&self, process: &str) -> bool {
        self.who.as_ref().is_some_and(|who| {
            let pid = |text: &str| text.trim_matches(['<', '>']).to_owned();
            who.process == process || who.module.as_deref() == Some(process) || pid(&who.pid) == pid(process)
        })
    }
}

impl Who {
    fn new(subject: &Subject) -> Self {
        let process = match (&subject.label, &subject.module) {
            (Some(label), _) => label.to_string(),
            (None, Some(module)) => module.to_string(),
            (None, None) => "supervisor".to_owned(),
        };
        Who {
            app: subject.app.to_string(),
            process,
            module: subject.module.as_ref().map(ToString::to_string),
            pid: subject.pid.to_string(),
        }
    }

    /// What it is called.
    pub(super) fn process(&self) -> &str {
        &self.process
    }
}

fn cut(mut text: String, bytes: usize) -> String {
    if text.len() > bytes {
        text.truncate(text.floor_char_boundary(bytes));
        text.push('…');
    }
    text
}
