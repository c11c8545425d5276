//! What an app consists of, as plain data: the tree of supervisors and processes, their limits and their grants.
//!
//! Written by whoever embeds the runtime (the node makes it from a manifest), read when children are started.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use skep_kernel::budget::BudgetSpec;
use skep_kernel::directory::{Claim, Keys};
use skep_kernel::supervisor::{ChildSpec, SupervisorSpec};
use skep_kernel::{Body, Limits, Name};

pub use skep_kernel::budget::{FuelRate, WhenOut};

pub use crate::shell::{Awaited, Charge};

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
        ModuleSpec { name: name.into(), module, limits: Limits::default(), grants: Arc::default() }
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
            limits: Limits::default(),
            grants: Arc::default(),
            keep: Keep::default(),
            charge: None,
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
    pub limits: Limits,
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
    pub limits: Limits,
    /// Its rights.
    pub grants: Arc<Grants>,
    /// What becomes of its instance while it waits.
    pub keep: Keep,
    /// What it counts against, where a guest had it started under a supervisor.
    pub charge: Option<Charge>,
    /// Who awaits its result, where a guest had a supervisor start it.
    pub awaited: Option<Awaited>,
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
}

/// What a process may do beyond computing and talking to those whose pid it has. Nothing, unless it says so here.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Grants {
    /// Folders of the host, through WASI.
    pub folders: Vec<FolderGrant>,
    /// Modules whose processes it may spawn.
    pub spawn: Vec<Name>,
    /// Whether it may register and look up names.
    pub names: bool,
    /// Supervisors, by name, whose children it may start, stop and list.
    pub supervise: Vec<Name>,
    /// Whether it may start supervisors of its own, of what it may spawn.
    pub supervisors: bool,
    /// Registries that it may use.
    pub registries: Vec<Name>,
    /// Scopes of process groups that it may use.
    pub groups: Vec<Name>,
    /// Topics that it may use: a name, or how names begin, with a `*` behind.
    pub topics: Vec<Name>,
    /// Processes that it may suspend, look into, and give another state: the names under which they were started, or how
    /// these begin, with a `*` behind.
    pub control: Vec<Name>,
}

impl Grants {
    /// Whether what it does through an imported interface (such as `wasi:filesystem/types@0.2.12`) is refused, whatever it
    /// is. Most of an interface that needs no grant is always there.
    #[must_use]
    pub fn refuse(&self, import: &str) -> bool {
        let interface = import.split('@').next().unwrap_or(import);
        match interface {
            "skep:process/spawning" => self.spawn.is_empty(),
            "skep:process/names" => !self.names,
            "skep:process/supervision" => !self.supervisors && self.supervise.is_empty() && !self.names,
            "skep:process/system" => self.control.is_empty(),
            "skep:process/registry" => self.registries.is_empty(),
            "skep:process/groups" => self.groups.is_empty(),
            "skep:process/topics" => self.topics.is_empty(),
            "wasi:filesystem/types" => self.folders.is_empty(),
            _ => interface.starts_with("wasi:sockets/"),
        }
    }

    /// These rights as far as `parent` has them too: nobody passes on what they have not.
    #[must_use]
    pub fn within(&self, parent: &Grants) -> Grants {
        let covered = |grant: &&FolderGrant| {
            parent.folders.iter().any(|held| grant.host.starts_with(&held.host) && grant.access <= held.access)
        };
        Grants {
            folders: self.folders.iter().filter(covered).cloned().collect(),
            spawn: common(&self.spawn, &parent.spawn),
            names: self.names && parent.names,
            supervise: common(&self.supervise, &parent.supervise),
            supervisors: self.supervisors && parent.supervisors,
            registries: common(&self.registries, &parent.registries),
            groups: common(&self.groups, &parent.groups),
            topics: self.topics.iter().filter(|topic| parent.allows_topic(topic)).cloned().collect(),
            control: self.control.iter().filter(|name| parent.allows_control(name)).cloned().collect(),
        }
    }

    /// Whether a topic, or all topics that begin as this pattern does, may be used.
    #[must_use]
    pub fn allows_topic(&self, topic: &str) -> bool {
        is_among(&self.topics, topic)
    }

    /// Whether a process that was started under this name, or all whose names begin as this pattern does, may be controlled.
    #[must_use]
    pub fn allows_control(&self, name: &str) -> bool {
        is_among(&self.control, name)
    }
}

/// Whether a name is in a list of names, and of beginnings with a star behind.
fn is_among(granted: &[Name], name: &str) -> bool {
    granted.iter().any(|granted| match granted.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == &**granted,
    })
}

fn common(own: &[Name], parent: &[Name]) -> Vec<Name> {
    own.iter().filter(|name| parent.contains(name)).cloned().collect()
}

/// One folder of the host that a guest sees.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FolderGrant {
    /// Where it is on the host.
    pub host: PathBuf,
    /// What the guest calls it, such as `/input`.
    pub guest: String,
    /// What it may do there.
    pub access: Access,
}

/// What may be done in a granted folder.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Access {
    /// List and read.
    Read,
    /// Also create, change and remove.
    Write,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_interface_needs_is_granted_or_it_refuses() {
        let needy = [
            "skep:process/spawning@0.1.0",
            "skep:process/names@0.1.3",
            "skep:process/registry@0.1.0",
            "skep:process/groups@0.1.0",
            "skep:process/topics@0.1.0",
            "skep:process/system@0.1.0",
            "wasi:filesystem/types@0.2.12",
        ]
        .map(str::to_owned);
        let nothing = Grants::default();
        let folder = FolderGrant { host: "/".into(), guest: "/in".into(), access: Access::Read };
        let all = Grants {
            folders: vec![folder],
            spawn: vec!["worker".into()],
            names: true,
            registries: vec!["users".into()],
            groups: vec!["pg".into()],
            topics: vec!["news".into()],
            control: vec!["counter".into()],
            ..Grants::default()
        };
        let supervision = "skep:process/supervision@0.1.0";
        assert!(nothing.refuse(supervision));
        for some in [
            Grants { supervisors: true, ..Grants::default() },
            Grants { supervise: vec!["workers".into()], ..Grants::default() },
        ] {
            assert!(!some.refuse(supervision));
        }
        assert!(needy.iter().all(|import| nothing.refuse(import) && !all.refuse(import)));
        assert!(all.refuse("wasi:sockets/tcp@0.2.0"), "there is no grant of it yet");
        assert!(!nothing.refuse("skep:process/messaging@0.1.0") && !nothing.refuse("wasi:clocks/wall-clock@0.2.0"));
    }

    #[test]
    fn a_topic_is_granted_by_its_name_or_its_beginning_and_passed_on_no_wider() {
        let grants = |topics: &[&str]| Grants {
            topics: topics.iter().map(|topic| Name::from(*topic)).collect(),
            ..Grants::default()
        };
        let parent = grants(&["news", "room:*"]);
        for (topic, allowed) in
            [("news", true), ("news!", false), ("room:1", true), ("room:", true), ("room", false), ("", false)]
        {
            assert_eq!(parent.allows_topic(topic), allowed, "{topic}");
        }
        assert!(grants(&["*"]).allows_topic("anything"));
        let child = grants(&["news", "news*", "room:1", "room:1*", "room*", "*", "other"]);
        assert_eq!(child.within(&parent), grants(&["news", "room:1", "room:1*"]));
    }

    #[test]
    fn control_is_granted_by_the_name_of_a_start_or_its_beginning_and_passed_on_no_wider() {
        let grants = |names: &[&str]| Grants {
            control: names.iter().map(|name| Name::from(*name)).collect(),
            ..Grants::default()
        };
        let parent = grants(&["bank", "room:*"]);
        for (name, allowed) in [("bank", true), ("banks", false), ("room:1", true), ("", false)] {
            assert_eq!(parent.allows_control(name), allowed, "{name}");
        }
        assert!(grants(&["*"]).allows_control(""), "one without a name");
        assert_eq!(grants(&["bank", "*", "room:2*", "other"]).within(&parent), grants(&["bank", "room:2*"]));
    }

    #[test]
    fn registries_and_scopes_are_passed_on_by_name() {
        let grants = |names: &[&str]| {
            let names: Vec<Name> = names.iter().map(|name| Name::from(*name)).collect();
            Grants { registries: names.clone(), groups: names, ..Grants::default() }
        };
        assert_eq!(grants(&["a", "b"]).within(&grants(&["b", "c"])), grants(&["b"]));
    }
}
