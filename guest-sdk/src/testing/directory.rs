//! Registries, groups and topics, as the process under test finds them.
//!
//! Owns the entries, of that process and of others that the test has put there. Everything is granted and every lock is
//! free; a registry is unique unless the test says otherwise. Called by `world`.

use std::collections::{BTreeMap, BTreeSet};

use crate::types::{Body, Change, Changed, Entry, Mark, Pid, Refusal, Removal};

/// What keys belong to.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Table {
    Registry(String),
    Scope(String),
    Topics,
}

/// The entries of an app, and what the process under test watches.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    /// By key, then by process, then by age.
    entries: BTreeMap<(Table, String, Pid, u64), Body>,
    made: u64,
    duplicate: BTreeSet<String>,
    /// Everything in a table, or one key.
    watches: BTreeMap<Mark, (Table, Option<String>)>,
    locks: BTreeSet<(String, String)>,
}

impl Directory {
    pub(crate) fn is_duplicate(&mut self, registry: &str) {
        self.duplicate.insert(registry.to_owned());
    }

    /// What the process under test is told of it.
    pub(crate) fn add(&mut self, table: Table, key: &str, pid: Pid, value: Body) -> Result<Vec<Change>, Refusal> {
        let unique = matches!(&table, Table::Registry(name) if !self.duplicate.contains(name));
        if let Some(holder) = self.find(&table, key).first().filter(|_| unique) {
            return Err(Refusal::Taken(holder.pid));
        }
        self.made += 1;
        let entry = Entry { key: key.to_owned(), pid, value: value.clone() };
        self.entries.insert((table.clone(), key.to_owned(), pid, self.made), value);
        Ok(self.told(&table, key, &Changed::Added(entry)))
    }

    /// Takes out so many at most: how many, and what the process under test is told of it.
    pub(crate) fn remove(&mut self, table: &Table, key: &str, pid: Pid, most: usize) -> (u32, Vec<Change>) {
        let theirs = |place: &&(Table, String, Pid, u64)| (&place.0, place.1.as_str(), place.2) == (table, key, pid);
        let places: Vec<_> = self.entries.keys().filter(theirs).take(most).cloned().collect();
        let mut told = Vec::new();
        for place in &places {
            self.entries.remove(place);
            told.extend(self.told(table, key, &Changed::Removed(Removal { key: key.to_owned(), pid })));
        }
        (u32::try_from(places.len()).unwrap_or(u32::MAX), told)
    }

    /// Takes out everything of a process.
    pub(crate) fn remove_all(&mut self, pid: Pid) -> Vec<Change> {
        let theirs = |place: &&(Table, String, Pid, u64)| place.2 == pid;
        let places: Vec<_> = self.entries.keys().filter(theirs).cloned().collect();
        places.iter().flat_map(|(table, key, pid, _)| self.remove(table, key, *pid, 1).1).collect()
    }

    pub(crate) fn find(&self, table: &Table, key: &str) -> Vec<Entry> {
        self.list(table).into_iter().filter(|entry| entry.key == key).collect()
    }

    pub(crate) fn list(&self, table: &Table) -> Vec<Entry> {
        let in_it = self.entries.iter().filter(|((of, ..), _)| of == table);
        in_it.map(|((_, key, pid, _), value)| Entry { key: key.clone(), pid: *pid, value: value.clone() }).collect()
    }

    pub(crate) fn replace(&mut self, registry: &str, key: &str, pid: Pid, value: Body) -> Result<(), Refusal> {
        if self.duplicate.contains(registry) {
            return Err(Refusal::Invalid("a duplicate registry has no value to update".to_owned()));
        }
        let theirs = |place: &(Table, String, Pid, u64)| {
            matches!(&place.0, Table::Registry(name) if name == registry) && place.1 == key && place.2 == pid
        };
        match self.entries.iter_mut().find(|(place, _)| theirs(place)) {
            Some((_, old)) => *old = value,
            None => return Err(Refusal::Unknown("this process has no entry under the key".to_owned())),
        }
        Ok(())
    }

    pub(crate) fn watch(&mut self, mark: Mark, table: Table, key: Option<String>) {
        self.watches.insert(mark, (table, key));
    }

    pub(crate) fn unwatch(&mut self, mark: Mark) -> bool {
        self.watches.remove(&mark).is_some()
    }

    pub(crate) fn lock(&mut self, registry: &str, key: &str) -> Result<bool, Refusal> {
        if self.locks.insert((registry.to_owned(), key.to_owned())) {
            return Ok(true);
        }
        Err(Refusal::Invalid("this process has that lock already".to_owned()))
    }

    pub(crate) fn unlock(&mut self, registry: &str, key: &str) -> bool {
        self.locks.remove(&(registry.to_owned(), key.to_owned()))
    }

    fn told(&self, table: &Table, key: &str, what: &Changed) -> Vec<Change> {
        let watching =
            self.watches.iter().filter(|(_, (of, only))| of == table && only.as_deref().is_none_or(|o| o == key));
        watching.map(|(mark, _)| Change { mark: *mark, what: what.clone() }).collect()
    }
}
