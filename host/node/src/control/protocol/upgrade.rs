//! What is sent while code is replaced: a line for each step, and a last one that says what came of it.

use serde::{Deserialize, Serialize};
use skep_runtime::upgrade::Progress;

use super::Problem;
use crate::node::code::CodeId;
use crate::node::code::history::Figures;
use crate::node::code::upgrade::Done;

/// A line of the answer to `POST /v1/upgrade` and `POST /v1/rollback`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UpgradeLine {
    /// How far it is.
    Progress(Step),
    /// The last line: the new code runs.
    Done(Upgraded),
    /// The last line: nothing has happened.
    Refused(Problem),
}

/// How far an upgrade is, in processes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
#[allow(missing_docs, reason = "as in skep_runtime::upgrade::Progress")]
pub enum Step {
    Checking,
    Suspending { done: usize, total: usize },
    Migrating { done: usize, total: usize },
    Committing,
    RollingBack,
}

impl From<Progress> for Step {
    fn from(progress: Progress) -> Self {
        match progress {
            Progress::Checking => Step::Checking,
            Progress::Suspending { done, total } => Step::Suspending { done, total },
            Progress::Migrating { done, total } => Step::Migrating { done, total },
            Progress::Committing => Step::Committing,
            Progress::RollingBack => Step::RollingBack,
        }
    }
}

/// What has been done.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Upgraded {
    /// Of which app.
    pub app: String,
    /// Which module.
    pub module: String,
    /// The code that was left.
    pub from: CodeId,
    /// The code that runs.
    pub to: CodeId,
    /// In numbers.
    #[serde(flatten)]
    pub figures: Figures,
    /// What did not work out beside the upgrade itself, and what the new code will not be allowed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

impl From<Done> for Upgraded {
    fn from(done: Done) -> Self {
        let Done { target, from, to, figures, warnings } = done;
        Upgraded { app: target.app.to_string(), module: target.module.to_string(), from, to, figures, warnings }
    }
}
