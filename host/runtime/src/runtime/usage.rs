//! What each app uses: its budget's counts, and what its processes have done, those that have ended among them.

use skep_kernel::Name;
use skep_kernel::budget::{Budget, BudgetSpec, Resource};

use super::Runtime;
use crate::inspect::AppUsage;
use crate::shell::{App, Cell, Content};

impl Runtime {
    /// What the apps use at this moment, in the order of their names. One process is looked at after the other, so that the
    /// sums are exact only while nothing goes on.
    #[must_use]
    pub fn usage(&self) -> Vec<AppUsage> {
        let cells = self.inner.shell.table.all();
        let apps = self.apps();
        apps.iter().filter_map(|name| self.usage_among(name, &cells)).collect()
    }

    fn usage_among(&self, name: &Name, cells: &[std::sync::Arc<Cell>]) -> Option<AppUsage> {
        let running = self.app(name).ok()?;
        let mut usage = begun(&running.app, running.bounds);
        let counts = |cell: &&std::sync::Arc<Cell>| {
            std::sync::Arc::ptr_eq(&cell.app, &running.app) && !matches!(cell.content, Content::Client(_))
        };
        cells.iter().filter(counts).for_each(|cell| add(&mut usage, cell));
        Some(usage)
    }
}

/// What is counted for the app as a whole.
fn begun(app: &App, bounds: BudgetSpec) -> AppUsage {
    let budget: &Budget = &app.budget;
    let ended = app.tally.read();
    AppUsage {
        app: Name::clone(&app.name),
        processes: budget.used(Resource::Processes),
        instances: budget.used(Resource::Instances),
        memory_bytes: budget.used(Resource::Memory),
        timers: budget.used(Resource::Timers),
        fuel_used: budget.fuel_used(),
        mailbox_messages: 0,
        mailbox_bytes: 0,
        throttled: 0,
        messages_in: ended.messages_in,
        messages_out: ended.messages_out,
        dropped: ended.dropped,
        restarts: ended.restarts,
        bounds,
    }
}

fn add(usage: &mut AppUsage, cell: &Cell) {
    let process = cell.process.lock();
    let (mailbox, done) = (process.mailbox(), process.statistics());
    usage.mailbox_messages += mailbox.len() as u64;
    usage.mailbox_bytes += mailbox.bytes() as u64;
    usage.throttled += u64::from(process.is_parked());
    usage.messages_in += done.messages_in;
    usage.messages_out += done.messages_out;
    usage.dropped += mailbox.dropped();
}
