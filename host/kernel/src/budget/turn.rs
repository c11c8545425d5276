//! An operation that blocks a thread, in all budgets above the process that wants it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::{Budget, Resource};

/// The turn of one operation: a future that is ready when it may begin. It counts until this is dropped.
///
/// Room is taken from the nearest budget up, and what was taken is held while it waits for the next: always in this order,
/// so that nobody waits for one who waits for him.
#[derive(Debug)]
pub struct Turn {
    budget: Arc<Budget>,
    /// How many budgets of the chain have let it pass.
    passed: usize,
    /// Its place in the queue of the next one.
    ticket: Option<u64>,
}

impl Turn {
    /// Below this budget. Nothing is taken before it is polled.
    #[must_use]
    pub fn new(budget: Arc<Budget>) -> Self {
        Turn { budget, passed: 0, ticket: None }
    }
}

impl Future for Turn {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let turn = &mut *self;
        for budget in turn.budget.chain().skip(turn.passed) {
            if !budget.lane.pass(&mut turn.ticket, context.waker(), || budget.take_here(Resource::Blocking, 1)) {
                return Poll::Pending;
            }
            turn.passed += 1;
        }
        Poll::Ready(())
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let (Some(ticket), Some(budget)) = (self.ticket, self.budget.chain().nth(self.passed)) {
            budget.lane.leave(ticket);
        }
        for budget in self.budget.chain().take(self.passed) {
            budget.give_here(Resource::Blocking, 1);
            budget.lane.wake();
        }
    }
}
