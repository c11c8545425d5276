//! How a process's state is taken over in a test: as the runtime drives it, in as many turns as it takes.
//!
//! The state is how many events the guest has heard, so that one taken over too early or rolled back wrongly shows.

use super::coordinator::Trouble;
use super::guest::{Stage, Went};
use super::op::Op;
use super::world::{Code, World};
use crate::process::*;
use crate::upgrade::{MigrationStep, NotMigrated};
use crate::{Body, State};

/// What an instance of this code saves.
pub(super) fn state(code: Code, heard: u64) -> State {
    State { version: code.0, body: Body::Raw(heard.to_le_bytes().into()) }
}

/// What an instance of this code restores.
pub(super) fn restore(state: &State, code: Code) -> u64 {
    assert_eq!(state.version, code.0, "a state of other code");
    u64::from_le_bytes(state.body.as_bytes().try_into().expect("eight bytes"))
}

impl World {
    /// With or without an instance, the driver has been told to have the state taken over.
    pub(super) fn begin_takeover(&mut self, pid: Pid, asleep: bool) -> Went {
        let crashes = !asleep && self.troubles.get(&pid) == Some(&Trouble::Crashes);
        let guest = &mut self.person(pid).guest;
        if !asleep && guest.refuses_to_save() {
            return self.stays(pid, asleep, MigrationStep::Save, ExitReason::failed("not saved"));
        }
        guest.stage = Stage::Taking { asleep };
        if !crashes {
            return Went::On;
        }
        guest.script.push_back(Op::Crash("save".into()));
        self.stays(pid, asleep, MigrationStep::Save, ExitReason::failed("trapped"))
    }

    /// The new code takes the state over, if it is let.
    pub(super) fn take_over(&mut self, pid: Pid, asleep: bool) -> Went {
        let trouble = self.troubles.get(&pid).copied();
        let person = self.person(pid);
        if !person.process.is_migrating() {
            // Rolled back.
            return self.back_from_takeover(pid, asleep);
        }
        person.guest.stage = Stage::Taking { asleep };
        match trouble {
            Some(Trouble::Slow(turns)) if turns > 0 => {
                self.troubles.insert(pid, Trouble::Slow(turns - 1));
                Went::TooFar
            }
            Some(Trouble::Stuck) => Went::Nowhere,
            Some(Trouble::NoRoom) => {
                if !asleep {
                    let before = state(person.guest.code, person.guest.memory);
                    person.process.saved(before);
                }
                person.process.migration_postponed();
                person.guest.stage = Stage::Absent;
                Went::Nowhere
            }
            Some(Trouble::Refuses) => self.stays(pid, asleep, MigrationStep::Restore, ExitReason::failed("refused")),
            Some(Trouble::Slow(_) | Trouble::Crashes) | None => self.moves(pid, asleep),
        }
    }

    fn moves(&mut self, pid: Pid, asleep: bool) -> Went {
        let (from, to) = (self.code, self.upgrade.as_ref().expect("an upgrade").to);
        let person = self.person(pid);
        let heard = match person.process.saved_state() {
            Some(state) if asleep => restore(&state, from),
            None if !asleep => person.guest.memory,
            other => panic!("{pid} has {other:?}, asleep: {asleep}"),
        };
        assert_eq!(heard, person.heard, "{pid} has forgotten something");
        assert!(self.transition(pid, |process, _, actions| process.migrated(state(to, heard), actions)));
        self.leave_takeover(pid, asleep)
    }

    fn stays(&mut self, pid: Pid, asleep: bool, step: MigrationStep, reason: ExitReason) -> Went {
        let why = NotMigrated { step, reason, trace: String::new() };
        self.transition(pid, |process, _, actions| process.not_migrated(why, actions));
        self.leave_takeover(pid, asleep)
    }

    fn back_from_takeover(&mut self, pid: Pid, asleep: bool) -> Went {
        if asleep {
            self.person(pid).process.discarded();
        }
        self.leave_takeover(pid, asleep)
    }

    fn leave_takeover(&mut self, pid: Pid, asleep: bool) -> Went {
        self.person(pid).guest.stage = if asleep { Stage::Absent } else { Stage::Loop };
        if asleep { Went::Nowhere } else { Went::On }
    }
}
