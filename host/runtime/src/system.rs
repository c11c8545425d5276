//! System messages, as an embedding program sends them: OTP's `sys`, typed.
//!
//! Owns the words; [`Runtime::suspend`](crate::Runtime::suspend) and its neighbours send them, for whoever controls the
//! runtime. A guest that was granted control sends some of them by `skep:process/system`.

use std::time::Duration;

pub use skep_kernel::system::{CallbackFailed, Statistics};
use skep_kernel::{ExitReason, Pid, State};

/// Makes another state of the present one, or says why not. Runs on a scheduler thread: must be quick.
pub type Replace = Box<dyn FnOnce(State) -> Result<State, String> + Send>;

/// Why a system message had no effect.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum SystemError {
    /// There is no such process, or not any more (SYS-05).
    #[error("there is no process {0} any more")]
    Noproc(Pid),
    /// Supervisors and clients are the host's own; a task has neither a state nor a time between two messages.
    #[error("{0} takes no system messages: only servers do")]
    NotAServer(Pid),
    /// Too many wait for this process already, or too many look at it.
    #[error("too many requests wait for {0}")]
    TooMany(Pid),
    /// It did not come to the end of what it is doing. The request is withdrawn, and does not take effect later.
    #[error("{pid} is busy with `{doing}` for more than {} ms", waited.as_millis())]
    Busy {
        /// Which.
        pid: Pid,
        /// With what.
        doing: &'static str,
        /// How long was waited.
        waited: Duration,
    },
    /// Guest code, or the function that was to replace the state, failed. Nothing has changed (SYS-03).
    #[error("{}: {}", .0.step, .0.reason)]
    CallbackFailed(Box<CallbackFailed>),
}

/// What is seen of a process that is traced: one event, from when it is handed over until it is handled.
#[derive(Clone, PartialEq, Debug)]
pub struct Traced {
    /// What it was handed: `call`, `cast`, `info`, `answer`, `exit`, `down`, `timer`, `idle` or `continue`.
    pub kind: &'static str,
    /// What that carried.
    pub body: Option<skep_kernel::Body>,
    /// How long it took, in which others may have had their turn.
    pub took: Duration,
    /// What came of it.
    pub outcome: Handled,
}

/// What came of an event.
#[derive(Clone, PartialEq, Debug)]
pub enum Handled {
    /// It is handled.
    Done {
        /// The reply to a call, unless it comes later.
        reply: Option<skep_kernel::Body>,
        /// `wait`, `idle`, `hibernate`, `continue` or `stop`.
        next: &'static str,
    },
    /// The handler answered with an error, or trapped.
    Failed(ExitReason),
    /// The process ended, while it handled this or, without a kind, otherwise. Nothing follows.
    Ended(ExitReason),
}
