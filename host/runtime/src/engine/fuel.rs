//! What computing and host work cost, and when a process has had its turn.
//!
//! Owns the prices and the account of one instance. wasmtime counts the instructions; the host's own work is counted
//! here, from a budget of the same size, because taking it out of wasmtime's counter would start its slice anew at every
//! host call, and a guest in a loop of host calls would never give way.

use skep_kernel::ExitReason;

use crate::api::Ended;

/// Fuel after which a process gives way to others. About ten units a nanosecond in plain code: 20 µs. A tenth of it
/// costs fib 3 %, more costs nothing measurable.
pub const SLICE: u64 = 200_000;

/// Every host call, whichever it is: some 50 ns for the crossing and what little is done. What does more pays the rest
/// itself.
pub const CALL: u64 = 500;
/// Beyond [`CALL`], of a host call that does little: it reaches no other process.
pub const LITTLE: u64 = 0;
/// Each byte that a host call carries: it is copied out and in again.
pub const BYTE: u64 = 2;
/// A host call that reaches another process: its lock, its mailbox, perhaps its waking.
pub const MESSAGE: u64 = 2_000;
/// For each message that waits at the receiver already: taken out of the sender's turn alone, not out of its fuel.
pub const BACKLOG: u64 = 50;
/// What a backlog takes at most: with less than some twenty messages in a turn, giving way would cost as much as sending.
const MOST_BACKLOG: u64 = SLICE / 32;
/// Starting a process: 4 µs at least.
pub const SPAWN: u64 = 50_000;

/// For start functions: static constructors, the start of a language's runtime. Python needs 6,025.
pub const INSTANTIATE: u64 = 1_000_000_000;
/// For `init`, which may fill caches; its time is limited as well.
pub const INIT: u64 = 100_000_000_000;
/// For `save`: 1,000 units for each byte of the default body limit, ten times over.
pub const SAVE: u64 = 10_000_000_000;
/// For `restore`, which may also rebuild and migrate.
pub const RESTORE: u64 = 20_000_000_000;
/// For `terminate`: some farewells.
pub const TERMINATE: u64 = 1_000_000_000;
/// For `describe`, which returns a constant.
pub const DESCRIBE: u64 = 100_000_000;

/// The account of one instance.
#[derive(Debug, Default)]
pub struct Meter {
    /// What wasmtime was given when the present budget began.
    budget: u64,
    /// What is left of the budget for host work.
    host_left: u64,
    /// More host work was done than was left for.
    overdrawn: bool,
    /// Used since the process last gave way.
    slice_used: u64,
    /// Used in all, up to the beginning of the present budget.
    used: u64,
}

impl Meter {
    /// Begins a budget; the caller gives wasmtime the same.
    pub fn begin(&mut self, budget: u64) {
        self.budget = budget;
        self.host_left = budget;
        self.overdrawn = false;
    }

    /// Ends a budget of which wasmtime has `left`.
    pub fn end(&mut self, left: u64) {
        let guest = self.budget.saturating_sub(left);
        self.used = self.used.saturating_add(guest).saturating_add(self.budget - self.host_left);
        // Within the call wasmtime has made the guest give way after each whole slice.
        self.slice_used += guest % SLICE;
        self.begin(0);
    }

    /// Pays for host work.
    pub fn pay(&mut self, cost: u64) -> Result<(), Ended> {
        self.charge(cost);
        if self.overdrawn { Err(Ended(ExitReason::limit("fuel"))) } else { Ok(()) }
    }

    /// Pays for host work where nobody can be told that there is not enough left. Whoever pays next is.
    pub fn charge(&mut self, cost: u64) {
        match self.host_left.checked_sub(cost) {
            Some(left) => {
                self.host_left = left;
                self.slice_used += cost;
            }
            None => self.overdrawn = true,
        }
    }

    /// It has sent to one with whom so many messages wait now: the more there are, the sooner it gives way. A receiver that is
    /// left behind would only gather memory that no cache holds, and both would be slower for it.
    pub fn press(&mut self, waiting: usize) {
        self.slice_used += BACKLOG.saturating_mul(waiting as u64).min(MOST_BACKLOG);
    }

    /// Whether the process must give way now. Having been told so, it begins a new slice.
    pub fn slice_is_over(&mut self) -> bool {
        let over = self.slice_used >= SLICE;
        if over {
            self.slice_used = 0;
        }
        over
    }

    /// The process has waited, so that others had their turn.
    pub fn waited(&mut self) {
        self.slice_used = 0;
    }

    /// Fuel used by the budgets that have ended.
    pub fn used(&self) -> u64 {
        self.used
    }
}

/// Lets other processes run, and is scheduled again at once.
pub async fn give_way() {
    let mut given = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut given, true) {
            return std::task::Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_work_has_a_budget_that_ends_the_process() {
        let mut meter = Meter::default();
        meter.begin(1_000);
        assert!(meter.pay(600).is_ok());
        assert!(matches!(meter.pay(600), Err(Ended(ExitReason::Limit(what))) if &*what == "fuel"));
    }

    #[test]
    fn what_is_charged_in_silence_is_missed_by_the_next_payment() {
        let mut meter = Meter::default();
        meter.begin(1_000);
        meter.charge(1_000);
        assert!(meter.pay(0).is_ok(), "all of it may be used");
        meter.charge(1);
        assert!(meter.pay(0).is_err());
        meter.begin(1_000);
        assert!(meter.pay(0).is_ok(), "a new budget has begun");
    }

    #[test]
    fn a_crowd_at_the_receiver_shortens_the_turn_and_costs_no_fuel() {
        let sends_in_a_turn = |waiting: usize| {
            let mut meter = Meter::default();
            meter.begin(u64::MAX);
            let sends = (1..).find(|_| {
                meter.charge(MESSAGE);
                meter.press(waiting);
                meter.slice_is_over()
            });
            assert_eq!(u64::MAX - meter.host_left, MESSAGE * sends.expect("a turn ends"));
            sends
        };
        assert_eq!(
            [0, 1, 40, 500, 1_000_000].map(sends_in_a_turn),
            [Some(100), Some(98), Some(50), Some(25), Some(25)]
        );
    }

    #[test]
    fn short_messages_and_host_work_add_up_to_a_slice() {
        let mut meter = Meter::default();
        for _ in 0..2 {
            assert!(!meter.slice_is_over());
            meter.begin(SLICE);
            meter.pay(SLICE / 4).expect("within the budget");
            meter.end(SLICE - SLICE / 4);
        }
        assert_eq!(meter.used(), SLICE);
        assert!(meter.slice_is_over());
        assert!(!meter.slice_is_over(), "a new slice has begun");
    }
}
