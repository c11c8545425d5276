//! What a process has in its app's directory: entries, watches, locks. Counted here, and let go of at its end.
//!
//! The order in which both sides change is that no entry can be left behind: this side counts an entry before the
//! directory has it, and forgets it after the directory has. Whoever adds an entry of another process looks afterwards
//! whether that has ended meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Process;
use super::delivery::Effect;
use crate::directory::{Claim, Holding, Place, Removed, Table, Watched};
use crate::{Action, Changed, Event, Mark, Name, Refusal};

/// What one process has in the directory.
#[derive(Debug, Default)]
pub(super) struct Holdings {
    /// How many entries under which key.
    entries: BTreeMap<Place, usize>,
    /// All entries together.
    count: usize,
    /// Bytes of their keys and values.
    bytes: usize,
    watches: BTreeMap<Mark, Watched>,
    /// Held or waited for.
    locks: BTreeSet<Place>,
}

impl Holdings {
    pub(super) fn watches(&self, mark: Mark) -> bool {
        self.watches.contains_key(&mark)
    }

    fn add(&mut self, place: Place, value_bytes: usize) {
        self.bytes += place.key.len() + value_bytes;
        self.count += 1;
        *self.entries.entry(place).or_default() += 1;
    }
}

impl Process {
    pub(super) fn is_born_with(&mut self, claim: Claim) {
        self.affairs.holdings.get_or_insert_default().add(claim.via.into(), claim.value.len());
    }

    /// Counts an entry that the directory is about to have. Refused to a process that is to end, or that has enough.
    pub fn take_entry(&mut self, place: Place, value_bytes: usize) -> Result<(), Refusal> {
        if self.is_doomed() {
            return Err(Refusal::Unknown("noproc".into()));
        }
        self.admit_one()?;
        self.disclose();
        let limit = self.nature.limits.entry_bytes;
        let holdings = self.affairs.holdings.get_or_insert_default();
        if holdings.bytes.saturating_add(place.key.len()).saturating_add(value_bytes) > limit {
            return Err(Refusal::Limit("entry_bytes".into()));
        }
        holdings.add(place, value_bytes);
        Ok(())
    }

    /// Whether it may have one more entry or lock.
    fn admit_one(&self) -> Result<(), Refusal> {
        let held = self.affairs.holdings.as_ref().map_or(0, |holdings| holdings.count + holdings.locks.len());
        if held < self.nature.limits.entries { Ok(()) } else { Err(Refusal::Limit("entries".into())) }
    }

    /// Forgets entries that the directory no longer has.
    pub fn drop_entries(&mut self, place: &Place, removed: Removed) {
        let Some(holdings) = &mut self.affairs.holdings else { return };
        let Some(count) = holdings.entries.get_mut(place) else { return };
        *count = count.saturating_sub(removed.count);
        if *count == 0 {
            holdings.entries.remove(place);
        }
        holdings.count = holdings.count.saturating_sub(removed.count);
        holdings.bytes = holdings.bytes.saturating_sub(removed.count * place.key.len() + removed.bytes);
    }

    /// Counts a value that is about to take the place of another, whose bytes come off with [`Process::value_replaced`].
    pub fn take_value(&mut self, bytes: usize) -> Result<(), Refusal> {
        self.disclose();
        let limit = self.nature.limits.entry_bytes;
        let holdings = self.affairs.holdings.get_or_insert_default();
        if holdings.bytes.saturating_add(bytes) > limit {
            return Err(Refusal::Limit("entry_bytes".into()));
        }
        holdings.bytes += bytes;
        Ok(())
    }

    /// So many bytes of a value are gone: of the one that was replaced, or of one that was not taken after all.
    pub fn value_replaced(&mut self, bytes: usize) {
        if let Some(holdings) = &mut self.affairs.holdings {
            holdings.bytes = holdings.bytes.saturating_sub(bytes);
        }
    }

    /// The keys of a table that it has entries under, each as often as it has entries.
    #[must_use]
    pub fn keys_in(&self, table: &Table) -> Vec<Name> {
        let entries = self.affairs.holdings.iter().flat_map(|holdings| &holdings.entries);
        let of_it = entries.filter(|(place, _)| place.table == *table);
        of_it.flat_map(|(place, &count)| std::iter::repeat_n(Arc::clone(&place.key), count)).collect()
    }

    /// The guest wants to be told of changes.
    pub fn watch(&mut self, watched: Watched) -> Result<Mark, Refusal> {
        let held = self.affairs.holdings.as_ref().map_or(0, |holdings| holdings.watches.len());
        if held >= self.nature.limits.monitors {
            return Err(Refusal::Limit("monitors".into()));
        }
        let mark = self.draw_mark();
        self.affairs.holdings.get_or_insert_default().watches.insert(mark, watched);
        Ok(mark)
    }

    /// The guest no longer wants to: what it watched, if it did. Changes that are queued are taken back.
    pub fn unwatch(&mut self, mark: Mark) -> Option<Watched> {
        self.mailbox.flush_changes(mark);
        self.affairs.holdings.as_mut()?.watches.remove(&mark)
    }

    /// Something that this process watches has changed. Others can go on changing it for ever, so it counts as a message;
    /// where there is no room the watch is over, and the process told so. A gap that nobody knows of would be worse.
    pub(super) fn take_change(&mut self, mark: Mark, what: Changed, actions: &mut Vec<Action>) -> Effect {
        // It is its mark that a receive goes by.
        let effect = self.effect_of(&Event::Change { mark, what: Changed::Missed });
        let Some(holdings) = self.affairs.holdings.as_mut().filter(|holdings| holdings.watches(mark)) else {
            return Effect::Quiet;
        };
        if self.mailbox.push_bounded(Event::Change { mark, what }, &self.nature.limits).is_err() {
            let watched = holdings.watches.remove(&mark);
            actions.extend(watched.map(|watched| Action::Release(Holding::Watch { watched, mark })));
            self.mailbox.push(Event::Change { mark, what: Changed::Missed });
        }
        effect
    }

    /// Counts a lock that is about to be asked for. A process does not wait for itself.
    pub fn take_lock(&mut self, place: Place) -> Result<(), Refusal> {
        if self.affairs.holdings.as_ref().is_some_and(|holdings| holdings.locks.contains(&place)) {
            return Err(Refusal::Invalid("this process has that lock already".into()));
        }
        self.admit_one()?;
        self.affairs.holdings.get_or_insert_default().locks.insert(place);
        Ok(())
    }

    /// Forgets a lock that the directory has given to others. False if it had none there.
    pub fn drop_lock(&mut self, place: &Place) -> bool {
        self.affairs.holdings.as_mut().is_some_and(|holdings| holdings.locks.remove(place))
    }

    /// At the end: all of it goes.
    pub(super) fn give_up_holdings(&mut self, actions: &mut Vec<Action>) {
        let Some(holdings) = self.affairs.holdings.take() else { return };
        let Holdings { entries, watches, locks, .. } = *holdings;
        // Its watches first: nobody is told any more who is no more.
        let watches = watches.into_iter().map(|(mark, watched)| Holding::Watch { watched, mark });
        let entries = entries.into_keys().map(Holding::Entries);
        let locks = locks.into_iter().map(Holding::Lock);
        actions.extend(watches.chain(entries).chain(locks).map(Action::Release));
    }
}
