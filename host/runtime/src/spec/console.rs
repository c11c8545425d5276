//! Where a command reads from, and where its output goes.

use std::path::PathBuf;

use skep_kernel::Name;

/// The standard streams of a command. Standard error always goes into the log.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Console {
    /// Standard input.
    pub input: Input,
    /// Standard output.
    pub output: Output,
}

/// Where standard input comes from.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Input {
    /// It is at its end.
    #[default]
    Closed,
    /// A file of the host. No link is followed on the way to it.
    File(PathBuf),
    /// What the process is sent: each body is appended, an empty one is the end.
    Messages,
}

/// Where standard output goes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Output {
    /// Into the log, line by line.
    #[default]
    Log,
    /// To the process of the app that has this name, as messages of raw bytes, as they are written.
    To(Name),
}
