//! Who is under which key: the one mechanism below registries, process groups and topics.
//!
//! Owns one shard of the entries of one app, who watches them, and who has locked a key. Never knows whether a process
//! lives: whoever ends one takes its entries out, and whoever looks somebody up asks whether it lives (RPG-02). What one
//! process may hold is counted by [`crate::Process`].

mod locks;
mod place;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use locks::Locking;
pub use place::{Claim, Holding, KEY_BYTES, Keys, Place, Table, Via, Watched, valid_key};

use crate::event::Changed;
use crate::registry::Taken;
use crate::{Action, Body, Mark, Name, Pid, Signal};

/// The first of all pids, and the last.
const FIRST: Pid = Pid { node: 0, id: 0, tag: 0 };
const LAST: Pid = Pid { node: u32::MAX, id: u64::MAX, tag: u64::MAX };

/// One entry's place in the order: by key, then by process, then by age.
///
/// One flat map, and not a list for each key: a topic has a hundred thousand entries, of which each can go at any time,
/// and a unique registry has a hundred thousand keys of one entry.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Spot {
    place: Place,
    pid: Pid,
    number: u64,
}

/// How many of a process's entries are meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HowMany {
    /// The oldest.
    One,
    /// All.
    All,
}

/// What was taken out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[must_use]
pub struct Removed {
    /// So many entries.
    pub count: usize,
    /// Bytes of their values.
    pub bytes: usize,
}

/// One shard of an app's entries.
#[derive(Debug, Default)]
pub struct Directory {
    entries: BTreeMap<Spot, Arc<Body>>,
    /// Entries ever made: what an entry is numbered by.
    made: u64,
    watchers: BTreeSet<(Watched, Pid, Mark)>,
    locks: locks::Locks,
}

impl Directory {
    /// Adds an entry. A unique key that anybody holds, be it `pid` itself, is refused (RPG-01). Watchers are told.
    pub fn register(
        &mut self,
        place: Place,
        keys: Keys,
        pid: Pid,
        value: Arc<Body>,
        actions: &mut Vec<Action>,
    ) -> Result<(), Taken> {
        if keys == Keys::Unique
            && let Some(holder) = self.holder(&place)
        {
            return Err(Taken(holder));
        }
        self.made += 1;
        let key = Arc::clone(&place.key);
        self.tell(&place, Changed::Added { key, pid, value: Arc::clone(&value) }, actions);
        self.entries.insert(Spot { place, pid, number: self.made }, value);
        Ok(())
    }

    /// Takes entries of one process out, be it that it asked for that or that it has ended. Watchers are told of each.
    pub fn unregister(&mut self, place: &Place, pid: Pid, how_many: HowMany, actions: &mut Vec<Action>) -> Removed {
        let most = match how_many {
            HowMany::One => 1,
            HowMany::All => usize::MAX,
        };
        let spots: Vec<Spot> = self.of(place, pid, pid).take(most).map(|(spot, _)| spot.clone()).collect();
        let mut removed = Removed::default();
        for spot in spots {
            removed.bytes += self.entries.remove(&spot).map_or(0, |value| value.len());
            removed.count += 1;
            self.tell(place, Changed::Removed { key: Arc::clone(&place.key), pid }, actions);
        }
        removed
    }

    /// Gives the entry of a process under a unique key another value: the bytes of the one it had, or none if the process
    /// has no such entry, and then nothing changes (RPG-06).
    pub fn update(&mut self, place: &Place, pid: Pid, value: Arc<Body>) -> Option<usize> {
        let spot = self.of(place, pid, pid).next().map(|(spot, _)| spot.clone())?;
        self.entries.insert(spot, value).map(|old| old.len())
    }

    /// The entries under a key, by process.
    pub fn lookup(&self, place: &Place) -> impl Iterator<Item = (Pid, &Arc<Body>)> {
        self.of(place, FIRST, LAST).map(|(spot, value)| (spot.pid, value))
    }

    /// Who holds a unique key.
    #[must_use]
    pub fn holder(&self, place: &Place) -> Option<Pid> {
        self.lookup(place).next().map(|(pid, _)| pid)
    }

    /// The entries of a table in this shard, by key.
    pub fn table<'a>(&'a self, table: &'a Table) -> impl Iterator<Item = (&'a Name, Pid, &'a Arc<Body>)> {
        let first = Spot { place: Place { table: table.clone(), key: "".into() }, pid: FIRST, number: 0 };
        let in_it = self.entries.range(first..).take_while(move |(spot, _)| spot.place.table == *table);
        in_it.map(|(spot, value)| (&spot.place.key, spot.pid, value))
    }

    /// All entries in this shard, by table and key.
    pub fn iter(&self) -> impl Iterator<Item = (&Place, Pid, &Arc<Body>)> {
        self.entries.iter().map(|(spot, value)| (&spot.place, spot.pid, value))
    }

    /// From now on `pid` is told of what comes and goes, under this mark.
    pub fn watch(&mut self, watched: Watched, pid: Pid, mark: Mark) {
        self.watchers.insert((watched, pid, mark));
    }

    /// No longer.
    pub fn unwatch(&mut self, watched: &Watched, pid: Pid, mark: Mark) {
        self.watchers.remove(&(watched.clone(), pid, mark));
    }

    /// Asks for the lock of a key: held at once, or after whoever asked before.
    pub fn lock(&mut self, place: Place, pid: Pid, mark: Mark) -> Locking {
        self.locks.lock(place, pid, mark)
    }

    /// Gives a lock back, or no longer waits for it; the next one is told that it holds it now.
    pub fn unlock(&mut self, place: &Place, pid: Pid, actions: &mut Vec<Action>) {
        actions.extend(self.locks.unlock(place, pid));
    }

    /// Takes out what a process leaves behind. Twice does no harm: pids are used once.
    pub fn release(&mut self, holding: &Holding, pid: Pid, actions: &mut Vec<Action>) {
        match holding {
            Holding::Entries(place) => {
                let _ = self.unregister(place, pid, HowMany::All, actions);
            }
            Holding::Watch { watched, mark } => self.unwatch(watched, pid, *mark),
            Holding::Lock(place) => self.unlock(place, pid, actions),
        }
    }

    fn of(&self, place: &Place, first: Pid, last: Pid) -> impl Iterator<Item = (&Spot, &Arc<Body>)> {
        let spot = |pid, number| Spot { place: place.clone(), pid, number };
        self.entries.range(spot(first, 0)..=spot(last, u64::MAX))
    }

    fn tell(&self, place: &Place, what: Changed, actions: &mut Vec<Action>) {
        for watched in [Watched::Table(place.table.clone()), Watched::Key(place.clone())] {
            let from = (watched.clone(), FIRST, Mark(0));
            let watching = self.watchers.range(from..).take_while(|(of, _, _)| *of == watched);
            for &(_, to, mark) in watching {
                actions.push(Action::Deliver { to, signal: Signal::Change { mark, what: what.clone() } });
            }
        }
    }
}
