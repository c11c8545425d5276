//! What happens to processes, told to whoever in the embedding program wants to know: births and ends, restarts, instances
//! given back and made anew, upgrades.
//!
//! Owns the events and a subscriber's end of the queue. An [`Observer`](crate::observe::Observer) is told what an operator
//! should read, and must have time for all of it; a subscriber takes what he chose when he comes to it, and never holds a
//! process up. What does not fit into his queue is lost, and he is told how much that was.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use skep_kernel::{ExitReason, Name, Pid};
use tokio::sync::mpsc::Receiver;
use tokio::sync::mpsc::error::TryRecvError;

pub use crate::metrics::Eviction;
use crate::observe::Subject;
use crate::shell::telemetry::{Hub, Item, Subscriber};
use crate::upgrade::Summary;

/// What kind of event.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    /// [`Event::Spawn`]
    Spawn,
    /// [`Event::Exit`]
    Exit,
    /// [`Event::Restart`]
    Restart,
    /// [`Event::Hibernate`]
    Hibernate,
    /// [`Event::Wake`]
    Wake,
    /// [`Event::Upgrade`]
    Upgrade,
}

impl Kind {
    /// All there are.
    pub const ALL: [Kind; 6] = [Kind::Spawn, Kind::Exit, Kind::Restart, Kind::Hibernate, Kind::Wake, Kind::Upgrade];

    /// Its bit in a set of kinds.
    pub(crate) fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// Something that happened to a process. The embedding program's own processes are none here.
#[derive(Clone, Debug)]
pub enum Event {
    /// It was born: it has its pid and its names, and has not run yet.
    Spawn {
        /// Who.
        subject: Subject,
        /// Who started it.
        parent: Pid,
    },
    /// It has come to its end, of which whoever is tied to it hears next.
    Exit {
        /// Who.
        subject: Subject,
        /// Why.
        reason: ExitReason,
        /// How long it had lived.
        lived: Duration,
    },
    /// A supervisor starts a child anew.
    Restart {
        /// The supervisor.
        supervisor: Subject,
        /// The child.
        child: Name,
        /// How often the supervisor has restarted a child so far.
        restarts: u64,
    },
    /// It was saved, and its instance given back.
    Hibernate {
        /// Who.
        subject: Subject,
        /// Why.
        why: Eviction,
        /// Bytes of its state.
        state_bytes: usize,
    },
    /// Something came, and it has an instance again.
    Wake {
        /// Who.
        subject: Subject,
        /// How long that took, from when a worker began with it.
        took: Duration,
    },
    /// Modules of an app were upgraded, or not.
    Upgrade {
        /// The app.
        app: Name,
        /// Which modules.
        modules: Vec<Name>,
        /// What came of it.
        outcome: Upgraded,
    },
}

/// What came of an upgrade.
#[derive(Clone, PartialEq, Debug)]
pub enum Upgraded {
    /// The new code runs.
    Done(Box<Summary>),
    /// Everything runs on as before, because of this.
    Refused(String),
    /// Everything runs on as before: whoever had begun it waits for it no longer.
    CalledOff,
}

impl Event {
    /// Of what kind it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Event::Spawn { .. } => Kind::Spawn,
            Event::Exit { .. } => Kind::Exit,
            Event::Restart { .. } => Kind::Restart,
            Event::Hibernate { .. } => Kind::Hibernate,
            Event::Wake { .. } => Kind::Wake,
            Event::Upgrade { .. } => Kind::Upgrade,
        }
    }
}

/// What a subscriber is told.
#[derive(Clone, Debug)]
pub enum Told {
    /// This happened.
    Event(Event),
    /// So many events did not fit into the queue, between the one before and the one behind.
    Lost(u64),
}

/// A subscriber's end of his queue. Events of one process come in their order. Dropped, it unsubscribes.
pub struct Subscription {
    receiver: Receiver<Item>,
    subscriber: Arc<Subscriber>,
    hub: Weak<Hub>,
    /// Behind what was lost before it.
    next: Option<Event>,
}

impl Subscription {
    pub(crate) fn new(receiver: Receiver<Item>, subscriber: Arc<Subscriber>, hub: Weak<Hub>) -> Self {
        Subscription { receiver, subscriber, hub, next: None }
    }

    /// Waits for the next one. None: the runtime has been shut down, and that was all.
    pub async fn next(&mut self) -> Option<Told> {
        if let Some(told) = self.try_next() {
            return Some(told);
        }
        match self.receiver.recv().await {
            Some(item) => Some(self.tell(item)),
            None => self.lost(),
        }
    }

    /// The next one, if there is one now.
    pub fn try_next(&mut self) -> Option<Told> {
        if let Some(event) = self.next.take() {
            return Some(Told::Event(event));
        }
        match self.receiver.try_recv() {
            Ok(item) => Some(self.tell(item)),
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => self.lost(),
        }
    }

    fn tell(&mut self, item: Item) -> Told {
        if item.lost == 0 {
            return Told::Event(item.event);
        }
        self.next = Some(item.event);
        Told::Lost(item.lost)
    }

    /// What was lost behind the last one.
    fn lost(&self) -> Option<Told> {
        let lost = self.subscriber.take_lost();
        (lost > 0).then_some(Told::Lost(lost))
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if let Some(hub) = self.hub.upgrade() {
            hub.unsubscribe(&self.subscriber);
        }
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").field("waiting", &self.receiver.len()).finish_non_exhaustive()
    }
}
