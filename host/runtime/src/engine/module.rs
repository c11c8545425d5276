//! Code, loaded: checked, compiled, tried out once, and ready to make instances.
//!
//! Owns what is known of a module beside its code, and its compiled form in each class of engine. Never runs a process.
//! Made by [`Engine::load`], used by the shell.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use skep_kernel::{ExitReason, Shape};
use wasmtime::Store;
use wasmtime::component::{Component, ComponentExportIndex, InstancePre};
use wasmtime_wasi::p2::bindings::{Command, CommandIndices};

use super::check::{Interfaces, World};
use super::context::Context;
use super::exports::{Server, Task};
use super::wrap::WrapError;
use super::{Class, Engine, check, trial, wrap};

/// Why code was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// It is no component, and cannot be made one.
    #[error(transparent)]
    Unreadable(#[from] WrapError),
    /// It is no valid component, or uses more of WebAssembly than is offered.
    #[error("this component cannot be compiled: {message}")]
    Invalid {
        /// What wasmtime found.
        message: String,
    },
    /// Compiling it takes more than the [`Compiler`](super::Compiler) may.
    #[error("this code takes more than {what} to compile, which is all there is for it")]
    TooCostly {
        /// How much is there.
        what: String,
    },
    /// The [`Compiler`](super::Compiler) does not work, so that nothing is known of the component.
    #[error("the compiler of components does not work: {message}")]
    NoCompiler {
        /// What it said.
        message: String,
    },
    /// It is neither a server nor a task nor a command.
    #[error(
        "this component is no process: it must export `skep:process/behaviour@0.1.0` (a server), \
         `skep:process/entry@0.1.0` (a task) or `wasi:cli/run@0.2` (a command), but exports {} (in Rust: `skep_sdk::export!`)",
        list(exports)
    )]
    NoKind {
        /// What it exports instead.
        exports: Vec<String>,
    },
    /// It is both a server and a task.
    #[error("this component exports both `behaviour` and `entry`; leave one out, or make two components of it")]
    TwoKinds,
    /// It imports something that this host does not have.
    #[error("this component imports `{name}`, which this version of Skep does not offer")]
    UnknownImport {
        /// What.
        name: String,
    },
    /// It imports or exports something by a known name, but of another type.
    #[error("this component does not fit the interfaces of this version of Skep: {message}")]
    Mismatch {
        /// What wasmtime found, naming the function.
        message: String,
    },
    /// It failed when it was tried out.
    #[error("this component failed in `{phase}` while it was loaded: {reason}")]
    Failed {
        /// Where.
        phase: &'static str,
        /// How.
        reason: ExitReason,
    },
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "nothing".into() } else { names.join(", ") }
}

/// What kind of process a module makes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ModuleKind {
    /// Handles events; with the states it writes and reads.
    Server(Shape),
    /// Runs once.
    Task,
    /// A program: runs once, and knows nothing of Skep.
    Command,
}

/// Code that processes are made of. Cheap to clone.
#[derive(Clone)]
pub struct Module(Arc<Inner>);

struct Inner {
    engine: Engine,
    name: String,
    digest: String,
    kind: ModuleKind,
    imports: Vec<String>,
    needs_wasi: bool,
    fits_small: bool,
    /// The component, for compiling it in the other class; empty if it can only be large.
    component: Vec<u8>,
    compiling: Mutex<()>,
    small: OnceLock<Prepared>,
    large: OnceLock<Prepared>,
}

impl Module {
    /// The name it was loaded under, for messages.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The BLAKE3 digest, in hexadecimal, of the bytes that were loaded.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.0.digest
    }

    /// Whether it is the same code.
    #[must_use]
    pub fn is(&self, other: &Module) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.digest == other.0.digest
    }

    /// Server or task.
    #[must_use]
    pub fn kind(&self) -> &ModuleKind {
        &self.0.kind
    }

    /// Whether its processes are tasks.
    #[must_use]
    pub fn is_task(&self) -> bool {
        self.0.kind == ModuleKind::Task
    }

    /// Whether its processes are commands.
    #[must_use]
    pub fn is_command(&self) -> bool {
        self.0.kind == ModuleKind::Command
    }

    /// Whether its processes run once, and have no state that another instance could take over.
    #[must_use]
    pub fn runs_once(&self) -> bool {
        !matches!(self.0.kind, ModuleKind::Server(_))
    }

    /// The states it writes and reads, if it is a server.
    #[must_use]
    pub fn shape(&self) -> Option<&Shape> {
        match &self.0.kind {
            ModuleKind::Server(shape) => Some(shape),
            ModuleKind::Task | ModuleKind::Command => None,
        }
    }

    /// The interfaces it imports, such as `wasi:filesystem/types@0.2.12`, used or not.
    #[must_use]
    pub fn imports(&self) -> &[String] {
        &self.0.imports
    }

    /// Whether it imports any of WASI.
    #[must_use]
    pub fn needs_wasi(&self) -> bool {
        self.0.needs_wasi
    }

    /// In which class its instances live if they may use so much memory.
    #[must_use]
    pub fn class_for(&self, memory_bytes: usize) -> Class {
        let small = self.0.fits_small && memory_bytes <= self.0.engine.small_memory_bytes();
        if small { Class::Small } else { Class::Large }
    }

    /// Compiles for the class that so much memory needs, if that is not done: milliseconds to seconds, so that it is
    /// better done when a process is configured than when it starts.
    pub fn prepare(&self, memory_bytes: usize) -> Result<(), LoadError> {
        self.prepare_for(self.class_for(memory_bytes))
    }

    /// As [`Module::prepare`], for a class.
    pub(crate) fn prepare_for(&self, class: Class) -> Result<(), LoadError> {
        self.prepared(class).map(|_| ())
    }

    /// Whether it is compiled for a class.
    pub(crate) fn is_prepared(&self, class: Class) -> bool {
        match class {
            Class::Small => self.0.small.get().is_some(),
            Class::Large => self.0.large.get().is_some(),
        }
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.0.engine
    }

    /// The compiled form for a class, compiled now if need be.
    pub(crate) fn prepared(&self, class: Class) -> Result<&Prepared, LoadError> {
        let inner = &*self.0;
        let place = match class {
            Class::Small => &inner.small,
            Class::Large => &inner.large,
        };
        if let Some(prepared) = place.get() {
            return Ok(prepared);
        }
        let _one_at_a_time = inner.compiling.lock();
        if let Some(prepared) = place.get() {
            return Ok(prepared);
        }
        let component = inner.engine.compile(class, &inner.digest, &inner.component)?;
        let world = match inner.kind {
            ModuleKind::Server(_) => World::Server,
            ModuleKind::Task => World::Task,
            ModuleKind::Command => World::Command,
        };
        let prepared = Prepared::new(&inner.engine, class, &component, world)?;
        Ok(place.get_or_init(|| prepared))
    }
}

impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Module").field("name", &self.0.name).field("digest", &self.0.digest).finish_non_exhaustive()
    }
}

/// A component, linked: what is left is making instances.
pub(crate) struct Prepared {
    linked: InstancePre<Context>,
    exports: Places,
    /// Whether an instance's exports were found to be of their types, which holds for all others then.
    checked: AtomicBool,
}

/// Where its exports are.
enum Places {
    Server(Server<ComponentExportIndex>),
    Task(Task<ComponentExportIndex>),
    Command(CommandIndices),
}

/// An instance's exports, found and type-checked.
pub(crate) enum Exports {
    Server(Server),
    Task(Task),
    Command(Command),
}

impl Prepared {
    fn new(engine: &Engine, class: Class, component: &Component, world: World) -> Result<Self, LoadError> {
        let mismatch = |error: wasmtime::Error| LoadError::Mismatch { message: format!("{error:#}") };
        let linked = engine.linker(class).instantiate_pre(component).map_err(mismatch)?;
        let exports = match world {
            World::Server => Server::find(&linked).map(Places::Server),
            World::Task => Task::find(&linked).map(Places::Task),
            World::Command => CommandIndices::new(&linked).map(Places::Command),
        };
        Ok(Prepared { exports: exports.map_err(mismatch)?, linked, checked: AtomicBool::new(false) })
    }

    /// Whether it is a program, and knows nothing of Skep.
    pub(crate) fn is_command(&self) -> bool {
        matches!(self.exports, Places::Command(_))
    }

    /// Makes an instance, running its start functions.
    pub(crate) async fn instantiate(&self, store: &mut Store<Context>) -> wasmtime::Result<Exports> {
        let instance = self.linked.instantiate_async(&mut *store).await?;
        let exports = match &self.exports {
            Places::Server(server) => Exports::Server(server.of(&instance, store)?),
            Places::Task(task) => Exports::Task(task.of(&instance, store)?),
            Places::Command(command) => return command.load(store, &instance).map(Exports::Command),
        };
        if !self.checked.load(Ordering::Acquire) {
            exports.check(store)?;
            self.checked.store(true, Ordering::Release);
        }
        Ok(exports)
    }
}

impl Exports {
    fn check(&self, store: &Store<Context>) -> wasmtime::Result<()> {
        match self {
            Exports::Server(server) => server.check(store),
            Exports::Task(task) => task.check(store),
            // Checked as often as it is loaded: a program runs for long.
            Exports::Command(_) => Ok(()),
        }
    }
}

impl Engine {
    /// Loads code: a component, or a core module that can be wrapped into one.
    ///
    /// Blocks for as long as compiling takes (20 ms for a small guest, seconds for a large one, next to nothing from the
    /// cache), so it does not belong on a thread that runs processes. The module is tried out once in an instance that
    /// is thrown away: what does not start, or whose `describe` fails, is refused.
    pub fn load(&self, name: &str, bytes: &[u8]) -> Result<Module, LoadError> {
        let digest = blake3::hash(bytes).to_hex().to_string();
        let component = wrap::component_by(bytes, |module| self.wrap(module))?;
        let mut fits_small = check::initial_memory(&component) <= self.small_memory_bytes() as u64;
        let small = match fits_small.then(|| self.compile(Class::Small, &digest, &component)) {
            Some(Err(error @ (LoadError::TooCostly { .. } | LoadError::NoCompiler { .. }))) => return Err(error),
            // What the small class refuses for its size may be fine in the other; what is wrong is wrong there too.
            Some(Err(_)) | None => None,
            Some(Ok(compiled)) => Some(compiled),
        };
        fits_small &= small.is_some();
        let compiled = match small {
            Some(compiled) => compiled,
            None => self.compile(Class::Large, &digest, &component)?,
        };
        let Interfaces { world, imports, needs_wasi } = Interfaces::of(&compiled)?;
        let class = if fits_small { Class::Small } else { Class::Large };
        let prepared = Prepared::new(self, class, &compiled, world)?;
        let kind = trial::run(self, class, &prepared, needs_wasi)?;
        let (small, large) = match class {
            Class::Small => (OnceLock::from(prepared), OnceLock::new()),
            Class::Large => (OnceLock::new(), OnceLock::from(prepared)),
        };
        let component = if fits_small { component.into_owned() } else { Vec::new() };
        Ok(Module(Arc::new(Inner {
            engine: self.clone(),
            name: name.to_owned(),
            digest,
            kind,
            imports,
            needs_wasi,
            fits_small,
            component,
            compiling: Mutex::new(()),
            small,
            large,
        })))
    }

    /// The component around a core module.
    fn wrap(&self, module: &[u8]) -> Result<Vec<u8>, LoadError> {
        match &self.config().compiler {
            Some(compiler) => compiler.wrap(self.config(), module),
            None => Ok(wrap::encode(module)?),
        }
    }

    /// Compiles, or takes compiled code from the cache.
    fn compile(&self, class: Class, digest: &str, component: &[u8]) -> Result<Component, LoadError> {
        let engine = self.wasmtime(class);
        let invalid = |error: wasmtime::Error| LoadError::Invalid { message: format!("{error:#}") };
        let compile = || match &self.config().compiler {
            Some(compiler) => compiler.compile(self.config(), class, engine, component),
            None => Component::from_binary(engine, component).map_err(invalid),
        };
        match self.cache() {
            Some(cache) => cache.component(engine, digest, compile, invalid),
            None => compile(),
        }
    }
}
