//! Room for instances, as in `rooms.rs` of the shell: who has one, who is asked for his, who waits for one.

use skep_kernel::{Signal, Want};

use super::*;

pub(super) struct Rooms {
    capacity: usize,
    /// Instances there are in the small class.
    pub(super) live: usize,
    /// In the order in which they got their instance.
    pub(super) holders: BTreeMap<u64, Pid>,
    given: u64,
    pub(super) waiting: VecDeque<Pid>,
}

/// The class of an instance.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Class {
    Small,
    /// The way out where the small one is full of instances that cannot be given back.
    Large,
}

impl Rooms {
    pub(super) fn new(capacity: usize) -> Self {
        Rooms { capacity, live: 0, holders: BTreeMap::new(), given: 0, waiting: VecDeque::new() }
    }

    pub(super) fn enter(&mut self, pid: Pid) -> u64 {
        self.given += 1;
        self.holders.insert(self.given, pid);
        self.given
    }

    pub(super) fn withdraw(&mut self, ticket: u64) {
        self.holders.remove(&ticket);
    }
}

impl World {
    /// A place for an instance; none if all are taken and somebody can be asked for his.
    pub(super) fn make_instance(&mut self) -> Option<Class> {
        if self.rooms.live < self.rooms.capacity {
            self.rooms.live += 1;
            return Some(Class::Small);
        }
        self.candidate().is_none().then_some(Class::Large)
    }

    pub(super) fn drop_instance(&mut self, class: Class) {
        if class == Class::Small {
            self.rooms.live -= 1;
        }
    }

    /// An instance is gone: whoever waits for one tries again.
    pub(super) fn leave(&mut self, ticket: u64) {
        self.rooms.withdraw(ticket);
        self.wake_next();
    }

    /// A process has ended without an instance: if it had just been offered a place, the next one is told.
    pub(super) fn pass_on(&mut self) {
        if self.rooms.live < self.rooms.capacity {
            self.wake_next();
        }
    }

    /// A process found no room.
    pub(super) fn wait_for_room(&mut self, lane: usize, pid: Pid) {
        if !self.rooms.waiting.contains(&pid) {
            self.rooms.waiting.push_back(pid);
        }
        if self.rooms.live < self.rooms.capacity { self.wake_next() } else { self.ask_somebody(lane) }
    }

    /// Somebody has come to rest, who may be the one to give way.
    pub(super) fn rested(&mut self, lane: usize) {
        if !self.rooms.waiting.is_empty() {
            self.ask_somebody(lane);
        }
    }

    fn wake_next(&mut self) {
        while let Some(pid) = self.rooms.waiting.pop_front() {
            let Some(cell) = self.cells.get_mut(&pid.id).filter(|cell| !cell.process.is_doomed()) else { continue };
            if cell.process.stir() {
                self.schedule(pid);
            }
            return;
        }
    }

    fn ask_somebody(&mut self, lane: usize) {
        if let Some(victim) = self.candidate() {
            let _ = self.hand_over(lane, victim, Signal::Evict(Want::Room));
        }
    }

    fn candidate(&self) -> Option<Pid> {
        let is_evictable = |pid: &&Pid| self.cells.get(&pid.id).is_some_and(|cell| cell.process.is_evictable());
        self.rooms.holders.values().find(is_evictable).copied()
    }
}

impl Rooms {
    pub(super) fn has_room(&self) -> bool {
        self.live < self.capacity
    }
}
