//! Registries, groups, topics and locks, as a guest asks for them.
//!
//! Owns the question whether it may.

use std::sync::Arc;
use std::task::{Context, Poll};

use skep_kernel::directory::{Holding, HowMany, Keys, Locking, Place, Table, Watched, valid_key};
use skep_kernel::process::{Callee, Waiting};
use skep_kernel::registry::NAME_BYTES;
use skep_kernel::{Address, Body, Mark, Name, Pid, Refusal, Signal};

use super::{Cell, Content, GuestCalls, Shell, deadline};
use crate::api::Ended;
use crate::api::directory::{Answered, DirectoryCalls, Found};
use crate::shell::directory::no_such;

impl GuestCalls {
    /// Whether this process may use a table: all of it, or what is under this key.
    fn admit(&self, table: &Table, key: Option<&str>) -> Result<Keys, Refusal> {
        key.map_or(Ok(()), valid_key).map_err(|why| Refusal::Invalid(why.into()))?;
        let Content::Guest(guest) = &self.cell.content else { return Err(Refusal::Denied("grants".into())) };
        let grants = &guest.spec.grants;
        let granted = match table {
            Table::Registry(name) => grants.registries.contains(name),
            Table::Scope(name) => grants.groups.contains(name),
            Table::Topics => key.is_some_and(|topic| grants.allows_topic(topic)),
        };
        if !granted {
            return Err(Refusal::Denied(match table {
                Table::Registry(name) => format!("registries = [{:?}]", shortened(name)),
                Table::Scope(name) => format!("groups = [{:?}]", shortened(name)),
                Table::Topics => format!("topics = [{:?}]", key.unwrap_or("*")),
            }));
        }
        self.cell.app.keys(table).ok_or_else(|| no_such(table))
    }

    fn admit_at(&self, place: &Place) -> Result<Keys, Refusal> {
        self.admit(&place.table, Some(&place.key))
    }

    /// Whether this process may address whoever holds a key. A pid and a name need no grant.
    pub(in crate::shell) fn admit_address(&self, to: &Address) -> Result<(), Refusal> {
        let Address::Via(via) = to else { return Ok(()) };
        let place = Place::from(via.clone());
        self.admit_at(&place)?;
        self.cell.app.names_by(&place)
    }

    /// Whose entry is meant: this process's own, or that of another one of this app and this node.
    fn owner(&self, shell: &Shell, whom: Option<Pid>) -> Result<Arc<Cell>, Refusal> {
        let Some(pid) = whom else { return Ok(Arc::clone(&self.cell)) };
        if pid.node != self.cell.pid.node {
            // RPG-10: pg's `nolocal`.
            return Err(Refusal::Invalid("nolocal: only processes of this node can be members".into()));
        }
        let cell = shell.table.get(pid).ok_or_else(|| Refusal::Unknown("noproc".into()))?;
        if !Arc::ptr_eq(&cell.app, &self.cell.app) {
            return Err(Refusal::Denied("members of another app".into()));
        }
        Ok(cell)
    }
}

/// A name for an error: nobody has said yet that it is short.
pub(super) fn shortened(name: &str) -> &str {
    &name[..name.floor_char_boundary(NAME_BYTES)]
}

impl DirectoryCalls for GuestCalls {
    fn enroll(&self, place: Place, whom: Option<Pid>, value: Body) -> Answered<()> {
        let shell = self.shell()?;
        Ok(self.admit_at(&place).and_then(|_| {
            let owner = self.owner(shell, whom)?;
            shell.enroll(&owner, &place, value)
        }))
    }

    fn withdraw(&self, place: Place, whom: Option<Pid>, how_many: HowMany) -> Answered<usize> {
        let shell = self.shell()?;
        Ok(self.admit_at(&place).and_then(|_| match self.owner(shell, whom) {
            Ok(owner) => Ok(shell.withdraw(&owner, &place, how_many)),
            // It has ended, and its entries with it.
            Err(Refusal::Unknown(_)) => Ok(0),
            Err(refusal) => Err(refusal),
        }))
    }

    fn find(&self, place: Place, most_bytes: usize) -> Answered<Vec<Found>> {
        let shell = self.shell()?;
        Ok(self.admit_at(&place).and_then(|_| shell.find(&self.cell.app, &place, most_bytes)))
    }

    fn list(&self, table: Table, most_bytes: usize) -> Answered<Vec<Found>> {
        let shell = self.shell()?;
        Ok(self.admit(&table, None).and_then(|_| shell.list(&self.cell.app, &table, most_bytes)))
    }

    fn count(&self, table: Table) -> Answered<usize> {
        drop(self.process()?);
        let count = || self.cell.app.directories().iter().map(|shard| shard.lock().table(&table).count()).sum();
        Ok(self.admit(&table, None).map(|_| count()))
    }

    fn keys_of(&self, table: Table, pid: Pid) -> Answered<Vec<Name>> {
        let shell = self.shell()?;
        Ok(self.admit(&table, None).map(|_| {
            let owner = self.owner(shell, Some(pid)).ok().filter(|owner| !owner.process.lock().is_doomed());
            owner.map_or(Vec::new(), |owner| owner.process.lock().keys_in(&table))
        }))
    }

    fn replace_value(&self, place: Place, value: Body) -> Answered<()> {
        self.shell()?;
        Ok(self.admit_at(&place).and_then(|keys| {
            if keys == Keys::Duplicate {
                return Err(Refusal::Invalid("a duplicate registry has no value to update".into()));
            }
            let bytes = value.len();
            self.cell.process.lock().take_value(bytes)?;
            let old = self.cell.app.directory(&place).lock().update(&place, self.cell.pid, Arc::new(value));
            self.cell.process.lock().value_replaced(old.unwrap_or(bytes));
            old.map(drop).ok_or_else(|| Refusal::Unknown("this process has no entry under the key".into()))
        }))
    }

    fn watch(&self, watched: Watched, most_bytes: Option<usize>) -> Answered<(Mark, Vec<Found>)> {
        let shell = self.shell()?;
        let admitted = match &watched {
            Watched::Table(table) => self.admit(table, None),
            Watched::Key(place) => self.admit_at(place),
        };
        let mark = match admitted {
            Ok(_) => self.process()?.watch(watched.clone()),
            Err(refusal) => Err(refusal),
        };
        Ok(mark.and_then(|mark| {
            let found = shell.watch(&self.cell.app, &watched, self.cell.pid, mark, most_bytes);
            if found.is_err() {
                self.end_watch(shell, mark);
            }
            Ok((mark, found?))
        }))
    }

    fn unwatch(&self, mark: Mark) -> Result<bool, Ended> {
        let shell = self.shell()?;
        Ok(self.end_watch(shell, mark))
    }

    fn begin_lock(&self, place: Place, timeout_ms: Option<u64>) -> Answered<Mark> {
        let shell = self.shell()?;
        if let Err(refusal) = self.admit_at(&place) {
            return Ok(Err(refusal));
        }
        if let Err(refusal) = self.process()?.take_lock(place.clone()) {
            return Ok(Err(refusal));
        }
        let begun = self.transition(|process, now, actions| {
            process.begin_call(Callee::Nobody, deadline(now, timeout_ms), Waiting::Blocking, actions)
        })?;
        let Ok(mark) = begun else {
            self.process()?.drop_lock(&place);
            return Ok(Err(Refusal::Limit("requests".into())));
        };
        let locking = self.cell.app.directory(&place).lock().lock(place.clone(), self.cell.pid, mark);
        if locking == Locking::Granted {
            let outcome = Ok(Body::Raw(Vec::new()));
            let _ = shell.deliver(self.cell.pid, Signal::Answer { mark, by: self.cell.pid, outcome });
        }
        Ok(Ok(mark))
    }

    fn poll_lock(&self, place: &Place, mark: Mark, _: &mut Context<'_>) -> Poll<Result<bool, Ended>> {
        let answer = match self.process() {
            Ok(mut process) => process.poll_call(mark),
            Err(ended) => return Poll::Ready(Err(ended)),
        };
        match answer {
            None => Poll::Pending,
            Some(Ok(_)) => Poll::Ready(Ok(true)),
            // It may have been granted just then: given back all the same.
            Some(Err(_)) => Poll::Ready(self.unlock(place).map(|_| false)),
        }
    }

    fn unlock(&self, place: &Place) -> Result<bool, Ended> {
        let shell = self.shell()?;
        let had = self.process()?.drop_lock(place);
        if had {
            shell.give_back(&self.cell.app, self.cell.pid, &Holding::Lock(place.clone()));
        }
        Ok(had)
    }
}

impl GuestCalls {
    fn end_watch(&self, shell: &Shell, mark: Mark) -> bool {
        let watched = self.cell.process.lock().unwatch(mark);
        let was = watched.is_some();
        if let Some(watched) = watched {
            shell.give_back(&self.cell.app, self.cell.pid, &Holding::Watch { watched, mark });
        }
        was
    }
}
