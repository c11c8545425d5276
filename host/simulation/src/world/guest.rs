//! The life of one instance of a guest, as in `guest.rs`, `drive.rs` and `takeover.rs` of the shell, one step at a time.

mod moves;
mod waits;

use skep_kernel::process::Step;
use skep_kernel::system::SystemId;
use skep_kernel::{Caller, Next, Outcome, Signal, Start, State, Want};

use super::births::GuestSpec;
use super::rooms::Class;
use super::script::{Script, Work};
use super::*;
use moves::{handled_in, state_of};

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
    AsksForMore(Script),
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
            Doing::AsksForMore(script) => self.poll_more(lane, pid, script),
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
                let before = self.cell(pid).process.saved_state();
                let Some(before) = before else {
                    self.violated(Invariant::States, format!("{pid} is to move a state that it has not"));
                    return Flow::Over;
                };
                let left = self.dice.below(6);
                self.goes_on(pid, Doing::Moves { before, left })
            }
            Some(Step::ReplaceState(id)) => match self.cell(pid).process.saved_state() {
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

    /// An instance is wanted back, for no reason.
    pub(super) fn evict(&mut self, lane: usize, pid: Pid) {
        let _ = self.hand_over(lane, pid, Signal::Evict(Want::Room));
    }
}
