//! What planted defects make of signals.

use skep_kernel::process::AliasMode;

use super::book::Entered;
use super::*;
use crate::account::Way;

impl World {
    /// What a planted defect makes of a signal; none if it is handed over as it is.
    pub(super) fn meddle(&mut self, lane: usize, to: Pid, signal: &Signal) -> Option<Result<(), Undelivered>> {
        let bug = self.plan.bug?;
        if bug == Bug::StaleAlive {
            return self.lie_about_life(lane, to, signal);
        }
        if matches!(bug, Bug::LateThrough | Bug::SecondReply) {
            return self.let_through(lane, to, signal);
        }
        if matches!(bug, Bug::SwapMessages | Bug::SwapChanges)
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
            (Bug::SwapChanges, Signal::Change { mark, what }) => {
                let told = self.cell(to).account.is_told(*mark, what.clone(), true);
                self.check(to, told.map(drop));
                self.held_back = Some((to, signal.clone()));
            }
            (Bug::DoubleMessage | Bug::DoubleChange, _) => {
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
            (Bug::DropChange | Bug::DoubleChange | Bug::SwapChanges, Signal::Change { mark, .. }) => {
                has_room && account.watches.get(mark).is_some_and(|watch| watch.open) && is_guest(cell)
            }
            (Bug::DropDown, Signal::Down { mark, .. }) => account.monitors.contains_key(mark) && is_guest(cell),
            (Bug::DeafSupervisor, Signal::Down { mark, .. }) => {
                account.monitors.contains_key(mark) && matches!(cell.content, Content::Overseer(_))
            }
            (Bug::DropExit, Signal::LinkExit { from, .. }) => account.exits_due.contains(from) && is_guest(cell),
            (Bug::HalfUnlink, Signal::Unlink { .. }) => true,
            (Bug::DropSearch, Signal::Search(_)) | (Bug::DropRetract, Signal::Retract { .. }) => {
                self.circle_of(to).is_some()
            }
            (Bug::DropAnswer, Signal::Answer { mark, .. }) => {
                account.calls.get(mark).is_some_and(|asked| asked.way == Way::Open)
            }
            _ => false,
        }
    }

    /// Whoever is to end is asked whether it lives.
    fn lie_about_life(&mut self, lane: usize, to: Pid, signal: &Signal) -> Option<Result<(), Undelivered>> {
        let Signal::Alive { from, mark } = signal else { return None };
        let is_prey = self.cells.get(&to.id).is_some_and(|cell| cell.listed && cell.process.is_doomed());
        if !is_prey || !self.strikes(Bug::StaleAlive) {
            return None;
        }
        let answer = Signal::Answer { mark: *mark, by: to, outcome: Ok(Body::Raw(Vec::new())) };
        let _ = self.hand_over(lane, *from, answer);
        Some(Ok(()))
    }

    /// A message through a closed alias arrives like any other.
    fn let_through(&mut self, lane: usize, to: Pid, signal: &Signal) -> Option<Result<(), Undelivered>> {
        let bug = self.plan.bug?;
        let Signal::Through { alias, event } = signal else { return None };
        let cell = self.cells.get_mut(&to.id).filter(|cell| cell.listed && !cell.process.is_doomed())?;
        let mode = cell.account.aliases.get(alias).copied();
        let is_prey = match bug {
            _ if matches!(event, Event::Call { .. }) => false,
            Bug::SecondReply => mode == Some(AliasMode::Reply),
            _ => mode.is_none() && cell.process.mailbox().len() < cell.limits.mailbox_messages,
        };
        if !is_prey || !self.strikes(bug) {
            return None;
        }
        let fact = Fact::of(signal);
        let _ = self.give(lane, to, signal.clone(), Entered::Yes);
        if bug == Bug::SecondReply {
            let _ = self.give(lane, to, signal.clone(), Entered::Yes);
        }
        let now = self.now;
        let cell = self.cell(to);
        let (waiting, bytes) = (cell.process.mailbox().len(), cell.process.mailbox().bytes());
        let delivery = cell.process.deliver(Signal::Message(event.clone()), now, &mut Vec::new());
        let delivered = delivery.outcome.is_ok();
        let effect = Effect { grew: delivered, shrank: false, doomed: false, delivered, waiting, bytes };
        let entry = self.cell(to).enter(fact, &effect, false, now);
        self.check(to, entry);
        Some(delivery.outcome)
    }

    /// The signal that was held back and that this one of the same sender, or of the same watch, overtakes.
    fn held_back_for(&mut self, to: Pid, signal: &Signal) -> Option<Signal> {
        let sender = |signal: &Signal| match signal {
            Signal::Message(Event::Info(body)) => read(body).map(|(_, from, _)| from),
            Signal::Change { mark, .. } => Some(mark.0),
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
