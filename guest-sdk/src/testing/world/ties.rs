//! Monitors and aliases of the process under test.
//!
//! Owns what closes an alias, and what becomes of a monitor.

use super::{OWN_ALIASES, Stopped, World};
use crate::host::links::{MonitorAlias, Watch};
use crate::testing::action::Action;
use crate::types::{Address, Alias, Body, Event, ExitReason, Lost, Mark};

impl World {
    pub(crate) fn open_alias(&mut self, once: bool) -> Alias {
        let mark = self.mark();
        let mode = if once { MonitorAlias::ReplyDemonitor } else { MonitorAlias::ExplicitUnalias };
        self.aliases.insert(mark, mode);
        Alias { node: 0, id: OWN_ALIASES, tag: mark }
    }

    pub(crate) fn unalias(&mut self, alias: Alias) -> bool {
        alias.id == OWN_ALIASES && self.aliases.remove(&alias.tag).is_some()
    }

    /// Sends through an alias of the process under test, as others would: what goes through a closed one is lost.
    pub fn send_through(&mut self, alias: Alias, body: Body) {
        let to = Address::Alias(alias);
        if self.holder(&to) == Some(self.me) {
            self.comes_through(alias);
            self.inbox.push_back(Event::Info(body));
        }
    }

    pub(super) fn comes_through(&mut self, alias: Alias) {
        if matches!(self.aliases.get(&alias.tag), Some(MonitorAlias::ReplyDemonitor)) {
            self.aliases.remove(&alias.tag);
            self.monitors.remove(&alias.tag);
        }
    }

    pub(super) fn close_with_monitor(&mut self, mark: Mark) {
        if !matches!(self.aliases.get(&mark), None | Some(MonitorAlias::ExplicitUnalias)) {
            self.aliases.remove(&mark);
        }
    }

    pub(crate) fn monitor(&mut self, target: Address, tag: Option<Body>, alias: Option<MonitorAlias>) -> Watch {
        if matches!(target, Address::Alias(_)) {
            std::panic::resume_unwind(Box::new(Stopped(ExitReason::Failed("an alias cannot be monitored".to_owned()))));
        }
        let mark = self.mark();
        if let Some(mode) = alias {
            self.aliases.insert(mark, mode);
        }
        let is_there = self.holder(&target).is_some();
        self.monitors.insert(mark, (target.clone(), tag));
        if !is_there && let Some(lost) = self.lost(mark, ExitReason::Noproc) {
            self.inbox.push_back(Event::Down(lost));
        }
        self.note(Action::Monitor { mark, target });
        Watch { mark, alias: alias.map(|_| Alias { node: 0, id: OWN_ALIASES, tag: mark }) }
    }

    pub(crate) fn demonitor(&mut self, mark: Mark, flush: bool) -> bool {
        self.note(Action::Demonitor(mark));
        if flush {
            self.inbox.retain(|event| !matches!(event, Event::Down(lost) if lost.mark == mark));
        }
        self.close_with_monitor(mark);
        self.monitors.remove(&mark).is_some()
    }

    /// The loss of what was monitored with this mark, and no longer is.
    pub(crate) fn lost(&mut self, mark: Mark, reason: ExitReason) -> Option<Lost> {
        let (target, tag) = self.monitors.remove(&mark)?;
        self.close_with_monitor(mark);
        Some(Lost { mark, target, reason, tag })
    }
}
