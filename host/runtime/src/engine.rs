//! Everything that touches wasmtime: settings, loading code, instances, fuel and memory, traps as exit reasons.
//!
//! Owns two engines of wasmtime, one for each [`Class`], and the count of instances in each. Knows no process: whom an
//! instance acts for is behind [`Syscalls`](crate::api::Syscalls). Called by the shell, and by the node to load code.
//!
//! Guests that wait for WASI's clock, files or sockets need tokio: threads that poll instances enter a runtime with time
//! and I/O enabled (`Handle::enter`) and stay in it.

mod budget;
mod cache;
mod check;
mod compiler;
mod config;
pub(crate) mod context;
pub(crate) mod excerpt;
mod exports;
pub mod fault;
pub(crate) mod fuel;
mod instance;
mod ledger;
mod limits;
mod module;
mod output;
mod slots;
#[cfg(test)]
mod tests;
mod trace;
mod trial;
mod wasi;
pub mod wrap;

use std::fmt;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use wasmtime::component::Linker;

pub use budget::Usage;
pub use cache::CacheError;
pub use compiler::{Compiler, compile_if_asked};
pub use config::EngineConfig;
pub use instance::{Failure, Instance, InstantiateError, Soundness};
pub(crate) use ledger::Dropped;
pub use ledger::Ledger;
pub use module::{LoadError, Module, ModuleKind};
pub use slots::{Bound, Most};
pub use wasi::{RequestBounds, Resolver, SystemResolver};

use budget::Budget;
use cache::Cache;
use context::Context;
use wasi::Uplink;

/// Which kind of engine an instance lives in.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Class {
    /// Pooled: cheap to make, little memory, thousands of places.
    Small,
    /// On demand: up to 4 GiB of memory, few places.
    Large,
}

/// The engine cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The folder for compiled code cannot be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// wasmtime refuses the settings, or the machine has no room for them.
    #[error("the WebAssembly engine cannot be set up (are there too many slots for this machine's memory?): {message}")]
    Wasmtime {
        /// What it said.
        message: String,
    },
}

/// Loads code and makes instances of it. Cheap to clone.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    small: Kind,
    large: Kind,
    config: EngineConfig,
    cache: Option<Cache>,
    uplink: Arc<Uplink>,
    /// Held while a module is tried out: the pool has room for one more than the budget.
    trial: Mutex<()>,
}

/// One class.
struct Kind {
    linker: Linker<Context>,
    budget: Arc<Budget>,
}

impl Kind {
    fn new(config: &wasmtime::Config, limit: u32) -> wasmtime::Result<Self> {
        let engine = wasmtime::Engine::new(config)?;
        let mut linker = Linker::new(&engine);
        crate::api::add_to_linker(&mut linker)?;
        wasi::add_to_linker(&mut linker)?;
        Ok(Kind { linker, budget: Budget::new(limit) })
    }
}

impl Engine {
    /// Sets both classes up. Reserves address space, no memory.
    pub fn new(config: EngineConfig) -> Result<Self, EngineError> {
        let cache = config.cache.as_deref().map(Cache::open).transpose()?;
        let wasmtime = |error: wasmtime::Error| EngineError::Wasmtime { message: format!("{error:#}") };
        let small = Kind::new(&config.small(), config.slots()).map_err(wasmtime)?;
        let large = Kind::new(&config.large(), config.large_slots).map_err(wasmtime)?;
        let uplink = Uplink::new(&config).into();
        Ok(Engine(Arc::new(Inner { small, large, config, cache, uplink, trial: Mutex::new(()) })))
    }

    /// How full a class is.
    #[must_use]
    pub fn usage(&self, class: Class) -> Usage {
        self.kind(class).budget.usage()
    }

    fn kind(&self, class: Class) -> &Kind {
        match class {
            Class::Small => &self.0.small,
            Class::Large => &self.0.large,
        }
    }

    fn wasmtime(&self, class: Class) -> &wasmtime::Engine {
        self.kind(class).linker.engine()
    }

    fn linker(&self, class: Class) -> &Linker<Context> {
        &self.kind(class).linker
    }

    fn budget(&self, class: Class) -> &Arc<Budget> {
        &self.kind(class).budget
    }

    fn small_memory_bytes(&self) -> usize {
        self.0.config.small_memory_bytes
    }

    fn config(&self) -> &EngineConfig {
        &self.0.config
    }

    fn uplink(&self) -> &Arc<Uplink> {
        &self.0.uplink
    }

    fn cache(&self) -> Option<&Cache> {
        self.0.cache.as_ref()
    }

    fn trial(&self) -> MutexGuard<'_, ()> {
        self.0.trial.lock()
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (small, large) = (self.usage(Class::Small), self.usage(Class::Large));
        f.debug_struct("Engine").field("small", &small).field("large", &large).finish_non_exhaustive()
    }
}
