//! A module of an app: the code that processes begin on, and the gate through which they are born.
//!
//! While an upgrade looks for the processes that run on the old code, none may slip in behind its back: it closes the
//! gate, and whoever is born then waits, before its `init`, for what becomes of the upgrade. Never decides when.

use std::sync::{Arc, Weak};

use parking_lot::{Mutex, RwLock, RwLockReadGuard};
use skep_kernel::upgrade::UpgradeId;

use super::Cell;
use crate::Module;
use crate::spec::{ModuleSpec, ProcessSpec};

/// A module of an app.
pub(crate) struct ModuleSlot {
    state: RwLock<State>,
    /// How the last one was made that a guest has spawned: the same spawn many.
    offspring: Mutex<Option<Offspring>>,
}

struct Offspring {
    parent: Arc<ProcessSpec>,
    spec: Arc<ProcessSpec>,
}

struct State {
    spec: ModuleSpec,
    /// The upgrade under way.
    upgrade: Option<UpgradeId>,
    gate: Gate,
}

enum Gate {
    Open,
    /// Who was born meanwhile.
    Closed(Mutex<Vec<Weak<Cell>>>),
}

/// The right to bear a process of a module: as long as it is held, neither code nor gate changes.
pub(crate) struct Births<'a> {
    state: RwLockReadGuard<'a, State>,
}

impl ModuleSlot {
    pub(crate) fn new(spec: ModuleSpec) -> Arc<Self> {
        Arc::new(ModuleSlot {
            state: RwLock::new(State { spec, upgrade: None, gate: Gate::Open }),
            offspring: Mutex::new(None),
        })
    }

    /// The module as it is now.
    pub(crate) fn current(&self) -> ModuleSpec {
        self.state.read().spec.clone()
    }

    /// How to make a process of it that somebody spawns who was made so, and that has no name and no argument. All of them
    /// share it.
    pub(super) fn offspring(&self, parent: &Arc<ProcessSpec>) -> Arc<ProcessSpec> {
        let state = self.state.read();
        let mut last = self.offspring.lock();
        if let Some(last) = last.as_ref().filter(|last| Arc::ptr_eq(&last.parent, parent)) {
            return Arc::clone(&last.spec);
        }
        let ModuleSpec { name, limits, grants, .. } = &state.spec;
        let spec = Arc::new(ProcessSpec {
            limits: Arc::clone(limits),
            grants: Arc::new(grants.within(&parent.grants)),
            keep: parent.keep.of_a_child(),
            ..ProcessSpec::new(name)
        });
        *last = Some(Offspring { parent: Arc::clone(parent), spec: Arc::clone(&spec) });
        spec
    }

    /// Other limits and grants for what guests spawn. The code stays: that is for an upgrade to change.
    pub(crate) fn set_rights(&self, spec: &ModuleSpec) {
        let mut state = self.state.write();
        state.spec.limits = Arc::clone(&spec.limits);
        state.spec.grants = Arc::clone(&spec.grants);
        *self.offspring.lock() = None;
    }

    pub(super) fn births(&self) -> Births<'_> {
        Births { state: self.state.read() }
    }

    /// Takes the module for an upgrade. False if it is taken.
    pub(super) fn claim(&self, upgrade: UpgradeId) -> bool {
        let mut state = self.state.write();
        let free = state.upgrade.is_none();
        if free {
            state.upgrade = Some(upgrade);
        }
        free
    }

    /// Gives it back.
    pub(super) fn release(&self) {
        self.state.write().upgrade = None;
    }

    /// Births wait from now on. When this returns, all that were under way are in the table.
    pub(super) fn close(&self) {
        self.state.write().gate = Gate::Closed(Mutex::default());
    }

    /// Births go on; with other code, if there is some. Returns who waits.
    pub(super) fn open(&self, code: Option<Module>) -> Vec<Arc<Cell>> {
        let mut state = self.state.write();
        if let Some(code) = code {
            state.spec.module = code;
        }
        match std::mem::replace(&mut state.gate, Gate::Open) {
            Gate::Open => Vec::new(),
            Gate::Closed(late) => late.into_inner().iter().filter_map(Weak::upgrade).collect(),
        }
    }
}

impl Births<'_> {
    /// The code to begin on.
    pub(super) fn module(&self) -> &Module {
        &self.state.spec.module
    }

    /// The upgrade for whose end a newborn waits.
    pub(super) fn held(&self) -> Option<UpgradeId> {
        match self.state.gate {
            Gate::Open => None,
            Gate::Closed(_) => self.state.upgrade,
        }
    }

    /// A process was born. If it waits, it will be found when the gate opens.
    pub(super) fn note(&self, cell: &Arc<Cell>) {
        if let Gate::Closed(late) = &self.state.gate {
            late.lock().push(Arc::downgrade(cell));
        }
    }
}
