//! Aliases: opened, sent through, closed.

use skep_kernel::process::AliasMode;

use super::*;

/// Aliases that others have heard of and not forgotten.
const KNOWN: usize = 24;

impl World {
    pub(super) fn open_alias(&mut self, pid: Pid) -> Result<(), ExitReason> {
        let mode = self.dice.pick(&[AliasMode::ExplicitUnalias, AliasMode::Reply]);
        let mark = self.cell(pid).process.alias(mode)?;
        self.cell(pid).account.aliases.insert(mark, mode);
        self.publish_alias(pid, mark);
        Ok(())
    }

    /// Others hear of an alias.
    pub(super) fn publish_alias(&mut self, pid: Pid, mark: Mark) {
        if self.aliases.len() == KNOWN {
            self.aliases.pop_front();
        }
        self.aliases.push_back(self.seal.close(pid, mark));
        let cell = self.cell(pid);
        let (open, there) = (cell.account.aliases.len(), cell.process.aliases_open());
        if open > cell.limits.aliases || open != there {
            self.violated(Invariant::Limits, format!("{pid} has {there} aliases, and should have {open}"));
        }
    }

    pub(super) fn unalias(&mut self, pid: Pid) {
        let open: Vec<Mark> = self.cell(pid).account.aliases.keys().copied().collect();
        if open.is_empty() {
            return;
        }
        let mark = self.dice.pick(&open);
        self.cell(pid).account.aliases.remove(&mark);
        let process = &mut self.cell(pid).process;
        let (was_open, is_open) = (process.unalias(mark), process.unalias(mark));
        if !was_open || is_open {
            self.violated(Invariant::Aliases, format!("{pid} closes {mark:?}: {was_open}, then {is_open}"));
        }
    }

    pub(super) fn send_through(&mut self, lane: usize, pid: Pid) {
        let Some(alias) = self.an_alias() else { return };
        let body = body('m', pid.id, self.number());
        let event = if self.dice.one_in(3) { Event::Cast(body) } else { Event::Info(body) };
        self.send(lane, &Address::Alias(alias), event);
    }

    fn an_alias(&mut self) -> Option<Alias> {
        if self.aliases.is_empty() {
            return None;
        }
        let place = self.dice.below(self.aliases.len());
        self.aliases.get(place).copied()
    }

    /// Some address, an alias among others.
    pub(super) fn destination(&mut self, pid: Pid) -> Address {
        match self.has(Feature::Aliases) && self.dice.one_in(4) {
            true => self.an_alias().map_or_else(|| self.target(pid), Address::Alias),
            false => self.target(pid),
        }
    }
}
