//! Who has an instance, the least recently used first.
//!
//! Owns the order, in lists that are spread over shards by process, so that workers seldom meet here. A turn costs nothing
//! while there is room; once a class is nearly full, whoever has had a turn goes to the end. Never decides who gives way:
//! `rooms` asks for the first that can.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::Cell;

/// So many lists, where there is room for many.
const SHARDS: usize = 8;
/// With fewer places than this, one list: the order is exact.
const FEW: u32 = 256;

/// The holders of the instances of a class.
pub(super) struct Holders {
    shards: Box<[Mutex<List>]>,
    /// Where the next search begins.
    next: AtomicUsize,
}

/// A place in a list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seat {
    shard: usize,
    number: usize,
}

/// A list that is linked both ways; what has left leaves its seat to whoever comes.
#[derive(Default)]
struct List {
    seats: Vec<Link>,
    free: Vec<usize>,
    first: Option<usize>,
    last: Option<usize>,
}

struct Link {
    cell: Weak<Cell>,
    before: Option<usize>,
    behind: Option<usize>,
}

impl Holders {
    /// For a class with so many places.
    pub(super) fn new(places: u32) -> Self {
        let shards = if places < FEW { 1 } else { SHARDS };
        Holders { shards: (0..shards).map(|_| Mutex::default()).collect(), next: AtomicUsize::new(0) }
    }

    /// Seats a process at the end.
    pub(super) fn enter(&self, cell: &Arc<Cell>) -> Seat {
        // The remainder is below their number.
        let shard = usize::try_from(cell.pid.id % self.shards.len() as u64).unwrap_or_default();
        let number = self.shards[shard].lock().push(Arc::downgrade(cell));
        Seat { shard, number }
    }

    /// Who sits here has just been used.
    pub(super) fn touch(&self, seat: Seat) {
        self.shards[seat.shard].lock().move_to_end(seat.number);
    }

    /// Who sits here has no instance any more.
    pub(super) fn leave(&self, seat: Seat) {
        let gone = self.shards[seat.shard].lock().remove(seat.number);
        // Outside of the lock: it may be the last that is left of a process.
        drop(gone);
    }

    /// The first of those that are meant who can give way.
    pub(super) fn first(&self, is_meant: impl Fn(&Cell) -> bool) -> Option<Arc<Cell>> {
        let begin = self.next.fetch_add(1, Ordering::Relaxed);
        let shards = (0..self.shards.len()).map(|number| &self.shards[(begin + number) % self.shards.len()]);
        shards.into_iter().find_map(|shard| shard.lock().find(&is_meant))
    }
}

impl List {
    fn push(&mut self, cell: Weak<Cell>) -> usize {
        let link = Link { cell, before: None, behind: None };
        let number = match self.free.pop() {
            Some(number) => {
                self.seats[number] = link;
                number
            }
            None => {
                self.seats.push(link);
                self.seats.len() - 1
            }
        };
        self.link_last(number);
        number
    }

    fn remove(&mut self, number: usize) -> Weak<Cell> {
        self.unlink(number);
        self.free.push(number);
        std::mem::take(&mut self.seats[number].cell)
    }

    fn move_to_end(&mut self, number: usize) {
        if self.last != Some(number) {
            self.unlink(number);
            self.link_last(number);
        }
    }

    /// Those that cannot give way go to the end, so that the next search does not look at them again first.
    fn find(&mut self, is_meant: &impl Fn(&Cell) -> bool) -> Option<Arc<Cell>> {
        let mut next = self.first;
        let last = self.last;
        while let Some(number) = next {
            next = self.seats[number].behind.filter(|_| Some(number) != last);
            let Some(cell) = self.seats[number].cell.upgrade().filter(|cell| is_meant(cell)) else { continue };
            if cell.process.lock().is_evictable() {
                return Some(cell);
            }
            self.move_to_end(number);
        }
        None
    }

    fn link_last(&mut self, number: usize) {
        self.seats[number].before = self.last;
        self.seats[number].behind = None;
        match self.last {
            Some(last) => self.seats[last].behind = Some(number),
            None => self.first = Some(number),
        }
        self.last = Some(number);
    }

    fn unlink(&mut self, number: usize) {
        let Link { before, behind, .. } = self.seats[number];
        match before {
            Some(before) => self.seats[before].behind = behind,
            None => self.first = behind,
        }
        match behind {
            Some(behind) => self.seats[behind].before = before,
            None => self.last = before,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    fn order(list: &List) -> Vec<usize> {
        std::iter::successors(list.first, |number| list.seats[*number].behind).collect()
    }

    proptest! {
        #[test]
        fn a_list_is_in_the_order_of_its_uses(steps in prop::collection::vec((0..3_u8, any::<prop::sample::Index>()), 0..200)) {
            let (mut list, mut model) = (List::default(), VecDeque::new());
            for (step, which) in steps {
                if step == 0 || model.is_empty() {
                    model.push_back(list.push(Weak::new()));
                    continue;
                }
                let number = model.remove(which.index(model.len())).expect("it is there");
                if step == 1 {
                    list.move_to_end(number);
                    model.push_back(number);
                } else {
                    list.remove(number);
                }
            }
            prop_assert_eq!(order(&list), Vec::from(model));
            let backwards: Vec<usize> = std::iter::successors(list.last, |number| list.seats[*number].before).collect();
            prop_assert!(backwards.iter().rev().eq(&order(&list)), "the links go both ways");
        }
    }
}
