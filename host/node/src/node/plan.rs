//! What deploying a manifest would do to an app: pure data from pure data, for people and scripts to look at first.
//!
//! Owns which differences are told, in which words, and when each takes effect. Never changes anything: the runtime does,
//! in the order that a plan lists.

mod fields;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::{self, Write};

use serde::{Deserialize, Serialize};
use skep_runtime::difference::{Differences, Path};
use skep_runtime::kernel::budget::BudgetSpec;
use skep_runtime::kernel::directory::Keys;
use skep_runtime::kernel::supervisor::{ChildSpec, SupervisorSpec};
use skep_runtime::kernel::{Limits, Name};
use skep_runtime::spec::{AppSpec, Blueprint, Grants};

use super::code::CodeId;
use fields::Changes;

/// What is to be done, in this order: modules, then registries, then children.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Plan {
    /// The app.
    pub app: String,
    /// All in all.
    pub does: Does,
    /// Modules that change, by name.
    pub modules: Vec<ModuleStep>,
    /// Registries that come, go, or take their keys in another way, of an app that runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub registries: Vec<Change>,
    /// What changes of the budget of an app that runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub budget: Vec<Change>,
    /// Children that change, then those that are stopped, then those that are started.
    pub children: Vec<ChildStep>,
}

/// All in all.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Does {
    /// The app does not run, and is started.
    Start,
    /// The app runs, and is changed.
    Change,
    /// The app runs as the manifest says.
    Nothing,
}

/// What becomes of a module.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ModuleStep {
    /// Its name.
    pub module: String,
    /// What.
    #[serde(flatten)]
    pub does: ModuleDoes,
}

/// What becomes of a module.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "does", rename_all = "snake_case")]
pub enum ModuleDoes {
    /// It is new.
    Add {
        /// Its code.
        to: CodeId,
    },
    /// Its processes go on with other code.
    Upgrade {
        /// The code that runs.
        from: CodeId,
        /// The code that is to.
        to: CodeId,
    },
    /// What guests spawn of it gets other limits or grants.
    Change {
        /// Which.
        changes: Vec<Change>,
    },
    /// Nothing of it is started any more.
    Remove {
        /// Its code.
        from: CodeId,
    },
}

/// What becomes of a child, or of a row of them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ChildStep {
    /// Its id, after those of the supervisors above it: `parsers/parser.1`. The root supervisor is `root`.
    pub child: String,
    /// The last one, where it stands for several of a pool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub through: Option<String>,
    /// How many it stands for.
    pub count: u64,
    /// What.
    #[serde(flatten)]
    pub does: ChildDoes,
}

/// What becomes of a child.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "does", rename_all = "snake_case")]
pub enum ChildDoes {
    /// It stays, with its pid, and something about it changes.
    Change {
        /// What.
        changes: Vec<Change>,
    },
    /// It is stopped, and forgotten.
    Stop {
        /// What it is.
        #[serde(flatten)]
        kind: Kind,
    },
    /// It is started.
    Start {
        /// What it is.
        #[serde(flatten)]
        kind: Kind,
    },
}

/// What a child is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Kind {
    /// A process.
    Process {
        /// Of this module.
        module: String,
    },
    /// A supervisor, with all beneath it.
    Supervisor {
        /// So many processes.
        processes: u64,
    },
}

/// One thing that changes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Change {
    /// What, in the manifest's words: `limits.memory`.
    pub what: String,
    /// As it is.
    pub from: String,
    /// As it is to be.
    pub to: String,
    /// When it takes effect.
    pub when: When,
}

/// When a change takes effect.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// At once.
    Now,
    /// When the process gets its next instance: after it was hibernated, or restarted.
    NextInstance,
    /// When it is started again.
    NextStart,
    /// For processes that guests spawn from then on.
    NextSpawn,
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            When::Now => "at once",
            When::NextInstance => "with its next instance",
            When::NextStart => "at its next start",
            When::NextSpawn => "for processes spawned from then on",
        })
    }
}

/// What of an app a plan looks at.
pub struct App<'a> {
    /// In the order of their names.
    pub modules: Vec<Module<'a>>,
    /// Its registries.
    pub registries: &'a BTreeMap<Name, Keys>,
    /// Its budget.
    pub budget: &'a BudgetSpec,
    /// Its root supervisor.
    pub root: &'a SupervisorSpec<Blueprint>,
}

/// What of a module a plan looks at.
pub struct Module<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its code.
    pub code: CodeId,
    /// Of what guests spawn of it.
    pub limits: &'a Limits,
    /// Of what guests spawn of it.
    pub grants: &'a Grants,
}

impl<'a> From<&'a AppSpec> for App<'a> {
    fn from(spec: &'a AppSpec) -> Self {
        let modules = spec.modules.iter().map(|module| Module {
            name: &module.name,
            code: CodeId::from(&module.module),
            limits: &module.limits,
            grants: &module.grants,
        });
        App { modules: modules.collect(), registries: &spec.registries, budget: &spec.budget, root: &spec.root }
    }
}

impl Plan {
    /// What would be done with the app of this name, which runs like that or does not.
    #[must_use]
    pub fn new(app: &str, running: Option<&App<'_>>, wanted: &App<'_>) -> Plan {
        let Some(running) = running else {
            let children = wanted.root.children.iter();
            let starts = children.map(|child| start(&Path::default().child(&child.id), child));
            return Plan {
                app: app.to_owned(),
                does: Does::Start,
                modules: modules(&[], &wanted.modules),
                registries: Vec::new(),
                budget: Vec::new(),
                children: in_rows(starts),
            };
        };
        let modules = modules(&running.modules, &wanted.modules);
        let registries = registries(running.registries, wanted.registries);
        let budget = budget(running.budget, wanted.budget);
        let children = children(running.root, wanted.root);
        let same = modules.is_empty() && registries.is_empty() && budget.is_empty() && children.is_empty();
        let does = if same { Does::Nothing } else { Does::Change };
        Plan { app: app.to_owned(), does, modules, registries, budget, children }
    }
}

fn registries(running: &BTreeMap<Name, Keys>, wanted: &BTreeMap<Name, Keys>) -> Vec<Change> {
    let names: BTreeSet<&Name> = running.keys().chain(wanted.keys()).collect();
    let mut changes = Changes::default();
    for name in names {
        changes.registry(name, running.get(name).copied(), wanted.get(name).copied());
    }
    changes.list()
}

fn budget(running: &BudgetSpec, wanted: &BudgetSpec) -> Vec<Change> {
    let mut changes = Changes::default();
    changes.budget("", running, wanted, When::Now);
    changes.list()
}

fn modules(running: &[Module<'_>], wanted: &[Module<'_>]) -> Vec<ModuleStep> {
    let by_name: HashMap<&str, &Module<'_>> = running.iter().map(|module| (module.name, module)).collect();
    let mut steps = Vec::new();
    let mut step = |module: &Module<'_>, does| steps.push(ModuleStep { module: module.name.to_owned(), does });
    for module in wanted {
        let to = module.code.clone();
        let Some(known) = by_name.get(module.name) else {
            step(module, ModuleDoes::Add { to });
            continue;
        };
        if known.code.digest != to.digest {
            step(module, ModuleDoes::Upgrade { from: known.code.clone(), to });
        }
        let mut changes = Changes::at(When::NextSpawn);
        changes.limits(known.limits, module.limits);
        changes.grants(known.grants, module.grants);
        let changes = changes.list();
        if !changes.is_empty() {
            step(module, ModuleDoes::Change { changes });
        }
    }
    for known in running {
        if !wanted.iter().any(|module| module.name == known.name) {
            step(known, ModuleDoes::Remove { from: known.code.clone() });
        }
    }
    steps
}

fn children(running: &SupervisorSpec<Blueprint>, wanted: &SupervisorSpec<Blueprint>) -> Vec<ChildStep> {
    let Differences { supervisors, policies, processes, removed, added } = Differences::between(running, wanted);
    let mut changes: HashMap<Path, Changes> = HashMap::new();
    for pair in policies {
        changes.entry(pair.path).or_default().policy(pair.was, pair.is);
    }
    for pair in processes {
        changes.entry(pair.path).or_default().process(pair.was, pair.is);
    }
    for pair in supervisors {
        changes.entry(pair.path).or_default().supervisor(pair.was, pair.is);
    }
    let mut changed = Vec::new();
    in_start_order(Path::default(), wanted, &mut |path| {
        let changes = changes.remove(&path).map(Changes::list).unwrap_or_default();
        if !changes.is_empty() {
            changed.push((path.to_string(), ChildDoes::Change { changes }));
        }
    });
    let stops = removed.iter().rev().map(|(path, child)| (path.to_string(), ChildDoes::Stop { kind: kind(child) }));
    let starts = added.iter().map(|(path, child)| start(path, child));
    let mut steps = in_rows(changed);
    steps.extend(in_rows(stops));
    steps.extend(in_rows(starts));
    steps
}

/// Every supervisor and process of a tree, from the top down.
fn in_start_order(at: Path, supervisor: &SupervisorSpec<Blueprint>, each: &mut impl FnMut(Path)) {
    each(at.clone());
    for child in &supervisor.children {
        let below = at.child(&child.id);
        match &child.start {
            Blueprint::Process(_) => each(below),
            Blueprint::Supervisor(nested) => in_start_order(below, nested, each),
        }
    }
}

fn start(path: &Path, child: &ChildSpec<Blueprint>) -> (String, ChildDoes) {
    (path.to_string(), ChildDoes::Start { kind: kind(child) })
}

fn kind(child: &ChildSpec<Blueprint>) -> Kind {
    fn processes(supervisor: &SupervisorSpec<Blueprint>) -> u64 {
        let below = supervisor.children.iter().map(|child| match &child.start {
            Blueprint::Process(_) => 1,
            Blueprint::Supervisor(nested) => processes(nested),
        });
        below.sum()
    }
    match &child.start {
        Blueprint::Process(process) => Kind::Process { module: process.module.to_string() },
        Blueprint::Supervisor(nested) => Kind::Supervisor { processes: processes(nested) },
    }
}

/// Puts children of a pool together to which the same happens: a pool of ten thousand is one line, not ten thousand.
fn in_rows(steps: impl IntoIterator<Item = (String, ChildDoes)>) -> Vec<ChildStep> {
    let mut rows: Vec<ChildStep> = Vec::new();
    for (child, does) in steps {
        if let Some(row) = rows.last_mut()
            && row.does == does
            && are_neighbours(row.through.as_deref().unwrap_or(&row.child), &child)
        {
            row.through = Some(child);
            row.count += 1;
        } else {
            rows.push(ChildStep { child, through: None, count: 1, does });
        }
    }
    rows
}

/// Whether two ids are of one pool, and follow each other in either direction.
fn are_neighbours(a: &str, b: &str) -> bool {
    let number = |id: &str| Some((id.rsplit_once('.')?.0.to_owned(), id.rsplit_once('.')?.1.parse::<u64>().ok()?));
    match (number(a), number(b)) {
        (Some((pool, a)), Some((other, b))) => pool == other && a.abs_diff(b) == 1,
        _ => false,
    }
}

/// Names a plan by all that goes into it, so that one that was agreed to is not performed once anything is otherwise: the
/// app as it runs, and as it is to be, code included.
#[must_use]
pub fn id(running: Option<&AppSpec>, wanted: &AppSpec) -> String {
    struct Hashed(blake3::Hasher);
    impl Write for Hashed {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0.update(text.as_bytes());
            Ok(())
        }
    }
    let mut hashed = Hashed(blake3::Hasher::new());
    // Piece by piece: written out, the tree of a large pool is hundreds of megabytes.
    let _ = write!(hashed, "{running:?}{wanted:?}");
    let mut id = hashed.0.finalize().to_hex().to_string();
    id.truncate(32);
    id
}
