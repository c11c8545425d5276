//! Why there is no result, and what to do about it.
//!
//! Owns the words, made by every other file of the demo. Never prints.

use std::io;
use std::path::PathBuf;

use skep_runtime::kernel::{CallError, ExitReason};
use skep_runtime::upgrade::UpgradeError;
use skep_runtime::{RuntimeError, StartError};

use crate::manifest::ManifestError;
use crate::node::deploy::DeployError;

/// Why the demo came to no result.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The input cannot be used.
    #[error("{path} {problem}")]
    Input {
        /// As it was given.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
        /// What to do about it.
        remedy: &'static str,
    },
    /// The example's sources are not where they were when this program was built.
    #[error("the guests of the demo are built from their sources, and {0} is not there")]
    NoSources(PathBuf),
    /// The example's manifest makes no sense.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// A guest cannot be built or loaded.
    #[error(transparent)]
    Deploy(#[from] DeployError),
    /// There is no runtime.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// The app did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The app gave up.
    #[error("the app ended before it was done: {reason}{}", last(crash.as_ref()))]
    Ended {
        /// Why its root supervisor ended.
        reason: ExitReason,
        /// The last crash before that, if there was one.
        crash: Option<String>,
    },
    /// The server was not upgraded.
    #[error("version 1 of tally-server goes on, which does not count in lower case: {0}")]
    Upgrade(Box<UpgradeError>),
    /// The reader cannot go on.
    #[error("the app cannot count this file: {0}")]
    Failed(String),
    /// The app does not answer.
    #[error("no answer from `{name}`: {}", unanswered(error))]
    NoAnswer {
        /// Who was asked.
        name: &'static str,
        /// What became of the call.
        error: CallError,
    },
    /// The app answers something else.
    #[error("`{name}` answered something that cannot be read: {problem}")]
    BadAnswer {
        /// Who was asked.
        name: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The host cannot read the file.
    #[error("cannot read {path}: {error}")]
    Count {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// There is a line that is longer than the app takes.
    #[error("line {line} of {path} is longer than {} MiB, which is the longest line there may be", most >> 20)]
    LineTooLong {
        /// The file.
        path: PathBuf,
        /// Which line, counted from 1.
        line: u64,
        /// The longest in bytes.
        most: u64,
    },
    /// The file is not what it was when the demo began.
    #[error("{0} was changed while it was counted, so the two results cannot be compared")]
    Changed(PathBuf),
    /// Somebody pressed Ctrl-C.
    #[error("interrupted")]
    Interrupted,
}

impl DemoError {
    /// What to do about it, where something can be done.
    #[must_use]
    pub fn remedy(&self) -> Option<&str> {
        match self {
            DemoError::Input { remedy, .. } => Some(remedy),
            DemoError::NoSources(_) => Some(
                "run the demo by `cargo run -p skep -- demo` in a checkout of the project, or rebuild `skep` there",
            ),
            DemoError::Changed(_) => Some("run the demo again when nobody writes to the file"),
            DemoError::Upgrade(error)
                if matches!(**error, UpgradeError::Refused { .. } | UpgradeError::TooSlow { .. }) =>
            {
                Some("the server's state is all different words of the file: give a file with fewer of them")
            }
            DemoError::LineTooLong { .. } => Some("break the line, or give another file"),
            _ => None,
        }
    }
}

fn last(crash: Option<&String>) -> String {
    crash.map_or_else(String::new, |crash| format!(" (the last crash: {crash})"))
}

fn unanswered(error: &CallError) -> String {
    match error {
        CallError::Timeout => "it takes too long".to_owned(),
        CallError::Ended(reason) => format!("it ended: {reason}"),
        CallError::Refused(why) => why.to_string(),
    }
}
