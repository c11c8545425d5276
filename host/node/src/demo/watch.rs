//! Who looks on while the demo runs.
//!
//! Owns the stages. Never formats: `cli` does.

use super::Upgraded;
use crate::build;

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The app is at work.
    Running {
        /// Bytes that are added up.
        done: u64,
        /// Bytes of the file.
        bytes: u64,
    },
    /// The app's server is being upgraded, while the rest of it goes on.
    Upgrading,
    /// The server's version 2 is at work.
    Upgraded(Upgraded),
    /// The host counts the same file.
    Checking {
        /// Bytes that it has read.
        done: u64,
        /// Bytes of the file.
        bytes: u64,
    },
    /// The two are compared.
    Comparing,
    /// The app is stopped.
    Stopping,
}

/// Told of every stage, from several threads: must be quick.
pub trait Watch: Send + Sync + 'static {
    /// This is how far it is.
    fn stage(&self, stage: Stage);

    /// Who is told, and asked, while guests are built.
    fn builder(&self) -> Box<dyn build::Report + Send> {
        Box::new(build::Quiet)
    }
}

/// Looks away.
impl Watch for () {
    fn stage(&self, _: Stage) {}
}
