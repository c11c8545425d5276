//! Why there are no figures, and what to do about it.

use std::io;
use std::path::PathBuf;

use skep_runtime::kernel::CallError;
use skep_runtime::upgrade::UpgradeError;
use skep_runtime::{RuntimeError, StartError};

use crate::manifest::ManifestError;
use crate::node::deploy::DeployError;

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The guests' sources are not where they were when this program was built.
    #[error("the guests of the benchmark are built from their sources, and {0} is not there")]
    NoSources(PathBuf),
    /// The app's manifest makes no sense.
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
    /// A process of the app did not answer.
    #[error("no answer to {order}: {error:?}")]
    NoAnswer {
        /// What it was asked.
        order: String,
        /// What became of the call.
        error: CallError,
    },
    /// Something else happened than should have.
    #[error("{order} went wrong: {why}")]
    Failed {
        /// What was to be done.
        order: String,
        /// What happened.
        why: String,
    },
    /// The code was not replaced.
    #[error("the upgrade did not succeed: {0}")]
    Upgrade(Box<UpgradeError>),
    /// Erlang is not installed.
    #[error("Erlang does not start: {0}")]
    NoErlang(io::Error),
    /// Erlang ended, or said something that cannot be read.
    #[error("Erlang did not do {order}: {why}")]
    Erlang {
        /// What it was told.
        order: String,
        /// What came.
        why: String,
    },
}

impl BenchError {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            BenchError::NoSources(_) => {
                Some("run `skep bench` from where Skep's sources are: `cargo run --release -- bench`")
            }
            BenchError::NoErlang(_) => {
                Some("install Erlang (`apt-get install erlang-base`), or leave out `--vs erlang`")
            }
            _ => None,
        }
    }
}
