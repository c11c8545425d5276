//! Bounds the memory and tables of one instance.
//!
//! Owns the sum over all memories of a component and its part in the budgets above, and remembers that growth was refused, so that the trap which usually
//! follows is understood as a limit. Asked by wasmtime when an instance is made and whenever it grows.

use std::sync::Arc;

use skep_kernel::budget::{Budget, Charge, Exceeded, Resource};
use wasmtime::ResourceLimiter;

/// Table elements of one instance, all tables together. CPython has 5,688.
pub const TABLE_ELEMENTS: usize = 20_000;

/// Core instances of one component in either class; how much of the small class a component may be, is said there.
const INSTANCES: usize = 64;
/// Linear memories of one component. In the large class each takes 4 GiB of addresses and several memory mappings, of which
/// the whole program has few. Python has one, JavaScript two.
const MEMORIES: usize = 8;
/// Tables of one component.
const TABLES: usize = 16;

/// How much one instance has and may have.
#[derive(Debug)]
pub struct MemoryLimiter {
    memory_bytes: usize,
    memory_limit: usize,
    table_elements: usize,
    /// What it counts in the budgets above it.
    charge: Option<Charge>,
    refused: Option<Refused>,
}

/// What did not let an instance grow, as a reason says it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refused {
    /// Its own limit.
    Own,
    /// A budget above it.
    Budget(Exceeded),
}

impl MemoryLimiter {
    /// Allows so many bytes of linear memory.
    #[must_use]
    pub fn new(memory_limit: usize, budget: Option<Arc<Budget>>) -> Self {
        let charge = budget.map(|budget| Charge::none(budget, Resource::Memory));
        MemoryLimiter { memory_bytes: 0, memory_limit, table_elements: 0, charge, refused: None }
    }

    /// What has refused growth since this was last asked.
    pub fn take_refused(&mut self) -> Option<Refused> {
        std::mem::take(&mut self.refused)
    }

    /// Which budget has refused growth since this was last asked.
    pub fn take_exceeded(&mut self) -> Option<Exceeded> {
        match self.refused.take() {
            Some(Refused::Budget(exceeded)) => Some(exceeded),
            own => {
                self.refused = own;
                None
            }
        }
    }

    /// Bytes of linear memory that the instance has.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }

    /// Adds growth to a sum if it stays within the limit.
    fn grow(sum: &mut usize, limit: usize, current: usize, desired: usize) -> bool {
        let grown = sum.saturating_add(desired.saturating_sub(current));
        let fits = grown <= limit;
        if fits {
            *sum = grown;
        }
        fits
    }
}

impl ResourceLimiter for MemoryLimiter {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false); // The module's own bound, not ours.
        }
        if !Self::grow(&mut self.memory_bytes, self.memory_limit, current, desired) {
            self.refused = Some(Refused::Own);
            return Ok(false);
        }
        let grown = desired.saturating_sub(current);
        if let Some(Err(exceeded)) = self.charge.as_mut().map(|charge| charge.grow(grown as u64)) {
            self.memory_bytes -= grown;
            self.refused = Some(Refused::Budget(exceeded));
            return Ok(false);
        }
        Ok(true)
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let fits = Self::grow(&mut self.table_elements, TABLE_ELEMENTS, current, desired);
        if !fits {
            self.refused = Some(Refused::Own);
        }
        Ok(fits)
    }

    fn instances(&self) -> usize {
        INSTANCES
    }

    fn memories(&self) -> usize {
        MEMORIES
    }

    fn tables(&self) -> usize {
        TABLES
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use skep_kernel::budget::BudgetSpec;

    use super::*;

    #[test]
    fn all_memories_of_a_component_share_one_limit() {
        let mut limiter = MemoryLimiter::new(100, None);
        assert!(limiter.memory_growing(0, 60, None).expect("no error"));
        assert!(limiter.memory_growing(0, 40, None).expect("no error"));
        assert_eq!(limiter.take_refused(), None);
        assert!(!limiter.memory_growing(40, 41, None).expect("no error"));
        assert_eq!(limiter.take_refused(), Some(Refused::Own));
        assert_eq!(limiter.take_refused(), None, "told once");
        assert_eq!(limiter.memory_bytes(), 100);
    }

    #[test]
    fn the_maximum_of_the_module_is_not_our_refusal() {
        let mut limiter = MemoryLimiter::new(100, None);
        assert!(!limiter.memory_growing(0, 60, Some(50)).expect("no error"));
        assert_eq!(limiter.take_refused(), None);
    }

    #[test]
    fn what_a_budget_refuses_is_counted_nowhere_and_what_is_dropped_comes_back() {
        let spec = BudgetSpec { memory_bytes: Some(100), ..BudgetSpec::default() };
        let budget = Budget::new("app a", None, &spec, Duration::ZERO);
        let mut limiters = [60, 1_000].map(|limit| MemoryLimiter::new(limit, Some(Arc::clone(&budget))));
        let used = || budget.used(Resource::Memory);
        assert!(limiters[0].memory_growing(0, 50, None).expect("no error"));
        assert!(!limiters[0].memory_growing(50, 70, None).expect("no error"), "its own limit");
        assert_eq!((limiters[0].take_refused(), used()), (Some(Refused::Own), 50));
        assert!(!limiters[1].memory_growing(0, 51, None).expect("no error"));
        assert_eq!(
            limiters[1].take_refused(),
            Some(Refused::Budget(Exceeded { what: "memory", whose: "app a".into() }))
        );
        assert_eq!((limiters[1].memory_bytes(), used()), (0, 50));
        assert!(limiters[1].memory_growing(0, 50, None).expect("no error"));
        drop(limiters);
        assert_eq!(used(), 0);
    }
}
