//! System messages: what an operator may ask of any server, whatever its code is. OTP's `sys`.
//!
//! Owns the words of it, as data. What a process makes of them is in `process::system`; who may ask, and how long he
//! waits, is the business of whoever delivers them.

use crate::{ExitReason, State};

/// Names a request among those of a runtime.
pub type SystemId = u64;

/// What can be asked.
#[derive(Clone, PartialEq, Debug)]
pub enum SystemRequest {
    /// Handle nothing from the next message on, until [`SystemRequest::Resume`]. As often as one likes (SYS-01).
    Suspend,
    /// Go on. Also where it was not suspended.
    Resume,
    /// Tell the state.
    GetState,
    /// Put another state in the place of the present one. What it is, is decided when its turn comes: the caller keeps the
    /// function that makes it of the present one.
    ReplaceState,
    /// Run `terminate`, and end with this reason (SYS-05).
    Terminate(ExitReason),
}

/// What a request came to.
#[derive(Clone, PartialEq, Debug)]
pub enum SystemAnswer {
    /// It is so.
    Done,
    /// The state.
    State(State),
}

/// Why a request was not fulfilled. Nothing has changed.
#[derive(Clone, PartialEq, Debug)]
pub enum SystemError {
    /// There is no such process, or not any more (SYS-05).
    Noproc,
    /// Tasks, which have no state and no time between two messages, and the host's own processes.
    NotAServer,
    /// Too many requests wait.
    TooMany,
    /// The state was not told, or the new one not taken over (SYS-03).
    CallbackFailed(CallbackFailed),
}

/// What went wrong in code that is not the host's.
#[derive(Clone, PartialEq, Debug)]
pub struct CallbackFailed {
    /// What was being done.
    pub step: &'static str,
    /// What was wrong.
    pub reason: ExitReason,
    /// Where it trapped, one frame a line; empty if it did not.
    pub trace: String,
}

/// What a process has done so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Statistics {
    /// Events it was handed.
    pub messages_in: u64,
    /// Messages, calls and replies it has sent.
    pub messages_out: u64,
}
