//! Where an address leads.
//!
//! Owns the looking up: a pid is taken as it is, a name means its holder at this moment, an alias its owner. Never delivers,
//! and never says whether an alias is open: its process decides that when something comes through it.

use skep_kernel::process::Callee;
use skep_kernel::{Address, Event, Mark, Pid, Signal};

use super::{App, Shell};

/// Whom an address means now, and by which door.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way {
    pub(crate) to: Pid,
    through: Option<Mark>,
}

impl Way {
    /// Who is called on this way.
    pub(crate) fn callee(self) -> Callee {
        match self.through {
            None => Callee::Pid(self.to),
            Some(_) => Callee::Behind(self.to),
        }
    }

    /// A message on this way.
    pub(crate) fn signal(self, event: Event) -> Signal {
        match self.through {
            None => Signal::Message(event),
            Some(alias) => Signal::Through { alias, event },
        }
    }
}

impl Shell {
    /// Whom an address means now, for processes of this app.
    pub(crate) fn way(&self, app: &App, address: &Address) -> Option<Way> {
        let Address::Alias(alias) = address else {
            return app.resolve(address).map(|to| Way { to, through: None });
        };
        let (id, mark) = self.seal.open(*alias);
        self.table.by_id(id).map(|cell| Way { to: cell.pid, through: Some(mark) })
    }
}
