//! The life of one instance of a guest, as in `guest.rs`, `drive.rs` and `takeover.rs` of the shell, one step at a time.

use skep_kernel::process::{Received, Step};
use skep_kernel::system::SystemId;
use skep_kernel::upgrade::{MigrationStep, NotMigrated, Path, path};
use skep_kernel::{Caller, Form, Limits, Next, Outcome, Shape, Signal, Start, State};

use super::births::GuestSpec;
use super::rooms::Class;
use super::script::{Script, Work};
use super::*;

/// A guest.
pub(crate) struct Guest {
    pub(super) spec: Arc<GuestSpec>,
    /// The code that its next instance is made from.
    pub(super) code: u32,
    /// What its state is to be taken over by.
    pub(super) successor: Option<u32>,
    pub(super) live: Option<Driver>,
    /// Calls that it has not answered yet.
    pub(super) owed: Vec<(Caller, u64)>,
}

/// What drives one instance, and lasts as long as it.
pub(super) struct Driver {
    ticket: u64,
    pub(super) stage: Doing,
    instance: Option<Instance>,
}

#[derive(Clone, Copy)]
struct Instance {
    code: u32,
    class: Class,
    /// What it carries: how many events it was handed.
    handled: u64,
}

/// What a guest is in the middle of.
pub(super) enum Doing {
    Begin,
    Make,
    Next,
    Runs(Script),
    WaitsForAnswer(Mark, Script),
    WaitsForChild(Mark, Script),
    Receives(Script),
    Moves { before: State, left: usize },
    Replaces { id: SystemId, present: State, left: usize },
}

/// How a driver ends.
enum End {
    Exit(ExitReason),
    GaveBack,
    NoRoom,
}

impl Guest {
    pub(super) fn new(spec: Arc<GuestSpec>, code: u32) -> Self {
        Guest { spec, code, successor: None, live: None, owed: Vec::new() }
    }
}

fn shape(code: u32) -> Shape {
    let before = code.saturating_sub(1);
    let (accepts, steps_down) = (vec![before, code], vec![before]);
    Shape { version: code, accepts, steps_down, writes: Form::Json, reads: vec![Form::Json] }
}

impl World {
    pub(super) fn begin_guest(&mut self, pid: Pid, turn: &Turn) -> Stage {
        if self.guest(pid).live.is_none() {
            if *turn == Turn::Nothing {
                return Stage::Leave;
            }
            let ticket = self.rooms.enter(pid);
            self.guest(pid).live = Some(Driver { ticket, stage: Doing::Begin, instance: None });
        }
        Stage::Drive
    }

    /// One step of a driver.
    pub(super) fn drive_guest(&mut self, lane: usize, pid: Pid) -> Flow {
        let driver = self.guest(pid).live.as_mut().expect("it is driven");
        match std::mem::replace(&mut driver.stage, Doing::Next) {
            Doing::Begin => self.begin_driver(lane, pid),
            Doing::Make => self.make(lane, pid),
            Doing::Next => self.next_step(lane, pid),
            Doing::Runs(script) => self.run_script(lane, pid, script),
            Doing::WaitsForAnswer(mark, script) => self.poll_call(lane, pid, mark, script),
            Doing::WaitsForChild(mark, script) => self.poll_spawn(lane, pid, mark, script),
            Doing::Receives(script) => self.poll_receive(lane, pid, script),
            Doing::Moves { before, left } => self.move_state(lane, pid, before, left),
            Doing::Replaces { id, present, left } => self.replace(lane, pid, id, present, left),
        }
    }

    pub(super) fn goes_on(&mut self, pid: Pid, stage: Doing) -> Flow {
        if let Some(driver) = &mut self.guest(pid).live {
            driver.stage = stage;
        }
        Flow::On
    }

    /// Its turn is over, and it goes on with this in the next.
    pub(super) fn yields(&mut self, pid: Pid, stage: Doing) -> Flow {
        let _ = self.goes_on(pid, stage);
        Flow::Over
    }

    pub(super) fn ends(&mut self, lane: usize, pid: Pid, reason: ExitReason) -> Flow {
        self.end_driver(lane, pid, End::Exit(reason))
    }

    fn begin_driver(&mut self, lane: usize, pid: Pid) -> Flow {
        match self.transition(lane, pid, Process::step_asleep) {
            None => self.goes_on(pid, Doing::Make),
            Some(Step::Migrate) => {
                let before = self.cell(pid).process.saved_state().cloned();
                let Some(before) = before else {
                    self.violated(Invariant::States, format!("{pid} is to move a state that it has not"));
                    return Flow::Over;
                };
                let left = self.dice.below(6);
                self.goes_on(pid, Doing::Moves { before, left })
            }
            Some(Step::ReplaceState(id)) => match self.cell(pid).process.saved_state().cloned() {
                Some(present) => self.begin_replacement(pid, id, present),
                None => {
                    self.violated(Invariant::States, format!("{pid} is to replace a state that it has not"));
                    Flow::Over
                }
            },
            Some(Step::Exit(reason)) => self.ends(lane, pid, reason),
            Some(_) => {
                self.cell(pid).process.discarded();
                self.end_driver(lane, pid, End::GaveBack)
            }
        }
    }

    fn make(&mut self, lane: usize, pid: Pid) -> Flow {
        let Some(class) = self.make_instance() else { return self.end_driver(lane, pid, End::NoRoom) };
        let guest = self.guest(pid);
        let mut instance = Instance { code: guest.code, class, handled: 0 };
        let module = guest.spec.module;
        let cell = self.cell(pid);
        let is_new = cell.process.is_new();
        let mut state = cell.process.take_saved();
        if let Some(stale) = &self.slots[module].stale
            && stale.0 == pid
            && state.as_ref().is_some_and(|state| state.version == stale.1.version && state.body != stale.1.body)
            && self.strikes(Bug::StaleState)
        {
            state = self.slots[module].stale.as_ref().map(|stale| stale.1.clone());
        }
        let handled = self.cell(pid).account.handled;
        match state {
            Some(state) => {
                self.figures.wakes += 1;
                if state.version != instance.code {
                    let why =
                        format!("{pid} of code {} wakes from a state of version {}", instance.code, state.version);
                    self.violated(Invariant::AllOrNone, why);
                }
                instance.handled = handled_in(&state);
            }
            None if is_new => {}
            None => self.violated(Invariant::States, format!("{pid} has no state to wake from")),
        }
        if instance.handled != handled {
            let why = format!("{pid} had handled {handled} events, and wakes with {}", instance.handled);
            self.violated(Invariant::States, why);
        }
        if let Some(driver) = &mut self.guest(pid).live {
            driver.instance = Some(instance);
        }
        Flow::On
    }

    fn instance(&mut self, pid: Pid) -> Option<Instance> {
        self.guest(pid).live.as_ref().and_then(|driver| driver.instance)
    }

    /// The instance was handed an event.
    pub(super) fn count_event(&mut self, pid: Pid) {
        self.figures.events += 1;
        self.cell(pid).account.handled += 1;
        if let Some(instance) = self.guest(pid).live.as_mut().and_then(|driver| driver.instance.as_mut()) {
            instance.handled += 1;
        }
    }

    fn next_step(&mut self, lane: usize, pid: Pid) -> Flow {
        let Some(instance) = self.instance(pid) else { return Flow::Over };
        let is_of_other_code = self.guest(pid).code != instance.code;
        let cell = self.cell(pid);
        let waiting = cell.process.mailbox().len();
        let order_is_first = match cell.process.mailbox().front() {
            Some(skep_kernel::Event::Exit { pid: of, .. }) => cell.parent == Some(*of),
            _ => false,
        };
        let step = self.transition(lane, pid, |process, now, actions| {
            if process.is_new() && is_of_other_code { Step::Discard } else { process.next_step(now, actions) }
        });
        self.note(|world| format!("{} {step:?}", world.name_of(pid)));
        match step {
            Step::Init => self.begin_init(lane, pid),
            Step::Handle { event, .. } => {
                if self.figures.wakes > 0 && instance.handled > 0 && self.loses(pid, &event) {
                    let done = Outcome { reply: None, next: Next::Wait };
                    self.transition(lane, pid, |process, now, actions| process.handled(done, now, actions));
                    return Flow::On;
                }
                let reply_to = self.hands(lane, pid, &event);
                let script = self.script(pid, Work::Handle { reply_to });
                self.goes_on(pid, Doing::Runs(script))
            }
            Step::Save => self.save(lane, pid, instance),
            Step::Migrate => self.begin_move(lane, pid, instance),
            Step::GetState(id) => self.tell_state(lane, pid, id, state_of(instance)),
            Step::ReplaceState(id) => self.begin_replacement(pid, id, state_of(instance)),
            Step::Discard => {
                self.cell(pid).process.discarded();
                self.end_driver(lane, pid, End::GaveBack)
            }
            Step::Terminate(reason) => {
                // It may be an order out of its mail.
                if self.cell(pid).process.mailbox().len() < waiting
                    && let Some(parent) = self.cell(pid).parent
                {
                    if !order_is_first {
                        self.picks_out_an_order(pid);
                    }
                    let seen = self.sees_exit(pid, parent, &reason);
                    self.check(pid, seen);
                }
                let script = self.script(pid, Work::Terminate(reason));
                self.goes_on(pid, Doing::Runs(script))
            }
            Step::Wait => Flow::Over,
            Step::Exit(reason) => self.ends(lane, pid, reason),
        }
    }

    fn begin_init(&mut self, lane: usize, pid: Pid) -> Flow {
        self.check_start_order(pid);
        let spec = Arc::clone(&self.guest(pid).spec);
        if spec.traps {
            self.cell(pid).process.set_trap_exit(true);
            self.cell(pid).account.traps = true;
        }
        if spec.is_task {
            self.cell(pid).ready = true;
        } else if self.dice.one_in(spec.fails) && !self.winding_down {
            return match self.dice.below(3) {
                0 => self.started(lane, pid, Start::Ignore),
                1 => self.started(lane, pid, Start::Stop(ExitReason::failed("will not start"))),
                _ => self.traps(lane, pid),
            };
        }
        let work = if spec.is_task { Work::Task } else { Work::Init };
        let script = self.script(pid, work);
        self.goes_on(pid, Doing::Runs(script))
    }

    pub(super) fn started(&mut self, lane: usize, pid: Pid, start: Start) -> Flow {
        self.promises(
            pid,
            match &start {
                Start::Ready(next) => Some(next.clone()),
                Start::Ignore | Start::Stop(_) => None,
            },
        );
        self.cell(pid).ready = matches!(start, Start::Ready(_));
        match self.transition(lane, pid, |process, now, actions| process.started(start, now, actions)) {
            None => self.goes_on(pid, Doing::Next),
            Some(reason) => self.ends(lane, pid, reason),
        }
    }

    /// The guest traps: its instance is lost, and the process with it.
    pub(super) fn traps(&mut self, lane: usize, pid: Pid) -> Flow {
        self.figures.crashes += 1;
        self.ends(lane, pid, ExitReason::failed("trap"))
    }

    /// Saves and gives the instance back, unless the guest refuses.
    fn save(&mut self, lane: usize, pid: Pid, instance: Instance) -> Flow {
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
    fn begin_move(&mut self, lane: usize, pid: Pid, instance: Instance) -> Flow {
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

    fn move_state(&mut self, lane: usize, pid: Pid, before: State, left: usize) -> Flow {
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
    fn replace(&mut self, lane: usize, pid: Pid, id: SystemId, present: State, left: usize) -> Flow {
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

    /// The driver is dropped, and with it the instance.
    fn end_driver(&mut self, lane: usize, pid: Pid, end: End) -> Flow {
        let Some(Driver { ticket, instance, .. }) = self.guest(pid).live.take() else { return Flow::Over };
        if let Some(instance) = instance {
            self.drop_instance(instance.class);
        }
        match end {
            End::NoRoom => {
                self.rooms.withdraw(ticket);
                self.wait_for_room(lane, pid);
                Flow::Over
            }
            End::GaveBack => {
                self.leave(ticket);
                Flow::Over
            }
            End::Exit(reason) => {
                self.leave(ticket);
                Flow::Ends(reason)
            }
        }
    }

    /// Drops the instance, wherever the guest stands.
    pub(super) fn discard(&mut self, lane: usize, pid: Pid) {
        if self.guest(pid).live.is_none() {
            self.pass_on();
        } else {
            let _ = self.end_driver(lane, pid, End::Exit(ExitReason::Normal));
        }
    }

    /// Why a guest that asks the host for something goes no further.
    pub(super) fn refused_entry(&mut self, pid: Pid) -> Option<ExitReason> {
        let process = &self.cell(pid).process;
        match process.doom() {
            Some(reason) => Some(reason.clone()),
            None if is_overfull(process) => Some(ExitReason::limit("mailbox")),
            None => None,
        }
    }

    fn poll_call(&mut self, lane: usize, pid: Pid, mark: Mark, script: Script) -> Flow {
        if let Some(reason) = self.refused_entry(pid) {
            return self.ends(lane, pid, reason);
        }
        match self.cell(pid).process.poll_call(mark) {
            None => self.yields(pid, Doing::WaitsForAnswer(mark, script)),
            Some(outcome) => {
                self.sees_outcome(pid, mark, &outcome);
                self.goes_on(pid, Doing::Runs(script))
            }
        }
    }

    fn poll_spawn(&mut self, lane: usize, pid: Pid, mark: Mark, script: Script) -> Flow {
        if let Some(reason) = self.refused_entry(pid) {
            return self.ends(lane, pid, reason);
        }
        match self.cell(pid).process.poll_spawn(mark) {
            None => self.yields(pid, Doing::WaitsForChild(mark, script)),
            Some(_) => self.goes_on(pid, Doing::Runs(script)),
        }
    }

    fn poll_receive(&mut self, lane: usize, pid: Pid, script: Script) -> Flow {
        if let Some(reason) = self.refused_entry(pid) {
            return self.ends(lane, pid, reason);
        }
        match self.transition(lane, pid, |process, _, actions| process.poll_receive(actions)) {
            Received::NotYet => self.yields(pid, Doing::Receives(script)),
            Received::Nothing => self.goes_on(pid, Doing::Runs(script)),
            Received::Seen(..) => unreachable!("nobody looks before it takes"),
            Received::Event(event) => {
                self.note(|world| format!("{} receives {event:?}", world.name_of(pid)));
                if let skep_kernel::Event::Exit { pid: of, .. } = &event {
                    let cell = self.cell(pid);
                    cell.account.knows_of_its_parent |= cell.parent == Some(*of);
                }
                self.hands(lane, pid, &event);
                self.goes_on(pid, Doing::Runs(script))
            }
        }
    }

    /// An instance is wanted back, for no reason.
    pub(super) fn evict(&mut self, lane: usize, pid: Pid) {
        let _ = self.hand_over(lane, pid, Signal::Evict);
    }
}

/// Whether a mailbox holds more than all limits together let come about by themselves.
fn is_overfull(process: &Process) -> bool {
    let Limits { mailbox_messages, links, monitors, requests, timers, .. } = **process.limits();
    let most = [mailbox_messages, links, monitors, requests, timers].into_iter().fold(0, usize::saturating_add);
    process.mailbox().len() > most
}

fn state_of(instance: Instance) -> State {
    State { version: instance.code, body: Body::Text(instance.handled.to_string()) }
}

fn handled_in(state: &State) -> u64 {
    match &state.body {
        Body::Text(text) => text.parse().unwrap_or_default(),
        _ => 0,
    }
}
