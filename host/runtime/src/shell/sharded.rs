//! A set of things that have numbers, which are counted up, spread over locks. No guard leaves it, so nobody can hold one and
//! wait.
//!
//! Each of a million processes takes 19 bytes in it: half of what a map takes, which would hold the number a second time, and a
//! quarter of a library's concurrent map.

use std::borrow::Borrow;
use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use parking_lot::RwLock;

use super::Cell;
use super::spread::Spread;

/// Enough that two cores seldom meet, and that the one that grows is soon done: it looks up the numbers of all that it holds.
const SHARDS: usize = 256;

/// What is known by a number that it holds itself.
pub(super) trait Numbered {
    fn number(&self) -> &u64;
}

impl Numbered for Arc<Cell> {
    fn number(&self) -> &u64 {
        &self.pid.id
    }
}

/// Things by their numbers.
pub(super) struct Sharded<V>([Shard<V>; SHARDS]);

/// In cache lines of its own.
#[repr(align(64))]
struct Shard<V>(RwLock<HashSet<ByNumber<V>, Spread>>);

/// Found by its number.
struct ByNumber<V>(V);

impl<V: Numbered> Borrow<u64> for ByNumber<V> {
    fn borrow(&self) -> &u64 {
        self.0.number()
    }
}

impl<V: Numbered> Hash for ByNumber<V> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.number().hash(state);
    }
}

impl<V: Numbered> PartialEq for ByNumber<V> {
    fn eq(&self, other: &Self) -> bool {
        self.0.number() == other.0.number()
    }
}

impl<V: Numbered> Eq for ByNumber<V> {}

impl<V> Default for Sharded<V> {
    fn default() -> Self {
        Sharded(std::array::from_fn(|_| Shard(RwLock::default())))
    }
}

impl<V: Numbered> Sharded<V> {
    fn shard(&self, id: u64) -> &RwLock<HashSet<ByNumber<V>, Spread>> {
        // The remainder is below 256.
        &self.0[usize::try_from(id % SHARDS as u64).unwrap_or_default()].0
    }

    /// False if there is one of this number: then that stays.
    pub(super) fn insert(&self, id: u64, value: V) -> bool {
        debug_assert_eq!(id, *value.number());
        self.shard(id).write().insert(ByNumber(value))
    }

    pub(super) fn remove(&self, id: u64) {
        let removed = self.shard(id).write().take(&id);
        // Whatever goes with it: nobody waits for that.
        drop(removed);
    }

    /// What is found in the one of this number.
    pub(super) fn read<R>(&self, id: u64, read: impl FnOnce(&V) -> R) -> Option<R> {
        self.shard(id).read().get(&id).map(|ByNumber(value)| read(value))
    }

    /// Shows all of them, a shard at a time, in no order.
    pub(super) fn each(&self, mut show: impl FnMut(&V)) {
        for Shard(shard) in &self.0 {
            shard.read().iter().for_each(|ByNumber(value)| show(value));
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

    /// A number, and something beside it.
    type Thing = (u64, u64);

    impl Numbered for Thing {
        fn number(&self) -> &u64 {
            &self.0
        }
    }

    #[test]
    fn each_number_has_one_value_until_it_is_taken_out() {
        let map = Sharded::default();
        for id in 0..1_000 {
            assert!(map.insert(id, (id, id * 2)));
            assert!(!map.insert(id, (id, 0)), "it stays");
        }
        (0..1_000).step_by(3).for_each(|id| map.remove(id));
        map.remove(3_000);
        let mut all = Vec::new();
        map.each(|value| all.push(*value));
        all.sort_unstable();
        let expected: Vec<Thing> = (0..1_000).filter(|id| id % 3 != 0).map(|id| (id, id * 2)).collect();
        assert_eq!((map.len(), all), (expected.len(), expected));
        assert_eq!((map.read(1, |value| *value), map.read(3, |value| *value)), (Some((1, 2)), None));
    }

    #[test]
    fn many_entries_are_spread_evenly() {
        let map = Sharded::default();
        (0..256_000).for_each(|id| assert!(map.insert(id, (id, 0))));
        assert!(map.0.iter().all(|Shard(shard)| shard.read().len() == 1_000));
    }
}
