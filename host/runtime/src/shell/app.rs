//! What the processes of one app share: names and modules. Names are spread over shards, each with a lock of its own.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, LazyLock};

use parking_lot::{Mutex, RwLock};
use skep_kernel::registry::Registry;
use skep_kernel::{Address, Name, Pid, Refusal};

use super::modules::ModuleSlot;
use crate::spec::ModuleSpec;

/// Enough that two processes registering at once seldom meet.
const SHARDS: usize = 16;

/// An app: its names and its modules.
pub(crate) struct App {
    pub(crate) name: Name,
    modules: RwLock<HashMap<Name, Arc<ModuleSlot>>>,
    shards: [Mutex<Registry>; SHARDS],
    hasher: RandomState,
}

fn slot(module: ModuleSpec) -> (Name, Arc<ModuleSlot>) {
    (Arc::clone(&module.name), ModuleSlot::new(module))
}

impl App {
    pub(crate) fn new(name: Name, modules: Vec<ModuleSpec>) -> Arc<Self> {
        Arc::new(App {
            name,
            modules: RwLock::new(modules.into_iter().map(slot).collect()),
            shards: Default::default(),
            hasher: RandomState::new(),
        })
    }

    /// The app of what belongs to none.
    pub(crate) fn nowhere() -> Arc<Self> {
        static NOWHERE: LazyLock<Arc<App>> = LazyLock::new(|| App::new("".into(), Vec::new()));
        Arc::clone(&NOWHERE)
    }

    /// A module, as it is now.
    pub(crate) fn module(&self, name: &str) -> Option<ModuleSpec> {
        self.slot(name).map(|slot| slot.current())
    }

    /// A module, with the gate through which its processes are born.
    pub(crate) fn slot(&self, name: &str) -> Option<Arc<ModuleSlot>> {
        self.modules.read().get(name).cloned()
    }

    /// All modules as they are now, in the order of their names.
    pub(crate) fn modules(&self) -> Vec<ModuleSpec> {
        let mut modules: Vec<ModuleSpec> = self.modules.read().values().map(|slot| slot.current()).collect();
        modules.sort_by(|a, b| a.name.cmp(&b.name));
        modules
    }

    /// Adds a module, or gives one that is there other limits and grants for what guests spawn.
    pub(crate) fn put_module(&self, module: ModuleSpec) {
        if let Some(slot) = self.slot(&module.name) {
            return slot.set_rights(&module);
        }
        self.modules.write().extend([slot(module)]);
    }

    /// Forgets a module. Processes of it go on; none is started any more.
    pub(crate) fn remove_module(&self, name: &str) {
        self.modules.write().remove(name);
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
