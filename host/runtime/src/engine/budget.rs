//! Counts the live instances of a class.
//!
//! Owns the number, so that a full engine is known before wasmtime is asked. A [`Permit`] belongs to one instance and
//! gives its place back when it is dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// How many instances may live at once, and how many do.
#[derive(Debug)]
pub struct Budget {
    live: AtomicU32,
    limit: u32,
}

impl Budget {
    pub(crate) fn new(limit: u32) -> Arc<Self> {
        Arc::new(Budget { live: AtomicU32::new(0), limit })
    }

    /// A place, if there is one.
    pub(crate) fn take(self: &Arc<Self>) -> Option<Permit> {
        let claim = |live: u32| (live < self.limit).then_some(live + 1);
        self.live.fetch_update(Ordering::AcqRel, Ordering::Acquire, claim).ok()?;
        Some(Permit(self.clone()))
    }

    /// Live now, and at most.
    pub(crate) fn usage(&self) -> Usage {
        Usage { live: self.live.load(Ordering::Acquire), limit: self.limit }
    }
}

/// How full a class is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Usage {
    /// Instances that live now.
    pub live: u32,
    /// Instances that may.
    pub limit: u32,
}

impl Usage {
    /// Whether it is nearly full: who is to give way next begins to matter.
    #[must_use]
    pub fn is_scarce(self) -> bool {
        self.live >= self.limit - self.limit / 8
    }
}

/// A place in a class.
#[derive(Debug)]
pub struct Permit(Arc<Budget>);

impl Drop for Permit {
    fn drop(&mut self) {
        let live = self.0.live.fetch_sub(1, Ordering::AcqRel);
        assert!(live > 0, "a place was given back twice");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_comes_back_when_it_is_dropped() {
        let budget = Budget::new(1);
        let first = budget.take().expect("room");
        assert!(budget.take().is_none());
        assert_eq!(budget.usage(), Usage { live: 1, limit: 1 });
        drop(first);
        assert!(budget.take().is_some());
    }
}
