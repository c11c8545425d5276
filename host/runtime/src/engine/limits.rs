//! Bounds the memory and tables of one instance.
//!
//! Owns the sum over all memories of a component, and remembers that growth was refused, so that the trap which usually
//! follows is understood as a limit. Asked by wasmtime when an instance is made and whenever it grows.

use wasmtime::ResourceLimiter;

/// Table elements of one instance, all tables together. CPython has 5,688.
pub const TABLE_ELEMENTS: usize = 20_000;

/// How much one instance has and may have.
#[derive(Debug)]
pub struct MemoryLimiter {
    memory_bytes: usize,
    memory_limit: usize,
    table_elements: usize,
    refused: bool,
}

impl MemoryLimiter {
    /// Allows so many bytes of linear memory.
    #[must_use]
    pub fn new(memory_limit: usize) -> Self {
        MemoryLimiter { memory_bytes: 0, memory_limit, table_elements: 0, refused: false }
    }

    /// Whether growth was refused since this was last asked.
    pub fn take_refused(&mut self) -> bool {
        std::mem::take(&mut self.refused)
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
        let fits = Self::grow(&mut self.memory_bytes, self.memory_limit, current, desired);
        self.refused |= !fits;
        Ok(fits)
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let fits = Self::grow(&mut self.table_elements, TABLE_ELEMENTS, current, desired);
        self.refused |= !fits;
        Ok(fits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_memories_of_a_component_share_one_limit() {
        let mut limiter = MemoryLimiter::new(100);
        assert!(limiter.memory_growing(0, 60, None).expect("no error"));
        assert!(limiter.memory_growing(0, 40, None).expect("no error"));
        assert!(!limiter.take_refused());
        assert!(!limiter.memory_growing(40, 41, None).expect("no error"));
        assert!(limiter.take_refused());
        assert!(!limiter.take_refused(), "told once");
        assert_eq!(limiter.memory_bytes(), 100);
    }

    #[test]
    fn the_maximum_of_the_module_is_not_our_refusal() {
        let mut limiter = MemoryLimiter::new(100);
        assert!(!limiter.memory_growing(0, 60, Some(50)).expect("no error"));
        assert!(!limiter.take_refused());
    }
}
