//! What a guest asks of the host, performed in the name of its process.
//!
//! Each call looks first whether an exit signal has come: from then on nothing the guest does has an effect (PROC-10).

mod directory;

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use parking_lot::MutexGuard;
use skep_kernel::process::{LinkRequest, Received, Waiting};
use skep_kernel::signal::Undelivered;
use skep_kernel::{
    Address, Body, CallError, Caller, Event, ExitReason, Mark, Pid, Process, Refusal, Signal, SpawnError, Time,
};

use super::{Birthplace, Cell, Content, Shell};
use crate::api::{Ended, PendingSpawn, SpawnOptions, Supervision, Syscalls};
use crate::observe::Level;
use crate::spec::{Blueprint, ProcessSpec};

/// One guest's way to the host.
pub(super) struct GuestCalls {
    pub(super) cell: Arc<Cell>,
}

impl GuestCalls {
    pub(super) fn new(cell: Arc<Cell>) -> Self {
        GuestCalls { cell }
    }

    /// The process, unless it is to end.
    pub(super) fn process(&self) -> Result<MutexGuard<'_, Process>, Ended> {
        let process = self.cell.process.lock();
        match process.doom() {
            Some(reason) => Err(Ended(reason.clone())),
            None if is_overfull(&process) => Err(Ended(ExitReason::limit("mailbox"))),
            None => Ok(process),
        }
    }

    pub(super) fn shell(&self) -> Result<Arc<Shell>, Ended> {
        drop(self.process()?);
        // The runtime is being taken down around it.
        self.cell.shell().ok_or(Ended(ExitReason::Killed))
    }

    /// As [`GuestCalls::shell`], for a message of which its own state machine does not hear.
    fn shell_to_send(&self) -> Result<Arc<Shell>, Ended> {
        self.process()?.count_sent();
        self.cell.shell().ok_or(Ended(ExitReason::Killed))
    }

    /// One transition of this process, and what follows from it.
    fn transition<T>(
        &self,
        shell: &Shell,
        transition: impl FnOnce(&mut Process, Time, &mut Vec<skep_kernel::Action>) -> T,
    ) -> T {
        let mut actions = Vec::new();
        let result = transition(&mut self.cell.process.lock(), shell.now(), &mut actions);
        shell.perform(&self.cell, actions);
        result
    }

    /// Whom an address means now; nobody, where looking that up is not granted.
    pub(super) fn resolve(&self, to: &Address) -> Option<Pid> {
        self.admit_address(to).ok()?;
        self.cell.app.resolve(to)
    }

    fn ask(
        &self,
        to: &Address,
        timeout_ms: Option<u64>,
        waiting: Waiting,
        content: impl FnOnce(Caller) -> Event,
    ) -> Result<Result<Mark, CallError>, Ended> {
        let shell = self.shell()?;
        if let Err(refusal) = self.admit_address(to) {
            return Ok(Err(CallError::Refused(refusal.to_string().into())));
        }
        let Some(pid) = self.resolve(to) else { return Ok(Err(CallError::Ended(ExitReason::Noproc))) };
        let begun = self.transition(&shell, |process, now, actions| {
            process.begin_call(Some(pid), deadline(now, timeout_ms), waiting, actions)
        });
        let Ok(mark) = begun else { return Ok(begun) };
        shell.send_call(&self.cell, pid, mark, content);
        Ok(Ok(mark))
    }

    fn link_refused(&self, to: Pid, why: Undelivered) -> Result<(), Refusal> {
        self.cell.process.lock().link_failed(to, why)
    }

    pub(super) fn grant_names(&self) -> Result<(), Refusal> {
        match &self.cell.content {
            Content::Guest(guest) if guest.spec.grants.names => Ok(()),
            _ => Err(Refusal::Denied("names".into())),
        }
    }

    /// What a guest's child is made from: the app's module, with this process's rights at most.
    pub(super) fn offspring(&self, module: &str, args: Body, options: &SpawnOptions) -> Result<ProcessSpec, Refusal> {
        let Content::Guest(parent) = &self.cell.content else { return Err(Refusal::Denied("spawn".into())) };
        if !parent.spec.grants.spawn.iter().any(|granted| &**granted == module) {
            return Err(Refusal::Denied(format!("spawn = [\"{module}\"]")));
        }
        let Some(module) = self.cell.app.module(module) else {
            return Err(Refusal::Unknown(format!("module {module}")));
        };
        if options.name.is_some() {
            self.grant_names()?;
        }
        if let Some(claim) = &options.claim {
            self.admit_address(&Address::Via(claim.via.clone()))?;
        }
        Ok(ProcessSpec {
            module: module.name,
            args,
            name: options.name.clone(),
            claim: options.claim.clone(),
            limits: module.limits,
            grants: Arc::new(module.grants.within(&parent.spec.grants)),
            keep: parent.spec.keep,
            charge: None,
        })
    }
}

/// Whether a mailbox holds more than all limits together let come about by themselves. What a process brings upon itself
/// (answers, losses, alarms) is never refused, each being bounded by how many can be under way; but in a loop without end
/// those that are over make room for the next.
fn is_overfull(process: &Process) -> bool {
    let limits = process.limits();
    let parts = [limits.mailbox_messages, limits.links, limits.monitors, limits.requests, limits.timers];
    process.mailbox().len() > parts.into_iter().fold(0, usize::saturating_add)
}

fn deadline(now: Time, timeout_ms: Option<u64>) -> Option<Time> {
    timeout_ms.map(|ms| now.saturating_add(Duration::from_millis(ms)))
}

fn milliseconds(left: Duration) -> u64 {
    u64::try_from(left.as_millis()).unwrap_or(u64::MAX)
}

/// What a sender is told. A process that has ended is no error (PROC-03).
fn send_result(delivered: Result<(), Undelivered>) -> Result<(), Refusal> {
    match delivered {
        Ok(()) | Err(Undelivered::Gone | Undelivered::TooManyLinks | Undelivered::NotAServer) => Ok(()),
        Err(Undelivered::MailboxFull) => Err(Refusal::Limit("mailbox".into())),
        Err(Undelivered::TooLarge) => Err(Refusal::Limit("body larger than the receiver takes".into())),
    }
}

impl Syscalls for GuestCalls {
    fn pid(&self) -> Pid {
        self.cell.pid
    }

    fn send(&self, to: Address, body: Body) -> Result<Result<(), Refusal>, Ended> {
        let shell = self.shell_to_send()?;
        if let Err(refusal) = self.admit_address(&to) {
            return Ok(Err(refusal));
        }
        let Some(pid) = self.resolve(&to) else { return Ok(Err(Refusal::Unknown("no process has this name".into()))) };
        Ok(send_result(shell.deliver(pid, Signal::Message(Event::Info(body)))))
    }

    fn cast(&self, to: Address, body: Body) -> Result<(), Ended> {
        let shell = self.shell_to_send()?;
        if let Some(pid) = self.resolve(&to) {
            let _ = shell.deliver(pid, Signal::Message(Event::Cast(body)));
        }
        Ok(())
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
        // A name alone would let anybody stop what it may only talk to; who has a pid may end it in any case.
        if let (Address::Name(_), Err(refusal)) = (&to, self.grant_names()) {
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
        let shell = self.shell()?;
        Ok(self.transition(&shell, |process, _, actions| process.abandon(mark, actions)))
    }

    fn reply(&self, to: Caller, body: Body) -> Result<(), Ended> {
        let shell = self.shell()?;
        self.transition(&shell, |process, _, actions| process.reply(to, body, actions));
        Ok(())
    }

    fn more(&self, reply: Option<Body>) -> Result<Option<(Event, u32)>, Ended> {
        let shell = self.shell()?;
        shell.traces.replied(self.cell.pid, reply.as_ref());
        let taken = self.transition(&shell, |process, now, actions| process.more(reply, now, actions));
        if let Some((event, _)) = &taken {
            shell.traces.begins(self.cell.pid, event);
        }
        Ok(taken)
    }

    fn begin_receive(&self, only: Option<Vec<Mark>>, timeout_ms: Option<u64>) -> Result<(), Ended> {
        let shell = self.shell()?;
        self.transition(&shell, |process, now, actions| {
            process.begin_receive(only, deadline(now, timeout_ms), now, actions)
        })
        .map_err(Ended)
    }

    fn poll_receive(&self, _: &mut Context<'_>) -> Poll<Result<Option<Event>, Ended>> {
        let shell = match self.shell() {
            Ok(shell) => shell,
            Err(ended) => return Poll::Ready(Err(ended)),
        };
        match self.transition(&shell, |process, _, actions| process.poll_receive(actions)) {
            Received::Event(event) => Poll::Ready(Ok(Some(event))),
            Received::Nothing => Poll::Ready(Ok(None)),
            Received::NotYet => Poll::Pending,
        }
    }

    fn link(&self, to: Pid) -> Result<Result<(), Refusal>, Ended> {
        let shell = self.shell()?;
        let _pair = shell.pairs.lock(self.cell.pid, to);
        let request = self.process()?.link(to);
        Ok(match request {
            LinkRequest::Done => Ok(()),
            LinkRequest::Refused(refusal) => Err(refusal),
            LinkRequest::Ask => match shell.deliver(to, Signal::Link { from: self.cell.pid }) {
                Ok(()) => {
                    self.cell.process.lock().link_made();
                    Ok(())
                }
                Err(why) => self.link_refused(to, why),
            },
        })
    }

    fn unlink(&self, to: Pid) -> Result<(), Ended> {
        let shell = self.shell()?;
        let _pair = shell.pairs.lock(self.cell.pid, to);
        self.transition(&shell, |process, _, actions| process.unlink(to, actions));
        Ok(())
    }

    fn monitor(&self, target: Address) -> Result<Mark, Ended> {
        let shell = self.shell()?;
        let holder = self.resolve(&target);
        self.transition(&shell, |process, _, actions| process.monitor(target, holder, actions)).map_err(Ended)
    }

    fn demonitor(&self, mark: Mark, flush: bool) -> Result<bool, Ended> {
        let shell = self.shell()?;
        Ok(self.transition(&shell, |process, _, actions| process.demonitor(mark, flush, actions)))
    }

    fn trap_exit(&self, on: bool) -> Result<bool, Ended> {
        Ok(self.process()?.set_trap_exit(on))
    }

    fn exit(&self, to: Pid, reason: ExitReason) -> Result<(), Ended> {
        let shell = self.shell()?;
        let _ = shell.deliver(to, Signal::Exit { from: self.cell.pid, reason });
        // To itself it is in force at once (EXIT-03).
        self.process().map(drop)
    }

    fn kill(&self, to: Pid) -> Result<(), Ended> {
        let shell = self.shell()?;
        let _ = shell.deliver(to, Signal::Kill);
        self.process().map(drop)
    }

    fn begin_spawn(
        &self,
        module: &str,
        args: Body,
        options: SpawnOptions,
    ) -> Result<Result<PendingSpawn, SpawnError>, Ended> {
        let shell = self.shell()?;
        let spec = match self.offspring(module, args, &options) {
            Ok(spec) => spec,
            Err(refusal) => return Ok(Err(SpawnError::Refused(refusal))),
        };
        let pid = shell.table.new_pid();
        let target = options.monitor.then_some(Address::Pid(pid));
        let begun = self.process()?.begin_spawn(pid, options.link, target, Waiting::Blocking);
        let (mark, monitor) = match begun {
            Ok(marks) => marks,
            Err(refusal) => return Ok(Err(SpawnError::Refused(refusal))),
        };
        let place = Birthplace {
            pid,
            app: Arc::clone(&self.cell.app),
            label: None,
            parent: self.cell.pid,
            starter: mark,
            link: options.link,
            monitor,
            owner: None,
        };
        shell.spawn(place, &Blueprint::Process(Arc::new(spec)));
        Ok(Ok(PendingSpawn { mark, monitor }))
    }

    fn poll_spawn(&self, pending: PendingSpawn, _: &mut Context<'_>) -> Poll<Result<Result<Pid, SpawnError>, Ended>> {
        match self.process() {
            Ok(mut process) => process.poll_spawn(pending.mark).map_or(Poll::Pending, |child| Poll::Ready(Ok(child))),
            Err(ended) => Poll::Ready(Err(ended)),
        }
    }

    fn register(&self, name: &str, pid: Pid) -> Result<Result<(), Refusal>, Ended> {
        let shell = self.shell()?;
        if let Err(refusal) = self.grant_names() {
            return Ok(Err(refusal));
        }
        let Some(holder) = shell.table.get(pid) else { return Ok(Err(Refusal::Unknown("noproc".into()))) };
        if !Arc::ptr_eq(&holder.app, &self.cell.app) {
            return Ok(Err(Refusal::Denied("names of another app".into())));
        }
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
        drop(self.process()?);
        Ok(self.grant_names().ok().and_then(|()| self.cell.app.whereis(name)))
    }

    fn send_after(&self, after_ms: u64, to: Address, body: Body) -> Result<Mark, Ended> {
        self.timer(after_ms, Some(to), body)
    }

    fn start_timer(&self, after_ms: u64, body: Body) -> Result<Mark, Ended> {
        self.timer(after_ms, None, body)
    }

    fn cancel_timer(&self, mark: Mark) -> Result<Option<u64>, Ended> {
        let shell = self.shell()?;
        let left = self.transition(&shell, |process, now, actions| process.cancel_timer(mark, now, actions));
        Ok(left.map(milliseconds))
    }

    fn timer_left(&self, mark: Mark) -> Result<Option<u64>, Ended> {
        let now = self.shell()?.now();
        Ok(self.process()?.timer_left(mark, now).map(milliseconds))
    }

    fn log(&self, level: Level, message: &str) {
        self.cell.log(level, message.to_owned());
    }

    fn supervision(&self) -> Option<&dyn Supervision> {
        Some(self)
    }
}

impl GuestCalls {
    fn timer(&self, after_ms: u64, to: Option<Address>, body: Body) -> Result<Mark, Ended> {
        let shell = self.shell()?;
        let after = Duration::from_millis(after_ms);
        self.transition(&shell, |process, now, actions| {
            process.start_timer(now.saturating_add(after), to, body, actions)
        })
        .map_err(Ended)
    }
}
