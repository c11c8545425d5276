//! Processes that wait until a budget above them has fuel again. No thread waits with them.
//!
//! Owns the queues, one for each budget that ran dry, first in first out. The clock says when to look; whoever may go on is
//! put back on the run queue, no more of them than there is fuel for.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use skep_kernel::Time;
use skep_kernel::budget::Budget;

use super::{Cell, Shell};
use crate::engine::fuel::SLICE;

/// Looking more often than this would cost more than it brings.
const PAUSE: Duration = Duration::from_millis(1);

/// Who waits for fuel.
#[derive(Default)]
pub(super) struct Throttle {
    queues: Mutex<Vec<Queue>>,
}

struct Queue {
    budget: Arc<Budget>,
    cells: VecDeque<Arc<Cell>>,
    /// When it is worth while to look again.
    at: Time,
}

impl Throttle {
    /// A process waits until this budget has fuel. When to look.
    fn add(&self, budget: Arc<Budget>, cell: Arc<Cell>, now: Time) -> Time {
        let mut queues = self.queues.lock();
        if let Some(queue) = queues.iter_mut().find(|queue| Arc::ptr_eq(&queue.budget, &budget)) {
            queue.cells.push_back(cell);
            return queue.at;
        }
        let (_, at) = budget.fuel_left(SLICE, now);
        queues.push(Queue { budget, cells: VecDeque::from([cell]), at });
        at
    }

    /// When to look next.
    pub(super) fn next_at(&self) -> Option<Time> {
        self.queues.lock().iter().map(|queue| queue.at).min()
    }

    /// Those who may go on now.
    fn due(&self, now: Time) -> Vec<Arc<Cell>> {
        let mut queues = self.queues.lock();
        let mut due = Vec::new();
        for queue in queues.iter_mut().filter(|queue| queue.at <= now) {
            let (left, next) = queue.budget.fuel_left(SLICE, now);
            let turns = if left == 0 { 0 } else { usize::try_from(left / SLICE + 1).unwrap_or(usize::MAX) };
            due.extend(queue.cells.drain(..turns.min(queue.cells.len())));
            queue.at = next.max(now.saturating_add(PAUSE));
        }
        queues.retain(|queue| !queue.cells.is_empty());
        due
    }

    /// Nobody waits any more: the runtime is taken down.
    pub(super) fn forget_all(&self) {
        self.queues.lock().clear();
    }

    /// Has everybody looked at now: a rate may have changed.
    fn hurry(&self) {
        self.queues.lock().iter_mut().for_each(|queue| queue.at = Time::ZERO);
    }
}

impl Shell {
    /// Takes a process off the queue if a budget above it has no fuel. False if its turn is due.
    pub(super) fn throttled(&self, cell: &Arc<Cell>) -> bool {
        let Some(budget) = cell.budget.dry(|| self.now()) else { return false };
        if !cell.process.lock().park() {
            return false;
        }
        let at = self.throttle.add(budget, Arc::clone(cell), self.now());
        self.clock.nudge(at);
        true
    }

    /// Puts those back on the queue for whom there is fuel.
    pub(super) fn release_throttled(&self, now: Time) {
        for cell in self.throttle.due(now) {
            let goes_on = cell.process.lock().unpark();
            if goes_on {
                self.schedule(cell);
            }
        }
    }

    /// Some budget has other bounds.
    pub(crate) fn budgets_changed(&self) {
        self.throttle.hurry();
        self.clock.nudge(Time::ZERO);
        self.rooms.budgets_changed(self);
    }
}
