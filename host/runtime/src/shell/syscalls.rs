//! What a guest asks of the host, performed in the name of its process.
//!
//! Each call looks first whether an exit signal has come: from then on nothing the guest does has an effect (PROC-10).

mod directory;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use parking_lot::MutexGuard;
use skep_kernel::budget::Budget;
use skep_kernel::mailbox::Number;
use skep_kernel::process::{AliasMode, Callee, Monitoring, More, Received, Waiting, Wanted};
use skep_kernel::registry::foreign;
use skep_kernel::signal::Undelivered;
use skep_kernel::{
    Address, Alias, Body, CallError, Caller, Event, ExitReason, Limits, Mark, Name, Pid, Process, Refusal, Signal,
    SpawnError, Time,
};

use self::directory::shortened;
use super::clock::nanos;
use super::supervise::Owner;
use super::{Birthplace, Cell, Content, Shell, Ties, Way, outbox, seen};
use crate::api::{Asked, Control, Ended, PendingSpawn, SpawnOptions, Supervision, Syscalls, When};
use crate::engine::Ledger;
use crate::observe::Level;
use crate::spec::{Blueprint, Console, Grants, ProcessSpec};

/// One guest's way to the host.
pub(super) struct GuestCalls {
    pub(super) cell: Arc<Cell>,
    // Each of these is written by the worker alone whose turn it is.
    /// Fuel that this instance has used.
    used: AtomicU64,
    /// Messages that it has sent since its state machine was last told.
    sent: AtomicU64,
    /// Since when it handles its event, in nanoseconds of the clock; 0 if that one is not timed.
    begun: AtomicU64,
}

impl GuestCalls {
    pub(super) fn new(cell: Arc<Cell>) -> Self {
        GuestCalls { cell, used: AtomicU64::new(0), sent: AtomicU64::new(0), begun: AtomicU64::new(0) }
    }

    /// The guest gets its next event inside `handle`.
    fn begins(&self, shell: &Shell, event: &Event) {
        shell.traces.begins(self.cell.pid, event);
        self.begins_timing(true);
    }

    /// The guest gets an event, for which it had its instance or not: some are timed.
    pub(super) fn begins_timing(&self, had_instance: bool) {
        if seen::begins(had_instance) {
            self.begun.store(nanos(self.cell.shell().now()).max(1), Ordering::Relaxed);
        }
    }

    /// Its state machine hears of what it has sent, at the latest when it is done with an event.
    fn tell_sent(&self) {
        if self.sent.load(Ordering::Relaxed) > 0 {
            self.count_sent(&mut self.cell.process.lock());
        }
    }

    fn count_sent(&self, process: &mut Process) {
        let sent = self.sent.load(Ordering::Relaxed);
        if sent > 0 {
            self.sent.store(0, Ordering::Relaxed);
            process.count_sent(sent);
        }
    }

    /// It has returned from it.
    pub(super) fn ends(&self) {
        self.ends_timing();
        self.tell_sent();
    }

    /// It is done with it.
    fn ends_timing(&self) {
        let begun = self.begun.load(Ordering::Relaxed);
        if begun > 0 {
            self.begun.store(0, Ordering::Relaxed);
            let took = nanos(self.cell.shell().now()).saturating_sub(begun);
            seen::handled(Duration::from_nanos(took));
        }
    }

    /// The process, unless it is to end.
    pub(super) fn process(&self) -> Result<MutexGuard<'_, Process>, Ended> {
        let mut process = self.cell.process.lock();
        self.count_sent(&mut process);
        match process.doom() {
            Some(reason) => Err(Ended(reason.clone())),
            None if is_overfull(&process) => Err(Ended(ExitReason::limit("mailbox"))),
            None => Ok(process),
        }
    }

    /// The shell, unless the process is to end.
    pub(super) fn shell(&self) -> Result<&Arc<Shell>, Ended> {
        drop(self.process()?);
        Ok(self.cell.shell())
    }

    /// As [`GuestCalls::shell`], for a message, of which its own state machine hears when it is next asked for something: to
    /// send takes one lock, the receiver's.
    fn shell_to_send(&self) -> Result<&Arc<Shell>, Ended> {
        if self.cell.is_doomed() {
            drop(self.process()?);
        }
        self.sent.store(self.sent.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        Ok(self.cell.shell())
    }

    /// A message on its way, alone or with those that follow it. How many wait there now, if somebody is there.
    fn post(&self, to: &Address, event: Event) -> Result<Result<Option<Result<usize, Undelivered>>, Refusal>, Ended> {
        let shell = self.shell_to_send()?;
        // What it sends to itself it may look for at once. Whom a name means is asked each time.
        let other = match to {
            Address::Pid(pid) if *pid != self.cell.pid => Some(*pid),
            Address::Pid(_) | Address::Name(_) | Address::Via(_) | Address::Alias(_) => None,
        };
        let collected = match other {
            Some(pid) => outbox::collect(pid, event),
            None => Err(event),
        };
        let event = match collected {
            Ok(waiting) => return Ok(Ok(Some(Ok(waiting)))),
            Err(event) => event,
        };
        let way = match self.way(shell, to)? {
            Ok(way) => way,
            Err(refusal) => return Ok(Err(refusal)),
        };
        Ok(Ok(way.map(|way| match other {
            Some(_) => shell.send_on(&way, event),
            None => shell.deliver_on(&way, event),
        })))
    }

    /// One transition of this process, unless it is to end, and what follows from it.
    fn transition<T>(
        &self,
        transition: impl FnOnce(&mut Process, Time, &mut Vec<skep_kernel::Action>) -> T,
    ) -> Result<T, Ended> {
        self.transition_at(self.cell.shell().now(), transition)
    }

    /// The same, by the time of this turn, for what sets no time of its own.
    fn transition_in_turn<T>(
        &self,
        transition: impl FnOnce(&mut Process, Time, &mut Vec<skep_kernel::Action>) -> T,
    ) -> Result<T, Ended> {
        self.transition_at(self.cell.shell().clock.of_turn(), transition)
    }

    fn transition_at<T>(
        &self,
        now: Time,
        transition: impl FnOnce(&mut Process, Time, &mut Vec<skep_kernel::Action>) -> T,
    ) -> Result<T, Ended> {
        let mut actions = Vec::new();
        let result = transition(&mut *self.process()?, now, &mut actions);
        self.cell.shell().perform(&self.cell, actions);
        Ok(result)
    }

    /// The process that owns a timer, if there is one.
    fn owner_of_timer(&self, shell: &Shell, owner: Pid) -> Result<Option<Arc<Cell>>, Ended> {
        if owner == self.cell.pid { Ok(Some(Arc::clone(&self.cell))) } else { self.neighbour(shell, owner) }
    }

    fn ask(
        &self,
        to: &Address,
        timeout_ms: Option<u64>,
        waiting: Waiting,
        content: impl FnOnce(Caller) -> Event,
    ) -> Result<Result<Mark, CallError>, Ended> {
        let shell = self.cell.shell();
        let way = match self.way(shell, to)? {
            Ok(way) => way,
            Err(refusal) => return Ok(Err(CallError::Refused(refusal.to_string().into()))),
        };
        // MON-12: an alias of somebody who has ended is like one that is closed. Nobody answers.
        if way.is_none() && !matches!(to, Address::Alias(_)) {
            return Ok(Err(CallError::Ended(ExitReason::Noproc)));
        }
        let begun = self.transition(|process, now, actions| {
            let to = way.as_ref().map_or(Callee::Nobody, Way::callee);
            process.begin_call(to, deadline(now, timeout_ms), waiting, actions)
        })?;
        if let (Ok(mark), Some(way)) = (&begun, &way) {
            shell.send_call(&self.cell, way, *mark, content);
        }
        Ok(begun)
    }

    /// Starts a child of this process, which blocks until it is up.
    pub(super) fn begin_birth(
        &self,
        shell: &Arc<Shell>,
        blueprint: &Blueprint,
        args: Option<Body>,
        Ties { link, monitor }: Ties,
        owner: Option<Owner>,
    ) -> Result<Result<PendingSpawn, SpawnError>, Ended> {
        let pid = shell.table.new_pid();
        let target = monitor.then_some(Address::Pid(pid));
        let (starter, monitor) = match self.process()?.begin_spawn(pid, link, target, Waiting::Blocking) {
            Ok(marks) => marks,
            Err(refusal) => return Ok(Err(SpawnError::Refused(refusal))),
        };
        let (app, parent) = (Arc::clone(&self.cell.app), self.cell.pid);
        let budget = Arc::clone(&self.cell.budget);
        shell.spawn(
            Birthplace { pid, app, budget, label: None, args, parent, starter, link, monitor, owner },
            blueprint,
        );
        Ok(Ok(PendingSpawn { mark: starter, monitor }))
    }

    fn grants(&self) -> Option<&Grants> {
        match &self.cell.content {
            Content::Guest(guest) => Some(&guest.spec.grants),
            Content::Supervisor(_) | Content::Client(_) => None,
        }
    }

    /// Whether this process may give the name to somebody.
    pub(super) fn admit_register(&self, name: &str) -> Result<(), Refusal> {
        let granted = self.grants().is_some_and(|grants| grants.allows_register(name));
        if granted { Ok(()) } else { Err(Refusal::Denied(format!("names = {{ register = [{:?}] }}", shortened(name)))) }
    }

    /// Whether this process may ask who holds the name.
    pub(super) fn admit_look_up(&self, name: &str) -> Result<(), Refusal> {
        // Where a name leads abroad is a matter of another grant.
        let granted = foreign(name).is_some() || self.grants().is_some_and(|grants| grants.allows_look_up(name));
        if granted { Ok(()) } else { Err(Refusal::Denied(format!("names = {{ look_up = [{:?}] }}", shortened(name)))) }
    }

    /// What a guest's child is made from: the app's module, with this process's rights at most.
    pub(super) fn offspring(&self, module: &str, options: &SpawnOptions) -> Result<Arc<ProcessSpec>, Refusal> {
        let Content::Guest(parent) = &self.cell.content else { return Err(Refusal::Denied("spawn".into())) };
        if parent.spec.grants.allows_spawn(module).is_none() {
            return Err(Refusal::Denied(format!("spawn = [{:?}]", shortened(module))));
        }
        let Some(slot) = self.cell.app.slot(module) else {
            return Err(Refusal::Unknown(format!("module {module}")));
        };
        if let Some(name) = &options.name {
            self.admit_register(name)?;
        }
        if let Some(claim) = &options.claim {
            self.admit_address(&Address::Via(claim.via.clone()))?;
        }
        let charge = parent.charge_for(module)?;
        let shared = slot.offspring(&parent.spec);
        if options.name.is_none() && options.claim.is_none() && charge.is_nothing() {
            return Ok(shared);
        }
        let (name, claim) = (options.name.clone(), options.claim.clone());
        Ok(Arc::new(ProcessSpec { name, claim, charge, ..(*shared).clone() }))
    }
}

impl Drop for GuestCalls {
    /// What was sent by an instance that was dropped in the middle of an event.
    fn drop(&mut self) {
        self.tell_sent();
    }
}

/// Whether a mailbox holds more than all limits together let come about by themselves. What a process brings upon itself
/// (answers, losses, alarms) is never refused, each being bounded by how many can be under way; but in a loop without end
/// those that are over make room for the next.
fn is_overfull(process: &Process) -> bool {
    let Limits { mailbox_messages, links, monitors, aliases, requests, timers, .. } = &**process.limits();
    let parts = [*mailbox_messages, *links, *monitors, *aliases, *requests, *timers];
    process.mailbox().len() > parts.into_iter().fold(0, usize::saturating_add)
}

fn deadline(now: Time, timeout_ms: Option<u64>) -> Option<Time> {
    timeout_ms.map(|ms| now.saturating_add(Duration::from_millis(ms)))
}

pub(super) fn milliseconds(left: Duration) -> u64 {
    u64::try_from(left.as_millis()).unwrap_or(u64::MAX)
}

/// What a sender is told. A process that has ended is no error (PROC-03).
fn send_result(delivered: Result<usize, Undelivered>) -> Result<usize, Refusal> {
    match delivered {
        Ok(waiting) => Ok(waiting),
        Err(Undelivered::Gone | Undelivered::TooManyLinks | Undelivered::NotAServer) => Ok(0),
        Err(Undelivered::MailboxFull) => Err(Refusal::Limit("mailbox".into())),
        Err(Undelivered::OverBudget(whose)) => Err(Refusal::Limit(format!("mailbox_bytes of {whose}"))),
        Err(Undelivered::TooLarge) => Err(Refusal::Limit("body larger than the receiver takes".into())),
    }
}

impl Syscalls for GuestCalls {
    fn pid(&self) -> Pid {
        self.cell.pid
    }

    fn budget(&self) -> Option<Arc<Budget>> {
        Some(Arc::clone(&self.cell.budget))
    }

    fn has_used(&self, fuel: u64, memory_bytes: usize) {
        if let Content::Guest(guest) = &self.cell.content {
            let more = fuel.saturating_sub(self.used.load(Ordering::Relaxed));
            self.used.store(fuel, Ordering::Relaxed);
            guest.usage.add_fuel(more);
            guest.usage.note(memory_bytes);
            seen::burnt(more);
        }
    }

    fn send(&self, to: Address, body: Body) -> Result<Result<usize, Refusal>, Ended> {
        let delivered = match self.post(&to, Event::Info(body))? {
            Ok(delivered) => delivered,
            Err(refusal) => return Ok(Err(refusal)),
        };
        Ok(match (to, delivered) {
            // MON-12: whatever became of it.
            (Address::Alias(_), delivered) => Ok(delivered.map_or(0, Result::unwrap_or_default)),
            (_, Some(delivered)) => send_result(delivered),
            // PROC-03.
            (Address::Pid(_), None) => Ok(0),
            (Address::Name(_) | Address::Via(_), None) => Err(Refusal::Unknown("no process has this name".into())),
        })
    }

    fn cast(&self, to: Address, body: Body) -> Result<usize, Ended> {
        let delivered = self.post(&to, Event::Cast(body))?.ok().flatten();
        Ok(delivered.map_or(0, Result::unwrap_or_default))
    }

    fn begin_call(&self, to: Address, body: Body, timeout_ms: Option<u64>) -> Result<Result<Mark, CallError>, Ended> {
        self.ask(&to, timeout_ms, Waiting::Blocking, |caller| Event::Call { caller, body })
    }

    fn begin_stop(
        &self,
        to: Address,
        reason: ExitReason,
        timeout_ms: Option<u64>,
    ) -> Result<Result<Mark, CallError>, Ended> {
        if let Address::Alias(_) = to {
            return Ok(Err(CallError::Refused("an alias carries messages alone".into())));
        }
        if let Err(refusal) = self.admit_stop(self.shell()?, &to)? {
            return Ok(Err(CallError::Refused(refusal.to_string().into())));
        }
        self.ask(&to, timeout_ms, Waiting::Blocking, |caller| Event::Stop { caller, reason })
    }

    fn poll_call(&self, mark: Mark, _: &mut Context<'_>) -> Poll<Result<Result<Body, CallError>, Ended>> {
        match self.process() {
            Ok(mut process) => process.poll_call(mark).map_or(Poll::Pending, |answer| Poll::Ready(Ok(answer))),
            Err(ended) => Poll::Ready(Err(ended)),
        }
    }

    fn request(&self, to: Address, body: Body, timeout_ms: Option<u64>) -> Result<Mark, Ended> {
        Ok(match self.ask(&to, timeout_ms, Waiting::AsEvent, |caller| Event::Call { caller, body })? {
            Ok(mark) => mark,
            Err(error) => self.process()?.answer_itself(error),
        })
    }

    fn abandon(&self, mark: Mark) -> Result<bool, Ended> {
        self.transition(|process, _, actions| process.abandon(mark, actions))
    }

    fn reply(&self, to: Caller, body: Body) -> Result<(), Ended> {
        self.transition_in_turn(|process, _, actions| process.reply(to, body, actions))
    }

    fn more(&self, reply: Option<Body>) -> Result<More, Ended> {
        let shell = self.cell.shell();
        shell.traces.replied(self.cell.pid, reply.as_ref());
        self.ends_timing();
        let more = self.transition_in_turn(|process, now, actions| process.more(reply, now, actions))?;
        if let More::Event(event) = &more {
            self.begins(shell, event);
        }
        Ok(more)
    }

    fn poll_more(&self, _: &mut Context<'_>) -> Poll<Result<Option<Event>, Ended>> {
        match self.transition_in_turn(Process::poll_more) {
            Err(ended) => Poll::Ready(Err(ended)),
            Ok(More::Wait) => Poll::Pending,
            Ok(More::Return) => Poll::Ready(Ok(None)),
            Ok(More::Event(event)) => {
                self.begins(self.cell.shell(), &event);
                Poll::Ready(Ok(Some(event)))
            }
        }
    }

    fn begin_receive(&self, wanted: Wanted, timeout_ms: Option<u64>) -> Result<(), Ended> {
        self.transition(|process, now, actions| process.begin_receive(wanted, deadline(now, timeout_ms), now, actions))?
            .map_err(Ended)
    }

    fn poll_receive(&self, _: &mut Context<'_>) -> Poll<Result<Received, Ended>> {
        match self.transition_in_turn(|process, _, actions| process.poll_receive(actions)) {
            Err(ended) => Poll::Ready(Err(ended)),
            Ok(Received::NotYet) => Poll::Pending,
            Ok(received) => Poll::Ready(Ok(received)),
        }
    }

    fn take_seen(&self, number: Number) -> Result<bool, Ended> {
        Ok(self.process()?.take_seen(number))
    }

    fn open_alias(&self, mode: AliasMode) -> Result<Alias, Ended> {
        let shell = self.shell()?;
        let mark = self.process()?.alias(mode).map_err(Ended)?;
        Ok(shell.seal.close(self.cell.pid, mark))
    }

    fn unalias(&self, alias: Alias) -> Result<bool, Ended> {
        let shell = self.shell()?;
        let (id, mark) = shell.seal.open(alias);
        Ok(id == self.cell.pid.id && self.process()?.unalias(mark))
    }

    fn begin_alive(&self, pid: Pid) -> Result<Asked, Ended> {
        let shell = self.shell()?;
        if pid == self.cell.pid {
            return Ok(Asked::Known(true));
        }
        if !matches!(self.way(shell, &Address::Pid(pid))?, Ok(Some(_))) {
            return Ok(Asked::Known(false));
        }
        let begun = self
            .transition(|process, _, actions| process.begin_call(Callee::Pid(pid), None, Waiting::Blocking, actions))?;
        let mark = begun.map_err(|_| Ended(ExitReason::limit("requests")))?;
        let _ = shell.deliver(pid, Signal::Alive { from: self.cell.pid, mark });
        Ok(Asked::Waits(mark))
    }

    fn link(&self, to: Pid) -> Result<Result<(), Refusal>, Ended> {
        let shell = self.shell()?;
        self.ask_for_link(shell, to)
    }

    fn unlink(&self, to: Pid) -> Result<(), Ended> {
        let shell = self.shell()?;
        let _pair = shell.pairs.lock(self.cell.pid, to);
        self.transition(|process, _, actions| process.unlink(to, actions))
    }

    fn monitor(&self, wanted: Monitoring) -> Result<(Mark, Option<Alias>), Ended> {
        let shell = self.shell()?;
        let holder = self.way(shell, &wanted.target)?.ok().flatten().map(|way| way.pid());
        let with_alias = wanted.alias.is_some();
        let mark = self.transition(|process, _, actions| process.monitor(wanted, holder, actions))?;
        let mark = mark.map_err(Ended)?;
        Ok((mark, with_alias.then(|| shell.seal.close(self.cell.pid, mark))))
    }

    fn demonitor(&self, mark: Mark, flush: bool) -> Result<bool, Ended> {
        self.transition(|process, _, actions| process.demonitor(mark, flush, actions))
    }

    fn trap_exit(&self, on: bool) -> Result<bool, Ended> {
        Ok(self.process()?.set_trap_exit(on))
    }

    fn exit(&self, to: Pid, reason: ExitReason) -> Result<(), Ended> {
        let shell = self.shell()?;
        self.process()?.disclose();
        if self.neighbour(shell, to)?.is_some() {
            let _ = shell.deliver(to, Signal::Exit { from: self.cell.pid, reason });
        }
        // To itself it is in force at once (EXIT-03).
        self.process().map(drop)
    }

    fn kill(&self, to: Pid) -> Result<(), Ended> {
        let shell = self.shell()?;
        if self.neighbour(shell, to)?.is_some() {
            let _ = shell.deliver(to, Signal::Kill);
        }
        self.process().map(drop)
    }

    fn begin_spawn(
        &self,
        module: &str,
        args: Body,
        options: SpawnOptions,
    ) -> Result<Result<PendingSpawn, SpawnError>, Ended> {
        let shell = self.shell()?;
        let spec = match self.offspring(module, &options) {
            Ok(spec) => spec,
            Err(refusal) => return Ok(Err(SpawnError::Refused(refusal))),
        };
        let ties = Ties { link: options.link, monitor: options.monitor };
        self.begin_birth(shell, &Blueprint::Process(spec), Some(args), ties, None)
    }

    fn poll_spawn(&self, pending: PendingSpawn, _: &mut Context<'_>) -> Poll<Result<Result<Pid, SpawnError>, Ended>> {
        match self.process() {
            Ok(mut process) => process.poll_spawn(pending.mark).map_or(Poll::Pending, |child| Poll::Ready(Ok(child))),
            Err(ended) => Poll::Ready(Err(ended)),
        }
    }

    fn register(&self, name: &str, pid: Pid) -> Result<Result<(), Refusal>, Ended> {
        let shell = self.shell()?;
        if let Err(refusal) = self.admit_register(name) {
            return Ok(Err(refusal));
        }
        let Some(holder) = self.neighbour(shell, pid)? else { return Ok(Err(Refusal::Unknown("noproc".into()))) };
        Ok(shell.name(&holder, name.into()))
    }

    fn unregister(&self, name: &str) -> Result<bool, Ended> {
        let held = self.process()?.drop_name(name);
        if held {
            self.cell.app.release(name, self.cell.pid);
        }
        Ok(held)
    }

    fn whereis(&self, name: &str) -> Result<Option<Pid>, Ended> {
        let shell = self.shell()?;
        if self.admit_look_up(name).is_err() {
            return Ok(None);
        }
        Ok(match foreign(name) {
            Some(_) => self.whereis_abroad(shell, name),
            None => self.cell.app.whereis(name),
        })
    }

    fn now(&self) -> Result<u64, Ended> {
        Ok(milliseconds(self.shell()?.now()))
    }

    fn start_timer(&self, when: When, to: Option<Address>, body: Body) -> Result<Mark, Ended> {
        let started = self.transition(|process, now, actions| {
            let at = match when {
                When::AfterMs(ms) => now.saturating_add(Duration::from_millis(ms)),
                When::AtMs(ms) => Duration::from_millis(ms),
            };
            process.start_timer(at, to, body, actions)
        })?;
        started.map_err(Ended)
    }

    fn cancel_timer(&self, owner: Option<Pid>, mark: Mark) -> Result<Option<u64>, Ended> {
        let shell = self.shell()?;
        let owner = self.owner_of_timer(shell, owner.unwrap_or(self.cell.pid))?;
        let cancel =
            |owner: Arc<Cell>| owner.transition(|process, now, actions| process.cancel_timer(mark, now, actions));
        Ok(owner.and_then(cancel).map(milliseconds))
    }

    fn timer_left(&self, owner: Option<Pid>, mark: Mark) -> Result<Option<u64>, Ended> {
        let shell = self.shell()?;
        let owner = self.owner_of_timer(shell, owner.unwrap_or(self.cell.pid))?;
        let left = owner.and_then(|owner| owner.process.lock().timer_left(mark, shell.now()));
        Ok(left.map(milliseconds))
    }

    fn console(&self) -> Console {
        match &self.cell.content {
            Content::Guest(guest) => guest.spec.console.clone(),
            Content::Supervisor(_) | Content::Client(_) => Console::default(),
        }
    }

    fn emit(&self, to: &Name, bytes: Vec<u8>) -> Result<Result<(), Refusal>, Ended> {
        let shell = self.shell_to_send()?;
        // The manifest has named it, so it is granted.
        let delivered = shell
            .way(&self.cell.app, &Address::Name(Arc::clone(to)))
            .map(|way| shell.deliver_on(&way, Event::Info(Body::Raw(bytes))));
        Ok(delivered
            .ok_or_else(|| Refusal::Unknown("no process has this name".into()))
            .and_then(send_result)
            .map(|_| ()))
    }

    fn ledger(&self) -> Arc<Ledger> {
        match &self.cell.content {
            Content::Guest(guest) => guest.ledger(&self.cell.budget),
            Content::Supervisor(_) | Content::Client(_) => Arc::default(),
        }
    }

    fn log(&self, level: Level, message: &str) {
        if let Content::Guest(guest) = &self.cell.content {
            self.cell.log_of_guest(guest, level, message);
        }
    }

    fn supervision(&self) -> Option<&dyn Supervision> {
        Some(self)
    }

    fn control(&self) -> Option<&dyn Control> {
        Some(self)
    }

    fn answered(&self) {
        self.cell.process.lock().end_wait();
    }
}
