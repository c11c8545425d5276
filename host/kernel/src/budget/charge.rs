//! What is held of one resource, and given back when it is dropped.

use std::sync::Arc;

use super::{Budget, Exceeded, Resource};

/// So much of one resource.
#[derive(Debug)]
pub struct Charge {
    budget: Arc<Budget>,
    of: Resource,
    amount: u64,
}

impl Charge {
    /// Nothing yet.
    #[must_use]
    pub fn none(budget: Arc<Budget>, of: Resource) -> Self {
        Charge { budget, of, amount: 0 }
    }

    /// So much, if there is room.
    pub fn take(budget: Arc<Budget>, of: Resource, amount: u64) -> Result<Self, Exceeded> {
        let mut charge = Charge::none(budget, of);
        charge.grow(amount)?;
        Ok(charge)
    }

    /// So much more, if there is room.
    pub fn grow(&mut self, by: u64) -> Result<(), Exceeded> {
        self.budget.take(self.of, by)?;
        self.amount += by;
        Ok(())
    }

    /// So much in all from now on, whether there is room or not.
    pub fn set(&mut self, amount: u64) {
        match amount.checked_sub(self.amount) {
            Some(more) => self.budget.overdraw(self.of, more),
            None => self.budget.give(self.of, self.amount - amount),
        }
        self.amount = amount;
    }

    /// How much it is.
    #[must_use]
    pub fn amount(&self) -> u64 {
        self.amount
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.budget.give(self.of, self.amount);
    }
}
