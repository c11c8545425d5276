//! Tasks of the process under test that play: what their end brings.

use super::World;
use crate::testing::action::Action;
use crate::testing::played::Playing;
use crate::types::{Address, Answer, Body, Ended, Event, ExitReason, Mark, Pid};

impl World {
    /// A task of the process under test, which has a supervisor above it or not: the mark of its monitor.
    pub(super) fn begin_task(&mut self, module: &str, args: Body, pid: Pid, link: bool) -> Mark {
        if link {
            self.note(Action::Link(pid));
        }
        let mark = self.monitor(Address::Pid(pid), None, None).mark;
        if let Some(play) = &mut self.on_task {
            let played = play(module, args);
            self.playing.push(Playing::begin(played, pid, mark, link, self.now_ms));
        }
        mark
    }

    /// A task has ended: its result, its down, and what its link brings.
    pub(super) fn played(&mut self, pid: Pid, mark: Mark, linked: bool, outcome: Result<Body, ExitReason>) {
        let (result, reason) = match outcome {
            Ok(body) => (Some(body), ExitReason::Normal),
            Err(reason) => (None, reason),
        };
        if let Some(lost) = self.lost(mark, reason.clone()) {
            self.inbox.extend(result.map(|body| Event::Answer(Answer { mark, outcome: Ok(body) })));
            self.inbox.push_back(Event::Down(lost));
        }
        if linked && self.traps_exits {
            self.inbox.push_back(Event::Exit(Ended { pid, reason }));
        } else if linked && reason != ExitReason::Normal {
            self.doomed.get_or_insert(reason);
        }
    }

    /// An exit signal for a task that plays.
    pub(crate) fn signal(&mut self, to: Pid, reason: ExitReason) {
        let obeys = |task: &Playing| task.pid == to && (!task.stubborn || reason == ExitReason::Killed);
        if let Some(place) = self.playing.iter().position(obeys) {
            let Playing { mark, linked, .. } = self.playing.remove(place);
            self.played(to, mark, linked, Err(reason));
        }
    }

    pub(crate) fn unlink(&mut self, to: Pid) {
        self.playing.iter_mut().filter(|task| task.pid == to).for_each(|task| task.linked = false);
        self.note(Action::Unlink(to));
    }

    /// Whether a task that plays has not ended.
    pub fn plays(&self, task: Pid) -> bool {
        self.playing.iter().any(|playing| playing.pid == task)
    }
}
