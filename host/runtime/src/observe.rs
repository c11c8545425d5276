//! What the runtime tells whoever embeds it: log lines of guests, crashes, restarts.
//!
//! The runtime calls; it never formats for a terminal and never waits for an observer.

use skep_kernel::{ExitReason, Name, Pid};

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
    /// A process ended for a reason other than normal and shutdown. Once for each crash.
    Crash {
        /// Who.
        subject: Subject,
        /// Why.
        reason: ExitReason,
        /// Where, with the names of functions: one frame a line, innermost first; empty if there is nothing to show.
        trace: String,
        /// The kind of event it was handling, such as `call`; none while it waited.
        handling: Option<&'static str>,
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

/// Receives reports. Called on scheduler threads: must be quick and must not block.
pub trait Observer: Send + Sync + 'static {
    /// Something happened.
    fn report(&self, report: Report);
}

/// Forgets everything.
impl Observer for () {
    fn report(&self, _: Report) {}
}
