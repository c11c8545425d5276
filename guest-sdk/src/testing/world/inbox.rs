//! What the process under test is handed, and what a task waits for.
//!
//! Owns the passing of time: only where there is nothing to receive.

use std::collections::VecDeque;

use super::{Stopped, World};
use crate::host::inbox::Seen;
use crate::types::{Alarm, Answer, Body, Change, Event, Lost, Mark};

impl World {
    pub(crate) fn more(&mut self, reply: Option<Body>) -> Option<Event> {
        self.settle(reply);
        self.take()
    }

    /// The event in hand is done, perhaps with a reply.
    pub(crate) fn settle(&mut self, reply: Option<Body>) {
        if let (Some(caller), Some(reply)) = (self.current.take(), reply) {
            self.reply(caller, reply);
        }
    }

    /// The next event, which is in hand from now on.
    pub(crate) fn take(&mut self) -> Option<Event> {
        let event = self.inbox.pop_front()?;
        if let Event::Call(request) = &event {
            self.current = Some(request.caller);
        }
        Some(event)
    }

    /// Time passes only where there is nothing to receive and a timer is due before the wait is over.
    pub(crate) fn receive(&mut self, marks: Option<&[Mark]>, timeout_ms: Option<u64>) -> Option<Event> {
        let wanted = |event: &Event| match (marks, event) {
            (None, _) => true,
            (Some(marks), Event::Answer(Answer { mark, .. }))
            | (Some(marks), Event::Timer(Alarm { mark, .. }))
            | (Some(marks), Event::Change(Change { mark, .. }))
            | (Some(marks), Event::Down(Lost { mark, .. })) => marks.contains(mark),
            _ => false,
        };
        let place = self.wait_for(|inbox| inbox.iter().position(wanted), timeout_ms)?;
        self.inbox.remove(place)
    }

    /// Events are numbered by their place, which changes only when one is taken: nothing else goes on meanwhile.
    pub(crate) fn look(&mut self, behind: Option<u64>, timeout_ms: Option<u64>) -> Option<Seen> {
        let from = behind.map_or(0, |number| usize::try_from(number).unwrap_or(usize::MAX).saturating_add(1));
        let place = self.wait_for(|inbox| (from < inbox.len()).then_some(from), timeout_ms)?;
        Some(Seen { number: place as u64, event: self.inbox[place].clone() })
    }

    pub(crate) fn take_seen(&mut self, number: u64) -> bool {
        usize::try_from(number).is_ok_and(|place| self.inbox.remove(place).is_some())
    }

    /// The place of the event waited for, once there is one.
    pub(super) fn wait_for(
        &mut self,
        find: impl Fn(&VecDeque<Event>) -> Option<usize>,
        timeout_ms: Option<u64>,
    ) -> Option<usize> {
        let until = timeout_ms.map(|ms| self.now_ms.saturating_add(ms));
        loop {
            if let Some(reason) = self.doomed.take() {
                std::panic::resume_unwind(Box::new(Stopped(reason)));
            }
            if let Some(place) = find(&self.inbox) {
                return Some(place);
            }
            match self.next_timer_ms().filter(|due| until.is_none_or(|until| *due <= until)) {
                Some(due) => self.fire_one(due),
                None => {
                    assert!(until.is_some(), "the task waits for ever: nothing queued, no timer set");
                    self.now_ms = until.unwrap_or(self.now_ms);
                    return None;
                }
            }
        }
    }
}
