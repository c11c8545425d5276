//! What the runtime tells whoever embeds it: log lines of guests, crashes, restarts.
//!
//! The runtime calls; it never formats for a terminal and never waits for an observer.

use std::time::Duration;

use skep_kernel::{Body, ExitReason, Name, Pid};

/// How much a line of the log matters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[allow(missing_docs, reason = "the words of every log")]
pub enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

/// Which process something is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Subject {
    /// Its app.
    pub app: Name,
    /// Its module; none for a supervisor.
    pub module: Option<Name>,
    /// Its child id, or its name where it has no supervisor.
    pub label: Option<Name>,
    /// Its pid.
    pub pid: Pid,
}

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Report {
    /// A guest wrote a line, by the log or by its standard output. Guest text: not safe for a terminal as it is.
    Log {
        /// Who.
        subject: Subject,
        /// How important.
        level: Level,
        /// The line, without an end of line, cut to 4 kB.
        message: String,
    },
    /// A process ended for a reason other than normal and shutdown. Once for each crash, when its supervisor has decided
    /// what becomes of it.
    Crash {
        /// Who.
        subject: Subject,
        /// Why.
        reason: ExitReason,
        /// Where, with the names of functions: one frame a line, innermost first; empty if there is nothing to show.
        trace: String,
        /// The kind of event it was handling, such as `call`; none while it waited.
        handling: Option<&'static str>,
        /// Everything else that helps to act on it.
        about: Box<Circumstances>,
    },
    /// A supervisor started a child anew.
    Restart {
        /// The supervisor.
        supervisor: Subject,
        /// The child.
        child: Name,
        /// How often the supervisor has restarted a child so far.
        restarts: u64,
    },
    /// A supervisor restarted too often and ends (SUP-08).
    GaveUp {
        /// The supervisor.
        supervisor: Subject,
        /// The child that crashed last.
        child: Name,
    },
}

/// What was around a crash.
#[derive(Clone, PartialEq, Debug)]
pub struct Circumstances {
    /// The child ids that lead to it: `tally/parsers/parser.3`.
    pub path: String,
    /// The name it held.
    pub name: Option<Name>,
    /// The version of its state's layout; none for a task.
    pub version: Option<u32>,
    /// The digest of its code.
    pub digest: Option<String>,
    /// What it was handling; none if that carried nothing.
    pub message: Option<Excerpt>,
    /// Whom it was linked to: they have heard of it. The first ten, and how many there were.
    pub links: (Vec<Peer>, usize),
    /// How long it had lived.
    pub lived: Duration,
    /// What becomes of it.
    pub decision: Decision,
}

/// What a supervisor makes of a crash.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Decision {
    /// It is started anew: the supervisor's restart of this number.
    Restarting {
        /// How often the supervisor has restarted a child so far, with this one.
        restarts: u64,
    },
    /// It is started anew when the wait of its supervisor is over.
    RestartingLater,
    /// It was restarted too often: its supervisor stops everything and ends.
    GaveUp,
    /// Its restart type says that it stays down, or it was about to be stopped anyway.
    NotRestarted,
    /// It was being started: whoever wanted that is told, and does without.
    NotStarted,
    /// Its supervisor has ended too.
    SupervisorEnded,
    /// It has no supervisor.
    NotSupervised,
}

/// A message, or the beginning of one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Excerpt {
    /// It; bytes or text where it was cut.
    pub body: Body,
    /// How many bytes the whole has.
    pub bytes: usize,
}

/// Another process that a report names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Peer {
    /// Its pid.
    pub pid: Pid,
    /// Its name, child id or module; none if it has ended, or has none of them.
    pub name: Option<Name>,
}

/// Receives reports. Called on scheduler threads: must be quick and must not block.
pub trait Observer: Send + Sync + 'static {
    /// Something happened.
    fn report(&self, report: Report);
}

/// Forgets everything.
impl Observer for () {
    fn report(&self, _: Report) {}
}
