//! An app's directory performed: entries of registries, groups and topics, spread over shards by their keys.
//!
//! Owns the order of steps between a process, which counts what it has, and the shards, which have it. Whether a process
//! lives is asked here, after a shard was looked into: a killed process is found no more, however long its end takes
//! (RPG-02). A shard may be locked while a process is, never the other way round.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use skep_kernel::directory::{Directory, Holding, HowMany, Keys, Place, Removed, Table, Watched, valid_key};
use skep_kernel::registry::Taken;
use skep_kernel::{Action, Body, Mark, Name, Pid, Refusal};

use super::post::Duty;
use super::{App, Cell, Shell};
use crate::api::directory::{Found, too_much};

impl App {
    /// Whether the keys of a place can serve as names (RPG-03).
    pub(crate) fn names_by(&self, place: &Place) -> Result<(), Refusal> {
        valid_key(&place.key).map_err(|why| Refusal::Invalid(why.into()))?;
        match (self.keys(&place.table), &place.table) {
            (Some(Keys::Unique), _) => Ok(()),
            (Some(Keys::Duplicate), _) => Err(Refusal::Invalid("keys of a duplicate registry are no names".into())),
            (None, table) => Err(no_such(table)),
        }
    }
}

/// There is no such table.
pub(super) fn no_such(table: &Table) -> Refusal {
    match table {
        Table::Registry(name) => Refusal::Unknown(format!("registry {name}")),
        Table::Scope(name) => Refusal::Unknown(format!("scope {name}")),
        Table::Topics => Refusal::Unknown("topics".into()),
    }
}

impl Shell {
    /// One change of a shard. Watchers are told while it is locked: two changes of one key reach them in their order.
    fn change<T>(
        &self,
        app: &Arc<App>,
        owner: Pid,
        shard: &Mutex<Directory>,
        duties: &mut VecDeque<Duty>,
        change: impl FnOnce(&mut Directory, &mut Vec<Action>) -> T,
    ) -> T {
        let mut actions = Vec::new();
        let mut locked = shard.lock();
        let result = change(&mut locked, &mut actions);
        for action in actions {
            match action {
                Action::Deliver { to, signal } => drop(self.hand_over(to, signal, duties)),
                action => duties.push_back(Duty { owner, app: Arc::clone(app), action }),
            }
        }
        result
    }

    fn change_at<T>(
        &self,
        app: &Arc<App>,
        owner: Pid,
        place: &Place,
        change: impl FnOnce(&mut Directory, &mut Vec<Action>) -> T,
    ) -> T {
        let mut duties = VecDeque::new();
        let result = self.change(app, owner, app.directory(place), &mut duties, change);
        self.work_off(duties);
        result
    }

    /// Takes out what a process leaves behind.
    pub(super) fn release(&self, app: &Arc<App>, owner: Pid, holding: &Holding, duties: &mut VecDeque<Duty>) {
        let one = match holding {
            Holding::Entries(place) | Holding::Lock(place) => Some(place),
            Holding::Watch { watched: Watched::Key(place), .. } => Some(place),
            Holding::Watch { watched: Watched::Table(_), .. } => None,
        };
        let shards = match one {
            Some(place) => std::slice::from_ref(app.directory(place)),
            None => app.directories(),
        };
        for shard in shards {
            self.change(app, owner, shard, duties, |shard, actions| shard.release(holding, owner, actions));
        }
    }

    fn lives(&self, pid: Pid) -> bool {
        self.table.get(pid).is_some_and(|cell| !cell.process.lock().is_doomed())
    }

    /// Adds an entry to its shard. A holder that is to end keeps nobody waiting: its entry is taken out now.
    pub(super) fn enter_directory(
        &self,
        app: &Arc<App>,
        pid: Pid,
        place: &Place,
        keys: Keys,
        value: &Arc<Body>,
    ) -> Result<(), Refusal> {
        loop {
            let registered = self.change_at(app, pid, place, |shard, actions| {
                shard.register(place.clone(), keys, pid, Arc::clone(value), actions)
            });
            match registered {
                Ok(()) => return Ok(()),
                Err(Taken(holder)) if self.lives(holder) => return Err(Refusal::Taken(holder)),
                Err(Taken(holder)) => {
                    self.change_at(app, holder, place, |shard, actions| {
                        shard.release(&Holding::Entries(place.clone()), holder, actions);
                    });
                }
            }
        }
    }

    /// Gives a process an entry.
    pub(super) fn enroll(&self, owner: &Cell, place: &Place, value: Body) -> Result<(), Refusal> {
        let keys = owner.app.keys(&place.table).ok_or_else(|| no_such(&place.table))?;
        let bytes = value.len();
        owner.process.lock().take_entry(place.clone(), bytes)?;
        let entered = self.enter_directory(&owner.app, owner.pid, place, keys, &Arc::new(value));
        if entered.is_err() {
            owner.process.lock().drop_entries(place, Removed { count: 1, bytes });
        }
        // Its end may have begun before the entry was there: then it has not taken it out.
        if owner.process.lock().is_doomed() {
            self.withdraw(owner, place, HowMany::All);
        }
        entered
    }

    /// Takes entries of a process out. Says how many.
    pub(super) fn withdraw(&self, owner: &Cell, place: &Place, how_many: HowMany) -> usize {
        let removed = self.change_at(&owner.app, owner.pid, place, |shard, actions| {
            shard.unregister(place, owner.pid, how_many, actions)
        });
        owner.process.lock().drop_entries(place, removed);
        removed.count
    }

    /// The entries under a key whose owners live, as long as their bytes together are no more than so many.
    pub(super) fn find(&self, app: &App, place: &Place, most_bytes: usize) -> Result<Vec<Found>, Refusal> {
        let shard = app.directory(place).lock();
        let found = collect(under(&shard, place), &mut { most_bytes });
        drop(shard);
        Ok(self.living(found?))
    }

    /// The entries of a table whose owners live, by key.
    pub(super) fn list(&self, app: &App, table: &Table, most_bytes: usize) -> Result<Vec<Found>, Refusal> {
        let (mut all, mut left) = (Vec::new(), most_bytes);
        for shard in app.directories() {
            all.extend(collect(shard.lock().table(table), &mut left)?);
        }
        all.sort_by(|(a, one, _), (b, other, _)| (a, one).cmp(&(b, other)));
        Ok(self.living(all))
    }

    fn living(&self, mut found: Vec<Found>) -> Vec<Found> {
        found.retain(|(_, pid, _)| self.lives(*pid));
        found
    }

    /// From now on a process is told of changes: what there is at this moment, if it wants to know. Owners that are to end
    /// are in it, since it will be told when they go.
    pub(super) fn watch(
        &self,
        app: &App,
        watched: &Watched,
        watcher: Pid,
        mark: Mark,
        most_bytes: Option<usize>,
    ) -> Result<Vec<Found>, Refusal> {
        let (mut all, mut left) = (Vec::new(), most_bytes.unwrap_or_default());
        let (table, shards) = match watched {
            Watched::Key(place) => (&place.table, std::slice::from_ref(app.directory(place))),
            Watched::Table(table) => (table, app.directories()),
        };
        for shard in shards {
            let mut shard = shard.lock();
            shard.watch(watched.clone(), watcher, mark);
            let found = match watched {
                _ if most_bytes.is_none() => continue,
                Watched::Key(place) => collect(under(&shard, place), &mut left),
                Watched::Table(_) => collect(shard.table(table), &mut left),
            };
            all.extend(found?);
        }
        all.sort_by(|(a, one, _), (b, other, _)| (a, one).cmp(&(b, other)));
        Ok(all)
    }

    /// A process no longer wants what it has in the directory.
    pub(super) fn give_back(&self, app: &Arc<App>, owner: Pid, holding: &Holding) {
        let mut duties = VecDeque::new();
        self.release(app, owner, holding, &mut duties);
        self.work_off(duties);
    }
}

fn under<'a>(shard: &'a Directory, place: &'a Place) -> impl Iterator<Item = (&'a Name, Pid, &'a Arc<Body>)> {
    shard.lookup(place).map(|(pid, value)| (&place.key, pid, value))
}

/// Entries, until their bytes are more than are `left`: then none, because half a listing is a wrong one.
fn collect<'a>(
    entries: impl Iterator<Item = (&'a Name, Pid, &'a Arc<Body>)>,
    left: &mut usize,
) -> Result<Vec<Found>, Refusal> {
    let mut found = Vec::new();
    for (key, pid, value) in entries {
        let bytes = key.len() + value.len() + size_of::<Pid>();
        *left = left.checked_sub(bytes).ok_or_else(too_much)?;
        found.push((Arc::clone(key), pid, Arc::clone(value)));
    }
    Ok(found)
}
