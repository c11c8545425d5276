//! What each signal does to its receiver: the one way in from other processes.

use super::relations::exit_event;
use super::{Monitor, Process, Run, Watch, Watcher};
use crate::mailbox::Reservation;
use crate::signal::Undelivered;
use crate::{Action, Address, Delivery, Event, ExitReason, Pid, Signal, Time};

/// Whether the receiver has something to look at now.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// It must look.
    Stir,
    /// It need not.
    Quiet,
}

/// Whether the mailbox may be too full for a message.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    /// It counts against the limits.
    Bounded,
    /// Another table bounds it.
    Reserved,
}

impl Process {
    /// Takes a signal in. Whatever must be done elsewhere is added to `actions`.
    pub fn deliver(&mut self, signal: Signal, now: Time, actions: &mut Vec<Action>) -> Delivery {
        if self.is_gone() {
            return Delivery { outcome: Err(Undelivered::Gone), wake: false, waiting: 0 };
        }
        let (outcome, wake) = match self.take_in(signal, now, actions) {
            Ok(effect) => (Ok(()), (effect == Effect::Stir || self.is_called_back()) && self.stir()),
            Err(why) => (Err(why), false),
        };
        Delivery { outcome, wake, waiting: self.mailbox.len() }
    }

    /// Keeps room for messages that one sender is to send together, so that it can be told of each at once that it is sent. How
    /// large each may be; none if there is no room to spare.
    pub fn reserve(&mut self, room: Reservation) -> Option<usize> {
        let limits = &self.nature.limits;
        (!self.is_gone() && self.mailbox.reserve(room, limits)).then_some(limits.body_bytes)
    }

    /// Takes in messages (casts and `info`) that room was kept for, in order. If it is gone, they are too.
    pub fn deliver_reserved(&mut self, events: &mut Vec<Event>, room: Reservation) -> Delivery {
        if self.is_gone() {
            events.clear();
            return Delivery { outcome: Err(Undelivered::Gone), wake: false, waiting: 0 };
        }
        let is_stirred = events.iter().any(|event| self.effect_of(event) == Effect::Stir);
        self.mailbox.push_reserved(events.drain(..), room);
        let wake = (is_stirred || self.is_called_back()) && self.stir();
        Delivery { outcome: Ok(()), wake, waiting: self.mailbox.len() }
    }

    /// Its guest can go on in the middle of something: it has used up its turn, or what it waited for is there. True if the
    /// caller must put it on the run queue.
    #[must_use]
    pub fn wake(&mut self) -> bool {
        if let Run::Running { .. } = self.run {
            self.run = Run::Running { stirred: true, spent: true };
            return false;
        }
        self.stir()
    }

    /// Makes sure that a worker looks at this process. True if the caller must put it on the run queue.
    pub fn stir(&mut self) -> bool {
        match self.run {
            Run::Idle => {
                self.run = Run::Queued;
                true
            }
            Run::Queued => false,
            // Fuel is all that it waits for, but to end it needs none.
            Run::Parked if self.doomed.is_some() => {
                self.run = Run::Queued;
                true
            }
            Run::Parked => false,
            Run::Running { spent, .. } => {
                self.run = Run::Running { stirred: true, spent };
                false
            }
        }
    }

    fn take_in(&mut self, signal: Signal, now: Time, actions: &mut Vec<Action>) -> Result<Effect, Undelivered> {
        match signal {
            Signal::Through { alias, event } => self.take_through(alias, event, actions),
            Signal::Alive { from, mark } => Ok(self.take_alive(from, mark, actions)),
            Signal::Answer { mark, by, outcome } => Ok(self.take_answer(mark, by, outcome, actions)),
            Signal::Started { mark, outcome } => Ok(self.take_started(mark, outcome, actions)),
            Signal::Finished { mark, body } => Ok(self.take_result(mark, body)),
            Signal::Link { from } => self.take_link(from),
            Signal::Unlink { from } => {
                self.links.remove(&from);
                Ok(Effect::Quiet)
            }
            Signal::Message(Event::Call { caller, .. }) if self.doomed.is_some() => {
                self.affairs.behind.push(Watcher { pid: caller.pid, mark: caller.mark, why: Watch::Call });
                Ok(Effect::Quiet)
            }
            Signal::Message(event) => {
                // Nobody will hear of a cast that was refused (GS-07), so it is at least counted.
                let counts = matches!(event, Event::Cast(_));
                self.take_message(event, Room::Bounded, actions).inspect_err(|_| {
                    if counts {
                        self.mailbox.count_dropped();
                    }
                })
            }
            Signal::Monitor { from, mark } => {
                let watchers =
                    if self.doomed.is_some() { &mut self.affairs.behind } else { &mut self.affairs.watchers };
                watchers.push(Watcher { pid: from, mark, why: Watch::Monitor });
                Ok(Effect::Quiet)
            }
            Signal::Demonitor { from, mark } => {
                self.forget_watcher(from, mark);
                Ok(Effect::Quiet)
            }
            Signal::LinkExit { from, reason } => Ok(self.take_link_exit(from, reason)),
            Signal::Exit { from, reason } => Ok(self.take_exit(from, reason)),
            Signal::Kill => Ok(self.condemn(ExitReason::Killed)),
            Signal::Down { mark, reason } => Ok(self.take_down(mark, reason)),
            Signal::Change { mark, what } => Ok(self.take_change(mark, what, actions)),
            Signal::TimeUp { mark } => Ok(self.take_time_up(mark, now, actions)),
            Signal::Evict(want) => Ok(self.take_evict(want)),
            Signal::Suspend { upgrade } => Ok(self.take_suspend(upgrade, now, actions)),
            Signal::Migrate { upgrade } => Ok(self.take_migrate(upgrade, actions)),
            Signal::System { id, request } => Ok(self.take_system(id, request, actions)),
            Signal::Withdraw { id } => Ok(self.take_withdrawal(id)),
            Signal::Search(search) => Ok(self.take_search(*search, actions)),
            Signal::Retract { caller, why } => Ok(self.take_retract(caller, why, actions)),
            Signal::Resume { upgrade, verdict } => Ok(self.take_resume(upgrade, verdict, now, actions)),
        }
    }

    pub(super) fn take_message(
        &mut self,
        event: Event,
        room: Room,
        actions: &mut Vec<Action>,
    ) -> Result<Effect, Undelivered> {
        if matches!(event, Event::Stop { .. }) && self.kind != super::Kind::Server {
            return Err(Undelivered::NotAServer);
        }
        let caller = event.caller();
        let (limits, effect) = (&self.nature.limits, self.effect_of(&event));
        let queued = match room {
            Room::Bounded => self.mailbox.push_bounded(event, limits),
            Room::Reserved if event.len() > limits.body_bytes => Err(Undelivered::TooLarge),
            Room::Reserved => {
                self.mailbox.push(event);
                Ok(())
            }
        };
        queued?;
        if let Some(caller) = caller {
            self.affairs.watchers.push(Watcher { pid: caller.pid, mark: caller.mark, why: Watch::Call });
            self.search_from(caller, actions);
        }
        Ok(effect)
    }

    /// A signal of a link fires only while the link exists: an unlink in between has taken it back.
    pub(super) fn take_link_exit(&mut self, from: Pid, reason: ExitReason) -> Effect {
        if let Some(asking) = self.affairs.asking.as_mut().filter(|asking| asking.to == from) {
            asking.ended = Some(reason);
            return Effect::Quiet;
        }
        if !self.links.remove(&from) {
            return Effect::Quiet;
        }
        if self.trap_exit {
            return self.queue(exit_event(from, reason));
        }
        match reason {
            ExitReason::Normal => Effect::Quiet,
            reason => self.condemn(reason),
        }
    }

    /// `exit/2`. From the parent it is never refused, or a supervisor could not stop a flooded child.
    fn take_exit(&mut self, from: Pid, reason: ExitReason) -> Effect {
        if self.trap_exit {
            let event = exit_event(from, reason);
            if self.nature.parent() == Some(from) {
                return self.queue(event);
            }
            let effect = self.effect_of(&event);
            if self.mailbox.push_bounded(event, &self.nature.limits).is_err() {
                self.mailbox.count_dropped();
                return Effect::Quiet;
            }
            return effect;
        }
        match reason {
            ExitReason::Normal if from != self.nature.pid => Effect::Quiet,
            reason => self.condemn(reason),
        }
    }

    fn take_down(&mut self, mark: crate::Mark, reason: ExitReason) -> Effect {
        let Some(monitor) = self.affairs.monitors.remove(&mark) else { return Effect::Quiet };
        self.close_with_monitor(mark);
        let Monitor { target, tag, .. } = monitor;
        self.queue(Event::Down { mark, target, reason, tag })
    }

    /// The first exit signal decides (PROC-05).
    pub(super) fn condemn(&mut self, reason: ExitReason) -> Effect {
        self.doomed.get_or_insert(reason);
        Effect::Stir
    }
}

/// The pid that an address names without looking anything up.
impl Address {
    /// The pid, if the address is one.
    #[must_use]
    pub fn pid(&self) -> Option<Pid> {
        match self {
            Address::Pid(pid) => Some(*pid),
            Address::Name(_) | Address::Via(_) | Address::Alias(_) => None,
        }
    }
}
