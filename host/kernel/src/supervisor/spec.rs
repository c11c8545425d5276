//! What a supervisor is told about its children, as plain data with OTP's defaults (SUP-03).
//!
//! Never starts anything and never looks at the start payload `S`. Manifests and guests make these.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use super::backoff::Backoff;
use crate::budget::BudgetSpec;
use crate::registry::valid_name;
use crate::{Body, Name};

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

/// Which endings of significant children end the supervisor too (SUP-24).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum AutoShutdown {
    /// None.
    #[default]
    Never,
    /// That of any one.
    AnySignificant,
    /// That of the last one that was there.
    AllSignificant,
}

/// Where the children come from.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Roster {
    /// They are listed; what is added later comes after them.
    #[default]
    Listed,
    /// They are listed, and alike: a key leads always to the same one (DSUP-09).
    Partitions,
    /// One is listed, which is never started itself: each child is made from it, with arguments of its own (DSUP-01; OTP's
    /// simple_one_for_one).
    Template,
    /// None is listed: each comes with a spec of its own, as in Elixir's `DynamicSupervisor`.
    Dynamic {
        /// What goes before the arguments of each, also at a restart (DSUP-07).
        extra_args: Option<Body>,
    },
}

impl Roster {
    /// Whether children come and go, and are known by their pids alone.
    #[must_use]
    pub fn is_dynamic(&self) -> bool {
        matches!(self, Roster::Template | Roster::Dynamic { .. })
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
    /// Whether its end may be its supervisor's, see [`AutoShutdown`].
    pub significant: bool,
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
        let (restart, shutdown) = (Restart::default(), Shutdown::default_for(kind));
        ChildSpec { id, start, restart, shutdown, kind, significant: false }
    }

    /// Whether a supervisor that ends itself in this way can work with it (SUP-26).
    pub fn check(&self, auto_shutdown: AutoShutdown) -> Result<(), SpecError> {
        valid_name(&self.id).map_err(|why| SpecError::BadId { id: self.id.clone(), why })?;
        match (self.significant, auto_shutdown, self.restart) {
            (true, AutoShutdown::Never, _) => Err(SpecError::SignificantForNothing(self.id.clone())),
            (true, _, Restart::Permanent) => Err(SpecError::SignificantPermanent(self.id.clone())),
            _ => Ok(()),
        }
    }
}

/// A supervisor as data.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SupervisorSpec<S> {
    /// Who is restarted together.
    pub strategy: Strategy,
    /// How many restarts are accepted within [`SupervisorSpec::max_seconds`]; one more and it gives up (SUP-08).
    pub max_restarts: u32,
    /// The window for them, at least 1. Whole seconds, both ends included, as in OTP (SUP-09).
    pub max_seconds: u32,
    /// Whether it ends when significant children do.
    pub auto_shutdown: AutoShutdown,
    /// How long it waits before it restarts a child that does not stay up; none, as in OTP: not at all.
    pub backoff: Option<Backoff>,
    /// Where its children come from.
    pub roster: Roster,
    /// How many children it has at most; a start beyond is refused (DSUP-07).
    pub max_children: usize,
    /// What all below it may use together.
    pub budget: Box<BudgetSpec>,
    /// The name that its process holds.
    pub name: Option<Name>,
    /// In start order; for [`Roster::Template`], the template.
    pub children: Vec<ChildSpec<S>>,
}

impl<S> SupervisorSpec<S> {
    /// One for one, and at most one restart in 5 seconds.
    #[must_use]
    pub fn new(children: Vec<ChildSpec<S>>) -> Self {
        SupervisorSpec {
            strategy: Strategy::default(),
            max_restarts: 1,
            max_seconds: 5,
            auto_shutdown: AutoShutdown::default(),
            backoff: None,
            roster: Roster::default(),
            max_children: usize::MAX,
            budget: Box::default(),
            name: None,
            children,
        }
    }

    /// As [`SupervisorSpec::new`], for children that are all made from this one.
    #[must_use]
    pub fn template(child: ChildSpec<S>) -> Self {
        SupervisorSpec { roster: Roster::Template, ..Self::new(vec![child]) }
    }

    /// As [`SupervisorSpec::new`], for children that come later, each with a spec of its own.
    #[must_use]
    pub fn dynamic(extra_args: Option<Body>) -> Self {
        SupervisorSpec { roster: Roster::Dynamic { extra_args }, ..Self::new(Vec::new()) }
    }

    /// Whether a supervisor can work with it.
    pub fn check(&self) -> Result<(), SpecError> {
        if self.max_seconds == 0 {
            return Err(SpecError::ZeroSeconds);
        }
        if self.backoff.is_some_and(|backoff| backoff.first.is_zero() || backoff.first > backoff.most) {
            return Err(SpecError::BadBackoff);
        }
        match (&self.roster, self.children.len()) {
            (Roster::Template, 1) | (Roster::Dynamic { .. }, 0) => self.check_dynamic()?,
            (Roster::Template | Roster::Dynamic { .. }, listed) => return Err(SpecError::NoPlaceFor { listed }),
            (Roster::Listed | Roster::Partitions, listed) if listed > self.max_children => {
                return Err(SpecError::TooManyChildren { listed, most: self.max_children });
            }
            (Roster::Listed | Roster::Partitions, _) => {}
        }
        let mut ids = BTreeSet::new();
        for child in &self.children {
            child.check(self.auto_shutdown)?;
            if self.roster == Roster::Partitions && child.restart == Restart::Temporary {
                return Err(SpecError::TemporaryPartition(child.id.clone()));
            }
            if !ids.insert(&child.id) {
                return Err(SpecError::DuplicateId(child.id.clone()));
            }
        }
        Ok(())
    }

    fn check_dynamic(&self) -> Result<(), SpecError> {
        if self.strategy != Strategy::OneForOne {
            return Err(SpecError::DynamicStrategy(self.strategy));
        }
        if self.auto_shutdown != AutoShutdown::Never {
            return Err(SpecError::DynamicAutoShutdown);
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
    /// The first wait of a back-off is zero, or longer than the longest one.
    BadBackoff,
    /// A supervisor that never ends itself lists this child as significant (SUP-26).
    SignificantForNothing(Name),
    /// This child is significant and permanent: it never ends for good (SUP-26).
    SignificantPermanent(Name),
    /// This child is a partition, whose place would be lost with it.
    TemporaryPartition(Name),
    /// Children that come and go are known by their pids, and tied to nobody.
    DynamicStrategy(Strategy),
    /// Children that come and go are all alike: none is significant (SUP-26).
    DynamicAutoShutdown,
    /// A supervisor of this kind lists its template and nothing else, or nothing (DSUP-01).
    NoPlaceFor {
        /// How many it lists.
        listed: usize,
    },
    /// It lists more children than it may have.
    TooManyChildren {
        /// How many it lists.
        listed: usize,
        /// How many it may have.
        most: usize,
    },
    /// A supervisor whose children are listed cannot become one whose children come and go, nor the other way round.
    AnotherRoster,
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SpecError::DuplicateId(id) => write!(f, "two children have the id {id:?}"),
            SpecError::BadId { id, why } => write!(f, "bad child id {id:?}: {why}"),
            SpecError::ZeroSeconds => f.write_str("max_seconds must be at least 1"),
            SpecError::BadBackoff => {
                f.write_str("the first wait of a back-off must be above 0 and not above the longest")
            }
            SpecError::SignificantForNothing(id) => {
                write!(f, "child {id:?} is significant, and auto_shutdown is never")
            }
            SpecError::SignificantPermanent(id) => write!(f, "child {id:?} is significant and permanent"),
            SpecError::TemporaryPartition(id) => write!(f, "child {id:?} is a partition, and temporary"),
            SpecError::DynamicStrategy(_) => f.write_str("children that come and go are restarted one for one"),
            SpecError::DynamicAutoShutdown => f.write_str("children that come and go are never significant"),
            SpecError::NoPlaceFor { listed } => {
                write!(f, "it lists {listed} children: with a template it lists that alone, and else none")
            }
            SpecError::TooManyChildren { listed, most } => write!(f, "it lists {listed} children of at most {most}"),
            SpecError::AnotherRoster => f.write_str("whether children are listed or come and go cannot change"),
        }
    }
}

impl std::error::Error for SpecError {}
