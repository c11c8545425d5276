//! Receives of tasks: any event, one with certain marks, or one that the guest chooses by looking at them.
//!
//! What is not wanted stays where it is, in the mailbox and in order (MBX-01), also while the guest looks at one event
//! after the other: there it is bounded, a loss can still be flushed, and every other receive finds it. Each look begins
//! behind the one before, so that no event is looked at twice for one receive.

use super::calls::Block;
use super::delivery::Effect;
use super::{Kind, Process};
use crate::mailbox::Number;
use crate::{Action, Event, Mark, Time};

/// What a task waits for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Wanted {
    /// The oldest event.
    Any,
    /// The oldest answer, timer or loss with one of these marks.
    Marked(Vec<Mark>),
    /// A look at the oldest event behind this one, or of all. It stays where it is until [`Process::take_seen`].
    Behind(Option<Number>),
}

/// What a receive comes to.
#[derive(Clone, PartialEq, Debug)]
pub enum Received {
    /// An event, taken out.
    Event(Event),
    /// A look at an event.
    Seen(Number, Event),
    /// The time is up.
    Nothing,
    /// Still waiting.
    NotYet,
}

impl Process {
    /// A task waits for an event.
    pub fn begin_receive(
        &mut self,
        mut wanted: Wanted,
        deadline: Option<Time>,
        now: Time,
        actions: &mut Vec<Action>,
    ) -> Result<(), crate::ExitReason> {
        if self.kind != Kind::Task {
            return Err(crate::ExitReason::failed("receive is for tasks: a server is handed its events"));
        }
        if let Wanted::Marked(marks) = &mut wanted {
            // So that whoever delivers an event finds its mark quickly, however many a guest has given.
            marks.sort_unstable();
        }
        // MBX-02: with no time at all the mailbox is looked through once.
        let expired = deadline.is_some_and(|at| at <= now);
        let timer = deadline.filter(|_| !expired).map(|at| {
            let mark = self.draw_mark();
            actions.push(Action::StartTimer { mark, at });
            (mark, at)
        });
        self.affairs.block = Block::Receive { wanted, timer, expired };
        Ok(())
    }

    /// The event waited for, if it is there.
    pub fn poll_receive(&mut self, actions: &mut Vec<Action>) -> Received {
        let Block::Receive { wanted, timer, expired } = &self.affairs.block else { return Received::Nothing };
        let found = match wanted {
            Wanted::Any => self.mailbox.pop().map(Received::Event),
            Wanted::Marked(marks) => self.mailbox.take_marked(marks).map(Received::Event),
            Wanted::Behind(last) => {
                self.mailbox.behind(*last).map(|(number, event)| Received::Seen(number, event.clone()))
            }
        };
        if found.is_none() && !expired {
            return Received::NotYet;
        }
        if let Some((mark, at)) = timer
            && !expired
        {
            actions.push(Action::CancelTimer { mark: *mark, at: *at });
        }
        self.affairs.block = Block::None;
        self.statistics.messages_in += u64::from(matches!(found, Some(Received::Event(_))));
        found.unwrap_or(Received::Nothing)
    }

    /// A task takes the event that it has looked at. False if that is no longer there, as after a flush.
    pub fn take_seen(&mut self, number: Number) -> bool {
        let taken = self.kind == Kind::Task && self.mailbox.take(number).is_some();
        self.statistics.messages_in += u64::from(taken);
        taken
    }

    /// Queues an event that another table bounds.
    pub(super) fn queue(&mut self, event: Event) -> Effect {
        let effect = self.effect_of(&event);
        self.mailbox.push(event);
        effect
    }

    /// Whether the process waits for this event. Nobody wakes for one that a receive passes over.
    pub(super) fn effect_of(&self, event: &Event) -> Effect {
        let waits = match &self.affairs.block {
            Block::None => true,
            Block::Receive { wanted: Wanted::Marked(marks), .. } => {
                event.mark().is_some_and(|mark| marks.binary_search(&mark).is_ok())
            }
            Block::Receive { wanted: Wanted::Any | Wanted::Behind(_), .. } => true,
            Block::Call { .. } | Block::Spawn { .. } | Block::Shell(_) => false,
        };
        let is_looked_at = waits && !self.is_suspended() || self.is_order_while_held(event);
        if is_looked_at { Effect::Stir } else { Effect::Quiet }
    }

    /// A receive's time is up, if that was its timer.
    pub(super) fn receive_timed_out(&mut self, mark: Mark) -> bool {
        match &mut self.affairs.block {
            Block::Receive { timer: Some((timer, _)), expired, .. } if *timer == mark => {
                *expired = true;
                true
            }
            _ => false,
        }
    }
}
