//! What a mailbox has taken for the bodies that wait in it, ahead of need, so that a flood does not come back to the budgets
//! for each message.

use std::sync::Arc;

use super::{Budget, Exceeded, Resource};

/// What is taken ahead at most.
const AHEAD_MOST: u64 = 64 << 10;

/// The credit of one mailbox. The default one counts nowhere.
#[derive(Debug, Default)]
pub struct Credit {
    budget: Option<Arc<Budget>>,
    bytes: u64,
}

impl Credit {
    pub(super) fn of(budget: Option<Arc<Budget>>) -> Self {
        Credit { budget, bytes: 0 }
    }

    /// The budget, if it or one above it bounds mail.
    fn bounded(&self) -> Option<&Arc<Budget>> {
        self.budget.as_ref().filter(|budget| budget.bounds_mail())
    }

    /// The mailbox is to hold so many bytes in all. Takes as much again ahead as there is, while half of each budget is free.
    pub fn admit(&mut self, bytes: usize) -> Result<(), Exceeded> {
        let missing = (bytes as u64).saturating_sub(self.bytes);
        let Some(budget) = self.bounded().filter(|_| missing > 0) else { return Ok(()) };
        let ahead = missing.saturating_add(self.bytes.min(AHEAD_MOST));
        let amount = if budget.has_plenty(Resource::MailboxBytes, ahead) { ahead } else { missing };
        budget.take(Resource::MailboxBytes, amount)?;
        self.bytes += amount;
        Ok(())
    }

    /// The mailbox holds so many bytes, asked for or not: what a process brings upon itself is not refused.
    pub fn hold(&mut self, bytes: usize) {
        let missing = (bytes as u64).saturating_sub(self.bytes);
        if missing == 0 {
            return;
        }
        let Some(budget) = self.bounded() else { return };
        budget.overdraw(Resource::MailboxBytes, missing);
        self.bytes += missing;
    }

    /// The mailbox holds no more than so many bytes. What was taken ahead is kept while it is not much more.
    pub fn keep(&mut self, bytes: usize) {
        let bytes = bytes as u64;
        // So it is in most, which have nothing, because nobody counts.
        if self.bytes <= bytes.saturating_mul(4) {
            return;
        }
        let Some(budget) = &self.budget else { return };
        let over = self.bytes.saturating_sub(bytes);
        budget.give(Resource::MailboxBytes, over);
        self.bytes -= over;
    }
}

impl Drop for Credit {
    fn drop(&mut self) {
        self.keep(0);
    }
}
