//! Locks of keys: one holder, and a queue.
//!
//! Never waits and has no clock: whoever no longer wants a lock says so, whether it was reached meanwhile or not.

use std::collections::{HashMap, VecDeque};

use super::Place;
use crate::{Action, Body, Mark, Pid, Signal};

/// What asking for a lock comes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum Locking {
    /// Held from now on.
    Granted,
    /// Somebody holds it. The answer to this request comes when it is free.
    Queued,
}

/// The locks of one shard.
#[derive(Debug, Default)]
pub(super) struct Locks {
    /// Who holds each and, behind, who waits for it. No queue is empty.
    queues: HashMap<Place, VecDeque<(Pid, Mark)>>,
}

impl Locks {
    pub(super) fn lock(&mut self, place: Place, pid: Pid, mark: Mark) -> Locking {
        let queue = self.queues.entry(place).or_default();
        queue.push_back((pid, mark));
        if queue.len() == 1 { Locking::Granted } else { Locking::Queued }
    }

    /// Takes a process out of the queue. If it held the lock, the next one does from now on, and is to be told so.
    pub(super) fn unlock(&mut self, place: &Place, pid: Pid) -> Option<Action> {
        let queue = self.queues.get_mut(place)?;
        let position = queue.iter().position(|(waiting, _)| *waiting == pid)?;
        queue.remove(position);
        let Some(&(next, mark)) = queue.front() else {
            self.queues.remove(place);
            return None;
        };
        let outcome = Ok(Body::Raw(Vec::new()));
        (position == 0).then_some(Action::Deliver { to: next, signal: Signal::Answer { mark, by: next, outcome } })
    }
}
