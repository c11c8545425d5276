//! Who waits for room in one budget, first come first served.
//!
//! Owns the queue. What there is room for is counted by the budget.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;

/// The queue of one budget.
#[derive(Default)]
pub(super) struct Lane(Mutex<Queue>);

#[derive(Default)]
struct Queue {
    /// Those who wait, in the order of their tickets.
    waiting: VecDeque<(u64, Waker)>,
    /// The next ticket.
    next: u64,
}

impl Lane {
    /// Takes room with `take` if nobody was here before; else waits with a ticket.
    pub(super) fn pass(&self, ticket: &mut Option<u64>, waker: &Waker, take: impl FnOnce() -> bool) -> bool {
        let mut queue = self.queue();
        let is_first = match (queue.waiting.front(), *ticket) {
            (None, _) => true,
            (Some((first, _)), own) => own == Some(*first),
        };
        if is_first && take() {
            if ticket.take().is_some() {
                queue.waiting.pop_front();
            }
            // There may be room for the next one too.
            queue.wake_first();
            return true;
        }
        queue.wait(ticket, waker);
        false
    }

    /// There is room again.
    pub(super) fn wake(&self) {
        self.queue().wake_first();
    }

    /// There may be room for many.
    pub(super) fn wake_all(&self) {
        self.queue().waiting.iter().for_each(|(_, waker)| waker.wake_by_ref());
    }

    /// Whoever has this ticket waits no longer.
    pub(super) fn leave(&self, ticket: u64) {
        let mut queue = self.queue();
        queue.waiting.retain(|(other, _)| *other != ticket);
        // It may have been woken for nothing.
        queue.wake_first();
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        // A queue is sound between any two of its steps.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn wait(&mut self, ticket: &mut Option<u64>, waker: &Waker) {
        let place = ticket.and_then(|ticket| self.waiting.iter_mut().find(|(other, _)| *other == ticket));
        if let Some((_, known)) = place {
            known.clone_from(waker);
            return;
        }
        *ticket = Some(self.next);
        self.waiting.push_back((self.next, waker.clone()));
        self.next += 1;
    }

    fn wake_first(&self) {
        if let Some((_, waker)) = self.waiting.front() {
            waker.wake_by_ref();
        }
    }
}
