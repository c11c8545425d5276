//! What is reported to the observer, in one form for all callers.

use std::collections::HashMap;

use parking_lot::Mutex;
use skep_kernel::{ExitReason, LogLimits, Pid};

use super::guest::Guest;
use super::{Cell, Content, Shell};
use crate::engine::Dropped;
use crate::observe::{Circumstances, Decision, Excerpt, Level, Report, Subject};
use crate::telemetry::{Event, Kind};

/// Links that a crash report names.
const LINKS: usize = 10;

/// Whether an end is a crash, which is reported.
#[derive(Debug)]
pub(super) enum Manner {
    /// It had finished, was asked to end, or another process's signal ended it.
    InOrder,
    /// It came to grief, in this place.
    Crash { trace: String, message: Option<Excerpt> },
}

impl Manner {
    /// Of a process that ends by itself.
    pub(super) fn by_itself(reason: &ExitReason) -> Self {
        if reason.is_orderly() { Manner::InOrder } else { Manner::Crash { trace: String::new(), message: None } }
    }

    /// While it was handling this.
    pub(super) fn at(self, culprit: Option<Excerpt>) -> Self {
        match self {
            Manner::Crash { trace, message } => Manner::Crash { trace, message: culprit.or(message) },
            Manner::InOrder => Manner::InOrder,
        }
    }
}

impl Cell {
    /// A line in the log, in the name of this process.
    pub(super) fn log(&self, level: Level, message: String) {
        self.report(Report::Log { subject: self.subject(), level, message });
    }

    /// A line of the guest's own, if it has not written too many; before it, how many were dropped.
    pub(super) fn log_of_guest(&self, guest: &Guest, level: Level, line: &str) {
        let shell = self.shell();
        let ledger = guest.ledger(&self.budget);
        if let Some(dropped) = ledger.admit(line.len(), &guest.spec.limits.log, shell.now()) {
            self.log_dropped(guest, &dropped);
            self.log(level, line.to_owned());
        }
    }

    /// One line for all that were dropped.
    pub(super) fn log_dropped(&self, guest: &Guest, dropped: &Dropped) {
        let many = match dropped.lines {
            0 => return,
            1 => "1 line".to_owned(),
            lines => format!("{lines} lines"),
        };
        let LogLimits { bytes_per_second, burst } = guest.spec.limits.log;
        let why = match &dropped.whose {
            Some(whose) => format!("log_bytes of {whose}, which many share"),
            None => format!("it may write {bytes_per_second} bytes a second, and {burst} at once"),
        };
        self.log(Level::Warn, format!("{many} of its log dropped: {why}"));
    }

    /// Something has happened to this process.
    pub(super) fn tell(&self, kind: Kind, event: impl FnOnce() -> Event) {
        self.shell().seen.hub.tell(kind, event);
    }

    pub(super) fn report(&self, report: Report) {
        self.shell().observer.report(report);
    }
}

/// A crash that has not been reported yet: its supervisor decides what becomes of it.
#[derive(Debug)]
pub(super) struct Crash {
    subject: Subject,
    reason: ExitReason,
    trace: String,
    handling: Option<&'static str>,
    about: Box<Circumstances>,
}

impl Crash {
    /// As it is reported.
    pub(super) fn decided(mut self, decision: Decision) -> Report {
        self.about.decision = decision;
        let Crash { subject, reason, trace, handling, about } = self;
        Report::Crash { subject, reason, trace, handling, about }
    }
}

impl Shell {
    /// A process crashes: its supervisor hears of it when it hears of its end, and reports both at once. Who has none, or one
    /// that has ended, is reported now.
    pub(super) fn crashed(&self, cell: &Cell, reason: &ExitReason, trace: String, message: Option<Excerpt>) {
        let crash = self.crash(cell, reason, trace, message);
        let parent = cell.process.lock().parent();
        let above = parent.and_then(|parent| self.table.get(parent));
        let report = match above.as_deref().map(|above| &above.content) {
            Some(Content::Supervisor(overseer)) => match overseer.crashes.hold(cell.pid, crash) {
                None => return,
                Some(crash) => crash.decided(Decision::SupervisorEnded),
            },
            Some(Content::Guest(_) | Content::Client(_)) | None => crash.decided(Decision::NotSupervised),
        };
        self.observer.report(report);
    }

    fn crash(&self, cell: &Cell, reason: &ExitReason, trace: String, message: Option<Excerpt>) -> Crash {
        let module = match &cell.content {
            Content::Guest(guest) => Some(guest.module()),
            Content::Supervisor(_) | Content::Client(_) => None,
        };
        let (handling, name, links, count) = {
            let process = cell.process.lock();
            let links: Vec<Pid> = process.links().take(LINKS).collect();
            (process.handling(), process.name().cloned(), links, process.links().count())
        };
        let about = Circumstances {
            path: self.path(cell),
            name,
            version: module.as_ref().and_then(|module| module.shape()).map(|shape| shape.version),
            digest: module.map(|module| module.digest().to_owned()),
            // While it waited, it was not that which it failed on.
            message: message.filter(|_| handling.is_some()),
            links: (self.peers(links, LINKS), count),
            lived: cell.age(self.now()),
            decision: Decision::NotSupervised,
        };
        Crash { subject: cell.subject(), reason: reason.clone(), trace, handling, about: Box::new(about) }
    }
}

/// Crashes of children of which their supervisor has not heard yet.
pub(super) struct Crashes(Mutex<Option<HashMap<Pid, Crash>>>);

impl Default for Crashes {
    fn default() -> Self {
        Crashes(Mutex::new(Some(HashMap::new())))
    }
}

impl Crashes {
    /// Keeps a crash for the supervisor; gives it back if that has ended.
    fn hold(&self, pid: Pid, crash: Crash) -> Option<Crash> {
        match &mut *self.0.lock() {
            Some(held) => {
                held.insert(pid, crash);
                None
            }
            None => Some(crash),
        }
    }

    /// The crash of this child, of whose end the supervisor hears now.
    pub(super) fn take(&self, pid: Pid) -> Option<Crash> {
        self.0.lock().as_mut()?.remove(&pid)
    }

    /// The supervisor has ended: what it has not heard of.
    pub(super) fn close(&self) -> Vec<Crash> {
        self.0.lock().take().map(|held| held.into_values().collect()).unwrap_or_default()
    }
}
