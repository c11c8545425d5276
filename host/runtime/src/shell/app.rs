//! What the processes of one app share: names, keys and modules. Names and keys are spread over shards, each with a lock of
//! its own.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, LazyLock};

use parking_lot::{Mutex, RwLock};
use skep_kernel::budget::{Budget, BudgetSpec};
use skep_kernel::directory::{Directory, Keys, Place, Table, Via};
use skep_kernel::registry::Registry;
use skep_kernel::{Address, Name, Pid, Refusal, Time};

use super::modules::ModuleSlot;
use super::tally::Tally;
use crate::spec::ModuleSpec;

/// Enough that two processes registering at once seldom meet.
const SHARDS: usize = 16;

/// An app: its names and its modules.
pub(crate) struct App {
    pub(crate) name: Name,
    /// What its processes may use together.
    pub(crate) budget: Arc<Budget>,
    pub(crate) tally: Tally,
    modules: RwLock<HashMap<Name, Arc<ModuleSlot>>>,
    shards: [Mutex<Registry>; SHARDS],
    registries: RwLock<BTreeMap<Name, Keys>>,
    directory: [Mutex<Directory>; SHARDS],
    hasher: RandomState,
}

fn slot(module: ModuleSpec) -> (Name, Arc<ModuleSlot>) {
    (Arc::clone(&module.name), ModuleSlot::new(module))
}

impl App {
    pub(crate) fn new(
        name: Name,
        budget: Arc<Budget>,
        modules: Vec<ModuleSpec>,
        registries: BTreeMap<Name, Keys>,
    ) -> Arc<Self> {
        Arc::new(App {
            name,
            budget,
            tally: Tally::default(),
            modules: RwLock::new(modules.into_iter().map(slot).collect()),
            shards: Default::default(),
            registries: RwLock::new(registries),
            directory: Default::default(),
            hasher: RandomState::new(),
        })
    }

    /// The app of what belongs to none.
    pub(crate) fn nowhere() -> Arc<Self> {
        static NOWHERE: LazyLock<Arc<App>> = LazyLock::new(|| {
            let budget = Budget::new("no app", None, &BudgetSpec::default(), Time::ZERO);
            App::new("".into(), budget, Vec::new(), BTreeMap::new())
        });
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

    /// First step of giving a name to a process that others know already.
    pub(crate) fn claim(&self, name: Name, pid: Pid) -> Result<(), Refusal> {
        self.shard(&name).lock().claim(name.clone(), pid).map_err(|taken| Refusal::Taken(taken.0))
    }

    /// Last step. False if the claim was released meanwhile.
    pub(crate) fn confirm(&self, name: Name, pid: Pid) -> Result<bool, Refusal> {
        self.shard(&name).lock().confirm(name.clone(), pid).map_err(|taken| Refusal::Taken(taken.0))
    }

    pub(crate) fn release(&self, name: &str, pid: Pid) {
        self.shard(name).lock().release(name, pid);
    }

    pub(crate) fn whereis(&self, name: &str) -> Option<Pid> {
        self.shard(name).lock().whereis(name)
    }

    /// Whom an address means now. An alias means nobody here: where it leads is the business of `way`.
    pub(crate) fn resolve(&self, address: &Address) -> Option<Pid> {
        match address {
            Address::Pid(pid) => Some(*pid),
            Address::Name(name) => self.whereis(name),
            Address::Via(via) => self.holder(via),
            Address::Alias(_) => None,
        }
    }

    /// The app's registries.
    pub(crate) fn registries(&self) -> BTreeMap<Name, Keys> {
        self.registries.read().clone()
    }

    /// Other registries from now on. Entries that are there stay until their owners take them out or end.
    pub(crate) fn set_registries(&self, registries: BTreeMap<Name, Keys>) {
        *self.registries.write() = registries;
    }

    /// How many entries a key of a table may have; none if there is no such table.
    pub(crate) fn keys(&self, table: &Table) -> Option<Keys> {
        match table {
            Table::Registry(name) => self.registries.read().get(name).copied(),
            Table::Scope(_) | Table::Topics => Some(Keys::Duplicate),
        }
    }

    /// Who holds a key; nobody where keys are no names (RPG-03).
    fn holder(&self, via: &Via) -> Option<Pid> {
        let place = Place::from(via.clone());
        let unique = self.keys(&place.table) == Some(Keys::Unique);
        if unique { self.directory(&place).lock().holder(&place) } else { None }
    }

    /// The shard that a key belongs to.
    pub(crate) fn directory(&self, place: &Place) -> &Mutex<Directory> {
        // The remainder is below 16.
        let shard = self.hasher.hash_one(place) % SHARDS as u64;
        &self.directory[usize::try_from(shard).unwrap_or_default()]
    }

    /// All shards, for what concerns a whole table.
    pub(crate) fn directories(&self) -> &[Mutex<Directory>] {
        &self.directory
    }
}
