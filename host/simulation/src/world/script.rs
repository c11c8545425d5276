//! What guests do while they handle an event: drawn step by step, performed as in `syscalls.rs` of the shell.

use skep_kernel::process::{LinkRequest, Monitoring, Waiting, Wanted};
use skep_kernel::{Address, Caller, Event, Next, Outcome, Signal, Start};

use super::births::{Blueprint, GuestSpec};
use super::guest::Doing;
use super::*;
use crate::account::{Asked, Timer, Watch, Way};

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
}

const OPS: [(Op, Option<Feature>); 26] = [
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
        let (op, feature) = self.dice.pick(&OPS);
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

    fn operation(&mut self, lane: usize, pid: Pid, op: Op) -> Result<(), ExitReason> {
        match op {
            Op::Send | Op::Cast => {
                let (to, number) = (self.target(pid), self.number());
                let body = body('m', pid.id, number);
                let event = if let Op::Send = op { Event::Info(body) } else { Event::Cast(body) };
                if let Some(to) = self.resolve(&to) {
                    let _ = self.hand_over(lane, to, Signal::Message(event));
                }
            }
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
            Op::Kill if self.dice.one_in(3) => {
                let to = self.peer(pid);
                let _ = self.hand_over(lane, to, Signal::Kill);
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
        Address::Pid(self.peer(pid))
    }

    fn a_name(&mut self) -> Name {
        format!("name{}", self.dice.between(1, NAMES)).into()
    }

    fn begin_call(&mut self, lane: usize, pid: Pid, waiting: Waiting) -> Option<Mark> {
        let target = self.target(pid);
        let to = self.resolve(&target)?;
        let deadline = (!self.dice.one_in(4)).then(|| self.now + Duration::from_millis(self.dice.between(0, 60)));
        let mark = self
            .transition(lane, pid, |process, _, actions| process.begin_call(Some(to), deadline, waiting, actions))
            .ok()?;
        let number = self.number();
        let blocking = waiting == Waiting::Blocking;
        let asked = Asked { number, to: Some(to), deadline, blocking, way: Way::Open, replied: false };
        self.figures.calls += 1;
        let cell = self.cell(pid);
        let (limit, open) = (cell.limits.requests, cell.account.calls.len());
        cell.account.calls.insert(mark, asked);
        if cell.account.calls.values().filter(|asked| asked.way == Way::Open).count() > limit {
            self.violated(Invariant::Limits, format!("{pid} has {open} requests, and one more"));
        }
        let body = body('c', pid.id, number);
        self.lanes[lane].duties.push_back(Duty::SendCall { from: pid, to, mark, body });
        self.lanes[lane].duties.push_back(Duty::CheckCall { from: pid, to, mark });
        Some(mark)
    }

    fn call(&mut self, lane: usize, pid: Pid, script: Script) -> Flow {
        match self.begin_call(lane, pid, Waiting::Blocking) {
            Some(mark) => self.goes_on(pid, Doing::WaitsForAnswer(mark, script)),
            None => self.goes_on(pid, Doing::Runs(script)),
        }
    }

    /// A call that was left for later is answered, now and then by somebody else (GS-08).
    fn answer_somebody(&mut self, lane: usize, pid: Pid) {
        let whose = if self.dice.one_in(8) { self.peer(pid) } else { pid };
        let Some(Cell { content: Content::Guest(guest), .. }) = self.cells.get_mut(&whose.id) else { return };
        if guest.owed.is_empty() {
            return;
        }
        let place = self.dice.below(guest.owed.len());
        let (caller, number) = guest.owed.swap_remove(place);
        self.replies(caller);
        self.transition(lane, pid, |process, _, actions| {
            process.reply(caller, body('r', caller.pid.id, number), actions)
        });
    }

    /// Somebody replies to a call.
    fn replies(&mut self, caller: Caller) {
        if let Some(asked) =
            self.cells.get_mut(&caller.pid.id).and_then(|cell| cell.account.calls.get_mut(&caller.mark))
        {
            asked.replied = true;
        }
    }

    /// Links and unlinks of one pair do not cross. Whoever would have to wait does something else.
    fn lock_pair(&mut self, lane: usize, one: Pid, other: Pid) -> bool {
        let pair = (one.min(other), one.max(other));
        let free = self.lanes.iter().all(|lane| lane.pair != Some(pair));
        if free {
            self.lanes[lane].pair = Some(pair);
        }
        free
    }

    fn link(&mut self, lane: usize, pid: Pid) {
        let to = self.peer(pid);
        if self.lock_pair(lane, pid, to)
            && let LinkRequest::Ask = self.cell(pid).process.link(to)
        {
            self.cell(pid).account.asks = Some((to, false));
            self.lanes[lane].duties.push_back(Duty::Link { from: pid, to });
        }
        let cell = self.cell(pid);
        let (links, limit) = (cell.process.links().count(), cell.limits.links);
        // Beyond the limit are those only that were asked for from outside when it was about to end.
        if links > limit && !cell.process.is_doomed() {
            self.violated(Invariant::Limits, format!("{pid} has {links} links of {limit}"));
        }
    }

    fn unlink(&mut self, lane: usize, pid: Pid) {
        let cell = self.cell(pid);
        let parent = cell.parent;
        // A child that leaves its parent is an orphan by its own will.
        let linked: Pids = cell
            .account
            .links
            .iter()
            .chain(&cell.account.exits_due)
            .copied()
            .filter(|peer| Some(*peer) != parent)
            .collect();
        if linked.is_empty() {
            return;
        }
        let to = self.dice.pick(&linked);
        let is_child = self.cells.get(&to.id).is_some_and(|cell| cell.parent == Some(pid) && !cell.ready);
        if is_child || !self.lock_pair(lane, pid, to) {
            return;
        }
        self.transition(lane, pid, |process, _, actions| process.unlink(to, actions));
        let account = &mut self.cell(pid).account;
        account.links.remove(&to);
        account.exits_due.remove(&to);
        if let Some(other) = self.cells.get_mut(&to.id) {
            other.account.links.remove(&pid);
        }
    }

    fn monitor(&mut self, lane: usize, pid: Pid) -> Result<(), ExitReason> {
        let target = self.target(pid);
        let holder = self.resolve(&target);
        let wanted = Monitoring::of(target);
        let mark = self.transition(lane, pid, |process, _, actions| process.monitor(wanted, holder, actions))?;
        let cell = self.cell(pid);
        cell.account.monitors.insert(mark, Watch { target: holder, way: Way::Open, result: false });
        let set = cell.account.monitors.values().filter(|watch| watch.way == Way::Open).count();
        if set > cell.limits.monitors {
            self.violated(Invariant::Limits, format!("{pid} has {set} monitors"));
        }
        Ok(())
    }

    fn demonitor(&mut self, lane: usize, pid: Pid) {
        let set: Vec<(Mark, Watch)> =
            self.cell(pid).account.monitors.iter().map(|(mark, watch)| (*mark, *watch)).collect();
        if set.is_empty() {
            return;
        }
        let (mark, watch) = self.dice.pick(&set);
        if watch.result {
            return;
        }
        let flush = self.dice.one_in(2);
        let was_set = self.transition(lane, pid, |process, _, actions| process.demonitor(mark, flush, actions));
        // A monitor of oneself is none, as in OTP.
        let is_own = watch.target == Some(pid);
        if was_set != (watch.way == Way::Open && !is_own) {
            self.violated(Invariant::Downs, format!("{pid} takes {mark:?} back, which is {watch:?}: {was_set}"));
        }
        if was_set || flush || is_own {
            self.cell(pid).account.monitors.remove(&mark);
        }
        if was_set && self.strikes(Bug::DownAfterDemonitor) {
            let (target, reason) = (Address::Pid(watch.target.unwrap_or(pid)), ExitReason::Noproc);
            self.sees(pid, &Event::Down { mark, target, reason, tag: None });
        }
    }

    fn register(&mut self, pid: Pid) {
        let (name, whom) = (self.a_name(), if self.dice.one_in(3) { self.peer(pid) } else { pid });
        let Some(cell) = self.cells.get(&whom.id).filter(|cell| cell.listed && !cell.process.is_gone()) else { return };
        if matches!(cell.content, Content::Overseer(_)) || self.names.register(Arc::clone(&name), whom).is_err() {
            return;
        }
        if self.cell(whom).process.take_name(Arc::clone(&name)).is_err() {
            self.names.release(&name, whom);
        }
    }

    fn unregister(&mut self, pid: Pid) {
        let name = self.a_name();
        if self.cell(pid).process.drop_name(&name) {
            self.names.release(&name, pid);
        }
    }

    fn start_timer(&mut self, lane: usize, pid: Pid) -> Result<(), ExitReason> {
        let at = self.now + Duration::from_millis(self.dice.between(0, 80));
        let own = self.dice.one_in(2);
        let to = if own { None } else { Some(self.target(pid)) };
        let number = self.number();
        // The clock sends it: it has no place among the messages of this process.
        let body = if own { body('t', pid.id, number) } else { body('s', u64::MAX - number, number) };
        let mark = self.transition(lane, pid, |process, _, actions| process.start_timer(at, to, body, actions))?;
        self.figures.timers += 1;
        let cell = self.cell(pid);
        cell.account.timers.insert(mark, Timer { at, own, way: Way::Open });
        let (running, limit) = (cell.process.timers_running(), cell.limits.timers);
        if running > limit {
            self.violated(Invariant::Limits, format!("{pid} has {running} timers of {limit}"));
        }
        Ok(())
    }

    fn cancel_timer(&mut self, lane: usize, pid: Pid) {
        let Some((&mark, &timer)) = self.cell(pid).account.timers.iter().next() else { return };
        let left = self.transition(lane, pid, |process, now, actions| process.cancel_timer(mark, now, actions));
        if left.is_some() != (timer.way == Way::Open) {
            self.violated(Invariant::Timers, format!("{pid} cancels {timer:?}: {left:?}"));
        }
        if left.is_some() {
            self.cell(pid).account.timers.remove(&mark);
        }
    }

    fn spawn(&mut self, lane: usize, pid: Pid, script: Script) -> Flow {
        if self.cells.len() >= CROWD {
            return self.goes_on(pid, Doing::Runs(script));
        }
        let child = self.new_pid();
        let (link, watched) = (self.dice.one_in(2), self.dice.one_in(2));
        let target = watched.then_some(Address::Pid(child));
        let begun = self.cell(pid).process.begin_spawn(child, link, target, Waiting::Blocking);
        let Ok((starter, monitor)) = begun else { return self.goes_on(pid, Doing::Runs(script)) };
        let account = &mut self.cell(pid).account;
        account.spawns.insert(starter, monitor);
        if let Some(mark) = monitor {
            account.monitors.insert(mark, Watch { target: Some(child), way: Way::Open, result: false });
        }
        let spec = self.guest_spec();
        let born = Born {
            pid: child,
            blueprint: Blueprint::Guest(Arc::new(spec)),
            label: None,
            parent: pid,
            starter,
            link,
            monitor,
            in_turn: false,
        };
        self.lanes[lane].duties.push_back(Duty::Birth(Box::new(born)));
        self.goes_on(pid, Doing::WaitsForChild(starter, script))
    }

    /// What a guest is made from, by chance.
    pub(super) fn guest_spec(&mut self) -> GuestSpec {
        let limits = skep_kernel::Limits {
            mailbox_messages: self.dice.pick(&[3, 10, 50]),
            mailbox_bytes: self.dice.pick(&[60, 400, 10_000]),
            timers: self.dice.pick(&[2, 20]),
            links: self.dice.pick(&[2, 20]),
            monitors: self.dice.pick(&[2, 20]),
            requests: self.dice.pick(&[2, 20]),
            init_timeout: Duration::from_millis(self.dice.pick(&[5, 100, 10_000])),
            ..skep_kernel::Limits::default()
        };
        let hibernates = self.has(Feature::Hibernation);
        let hibernate_after = match self.dice.below(4) {
            0 if hibernates => Some(Duration::ZERO),
            1 if hibernates => Some(Duration::from_millis(self.dice.between(1, 30))),
            _ => None,
        };
        let name = (self.has(Feature::Names) && self.dice.one_in(4)).then(|| self.a_name());
        GuestSpec {
            module: self.dice.below(2),
            is_task: self.has(Feature::Tasks) && self.dice.one_in(6),
            name,
            hibernate_after,
            limits: Arc::new(limits),
            traps: self.has(Feature::Exits) && self.dice.one_in(3),
            fails: if self.has(Feature::Crashes) { self.dice.pick(&[3, 12, 1000]) } else { usize::MAX },
            slowness: self.dice.pick(&[1, 1, 4, 40]),
        }
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
        let another = self.transition(lane, pid, |process, now, actions| process.more(reply, now, actions));
        let reply_to = another.and_then(|(event, _)| {
            self.note(|world| format!("{} pulls {event:?}", world.name_of(pid)));
            self.hands(lane, pid, &event)
        });
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
