//! Where the state of a guest goes: saved, taken over by other code, replaced by the operator.

use skep_kernel::system::SystemId;
use skep_kernel::upgrade::{MigrationStep, NotMigrated, Path, path};
use skep_kernel::{Form, Shape, State};

use super::*;

impl World {
    /// Saves and gives the instance back, unless the guest refuses.
    pub(super) fn save(&mut self, lane: usize, pid: Pid, instance: Instance) -> Flow {
        match if self.winding_down { 9 } else { self.dice.below(24) } {
            0 => self.cell(pid).process.save_postponed(),
            1 => self.cell(pid).process.save_refused(),
            2 if self.has(Feature::Crashes) => return self.traps(lane, pid),
            3 | 4 => {
                // It takes several turns, between which anything may come.
                self.cell(pid).process.stir();
                return self.saved(lane, pid, instance);
            }
            _ => return self.saved(lane, pid, instance),
        }
        Flow::On
    }

    fn saved(&mut self, lane: usize, pid: Pid, instance: Instance) -> Flow {
        let state = state_of(instance);
        let module = self.guest(pid).spec.module;
        let slot = &mut self.slots[module];
        if self.plan.bug == Some(Bug::StaleState)
            && slot.stale.as_ref().is_none_or(|(_, old)| old.version != state.version)
        {
            slot.stale = Some((pid, state.clone()));
        }
        self.figures.sleeps += 1;
        self.cell(pid).process.saved(state);
        self.end_driver(lane, pid, End::GaveBack)
    }

    /// The state is saved for the new code, which an instance of its own takes over.
    pub(super) fn begin_move(&mut self, lane: usize, pid: Pid, instance: Instance) -> Flow {
        let why = |step, text: &str| NotMigrated { step, reason: ExitReason::failed(text), trace: String::new() };
        match self.dice.below(30) {
            0 => {
                let why = why(MigrationStep::Save, "refuses");
                self.transition(lane, pid, |process, _, actions| process.not_migrated(why, actions));
                Flow::On
            }
            1 if self.has(Feature::Crashes) => {
                let why = why(MigrationStep::Save, "traps");
                self.transition(lane, pid, |process, _, actions| process.not_migrated(why, actions));
                self.traps(lane, pid)
            }
            _ => {
                let left = self.dice.below(6);
                self.goes_on(pid, Doing::Moves { before: state_of(instance), left })
            }
        }
    }

    pub(super) fn move_state(&mut self, lane: usize, pid: Pid, before: State, left: usize) -> Flow {
        let instance = self.instance(pid);
        if !self.cell(pid).process.is_migrating() {
            return self.moved(lane, pid);
        }
        if left > 0 {
            let stage = Doing::Moves { before, left: left - 1 };
            if self.dice.one_in(2) {
                // Its turn is over; whatever it waits for stirs it.
                self.cell(pid).process.stir();
                return self.yields(pid, stage);
            }
            return self.goes_on(pid, stage);
        }
        match self.dice.below(40) {
            0 | 1 => {
                let why = NotMigrated {
                    step: MigrationStep::Restore,
                    reason: ExitReason::failed("no"),
                    trace: String::new(),
                };
                self.transition(lane, pid, |process, _, actions| process.not_migrated(why, actions));
            }
            2 | 3 => {
                self.cell(pid).process.migration_postponed();
                if instance.is_some() {
                    self.cell(pid).process.saved(before);
                }
                return self.end_driver(lane, pid, End::NoRoom);
            }
            _ => self.take_over(lane, pid, &before),
        }
        self.moved(lane, pid)
    }

    /// As a move, but the code stays.
    pub(super) fn replace(&mut self, lane: usize, pid: Pid, id: SystemId, present: State, left: usize) -> Flow {
        if left > 0 {
            let stage = Doing::Replaces { id, present, left: left - 1 };
            self.cell(pid).process.stir();
            return self.yields(pid, stage);
        }
        if self.replace_state(lane, pid, id, present.clone()) {
            if self.instance(pid).is_some() {
                self.cell(pid).process.saved(present);
            }
            return self.end_driver(lane, pid, End::NoRoom);
        }
        self.moved(lane, pid)
    }

    fn take_over(&mut self, lane: usize, pid: Pid, before: &State) {
        let guest = self.guest(pid);
        let (Some(new), old) = (guest.successor, guest.code) else { return };
        let version = match path(&shape(old), &shape(new)) {
            Ok(Path::Up) => before.version,
            Ok(Path::Down(version)) => version,
            Err(_) => {
                return self.violated(Invariant::AllOrNone, format!("{pid}: no way from {} to {new}", before.version));
            }
        };
        if version != new && version + 1 != new {
            self.violated(Invariant::AllOrNone, format!("{pid}: code {new} is given a state of version {version}"));
        }
        self.figures.migrations += 1;
        let after = State { version: new, body: before.body.clone() };
        self.transition(lane, pid, |process, _, actions| process.migrated(after, actions));
    }

    /// The move is over: an instance goes on, one that was not needed is not made.
    fn moved(&mut self, lane: usize, pid: Pid) -> Flow {
        if self.instance(pid).is_some() {
            return self.goes_on(pid, Doing::Next);
        }
        self.cell(pid).process.discarded();
        self.end_driver(lane, pid, End::GaveBack)
    }
}

fn shape(code: u32) -> Shape {
    let before = code.saturating_sub(1);
    let (accepts, steps_down) = (vec![before, code], vec![before]);
    Shape { version: code, accepts, steps_down, writes: Form::Json, reads: vec![Form::Json] }
}

pub(super) fn state_of(instance: Instance) -> State {
    State { version: instance.code, body: Body::Text(instance.handled.to_string()) }
}

pub(super) fn handled_in(state: &State) -> u64 {
    match &state.body {
        Body::Text(text) => text.parse().unwrap_or_default(),
        _ => 0,
    }
}
