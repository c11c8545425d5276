//! What a state machine holds between two events: postponed and inserted events, and which timer is which timeout.
//!
//! Owns their order, their bounds and their saved form, which travels beside the author's state. Never runs a handler and
//! never starts a timer: `machine` does.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::types::{Answer, Body, Change, Changed, Event, Mark};

/// Which of a machine's timeouts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TimeoutKind {
    /// Called off by whatever event comes first.
    Event,
    /// Called off when the state changes.
    State,
    /// Called off by its name, and by nothing else.
    Named(String),
}

impl TimeoutKind {
    /// The one of this name.
    pub fn named(name: impl Into<String>) -> TimeoutKind {
        TimeoutKind::Named(name.into())
    }
}

/// An event inside the machine, in a form that any code can read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HeldEvent {
    /// As the host delivered it, or as if it had.
    Outer(Event),
    /// What the machine told itself.
    Internal(Body),
    /// Time is up.
    Timeout(TimeoutKind, Body),
}

impl HeldEvent {
    /// The bytes of its body. Fixed parts are not counted, since events are.
    fn bytes(&self) -> usize {
        match self {
            HeldEvent::Outer(Event::Call(request)) => request.body.len(),
            HeldEvent::Outer(Event::Timer(alarm)) => alarm.body.len(),
            HeldEvent::Outer(Event::Change(Change { what: Changed::Added(entry), .. })) => {
                entry.key.len() + entry.value.len()
            }
            HeldEvent::Outer(
                Event::Answer(Answer { outcome: Ok(body), .. }) | Event::Cast(body) | Event::Info(body),
            )
            | HeldEvent::Internal(body)
            | HeldEvent::Timeout(_, body) => body.len(),
            HeldEvent::Outer(_) => 0,
        }
    }
}

/// A timeout whose timer runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Running {
    kind: TimeoutKind,
    mark: Mark,
    content: Body,
}

/// All of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Held {
    /// To be handled before anything from outside, in this order.
    queue: VecDeque<HeldEvent>,
    /// To be tried again when the state has changed, oldest first.
    postponed: VecDeque<HeldEvent>,
    /// Timeouts whose time is up: they come when nothing is left in the queue.
    #[serde(default)]
    due: VecDeque<(TimeoutKind, Body)>,
    timeouts: Vec<Running>,
}

impl Held {
    /// The next event to handle.
    pub(super) fn next(&mut self) -> Option<HeldEvent> {
        let due = |held: &mut Held| held.due.pop_front().map(|(kind, content)| HeldEvent::Timeout(kind, content));
        self.queue.pop_front().or_else(|| due(self))
    }

    pub(super) fn is_waiting(&self) -> bool {
        !self.queue.is_empty() || !self.due.is_empty()
    }

    /// Keeps an event for another state.
    pub(super) fn postpone(&mut self, event: HeldEvent) {
        self.postponed.push_back(event);
    }

    /// The state has changed: what was postponed comes before all that waits (STM-01).
    pub(super) fn retry(&mut self) {
        while let Some(event) = self.postponed.pop_back() {
            self.queue.push_front(event);
        }
    }

    /// Puts events before all others, in this order (STM-02).
    pub(super) fn insert(&mut self, events: Vec<HeldEvent>) {
        for event in events.into_iter().rev() {
            self.queue.push_front(event);
        }
    }

    /// A timeout without any time comes after what waits inside, also what is inserted later, and before all that comes
    /// from outside.
    pub(super) fn due_now(&mut self, kind: TimeoutKind, content: Body) {
        self.due.push_back((kind, content));
    }

    pub(super) fn started(&mut self, kind: TimeoutKind, mark: Mark, content: Body) {
        self.timeouts.push(Running { kind, mark, content });
    }

    /// The timer with this mark went off: which timeout that was, unless it has been called off.
    pub(super) fn went_off(&mut self, mark: Mark) -> Option<HeldEvent> {
        let place = self.timeouts.iter().position(|running| running.mark == mark)?;
        let Running { kind, content, .. } = self.timeouts.remove(place);
        Some(HeldEvent::Timeout(kind, content))
    }

    /// Forgets a timeout, also one that is due; the mark of its timer, if one runs. One that was handled and postponed is an
    /// event like others, and stays.
    pub(super) fn forget(&mut self, kind: &TimeoutKind) -> Option<Mark> {
        self.due.retain(|(due, _)| due != kind);
        let place = self.timeouts.iter().position(|running| running.kind == *kind)?;
        Some(self.timeouts.remove(place).mark)
    }

    /// Gives a timeout that runs or is due another content. False if there is none.
    pub(super) fn update(&mut self, kind: &TimeoutKind, content: &Body) -> bool {
        let running =
            self.timeouts.iter_mut().filter(|running| running.kind == *kind).map(|running| &mut running.content);
        let due = self.due.iter_mut().filter(|(due, _)| due == kind).map(|(_, content)| content);
        running.chain(due).next().is_some_and(|old| {
            *old = content.clone();
            true
        })
    }

    /// How many events there are, and how many bytes they and the timeouts have.
    pub(super) fn size(&self) -> (usize, usize) {
        let events = self.queue.iter().chain(&self.postponed);
        let due = self.due.iter().map(|(_, content)| content);
        let timeouts: usize = self.timeouts.iter().map(|running| &running.content).chain(due).map(Body::len).sum();
        let many = self.queue.len() + self.postponed.len() + self.due.len();
        (many, events.map(HeldEvent::bytes).sum::<usize>() + timeouts)
    }

    /// Whether there is nothing to remember.
    pub(super) fn is_empty(&self) -> bool {
        !self.is_waiting() && self.postponed.is_empty() && self.timeouts.is_empty()
    }
}
