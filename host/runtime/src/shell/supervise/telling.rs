//! What becomes known of a supervisor's decisions: which crash had which consequence, and what is for the operator.

use skep_kernel::SpawnError;
use skep_kernel::supervisor::{ChildKind, ChildStatus, Order, Report as Told};

use super::{Ask, Inner};
use crate::observe::{Decision, Level, Report};
use crate::shell::Cell;
use crate::spec::Blueprint;
use crate::telemetry::{Event, Kind};

impl Inner {
    /// Whether this is a start that failed because a supervisor's did, which has told why itself.
    pub(super) fn is_of_a_layer_below(&self, order: &Order<Blueprint, Ask>) -> bool {
        let Order::Report(Told::StartFailed { child, error: SpawnError::Failed(_) }) = order else { return false };
        self.machine.children().iter().any(|(view, _)| view.id == *child && view.kind == ChildKind::Supervisor)
    }

    /// What the machine makes of the end of a child that crashed. A restart that waits is no order yet.
    pub(super) fn decision(&self, orders: &[Order<Blueprint, Ask>]) -> Decision {
        let waits = |order: &Order<Blueprint, Ask>| match (order, self.machine.roster().is_dynamic()) {
            // There a timer is set for nothing else when a child ends.
            (Order::SetTimer { .. }, dynamic) => dynamic,
            (Order::Report(Told::Ended { child, .. }), false) => {
                self.machine.status(child) == Some(ChildStatus::Restarting)
            }
            _ => false,
        };
        let later = || if orders.iter().any(waits) { Decision::RestartingLater } else { Decision::NotRestarted };
        decision(orders).unwrap_or_else(later)
    }
}

/// What the machine makes of the end of a child that crashed, as far as it orders something.
fn decision(orders: &[Order<Blueprint, Ask>]) -> Option<Decision> {
    let of = |order: &Order<Blueprint, Ask>| match order {
        Order::Report(Told::GaveUp { .. }) => Some(Decision::GaveUp),
        Order::Report(Told::Restarting { total, .. }) => Some(Decision::Restarting { restarts: *total }),
        Order::Failed { .. } | Order::Report(Told::StartFailed { .. }) => Some(Decision::NotStarted),
        _ => None,
    };
    // A restart that fails is one that was not started, and is tried again all the same: that is what matters.
    let decisions = || orders.iter().filter_map(of);
    decisions().find(|decision| *decision != Decision::NotStarted).or_else(|| decisions().next())
}

/// What of the machine's reports is for the operator. A child's crash was reported by the child itself.
pub(super) fn tell(told: Told, cell: &Cell) {
    let supervisor = cell.subject();
    match told {
        Told::Restarting { child, total } => {
            cell.app.tally.restarted();
            cell.tell(Kind::Restart, || Event::Restart {
                supervisor: supervisor.clone(),
                child: child.clone(),
                restarts: total,
            });
            cell.report(Report::Restart { supervisor, child, restarts: total });
        }
        Told::GaveUp { child } => cell.report(Report::GaveUp { supervisor, child }),
        Told::StartFailed { child, error } => {
            cell.log(Level::Error, format!("child {child} did not start: {error}"));
        }
        Told::StopFailed { child, reason, .. } => {
            cell.log(Level::Warn, format!("child {child} did not stop in order: {reason}"));
        }
        Told::AutoShutdown { child } => {
            cell.log(
                Level::Info,
                format!("child {child}, which was significant, has ended: stops the others and ends"),
            );
        }
        Told::Ended { .. } => {}
    }
}
