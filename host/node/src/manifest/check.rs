//! Makes a checked manifest of a written one: names exist and are unique, values make sense, pools are spread out.
//!
//! Owns every rule that goes beyond the type of a value, except those of limits and grants.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use skep_runtime::kernel::directory::Keys;
use skep_runtime::kernel::registry::valid_name;
use skep_runtime::kernel::supervisor::{ChildSpec, SupervisorSpec};
use skep_runtime::kernel::{Body, Limits, Name};
use skep_runtime::spec::{Blueprint, Charge, Grants, Keep, ProcessSpec};
use toml::Spanned;

use super::commands::{self, CommandKey};
use super::grants::{Ground, resolved};
use super::pools::Pools;
use super::{Code, Manifest, ManifestError, Module, Source, budgets, limits, shape, supervisors};
use crate::node::home::valid_node_name;

/// Supervisors within supervisors. The tree is walked by recursion.
const DEPTH_MOST: usize = 32;

pub(super) fn manifest(file: shape::File, source: Source, home: &Path) -> Result<Manifest, ManifestError> {
    let name = file.name.get_ref();
    valid_node_name(name).map_err(|why| {
        let remedy = "an app's name has letters, digits, `-`, `_` and `.`, such as name = \"tally\"";
        source.error(file.name.span(), format!("bad name `{name}`: {why}"), remedy)
    })?;
    let names: BTreeSet<Name> = file.modules.keys().map(|name| Name::from(name.get_ref().as_str())).collect();
    let folder = source.path.parent().unwrap_or(Path::new(""));
    let home = resolved(home);
    let supervisors_named = supervisors::named(file.supervisor.get_ref());
    let registries = registries(&file.registries, &source)?;
    let ground = Ground {
        source: &source,
        folder,
        home: &home,
        modules: &names,
        supervisors: &supervisors_named,
        registries: &registries,
    };
    let modules =
        file.modules.iter().map(|(name, module)| self::module(&ground, name, module)).collect::<Result<Vec<_>, _>>()?;
    let mut tree = Tree {
        modules: modules.iter().map(|module| (Arc::clone(&module.name), module)).collect(),
        ground: &ground,
        names: BTreeSet::new(),
        command_keys: Vec::new(),
        pools: Pools::default(),
    };
    supervisors::root(&file.supervisor, &source)?;
    let root = tree.supervisor(&file.supervisor, 1)?;
    if root.children.is_empty() {
        return Err(source.error(
            file.supervisor.span(),
            "the root supervisor has no child: the app would do nothing",
            "add a section [[supervisor.children]] with an `id` and a `module`",
        ));
    }
    let command_keys = tree.command_keys;
    let budget = budgets::of_app(file.budget.as_ref(), &source)?;
    Ok(Manifest { name: name.as_str().into(), modules, registries, budget, root, command_keys, source })
}

fn registries(
    given: &BTreeMap<Spanned<String>, shape::Keys>,
    source: &Source,
) -> Result<BTreeMap<Name, Keys>, ManifestError> {
    let registry = |(name, keys): (&Spanned<String>, &shape::Keys)| match valid_name(name.get_ref()) {
        Ok(()) => Ok((name.get_ref().as_str().into(), (*keys).into())),
        Err(why) => Err(source.error(name.span(), format!("bad name of a registry: {why}"), "choose another name")),
    };
    given.iter().map(registry).collect()
}

fn module(
    ground: &Ground<'_>,
    name: &Spanned<String>,
    given: &Spanned<shape::Module>,
) -> Result<Module, ManifestError> {
    let shape::Module { path, source, package, limits, grants } = given.get_ref();
    let error = |span, problem: String, remedy: &str| Err(ground.source.error(span, problem, remedy));
    if let Err(why) = valid_name(name.get_ref()) {
        return error(name.span(), format!("bad module name: {why}"), "choose another name");
    }
    let (code, place) = match (path, source) {
        (Some(path), None) => (Code::File(ground.folder.join(path.get_ref())), path.span()),
        (None, Some(dir)) => {
            let package = package.as_ref().map(|package| package.get_ref().clone());
            (Code::Crate { dir: ground.folder.join(dir.get_ref()), package }, dir.span())
        }
        (None, None) => {
            let problem = format!("module `{}` has no code", name.get_ref());
            let remedy = "add `path`, the path of a .wasm file, or `crate`, the folder of a guest crate to build";
            return error(given.span(), problem, remedy);
        }
        (Some(_), Some(source)) => {
            let problem = format!("module `{}` has both `path` and `crate`", name.get_ref());
            return error(source.span(), problem, "keep one of the two");
        }
    };
    if let (Code::File(_), Some(package)) = (&code, package) {
        return error(package.span(), "`package` goes with `crate`, not with `path`".to_owned(), "remove it");
    }
    Ok(Module {
        name: name.get_ref().as_str().into(),
        code,
        place,
        limits: limits::laid_over(&Limits::default(), limits, ground.source)?,
        grants: grants.as_ref().map_or_else(|| Ok(Arc::default()), |grants| ground.grants(grants))?,
    })
}

/// The tree being made.
struct Tree<'a> {
    modules: BTreeMap<Name, &'a Module>,
    ground: &'a Ground<'a>,
    /// Names given so far: one process of the app each.
    names: BTreeSet<Name>,
    /// Keys whose modules must be commands.
    command_keys: Vec<CommandKey>,
    pools: Pools,
}

impl Tree<'_> {
    fn supervisor(
        &mut self,
        given: &Spanned<shape::Supervisor>,
        depth: usize,
    ) -> Result<SupervisorSpec<Blueprint>, ManifestError> {
        if depth > DEPTH_MOST {
            let problem = format!("more than {DEPTH_MOST} supervisors within each other");
            return self.refuse(given.span(), problem, "make the tree flatter");
        }
        let shape::Supervisor { strategy, max_restarts, max_seconds, children, .. } = given.get_ref();
        let mut spec = SupervisorSpec { strategy: (*strategy.get_ref()).into(), ..SupervisorSpec::default() };
        supervisors::options(given, &mut spec, self.ground.source)?;
        spec.budget = Box::new(budgets::budget(given.get_ref().budget.as_ref(), self.ground.source)?);
        if let Some(most) = max_restarts {
            spec.max_restarts = *most;
        }
        if let Some(seconds) = max_seconds {
            if *seconds.get_ref() == 0 {
                let problem = "`max_seconds` cannot be 0: restarts are counted within it".to_owned();
                return self.refuse(seconds.span(), problem, "give a number of seconds, at least 1");
            }
            spec.max_seconds = *seconds.get_ref();
        }
        let mut ids = BTreeSet::new();
        for child in children {
            supervisors::child(given, child.get_ref(), self.ground.source)?;
            let made = self.children(child, depth)?;
            for child_made in &made {
                if !ids.insert(Arc::clone(&child_made.id)) {
                    let problem = format!("two children of this supervisor have the id `{}`", child_made.id);
                    let remedy = "give each child of a supervisor its own id; `count` makes several of one";
                    return self.refuse(child.get_ref().id.span(), problem, remedy);
                }
            }
            spec.children.extend(made);
        }
        supervisors::number(given, spec.children.len(), &mut spec, self.ground.source)?;
        Ok(spec)
    }

    /// The child that a section describes, or the children of a pool.
    fn children(
        &mut self,
        given: &Spanned<shape::Child>,
        depth: usize,
    ) -> Result<Vec<ChildSpec<Blueprint>>, ManifestError> {
        let child = given.get_ref();
        if let Err(why) = valid_name(child.id.get_ref()) {
            return self.refuse(child.id.span(), format!("bad id: {why}"), "choose another id");
        }
        match (&child.module, &child.supervisor) {
            (Some(module), None) => self.processes(child, module),
            (None, Some(supervisor)) => {
                self.only_for_processes(child)?;
                let mut spec = self.supervisor(supervisor, depth + 1)?;
                spec.name = child.name.as_ref().map(|name| self.name(name, None)).transpose()?;
                let start = Blueprint::Supervisor(Arc::new(spec));
                Ok(vec![with_policy(ChildSpec::supervisor(child.id.get_ref().as_str(), start), child)])
            }
            (None, None) => {
                let problem = format!("child `{}` has neither `module` nor `supervisor`", child.id.get_ref());
                self.refuse(given.span(), problem, "add `module`, the name of one of the app's modules")
            }
            (Some(module), Some(_)) => {
                let problem = format!("child `{}` has both `module` and `supervisor`", child.id.get_ref());
                self.refuse(module.span(), problem, "keep `module` for a process, `supervisor` for a supervisor")
            }
        }
    }

    fn processes(
        &mut self,
        child: &shape::Child,
        module: &Spanned<String>,
    ) -> Result<Vec<ChildSpec<Blueprint>>, ManifestError> {
        let spec = self.process(child, module)?;
        self.command_keys.extend(commands::keys(child, &spec.module));
        let id = child.id.get_ref();
        let Some(count) = &child.count else {
            let name = child.name.as_ref().map(|name| self.name(name, None)).transpose()?;
            let start = Blueprint::Process(Arc::new(ProcessSpec { name, ..spec }));
            return Ok(vec![with_policy(ChildSpec::worker(id.as_str(), start), child)]);
        };
        self.pools.add(count, spec.args.len(), self.ground.source)?;
        let mut pool = Vec::new();
        for number in 1..=*count.get_ref() {
            let name = child.name.as_ref().map(|name| self.name(name, Some(number))).transpose()?;
            let start = Blueprint::Process(Arc::new(ProcessSpec { name, ..spec.clone() }));
            let id = format!("{id}.{number}");
            if let Err(why) = valid_name(&id) {
                return self.refuse(child.id.span(), format!("bad id `{id}`: {why}"), "choose a shorter one");
            }
            pool.push(with_policy(ChildSpec::worker(id, start), child));
        }
        Ok(pool)
    }

    /// Everything of a process but its name.
    fn process(&self, child: &shape::Child, module: &Spanned<String>) -> Result<ProcessSpec, ManifestError> {
        let source = self.ground.source;
        let name = self.ground.module(module)?;
        let declared = self.modules[&name];
        let limits = match &child.limits {
            Some(given) => limits::laid_over(&declared.limits, given.get_ref(), source)?,
            None => declared.limits.clone(),
        };
        let grants: Arc<Grants> = match &child.grants {
            Some(given) => self.ground.grants(given.get_ref())?,
            None => Arc::clone(&declared.grants),
        };
        let args = match &child.args {
            Some(value) => arguments(value, source)?,
            None => "null".to_owned(),
        };
        if args.len() > limits.body_bytes {
            let span = child.args.as_ref().map_or_else(|| child.id.span(), Spanned::span);
            let problem = format!("`args` are {} bytes, and `body_bytes` is {}", args.len(), limits.body_bytes);
            return self.refuse(span, problem, "make the arguments smaller, or raise the limit `body_bytes`");
        }
        let console = self.ground.console(child)?;
        let keep = self.keep(child)?;
        let args = Body::Json(args);
        Ok(ProcessSpec {
            module: name,
            args,
            name: None,
            claim: None,
            limits: Arc::new(limits),
            grants,
            keep,
            console,
            charge: Charge::default(),
            awaited: None,
        })
    }

    /// What becomes of its instance while it waits.
    fn keep(&self, child: &shape::Child) -> Result<Keep, ManifestError> {
        let pinned = child.pinned.as_ref().filter(|pinned| *pinned.get_ref());
        match (pinned, &child.hibernate_after) {
            (Some(pinned), Some(_)) => {
                let problem = "`pinned` keeps the instance for ever, and `hibernate_after` says when it is given back";
                self.refuse(pinned.span(), problem.to_owned(), "leave one of them out")
            }
            (Some(_), None) => Ok(Keep::Pinned),
            (None, Some(after)) => Ok(after.get_ref().0),
            (None, None) => Ok(Keep::default()),
        }
    }

    /// A name that no other process of the app has.
    fn name(&mut self, given: &Spanned<String>, number: Option<u64>) -> Result<Name, ManifestError> {
        let name: Name = match number {
            Some(number) => format!("{}.{number}", given.get_ref()).into(),
            None => given.get_ref().as_str().into(),
        };
        if let Err(why) = valid_name(&name) {
            return self.refuse(given.span(), format!("bad name: {why}"), "choose another name");
        }
        if !self.names.insert(Arc::clone(&name)) {
            let problem = format!("two processes of this app would have the name `{name}`");
            return self.refuse(given.span(), problem, "give each process its own name, or none");
        }
        Ok(name)
    }

    /// Refuses what a supervisor cannot have.
    fn only_for_processes(&self, child: &shape::Child) -> Result<(), ManifestError> {
        let keys = [
            ("args", child.args.as_ref().map(Spanned::span)),
            ("count", child.count.as_ref().map(Spanned::span)),
            ("limits", child.limits.as_ref().map(Spanned::span)),
            ("grants", child.grants.as_ref().map(Spanned::span)),
            ("hibernate_after", child.hibernate_after.as_ref().map(Spanned::span)),
            ("pinned", child.pinned.as_ref().map(Spanned::span)),
            ("stdin", child.stdin.as_ref().map(Spanned::span)),
            ("output", child.output.as_ref().map(Spanned::span)),
        ];
        match keys.into_iter().find_map(|(key, span)| Some((key, span?))) {
            Some((key, span)) => {
                let problem = format!("`{key}` is for processes, and `{}` is a supervisor", child.id.get_ref());
                self.refuse(span, problem, "move it to the children of the supervisor")
            }
            None => Ok(()),
        }
    }

    fn refuse<T>(&self, span: Range<usize>, problem: String, remedy: &str) -> Result<T, ManifestError> {
        Err(self.ground.source.error(span, problem, remedy))
    }
}

/// How the child is restarted and stopped.
fn with_policy(mut spec: ChildSpec<Blueprint>, child: &shape::Child) -> ChildSpec<Blueprint> {
    spec.restart = (*child.restart.get_ref()).into();
    spec.significant = child.significant.as_ref().is_some_and(|significant| *significant.get_ref());
    if let Some(shutdown) = child.shutdown {
        spec.shutdown = shutdown.0;
    }
    spec
}

/// TOML as JSON. A date becomes its text.
pub(super) fn arguments(value: &Spanned<toml::Value>, source: &Source) -> Result<String, ManifestError> {
    fn json(value: &toml::Value) -> Option<serde_json::Value> {
        Some(match value {
            toml::Value::String(text) => text.as_str().into(),
            toml::Value::Integer(number) => (*number).into(),
            toml::Value::Float(number) => serde_json::Number::from_f64(*number)?.into(),
            toml::Value::Boolean(truth) => (*truth).into(),
            toml::Value::Datetime(date) => date.to_string().into(),
            toml::Value::Array(items) => items.iter().map(json).collect::<Option<Vec<_>>>()?.into(),
            toml::Value::Table(table) => {
                let entries = table.iter().map(|(key, value)| Some((key.clone(), json(value)?)));
                serde_json::Value::Object(entries.collect::<Option<_>>()?)
            }
        })
    }
    json(value.get_ref()).map(|value| value.to_string()).ok_or_else(|| {
        source.error(value.span(), "`args` hold a number that JSON does not have", "leave out `inf` and `nan`")
    })
}
