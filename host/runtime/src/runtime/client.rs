//! A process that is a Rust program: it spawns, calls, links, monitors and receives as guests do.

use std::time::Duration;

use skep_kernel::{Address, Body, CallError, Caller, Event, ExitReason, Mark, Pid, Refusal, SpawnError};

use super::{Runtime, RuntimeError};
use crate::shell::{self, Ties};
use crate::spec::{Blueprint, ProcessSpec};

/// A process of the embedding program, among those of an app. It traps exits: the end of whoever it is linked to arrives as
/// [`Event::Exit`]. It ends, `normal`, when this is dropped.
///
/// What it spawns has no supervisor and is nobody's but its: link it, monitor it, stop it. Children that are to be
/// restarted belong below a supervisor: see [`Runtime::supervise`].
pub struct Client {
    inner: shell::Client,
}

impl Runtime {
    /// A process of the calling program, among those of an app.
    ///
    /// # Errors
    ///
    /// There is no such app.
    pub fn client(&self, app: &str) -> Result<Client, RuntimeError> {
        let super::Running { app, .. } = self.app(app)?;
        Ok(Client { inner: shell::Client::new(&self.inner.shell, app, Some("client".into())) })
    }
}

impl Client {
    /// Its pid, for others to send to.
    #[must_use]
    pub fn pid(&self) -> Pid {
        self.inner.pid()
    }

    /// Starts a process, and waits for its `init`.
    ///
    /// # Errors
    ///
    /// It did not start; nothing is left of it.
    pub async fn spawn(&mut self, spec: ProcessSpec) -> Result<Pid, SpawnError> {
        Ok(self.start(spec, Ties::default()).await?.0)
    }

    /// As [`Client::spawn`], linked from before it runs.
    ///
    /// # Errors
    ///
    /// It did not start; no exit signal comes besides (GS-02).
    pub async fn spawn_link(&mut self, spec: ProcessSpec) -> Result<Pid, SpawnError> {
        Ok(self.start(spec, Ties { link: true, monitor: false }).await?.0)
    }

    /// As [`Client::spawn`], monitored from before it runs: the mark is that of its [`Event::Down`].
    ///
    /// # Errors
    ///
    /// It did not start; no `Down` comes besides (GS-02).
    pub async fn spawn_monitor(&mut self, spec: ProcessSpec) -> Result<(Pid, Mark), SpawnError> {
        let (pid, mark) = self.start(spec, Ties { link: false, monitor: true }).await?;
        Ok((pid, mark.expect("it was asked for")))
    }

    async fn start(&mut self, spec: ProcessSpec, ties: Ties) -> Result<(Pid, Option<Mark>), SpawnError> {
        let label = spec.name.clone();
        self.inner.start(label, &Blueprint::Process(spec.into()), ties).await
    }

    /// Calls a process and waits for its reply; without a time, for as long as it takes.
    ///
    /// # Errors
    ///
    /// It did not reply in time, or ended before it did: a late reply never arrives (GS-04).
    pub async fn call(
        &mut self,
        to: impl Into<Address>,
        body: Body,
        within: Option<Duration>,
    ) -> Result<Body, CallError> {
        self.inner.call(&to.into(), body, within).await
    }

    /// Sends a request that has no reply. What cannot be delivered is dropped (GS-07).
    pub fn cast(&self, to: impl Into<Address>, body: Body) {
        self.inner.message(&to.into(), Event::Cast(body));
    }

    /// Sends a message, which arrives as `info`. What cannot be delivered is dropped (PROC-03).
    pub fn send(&self, to: impl Into<Address>, body: Body) {
        self.inner.message(&to.into(), Event::Info(body));
    }

    /// Answers a call that this process has received.
    pub fn reply(&self, to: Caller, body: Body) {
        self.inner.reply(to, body);
    }

    /// Links itself with a process: each hears of the other's end.
    ///
    /// # Errors
    ///
    /// The other has as many links as it may have. One that has ended is no error: its exit signal arrives (EXIT-09).
    pub fn link(&self, to: Pid) -> Result<(), Refusal> {
        self.inner.link(to)
    }

    /// Takes a link back.
    pub fn unlink(&self, to: Pid) {
        self.inner.unlink(to);
    }

    /// Monitors a process, or whoever holds a name now: one [`Event::Down`] with this mark arrives at its end, or at once.
    ///
    /// # Errors
    ///
    /// The target is an alias: nobody can ask whose it is (MON-12).
    pub fn monitor(&self, target: impl Into<Address>) -> Result<Mark, Refusal> {
        self.inner.monitor(target.into())
    }

    /// Takes a monitor back, and its `Down` if that has arrived already.
    pub fn demonitor(&self, mark: Mark) {
        self.inner.demonitor(mark);
    }

    /// Sends an exit signal in its own name.
    pub fn exit(&self, to: Pid, reason: ExitReason) {
        self.inner.exit(to, reason);
    }

    /// The next event in its mailbox; none when the time is up, or when somebody has killed this process.
    pub async fn receive(&mut self, within: Duration) -> Option<Event> {
        tokio::time::timeout(within, self.inner.receive()).await.ok().flatten()
    }
}
