//! Registries, groups, topics and locks, as in `syscalls/directory.rs` of the shell.

use skep_kernel::directory::{Claim, Holding, HowMany, Place, Watched};
use skep_kernel::process::{Callee, Waiting};

use super::*;
use crate::account::{Asked, Question, Way};
use crate::world::directory::{Errand, KEYS, lock_place, tables, via};

impl World {
    fn a_place(&mut self) -> Place {
        let table = self.dice.pick(&tables());
        let key = if self.dice.one_in(2) { 0 } else { self.dice.below(KEYS) };
        Place { table, key: format!("k{key}").into() }
    }

    pub(super) fn a_claim(&mut self) -> Claim {
        let number = self.number();
        Claim { via: via(self.dice.below(KEYS)), value: Arc::new(body('v', 0, number)) }
    }

    fn errand(&mut self, lane: usize, errand: Errand) {
        self.lanes[lane].duties.push_back(Duty::Errand(errand));
    }

    /// Mostly itself.
    fn whom(&mut self, pid: Pid) -> Pid {
        if self.dice.one_in(4) { self.peer(pid) } else { pid }
    }

    pub(super) fn enter_somebody(&mut self, lane: usize, pid: Pid) {
        let (owner, place, number) = (self.whom(pid), self.a_place(), self.number());
        let value = Arc::new(body('v', pid.id, number));
        let Some(cell) = self.cells.get_mut(&owner.id).filter(|cell| cell.listed) else { return };
        if cell.process.take_entry(place.clone(), value.len()).is_ok() {
            self.errand(lane, Errand::Enter { owner, place, value });
        }
    }

    pub(super) fn take_out(&mut self, lane: usize, pid: Pid) {
        let owner = self.whom(pid);
        let places = self.rolls.places(owner);
        if places.is_empty() || !self.cells.get(&owner.id).is_some_and(|cell| cell.listed) {
            return;
        }
        let place = self.dice.pick(&places);
        let how_many = self.dice.pick(&[HowMany::One, HowMany::All]);
        self.errand(lane, Errand::Withdraw { owner, place, how_many });
    }

    /// Gives the entry under a unique key another value (RPG-06).
    pub(super) fn update(&mut self, pid: Pid) {
        let place = lock_place(self.dice.below(KEYS));
        let value = Arc::new(body('v', pid.id, self.number()));
        let has_one = self.rolls.count(&place, pid) > 0;
        let process = &mut self.cell(pid).process;
        if process.take_value(value.len()).is_err() {
            return;
        }
        let old = self.directory.update(&place, pid, Arc::clone(&value));
        self.cell(pid).process.value_replaced(old.unwrap_or(value.len()));
        self.rolls.replace(&place, pid, &value);
        if old.is_some() != has_one {
            self.violated(
                Invariant::Entries,
                format!("{pid} has an entry at {place:?}: {has_one}, and replaces {old:?}"),
            );
        }
    }

    /// A message to everybody under a key.
    pub(super) fn publish(&mut self, lane: usize, pid: Pid) {
        let place = self.a_place();
        let there: Pids = self.directory.lookup(&place).map(|(pid, _)| pid).filter(|pid| self.lives(*pid)).collect();
        for to in there {
            let signal = Signal::Message(Event::Info(body('m', pid.id, self.number())));
            self.lanes[lane].duties.push_back(Duty::Act { owner: pid, action: Action::Deliver { to, signal } });
        }
    }

    pub(super) fn watch(&mut self, lane: usize, pid: Pid) {
        let place = self.a_place();
        let watched = if self.dice.one_in(2) { Watched::Table(place.table) } else { Watched::Key(place) };
        if let Ok(mark) = self.cell(pid).process.watch(watched.clone()) {
            self.errand(lane, Errand::Watch { owner: pid, watched, mark });
        }
    }

    pub(super) fn unwatch(&mut self, lane: usize, pid: Pid) {
        let account = &mut self.cell(pid).account;
        let Some((mark, watch)) = account.watches.pop_first() else { return };
        let watched = self.cell(pid).process.unwatch(mark);
        if watched.is_some() != watch.open {
            self.violated(Invariant::Changes, format!("{pid} no longer watches {watch:?}: {watched:?}"));
        }
        let holding = watched.map(|watched| Holding::Watch { watched, mark });
        let back = holding.map(|holding| Duty::Act { owner: pid, action: Action::Release(holding) });
        self.lanes[lane].duties.extend(back);
    }

    /// Waits for a lock, for ever or not.
    pub(super) fn lock(&mut self, lane: usize, pid: Pid, script: Script) -> Flow {
        let lock = self.dice.below(KEYS);
        let deadline = (!self.dice.one_in(4)).then(|| self.now + Duration::from_millis(self.dice.between(0, 60)));
        if self.cell(pid).process.take_lock(lock_place(lock)).is_err() {
            return self.goes_on(pid, Doing::Runs(script));
        }
        let waiting = Waiting::Blocking;
        let begun = self.transition(lane, pid, |process, _, actions| {
            process.begin_call(Callee::Nobody, deadline, waiting, actions)
        });
        let Ok(mark) = begun else {
            self.cell(pid).process.drop_lock(&lock_place(lock));
            return self.goes_on(pid, Doing::Runs(script));
        };
        let about = Question::Lock(lock);
        let asked = Asked {
            about,
            number: 0,
            to: None,
            through: None,
            deadline,
            blocking: true,
            way: Way::Open,
            replied: false,
        };
        self.cell(pid).account.calls.insert(mark, asked);
        self.errand(lane, Errand::Lock { owner: pid, lock, mark });
        self.goes_on(pid, Doing::WaitsForAnswer(mark, script))
    }

    pub(in crate::world) fn unlock(&mut self, lane: usize, pid: Pid, lock: usize) {
        let place = lock_place(lock);
        if self.cell(pid).process.drop_lock(&place) {
            let action = Action::Release(Holding::Lock(place));
            self.lanes[lane].duties.push_back(Duty::Act { owner: pid, action });
        }
    }

    pub(super) fn unlock_some(&mut self, lane: usize, pid: Pid) {
        let lock = self.dice.below(KEYS);
        self.unlock(lane, pid, lock);
    }
}
