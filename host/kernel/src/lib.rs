//! The rules of Skep's processes: plain state machines, told what happened and answering what to do.
//!
//! Nothing here has a clock, a thread, I/O or Wasm: time is an argument, randomness a seed, and every effect a value
//! that the caller performs. Messages and exit signals, links, monitors, calls, timers, names and supervision are
//! decided here and nowhere else, so that each rule of OTP can be tested as a table.

pub mod alias;
pub mod body;
pub mod budget;
pub mod directory;
pub mod event;
mod folded;
pub mod limits;
pub mod mailbox;
pub mod pid;
pub mod process;
pub mod reason;
pub mod registry;
mod secret;
pub mod signal;
pub mod supervisor;
pub mod system;
pub mod throttle;
pub mod timer_queue;
pub mod upgrade;

pub use alias::{Alias, AliasSeal};
pub use body::{Body, Cause, Form, Shape, State};
pub use event::{Address, CallError, Caller, Changed, Event, Next, Outcome, Refusal, SpawnError, Start};
pub use limits::{FileLimits, Limits, LogLimits};
pub use pid::{Mark, Pid};
pub use process::Process;
pub use reason::{ExitReason, Fault};
pub use signal::{Action, Delivery, Signal, Want};

/// A moment on the node's monotonic clock: how long after the node's start.
pub type Time = std::time::Duration;

/// A name within an app, or of a module. Cheap to clone.
pub type Name = std::sync::Arc<str>;
