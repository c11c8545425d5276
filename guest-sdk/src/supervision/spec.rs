//! A supervisor as data: its children, and what becomes of them.
//!
//! Owns the shapes and OTP's defaults. Whether they make sense together is the host's to say, when it starts one.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::SupervisionError;
use crate::codec::{Codec, Message};
use crate::context::millis;
use crate::types::Body;

/// Who is restarted together with a child that failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// Nobody.
    #[default]
    OneForOne,
    /// All its siblings.
    OneForAll,
    /// Those that were started after it.
    RestForOne,
}

/// After which endings a child is restarted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Restart {
    /// After all.
    #[default]
    Permanent,
    /// After all but `Normal` and `Shutdown`.
    Transient,
    /// After none; with the child goes its spec.
    Temporary,
}

/// How a child is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shutdown {
    /// Killed at once.
    BrutalKill,
    /// Told to end, and killed after so many milliseconds.
    TimeoutMs(u64),
    /// Told to end, and waited for.
    Infinity,
}

/// Whether the end of significant children ends the supervisor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AutoShutdown {
    /// No.
    #[default]
    Never,
    /// That of any one.
    AnySignificant,
    /// That of the last one.
    AllSignificant,
}

/// How long restarts in a row wait: the first not at all, the second for the first wait, each after that twice as long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backoff {
    /// The first wait, in milliseconds.
    pub first_ms: u64,
    /// The longest; and a child that was up for so long begins a new row.
    pub most_ms: u64,
}

impl Backoff {
    /// From one wait to another.
    pub fn new(first: Duration, most: Duration) -> Backoff {
        Backoff { first_ms: millis(first), most_ms: millis(most) }
    }

    /// From 100 milliseconds to a minute.
    pub fn up_to_a_minute() -> Backoff {
        Backoff::new(Duration::from_millis(100), Duration::from_secs(60))
    }
}

/// Where children come from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Roster {
    /// They are listed, and others may be added.
    #[default]
    Listed,
    /// They are listed, and alike: a key leads always to the same one.
    Partitions,
    /// One is listed, of which all are made.
    Template,
    /// None is listed; each gets these arguments before its own.
    Dynamic(Option<Body>),
}

/// A supervisor as data. Without anything said: one for one, at most one restart in 5 seconds, no child.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Supervisor {
    /// Where its children come from.
    pub roster: Roster,
    /// Who is restarted together.
    pub strategy: Strategy,
    /// So many restarts…
    pub max_restarts: u32,
    /// …within so many seconds; one more, and it ends.
    pub max_seconds: u32,
    /// Whether it ends with its significant children.
    pub auto_shutdown: AutoShutdown,
    /// Whether restarts wait.
    pub backoff: Option<Backoff>,
    /// How many children it has at most; none: as many as this process may have.
    pub max_children: Option<u32>,
    /// The name that it holds.
    pub name: Option<String>,
    /// In start order; for a template, that one.
    pub children: Vec<ChildSpec>,
}

impl Default for Supervisor {
    fn default() -> Supervisor {
        Supervisor {
            roster: Roster::Listed,
            strategy: Strategy::OneForOne,
            max_restarts: 1,
            max_seconds: 5,
            auto_shutdown: AutoShutdown::Never,
            backoff: None,
            max_children: None,
            name: None,
            children: Vec::new(),
        }
    }
}

impl Supervisor {
    /// With children that are listed.
    pub fn new() -> Supervisor {
        Supervisor::default()
    }

    /// With children that are all made from this one, on demand.
    pub fn template(child: ChildSpec) -> Supervisor {
        Supervisor { roster: Roster::Template, children: vec![child], ..Supervisor::default() }
    }

    /// With children that come later, each with a spec of its own.
    pub fn dynamic() -> Supervisor {
        Supervisor { roster: Roster::Dynamic(None), ..Supervisor::default() }
    }

    /// As [`dynamic`](Supervisor::dynamic): `init` gets the pair of these arguments and the child's own.
    ///
    /// # Errors
    ///
    /// If serde cannot write the arguments.
    pub fn dynamic_with(extra_args: &impl Message) -> Result<Supervisor, SupervisionError> {
        let extra = extra_args.encode(Codec::default()).map_err(|error| SupervisionError::invalid(&error))?;
        Ok(Supervisor { roster: Roster::Dynamic(Some(extra)), ..Supervisor::default() })
    }

    /// With so many children made from this one, among which keys are spread: `worker.1` and so on.
    pub fn partitions(child: &ChildSpec, count: u32) -> Supervisor {
        let numbered = |number| {
            let mut partition = child.clone();
            partition.id = format!("{}.{number}", child.id);
            if let What::Process { name: Some(name), .. } = &mut partition.start {
                *name = format!("{name}.{number}");
            }
            partition
        };
        Supervisor {
            roster: Roster::Partitions,
            children: (1..=count).map(numbered).collect(),
            ..Supervisor::default()
        }
    }

    /// With one more child, which starts after those before it.
    pub fn child(mut self, child: ChildSpec) -> Supervisor {
        self.children.push(child);
        self
    }

    /// A failure restarts all siblings.
    pub fn one_for_all(self) -> Supervisor {
        Supervisor { strategy: Strategy::OneForAll, ..self }
    }

    /// A failure restarts those that were started after the child.
    pub fn rest_for_one(self) -> Supervisor {
        Supervisor { strategy: Strategy::RestForOne, ..self }
    }

    /// Ends after one more than so many restarts within so many seconds.
    pub fn restarts(self, max_restarts: u32, max_seconds: u32) -> Supervisor {
        Supervisor { max_restarts, max_seconds, ..self }
    }

    /// Ends with its significant children.
    pub fn auto_shutdown(self, auto_shutdown: AutoShutdown) -> Supervisor {
        Supervisor { auto_shutdown, ..self }
    }

    /// Lets restarts in a row wait.
    pub fn backoff(self, backoff: Backoff) -> Supervisor {
        Supervisor { backoff: Some(backoff), ..self }
    }

    /// Has so many children at most.
    pub fn max_children(self, most: u32) -> Supervisor {
        Supervisor { max_children: Some(most), ..self }
    }

    /// Holds a name.
    pub fn named(self, name: impl Into<String>) -> Supervisor {
        Supervisor { name: Some(name.into()), ..self }
    }
}

/// What a child is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// A process.
    Process {
        /// Of this module of the app.
        module: String,
        /// The argument of its `init`.
        args: Body,
        /// The name it is born with.
        #[serde(default)]
        name: Option<String>,
    },
    /// Another supervisor.
    Supervisor(Box<Supervisor>),
}

/// One child: what it is, when it is restarted, how it is stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChildSpec {
    /// Names it among its siblings.
    pub id: String,
    /// What it is.
    pub start: What,
    /// When it is restarted.
    #[serde(default)]
    pub restart: Restart,
    /// How it is stopped; none: within 5 seconds, and a supervisor without limit.
    #[serde(default)]
    pub shutdown: Option<Shutdown>,
    /// Whether its end may be its supervisor's.
    #[serde(default)]
    pub significant: bool,
}

impl ChildSpec {
    /// A permanent process of a module of this app.
    ///
    /// # Errors
    ///
    /// If serde cannot write the arguments.
    pub fn new(id: impl Into<String>, module: &str, args: &impl Message) -> Result<ChildSpec, SupervisionError> {
        let args = args.encode(Codec::default()).map_err(|error| SupervisionError::invalid(&error))?;
        Ok(ChildSpec::process(id.into(), module.to_owned(), args))
    }

    pub(super) fn process(id: String, module: String, args: Body) -> ChildSpec {
        ChildSpec::of(id, What::Process { module, args, name: None })
    }

    /// A permanent supervisor.
    pub fn supervisor(id: impl Into<String>, supervisor: Supervisor) -> ChildSpec {
        ChildSpec::of(id.into(), What::Supervisor(Box::new(supervisor)))
    }

    fn of(id: String, start: What) -> ChildSpec {
        ChildSpec { id, start, restart: Restart::Permanent, shutdown: None, significant: false }
    }

    /// Restarted unless it ends in order.
    pub fn transient(self) -> ChildSpec {
        ChildSpec { restart: Restart::Transient, ..self }
    }

    /// Never restarted.
    pub fn temporary(self) -> ChildSpec {
        ChildSpec { restart: Restart::Temporary, ..self }
    }

    /// Stopped in this way.
    pub fn shutdown(self, shutdown: Shutdown) -> ChildSpec {
        ChildSpec { shutdown: Some(shutdown), ..self }
    }

    /// Its end may be its supervisor's.
    pub fn significant(self) -> ChildSpec {
        ChildSpec { significant: true, ..self }
    }

    /// Born with a name; a supervisor, too.
    pub fn named(mut self, name: impl Into<String>) -> ChildSpec {
        match &mut self.start {
            What::Process { name: held, .. } => *held = Some(name.into()),
            What::Supervisor(supervisor) => supervisor.name = Some(name.into()),
        }
        self
    }
}
