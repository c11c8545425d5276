//! Another spec for an app that runs: what is asked, how far it is, and what came of it.
//!
//! Everything that can be refused is, before anything changes. Then, in this order: modules are upgraded, all in one
//! transaction; supervisors take their new specs, from the top down (HOT-17); processes that run get their new limits;
//! children that are no longer listed are stopped in reverse start order; new ones are started in order. Performed by
//! [`Runtime::reconfigure`](crate::Runtime::reconfigure).

use std::time::Duration;

use skep_kernel::Name;
use skep_kernel::supervisor::{RequestError, SpecError};

use crate::difference::Path;
use crate::engine::LoadError;
use crate::spec::AppSpec;
use crate::upgrade::{self, Summary, UpgradeError};

/// What an app is to be from now on.
#[derive(Clone, Debug)]
pub struct Reconfiguration {
    /// The app, which runs under this name. Modules whose digest is another one are upgraded.
    pub app: AppSpec,
    /// How long processes in the middle of something are waited for at the upgrade.
    pub wait: Duration,
    /// How long all migrations together may take.
    pub migrate_within: Duration,
}

impl Reconfiguration {
    /// With the usual times.
    #[must_use]
    pub fn new(app: AppSpec) -> Self {
        Reconfiguration { app, wait: upgrade::WAIT, migrate_within: upgrade::MIGRATE_WITHIN }
    }
}

/// How far it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Progress {
    /// Code is being replaced.
    Upgrading(upgrade::Progress),
    /// This child is told to stop.
    Stopping(Path),
    /// This child is started.
    Starting(Path),
}

/// What was done.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Reconfigured {
    /// What the upgrade of modules did, if there were any.
    pub upgraded: Option<Summary>,
    /// Children that were stopped and are forgotten, in that order.
    pub stopped: Vec<Path>,
    /// Children that were started, in that order.
    pub started: Vec<Path>,
    /// Children that were to be started and are not there. Their supervisors do not know them: a reconfiguration with the
    /// same spec tries again.
    pub failed: Vec<NotStarted>,
}

/// A new child that did not start.
#[derive(Clone, PartialEq, Debug)]
pub struct NotStarted {
    /// Which.
    pub child: Path,
    /// Why.
    pub why: NotStartedReason,
}

/// Why a new child did not start.
#[derive(Clone, PartialEq, Debug)]
pub enum NotStartedReason {
    /// Its supervisor does not run.
    NoSupervisor,
    /// Its supervisor says this.
    Refused(RequestError),
}

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReconfigureError {
    /// There is no such app.
    #[error("no app called {0}")]
    NoSuchApp(Name),
    /// The app has ended by itself, before or meanwhile.
    #[error("the app {0} has ended")]
    Ended(Name),
    /// A supervisor's spec makes no sense.
    #[error("supervisor {at}: {why}")]
    Invalid {
        /// Which.
        at: Path,
        /// Why not.
        why: SpecError,
    },
    /// A child is of a module that the app has not.
    #[error("child {child}: there is no module called {module}")]
    NoSuchModule {
        /// Which child.
        child: Path,
        /// Of which module.
        module: Name,
    },
    /// A module does not compile for the memory that a process of it may use.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The modules were not upgraded.
    #[error(transparent)]
    Upgrade(#[from] Box<UpgradeError>),
}
