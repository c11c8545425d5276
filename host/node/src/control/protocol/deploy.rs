//! What is sent to change which apps run.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use skep_runtime::reconfigure::Progress;

use super::bounds;
use super::{Problem, Step};
use crate::node::code::history::Figures;
use crate::node::deployment::{self, Order, Planned};
use crate::node::plan::Plan;

/// `POST /v1/plan`, and the beginning of `POST /v1/deploy`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// The manifest's absolute path.
    #[serde(deserialize_with = "bounds::path")]
    pub manifest: PathBuf,
    /// The component of each module that comes from a crate, by the module's name. The node builds nothing.
    #[serde(default, deserialize_with = "bounds::files")]
    pub files: BTreeMap<String, PathBuf>,
}

impl From<Wanted> for Order {
    fn from(Wanted { manifest, files }: Wanted) -> Self {
        Order { manifest, files }
    }
}

/// The answer to `POST /v1/plan`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Proposal {
    /// Names the plan and all that it was made from: [`Agreed::agreed`].
    pub id: String,
    /// The plan.
    pub plan: Plan,
}

impl From<Planned> for Proposal {
    fn from(Planned { plan, id }: Planned) -> Self {
        Proposal { id, plan }
    }
}

/// `POST /v1/deploy`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agreed {
    /// As in the request for the plan.
    #[serde(deserialize_with = "bounds::path")]
    pub manifest: PathBuf,
    /// As in the request for the plan.
    #[serde(default, deserialize_with = "bounds::files")]
    pub files: BTreeMap<String, PathBuf>,
    /// Which plan was agreed to. If deploying would do something else by now, it is refused.
    #[serde(deserialize_with = "bounds::name")]
    pub agreed: String,
    /// How long processes in the middle of something are waited for at an upgrade.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<u64>,
}

/// A line of the answer to `POST /v1/deploy`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeployLine {
    /// How far it is.
    Progress(DeployStep),
    /// The last line: it is done.
    Done(Deployed),
    /// The last line: nothing has happened.
    Refused(Problem),
}

/// How far a deployment is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum DeployStep {
    /// Code is being replaced.
    Upgrading {
        /// How far that is.
        upgrade: Step,
    },
    /// A child is told to stop.
    Stopping {
        /// Which.
        child: String,
    },
    /// A child is started.
    Starting {
        /// Which.
        child: String,
    },
}

impl From<Progress> for DeployStep {
    fn from(progress: Progress) -> Self {
        match progress {
            Progress::Upgrading(upgrade) => DeployStep::Upgrading { upgrade: upgrade.into() },
            Progress::Stopping(path) => DeployStep::Stopping { child: path.to_string() },
            Progress::Starting(path) => DeployStep::Starting { child: path.to_string() },
        }
    }
}

/// What has been done.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Deployed {
    /// What the upgrade of modules did, if there were any.
    pub upgraded: Option<Figures>,
    /// Children that were stopped and are forgotten, in that order.
    pub stopped: Vec<String>,
    /// Children that were started, in that order; none where the whole app was.
    pub started: Vec<String>,
    /// Children that did not start. All else is done, and deploying again tries these again.
    pub failed: Vec<FailedChild>,
    /// What did not work out beside that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// A child that did not start.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FailedChild {
    /// Which.
    pub child: String,
    /// Why, in one line.
    pub reason: String,
}

impl From<deployment::Deployed> for Deployed {
    fn from(done: deployment::Deployed) -> Self {
        let deployment::Deployed { upgraded, stopped, started, failed, warnings } = done;
        let failed = failed.into_iter().map(|(child, reason)| FailedChild { child, reason }).collect();
        Deployed { upgraded, stopped, started, failed, warnings }
    }
}

/// `POST /v1/undeploy`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Undeploy {
    /// Which app.
    #[serde(deserialize_with = "bounds::name")]
    pub app: String,
}

/// An app is stopped and forgotten.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Undeployed {
    /// Which app.
    pub app: String,
    /// Why its root supervisor ended.
    pub reason: String,
}
