//! A process that is a Rust program's hands: it calls, monitors and receives like any other, and async code is its body.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use parking_lot::Mutex;
use skep_kernel::process::{Birth, Kind, Step, Waiting};
use skep_kernel::{
    Action, Address, Body, CallError, Event, ExitReason, Name, Next, Outcome, Pid, Process, SpawnError, Start, Time,
};

use super::incidents::Manner;
use super::spawn::native_limits;
use super::{App, Birthplace, Cell, Content, Shell};
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
        let birth = Birth {
            pid: shell.table.new_pid(),
            kind: Kind::Native,
            name: None,
            parent: None,
            starter: None,
            link: false,
            monitor: None,
            limits: native_limits(),
            hibernate_after: None,
            secret: rand::random(),
            held: None,
        };
        let cell = shell.enter(app, label, birth, Content::Client(Hands::default())).expect("it wants no name");
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
        let Some(pid) = self.shell.resolve(&self.cell.app, to) else {
            return Err(CallError::Ended(ExitReason::Noproc));
        };
        let mark = self.cell.transition(|process, now, actions| {
            let deadline = timeout.map(|timeout| now.saturating_add(timeout));
            process.begin_call(Some(pid), deadline, Waiting::Blocking, actions)
        })?;
        self.shell.send_call(&self.cell, pid, mark, body);
        self.poll(|process, _, _| process.poll_call(mark)).await
    }

    /// Starts a child, linked and monitored, and waits for its `init`.
    pub(crate) async fn spawn(&mut self, label: Name, blueprint: &Blueprint) -> Result<Pid, SpawnError> {
        let pid = self.shell.table.new_pid();
        let begun = self.cell.process.lock().begin_spawn(pid, true, Some(Address::Pid(pid)), Waiting::Blocking);
        let (starter, monitor) = begun.map_err(SpawnError::Refused)?;
        let place = Birthplace {
            pid,
            app: Arc::clone(&self.cell.app),
            label: Some(label),
            parent: self.cell.pid,
            starter,
            link: true,
            monitor,
        };
        self.shell.spawn(place, blueprint);
        self.poll(|process, _, _| process.poll_spawn(starter)).await
    }

    /// Waits for the end of a process that this one monitors.
    pub(crate) async fn down(&mut self, of: Pid) -> ExitReason {
        loop {
            let event = self
                .poll(|process, now, actions| match process.next_step(now, actions) {
                    Step::Handle { event, .. } => {
                        process.handled(Outcome { reply: None, next: Next::Wait }, now, actions);
                        Some(Some(event))
                    }
                    Step::Exit(_) => Some(None),
                    Step::Init
                    | Step::Terminate(_)
                    | Step::Save
                    | Step::Migrate
                    | Step::GetState(_)
                    | Step::ReplaceState(_)
                    | Step::Discard
                    | Step::Wait => None,
                })
                .await;
            match event {
                Some(Event::Down { target: Address::Pid(pid), reason, .. }) if pid == of => return reason,
                Some(_) => {}
                None => return ExitReason::Killed,
            }
        }
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
