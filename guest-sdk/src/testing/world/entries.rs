//! Entries of registries, groups and topics: those that the test puts there, and those of the process under test.
//!
//! Owns who is told of what comes and goes. The entries themselves are in `directory`.

use super::World;
use crate::host::topics::Audience;
use crate::testing::action::Action;
use crate::testing::directory::Table;
use crate::types::{Body, Event, Mark, Pid, Refusal};

impl World {
    /// An entry that somebody has in a registry, under a key as JSON.
    ///
    /// # Errors
    ///
    /// Who holds the key, if it is unique.
    pub fn registered(&mut self, registry: &str, key: &str, pid: Pid, value: Body) -> Result<(), Refusal> {
        self.enroll(Table::Registry(registry.to_owned()), key, pid, value)
    }

    /// Somebody who joins a group.
    pub fn joined(&mut self, scope: &str, group: &str, pid: Pid) {
        // Nobody holds a group.
        let _ = self.enroll(Table::Scope(scope.to_owned()), group, pid, Body::Json("null".to_owned()));
    }

    /// Somebody who subscribes to a topic.
    pub fn subscribed(&mut self, topic: &str, pid: Pid) {
        // Nobody holds a topic.
        let _ = self.enroll(Table::Topics, topic, pid, Body::Json("null".to_owned()));
    }

    /// Somebody who ends, with all entries.
    pub fn gone(&mut self, pid: Pid) {
        for told in self.directory.remove_all(pid) {
            self.inbox.push_back(Event::Change(told));
        }
    }

    /// An entry of any process; if this one watches, it is told.
    pub(crate) fn enroll(&mut self, table: Table, key: &str, pid: Pid, value: Body) -> Result<(), Refusal> {
        let told = self.directory.add(table, key, pid, value)?;
        self.inbox.extend(told.into_iter().map(Event::Change));
        Ok(())
    }

    pub(crate) fn withdraw(&mut self, table: &Table, key: &str, pid: Pid, most: usize) -> u32 {
        let (count, told) = self.directory.remove(table, key, pid, most);
        self.inbox.extend(told.into_iter().map(Event::Change));
        count
    }

    pub(crate) fn watch(&mut self, table: Table, key: Option<String>) -> Mark {
        let mark = self.mark();
        self.directory.watch(mark, table, key);
        mark
    }

    pub(crate) fn unwatch(&mut self, mark: Mark) -> bool {
        self.inbox.retain(|event| !matches!(event, Event::Change(change) if change.mark == mark));
        self.directory.unwatch(mark)
    }

    pub(crate) fn broadcast(&mut self, topic: &str, body: &Body, to: Audience) -> u32 {
        self.note(Action::Broadcast { topic: topic.to_owned(), body: body.clone() });
        let mut reached = 0;
        for entry in self.directory.find(&Table::Topics, topic) {
            if entry.pid != self.me {
                reached += 1;
            } else if to == Audience::Everybody {
                self.inbox.push_back(Event::Info(body.clone()));
                reached += 1;
            }
        }
        reached
    }
}
