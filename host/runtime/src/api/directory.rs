//! What a guest may ask of its app's directory, and what registries, groups and topics have in common when they do.
//!
//! The three interfaces differ in words; each makes a [`Place`] or a [`Table`] of its arguments.

use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use skep_kernel::directory::{HowMany, Place, Table, Watched};
use skep_kernel::{Body, Mark, Name, Pid, Refusal};

use super::bindings::types;
use super::{Ended, Syscalls};
use crate::engine::context::Context;
use crate::engine::fuel;

/// What a host function that can be refused brings.
pub type Answered<T> = Result<Result<T, Refusal>, Ended>;

/// An entry as it was found.
pub type Found = (Name, Pid, Arc<Body>);

/// What may be asked of an app's directory in the name of one process. See [`Syscalls`].
pub trait DirectoryCalls: Send + Sync + 'static {
    /// Adds an entry, of this process unless it says whose.
    fn enroll(&self, place: Place, whom: Option<Pid>, value: Body) -> Answered<()>;
    /// Takes entries out, of this process unless it says whose: how many there were.
    fn withdraw(&self, place: Place, whom: Option<Pid>, how_many: HowMany) -> Answered<usize>;
    /// The entries under a key; refused if they have more bytes than these.
    fn find(&self, place: Place, most_bytes: usize) -> Answered<Vec<Found>>;
    /// The entries of a table, by key; refused if they have more bytes than these.
    fn list(&self, table: Table, most_bytes: usize) -> Answered<Vec<Found>>;
    /// How many entries a table has.
    fn count(&self, table: Table) -> Answered<usize>;
    /// The keys under which a process has entries.
    fn keys_of(&self, table: Table, pid: Pid) -> Answered<Vec<Name>>;
    /// Gives this process's entry under a unique key another value.
    fn replace_value(&self, place: Place, value: Body) -> Answered<()>;
    /// From now on changes arrive as events with this mark: what is there at this moment, if that is wanted; refused if it
    /// has more bytes than these.
    fn watch(&self, watched: Watched, most_bytes: Option<usize>) -> Answered<(Mark, Vec<Found>)>;
    /// No longer; whether there was such a watch.
    fn unwatch(&self, mark: Mark) -> Result<bool, Ended>;
    /// Begins to wait for a lock. [`DirectoryCalls::poll_lock`] brings whether this process has it.
    fn begin_lock(&self, place: Place, timeout_ms: Option<u64>) -> Answered<Mark>;
    /// Whether this process has the lock, or the time was up first.
    fn poll_lock(&self, place: &Place, mark: Mark, cx: &mut TaskContext<'_>) -> Poll<Result<bool, Ended>>;
    /// Gives a lock back; whether this process had it.
    fn unlock(&self, place: &Place) -> Result<bool, Ended>;
}

/// A key of a registry.
pub(super) fn in_registry(registry: String, key: String) -> Place {
    Place { table: Table::Registry(registry.into()), key: key.into() }
}

/// A group of a scope.
pub(super) fn in_scope(scope: String, group: String) -> Place {
    Place { table: Table::Scope(scope.into()), key: group.into() }
}

/// A topic.
pub(super) fn topic(topic: String) -> Place {
    Place { table: Table::Topics, key: topic.into() }
}

fn entry((key, pid, value): Found) -> types::Entry {
    types::Entry { key: key.to_string(), pid: pid.into(), value: Arc::unwrap_or_clone(value).into() }
}

fn entries(found: Vec<Found>) -> Vec<types::Entry> {
    found.into_iter().map(entry).collect()
}

/// A count as the contract has it.
pub(super) fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

impl Context {
    /// Pays for something that names a place, and gives access to the shell.
    pub(super) async fn at(
        &mut self,
        import: &'static str,
        place: &Place,
        more_bytes: usize,
    ) -> wasmtime::Result<Arc<dyn Syscalls>> {
        let table = match &place.table {
            Table::Registry(name) | Table::Scope(name) => name.len(),
            Table::Topics => 0,
        };
        let bytes = table.saturating_add(place.key.len()).saturating_add(more_bytes);
        Ok(Arc::clone(self.act_with(import, fuel::MESSAGE, bytes).await?))
    }

    /// Pays for what an answer carries.
    pub(super) async fn carry(
        &mut self,
        found: Result<Vec<Found>, Refusal>,
    ) -> wasmtime::Result<Result<Vec<types::Entry>, types::Refusal>> {
        let bytes = |(key, _, value): &Found| key.len() + value.len() + size_of::<Pid>();
        self.pay(0, found.iter().flatten().map(bytes).sum()).await?;
        Ok(found.map(entries).map_err(types::Refusal::from))
    }

    /// Pays for the keys that an answer carries, which is refused if they are too many.
    pub(super) async fn carry_keys(
        &mut self,
        keys: Result<Vec<Name>, Refusal>,
    ) -> wasmtime::Result<Result<Vec<String>, types::Refusal>> {
        let bytes = keys.iter().flatten().map(|key| key.len()).sum();
        self.pay(0, bytes).await?;
        if bytes > self.body_bytes {
            return Ok(Err(too_much().into()));
        }
        Ok(keys.map(|keys| keys.iter().map(ToString::to_string).collect()).map_err(types::Refusal::from))
    }
}

/// Why an answer is not given.
pub(crate) fn too_much() -> Refusal {
    Refusal::Limit("the answer is larger than a body may be".into())
}
