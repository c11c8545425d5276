//! Timers, by a clock that the test moves.

use super::World;
use crate::testing::played::Playing;
use crate::types::{Address, Alarm, Body, Event, Mark};

pub(super) struct Timer {
    due_ms: u64,
    /// None: an alarm for the process itself.
    to: Option<Address>,
    body: Body,
}

impl World {
    pub(crate) fn start_timer(&mut self, after_ms: u64, to: Option<Address>, body: Body) -> Mark {
        self.start_timer_at(self.now_ms.saturating_add(after_ms), to, body)
    }

    /// What is past is due at once: the clock goes back for nobody.
    pub(crate) fn start_timer_at(&mut self, at_ms: u64, to: Option<Address>, body: Body) -> Mark {
        let mark = self.mark();
        self.timers.insert(mark, Timer { due_ms: at_ms.max(self.now_ms), to, body });
        mark
    }

    pub(crate) fn cancel(&mut self, mark: Mark) -> Option<u64> {
        self.timers.remove(&mark).map(|timer| timer.due_ms - self.now_ms)
    }

    pub(crate) fn left(&self, mark: Mark) -> Option<u64> {
        self.timers.get(&mark).map(|timer| timer.due_ms - self.now_ms)
    }

    pub(crate) fn next_timer_ms(&self) -> Option<u64> {
        let timers = self.timers.values().map(|timer| timer.due_ms);
        timers.chain(self.playing.iter().filter_map(|task| task.due_ms)).min()
    }

    /// Sets the clock to `due_ms`, at which a timer or a task is due, and fires it or lets it end.
    pub(crate) fn fire_one(&mut self, due_ms: u64) {
        self.now_ms = due_ms;
        if let Some(place) = self.playing.iter().position(|task| task.due_ms == Some(due_ms)) {
            let Playing { pid, mark, linked, outcome, .. } = self.playing.remove(place);
            return self.played(pid, mark, linked, outcome);
        }
        let due = self.timers.iter().find(|(_, timer)| timer.due_ms == due_ms).map(|(mark, _)| *mark);
        let Some((mark, timer)) = due.and_then(|mark| Some((mark, self.timers.remove(&mark)?))) else { return };
        match timer.to {
            None => self.inbox.push_back(Event::Timer(Alarm { mark, body: timer.body })),
            // To a name that nobody holds it goes nowhere.
            Some(to) => drop(self.send(to, timer.body)),
        }
    }
}
