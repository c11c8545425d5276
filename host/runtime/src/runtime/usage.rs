//! What each app uses: its budget's counts and those of its supervisors, and what its processes have done, those that have
//! ended among them.

use std::collections::BTreeMap;
use std::sync::Arc;

use skep_kernel::Name;
use skep_kernel::budget::{Budget, Resource};

use super::Runtime;
use crate::engine::Class;
use crate::inspect::{AppUsage, BudgetUsage};
use crate::metrics::Metrics;
use crate::shell::{App, Cell, Content, Sums};
use crate::telemetry::{Kind, Subscription};

impl Runtime {
    /// What the apps use at this moment, in the order of their names. One process is looked at after the other, so that the
    /// sums are exact only while nothing goes on.
    #[must_use]
    pub fn usage(&self) -> Vec<AppUsage> {
        let cells = self.inner.shell.table.all();
        let apps = self.apps();
        apps.iter().filter_map(|name| self.usage_among(name, &cells)).collect()
    }

    /// What the runtime has counted since it was made. Costs little: no process is looked at.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        let Sums { spawns, exits, hits, wakes, evictions, fuel, wake_times, handle_times } =
            self.inner.shell.seen.sums();
        let slots = |class| self.engine().usage(class);
        let (small, large) = (slots(Class::Small), slots(Class::Large));
        Metrics { spawns, exits, hits, wakes, evictions, fuel, wake_times, handle_times, small, large }
    }

    /// Subscribes to events of these kinds, from now on. So many wait at most until they are taken, and at least one; the rest
    /// is counted. Dropping the subscription ends it.
    #[must_use]
    pub fn subscribe(&self, kinds: &[Kind], capacity: usize) -> Subscription {
        self.inner.shell.seen.hub.subscribe(kinds, capacity)
    }

    fn usage_among(&self, name: &Name, cells: &[Arc<Cell>]) -> Option<AppUsage> {
        let app = self.app(name).ok()?.app;
        let is_of_app = |cell: &&Arc<Cell>| Arc::ptr_eq(&cell.app, &app) && !matches!(cell.content, Content::Client(_));
        let cells: Vec<&Arc<Cell>> = cells.iter().filter(is_of_app).collect();
        let mut usage = begun(&app);
        let supervisors = cells.iter().filter_map(|cell| match &cell.content {
            Content::Supervisor(overseer) => Some((self.inner.shell.path(cell), overseer.own_budget(cell)?)),
            Content::Guest(_) | Content::Client(_) => None,
        });
        let supervisors: Vec<(String, Arc<Budget>)> = supervisors.collect();
        usage.supervisors = supervisors.iter().map(|(path, budget)| (path.clone(), counted(budget))).collect();
        for cell in cells {
            let (mailbox_bytes, fuel) = add(&mut usage, cell);
            for (path, _) in supervisors.iter().filter(|(_, budget)| budget.is_above(&cell.budget)) {
                usage.supervisors.entry(path.clone()).and_modify(|below| {
                    below.mailbox_bytes += mailbox_bytes;
                    below.fuel_used += fuel;
                });
            }
        }
        Some(usage)
    }
}

/// What is counted for the app as a whole.
fn begun(app: &App) -> AppUsage {
    let ended = app.tally.read();
    AppUsage {
        app: Name::clone(&app.name),
        total: counted(&app.budget),
        supervisors: BTreeMap::new(),
        mailbox_messages: 0,
        throttled: 0,
        runnable: 0,
        messages_in: ended.messages_in,
        messages_out: ended.messages_out,
        dropped: ended.dropped,
        restarts: ended.restarts,
    }
}

/// What a budget counts. What waits in mailboxes it counts only where that is bounded, and ahead of need.
fn counted(budget: &Budget) -> BudgetUsage {
    BudgetUsage {
        whose: Name::clone(budget.whose()),
        processes: budget.used(Resource::Processes),
        instances: budget.used(Resource::Instances),
        memory_bytes: budget.used(Resource::Memory),
        mailbox_bytes: 0,
        timers: budget.used(Resource::Timers),
        open_files: budget.used(Resource::OpenFiles),
        blocking_operations: budget.used(Resource::Blocking),
        fuel_used: budget.fuel_used(),
        logged_bytes: budget.logged_bytes(),
        bounds: budget.bounds(),
    }
}

/// Adds what a process has; how many bytes wait in its mailbox, and fuel that its budgets have not heard of yet.
fn add(usage: &mut AppUsage, cell: &Cell) -> (u64, u64) {
    let fuel = match &cell.content {
        Content::Guest(guest) => guest.usage.uncounted(),
        Content::Supervisor(_) | Content::Client(_) => 0,
    };
    usage.total.fuel_used += fuel;
    let process = cell.process.lock();
    let (mailbox, done) = (process.mailbox(), process.statistics());
    let bytes = mailbox.bytes() as u64;
    usage.total.mailbox_bytes += bytes;
    usage.mailbox_messages += mailbox.len() as u64;
    usage.throttled += u64::from(process.is_parked());
    usage.runnable += u64::from(process.is_queued());
    usage.messages_in += done.messages_in;
    usage.messages_out += done.messages_out;
    usage.dropped += mailbox.dropped();
    (bytes, fuel)
}
