//! What one process has taken from the budgets above it. Given back at its end, before anybody hears of that.

use std::sync::Arc;

use super::{Budget, Credit, Exceeded, Resource};

/// The account of a process. The default one counts nowhere.
#[derive(Debug, Default)]
pub struct Account {
    budget: Option<Arc<Budget>>,
    // There is one for each process, and memory ends before these numbers do.
    processes: u32,
    timers: u32,
    saved_bytes: u64,
}

impl Account {
    /// Of a new process, if there is room for one.
    pub fn open(budget: Arc<Budget>) -> Result<Self, Exceeded> {
        budget.take(Resource::Processes, 1)?;
        Ok(Account { budget: Some(budget), processes: 1, ..Account::default() })
    }

    /// One more timer.
    pub fn start_timer(&mut self) -> Result<(), Exceeded> {
        let Some(budget) = &self.budget else { return Ok(()) };
        budget.take(Resource::Timers, 1)?;
        self.timers += 1;
        Ok(())
    }

    /// So many timers are over.
    pub fn stop_timers(&mut self, many: usize) {
        let Some(budget) = &self.budget else { return };
        let many = self.timers.min(u32::try_from(many).unwrap_or(u32::MAX));
        budget.give(Resource::Timers, many.into());
        self.timers -= many;
    }

    /// The state that is kept has so many bytes, which is less than the instance had that is given back for it: there is
    /// always room.
    pub fn keep_state(&mut self, bytes: usize) {
        let Some(budget) = &self.budget else { return };
        let bytes = bytes as u64;
        match bytes.checked_sub(self.saved_bytes) {
            Some(more) => budget.overdraw(Resource::Memory, more),
            None => budget.give(Resource::Memory, self.saved_bytes - bytes),
        }
        self.saved_bytes = bytes;
    }

    /// What its mailbox takes from the same budgets.
    #[must_use]
    pub fn credit(&self) -> Credit {
        Credit::of(self.budget.clone())
    }

    /// Gives everything back: from now on it counts nowhere.
    pub fn close(&mut self) {
        let Some(budget) = self.budget.take() else { return };
        budget.give(Resource::Processes, std::mem::take(&mut self.processes).into());
        budget.give(Resource::Timers, std::mem::take(&mut self.timers).into());
        budget.give(Resource::Memory, std::mem::take(&mut self.saved_bytes));
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.close();
    }
}
