//! What planted defects make of signals.

use super::book::Entered;
use super::*;
use crate::account::Way;

impl World {
    /// What a planted defect makes of a signal; none if it is handed over as it is.
    pub(super) fn meddle(&mut self, lane: usize, to: Pid, signal: &Signal) -> Option<Result<(), Undelivered>> {
        let bug = self.plan.bug?;
        if bug == Bug::SwapMessages
            && let Some(first) = self.held_back_for(to, signal)
        {
            let _ = self.give(lane, to, signal.clone(), Entered::Yes);
            let _ = self.give(lane, to, first, Entered::No);
            return Some(Ok(()));
        }
        if !self.is_prey(bug, to, signal) || !self.strikes(bug) {
            return None;
        }
        match (bug, signal) {
            (Bug::DropMessage, Signal::Message(Event::Info(body))) => self.enter_mail(to, body),
            (Bug::SwapMessages, Signal::Message(Event::Info(body))) => {
                self.enter_mail(to, body);
                self.held_back = Some((to, signal.clone()));
            }
            (Bug::DoubleMessage, _) => {
                let _ = self.give(lane, to, signal.clone(), Entered::Yes);
                let _ = self.give(lane, to, signal.clone(), Entered::No);
            }
            (Bug::DeafSupervisor, Signal::Down { mark, .. }) => {
                self.cell(to).account.monitors.remove(mark);
            }
            // It is lost.
            _ => {}
        }
        Some(Ok(()))
    }

    /// Whether a planted defect would be seen if it struck this signal.
    fn is_prey(&self, bug: Bug, to: Pid, signal: &Signal) -> bool {
        let cell = self.cells.get(&to.id).filter(|cell| cell.listed && !cell.process.is_doomed());
        let Some(cell) = cell else { return false };
        let account = &cell.account;
        let has_room = cell.process.mailbox().len() + 2 < cell.limits.mailbox_messages
            && cell.process.mailbox().bytes() + 100 < cell.limits.mailbox_bytes;
        match (bug, signal) {
            (Bug::DropMessage | Bug::DoubleMessage, Signal::Message(Event::Info(_))) => has_room,
            // Of what the clock sends, there is no next one.
            (Bug::SwapMessages, Signal::Message(Event::Info(body))) => {
                has_room && read(body).is_some_and(|(kind, ..)| kind == 'm')
            }
            (Bug::DropDown, Signal::Down { mark, .. }) => account.monitors.contains_key(mark) && is_guest(cell),
            (Bug::DeafSupervisor, Signal::Down { mark, .. }) => {
                account.monitors.contains_key(mark) && matches!(cell.content, Content::Overseer(_))
            }
            (Bug::DropExit, Signal::LinkExit { from, .. }) => account.exits_due.contains(from) && is_guest(cell),
            (Bug::HalfUnlink, Signal::Unlink { .. }) => true,
            (Bug::DropAnswer, Signal::Answer { mark, .. }) => {
                account.calls.get(mark).is_some_and(|asked| asked.way == Way::Open)
            }
            _ => false,
        }
    }

    /// The message that was held back and that this one of the same sender overtakes.
    fn held_back_for(&mut self, to: Pid, signal: &Signal) -> Option<Signal> {
        let sender = |signal: &Signal| match signal {
            Signal::Message(Event::Info(body)) => read(body).map(|(_, from, _)| from),
            _ => None,
        };
        let (held, first) = self.held_back.as_ref()?;
        let overtakes = *held == to && sender(first).is_some() && sender(first) == sender(signal);
        if overtakes { self.held_back.take().map(|(_, first)| first) } else { None }
    }

    fn enter_mail(&mut self, to: Pid, body: &Body) {
        if let Some((_, from, number)) = read(body) {
            self.cell(to).account.mailed(from, number);
        }
    }

    /// What planted defects make of an end that has just been decided.
    pub(in crate::world) fn meddle_with_the_end(&mut self, lane: usize, pid: Pid) {
        let is_exit = |duty: &Duty| {
            matches!(duty, Duty::Act { action: Action::Deliver { signal: Signal::LinkExit { .. }, .. }, .. })
        };
        let late = std::mem::take(&mut self.late);
        self.lanes[lane].duties.extend(late);
        let is_supervisor = matches!(self.cell(pid).content, Content::Overseer(_));
        if is_supervisor && self.lanes[lane].duties.iter().any(is_exit) && self.strikes(Bug::ForgetChildren) {
            self.lanes[lane].duties.retain(|duty| !is_exit(duty));
            for cell in self.cells.values_mut() {
                cell.account.exits_due.remove(&pid);
            }
        }
    }
}
