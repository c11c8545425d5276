//! A process's timers, those it knows of and those of its own life: `init`, idle, hibernation, deadlines of calls.

use std::collections::BTreeMap;
use std::time::Duration;

use super::delivery::Effect;
use super::lifecycle::Idle;
use super::{Kind, Phase, Process};
use crate::{Action, Address, Body, Event, ExitReason, Mark, Time};

/// A timer that the guest has started.
#[derive(Clone, Debug)]
pub(super) struct Timer {
    at: Time,
    /// Where its message goes; none: here, as a `timer`.
    to: Option<Address>,
    body: Body,
}

/// The timers that the guest has running.
#[derive(Clone, Debug)]
pub(super) struct Timers {
    running: BTreeMap<Mark, Timer>,
    /// Bytes of their bodies.
    bytes: usize,
}

impl Timers {
    pub(super) const fn none() -> Self {
        Timers { running: BTreeMap::new(), bytes: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    pub(super) fn get(&self, mark: Mark) -> Option<&Timer> {
        self.running.get(&mark)
    }

    fn insert(&mut self, mark: Mark, timer: Timer) {
        self.bytes += timer.body.len();
        self.running.insert(mark, timer);
    }

    fn remove(&mut self, mark: Mark) -> Option<Timer> {
        let timer = self.running.remove(&mark)?;
        self.bytes -= timer.body.len();
        Some(timer)
    }
}

impl Process {
    /// The guest starts a timer: an `info` for somebody, or a `timer` for itself.
    pub fn start_timer(
        &mut self,
        at: Time,
        to: Option<Address>,
        body: Body,
        actions: &mut Vec<Action>,
    ) -> Result<Mark, ExitReason> {
        let limits = &self.nature.limits;
        if self.affairs.timers.running.len() >= limits.timers {
            return Err(ExitReason::limit("timers"));
        }
        // What waits in timers is like mail that waits.
        if self.affairs.timers.bytes.saturating_add(body.len()) > limits.mailbox_bytes {
            return Err(ExitReason::limit("mailbox_bytes, for the bodies of timers"));
        }
        self.account.start_timer().map_err(|exceeded| ExitReason::limit(&exceeded.to_string()))?;
        if to.is_some() {
            self.disclose();
        }
        let mark = self.draw_mark();
        self.affairs.timers.insert(mark, Timer { at, to, body });
        actions.push(Action::StartTimer { mark, at });
        Ok(mark)
    }

    /// The guest stops a timer: what was left of it. Nothing will arrive (TMR-04).
    pub fn cancel_timer(&mut self, mark: Mark, now: Time, actions: &mut Vec<Action>) -> Option<Duration> {
        let timer = self.affairs.timers.remove(mark)?;
        self.account.stop_timers(1);
        actions.push(Action::CancelTimer { mark, at: timer.at });
        Some(timer.at.saturating_sub(now))
    }

    /// What is left of a timer.
    #[must_use]
    pub fn timer_left(&self, mark: Mark, now: Time) -> Option<Duration> {
        self.affairs.timers.get(mark).map(|timer| timer.at.saturating_sub(now))
    }

    /// How many timers the guest has running.
    #[must_use]
    pub fn timers_running(&self) -> usize {
        self.affairs.timers.running.len()
    }

    pub(super) fn take_time_up(&mut self, mark: Mark, now: Time, actions: &mut Vec<Action>) -> Effect {
        if let Some(timer) = self.affairs.timers.remove(mark) {
            self.account.stop_timers(1);
            return match timer.to {
                Some(to) => {
                    actions.push(Action::Send { to, body: timer.body });
                    Effect::Quiet
                }
                None => self.queue(Event::Timer { mark, body: timer.body }),
            };
        }
        if self.affairs.requests.contains_key(&mark) {
            return self.call_timed_out(mark, actions);
        }
        if self.receive_timed_out(mark) {
            return Effect::Stir;
        }
        self.own_time_up(mark, now, actions)
    }

    fn own_time_up(&mut self, mark: Mark, now: Time, actions: &mut Vec<Action>) -> Effect {
        if self.affairs.plan.init_timer.is_some_and(|(timer, _)| timer == mark) {
            self.affairs.plan.init_timer = None;
            return match self.phase {
                Phase::New | Phase::Starting => self.condemn(ExitReason::limit("time")),
                Phase::Up | Phase::Stopping | Phase::Gone => Effect::Quiet,
            };
        }
        if matches!(self.affairs.plan.idle, Idle::Armed { mark: timer, .. } if timer == mark) {
            self.affairs.plan.idle = Idle::Due;
            return Effect::Stir;
        }
        if self.affairs.plan.hibernate_timer.is_some_and(|(timer, _)| timer == mark) {
            self.affairs.plan.hibernate_timer = None;
            return self.hibernation_due(now, actions);
        }
        Effect::Quiet
    }

    /// From now on the time of its `init` runs, if it has one.
    pub(super) fn limit_init(&mut self, now: Time, actions: &mut Vec<Action>) {
        if self.kind != Kind::Server {
            return;
        }
        let mark = self.draw_mark();
        let at = now.saturating_add(self.nature.limits.init_timeout);
        self.affairs.plan.init_timer = Some((mark, at));
        actions.push(Action::StartTimer { mark, at });
    }

    /// The time of its `init` no longer runs.
    pub(super) fn unlimit_init(&mut self, actions: &mut Vec<Action>) {
        if let Some((mark, at)) = self.affairs.plan.init_timer.take() {
            actions.push(Action::CancelTimer { mark, at });
        }
    }

    /// Stops every timer, at the end.
    pub(super) fn cancel_all_timers(&mut self, actions: &mut Vec<Action>) {
        self.account.stop_timers(self.affairs.timers.running.len());
        for (mark, timer) in std::mem::replace(&mut self.affairs.timers, Timers::none()).running {
            actions.push(Action::CancelTimer { mark, at: timer.at });
        }
        self.cancel_idle(actions);
        self.unlimit_init(actions);
        if let Some((mark, at)) = self.affairs.plan.hibernate_timer.take() {
            actions.push(Action::CancelTimer { mark, at });
        }
    }
}
