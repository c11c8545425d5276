//! A process that is a Rust program's hands: it calls, monitors and receives like any other, and async code is its body.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use parking_lot::Mutex;
use skep_kernel::budget::Account;
use skep_kernel::process::{Birth, Kind, LinkRequest, Monitoring, Step, Waiting};
use skep_kernel::{
    Action, Address, Body, CallError, Caller, Event, ExitReason, Mark, Name, Next, Outcome, Pid, Process, Refusal,
    Signal, SpawnError, Start, Time,
};

use super::incidents::Manner;
use super::spawn::{Home, native_limits};
use super::{App, Birthplace, Cell, Content, Shell, Ties};
use crate::spec::Blueprint;

/// What wakes the async code that waits in a client.
#[derive(Default)]
pub(crate) struct Hands {
    waker: Mutex<Option<Waker>>,
}

impl Hands {
    pub(super) fn wake(&self) {
        if let Some(waker) = self.waker.lock().take() {
            waker.wake();
        }
    }
}

/// A process of the embedding program. It traps exits, and ends when this is dropped.
pub(crate) struct Client {
    shell: Arc<Shell>,
    cell: Arc<Cell>,
}

impl Client {
    pub(crate) fn new(shell: &Arc<Shell>, app: Arc<App>, label: Option<Name>) -> Self {
        let birth = Birth::without_parent(shell.table.new_pid(), Kind::Native, native_limits(), rand::random());
        // The host's own hands count in no budget.
        let home = Home { budget: Arc::clone(&app.budget), app, account: Account::default() };
        let cell = shell.enter(home, label, birth, Content::Client(Hands::default())).expect("it wants no name");
        let ended = cell.transition(|process, now, actions| {
            let begun = process.next_step(now, actions);
            debug_assert_eq!(begun, Step::Init);
            process.started(Start::Ready(Next::Wait), now, actions)
        });
        debug_assert!(ended.is_none());
        Client { shell: Arc::clone(shell), cell }
    }

    pub(crate) fn pid(&self) -> Pid {
        self.cell.pid
    }

    /// Calls, and waits for the reply without blocking a thread.
    pub(crate) async fn call(
        &mut self,
        to: &Address,
        body: Body,
        timeout: Option<Duration>,
    ) -> Result<Body, CallError> {
        let Some(way) = self.shell.way(&self.cell.app, to) else {
            return Err(CallError::Ended(ExitReason::Noproc));
        };
        let mark = self.cell.transition(|process, now, actions| {
            let deadline = timeout.map(|timeout| now.saturating_add(timeout));
            process.begin_call(way.callee(), deadline, Waiting::Blocking, actions)
        })?;
        self.shell.send_call(&self.cell, &way, mark, |caller| Event::Call { caller, body });
        self.poll(|process, _, _| process.poll_call(mark)).await
    }

    /// Starts a child, linked and monitored, and waits for its `init`.
    pub(crate) async fn spawn(&mut self, label: Name, blueprint: &Blueprint) -> Result<Pid, SpawnError> {
        Ok(self.start(Some(label), blueprint, Ties { link: true, monitor: true }).await?.0)
    }

    /// Starts a child, and waits for its `init`. Brings the mark of its monitor, if it is to have one.
    pub(crate) async fn start(
        &mut self,
        label: Option<Name>,
        blueprint: &Blueprint,
        Ties { link, monitor }: Ties,
    ) -> Result<(Pid, Option<Mark>), SpawnError> {
        let pid = self.shell.table.new_pid();
        let monitor = monitor.then_some(Address::Pid(pid));
        let begun = self.cell.process.lock().begin_spawn(pid, link, monitor, Waiting::Blocking);
        let (starter, monitor) = begun.map_err(SpawnError::Refused)?;
        let place = Birthplace {
            args: None,
            pid,
            app: Arc::clone(&self.cell.app),
            budget: Arc::clone(&self.cell.budget),
            label,
            parent: self.cell.pid,
            starter,
            link,
            monitor,
            owner: None,
        };
        self.shell.spawn(place, blueprint);
        let pid = self.poll(|process, _, _| process.poll_spawn(starter)).await?;
        Ok((pid, monitor))
    }

    /// Sends a message. What cannot be delivered is dropped.
    pub(crate) fn message(&self, to: &Address, event: Event) {
        if let Some(way) = self.shell.way(&self.cell.app, to) {
            self.cell.process.lock().count_sent(1);
            let _ = self.shell.deliver_on(&way, event);
        }
    }

    pub(crate) fn reply(&self, to: Caller, body: Body) {
        self.cell.transition(|process, _, actions| process.reply(to, body, actions));
    }

    pub(crate) fn link(&self, to: Pid) -> Result<(), Refusal> {
        let _pair = self.shell.pairs.lock(self.cell.pid, to);
        let request = self.cell.process.lock().link(to);
        match request {
            LinkRequest::Done => Ok(()),
            LinkRequest::Refused(refusal) => Err(refusal),
            LinkRequest::Ask => match self.shell.deliver(to, Signal::Link { from: self.cell.pid }) {
                Ok(()) => Ok(()),
                Err(why) => self.cell.process.lock().link_failed(to, why),
            },
        }
    }

    pub(crate) fn unlink(&self, to: Pid) {
        let _pair = self.shell.pairs.lock(self.cell.pid, to);
        self.cell.transition(|process, _, actions| process.unlink(to, actions));
    }

    pub(crate) fn monitor(&self, target: Address) -> Result<Mark, Refusal> {
        let holder = self.cell.app.resolve(&target);
        let wanted = Monitoring::of(target);
        let monitored = self.cell.transition(|process, _, actions| process.monitor(wanted, holder, actions));
        // The host's own tables have no bounds: what is left is what makes no sense.
        monitored.map_err(|why| Refusal::Invalid(why.to_string()))
    }

    pub(crate) fn demonitor(&self, mark: Mark) {
        self.cell.transition(|process, _, actions| process.demonitor(mark, true, actions));
    }

    pub(crate) fn exit(&self, to: Pid, reason: ExitReason) {
        let _ = self.shell.deliver(to, Signal::Exit { from: self.cell.pid, reason });
    }

    /// Waits for the end of a process that this one monitors.
    pub(crate) async fn down(&mut self, of: Pid) -> ExitReason {
        loop {
            match self.receive().await {
                Some(Event::Down { target: Address::Pid(pid), reason, .. }) if pid == of => return reason,
                Some(_) => {}
                None => return ExitReason::Killed,
            }
        }
    }

    /// The next event; none if somebody has killed this process.
    pub(crate) async fn receive(&mut self) -> Option<Event> {
        self.poll(|process, now, actions| match process.next_step(now, actions) {
            Step::Handle { event, .. } => {
                process.handled(Outcome { reply: None, next: Next::Wait }, now, actions);
                Some(Some(event))
            }
            // Whoever has started it is nobody, so this is from itself.
            Step::Terminate(_) | Step::Exit(_) => Some(None),
            Step::Init
            | Step::Save
            | Step::Migrate
            | Step::GetState(_)
            | Step::ReplaceState(_)
            | Step::Discard
            | Step::Wait => None,
        })
        .await
    }

    /// Asks the process until it has an answer; it is asked again whenever a signal has come.
    async fn poll<T>(&self, mut ask: impl FnMut(&mut Process, Time, &mut Vec<Action>) -> Option<T>) -> T {
        std::future::poll_fn(|context: &mut Context<'_>| {
            if let Content::Client(hands) = &self.cell.content {
                *hands.waker.lock() = Some(context.waker().clone());
            }
            let answer = self.cell.transition(|process, now, actions| {
                let _ = process.begin_slice();
                let answer = ask(process, now, actions);
                let _ = process.end_slice();
                answer
            });
            answer.map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.shell.finish(&self.cell, &ExitReason::Normal, Manner::InOrder);
    }
}
