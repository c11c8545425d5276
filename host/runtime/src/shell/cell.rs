//! One process as the shell holds it: its state machine, and what runs in it.

use std::sync::Arc;
use std::time::Duration;

use skep_kernel::budget::Budget;
use skep_kernel::{Name, Pid, Process, Time};

use super::client::Hands;
use super::clock::nanos;
use super::guest::Guest;
use super::supervise::Overseer;
use super::sync::{AtomicBool, Mutex, Ordering};
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
    /// Whether an exit signal has come that ends it: what its guest looks at before each message that it sends, without the
    /// lock.
    doomed: AtomicBool,
    pub(crate) content: Content,
    /// When it came into the world, in nanoseconds of the clock.
    born: u64,
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
        let (pid, born) = (process.pid(), nanos(shell.now()));
        let (process, shell) = (Mutex::new(process), Arc::clone(shell));
        Arc::new(Cell { pid, app, budget, label, process, doomed: AtomicBool::new(false), content, born, shell })
    }

    /// Whether an exit signal has come that ends it.
    pub(super) fn is_doomed(&self) -> bool {
        self.doomed.load(Ordering::Acquire)
    }

    /// An exit signal has come. Said under its lock, so that whoever sent it knows that nothing is done any more.
    pub(super) fn note_doom(&self) {
        self.doomed.store(true, Ordering::Release);
    }

    /// How long it has lived.
    pub(crate) fn age(&self, now: Time) -> Duration {
        now.saturating_sub(Time::from_nanos(self.born))
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What most of a million processes are: with the two counts in front of it, it fits into a block of 448 bytes, of which the
    /// allocator keeps 8. The next size is 512.
    #[test]
    fn a_process_weighs_little() {
        assert!(size_of::<Cell>() + 16 <= 440, "{} bytes", size_of::<Cell>());
    }
}
