//! Deadlines in order.
//!
//! Owns what is due when. Never reads a clock and never waits: whoever has the clock asks for the next deadline, sleeps
//! until then and takes out what is due. The runtime keeps one for the timers of its processes and supervisors.

use std::collections::BTreeMap;

use crate::Time;

/// Names one entry of one queue, for removing it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct TimerKey {
    at: Time,
    /// Counts insertions, so that equal deadlines leave in the order in which they came.
    sequence: u64,
}

impl TimerKey {
    /// When it is due.
    #[must_use]
    pub fn at(self) -> Time {
        self.at
    }
}

/// Items, each with a moment before which it stays.
#[derive(Debug)]
pub struct TimerQueue<T> {
    entries: BTreeMap<TimerKey, T>,
    inserted: u64,
}

impl<T> TimerQueue<T> {
    /// An empty queue.
    #[must_use]
    pub fn new() -> Self {
        TimerQueue { entries: BTreeMap::new(), inserted: 0 }
    }

    /// Keeps `item` until `at`, which may be past already.
    pub fn insert(&mut self, at: Time, item: T) -> TimerKey {
        let key = TimerKey { at, sequence: self.inserted };
        self.inserted += 1;
        self.entries.insert(key, item);
        key
    }

    /// Takes an item out before its time; `None` if it has left already (TMR-04).
    pub fn remove(&mut self, key: TimerKey) -> Option<T> {
        self.entries.remove(&key)
    }

    /// The earliest deadline.
    #[must_use]
    pub fn next_at(&self) -> Option<Time> {
        self.entries.first_key_value().map(|(key, _)| key.at)
    }

    /// Takes out the earliest item if it is due; never early (TMR-01), always in the order of deadlines (TMR-03).
    pub fn pop_due(&mut self, now: Time) -> Option<T> {
        let entry = self.entries.first_entry()?;
        (entry.key().at <= now).then(|| entry.remove())
    }

    /// How many items wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl<T> Default for TimerQueue<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn ms(n: u64) -> Time {
        Duration::from_millis(n)
    }

    #[test]
    fn tmr_01_nothing_leaves_early() {
        let mut queue = TimerQueue::new();
        let key = queue.insert(Duration::from_nanos(10), 'a');
        assert_eq!((queue.len(), queue.is_empty(), queue.next_at()), (1, false, Some(Duration::from_nanos(10))));
        assert_eq!(key.at(), Duration::from_nanos(10));
        assert_eq!(queue.pop_due(Duration::from_nanos(9)), None);
        assert_eq!(queue.pop_due(Duration::from_nanos(10)), Some('a'));
        assert_eq!(queue.pop_due(Duration::MAX), None);
        assert_eq!((queue.len(), queue.is_empty(), queue.next_at()), (0, true, None));
    }

    #[test]
    fn tmr_03_deadlines_decide_the_order_and_equal_ones_leave_as_they_came() {
        let mut queue = TimerQueue::default();
        for (at, item) in [(30, 'd'), (10, 'a'), (20, 'b'), (20, 'c'), (0, '0')] {
            queue.insert(ms(at), item);
        }
        let order: String = std::iter::from_fn(|| queue.pop_due(ms(30))).collect();
        assert_eq!(order, "0abcd");
    }

    #[test]
    fn tmr_04_what_was_removed_does_not_leave_and_is_removed_once() {
        let mut queue = TimerQueue::new();
        let a = queue.insert(ms(5), 'a');
        let b = queue.insert(ms(5), 'b');
        assert_eq!(queue.remove(a), Some('a'));
        assert_eq!(queue.remove(a), None);
        assert_eq!(queue.pop_due(ms(5)), Some('b'));
        assert_eq!(queue.remove(b), None);
    }

    #[test]
    fn tmr_08_the_farthest_deadline_does_not_wrap() {
        let mut queue = TimerQueue::new();
        queue.insert(Duration::MAX, 'z');
        queue.insert(ms(1 << 31), 'y');
        assert_eq!(queue.next_at(), Some(ms(1 << 31)));
        assert_eq!(queue.pop_due(ms((1 << 31) - 1)), None);
        assert_eq!(queue.pop_due(ms(1 << 31)), Some('y'));
        assert_eq!(queue.pop_due(ms(u64::MAX)), None);
        assert_eq!(queue.pop_due(Duration::MAX), Some('z'));
    }

    #[derive(Clone, Debug)]
    enum Step {
        Insert(u64),
        Remove(usize),
        Pop(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0..50u64).prop_map(Step::Insert),
            (0..20usize).prop_map(Step::Remove),
            (0..60u64).prop_map(Step::Pop)
        ]
    }

    proptest! {
        #[test]
        fn behaves_like_a_sorted_list(steps in prop::collection::vec(step(), 0..80)) {
            let mut queue = TimerQueue::new();
            let mut model: Vec<(u64, usize)> = Vec::new();
            let mut keys = Vec::new();
            for step in steps {
                match step {
                    Step::Insert(at) => {
                        let id = keys.len();
                        keys.push(queue.insert(ms(at), id));
                        model.push((at, id));
                    }
                    Step::Remove(id) => {
                        let known = model.iter().position(|&(_, i)| i == id).map(|i| model.remove(i).1);
                        prop_assert_eq!(keys.get(id).and_then(|&key| queue.remove(key)), known);
                    }
                    Step::Pop(now) => {
                        model.sort_unstable();
                        let due = model.first().is_some_and(|&(at, _)| at <= now).then(|| model.remove(0).1);
                        prop_assert_eq!(queue.pop_due(ms(now)), due);
                    }
                }
                prop_assert_eq!(queue.len(), model.len());
                prop_assert_eq!(queue.next_at(), model.iter().map(|&(at, _)| ms(at)).min());
            }
        }
    }
}
