//! What a running process can ask of the host.
//!
//! Owns the friendly forms of the imports: typed bodies, durations, builders. Never keeps anything: links, monitors,
//! names and timers belong to the process, and the host keeps them. Given to every handler, and not to `save` and
//! `restore`, where nothing may act.

use std::marker::PhantomData;
use std::time::Duration;

use crate::codec::{Codec, Message};
use crate::host::{links, log, messaging, names, spawning, timers};
use crate::reference::{Pending, Ref, written};
use crate::server::Protocol;
use crate::task::{Link, Task, TaskRef};
use crate::types::{Address, Alias, Body, Caller, ExitReason, Level, Mark, Pid, Refusal, Via};
use crate::watch::{TimerRef, Watch, Watched};

/// What a handler may do beside returning an outcome. Only a running process has one.
#[derive(Debug)]
pub struct Context {
    // Neither Send nor made by anybody else.
    only_here: PhantomData<*const ()>,
}

impl Context {
    pub(crate) const fn new() -> Context {
        Context { only_here: PhantomData }
    }

    /// This process.
    pub fn me(&self) -> Pid {
        messaging::me()
    }

    /// This process, as something that understands `P`.
    pub fn my_ref<P: ?Sized>(&self) -> Ref<P> {
        Ref::pid(self.me())
    }

    /// Sends a plain message, which arrives at `handle_info`.
    ///
    /// # Errors
    ///
    /// [`Refusal`]: the mailbox is full, the body too large, or nobody holds the name. A process that has ended is no
    /// error.
    pub fn send(&self, to: impl Into<Address>, message: &impl Message) -> Result<(), Refusal> {
        let body = message.encode(Codec::default()).map_err(|e| Refusal::Invalid(e.to_string()))?;
        match to.into() {
            Address::Pid(pid) => messaging::send(pid, &body),
            Address::Name(name) => messaging::send_named(&name, &body),
            to @ (Address::Via(_) | Address::Alias(_)) => messaging::send_to(&to, &body),
        }
    }

    /// Opens an alias: a second address of this process, that lasts until it is [closed](Context::unalias).
    pub fn alias(&self) -> Alias {
        messaging::open_alias(messaging::AliasMode::ExplicitUnalias)
    }

    /// Opens an alias for one message, which closes it: what else is sent there is lost.
    pub fn reply_alias(&self) -> Alias {
        messaging::open_alias(messaging::AliasMode::Reply)
    }

    /// Closes an alias of this process: what is sent there from now on is lost, what came already stays. Says whether it was
    /// open. One that was made with a monitor leaves that as it is.
    pub fn unalias(&self, alias: Alias) -> bool {
        messaging::unalias(alias)
    }

    /// Whether there is such a process. What this process did to it before counts: after [`kill`](Context::kill) the answer
    /// is no, and then its name is free. Blocks this process while the other is ending, and no longer.
    pub fn is_alive(&self, pid: Pid) -> bool {
        messaging::is_alive(pid)
    }

    /// Answers a call with a body as it is; [`From::reply`](crate::From::reply) is the typed form.
    pub fn reply_to(&self, caller: Caller, body: &Body) {
        messaging::reply(caller, body);
    }

    /// Gives a request up: its answer does not arrive, even if it is queued already. Whoever was asked is not told. Says
    /// whether there was anything to give up.
    pub fn abandon<R>(&self, request: &Pending<R>) -> bool {
        messaging::abandon(request.mark())
    }

    /// Starts a process of a module of this app, and waits until its `init` has returned.
    ///
    /// # Errors
    ///
    /// [`SpawnError`]: not granted, no such module, the name or the key is taken (the refusal says by whom), or `init` did not succeed.
    pub fn spawn<P: Protocol>(&self, module: &str, args: &P::Args, options: Options) -> Result<Child<P>, SpawnError> {
        let child = spawn(module, args, options)?;
        Ok(Child { pid: child.pid, process: Ref::pid(child.pid), monitor: child.mark })
    }

    /// Starts a task of a module of this app, linked and monitored: OTP's `Task.async`. Wait for it in a task
    /// ([`TaskContext::await_task`](crate::TaskContext::await_task) and others); in a server its result arrives at
    /// `handle_answer`, for [`TaskRef::result`].
    ///
    /// # Errors
    ///
    /// [`SpawnError`]: not granted, or no such module.
    pub fn start_task<T: Task>(&self, module: &str, args: &T::Args) -> Result<TaskRef<T::Output>, SpawnError> {
        self.start_task_with(module, args, Link::Linked)
    }

    /// As [`start_task`](Context::start_task), monitored only: if the task fails, this process hears of it and lives on.
    ///
    /// # Errors
    ///
    /// As `start_task`.
    pub fn start_task_nolink<T: Task>(&self, module: &str, args: &T::Args) -> Result<TaskRef<T::Output>, SpawnError> {
        self.start_task_with(module, args, Link::Unlinked)
    }

    pub(crate) fn start_task_with<R>(
        &self,
        module: &str,
        args: &impl Message,
        link: Link,
    ) -> Result<TaskRef<R>, SpawnError> {
        let options = Options { link: link == Link::Linked, monitor: true, ..Options::default() };
        let child = spawn(module, args, options)?;
        match child.mark {
            Some(mark) => Ok(TaskRef::new(self.me(), child.pid, mark)),
            None => Err(SpawnError::Refused(Refusal::Invalid("the host gave no mark for a monitor".to_owned()))),
        }
    }

    /// Lets a task go on without this process: neither its result nor its end is heard of any more, unless it is queued
    /// already.
    pub fn forget_task<R>(&self, task: &TaskRef<R>) {
        self.unlink(task.pid());
        self.demonitor_flush(task.mark());
    }

    /// Asks a task to end, without waiting: what becomes of it arrives at `handle_answer`, if it was quicker, or at
    /// `handle_down`. A link is taken off first, so that the end does not come back.
    pub fn exit_task<R>(&self, task: &TaskRef<R>, reason: &ExitReason) {
        self.unlink(task.pid());
        match reason {
            ExitReason::Killed => self.kill(task.pid()),
            reason => self.exit(task.pid(), reason),
        }
    }

    /// Ties the ends of two processes together.
    ///
    /// # Errors
    ///
    /// [`Refusal`]: there is no such process, or one of the two has too many links.
    pub fn link(&self, to: Pid) -> Result<(), Refusal> {
        links::link(to)
    }

    /// Unties; afterwards no exit of that link arrives.
    pub fn unlink(&self, to: Pid) {
        links::unlink(to);
    }

    /// Asks to be told at `handle_down` when the target ends; at once, with `Noproc`, if there is none.
    pub fn monitor(&self, target: impl Into<Address>) -> Mark {
        links::monitor(&target.into())
    }

    /// As [`monitor`](Context::monitor), with a tag or an alias.
    ///
    /// ```
    /// # use skep_sdk::prelude::*;
    /// # fn ask(context: &Context, worker: Pid) {
    /// // A question whose answer cannot come after the loss, nor after this process has given up.
    /// let watched = context.monitor_with(Watch::of(worker).reply_alias());
    /// let reply_to = watched.alias;
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// If serde cannot write the tag.
    pub fn monitor_with(&self, watch: Watch) -> Watched {
        let Watch { target, tag, alias } = watch;
        let links::Watch { mark, alias } = links::monitor_with(&target, tag.as_ref(), alias);
        Watched { mark, alias }
    }

    /// Ends a monitor. Says whether there was one. A down already queued still arrives.
    pub fn demonitor(&self, mark: Mark) -> bool {
        links::demonitor(mark, false)
    }

    /// As [`demonitor`](Context::demonitor), and takes back a down already queued.
    pub fn demonitor_flush(&self, mark: Mark) -> bool {
        links::demonitor(mark, true)
    }

    /// From now on exit signals arrive at `handle_exit` (or no longer do). Says what it was before.
    pub fn trap_exit(&self, on: bool) -> bool {
        links::trap_exit(on)
    }

    /// Sends an exit signal, as if a linked process had ended with this reason.
    pub fn exit(&self, to: Pid, reason: &ExitReason) {
        links::exit(to, reason);
    }

    /// Ends a process, whether it traps exits or not.
    pub fn kill(&self, to: Pid) {
        links::kill(to);
    }

    /// Ends this process here and now; `terminate` does not run.
    #[allow(clippy::needless_pass_by_value, reason = "it is the last thing that happens to it")]
    pub fn stop(&self, reason: ExitReason) -> ! {
        links::stop(&reason);
        unreachable!("the host ends a process that stops");
    }

    /// Gives a process a name.
    ///
    /// # Errors
    ///
    /// [`Refusal`]: taken, not granted, no such process, or it has a name already.
    pub fn register(&self, name: &str, pid: Pid) -> Result<(), Refusal> {
        names::register(name, pid)
    }

    /// Frees a name that this process holds. Says whether it held it.
    pub fn unregister(&self, name: &str) -> bool {
        names::unregister(name)
    }

    /// Who holds the name now.
    pub fn whereis(&self, name: &str) -> Option<Pid> {
        names::whereis(name)
    }

    /// Sends a plain message later.
    ///
    /// # Panics
    ///
    /// If serde cannot write the message.
    pub fn send_after(&self, after: Duration, to: impl Into<Address>, message: &impl Message) -> Mark {
        timers::send_after(millis(after), &to.into(), &written(message, Codec::default()))
    }

    /// Lets `handle_timer` run later, with this message and the mark returned here.
    ///
    /// # Panics
    ///
    /// If serde cannot write the message.
    pub fn start_timer(&self, after: Duration, message: &impl Message) -> Mark {
        timers::start(millis(after), &written(message, Codec::default()))
    }

    /// How long this node has been up, by a clock that never jumps: for [`start_timer_at`](Context::start_timer_at).
    pub fn now(&self) -> Duration {
        Duration::from_millis(timers::now())
    }

    /// As [`send_after`](Context::send_after), at a moment of [`now`](Context::now).
    ///
    /// # Panics
    ///
    /// If serde cannot write the message.
    pub fn send_at(&self, at: Duration, to: impl Into<Address>, message: &impl Message) -> Mark {
        timers::send_at(millis(at), &to.into(), &written(message, Codec::default()))
    }

    /// As [`start_timer`](Context::start_timer), at a moment of [`now`](Context::now); one that is past goes off at once.
    ///
    /// # Panics
    ///
    /// If serde cannot write the message.
    pub fn start_timer_at(&self, at: Duration, message: &impl Message) -> Mark {
        timers::start_at(millis(at), &written(message, Codec::default()))
    }

    /// A timer of this process as others know it: who has this can [ask for it](Context::left_of) and
    /// [stop it](Context::cancel_of).
    pub fn timer_ref(&self, timer: Mark) -> TimerRef {
        TimerRef { owner: self.me(), timer }
    }

    /// As [`cancel`](Context::cancel), for a timer of any process.
    pub fn cancel_of(&self, timer: TimerRef) -> Option<Duration> {
        timers::cancel_of(timer.owner, timer.timer).map(Duration::from_millis)
    }

    /// As [`left`](Context::left), for a timer of any process.
    pub fn left_of(&self, timer: TimerRef) -> Option<Duration> {
        timers::left_of(timer.owner, timer.timer).map(Duration::from_millis)
    }

    /// Stops a timer, and says what was left; `None` if it has fired (then it may be queued) or never was.
    pub fn cancel(&self, timer: Mark) -> Option<Duration> {
        timers::cancel(timer).map(Duration::from_millis)
    }

    /// What is left; `None` if it has fired or never was.
    pub fn left(&self, timer: Mark) -> Option<Duration> {
        timers::left(timer).map(Duration::from_millis)
    }

    /// Writes a line into the node's log.
    pub fn log(&self, level: Level, line: &str) {
        log::log(level, line);
    }

    /// [`log`](Context::log) for what a developer looks for.
    pub fn debug(&self, line: &str) {
        self.log(Level::Debug, line);
    }

    /// [`log`](Context::log) for what an operator may want to know.
    pub fn info(&self, line: &str) {
        self.log(Level::Info, line);
    }

    /// [`log`](Context::log) for what an operator should look into.
    pub fn warn(&self, line: &str) {
        self.log(Level::Warn, line);
    }

    /// [`log`](Context::log) for what went wrong.
    pub fn error(&self, line: &str) {
        self.log(Level::Error, line);
    }
}

/// Whole milliseconds, rounded up so that nothing is early; too long a time becomes the longest there is.
pub(crate) fn millis(time: Duration) -> u64 {
    const LONGEST: u64 = (1 << 53) - 1;
    let whole = u64::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(LONGEST);
    whole.min(LONGEST)
}

fn spawn(module: &str, args: &impl Message, options: Options) -> Result<spawning::Child, SpawnError> {
    let body = args.encode(Codec::default()).map_err(|e| SpawnError::Refused(Refusal::Invalid(e.to_string())))?;
    let Options { link, monitor, name, claim } = options;
    let claim = claim.map(|(via, value)| spawning::Claim { via, value });
    spawning::spawn(module, &body, &spawning::Options { link, monitor, name, claim, more: None }).map_err(|error| {
        match error {
            spawning::SpawnError::Refused(refusal) => SpawnError::Refused(refusal),
            spawning::SpawnError::Ignored => SpawnError::Ignored,
            spawning::SpawnError::Failed(reason) => SpawnError::Failed(reason),
        }
    })
}

/// How a child is started: by default neither linked nor monitored nor named.
///
/// ```
/// # use skep_sdk::Options;
/// let options = Options::new().link().named("bank");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    pub(crate) link: bool,
    pub(crate) monitor: bool,
    pub(crate) name: Option<String>,
    pub(crate) claim: Option<(Via, Body)>,
}

impl Options {
    /// Neither linked nor monitored nor named.
    pub fn new() -> Options {
        Options::default()
    }

    /// Linked before it runs.
    pub fn link(self) -> Options {
        Options { link: true, ..self }
    }

    /// Monitored before it runs.
    pub fn monitor(self) -> Options {
        Options { monitor: true, ..self }
    }

    /// With a name before it runs.
    pub fn named(self, name: impl Into<String>) -> Options {
        Options { name: Some(name.into()), ..self }
    }

    /// Holding a key of a unique registry before it runs, with null for its value: for a registry whose keys are names and
    /// nothing else. See [`Registry::via`](crate::Registry::via).
    pub fn via(self, via: Via) -> Options {
        self.holding(via, &())
    }

    /// Holding a key of a unique registry before it runs, with this value.
    ///
    /// # Panics
    ///
    /// If serde cannot write the value.
    pub fn holding(self, via: Via, value: &impl Message) -> Options {
        Options { claim: Some((via, written(value, Codec::default()))), ..self }
    }
}

/// A process just started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Child<P> {
    /// Its pid.
    pub pid: Pid,
    /// The same, as what it understands.
    pub process: Ref<P>,
    /// The mark of the monitor, if one was asked for.
    pub monitor: Option<Mark>,
}

/// Why a process was not started.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SpawnError {
    /// The host did not even try.
    Refused(Refusal),
    /// Its `init` had nothing to do.
    Ignored,
    /// Its `init` failed, stopped or took too long.
    Failed(ExitReason),
}

impl std::fmt::Display for SpawnError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            SpawnError::Refused(refusal) => write!(f, "not started: {refusal}"),
            SpawnError::Ignored => f.write_str("not started: ignored"),
            SpawnError::Failed(reason) => write!(f, "not started: {reason:?}"),
        }
    }
}

impl std::error::Error for SpawnError {}
