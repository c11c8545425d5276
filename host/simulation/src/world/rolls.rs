//! What must be in the directory: plain lists, kept without asking it.

use skep_kernel::directory::{HowMany, Place, Table};

use super::*;

#[derive(Default)]
pub(super) struct Rolls {
    /// In the order in which they were made.
    entries: Vec<(Place, Pid, Arc<Body>)>,
    /// Who holds each lock and, behind, who waits for it.
    pub(super) locks: BTreeMap<Place, VecDeque<(Pid, Mark)>>,
}

impl Rolls {
    pub(super) fn enter(&mut self, place: &Place, pid: Pid, value: &Arc<Body>) {
        self.entries.push((place.clone(), pid, Arc::clone(value)));
    }

    /// The oldest first.
    pub(super) fn take_out(&mut self, place: &Place, pid: Pid, how_many: HowMany) {
        let mut left = if how_many == HowMany::One { 1 } else { usize::MAX };
        self.entries.retain(|(of, holder, _)| {
            let goes = left > 0 && of == place && *holder == pid;
            left -= usize::from(goes);
            !goes
        });
    }

    pub(super) fn replace(&mut self, place: &Place, pid: Pid, value: &Arc<Body>) {
        if let Some(entry) = self.entries.iter_mut().find(|(of, holder, _)| of == place && *holder == pid) {
            entry.2 = Arc::clone(value);
        }
    }

    /// The entries under a key, by process, then by age.
    pub(super) fn under(&self, place: &Place) -> Vec<(Pid, Arc<Body>)> {
        let there = self.entries.iter().filter(|(of, ..)| of == place);
        let mut there: Vec<_> = there.map(|(_, pid, value)| (*pid, Arc::clone(value))).collect();
        there.sort_by_key(|(pid, _)| *pid);
        there
    }

    pub(super) fn holder(&self, place: &Place) -> Option<Pid> {
        self.entries.iter().find(|(of, ..)| of == place).map(|(_, pid, _)| *pid)
    }

    pub(super) fn count(&self, place: &Place, pid: Pid) -> usize {
        self.entries.iter().filter(|(of, holder, _)| of == place && *holder == pid).count()
    }

    /// Where a process has entries.
    pub(super) fn places(&self, pid: Pid) -> Vec<Place> {
        self.entries.iter().filter(|(_, holder, _)| *holder == pid).map(|(place, ..)| place.clone()).collect()
    }

    /// Entries and locks of a process, and bytes of its keys and values.
    pub(super) fn held(&self, pid: Pid) -> (usize, usize) {
        let own = || self.entries.iter().filter(|(_, holder, _)| *holder == pid);
        let locks = self.locks.values().flatten().filter(|(holder, _)| *holder == pid).count();
        (own().count() + locks, own().map(|(place, _, value)| place.key.len() + value.len()).sum())
    }

    pub(super) fn keys_in(&self, table: &Table, pid: Pid) -> Vec<Name> {
        let mut places = self.places(pid);
        places.retain(|place| place.table == *table);
        places.sort();
        places.into_iter().map(|place| place.key).collect()
    }

    pub(super) fn unlock(&mut self, place: &Place, pid: Pid) {
        let Some(queue) = self.locks.get_mut(place) else { return };
        queue.retain(|(waiting, _)| *waiting != pid);
        if queue.is_empty() {
            self.locks.remove(place);
        }
    }
}
