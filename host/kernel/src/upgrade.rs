//! Chooses what an upgrade does next: a transaction over all processes of the modules that change.
//!
//! Owns who takes part and how far each of them is. Never touches a process: it is told an [`Input`] and answers with
//! [`Order`]s, which the runtime performs. After `suspend`, `code_change`, `resume` of OTP's release handler (HOT-01),
//! with two differences: whatever goes wrong before the commit, everybody goes on as before (where OTP leaves processes
//! suspended, HOT-09), and processes that are born meanwhile take part.

mod path;
mod protocol;
#[cfg(test)]
mod tests;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};

use crate::Pid;

pub use path::{NoPath, Path, path};
pub use protocol::{Failure, Input, Mail, MigrationStep, News, NotMigrated, Order, Stop, UpgradeId, Verdict};

/// States that are being taken over at once, at most. Each needs an instance or two beside its own, and workers are few.
const WINDOW: usize = 16;
/// How often births are let go on because somebody who was found late is busy: it may wait for one of them.
const REOPENED_MOST: u32 = 4;

/// How far a process is.
#[derive(Clone, PartialEq, Debug)]
enum Member {
    Asked,
    Suspended(Stop),
    Migrating(Stop),
    Migrated(Stop, usize),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    New,
    Suspending,
    /// Births wait, and all that were known when that began have stopped.
    Closing,
    Closed,
    Migrating,
    Ended,
}

/// One upgrade.
#[derive(Debug)]
pub struct Transaction {
    phase: Phase,
    members: BTreeMap<Pid, Member>,
    /// Those not yet suspended.
    busy: usize,
    /// Those not yet told to migrate.
    queue: VecDeque<Pid>,
    migrating: usize,
    migrated: usize,
    reopened: u32,
}

impl Default for Transaction {
    fn default() -> Self {
        Transaction {
            phase: Phase::New,
            members: BTreeMap::new(),
            busy: 0,
            queue: VecDeque::new(),
            migrating: 0,
            migrated: 0,
            reopened: 0,
        }
    }
}

impl Transaction {
    /// Takes one input and adds what is to be done to `out`.
    pub fn step(&mut self, input: Input, out: &mut Vec<Order>) {
        match (self.phase, input) {
            (Phase::Ended, _) => return,
            (Phase::New, Input::Found(pids)) => {
                self.phase = Phase::Suspending;
                self.add(pids, out);
            }
            (Phase::Closing, Input::Closed(pids)) => {
                self.phase = Phase::Closed;
                self.add(pids, out);
            }
            (_, Input::News { pid, news }) => self.news(pid, news, out),
            // It is closed for as long as somebody is busy.
            (Phase::Closed, Input::Lull) if self.reopened < REOPENED_MOST => {
                self.reopened += 1;
                self.phase = Phase::Suspending;
                out.push(Order::Open);
            }
            (Phase::Suspending | Phase::Closing | Phase::Closed, Input::TimeUp) => {
                let busy = self.in_state(|member| matches!(member, Member::Asked));
                self.end(Err(Failure::Busy(busy)), out);
            }
            (Phase::Migrating, Input::TimeUp) => {
                let slow = self.in_state(|member| !matches!(member, Member::Migrated(..)));
                self.end(Err(Failure::TooSlow(slow)), out);
            }
            (_, Input::Cancel) => self.end(Err(Failure::Cancelled), out),
            (_, Input::Found(_) | Input::Closed(_) | Input::Lull | Input::TimeUp) => {}
        }
        self.advance(out);
    }

    fn add(&mut self, pids: Vec<Pid>, out: &mut Vec<Order>) {
        for pid in pids {
            // Whoever takes part already is as far as it is.
            if let Entry::Vacant(place) = self.members.entry(pid) {
                place.insert(Member::Asked);
                self.busy += 1;
                out.push(Order::Suspend(pid));
            }
        }
    }

    fn news(&mut self, pid: Pid, news: News, out: &mut Vec<Order>) {
        let Some(member) = self.members.get_mut(&pid) else { return };
        match (member.clone(), news) {
            (Member::Asked, News::Suspended { at, mail, begun, hibernated }) => {
                *member = Member::Suspended(Stop { at, mail, begun, hibernated });
                self.busy -= 1;
            }
            (Member::Migrating(stop), News::Migrated { bytes }) => {
                *member = Member::Migrated(stop, bytes);
                self.migrating -= 1;
                self.migrated += 1;
            }
            (Member::Migrating(_), News::NotMigrated(why)) => self.end(Err(Failure::NotMigrated(pid, why)), out),
            (state, News::Gone) => {
                match state {
                    Member::Asked => self.busy -= 1,
                    Member::Suspended(_) => {}
                    Member::Migrating(_) => self.migrating -= 1,
                    Member::Migrated(..) => self.migrated -= 1,
                }
                self.members.remove(&pid);
            }
            // Told in answer to something that has been overtaken.
            (_, News::Suspended { .. } | News::Migrated { .. } | News::NotMigrated(_)) => {}
        }
    }

    /// All that is due.
    fn advance(&mut self, out: &mut Vec<Order>) {
        match self.phase {
            Phase::New | Phase::Closing | Phase::Ended => {}
            Phase::Suspending if self.busy == 0 => {
                self.phase = Phase::Closing;
                out.push(Order::Close);
            }
            Phase::Closed if self.busy == 0 => {
                // HOT-01: all are suspended before any of them changes.
                self.phase = Phase::Migrating;
                self.queue = self.members.keys().copied().collect();
                self.migrate(out);
            }
            Phase::Suspending | Phase::Closed => {}
            Phase::Migrating => self.migrate(out),
        }
    }

    fn migrate(&mut self, out: &mut Vec<Order>) {
        while self.migrating < WINDOW
            && let Some(pid) = self.queue.pop_front()
        {
            // It may have ended while it waited for its turn.
            if let Some(member) = self.members.get_mut(&pid)
                && let Member::Suspended(stop) = *member
            {
                *member = Member::Migrating(stop);
                self.migrating += 1;
                out.push(Order::Migrate(pid));
            }
        }
        if self.migrating == 0 && self.queue.is_empty() {
            out.push(Order::Commit);
            self.end(Ok(()), out);
        }
    }

    fn end(&mut self, result: Result<(), Failure>, out: &mut Vec<Order>) {
        self.phase = Phase::Ended;
        let verdict = if result.is_ok() { Verdict::Commit } else { Verdict::RollBack };
        out.extend(self.members.keys().map(|pid| Order::Resume(*pid, verdict)));
        out.push(Order::End(result));
    }

    fn in_state(&self, wanted: impl Fn(&Member) -> bool) -> Vec<Pid> {
        self.members.iter().filter(|(_, member)| wanted(member)).map(|(pid, _)| *pid).collect()
    }

    /// Whether states are being taken over.
    #[must_use]
    pub fn is_migrating(&self) -> bool {
        self.phase == Phase::Migrating
    }

    /// Whether it is over.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.phase == Phase::Ended
    }

    /// How many take part.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether nobody takes part.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// How many have stopped.
    #[must_use]
    pub fn suspended(&self) -> usize {
        self.members.len() - self.busy
    }

    /// How many have been taken over.
    #[must_use]
    pub fn migrated(&self) -> usize {
        self.migrated
    }

    /// How each of those that were taken over had stopped, and the bytes of its state.
    pub fn taken_over(&self) -> impl Iterator<Item = (Pid, Stop, usize)> + '_ {
        self.members.iter().filter_map(|(pid, member)| match member {
            Member::Migrated(stop, bytes) => Some((*pid, *stop, *bytes)),
            _ => None,
        })
    }
}
