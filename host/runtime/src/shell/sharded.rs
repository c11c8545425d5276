//! A map by numbers that are counted up, spread over locks. No guard leaves it, so nobody can hold one and wait.
//!
//! Of a library's concurrent map, each of a million entries takes twice as much memory.

use std::collections::HashMap;

use parking_lot::RwLock;

use super::spread::Spread;

/// Enough that two cores seldom meet, and that the one that grows is soon done.
const SHARDS: usize = 64;

/// A map by numbers.
pub(super) struct Sharded<V>([Shard<V>; SHARDS]);

/// In cache lines of its own.
#[repr(align(64))]
struct Shard<V>(RwLock<HashMap<u64, V, Spread>>);

impl<V> Default for Sharded<V> {
    fn default() -> Self {
        Sharded(std::array::from_fn(|_| Shard(RwLock::default())))
    }
}

impl<V> Sharded<V> {
    fn shard(&self, id: u64) -> &RwLock<HashMap<u64, V, Spread>> {
        // The remainder is below 64.
        &self.0[usize::try_from(id % SHARDS as u64).unwrap_or_default()].0
    }

    /// False if there is one of this number: then that stays.
    pub(super) fn insert(&self, id: u64, value: V) -> bool {
        let mut shard = self.shard(id).write();
        let is_new = !shard.contains_key(&id);
        if is_new {
            shard.insert(id, value);
        }
        is_new
    }

    pub(super) fn remove(&self, id: u64) {
        let removed = self.shard(id).write().remove(&id);
        // Whatever goes with it: nobody waits for that.
        drop(removed);
    }

    /// What is found in the one of this number.
    pub(super) fn read<R>(&self, id: u64, read: impl FnOnce(&V) -> R) -> Option<R> {
        self.shard(id).read().get(&id).map(read)
    }

    /// Shows all of them, a shard at a time, in no order.
    pub(super) fn each(&self, mut show: impl FnMut(&V)) {
        for Shard(shard) in &self.0 {
            shard.read().values().for_each(&mut show);
        }
    }

    /// How many there are, more or less.
    pub(super) fn len(&self) -> usize {
        self.0.iter().map(|Shard(shard)| shard.read().len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_has_one_value_until_it_is_taken_out() {
        let map = Sharded::default();
        for id in 0..1_000 {
            assert!(map.insert(id, id * 2));
            assert!(!map.insert(id, 0), "it stays");
        }
        (0..1_000).step_by(3).for_each(|id| map.remove(id));
        map.remove(3_000);
        let mut all = Vec::new();
        map.each(|value| all.push(*value));
        all.sort_unstable();
        let expected: Vec<u64> = (0..1_000).filter(|id| id % 3 != 0).map(|id| id * 2).collect();
        assert_eq!((map.len(), all), (expected.len(), expected));
        assert_eq!((map.read(1, |value| *value), map.read(3, |value| *value)), (Some(2), None));
    }

    #[test]
    fn many_entries_are_spread_evenly() {
        let map = Sharded::default();
        (0..64_000).for_each(|id| assert!(map.insert(id, ())));
        assert!(map.0.iter().all(|Shard(shard)| shard.read().len() == 1_000));
    }
}
