//! Replacing code: what is asked, how far it is, and what came of it.
//!
//! An upgrade is a transaction: every process of a module goes on with its pid, name, links, monitors, timers and mail on
//! the new code, its state taken over by the guest; or nothing has happened. Performed by the shell, decided by the
//! kernel.

use std::time::Duration;

pub use skep_kernel::upgrade::MigrationStep;
use skep_kernel::{Body, ExitReason, Form, Name};

use crate::Module;
use crate::engine::LoadError;
use crate::observe::Subject;

/// How long processes in the middle of something are waited for, unless said.
pub const WAIT: Duration = Duration::from_secs(5);
/// How long all migrations together may take, unless said. Each has a budget of fuel besides.
pub const MIGRATE_WITHIN: Duration = Duration::from_secs(60);

/// What is to be replaced, all of it or nothing.
#[derive(Clone, Debug)]
pub struct Upgrade {
    /// Of which app.
    pub app: Name,
    /// Which modules, and their new code. More than one if they change together (HOT-01).
    pub changes: Vec<Change>,
    /// How long processes in the middle of a handler or a blocking call are waited for. Past that nothing happens.
    pub wait: Duration,
    /// How long all migrations together may take. Past that nothing happens.
    pub migrate_within: Duration,
    /// Handed to every migration.
    pub extra: Option<Body>,
}

impl Upgrade {
    /// One module, with the usual times.
    #[must_use]
    pub fn one(app: Name, module: Name, code: Module) -> Self {
        let changes = vec![Change { module, code }];
        Upgrade { app, changes, wait: WAIT, migrate_within: MIGRATE_WITHIN, extra: None }
    }
}

/// New code for a module.
#[derive(Clone, Debug)]
pub struct Change {
    /// The module's name within the app.
    pub module: Name,
    /// The code.
    pub code: Module,
}

/// How far an upgrade is. Counts are of processes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// The code is compiled, and whether it fits is looked at.
    Checking,
    /// Processes come to a stop between two messages.
    Suspending {
        /// So many have.
        done: usize,
        /// Of so many.
        total: usize,
    },
    /// States are taken over.
    Migrating {
        /// So many have been.
        done: usize,
        /// Of so many.
        total: usize,
    },
    /// All have been: the new code goes on.
    Committing,
    /// Something did not fit: the old code goes on.
    RollingBack,
}

/// What an upgrade has done.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Summary {
    /// Processes whose state was taken over.
    pub migrated: usize,
    /// Of these, those that were hibernated, and still are.
    pub hibernated: usize,
    /// Of these, those that were in the middle of something and had to be waited for.
    pub waited_for: usize,
    /// Processes that had not begun, and begin on the new code.
    pub not_begun: usize,
    /// Tasks, which finish on the code they began with.
    pub tasks: usize,
    /// Bytes of all states, as the new code writes them.
    pub state_bytes: u64,
    /// How long processes stood still: from the end of their last message on the old code to the moment they may go on.
    pub pause: Pauses,
    /// How long all of it took, from the first suspension.
    pub took: Duration,
    /// What the new code imports and the code before did not, and no process of the module has a grant for: using it is
    /// refused.
    pub ungranted: Vec<Ungranted>,
}

/// An interface that a module imports and that no process of it has a grant for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ungranted {
    /// The module.
    pub module: Name,
    /// The interface, such as `skep:process/spawning@0.1.0`.
    pub interface: String,
}

impl std::fmt::Display for Ungranted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Ungranted { module, interface } = self;
        write!(
            f,
            "module {module} now imports {interface}, and no process of it has a grant for that: using it is refused"
        )
    }
}

/// How long processes stood still.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Pauses {
    /// Half of them no longer than this.
    pub p50: Duration,
    /// 99 of 100 no longer than this.
    pub p99: Duration,
    /// None longer than this.
    pub max: Duration,
}

/// Why an upgrade did not take place. Every process goes on as before.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UpgradeError {
    /// There is no such app.
    #[error("no app called {0}")]
    NoSuchApp(Name),
    /// The app has no such module.
    #[error("app {app} has no module called {module}")]
    NoSuchModule {
        /// The app.
        app: Name,
        /// The module.
        module: Name,
    },
    /// It is the code that runs already.
    #[error("module {module} runs this code already ({digest})")]
    Same {
        /// The module.
        module: Name,
        /// The code's digest.
        digest: String,
    },
    /// A server cannot become a task, nor a task a server.
    #[error("module {module} is a {was}, and the new code is a {is}")]
    OtherKind {
        /// The module.
        module: Name,
        /// `server` or `task`.
        was: &'static str,
        /// `server` or `task`.
        is: &'static str,
    },
    /// The new code cannot read a state that is there, and the old code has no way back to one that it can.
    #[error("{}", no_path(module, *from, accepts, steps_down))]
    NoPath {
        /// The module.
        module: Name,
        /// The version of a state that some process has.
        from: u32,
        /// The versions that the new code reads.
        accepts: Vec<u32>,
        /// The older versions as which the code being left can save.
        steps_down: Vec<u32>,
    },
    /// The new code does not read states in the form that the old code writes.
    #[error("module {module}: processes have states in {writes}; the new code reads {}", listed(reads))]
    OtherForm {
        /// The module.
        module: Name,
        /// The form of the states that processes have.
        writes: Form,
        /// The forms that the new code reads.
        reads: Vec<Form>,
    },
    /// One of these modules is being replaced at this moment.
    #[error("module {module} is being upgraded already")]
    UnderWay {
        /// The module.
        module: Name,
    },
    /// The new code does not compile for the memory that a process of it may use.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Processes were in the middle of something, and did not come to its end in time.
    #[error("{}", busy(processes, *wait))]
    Busy {
        /// Which, and what each was doing (`call`, `init`…).
        processes: Vec<(Subject, &'static str)>,
        /// How long they were waited for.
        wait: Duration,
    },
    /// A process could not be migrated.
    #[error("{} cannot be upgraded: {step}: {reason}", name(subject))]
    Refused {
        /// Which.
        subject: Subject,
        /// Whose fault it is.
        step: MigrationStep,
        /// Why.
        reason: Box<ExitReason>,
        /// Where it trapped, one frame a line; empty if it did not.
        trace: String,
    },
    /// The migrations took too long.
    #[error("{} of {total} processes were not migrated within {} s, {} among them", total - done, within.as_secs(), name(subject))]
    TooSlow {
        /// One that was not done.
        subject: Subject,
        /// How many were done.
        done: usize,
        /// How many there were.
        total: usize,
        /// How long they had.
        within: Duration,
    },
    /// The runtime is being taken down.
    #[error("the node is stopping")]
    Stopping,
}

/// The code of a module, and what runs on it.
#[derive(Clone, Debug)]
pub struct ModuleInfo {
    /// The module's name within the app.
    pub name: Name,
    /// The code that processes begin on.
    pub current: Module,
    /// All code that some process runs on, with how many do; the current first, even if none does.
    pub running: Vec<(Module, usize)>,
}

fn name(subject: &Subject) -> String {
    match &subject.label {
        Some(label) => format!("{}/{label} {}", subject.app, subject.pid),
        None => format!("{} of {}", subject.pid, subject.app),
    }
}

fn no_path(module: &str, from: u32, accepts: &[u32], steps_down: &[u32]) -> String {
    format!(
        "module {module}: processes have states of version {from}; the new code reads {}, and the running code steps down \
         to {}",
        listed(accepts),
        listed(steps_down)
    )
}

fn listed(items: &[impl ToString]) -> String {
    match items {
        [] => "none".to_owned(),
        [item] => item.to_string(),
        [others @ .., last] => {
            let others: Vec<String> = others.iter().map(ToString::to_string).collect();
            format!("{} and {}", others.join(", "), last.to_string())
        }
    }
}

fn busy(processes: &[(Subject, &'static str)], wait: Duration) -> String {
    let Some(((first, doing), others)) = processes.split_first() else { return "processes were busy".into() };
    let others = match others.len() {
        0 => String::new(),
        1 => " (and one more)".into(),
        more => format!(" (and {more} more)"),
    };
    format!("{} was in the middle of something ({doing}) for longer than {} ms{others}", name(first), wait.as_millis())
}
