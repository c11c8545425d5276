//! Why nothing was deployed, and what to do about it.
//!
//! Owns the words and the remedies. What ran before runs on.

use std::path::PathBuf;

use skep_runtime::StartError;
use skep_runtime::kernel::Name;
use skep_runtime::kernel::supervisor::RequestError;
use skep_runtime::reconfigure::{NotStartedReason, ReconfigureError};

use crate::manifest::{ManifestError, Place};
use crate::node::code::refused::Refused;
use crate::node::deploy::DeployError;
use crate::node::{body, deploy};
use crate::suggest;

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum NotDeployed {
    /// The manifest, or the code that it names.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// A relative path begins at the node's folder, which whoever asks does not know.
    #[error("the manifest's path is not absolute: {}", .0.display())]
    Relative(PathBuf),
    /// A module comes from a crate, and its component was not given.
    #[error("module `{0}` is built from a crate, and its component was not given")]
    NotBuilt(Name),
    /// Something has changed since the plan was made.
    #[error("the plan has changed meanwhile: the node runs something else, or the manifest or its code is another")]
    Changed,
    /// Somebody else deploys or undeploys.
    #[error("another deployment is under way")]
    UnderWay,
    /// There is no such app.
    #[error("there is no app named `{name}`")]
    UnknownApp {
        /// Its name.
        name: String,
        /// Those that there are.
        apps: Vec<Name>,
    },
    /// The app did not start.
    #[error("the app did not start: {}", start(.0))]
    Start(#[from] StartError),
    /// The modules were not upgraded.
    #[error("{0}")]
    Upgrade(Refused),
    /// It does not fit what runs.
    #[error(transparent)]
    Reconfigure(#[from] ReconfigureError),
    /// The node is being stopped.
    #[error("the node is stopping")]
    Stopping,
    /// The work was dropped half way by a bug.
    #[error("it failed: {0}")]
    Broken(String),
}

impl From<DeployError> for NotDeployed {
    fn from(error: DeployError) -> Self {
        match error {
            DeployError::Refused(error) => NotDeployed::Manifest(error),
            DeployError::Build { module, .. } => NotDeployed::NotBuilt(module),
        }
    }
}

impl NotDeployed {
    /// A stable word.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            NotDeployed::Manifest(_) => "manifest",
            NotDeployed::Relative(_) | NotDeployed::NotBuilt(_) => "bad_request",
            NotDeployed::Changed => "plan_changed",
            NotDeployed::UnderWay => "under_way",
            NotDeployed::UnknownApp { .. } => "not_found",
            NotDeployed::Start(_) => "start",
            NotDeployed::Upgrade(refused) => refused.code(),
            NotDeployed::Reconfigure(_) => "refused",
            NotDeployed::Stopping => "stopping",
            NotDeployed::Broken(_) => "failed",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> Option<String> {
        let text = match self {
            NotDeployed::Manifest(error) => return error.remedy().map(str::to_owned),
            NotDeployed::Upgrade(refused) => return refused.remedy(),
            NotDeployed::UnknownApp { name, apps } => {
                return Some(suggest::remedy(name, "apps", apps.iter().map(|app| &**app)));
            }
            NotDeployed::Relative(_) => "give the absolute path",
            NotDeployed::NotBuilt(_) => "build it with `skep build`, and give its component's path in `files`",
            NotDeployed::Changed => "nothing was changed; deploy again, and look at the new plan",
            NotDeployed::UnderWay => "wait until it is over; `skep logs` shows what it does",
            NotDeployed::Start(_) => {
                "`skep logs` says which child failed, and how; everything started before it has been stopped"
            }
            NotDeployed::Reconfigure(ReconfigureError::Load(error)) => deploy::remedy(error),
            NotDeployed::Reconfigure(ReconfigureError::Ended(_)) => "`skep logs` says why; deploy again to start it",
            NotDeployed::Reconfigure(_) => "correct the manifest",
            NotDeployed::Stopping => "start the node again with `skep run`",
            NotDeployed::Broken(_) => return None,
        };
        Some(text.to_owned())
    }

    /// More lines: where a guest trapped.
    #[must_use]
    pub fn detail(&self) -> Option<&str> {
        match self {
            NotDeployed::Upgrade(refused) => refused.detail(),
            _ => None,
        }
    }

    /// Where in the manifest it is.
    #[must_use]
    pub fn place(&self) -> Option<&Place> {
        match self {
            NotDeployed::Manifest(error) => error.place(),
            _ => None,
        }
    }
}

fn start(error: &StartError) -> String {
    match error {
        StartError::Failed(error) => body::not_started(error),
        StartError::Taken(_) | StartError::Load(_) => error.to_string(),
    }
}

/// Why a new child does not run, in one line.
pub(super) fn not_started(why: &NotStartedReason) -> String {
    match why {
        NotStartedReason::NoSupervisor => "its supervisor does not run".to_owned(),
        NotStartedReason::Refused(RequestError::Failed(error)) => body::not_started(error),
        NotStartedReason::Refused(RequestError::Stopping) => "its supervisor is ending".to_owned(),
        NotStartedReason::Refused(RequestError::Invalid(error)) => error.to_string(),
        NotStartedReason::Refused(other) => format!("its supervisor refused: {other:?}"),
    }
}
