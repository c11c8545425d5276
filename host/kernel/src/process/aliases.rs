//! A process's aliases: second addresses, each open until its mode closes it.
//!
//! Owns which are open, and what comes through them (MON-08 to MON-12). That nobody else can tell an open one from a closed
//! one, nor whose it is, is up to whoever carries the messages: a closed one is no error.

use super::Process;
use super::delivery::{Effect, Room};
use crate::signal::Undelivered;
use crate::{Action, Event, ExitReason, Mark};

/// What closes an alias, beside `unalias` and the end of its process. After `alias/1` and `monitor/3` of OTP.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AliasMode {
    /// Nothing else.
    ExplicitUnalias,
    /// The first message through it (MON-09).
    Reply,
    /// The end of the monitor it was made with, be it by a loss or taken back.
    Demonitor,
    /// Either of the two; the message ends the monitor as well.
    ReplyDemonitor,
}

impl AliasMode {
    fn is_closed_by_a_message(self) -> bool {
        matches!(self, AliasMode::Reply | AliasMode::ReplyDemonitor)
    }

    fn is_closed_with_its_monitor(self) -> bool {
        matches!(self, AliasMode::Demonitor | AliasMode::ReplyDemonitor)
    }
}

impl Process {
    /// The guest opens an alias. A mode that needs a monitor is for [`Process::monitor`].
    pub fn alias(&mut self, mode: AliasMode) -> Result<Mark, ExitReason> {
        let mark = self.draw_mark();
        self.open_alias(mark, mode).map(|()| mark)
    }

    pub(super) fn open_alias(&mut self, mark: Mark, mode: AliasMode) -> Result<(), ExitReason> {
        if self.affairs.aliases.len() >= self.nature.limits.aliases {
            return Err(ExitReason::limit("aliases"));
        }
        self.affairs.aliases.insert(mark, mode);
        Ok(())
    }

    /// The guest closes an alias of its own; its monitor, if it was made with one, goes on (MON-11). True if it was open.
    pub fn unalias(&mut self, mark: Mark) -> bool {
        self.affairs.aliases.remove(&mark).is_some()
    }

    /// The monitor with this mark is over: so is the alias that was made with it, if it is that kind.
    pub(super) fn close_with_monitor(&mut self, mark: Mark) {
        if self.affairs.aliases.get(&mark).is_some_and(|mode| mode.is_closed_with_its_monitor()) {
            self.affairs.aliases.remove(&mark);
        }
    }

    /// A message through an alias. What a closed one brings never reaches the mailbox (MON-08). An alias for one message is
    /// bounded by how many there may be, like an answer, so that one is never refused for want of room.
    pub(super) fn take_through(
        &mut self,
        alias: Mark,
        event: Event,
        actions: &mut Vec<Action>,
    ) -> Result<Effect, Undelivered> {
        // An alias is for messages: as in OTP, nobody is told to end through one.
        let carried = !matches!(event, Event::Stop { .. });
        let mode = *self.affairs.aliases.get(&alias).filter(|_| carried).ok_or(Undelivered::Gone)?;
        let room = if mode.is_closed_by_a_message() { Room::Reserved } else { Room::Bounded };
        let effect = self.take_message(event, room, actions).inspect_err(|_| self.mailbox.count_dropped())?;
        if mode.is_closed_by_a_message() {
            self.affairs.aliases.remove(&alias);
        }
        if mode == AliasMode::ReplyDemonitor {
            self.demonitor(alias, false, actions);
        }
        Ok(effect)
    }

    /// How many aliases are open.
    #[must_use]
    pub fn aliases_open(&self) -> usize {
        self.affairs.aliases.len()
    }
}
