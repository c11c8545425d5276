//! What is reported to the observer, in one form for all callers.

use skep_kernel::ExitReason;

use super::Cell;
use crate::observe::{Level, Report};

/// Bytes of one line of a guest's log. Beyond, it is cut.
const LINE_BYTES: usize = 4096;

/// Whether an end is a crash, which is reported.
#[derive(Debug)]
pub(super) enum Manner {
    /// It had finished, was asked to end, or another process's signal ended it.
    InOrder,
    /// It came to grief, in this place.
    Crash { trace: String },
}

impl Manner {
    /// Of a process that ends by itself.
    pub(super) fn by_itself(reason: &ExitReason) -> Self {
        if reason.is_orderly() { Manner::InOrder } else { Manner::Crash { trace: String::new() } }
    }
}

impl Cell {
    /// A line in the log, in the name of this process.
    pub(super) fn log(&self, level: Level, mut message: String) {
        if message.len() > LINE_BYTES {
            let end = (0..=LINE_BYTES).rev().find(|&end| message.is_char_boundary(end)).unwrap_or(0);
            message.truncate(end);
            message.push('…');
        }
        self.report(Report::Log { subject: self.subject(), level, message });
    }

    /// The process crashed, in this place, while it was doing something.
    pub(super) fn report_crash(&self, reason: &ExitReason, trace: String, handling: Option<&'static str>) {
        self.report(Report::Crash { subject: self.subject(), reason: reason.clone(), trace, handling });
    }

    pub(super) fn report(&self, report: Report) {
        if let Some(shell) = self.shell() {
            shell.observer.report(report);
        }
    }
}
