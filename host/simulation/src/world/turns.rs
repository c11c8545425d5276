//! One step of somebody: who is chosen, and how far a worker goes with its process, as in `worker.rs` of the shell.

use skep_kernel::process::SliceEnd;

use super::*;

/// Steps after which the operator goes on although somebody always has something to do: a supervisor can go on restarting
/// a child for ever whose name is taken.
const LONGEST_REST: u64 = 2_048;

impl World {
    /// One step of somebody.
    pub(crate) fn step(&mut self) -> Progress {
        self.steps += 1;
        if self.dice.one_in(self.pace.0) {
            self.now += Duration::from_millis(self.dice.between(0, self.pace.1));
        }
        if self.steps.is_multiple_of(256) {
            for lane in 0..self.lanes.len() {
                self.lanes[lane].weight = self.dice.pick(&[1, 1, 1, 4, 16]);
            }
        }
        if self.steps.is_multiple_of(LONGEST_REST) {
            self.end_rest();
        }
        let first = self.choose();
        let count = self.lanes.len();
        for place in 0..count {
            let lane = (first + place) % count;
            if self.can_go_on(lane) {
                self.go_on(lane);
                return Progress::Made;
            }
        }
        Progress::None
    }

    fn choose(&mut self) -> usize {
        let total: usize = self.lanes.iter().map(|lane| lane.weight).sum();
        let mut left = self.dice.below(total);
        for (place, lane) in self.lanes.iter().enumerate() {
            if left < lane.weight {
                return place;
            }
            left -= lane.weight;
        }
        0
    }

    fn can_go_on(&self, lane: usize) -> bool {
        let lane = &self.lanes[lane];
        !lane.duties.is_empty()
            || lane.pair.is_some()
            || match &lane.role {
                Role::Worker(Some(_)) => true,
                Role::Worker(None) => !self.queue.is_empty(),
                Role::Clock => self.clock.next_at().is_some_and(|at| at <= self.hand()),
                Role::Coordinator => {
                    self.coordinator.as_ref().is_some_and(|coordinator| coordinator.can_go_on(self.now))
                }
                Role::Operator => self.operator_can_go_on(),
            }
    }

    /// Where the hand of the clock stands that says what is due.
    fn hand(&self) -> Time {
        if self.suffers(Bug::EarlyTimer) { self.now + Duration::from_millis(2) } else { self.now }
    }

    fn go_on(&mut self, lane: usize) {
        if let Some(duty) = self.lanes[lane].duties.pop_front() {
            return self.perform(lane, duty);
        }
        self.lanes[lane].pair = None;
        match &mut self.lanes[lane].role {
            Role::Worker(taken) => match taken.take() {
                Some(taken) => self.work(lane, taken),
                None if self.queue.is_empty() => {}
                None => {
                    let place = self.dice.below(self.queue.len());
                    let pid = self.queue.swap_remove(place);
                    self.take(lane, pid);
                }
            },
            Role::Clock => self.ring(lane),
            Role::Coordinator => self.coordinate(lane),
            Role::Operator => self.operate(lane),
        }
    }

    fn take(&mut self, lane: usize, pid: Pid) {
        let Some(cell) = self.cells.get_mut(&pid.id) else { return };
        if std::mem::replace(&mut cell.on_worker, true) {
            return self.violated(Invariant::OneWorker, format!("{pid} is on two workers"));
        }
        self.lanes[lane].role = Role::Worker(Some(Taken { pid, stage: Stage::Begin }));
    }

    /// A worker goes on with its process, as `worker.rs` does. Its duties are done.
    fn work(&mut self, lane: usize, taken: Taken) {
        let Taken { pid, stage } = taken;
        let next = match stage {
            Stage::Begin => match self.cell(pid).process.begin_slice() {
                Turn::Exit(reason) => Some(Stage::End(reason)),
                turn => Some(self.begin_turn(pid, &turn)),
            },
            Stage::Drive => Some(match self.drive(lane, pid) {
                Flow::On => Stage::Drive,
                Flow::Over => Stage::Leave,
                Flow::Ends(reason) => Stage::End(reason),
            }),
            Stage::Leave => {
                let cell = self.cell(pid);
                cell.on_worker = false;
                match cell.process.end_slice() {
                    SliceEnd::Preempted | SliceEnd::Spent => self.queue.push(pid),
                    SliceEnd::Waiting => self.rested(lane),
                }
                None
            }
            Stage::End(reason) => {
                self.finish(lane, pid, &reason);
                Some(Stage::Vanished(reason))
            }
            Stage::Vanished(reason) => {
                self.farewell(lane, pid, &reason);
                Some(Stage::Ended)
            }
            Stage::Ended => {
                self.buried(pid);
                None
            }
        };
        self.lanes[lane].role = Role::Worker(next.map(|stage| Taken { pid, stage }));
    }

    fn begin_turn(&mut self, pid: Pid, turn: &Turn) -> Stage {
        match &self.cell(pid).content {
            Content::Guest(_) => self.begin_guest(pid, turn),
            Content::Overseer(_) => {
                self.overseer(pid).begin_turn();
                Stage::Drive
            }
            Content::Operator => Stage::Leave,
        }
    }

    fn drive(&mut self, lane: usize, pid: Pid) -> Flow {
        match &self.cell(pid).content {
            Content::Guest(_) => self.drive_guest(lane, pid),
            Content::Overseer(_) => self.drive_overseer(lane, pid),
            Content::Operator => Flow::Over,
        }
    }

    /// The end of a process: its instance first, then everybody hears of it.
    pub(super) fn finish(&mut self, lane: usize, pid: Pid, reason: &ExitReason) {
        self.note(|world| format!("{} ends: {reason}", world.name_of(pid)));
        if let Content::Guest(_) = self.cell(pid).content {
            self.discard(lane, pid);
        }
        self.figures.ends += 1;
        self.transition(lane, pid, |process, _, actions| process.vanish(reason, actions));
    }

    /// Nobody finds it any more: everybody hears of it.
    pub(super) fn farewell(&mut self, lane: usize, pid: Pid, reason: &ExitReason) {
        self.account_for_the_end(pid);
        self.transition(lane, pid, |process, _, actions| process.exit(reason, actions));
        self.meddle_with_the_end(lane, pid);
    }

    /// Everybody has been told of an end.
    pub(super) fn buried(&mut self, pid: Pid) {
        let Some(cell) = self.cells.get(&pid.id) else { return };
        if cell.listed {
            return;
        }
        self.cells.remove(&pid.id);
    }

    fn ring(&mut self, lane: usize) {
        let Some((pid, mark)) = self.clock.pop_due(self.hand()) else { return };
        if self.keys.remove(&(pid.id, mark)).is_none() {
            return self.violated(Invariant::Leaks, format!("{pid} has cancelled {mark:?}, and the clock knows of it"));
        }
        if self.cells.get(&pid.id).is_some_and(|cell| cell.account.timers.contains_key(&mark))
            && self.strikes(Bug::LostTimer)
        {
            return;
        }
        let _ = self.hand_over(lane, pid, skep_kernel::Signal::TimeUp { mark });
    }
}
