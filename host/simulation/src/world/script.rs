//! What guests do while they handle an event: drawn step by step, performed as in `syscalls.rs` of the shell.

mod aliases;
mod entries;
mod names;
mod spawn;
mod talk;
mod ties;
mod timers;

use skep_kernel::process::{More, Waiting, Wanted};
use skep_kernel::{Address, Caller, Event, Next, Outcome, Signal, Start};

use super::births::{Blueprint, GuestSpec};
use super::guest::Doing;
use super::*;

/// What a guest was asked to do.
#[derive(Debug)]
pub(super) enum Work {
    Init,
    Handle { reply_to: Option<(Caller, u64)> },
    Terminate(ExitReason),
    Task,
}

/// A piece of guest code that runs.
pub(super) struct Script {
    work: Work,
    /// Operations that are left.
    left: usize,
}

/// Something a guest does.
#[derive(Clone, Copy)]
enum Op {
    Send,
    Cast,
    Call,
    Request,
    Answer,
    Link,
    Unlink,
    Monitor,
    Demonitor,
    Trap,
    Exit,
    Kill,
    Register,
    Unregister,
    Timer,
    CancelTimer,
    Spawn,
    More,
    Receive,
    Yield,
    Alias,
    Unalias,
    SendThrough,
    Alive,
    Enter,
    Leave,
    Update,
    Publish,
    Watch,
    Unwatch,
    Lock,
    Unlock,
}

const OPS: [(Op, Option<Feature>); 40] = [
    (Op::Send, None),
    (Op::Send, None),
    (Op::Send, None),
    (Op::Send, None),
    (Op::Cast, None),
    (Op::Call, Some(Feature::Calls)),
    (Op::Cast, None),
    (Op::Call, Some(Feature::Calls)),
    (Op::Request, Some(Feature::Calls)),
    (Op::Answer, Some(Feature::Calls)),
    (Op::Answer, Some(Feature::Calls)),
    (Op::Link, Some(Feature::Links)),
    (Op::Unlink, Some(Feature::Links)),
    (Op::Monitor, Some(Feature::Monitors)),
    (Op::Demonitor, Some(Feature::Monitors)),
    (Op::Trap, Some(Feature::Exits)),
    (Op::Exit, Some(Feature::Exits)),
    (Op::Kill, Some(Feature::Kills)),
    (Op::Register, Some(Feature::Names)),
    (Op::Unregister, Some(Feature::Names)),
    (Op::Timer, Some(Feature::Timers)),
    (Op::CancelTimer, Some(Feature::Timers)),
    (Op::Spawn, Some(Feature::Spawns)),
    (Op::More, None),
    (Op::Receive, Some(Feature::Tasks)),
    (Op::Yield, None),
    (Op::Alias, Some(Feature::Aliases)),
    (Op::Unalias, Some(Feature::Aliases)),
    (Op::SendThrough, Some(Feature::Aliases)),
    (Op::SendThrough, Some(Feature::Aliases)),
    (Op::Alive, Some(Feature::Alive)),
    (Op::Enter, Some(Feature::Directory)),
    (Op::Enter, Some(Feature::Directory)),
    (Op::Leave, Some(Feature::Directory)),
    (Op::Update, Some(Feature::Directory)),
    (Op::Publish, Some(Feature::Directory)),
    (Op::Watch, Some(Feature::Directory)),
    (Op::Unwatch, Some(Feature::Directory)),
    (Op::Lock, Some(Feature::Locks)),
    (Op::Unlock, Some(Feature::Locks)),
];

/// Processes beyond which guests start none.
const CROWD: usize = 40;
/// How many names there are.
pub(super) const NAMES: u64 = 6;

impl World {
    pub(super) fn script(&mut self, pid: Pid, work: Work) -> Script {
        let slowness = self.guest(pid).spec.slowness;
        let left = match work {
            _ if self.winding_down => 0,
            Work::Init | Work::Terminate(_) => self.dice.below(2 + slowness),
            Work::Handle { .. } => self.dice.pick(&[0, 1, 1, 2, 3, 5]),
            Work::Task => self.dice.below(12),
        };
        Script { work, left }
    }

    /// One operation, or what the guest answers when there is none left.
    pub(super) fn run_script(&mut self, lane: usize, pid: Pid, mut script: Script) -> Flow {
        if script.left == 0 || self.winding_down {
            return self.answer(lane, pid, script.work);
        }
        script.left -= 1;
        let (op, feature) = self.draw();
        if feature.is_some_and(|feature| !self.has(feature)) {
            return self.goes_on(pid, Doing::Runs(script));
        }
        if let Op::Yield = op {
            self.cell(pid).process.stir();
            return self.yields(pid, Doing::Runs(script));
        }
        if let Some(reason) = self.refused_entry(pid) {
            return self.ends(lane, pid, reason);
        }
        match op {
            Op::Call => return self.call(lane, pid, script),
            Op::Alive => return self.ask_alive(lane, pid, script),
            Op::Kill => return self.kill(lane, pid, script),
            Op::Lock => return self.lock(lane, pid, script),
            Op::Spawn => return self.spawn(lane, pid, script),
            Op::Receive => return self.receive(lane, pid, script),
            Op::More => return self.more(lane, pid, script),
            _ => {}
        }
        match self.operation(lane, pid, op) {
            Ok(()) => self.goes_on(pid, Doing::Runs(script)),
            Err(reason) => self.ends(lane, pid, reason),
        }
    }

    /// The next operation, often one of the episode's theme.
    fn draw(&mut self) -> (Op, Option<Feature>) {
        if self.theme.is_some() && self.dice.one_in(2) {
            let of_it: Vec<_> = OPS.into_iter().filter(|(_, feature)| *feature == self.theme).collect();
            return self.dice.pick(&of_it);
        }
        self.dice.pick(&OPS)
    }

    fn operation(&mut self, lane: usize, pid: Pid, op: Op) -> Result<(), ExitReason> {
        match op {
            Op::Send | Op::Cast => {
                let (to, number) = (self.target(pid), self.number());
                let body = body('m', pid.id, number);
                let event = if let Op::Send = op { Event::Info(body) } else { Event::Cast(body) };
                self.send(lane, &to, event);
            }
            Op::Alias => self.open_alias(pid)?,
            Op::Unalias => self.unalias(pid),
            Op::SendThrough => self.send_through(lane, pid),
            Op::Enter => self.enter_somebody(lane, pid),
            Op::Leave => self.take_out(lane, pid),
            Op::Update => self.update(pid),
            Op::Publish => self.publish(lane, pid),
            Op::Watch => self.watch(lane, pid),
            Op::Unwatch => self.unwatch(lane, pid),
            Op::Unlock => self.unlock_some(lane, pid),
            Op::Request => {
                let _ = self.begin_call(lane, pid, Waiting::AsEvent);
            }
            Op::Answer => self.answer_somebody(lane, pid),
            Op::Link => self.link(lane, pid),
            Op::Unlink => self.unlink(lane, pid),
            Op::Monitor => self.monitor(lane, pid)?,
            Op::Demonitor => self.demonitor(lane, pid),
            Op::Trap => {
                let on = self.dice.one_in(2);
                let cell = self.cell(pid);
                cell.process.set_trap_exit(on);
                cell.account.traps = on;
            }
            Op::Exit => {
                let (to, number) = (self.peer(pid), self.number());
                let reason = ExitReason::Custom(Arc::new(body('x', pid.id, number)));
                let _ = self.hand_over(lane, to, Signal::Exit { from: pid, reason });
            }
            Op::Register => self.register(pid),
            Op::Unregister => self.unregister(pid),
            Op::Timer => self.start_timer(lane, pid)?,
            Op::CancelTimer => self.cancel_timer(lane, pid),
            _ => {}
        }
        Ok(())
    }

    /// Some process, mostly one that is alive.
    fn peer(&mut self, pid: Pid) -> Pid {
        let id = self.dice.below(usize::try_from(self.pids).unwrap_or(1)) as u64 + 1;
        // Few are: those that are hit by chance are often long gone.
        let alive = self.cells.range(id..).next().or_else(|| self.cells.iter().next());
        match alive {
            Some((_, cell)) if cell.parent.is_some() => cell.pid,
            _ => pid,
        }
    }

    fn target(&mut self, pid: Pid) -> Address {
        if self.has(Feature::Names) && self.dice.one_in(4) {
            return Address::Name(self.a_name());
        }
        if self.has(Feature::Directory) && self.dice.one_in(5) {
            return Address::Via(self.a_claim().via);
        }
        Address::Pid(self.peer(pid))
    }

    fn a_name(&mut self) -> Name {
        format!("name{}", self.dice.between(1, NAMES)).into()
    }

    /// A task waits for an event: any, or one with a mark.
    fn receive(&mut self, lane: usize, pid: Pid, script: Script) -> Flow {
        if !self.guest(pid).spec.is_task {
            return self.goes_on(pid, Doing::Runs(script));
        }
        let account = &self.cell(pid).account;
        let marks: Vec<Mark> =
            account.monitors.keys().chain(account.timers.keys()).chain(account.calls.keys()).copied().collect();
        let by_marks = !marks.is_empty() && self.dice.one_in(2);
        let wanted = if by_marks { Wanted::Marked(marks) } else { Wanted::Any };
        let deadline = self.now + Duration::from_millis(self.dice.between(0, 30));
        let begun = self
            .transition(lane, pid, |process, now, actions| process.begin_receive(wanted, Some(deadline), now, actions));
        match begun {
            Ok(()) => self.goes_on(pid, Doing::Receives(script)),
            Err(reason) => self.ends(lane, pid, reason),
        }
    }

    /// Done with its event, the guest asks for another.
    fn more(&mut self, lane: usize, pid: Pid, script: Script) -> Flow {
        let Work::Handle { reply_to } = script.work else { return self.goes_on(pid, Doing::Runs(script)) };
        let reply = reply_to.map(|(caller, number)| {
            self.replies(caller);
            body('r', caller.pid.id, number)
        });
        let more = self.transition(lane, pid, |process, now, actions| process.more(reply, now, actions));
        self.goes_on_with(lane, pid, more, script)
    }

    pub(super) fn goes_on_with(&mut self, lane: usize, pid: Pid, more: More, script: Script) -> Flow {
        let reply_to = match more {
            More::Event(event) => {
                self.note(|world| format!("{} pulls {event:?}", world.name_of(pid)));
                self.hands(lane, pid, &event)
            }
            More::Wait => return self.yields(pid, Doing::AsksForMore(script)),
            More::Return => None,
        };
        self.goes_on(pid, Doing::Runs(Script { work: Work::Handle { reply_to }, left: script.left }))
    }

    /// What a guest answers.
    fn answer(&mut self, lane: usize, pid: Pid, work: Work) -> Flow {
        let crashes = self.has(Feature::Crashes) && !self.winding_down;
        match work {
            Work::Init => {
                let next = self.next(pid);
                self.started(lane, pid, Start::Ready(next))
            }
            Work::Handle { .. } if crashes && self.dice.one_in(30) => self.traps(lane, pid),
            Work::Handle { .. } if crashes && self.dice.one_in(30) => {
                self.cell(pid).process.failed(ExitReason::failed("handler"));
                Flow::On
            }
            Work::Handle { reply_to } => {
                let later = self.dice.one_in(3) && !self.winding_down;
                let reply = match reply_to {
                    Some((caller, number)) if later => {
                        self.guest(pid).owed.push((caller, number));
                        None
                    }
                    Some((caller, number)) => {
                        self.replies(caller);
                        Some(body('r', caller.pid.id, number))
                    }
                    None => None,
                };
                let next = self.next(pid);
                self.promises(pid, Some(next.clone()));
                let forgets = matches!(next, Next::Continue(_)) && self.strikes(Bug::ForgetContinue);
                let outcome = Outcome { reply, next: if forgets { Next::Wait } else { next } };
                self.transition(lane, pid, |process, now, actions| process.handled(outcome, now, actions));
                Flow::On
            }
            Work::Terminate(_) if crashes && self.dice.one_in(8) => self.traps(lane, pid),
            Work::Terminate(reason) => self.ends(lane, pid, reason),
            Work::Task if crashes && self.dice.one_in(6) => self.traps(lane, pid),
            Work::Task => {
                let result = body('z', pid.id, 0);
                self.transition(lane, pid, |process, _, actions| process.finished(result, actions));
                self.ends(lane, pid, ExitReason::Normal)
            }
        }
    }

    /// What a guest wants to do next.
    fn next(&mut self, pid: Pid) -> Next {
        if self.winding_down {
            return Next::Wait;
        }
        match self.dice.below(24) {
            0 | 1 if self.has(Feature::Timers) => Next::WaitFor(self.dice.between(0, 40)),
            2 if self.has(Feature::Hibernation) => Next::Hibernate,
            3 | 4 => {
                let number = self.number();
                Next::Continue(body('n', pid.id, number))
            }
            5 if self.has(Feature::Crashes) => Next::Stop(ExitReason::Normal),
            6 if self.has(Feature::Crashes) && self.dice.one_in(3) => Next::Stop(ExitReason::failed("stop")),
            _ => Next::Wait,
        }
    }
}
