//! What the processes of one app share: names and modules. Names are spread over shards, each with a lock of its own.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, LazyLock};

use parking_lot::Mutex;
use skep_kernel::registry::Registry;
use skep_kernel::{Address, Name, Pid, Refusal};

use crate::spec::ModuleSpec;

/// Enough that two processes registering at once seldom meet.
const SHARDS: usize = 16;

/// An app: its names and its modules.
pub(crate) struct App {
    pub(crate) name: Name,
    pub(crate) modules: HashMap<Name, ModuleSpec>,
    shards: [Mutex<Registry>; SHARDS],
    hasher: RandomState,
}

impl App {
    pub(crate) fn new(name: Name, modules: Vec<ModuleSpec>) -> Arc<Self> {
        Arc::new(App {
            name,
            modules: modules.into_iter().map(|module| (Arc::clone(&module.name), module)).collect(),
            shards: Default::default(),
            hasher: RandomState::new(),
        })
    }

    /// The app of what belongs to none.
    pub(crate) fn nowhere() -> Arc<Self> {
        static NOWHERE: LazyLock<Arc<App>> = LazyLock::new(|| App::new("".into(), Vec::new()));
        Arc::clone(&NOWHERE)
    }

    fn shard(&self, name: &str) -> &Mutex<Registry> {
        // The remainder is below 16.
        let place = self.hasher.hash_one(name) % SHARDS as u64;
        &self.shards[usize::try_from(place).unwrap_or_default()]
    }

    pub(crate) fn register(&self, name: Name, pid: Pid) -> Result<(), Refusal> {
        self.shard(&name).lock().register(name.clone(), pid).map_err(|taken| Refusal::Taken(taken.0))
    }

    pub(crate) fn release(&self, name: &str, pid: Pid) {
        self.shard(name).lock().release(name, pid);
    }

    pub(crate) fn whereis(&self, name: &str) -> Option<Pid> {
        self.shard(name).lock().whereis(name)
    }

    /// Whom an address means now.
    pub(crate) fn resolve(&self, address: &Address) -> Option<Pid> {
        match address {
            Address::Pid(pid) => Some(*pid),
            Address::Name(name) => self.whereis(name),
        }
    }
}
