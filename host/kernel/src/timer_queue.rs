//! Deadlines: a timing wheel, for millions of them, most of which are taken back before they are due.
//!
//! Owns what is due when. Never reads a clock and never waits: whoever has the clock asks when to look, sleeps until then
//! and takes out what is due. The runtime keeps some for the timers of its processes and supervisors.
//!
//! To insert and to remove costs the same however many wait: an entry lies in the list of a slot, and moves to a finer one
//! each time the wheel comes near it, which is once or twice for one that is not taken back. Only those of the tick that has
//! begun are kept in order.

use std::collections::BTreeMap;

use crate::Time;

/// Nanoseconds of a tick, as a power of two: a millisecond.
const TICK_BITS: u32 = 20;
/// Slots of a level, as a power of two.
const SLOT_BITS: u32 = 6;
const SLOTS: usize = 1 << SLOT_BITS;
/// Enough for all ticks that fit in 64 bits of nanoseconds, some 584 years; what is later is as good as never.
const LEVELS: usize = 8;
/// The end of a list.
const NONE: u32 = u32::MAX;

/// Names one entry of one queue, for removing it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct TimerKey {
    /// Counts insertions: no two entries have the same.
    sequence: u64,
    index: u32,
}

/// Items, each with a moment before which it stays.
#[derive(Debug)]
pub struct TimerQueue<T> {
    entries: Vec<Entry<T>>,
    /// The first entry that is free.
    free: u32,
    waiting: usize,
    inserted: u64,
    /// The tick that has begun. Whatever is in the levels is due in a later one.
    now: u64,
    /// What is due in the present tick or before, in the order in which it leaves.
    near: BTreeMap<(Time, u64), u32>,
    levels: [Level; LEVELS],
}

/// A place for an item. Without one it is free, and `next` is the next free one.
#[derive(Debug)]
struct Entry<T> {
    at: Time,
    sequence: u64,
    previous: u32,
    next: u32,
    item: Option<T>,
}

/// Entries whose ticks differ from the present one in this digit and in none above.
#[derive(Debug)]
struct Level {
    /// Which slots have entries, a bit each.
    occupied: u64,
    /// The first entry of each, if its bit is set.
    first: [u32; SLOTS],
}

/// Where an entry is.
enum Place {
    Near,
    Slot { level: usize, slot: usize },
}

fn tick(at: Time) -> u64 {
    u64::try_from(at.as_nanos()).unwrap_or(u64::MAX) >> TICK_BITS
}

/// The digit of a tick that tells the slots of a level apart.
fn digit(tick: u64, level: usize) -> usize {
    usize::try_from(tick >> (SLOT_BITS as usize * level) & (SLOTS as u64 - 1)).unwrap_or_default()
}

impl<T> TimerQueue<T> {
    /// An empty queue.
    #[must_use]
    pub fn new() -> Self {
        let level = || Level { occupied: 0, first: [NONE; SLOTS] };
        TimerQueue {
            entries: Vec::new(),
            free: NONE,
            waiting: 0,
            inserted: 0,
            now: 0,
            near: BTreeMap::new(),
            levels: std::array::from_fn(|_| level()),
        }
    }

    /// Keeps `item` until `at`, which may be past already.
    ///
    /// # Panics
    ///
    /// If four thousand million wait.
    pub fn insert(&mut self, at: Time, item: T) -> TimerKey {
        let sequence = self.inserted;
        self.inserted += 1;
        self.waiting += 1;
        let entry = Entry { at, sequence, previous: NONE, next: NONE, item: Some(item) };
        let index = self.free;
        let index = if index == NONE {
            self.entries.push(entry);
            u32::try_from(self.entries.len() - 1)
                .ok()
                .filter(|index| *index != NONE)
                .expect("so many do not fit in memory")
        } else {
            let place = &mut self.entries[index as usize];
            self.free = place.next;
            *place = entry;
            index
        };
        self.put(index);
        TimerKey { sequence, index }
    }

    /// Takes an item out before its time; `None` if it has left already (TMR-04).
    pub fn remove(&mut self, key: TimerKey) -> Option<T> {
        let entry = self.entries.get(key.index as usize)?;
        if entry.sequence != key.sequence || entry.item.is_none() {
            return None;
        }
        let (at, previous, next) = (entry.at, entry.previous, entry.next);
        match self.place(at) {
            Place::Near => {
                self.near.remove(&(at, key.sequence));
            }
            Place::Slot { level, slot } => {
                if next != NONE {
                    self.entries[next as usize].previous = previous;
                }
                if previous != NONE {
                    self.entries[previous as usize].next = next;
                } else {
                    let level = &mut self.levels[level];
                    level.first[slot] = next;
                    level.occupied &= !(u64::from(next == NONE) << slot);
                }
            }
        }
        self.release(key.index)
    }

    /// When to look for what is due: never later than the earliest deadline, and up to a slot earlier, where one look tells
    /// more.
    #[must_use]
    pub fn next_at(&self) -> Option<Time> {
        let near = self.near.first_key_value().map(|((at, _), _)| *at);
        near.or_else(|| self.next_slot().map(|(level, slot)| Time::from_nanos(self.start(level, slot) << TICK_BITS)))
    }

    /// Takes out the earliest item if it is due; never early (TMR-01), always in the order of deadlines (TMR-03).
    pub fn pop_due(&mut self, now: Time) -> Option<T> {
        self.turn_to(tick(now));
        let first = self.near.first_entry()?;
        let (at, _) = *first.key();
        if at > now {
            return None;
        }
        let index = first.remove();
        self.release(index)
    }

    /// How many items wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    /// Where what is due then belongs.
    fn place(&self, at: Time) -> Place {
        let tick = tick(at);
        if tick <= self.now {
            return Place::Near;
        }
        let level = (tick ^ self.now).ilog2() / SLOT_BITS;
        Place::Slot { level: level as usize, slot: digit(tick, level as usize) }
    }

    fn put(&mut self, index: u32) {
        let entry = &self.entries[index as usize];
        let (at, sequence) = (entry.at, entry.sequence);
        match self.place(at) {
            Place::Near => {
                self.near.insert((at, sequence), index);
            }
            Place::Slot { level, slot } => {
                let level = &mut self.levels[level];
                let is_first = level.occupied & (1 << slot) == 0;
                let next = if is_first { NONE } else { level.first[slot] };
                level.occupied |= 1 << slot;
                level.first[slot] = index;
                if next != NONE {
                    self.entries[next as usize].previous = index;
                }
                let entry = &mut self.entries[index as usize];
                (entry.previous, entry.next) = (NONE, next);
            }
        }
    }

    fn release(&mut self, index: u32) -> Option<T> {
        let entry = &mut self.entries[index as usize];
        entry.next = self.free;
        self.free = index;
        self.waiting -= 1;
        let item = entry.item.take();
        if self.waiting == 0 && self.entries.len() > SLOTS {
            // A burst must not be paid for for ever. Keys of what has left find nothing.
            self.entries = Vec::new();
            self.free = NONE;
        }
        item
    }

    /// The slot whose entries are due next: of the finest level that has any, since those of the others differ from now in a
    /// higher digit.
    fn next_slot(&self) -> Option<(usize, usize)> {
        let level = self.levels.iter().position(|level| level.occupied != 0)?;
        Some((level, self.levels[level].occupied.trailing_zeros() as usize))
    }

    /// The first tick of a slot.
    fn start(&self, level: usize, slot: usize) -> u64 {
        let below = SLOT_BITS as usize * level;
        let above = below + SLOT_BITS as usize;
        let prefix = if above < u64::BITS as usize { self.now >> above << above } else { 0 };
        prefix | (slot as u64) << below
    }

    /// Goes on to this tick. What is due in it, or before, is near then.
    fn turn_to(&mut self, tick: u64) {
        while let Some((level, slot)) = self.next_slot() {
            let start = self.start(level, slot);
            if start > tick {
                break;
            }
            self.now = start;
            let level = &mut self.levels[level];
            level.occupied &= !(1 << slot);
            let mut index = std::mem::replace(&mut level.first[slot], NONE);
            while index != NONE {
                let next = self.entries[index as usize].next;
                self.put(index);
                index = next;
            }
        }
        self.now = self.now.max(tick);
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
        queue.insert(Duration::from_nanos(10), 'a');
        assert_eq!((queue.len(), queue.is_empty(), queue.next_at()), (1, false, Some(Duration::from_nanos(10))));
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
        assert!(queue.next_at().is_some_and(|at| at <= ms(1 << 31)));
        assert_eq!(queue.pop_due(ms((1 << 31) - 1)), None);
        assert_eq!(queue.pop_due(ms(1 << 31)), Some('y'));
        assert_eq!(queue.pop_due(ms(u64::MAX)), None);
        assert_eq!(queue.pop_due(Duration::MAX), Some('z'));
    }

    #[test]
    fn whoever_looks_when_he_is_told_to_finds_each_in_its_time_and_looks_a_few_times_only() {
        for at in
            [1, 999, 1_000_000, 1 << 20, (1 << 20) + 1, 5_000_000_000, 1 << 45, u64::MAX].map(Duration::from_nanos)
        {
            let mut queue = TimerQueue::new();
            queue.insert(at, 'a');
            let mut looks = Vec::new();
            let found = loop {
                let next = queue.next_at().expect("it waits");
                looks.push(next);
                if queue.pop_due(next).is_some() {
                    break next;
                }
            };
            assert_eq!(found, at);
            assert!(looks.is_sorted() && looks.len() <= LEVELS + 1, "{looks:?}");
        }
    }

    #[test]
    fn a_queue_that_is_empty_again_keeps_little_and_no_old_key_means_anything() {
        let mut queue = TimerQueue::new();
        let keys: Vec<_> = (0..1_000).map(|at| queue.insert(ms(at), at)).collect();
        assert!(keys.iter().all(|key| queue.remove(*key).is_some()));
        assert_eq!(queue.entries.capacity(), 0);
        queue.insert(ms(1), 0);
        assert!(keys.iter().all(|key| queue.remove(*key).is_none()));
        assert_eq!(queue.len(), 1);
    }

    #[test]
    fn a_million_deadlines_leave_in_order_but_for_those_taken_back() {
        const MANY: u64 = 1_000_000;
        let hour = 3_600_000_000_000;
        // In no order, over an hour.
        let at = |number: u64| Duration::from_nanos(number.wrapping_mul(0x9E37_79B9_7F4A_7C15) % hour);
        let mut queue = TimerQueue::new();
        let keys: Vec<_> = (0..MANY).map(|number| queue.insert(at(number), number)).collect();
        for key in keys.iter().step_by(2) {
            assert!(queue.remove(*key).is_some());
        }
        let (mut left, mut last, mut looks) = (0, Duration::ZERO, 0);
        while let Some(now) = queue.next_at() {
            looks += 1;
            while let Some(number) = queue.pop_due(now) {
                assert!(number % 2 == 1 && at(number) >= last && at(number) <= now);
                last = at(number);
                left += 1;
            }
        }
        assert_eq!(left, MANY / 2);
        // One for each of them, and one for each tick and slot that the wheel comes to.
        assert!(looks < 2 * MANY, "{looks} looks");
    }

    #[derive(Clone, Debug)]
    enum Step {
        Insert(u64),
        Remove(usize),
        Pop(u64),
    }

    /// Near and far, in nanoseconds: of one tick, of many levels, on both sides of their borders.
    fn deadline() -> impl Strategy<Value = u64> {
        let near = 0..4_000_000u64;
        let border = (0..60u32, 0..3u64).prop_map(|(bit, more)| ((1 << bit) + more).saturating_sub(1));
        prop_oneof![near, border]
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            deadline().prop_map(Step::Insert),
            (0..20usize).prop_map(Step::Remove),
            deadline().prop_map(Step::Pop)
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
                        keys.push(queue.insert(Duration::from_nanos(at), id));
                        model.push((at, id));
                    }
                    Step::Remove(id) => {
                        let known = model.iter().position(|&(_, i)| i == id).map(|i| model.remove(i).1);
                        prop_assert_eq!(keys.get(id).and_then(|&key| queue.remove(key)), known);
                    }
                    Step::Pop(now) => {
                        model.sort_unstable();
                        let due = model.first().is_some_and(|&(at, _)| at <= now).then(|| model.remove(0).1);
                        prop_assert_eq!(queue.pop_due(Duration::from_nanos(now)), due);
                    }
                }
                prop_assert_eq!(queue.len(), model.len());
                let earliest = model.iter().map(|&(at, _)| Duration::from_nanos(at)).min();
                prop_assert_eq!(queue.next_at().is_some(), earliest.is_some());
                prop_assert!(queue.next_at() <= earliest);
            }
        }
    }
}
