//! One process as the shell holds it: its state machine, and what runs in it.

use std::sync::Arc;

use skep_kernel::budget::Budget;
use skep_kernel::{Name, Pid, Process, Time};

use super::client::Hands;
use super::guest::Guest;
use super::supervise::Overseer;
use super::sync::Mutex;
use super::{App, Shell};
use crate::observe::Subject;

/// One process.
pub(crate) struct Cell {
    pub(crate) pid: Pid,
    pub(crate) app: Arc<App>,
    /// The nearest budget above it: of a supervisor, or its app's.
    pub(crate) budget: Arc<Budget>,
    /// Its child id, or its name.
    pub(crate) label: Option<Name>,
    /// Locked for the time of one transition, never while a guest runs or an action is performed.
    pub(crate) process: Mutex<Process>,
    pub(crate) content: Content,
    /// When it came into the world.
    pub(crate) born: Time,
    /// Not weak: it is wanted at every step. The last worker to end empties the table, which takes the circle apart.
    shell: Arc<Shell>,
}

/// What runs in a process.
pub(crate) enum Content {
    Guest(Guest),
    /// In a box: there are few, and every process would carry the difference.
    Supervisor(Box<Overseer>),
    Client(Hands),
}

impl Content {
    /// The name that it was started under, if it is a guest with one; else nothing.
    pub(super) fn started_as(&self) -> &str {
        match self {
            Content::Guest(guest) => guest.spec.name.as_deref().unwrap_or_default(),
            Content::Supervisor(_) | Content::Client(_) => "",
        }
    }
}

impl Cell {
    pub(crate) fn new(
        shell: &Arc<Shell>,
        app: Arc<App>,
        budget: Arc<Budget>,
        label: Option<Name>,
        process: Process,
        content: Content,
    ) -> Arc<Self> {
        let (pid, born) = (process.pid(), shell.now());
        let (process, shell) = (Mutex::new(process), Arc::clone(shell));
        Arc::new(Cell { pid, app, budget, label, process, content, born, shell })
    }

    /// The shell.
    pub(crate) fn shell(&self) -> &Arc<Shell> {
        &self.shell
    }

    pub(crate) fn module(&self) -> Option<&Name> {
        match &self.content {
            Content::Guest(guest) => Some(&guest.spec.module),
            Content::Supervisor(_) | Content::Client(_) => None,
        }
    }

    /// How reports name it.
    pub(crate) fn subject(&self) -> Subject {
        Subject {
            app: Arc::clone(&self.app.name),
            module: self.module().cloned(),
            label: self.label.clone(),
            pid: self.pid,
        }
    }
}
