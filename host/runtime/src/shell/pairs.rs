//! One link or unlink at a time between any two processes.
//!
//! A link is kept on both sides, and each side changes under a lock of its own: a link from here that crossed an unlink
//! from there would leave half of one. Taken before the lock of any process, by `link` and `unlink` alone.

use skep_kernel::Pid;

use super::sync::{Mutex, MutexGuard};

/// Enough that unrelated pairs seldom wait for each other.
const STRIPES: usize = 64;

/// Locks for pairs of processes.
pub(super) struct Pairs {
    stripes: [Mutex<()>; STRIPES],
}

impl Default for Pairs {
    fn default() -> Self {
        Pairs { stripes: [const { Mutex::new(()) }; STRIPES] }
    }
}

impl Pairs {
    /// Waits until nobody links or unlinks these two, whichever of them asks.
    pub(super) fn lock(&self, one: Pid, other: Pid) -> MutexGuard<'_, ()> {
        let stripe = one.id.wrapping_add(other.id) % STRIPES as u64;
        self.stripes[usize::try_from(stripe).unwrap_or_default()].lock()
    }
}
