//! What a supervisor is told about its children, as plain data with OTP's defaults (SUP-03).
//!
//! Never starts anything and never looks at the start payload `S`. Manifests and guests make these.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use crate::Name;
use crate::registry::valid_name;

/// Who is restarted together with a child that failed (SUP-05).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Strategy {
    /// Nobody.
    #[default]
    OneForOne,
    /// All its siblings.
    OneForAll,
    /// The siblings that were started after it.
    RestForOne,
}

/// After which endings a child is restarted (SUP-04).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Restart {
    /// After every one, `normal` included.
    #[default]
    Permanent,
    /// After all but `normal` and `shutdown`.
    Transient,
    /// After none; with the child goes its spec.
    Temporary,
}

/// How a child is stopped (SUP-15).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shutdown {
    /// Killed at once.
    BrutalKill,
    /// Asked to end, and killed when it has not after this time.
    Timeout(Duration),
    /// Asked to end, and waited for without limit.
    Infinity,
}

impl Shutdown {
    /// What a child has whose spec does not say: 5 seconds for a worker, no limit for a supervisor, which must have the
    /// time to stop its own children.
    #[must_use]
    pub fn default_for(kind: ChildKind) -> Self {
        match kind {
            ChildKind::Worker => Shutdown::Timeout(Duration::from_millis(5000)),
            ChildKind::Supervisor => Shutdown::Infinity,
        }
    }
}

/// What a child is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ChildKind {
    /// Anything but a supervisor.
    #[default]
    Worker,
    /// A supervisor.
    Supervisor,
}

/// How one child is started, restarted and stopped.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChildSpec<S> {
    /// Names it among its siblings.
    pub id: Name,
    /// What to start: handed back in the order to do so. Cloned for each start.
    pub start: S,
    /// When to restart it.
    pub restart: Restart,
    /// How to stop it.
    pub shutdown: Shutdown,
    /// What it is.
    pub kind: ChildKind,
}

impl<S> ChildSpec<S> {
    /// A permanent worker that has 5 seconds to stop.
    pub fn worker(id: impl Into<Name>, start: S) -> Self {
        Self::new(id.into(), start, ChildKind::Worker)
    }

    /// A permanent supervisor that has all the time it needs to stop.
    pub fn supervisor(id: impl Into<Name>, start: S) -> Self {
        Self::new(id.into(), start, ChildKind::Supervisor)
    }

    fn new(id: Name, start: S, kind: ChildKind) -> Self {
        ChildSpec { id, start, restart: Restart::default(), shutdown: Shutdown::default_for(kind), kind }
    }

    /// Whether a supervisor can work with it.
    pub fn check(&self) -> Result<(), SpecError> {
        valid_name(&self.id).map_err(|why| SpecError::BadId { id: self.id.clone(), why })
    }
}

/// A supervisor as data.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SupervisorSpec<S> {
    /// Who is restarted together.
    pub strategy: Strategy,
    /// How many restarts are accepted within [`SupervisorSpec::max_seconds`]; one more and it gives up (SUP-08).
    pub max_restarts: u32,
    /// The window for them, at least 1.
    pub max_seconds: u32,
    /// In start order.
    pub children: Vec<ChildSpec<S>>,
}

impl<S> SupervisorSpec<S> {
    /// One for one, and at most one restart in 5 seconds.
    #[must_use]
    pub fn new(children: Vec<ChildSpec<S>>) -> Self {
        SupervisorSpec { strategy: Strategy::default(), max_restarts: 1, max_seconds: 5, children }
    }

    /// Whether a supervisor can work with it.
    pub fn check(&self) -> Result<(), SpecError> {
        if self.max_seconds == 0 {
            return Err(SpecError::ZeroSeconds);
        }
        let mut ids = BTreeSet::new();
        for child in &self.children {
            child.check()?;
            if !ids.insert(&child.id) {
                return Err(SpecError::DuplicateId(child.id.clone()));
            }
        }
        Ok(())
    }
}

impl<S> Default for SupervisorSpec<S> {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

/// What is wrong with a spec.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SpecError {
    /// Two children have this id.
    DuplicateId(Name),
    /// The id cannot be one.
    BadId {
        /// The id.
        id: Name,
        /// What is wrong with it.
        why: &'static str,
    },
    /// `max_seconds` is 0, a window that holds nothing.
    ZeroSeconds,
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SpecError::DuplicateId(id) => write!(f, "two children have the id {id:?}"),
            SpecError::BadId { id, why } => write!(f, "bad child id {id:?}: {why}"),
            SpecError::ZeroSeconds => f.write_str("max_seconds must be at least 1"),
        }
    }
}

impl std::error::Error for SpecError {}
