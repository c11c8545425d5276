//! The turns of a process: what a worker finds when it takes it off the queue, and how it leaves it.

use super::lifecycle::Idle;
use super::{Phase, Process, Run};
use crate::ExitReason;

/// What a worker that has taken the process off the queue must do.
#[derive(Clone, PartialEq, Debug)]
#[must_use]
pub enum Turn {
    /// Drop the instance if there is one and call [`Process::exit`].
    Exit(ExitReason),
    /// Let the guest go on; make an instance if there is none.
    Run,
    /// Nothing, unless there is an instance in the middle of something.
    Nothing,
}

/// How a worker leaves the process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum SliceEnd {
    /// There is more to do: back of the queue.
    Preempted,
    /// It has used up its turn and is not done: behind all those whose turns are short.
    Spent,
    /// It waits for a signal.
    Waiting,
}

impl Process {
    /// A worker has taken this process off the queue, and its budget has no fuel: it is not looked at until it is put back by
    /// [`Process::unpark`], whatever comes meanwhile but its end. False if it is to end now: then its turn is due.
    #[must_use]
    pub fn park(&mut self) -> bool {
        let waits = self.run == Run::Queued && self.doomed.is_none();
        if waits {
            self.run = Run::Parked;
        }
        waits
    }

    /// There is fuel again. True if the caller must put it on the run queue.
    #[must_use]
    pub fn unpark(&mut self) -> bool {
        let waited = self.is_parked();
        if waited {
            self.run = Run::Queued;
        }
        waited
    }

    /// Whether a place for an instance is of use to it now. One that waits for fuel would keep it from others.
    #[must_use]
    pub fn can_take_place(&self) -> bool {
        !self.is_doomed() && !self.is_parked()
    }

    /// Whether it is on a worker and wants another turn at once.
    #[must_use]
    pub fn is_stirred(&self) -> bool {
        matches!(self.run, Run::Running { stirred: true, .. })
    }

    /// Whether it waits on the run queue for its turn.
    #[must_use]
    pub fn is_queued(&self) -> bool {
        self.run == Run::Queued
    }

    /// Whether it waits for fuel.
    #[must_use]
    pub fn is_parked(&self) -> bool {
        self.run == Run::Parked
    }

    /// A worker begins with this process.
    pub fn begin_slice(&mut self) -> Turn {
        self.run = Run::Running { stirred: false, spent: false };
        if let Some(reason) = self.doomed.clone() {
            return Turn::Exit(reason);
        }
        if self.has_work() { Turn::Run } else { Turn::Nothing }
    }

    /// Whether there is something for which an instance is needed.
    pub(super) fn has_work(&self) -> bool {
        if self.has_request_to_serve() {
            return true;
        }
        if self.is_suspended() {
            return self.has_change_to_make();
        }
        let mail = !self.mailbox.is_empty() && !self.is_blocked();
        self.phase == Phase::New
            || mail
            || self.affairs.plan.stop.is_some()
            || self.affairs.plan.continued.is_some()
            || matches!(self.affairs.plan.idle, Idle::Due)
    }

    /// A worker is done with this process for now.
    pub fn end_slice(&mut self) -> SliceEnd {
        match self.run {
            Run::Running { stirred: true, spent } => {
                self.run = Run::Queued;
                if spent { SliceEnd::Spent } else { SliceEnd::Preempted }
            }
            Run::Running { stirred: false, .. } | Run::Idle | Run::Queued | Run::Parked => {
                self.run = Run::Idle;
                if self.saved.is_some() {
                    // Most of what it weighs. Numbers of mail are kept by tasks alone, and these do not sleep.
                    self.affairs.put_away();
                    self.mailbox.put_away();
                }
                SliceEnd::Waiting
            }
        }
    }
}
