//! What an upgrade is told, and what it orders.

use crate::{ExitReason, Pid, Time};

/// Names an upgrade among those of a runtime.
pub type UpgradeId = u64;

/// What a process tells of itself during an upgrade.
#[derive(Clone, PartialEq, Debug)]
pub enum News {
    /// It stands between two messages.
    Suspended {
        /// Since when.
        at: Time,
        /// Whether a message had to be finished first.
        mail: Mail,
        /// Whether its `init` has run: if not, it has no state.
        begun: bool,
        /// Whether it has no instance.
        hibernated: bool,
    },
    /// Its state has been taken over.
    Migrated {
        /// How large it is now.
        bytes: usize,
    },
    /// Its state has not been taken over.
    NotMigrated(NotMigrated),
    /// It takes no part: it has ended, for whatever reason, or is a task, which ends on the code it began with.
    Gone,
}

/// Whether a process had to be waited for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mail {
    /// It was between two messages when it was asked.
    NotWaitedFor,
    /// It was in the middle of one.
    WaitedFor,
}

/// Why a state was not taken over.
#[derive(Clone, PartialEq, Debug)]
pub struct NotMigrated {
    /// Where it failed.
    pub step: MigrationStep,
    /// What was wrong.
    pub reason: ExitReason,
    /// Where it trapped, one frame a line; empty if it did not.
    pub trace: String,
}

/// Where a migration failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MigrationStep {
    /// The code being left did not save.
    Save,
    /// The code being left did not step down to a version that the other reads.
    StepDown,
    /// There is no instance of the new code.
    Start,
    /// The new code did not take the state over: its migration refused, trapped or found no end.
    Restore,
    /// The new code did not save what it had taken over.
    SaveAnew,
}

impl std::fmt::Display for MigrationStep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            MigrationStep::Save => "the running code did not save its state",
            MigrationStep::StepDown => "the running code did not step down",
            MigrationStep::Start => "the new code did not start",
            MigrationStep::Restore => "the new code did not take over the state",
            MigrationStep::SaveAnew => "the new code did not save what it had taken over",
        })
    }
}

/// Which code everybody goes on with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// The new.
    Commit,
    /// The old.
    RollBack,
}

/// What the machine is told.
#[derive(Clone, PartialEq, Debug)]
pub enum Input {
    /// These processes run on the old code.
    Found(Vec<Pid>),
    /// No further one can come: births wait from now on. These were not among those found.
    Closed(Vec<Pid>),
    /// A process has told something.
    News {
        /// Which.
        pid: Pid,
        /// What.
        news: News,
    },
    /// Nothing more has been told so far.
    Lull,
    /// The time for what is under way is over.
    TimeUp,
    /// Whoever wanted it does not want it any more.
    Cancel,
}

/// What is to be done, in this order.
#[derive(Clone, PartialEq, Debug)]
pub enum Order {
    /// Have this process stop between two messages.
    Suspend(Pid),
    /// Let births wait, then tell [`Input::Closed`] who was born since.
    Close,
    /// Let births go on, on the old code.
    Open,
    /// Have the state of this process taken over. From the first on, the time for migrating runs.
    Migrate(Pid),
    /// From now on the new code is the current one: births go on with it. Everybody is resumed next.
    Commit,
    /// Let this process go on, with the code of the verdict.
    Resume(Pid, Verdict),
    /// It is over. After a roll back births go on as well.
    End(Result<(), Failure>),
}

/// Why an upgrade did not take place.
#[derive(Clone, PartialEq, Debug)]
pub enum Failure {
    /// These did not come to the end of what they were doing.
    Busy(Vec<Pid>),
    /// This one could not be migrated.
    NotMigrated(Pid, NotMigrated),
    /// These were not migrated in time.
    TooSlow(Vec<Pid>),
    /// It was called off.
    Cancelled,
}

/// How a process came to a stop.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Stop {
    /// When.
    pub at: Time,
    /// Whether it had to be waited for.
    pub mail: Mail,
    /// Whether it had begun.
    pub begun: bool,
    /// Whether it had no instance.
    pub hibernated: bool,
}
