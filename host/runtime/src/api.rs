//! The host functions: what a guest may ask for, one file for each interface of `wit/`.
//!
//! Each function checks its arguments, makes one call on [`Syscalls`], and maps the refusal. What the calls mean is
//! decided behind that trait, by the shell and the kernel.

pub(crate) mod bindings;
pub(crate) mod convert;
pub mod directory;
mod groups;
mod inbox;
mod links;
pub(crate) mod log;
mod messaging;
mod names;
mod registry;
mod spawning;
mod supervision;
mod system;
pub(crate) mod text;
mod timers;
mod topics;

use std::sync::Arc;
use std::task::{Context, Poll};

use skep_kernel::budget::Budget;
use skep_kernel::directory::Claim;
use skep_kernel::mailbox::Number;
use skep_kernel::process::{AliasMode, Monitoring, More, Received, Wanted};
use skep_kernel::{Address, Alias, Body, CallError, Caller, Event, ExitReason, Mark, Name, Pid, Refusal, SpawnError};

use crate::engine::{Ledger, context};
use crate::observe::Level;
use crate::spec::Console;

/// The process must end now, with this reason: the host function that learns it traps.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the process ends: {0}")]
pub struct Ended(pub ExitReason);

/// What may be asked of the host in the name of one process.
///
/// Every call answers [`Ended`] once the process has been doomed by an exit signal, so that nothing it does afterwards
/// has an effect (PROC-10). Nothing here blocks; what takes time is begun by one call and polled by another.
pub trait Syscalls: directory::DirectoryCalls {
    /// The process itself.
    fn pid(&self) -> Pid;
    /// The budgets that its instance counts in.
    fn budget(&self) -> Option<Arc<Budget>> {
        None
    }
    /// The instance has used so much fuel in all, and has so many bytes of linear memory, up to now.
    fn has_used(&self, _fuel: u64, _memory_bytes: usize) {}
    /// Sends a message, which arrives as `info`. How many wait at the receiver now.
    fn send(&self, to: Address, body: Body) -> Result<Result<usize, Refusal>, Ended>;
    /// Sends a request without a reply; dropped and counted if it cannot be delivered. How many wait at the receiver now.
    fn cast(&self, to: Address, body: Body) -> Result<usize, Ended>;
    /// Begins a call that this process blocks on. [`Syscalls::poll_call`] brings the answer.
    fn begin_call(&self, to: Address, body: Body, timeout_ms: Option<u64>) -> Result<Result<Mark, CallError>, Ended>;
    /// Begins a wait for the end of a server, which is told to end. [`Syscalls::poll_call`] brings it, as an error.
    fn begin_stop(
        &self,
        to: Address,
        reason: ExitReason,
        timeout_ms: Option<u64>,
    ) -> Result<Result<Mark, CallError>, Ended>;
    /// The answer of a call begun, if it is there; else the process is scheduled when it is.
    fn poll_call(&self, mark: Mark, cx: &mut Context<'_>) -> Poll<Result<Result<Body, CallError>, Ended>>;
    /// Sends a request whose answer arrives as an event.
    fn request(&self, to: Address, body: Body, timeout_ms: Option<u64>) -> Result<Mark, Ended>;
    /// Gives a request up. True if it was open, or its answer not yet handled.
    fn abandon(&self, mark: Mark) -> Result<bool, Ended>;
    /// Answers a call.
    fn reply(&self, to: Caller, body: Body) -> Result<(), Ended>;
    /// Ends the event being handled, with this reply, and takes the next one if there is one and it may be handled now.
    fn more(&self, reply: Option<Body>) -> Result<More, Ended>;
    /// The next event of a guest that waits for one inside `handle`; none: it is to return.
    fn poll_more(&self, cx: &mut Context<'_>) -> Poll<Result<Option<Event>, Ended>>;
    /// Begins a wait for an event. [`Syscalls::poll_receive`] brings it.
    fn begin_receive(&self, wanted: Wanted, timeout_ms: Option<u64>) -> Result<(), Ended>;
    /// The event waited for, or nothing when the time is up.
    fn poll_receive(&self, cx: &mut Context<'_>) -> Poll<Result<Received, Ended>>;
    /// Takes an event that was looked at.
    fn take_seen(&self, number: Number) -> Result<bool, Ended>;
    /// Opens an alias.
    fn open_alias(&self, mode: AliasMode) -> Result<Alias, Ended>;
    /// Closes an alias.
    fn unalias(&self, alias: Alias) -> Result<bool, Ended>;
    /// Asks whether a process lives. [`Syscalls::poll_call`] brings the answer, if it is not known yet.
    fn begin_alive(&self, pid: Pid) -> Result<Asked, Ended>;
    /// Links.
    fn link(&self, to: Pid) -> Result<Result<(), Refusal>, Ended>;
    /// Unlinks.
    fn unlink(&self, to: Pid) -> Result<(), Ended>;
    /// Monitors; the alias, if one was asked for.
    fn monitor(&self, wanted: Monitoring) -> Result<(Mark, Option<Alias>), Ended>;
    /// Takes a monitor back.
    fn demonitor(&self, mark: Mark, flush: bool) -> Result<bool, Ended>;
    /// Sets whether exit signals arrive as events; says what it was.
    fn trap_exit(&self, on: bool) -> Result<bool, Ended>;
    /// Sends an exit signal.
    fn exit(&self, to: Pid, reason: ExitReason) -> Result<(), Ended>;
    /// Kills.
    fn kill(&self, to: Pid) -> Result<(), Ended>;
    /// Begins a spawn that this process blocks on. [`Syscalls::poll_spawn`] brings the child.
    fn begin_spawn(
        &self,
        module: &str,
        args: Body,
        options: SpawnOptions,
    ) -> Result<Result<PendingSpawn, SpawnError>, Ended>;
    /// The child, when its `init` has returned.
    fn poll_spawn(&self, pending: PendingSpawn, cx: &mut Context<'_>) -> Poll<Result<Result<Pid, SpawnError>, Ended>>;
    /// Registers a name.
    fn register(&self, name: &str, pid: Pid) -> Result<Result<(), Refusal>, Ended>;
    /// Frees a name that this process holds.
    fn unregister(&self, name: &str) -> Result<bool, Ended>;
    /// Who holds a name.
    fn whereis(&self, name: &str) -> Result<Option<Pid>, Ended>;
    /// Milliseconds since the node began.
    fn now(&self) -> Result<u64, Ended>;
    /// Starts a timer that sends `info` elsewhere, or arrives here.
    fn start_timer(&self, when: When, to: Option<Address>, body: Body) -> Result<Mark, Ended>;
    /// Stops a timer of this process or of another: milliseconds left.
    fn cancel_timer(&self, owner: Option<Pid>, mark: Mark) -> Result<Option<u64>, Ended>;
    /// Milliseconds left of a timer of this process or of another.
    fn timer_left(&self, owner: Option<Pid>, mark: Mark) -> Result<Option<u64>, Ended>;
    /// What it may ask of supervisors; none where there are none, as while a module is tried out.
    fn supervision(&self) -> Option<&dyn Supervision> {
        None
    }
    /// What it may ask of servers that it controls; none where there are none.
    fn control(&self) -> Option<&dyn Control> {
        None
    }
    /// What this process blocks on, in the name of a supervisor or a server, is there or will not come.
    fn answered(&self) {}
    /// The standard streams of a command.
    fn console(&self) -> Console;
    /// Sends a command's output to the process of this name.
    fn emit(&self, to: &Name, bytes: Vec<u8>) -> Result<Result<(), Refusal>, Ended>;
    /// What it has of the outside that outlives its instances.
    fn ledger(&self) -> Arc<Ledger>;
    /// Writes a line of the log. Never fails, so that a process can still say why it ends.
    fn log(&self, level: Level, message: &str);
}

pub use supervision::{PendingAnswer, Supervision, Wish};
pub use system::{Control, Looked, PendingSystem};
/// When a timer is due.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum When {
    /// In so many milliseconds.
    AfterMs(u64),
    /// So many milliseconds after the node began.
    AtMs(u64),
}

/// What is known of a process that was asked whether it lives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Asked {
    /// Everything.
    Known(bool),
    /// It will answer this request, or has ended.
    Waits(Mark),
}

/// How a child is tied to its parent, both from before it runs.
#[derive(Clone, Debug, Default)]
pub struct SpawnOptions {
    /// Link the two.
    pub link: bool,
    /// Monitor the child.
    pub monitor: bool,
    /// Name the child.
    pub name: Option<Name>,
    /// The key of a unique registry that the child holds.
    pub claim: Option<Claim>,
}

/// A spawn under way.
#[derive(Clone, Copy, Debug)]
pub struct PendingSpawn {
    /// Which.
    pub mark: Mark,
    /// The mark of the monitor, if one was asked for.
    pub monitor: Option<Mark>,
}

/// Adds every interface of `wit/` to a linker: two of four languages import them all, used or not, so that what is not
/// granted is refused when it is called.
pub(crate) fn add_to_linker(linker: &mut wasmtime::component::Linker<context::Context>) -> wasmtime::Result<()> {
    use wasmtime::component::HasSelf;
    type Own = HasSelf<context::Context>;
    bindings::messaging::add_to_linker::<_, Own>(linker, context::Context::entered)?;
    bindings::links::add_to_linker::<_, Own>(linker, context::Context::entered)?;
    bindings::spawning::add_to_linker::<_, Own>(linker, context::Context::entered)?;
    bindings::supervision::add_to_linker::<_, Own>(linker, context::Context::entered)?;
    bindings::system::add_to_linker::<_, Own>(linker, context::Context::entered)?;
    bindings::names::add_to_linker::<_, Own>(linker, context::Context::entered)?;
    bindings::registry::add_to_linker::<_, Own>(linker, context::Context::entered)?;
    bindings::groups::add_to_linker::<_, Own>(linker, context::Context::entered)?;
    bindings::topics::add_to_linker::<_, Own>(linker, context::Context::entered)?;
    bindings::timers::add_to_linker::<_, Own>(linker, context::Context::entered)?;
    bindings::log::add_to_linker::<_, Own>(linker, context::Context::entered)?;
    inbox::add_to_linker(linker)
}
