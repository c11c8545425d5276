//! Why code was not replaced, and what to do about it. Every process goes on as before.
//!
//! Owns the words and the remedies, for the control API and for `skep run --watch` alike.

use std::fmt;

use skep_runtime::engine::LoadError;
use skep_runtime::observe::Subject;
use skep_runtime::upgrade::{MigrationStep, UpgradeError};

use super::CodeId;
use super::store::StoreError;
use super::target::{Target, UnknownModule};
use crate::node::{body, deploy};

/// Why code was not replaced.
#[derive(Debug)]
pub enum Refused {
    /// No module is meant.
    Module(UnknownModule),
    /// The new code is no code of a process.
    Load {
        /// Where it came from.
        origin: String,
        /// What is wrong with it.
        error: LoadError,
    },
    /// It does not fit what runs, or a process could not be migrated.
    Upgrade(Box<UpgradeError>),
    /// There is nothing to go back to.
    NothingBefore {
        /// Which module.
        target: Target,
        /// The code that runs.
        current: CodeId,
        /// Other code that is kept.
        kept: Vec<CodeId>,
    },
    /// What is to be gone back to is not kept.
    NotKept {
        /// Which module.
        target: Target,
        /// What was asked for: a version, or the beginning of a digest.
        wanted: String,
        /// All code that is kept.
        kept: Vec<CodeId>,
    },
    /// The kept code cannot be used.
    Store(StoreError),
    /// The work was dropped half way by a bug; nothing has changed.
    Broken(String),
}

impl Refused {
    /// A stable word.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Refused::Module(UnknownModule::Unknown { .. }) => "unknown_module",
            Refused::Module(UnknownModule::Ambiguous { .. }) => "ambiguous",
            Refused::Load { .. } => "bad_code",
            Refused::NothingBefore { .. } => "nothing_before",
            Refused::NotKept { .. } => "not_kept",
            Refused::Store(_) => "store",
            Refused::Broken(_) => "failed",
            Refused::Upgrade(error) => match **error {
                UpgradeError::NoSuchApp(_) | UpgradeError::NoSuchModule { .. } => "unknown_module",
                UpgradeError::Same { .. } => "same_code",
                UpgradeError::OtherKind { .. } => "other_kind",
                UpgradeError::NoPath { .. } => "no_path",
                UpgradeError::OtherForm { .. } => "other_form",
                UpgradeError::UnderWay { .. } => "under_way",
                UpgradeError::Load(_) => "bad_code",
                UpgradeError::Busy { .. } => "busy",
                UpgradeError::Refused { .. } => "migration",
                UpgradeError::TooSlow { .. } => "too_slow",
                UpgradeError::Stopping => "stopping",
                _ => "refused",
            },
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> Option<String> {
        let text = match self {
            Refused::Module(error) => return Some(error.remedy()),
            Refused::Load { error, .. } => deploy::remedy(error),
            Refused::NothingBefore { kept, .. } if kept.is_empty() => {
                "give older code as a file: `skep upgrade` takes it too, if the running code steps down"
            }
            Refused::NothingBefore { target, kept, .. } => {
                return Some(format!(
                    "other code is kept, and is gone to by `skep rollback {target} --to DIGEST`: {}",
                    list(kept)
                ));
            }
            Refused::NotKept { kept, .. } if kept.is_empty() => "no code of this module is kept",
            Refused::NotKept { kept, .. } => return Some(format!("kept are: {}", list(kept))),
            Refused::Store(error) => return Some(error.remedy()),
            Refused::Broken(_) => return None,
            Refused::Upgrade(error) => return upgrade_remedy(error).map(str::to_owned),
        };
        Some(text.to_owned())
    }

    /// More lines: where a guest trapped.
    #[must_use]
    pub fn detail(&self) -> Option<&str> {
        match self {
            Refused::Upgrade(error) => match &**error {
                UpgradeError::Refused { trace, .. } if !trace.is_empty() => Some(trace),
                _ => None,
            },
            _ => None,
        }
    }
}

fn upgrade_remedy(error: &UpgradeError) -> Option<&'static str> {
    Some(match error {
        UpgradeError::Load(error) => deploy::remedy(error),
        UpgradeError::NoSuchApp(_) | UpgradeError::NoSuchModule { .. } => "`skep versions` lists the modules",
        UpgradeError::Same { .. } => {
            "there is nothing to do; if the guest was changed, build it anew with `skep build`"
        }
        UpgradeError::OtherKind { .. } => {
            "is it the right module? `skep versions` lists them; a task and a server are two modules in the manifest"
        }
        UpgradeError::NoPath { from, accepts, .. } if accepts.iter().all(|version| version < from) => {
            "to go back to older code, the running code must step down: give it a `Revert` and `back_to` in its \
             `export!`, and upgrade to that first"
        }
        UpgradeError::NoPath { .. } => {
            "let the new code read that version: add its layout to `from` in `export!`, and a `Migrate` from it"
        }
        UpgradeError::OtherForm { .. } => {
            "let the new code read that form too, and say so in `reads` of its `describe`; all servers of the SDK save and \
             read MessagePack"
        }
        UpgradeError::UnderWay { .. } => "wait until it is over; `skep versions --history` then says what came of it",
        UpgradeError::Busy { .. } => "give it more time with --wait; `skep ps` shows what it is doing",
        UpgradeError::Refused { step, .. } => match step {
            MigrationStep::Save => "the running code must be able to save; `skep logs` has what it said",
            MigrationStep::StepDown => "the running code says why it cannot step down from this state",
            MigrationStep::Start => "raise the limits of the module in the manifest, or correct the new code",
            MigrationStep::Restore | MigrationStep::SaveAnew => {
                "correct the migration in the new code and upgrade again; `Harness::restore` shows the same in \
                 `cargo test`"
            }
        },
        UpgradeError::TooSlow { .. } => "make the migration faster, or the states smaller",
        UpgradeError::Stopping => "start the node again with the new code",
        _ => return None,
    })
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::Module(error) => error.fmt(f),
            Refused::Load { origin, error } => write!(f, "{origin}: {error}"),
            Refused::Upgrade(error) => match &**error {
                // As the runtime says it, with what a guest gave as its reason in words.
                UpgradeError::Refused { subject, step, reason, .. } => {
                    write!(f, "{} cannot be upgraded: {step}: {}", name(subject), body::reason(reason))
                }
                other => other.fmt(f),
            },
            Refused::NothingBefore { target, current, .. } => {
                write!(f, "module {target} runs {current}, and nothing is known that it ran before")
            }
            Refused::NotKept { target, wanted, .. } => {
                write!(f, "no code `{wanted}` of module {target} is kept: neither a version nor a digest begins so")
            }
            Refused::Store(error) => error.fmt(f),
            Refused::Broken(why) => write!(f, "the upgrade failed: {why}"),
        }
    }
}

impl std::error::Error for Refused {}

fn name(subject: &Subject) -> String {
    match &subject.label {
        Some(label) => format!("{}/{label} {}", subject.app, subject.pid),
        None => format!("{} of {}", subject.pid, subject.app),
    }
}

fn list(code: &[CodeId]) -> String {
    let shown: Vec<String> = code.iter().map(ToString::to_string).collect();
    shown.join(", ")
}

impl From<UnknownModule> for Refused {
    fn from(error: UnknownModule) -> Self {
        Refused::Module(error)
    }
}

impl From<UpgradeError> for Refused {
    fn from(error: UpgradeError) -> Self {
        Refused::Upgrade(Box::new(error))
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Refused::Store(error)
    }
}
