//! Where an address leads.
//!
//! Owns the looking up: a pid means its process, a name its holder at this moment, an alias its owner. Never delivers, never
//! says whether an alias is open (its process decides that when something comes through it), and never who may go there.

use std::sync::Arc;

use skep_kernel::process::Callee;
use skep_kernel::{Address, Event, Mark, Pid, Signal};

use super::{App, Cell, Shell};

/// Whom an address means now, and by which door.
#[derive(Clone)]
pub(crate) struct Way {
    pub(crate) to: Arc<Cell>,
    through: Option<Mark>,
}

impl Way {
    /// Straight to a process.
    pub(crate) fn direct(to: Arc<Cell>) -> Self {
        Way { to, through: None }
    }

    /// The pid of who is there.
    pub(crate) fn pid(&self) -> Pid {
        self.to.pid
    }

    /// Who is called on this way.
    pub(crate) fn callee(&self) -> Callee {
        match self.through {
            None => Callee::Pid(self.pid()),
            Some(_) => Callee::Behind(self.pid()),
        }
    }

    /// A message on this way.
    pub(crate) fn signal(&self, event: Event) -> Signal {
        match self.through {
            None => Signal::Message(event),
            Some(alias) => Signal::Through { alias, event },
        }
    }
}

impl Shell {
    /// Whom an address means now, for processes of this app, if anybody is there.
    pub(crate) fn way(&self, app: &App, address: &Address) -> Option<Way> {
        let Address::Alias(alias) = address else {
            return self.table.get(app.resolve(address)?).map(Way::direct);
        };
        let (id, mark) = self.seal.open(*alias);
        self.table.by_id(id).map(|to| Way { to, through: Some(mark) })
    }
}
