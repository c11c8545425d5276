//! Links, monitors, names and trap_exit: what ties a process to others.

use super::delivery::Effect;
use super::{AliasMode, Monitor, Process, Watch};
use crate::signal::Undelivered;
use crate::{Action, Address, Body, Event, ExitReason, Mark, Name, Pid, Refusal, Signal};

/// What a request to link comes to.
#[derive(Clone, PartialEq, Eq, Debug)]
#[must_use]
pub enum LinkRequest {
    /// Nothing to do: linked already, or to itself (LINK-02, LINK-05).
    Done,
    /// Deliver [`Signal::Link`] to the other; then call [`Process::link_made`], or [`Process::link_failed`] if it was not
    /// delivered.
    Ask,
    /// This process has as many links as it may have.
    Refused(Refusal),
}

/// A link that was asked for, and of which the other side may not know yet.
#[derive(Debug)]
pub(super) struct Asking {
    pub(super) to: Pid,
    /// An exit signal of the other side that has come meanwhile: of this link, or of an earlier one.
    pub(super) ended: Option<ExitReason>,
}

/// Bytes of a tag at most: it tells one loss from another, and there may be as many as monitors.
pub const TAG_BYTES: usize = 1 << 10;

/// Pids that a guest may make up in its life. Those that are given have 53 bits that nobody knows.
pub const MADE_UP: u16 = 1_000;

/// A monitor asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Monitoring {
    /// Whom.
    pub target: Address,
    /// What the loss shall bring along (MON-07).
    pub tag: Option<Body>,
    /// The alias to be made along with it.
    pub alias: Option<AliasMode>,
}

impl Monitoring {
    /// Neither tagged nor with an alias.
    #[must_use]
    pub fn of(target: Address) -> Self {
        Monitoring { target, tag: None, alias: None }
    }
}

pub(super) fn exit_event(pid: Pid, reason: ExitReason) -> Event {
    Event::Exit { pid, reason }
}

impl Process {
    /// The guest asks for a link. One pair at a time: whoever performs this or [`Process::unlink`] lets no other of the two
    /// processes' links and unlinks come between it and the delivery of its signal, or half a link could remain.
    pub fn link(&mut self, to: Pid) -> LinkRequest {
        if to == self.nature.pid || self.links.contains(&to) {
            return LinkRequest::Done;
        }
        if self.links.len() >= self.nature.limits.links {
            return LinkRequest::Refused(Refusal::Limit("links".into()));
        }
        self.links.insert(to);
        self.affairs.asking = Some(Box::new(Asking { to, ended: None }));
        LinkRequest::Ask
    }

    /// The other side is linked. If it has ended since, that is heard now.
    pub fn link_made(&mut self) {
        if let Some(Asking { to, ended: Some(reason) }) = self.affairs.asking.take().map(|asking| *asking) {
            self.take_link_exit(to, reason);
        }
    }

    /// The other side could not be linked. Without such a process the answer is an exit signal where exits are trapped,
    /// and a refusal where they are not (EXIT-09). If an exit signal of it has come meanwhile, it was that of an earlier
    /// link, which had been taken back (LINK-03).
    pub fn link_failed(&mut self, to: Pid, why: Undelivered) -> Result<(), Refusal> {
        self.affairs.asking = None;
        self.links.remove(&to);
        match why {
            Undelivered::Gone if self.trap_exit => {
                self.mailbox.push(exit_event(to, ExitReason::Noproc));
                Ok(())
            }
            Undelivered::Gone => Err(Refusal::Unknown("noproc".into())),
            Undelivered::MailboxFull
            | Undelivered::OverBudget(_)
            | Undelivered::TooLarge
            | Undelivered::TooManyLinks
            | Undelivered::NotAServer => Err(Refusal::Limit("links of the other process".into())),
        }
    }

    pub(super) fn take_link(&mut self, from: Pid) -> Result<Effect, Undelivered> {
        if self.doomed.is_some() {
            // It is as good as dead; its exit signal will reach the new link all the same.
            self.links.insert(from);
            return Ok(Effect::Quiet);
        }
        if self.links.len() >= self.nature.limits.links && !self.links.contains(&from) {
            return Err(Undelivered::TooManyLinks);
        }
        self.links.insert(from);
        Ok(Effect::Quiet)
    }

    /// The guest unlinks. Afterwards no exit signal of that link has an effect.
    pub fn unlink(&mut self, to: Pid, actions: &mut Vec<Action>) {
        if self.links.remove(&to) {
            actions.push(Action::Deliver { to, signal: Signal::Unlink { from: self.nature.pid } });
        }
    }

    /// The guest monitors a process, or the name that `holder` holds at this moment. An alias made along with it is known
    /// by the same mark.
    pub fn monitor(
        &mut self,
        wanted: Monitoring,
        holder: Option<Pid>,
        actions: &mut Vec<Action>,
    ) -> Result<Mark, ExitReason> {
        let Monitoring { target, tag, alias } = wanted;
        if matches!(target, Address::Alias(_)) {
            // MON-12: nobody can ask whom it names.
            return Err(ExitReason::failed("an alias cannot be monitored"));
        }
        if tag.as_ref().is_some_and(|tag| tag.len() > TAG_BYTES) {
            return Err(ExitReason::limit("tag"));
        }
        if self.affairs.monitors.len() >= self.nature.limits.monitors {
            return Err(ExitReason::limit("monitors"));
        }
        let mark = self.draw_mark();
        if let Some(mode) = alias {
            self.open_alias(mark, mode)?;
        }
        self.affairs.monitors.insert(mark, Monitor { pid: holder, target, tag });
        actions.push(match holder {
            Some(to) => Action::Deliver { to, signal: Signal::Monitor { from: self.nature.pid, mark } },
            None => Action::Deliver { to: self.nature.pid, signal: Signal::Down { mark, reason: ExitReason::Noproc } },
        });
        Ok(mark)
    }

    /// The guest has addressed a pid that was never given. One that lost its memory of whom it knew does so a few times; one
    /// that goes on is guessing.
    pub fn misaddressed(&mut self) -> Result<(), ExitReason> {
        self.made_up = self.made_up.saturating_add(1);
        if self.made_up > MADE_UP { Err(ExitReason::limit("pids that were never given")) } else { Ok(()) }
    }

    /// The guest takes a monitor back. True if it was still set.
    pub fn demonitor(&mut self, mark: Mark, flush: bool, actions: &mut Vec<Action>) -> bool {
        let monitor = self.affairs.monitors.remove(&mark);
        if monitor.is_some() {
            self.close_with_monitor(mark);
        }
        if flush {
            self.mailbox.flush_down(mark);
        }
        if let Some(to) = monitor.as_ref().and_then(|monitor| monitor.pid) {
            actions.push(Action::Deliver { to, signal: Signal::Demonitor { from: self.nature.pid, mark } });
        }
        // Nobody hears of his own end: in OTP, too, a monitor of oneself is none.
        monitor.is_some_and(|monitor| monitor.pid != Some(self.nature.pid))
    }

    pub(super) fn forget_watcher(&mut self, pid: Pid, mark: Mark) {
        let affairs = &mut *self.affairs;
        for watchers in [&mut affairs.watchers, &mut affairs.behind] {
            if let Some(place) = watchers.iter().position(|watcher| watcher.pid == pid && watcher.mark == mark) {
                watchers.swap_remove(place);
            }
        }
    }

    /// Sets whether exit signals arrive as events. Says what it was.
    pub fn set_trap_exit(&mut self, on: bool) -> bool {
        std::mem::replace(&mut self.trap_exit, on)
    }

    /// Takes a name, which the registry has just given (REG-02: one name a process).
    pub fn take_name(&mut self, name: Name) -> Result<(), Refusal> {
        if self.is_doomed() {
            return Err(Refusal::Unknown("noproc".into()));
        }
        match &self.name {
            Some(held) => Err(Refusal::Invalid(format!("the process has a name already: {held}"))),
            None => {
                self.name = Some(Box::new(name));
                Ok(())
            }
        }
    }

    /// Gives its name up. True if it held that one.
    pub fn drop_name(&mut self, name: &str) -> bool {
        let held = self.name().is_some_and(|held| **held == *name);
        if held {
            self.name = None;
        }
        held
    }

    /// Whom it is linked to.
    pub fn links(&self) -> impl Iterator<Item = Pid> {
        self.links.iter().copied()
    }

    /// The signals that tell everyone of this end.
    pub(super) fn farewell(&mut self, reason: &ExitReason, actions: &mut Vec<Action>) {
        let from = self.nature.pid;
        for &to in std::mem::take(&mut self.links).iter() {
            actions.push(Action::Deliver { to, signal: Signal::LinkExit { from, reason: reason.clone() } });
        }
        let watchers = std::mem::take(&mut self.affairs.watchers).into_iter().map(|watcher| (watcher, reason));
        let behind = std::mem::take(&mut self.affairs.behind).into_iter().map(|watcher| (watcher, &ExitReason::Noproc));
        for (watcher, reason) in watchers.chain(behind) {
            let signal = match watcher.why {
                Watch::Monitor => Signal::Down { mark: watcher.mark, reason: reason.clone() },
                Watch::Call => {
                    let outcome = Err(crate::CallError::Ended(reason.clone()));
                    Signal::Answer { mark: watcher.mark, by: from, outcome }
                }
            };
            actions.push(Action::Deliver { to: watcher.pid, signal });
        }
        self.affairs.aliases.clear();
        for (mark, monitor) in std::mem::take(&mut self.affairs.monitors) {
            if let Some(to) = monitor.pid {
                actions.push(Action::Deliver { to, signal: Signal::Demonitor { from, mark } });
            }
        }
    }
}
