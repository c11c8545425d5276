//! Children that are alike and share the work: which of them a key leads to, and how many of them are in use (DSUP-09).
//!
//! Owns the places, in start order, and the change of their number, one child after the other. Elixir's
//! `PartitionSupervisor`, with bytes as keys.

use std::fmt;

use crate::{Pid, Time};

use super::children::{Origin, Rank, State, Waiter};
use super::protocol::{Answer, Order, RequestError};
use super::spec::Roster;
use super::{Progress, Supervisor};

/// Which of so many partitions a key leads to; none of none. The same one always: FNV-1a, which any language can repeat.
#[must_use]
pub fn place_of(key: &[u8], partitions: usize) -> Option<usize> {
    const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    let hash = key.iter().fold(BASIS, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME));
    // The low bits of this hash depend on the low bits of the key alone: fold the high ones in.
    let place = (hash ^ (hash >> 32)).checked_rem(partitions as u64)?;
    usize::try_from(place).ok()
}

/// Why a key leads to nobody.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RouteError {
    /// The supervisor has no partitions.
    NotPartitioned,
    /// None is in use.
    NoPartitions,
    /// This one, counted from 1, does not run now.
    Down(usize),
}

impl fmt::Display for RouteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RouteError::NotPartitioned => f.write_str("the supervisor has no partitions"),
            RouteError::NoPartitions => f.write_str("no partition is in use"),
            RouteError::Down(place) => write!(f, "partition {place} does not run now"),
        }
    }
}

/// The partitions of one supervisor; empty for any other.
#[derive(Debug)]
pub(super) struct Partitions<A> {
    /// In start order, so in ascending order too.
    places: Vec<Rank>,
    /// The first so many are in use.
    used: usize,
    resize: Option<Resize<A>>,
}

/// A change under way.
#[derive(Debug)]
struct Resize<A> {
    to: usize,
    ask: A,
    /// Whether a child is just being stopped or started for it.
    waits: bool,
}

impl<A> Default for Partitions<A> {
    fn default() -> Self {
        Partitions { places: Vec::new(), used: 0, resize: None }
    }
}

impl<S: Clone, A> Supervisor<S, A> {
    /// How many partitions are in use, of how many.
    #[must_use]
    pub fn partitions(&self) -> Option<(usize, usize)> {
        (self.roster == Roster::Partitions).then_some((self.partitions.used, self.partitions.places.len()))
    }

    /// The process that a key leads to.
    pub fn route(&self, key: &[u8]) -> Result<Pid, RouteError> {
        let (used, _) = self.partitions().ok_or(RouteError::NotPartitioned)?;
        let place = place_of(key, used).ok_or(RouteError::NoPartitions)?;
        match *self.children.get(self.partitions.places[place]).state() {
            State::Running(pid) => Ok(pid),
            _ => Err(RouteError::Down(place + 1)),
        }
    }

    /// The first so many children are the partitions from now on. All of them are in use if all were.
    pub(super) fn repartition(&mut self, listed: usize) {
        if self.roster != Roster::Partitions {
            return;
        }
        let partitions = &mut self.partitions;
        let all = partitions.used == partitions.places.len();
        partitions.places = self.children.first(listed);
        partitions.used = if all { listed } else { partitions.used.min(listed) };
    }

    pub(super) fn is_partition(&self, rank: Rank) -> bool {
        self.partitions.places.binary_search(&rank).is_ok()
    }

    pub(super) fn is_resizing(&self) -> bool {
        self.partitions.resize.is_some()
    }

    /// Begins to change how many are in use; `advance` goes on with it.
    pub(super) fn resize(&mut self, to: usize, ask: A, out: &mut Vec<Order<S, A>>) {
        if self.roster != Roster::Partitions || to > self.partitions.places.len() {
            out.push(Order::Reply { ask, result: Err(RequestError::NoSuchPartitions) });
        } else {
            self.partitions.resize = Some(Resize { to, ask, waits: false });
        }
    }

    /// The next step of a change: no key leads to a child that is stopped for it, and none to one that has not started.
    pub(super) fn resize_further(&mut self, now: Time, out: &mut Vec<Order<S, A>>) -> Progress {
        let Partitions { places, used, resize } = &mut self.partitions;
        let Some(change) = resize.as_mut().filter(|change| !change.waits) else { return Progress::Waiting };
        if *used > change.to {
            *used -= 1;
            change.waits = true;
            let rank = places[*used];
            self.terminate(rank, Waiter::Resize, now, out);
        } else if *used < change.to {
            let rank = places[*used];
            if let State::Stopped = self.children.get(rank).state() {
                change.waits = true;
                self.start(rank, Origin::Again(Waiter::Resize), out);
            } else {
                // A rebuild, or somebody, has started it already.
                *used += 1;
            }
        } else if let Some(Resize { ask, .. }) = resize.take() {
            out.push(Order::Reply { ask, result: Ok(Answer::Done) });
        }
        Progress::More
    }

    /// A child was stopped or started for a change, or was not: then the change ends there.
    pub(super) fn resized(&mut self, step: Result<(), RequestError>, out: &mut Vec<Order<S, A>>) {
        let Partitions { used, resize, .. } = &mut self.partitions;
        match (step, resize.as_mut()) {
            (Ok(()), Some(change)) => {
                change.waits = false;
                if *used < change.to {
                    *used += 1;
                }
            }
            (Err(error), Some(_)) => {
                if let Some(Resize { ask, .. }) = resize.take() {
                    out.push(Order::Reply { ask, result: Err(error) });
                }
            }
            (_, None) => {}
        }
    }
}
