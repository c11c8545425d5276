//! What an app consists of, as plain data: the tree of supervisors and processes, their limits and their grants.
//!
//! Written by whoever embeds the runtime (the node makes it from a manifest), read when children are started.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use skep_kernel::budget::BudgetSpec;
use skep_kernel::directory::{Claim, Keys};
use skep_kernel::supervisor::{ChildSpec, SupervisorSpec};
use skep_kernel::{Body, Limits, Name};

pub use self::console::{Console, Input, Output};
pub use self::grants::{Access, FolderGrant, Grants, SpawnGrant};
pub use self::network::{Block, Endpoint, Host, HostName, Network, Origin, PatternError, Ports, Scheme};
pub use self::outside::{Clocks, Outside, Randomness, Variable};
pub use crate::shell::{Awaited, Charge};

mod console;
mod grants;
pub(crate) mod network;
mod outside;
mod pattern;

/// An app: modules, and a tree of processes made from them, which share names.
#[derive(Clone, Debug)]
pub struct AppSpec {
    /// The app's name, unique on its runtime.
    pub name: Name,
    /// Its code, by the names that [`ProcessSpec::module`] and a guest's `spawn` use.
    pub modules: Vec<ModuleSpec>,
    /// Its registries, and how many entries a key of each may have.
    pub registries: BTreeMap<Name, Keys>,
    /// What all its processes may use together.
    pub budget: BudgetSpec,
    /// Its root supervisor.
    pub root: SupervisorSpec<Blueprint>,
}

impl AppSpec {
    /// An app with a root supervisor, one for one, that has no children yet.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let root = SupervisorSpec { max_restarts: 3, ..SupervisorSpec::default() };
        AppSpec {
            name: name.into(),
            modules: Vec::new(),
            registries: BTreeMap::new(),
            budget: BudgetSpec::default(),
            root,
        }
    }

    /// With this budget.
    #[must_use]
    pub fn budget(self, budget: BudgetSpec) -> Self {
        AppSpec { budget, ..self }
    }

    /// With this module too.
    #[must_use]
    pub fn module(mut self, module: ModuleSpec) -> Self {
        self.modules.push(module);
        self
    }

    /// With this registry too.
    #[must_use]
    pub fn registry(mut self, name: &str, keys: Keys) -> Self {
        self.registries.insert(name.into(), keys);
        self
    }

    /// With this child of the root supervisor, after those it has.
    #[must_use]
    pub fn child(mut self, child: ChildSpec<Blueprint>) -> Self {
        self.root.children.push(child);
        self
    }
}

impl ModuleSpec {
    /// Code under a name. What guests spawn of it has default bounds, and is granted nothing.
    #[must_use]
    pub fn new(name: &str, module: crate::Module) -> Self {
        ModuleSpec { name: name.into(), module, limits: Arc::default(), grants: Arc::default() }
    }
}

impl ProcessSpec {
    /// A process of this module of its app: no name, no grants, default bounds, and `null` as its argument.
    #[must_use]
    pub fn new(module: &str) -> Self {
        ProcessSpec {
            module: module.into(),
            args: Body::Json("null".to_owned()),
            name: None,
            claim: None,
            limits: Arc::default(),
            grants: Arc::default(),
            keep: Keep::default(),
            console: Console::default(),
            charge: Charge::default(),
            awaited: None,
        }
    }

    /// With this argument.
    #[must_use]
    pub fn args(self, args: Body) -> Self {
        ProcessSpec { args, ..self }
    }

    /// Under this name.
    #[must_use]
    pub fn named(self, name: &str) -> Self {
        ProcessSpec { name: Some(name.into()), ..self }
    }

    /// With these rights.
    #[must_use]
    pub fn granted(self, grants: Grants) -> Self {
        ProcessSpec { grants: grants.into(), ..self }
    }

    /// As a child of a supervisor: permanent, with five seconds to stop.
    #[must_use]
    pub fn child(self, id: &str) -> ChildSpec<Blueprint> {
        ChildSpec::worker(id, Blueprint::Process(self.into()))
    }
}

/// A module of an app and what its processes get when a guest spawns them.
#[derive(Clone, Debug)]
pub struct ModuleSpec {
    /// The module's name within the app.
    pub name: Name,
    /// The code.
    pub module: crate::Module,
    /// Bounds of each process of it that a guest spawns.
    pub limits: Arc<Limits>,
    /// Rights of each process of it that a guest spawns; never more than the spawning process has.
    pub grants: Arc<Grants>,
}

/// What a child of a supervisor is.
#[derive(Clone, PartialEq, Debug)]
pub enum Blueprint {
    /// A guest.
    Process(Arc<ProcessSpec>),
    /// Another supervisor.
    Supervisor(Arc<SupervisorSpec<Blueprint>>),
}

/// How to make one process.
#[derive(Clone, PartialEq, Debug)]
pub struct ProcessSpec {
    /// Which of the app's modules.
    pub module: Name,
    /// The argument of its `init` (or of a task's `run`).
    pub args: Body,
    /// The name it holds from before its `init`.
    pub name: Option<Name>,
    /// The key of a unique registry that it holds from before its `init`.
    pub claim: Option<Claim>,
    /// Its bounds.
    pub limits: Arc<Limits>,
    /// Its rights.
    pub grants: Arc<Grants>,
    /// What becomes of its instance while it waits.
    pub keep: Keep,
    /// The standard streams of a command; nothing is said of them for other processes.
    pub console: Console,
    /// What it counts against, where a guest had it started under a supervisor.
    pub charge: Charge,
    /// Who awaits its result, where a guest had a supervisor start it.
    pub awaited: Option<Awaited>,
}

impl Keep {
    /// That of a process which one of this kind starts. Pinned is only who was said to be: one that may start others could
    /// take all places otherwise.
    pub(crate) fn of_a_child(self) -> Self {
        if self == Keep::Pinned { Keep::WhileItFits } else { self }
    }
}

/// What becomes of a process that is started when there is no place for its instance, and nobody can give one back.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum WhenFull {
    /// It waits, and whoever started it too.
    #[default]
    Wait,
    /// Its start fails, and says so.
    Refuse,
}

/// What becomes of the instance of a process that waits. The state stays in every case.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Keep {
    /// Kept while there is room.
    #[default]
    WhileItFits,
    /// Saved and given back after every message. A test that passes so proves that the state is whole.
    Never,
    /// Given back when nothing came for so long.
    For(Duration),
    /// Kept whoever wants it, and whatever the guest says: the place is taken for as long as the process lives. Only an
    /// upgrade takes it away, which makes another of the new code.
    Pinned,
}
