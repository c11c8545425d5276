//! System messages to other servers of the app, after OTP's `sys`: granted by `control`.
//!
//! Owns the reference through which one is asked, and what is asked and answered, as data. What a server makes of them needs
//! nothing of its code but `save` and `restore`, which it has.

#[cfg(target_family = "wasm")]
pub(crate) mod wire;

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::codec::CodecError;
use crate::context::{Context, millis};
use crate::host::system;
use crate::reference::CALL_TIMEOUT;
use crate::types::{Address, ExitReason, Pid, Refusal, State};

/// A server that this process may control, if it was granted that.
///
/// ```
/// use skep_sdk::prelude::*;
/// use skep_sdk::sys::{SystemError, SystemRef};
///
/// #[derive(Serialize, Deserialize)]
/// struct Counter { count: i64 }
///
/// /// Sets a counter back without stopping it, and lets nothing come in between.
/// fn set_back(name: &str, context: &Context) -> Result<i64, Failure> {
///     let counter = SystemRef::at(name.to_owned());
///     counter.suspend(context)?;
///     let state = counter.state(context)?;
///     let Counter { count } = state.read()?;
///     counter.replace_state(context, state.with(&Counter { count: 0 })?)?;
///     counter.resume(context)?;
///     Ok(count)
/// }
/// # struct SetBack;
/// # impl Task for SetBack {
/// #     type Args = String;
/// #     type Output = i64;
/// #     fn run(name: String, context: &TaskContext) -> Result<i64, Failure> { set_back(&name, context) }
/// # }
/// # fn main() {
/// # use skep_sdk::testing::{World, run_task_in};
/// # use skep_sdk::Message;
/// # use skep_sdk::sys::{Ask, Reply};
/// # use skep_sdk::types::State;
/// # #[derive(Serialize, Deserialize)] struct Envelope { sdk: u32, state: Counter }
/// # let mut world = World::new().on_system(move |_, ask| Ok(match ask {
/// #     Ask::State => {
/// #         let body = Envelope { sdk: 1, state: Counter { count: 7 } }.encode(skep_sdk::Codec::default());
/// #         Reply::State(State { version: 1, body: body.unwrap() })
/// #     }
/// #     Ask::ReplaceState(state) => {
/// #         assert_eq!(state.read::<Counter>().unwrap().count, 0);
/// #         Reply::Done
/// #     }
/// #     _ => Reply::Done,
/// # }));
/// # assert_eq!(run_task_in::<SetBack>(&mut world, "counter".to_owned(), []), Ok(7));
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SystemRef {
    target: Address,
    within: Option<Duration>,
}

/// What a server is asked: the methods of [`SystemRef`], as data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the methods say it")]
pub enum Ask {
    Suspend,
    Resume,
    State,
    ReplaceState(State),
    Status,
    Statistics,
}

/// What comes of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "each is what its question says")]
pub enum Reply {
    Done,
    State(State),
    Status(Status),
    Statistics(Statistics),
}

/// Why a system message had no effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SystemError {
    /// Not granted, no such process, no server, a limit.
    Refused(Refusal),
    /// It has not come to the end of a message in time.
    Timeout,
    /// Its code does not tell, or does not take, that state. Nothing has changed.
    Failed {
        /// In which step.
        step: String,
        /// What was wrong.
        reason: ExitReason,
    },
    /// It ended meanwhile.
    Ended,
}

/// A process at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Its pid.
    pub pid: Pid,
    /// The name that it holds.
    pub name: Option<String>,
    /// The module that it runs.
    pub module: String,
    /// Who started it.
    pub parent: Option<Pid>,
    /// `running`, `waiting`, `hibernating`, `suspended` and so on.
    pub doing: String,
    /// What it is handling: a kind of event, `init` or `terminate`.
    pub handling: Option<String>,
    /// Whether somebody has suspended it, and may resume it.
    pub suspended: bool,
    /// Whether exit signals arrive as events.
    pub traps_exits: bool,
    /// Events that wait.
    pub mailbox_messages: u64,
    /// Their bytes.
    pub mailbox_bytes: u64,
    /// How many it is linked to.
    pub links: u64,
    /// How many it monitors.
    pub monitors: u64,
    /// Its timers that run.
    pub timers: u64,
}

/// What a process has done so far. Fuel and memory are those after the last event that it handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statistics {
    /// Events that it was handed.
    pub messages_in: u64,
    /// Messages, calls and replies that it has sent.
    pub messages_out: u64,
    /// Fuel that it has used.
    pub fuel_used: u64,
    /// Bytes of its memory; 0 while it hibernates.
    pub memory_bytes: u64,
    /// How long it has been there, in milliseconds.
    pub up_ms: u64,
}

type Asked<T> = Result<T, SystemError>;

impl SystemRef {
    /// The server with this pid, or whichever holds this name. Each request waits for at most 5 seconds.
    pub fn at(target: impl Into<Address>) -> SystemRef {
        SystemRef { target: target.into(), within: Some(CALL_TIMEOUT) }
    }

    /// With another patience; with `None`, for ever.
    pub fn within(self, time: impl Into<Option<Duration>>) -> SystemRef {
        SystemRef { within: time.into(), ..self }
    }

    /// Asks for anything, as data; the methods below are the friendly forms.
    ///
    /// # Errors
    ///
    /// [`SystemError`], as they say.
    pub fn ask(&self, _: &Context, ask: Ask) -> Asked<Reply> {
        system::ask(&self.target, ask, self.within.map(millis))
    }

    /// From now on it handles nothing until somebody resumes it, whatever becomes of this process. Returns when it stands
    /// still. Suspending again changes nothing.
    ///
    /// # Errors
    ///
    /// [`SystemError`]: not granted, no server, or it is in the middle of something for too long; then it goes on.
    pub fn suspend(&self, context: &Context) -> Asked<()> {
        self.ask(context, Ask::Suspend).map(drop)
    }

    /// It goes on, whoever has suspended it.
    ///
    /// # Errors
    ///
    /// [`SystemError`]: not granted, or no server.
    pub fn resume(&self, context: &Context) -> Asked<()> {
        self.ask(context, Ask::Resume).map(drop)
    }

    /// Its state, as it saves it; [`State::read`] has the author's part.
    ///
    /// # Errors
    ///
    /// As [`suspend`](SystemRef::suspend); or its `save` refuses.
    pub fn state(&self, context: &Context) -> Asked<State> {
        match self.ask(context, Ask::State)? {
            Reply::State(state) => Ok(state),
            _ => Err(SystemError::Ended),
        }
    }

    /// Has it go on with this state; [`State::with`] makes one of another. Suspend it first if it must be the present one
    /// that is changed.
    ///
    /// # Errors
    ///
    /// As [`suspend`](SystemRef::suspend); or its code does not take that state. Then nothing has changed.
    pub fn replace_state(&self, context: &Context, state: State) -> Asked<()> {
        self.ask(context, Ask::ReplaceState(state)).map(drop)
    }

    /// How it is doing. Does not block.
    ///
    /// # Errors
    ///
    /// [`SystemError`]: not granted, or no such process.
    pub fn status(&self, context: &Context) -> Asked<Status> {
        match self.ask(context, Ask::Status)? {
            Reply::Status(status) => Ok(status),
            _ => Err(SystemError::Ended),
        }
    }

    /// What it has done so far. Does not block.
    ///
    /// # Errors
    ///
    /// As [`status`](SystemRef::status).
    pub fn statistics(&self, context: &Context) -> Asked<Statistics> {
        match self.ask(context, Ask::Statistics)? {
            Reply::Statistics(statistics) => Ok(statistics),
            _ => Err(SystemError::Ended),
        }
    }
}

impl State {
    /// The author's part of a state that a server of this SDK has saved.
    ///
    /// # Errors
    ///
    /// It is not of this type, or another SDK's.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, CodecError> {
        crate::state::author_s(&self.body)
    }

    /// The same with another state of the author's in it.
    ///
    /// # Errors
    ///
    /// It is that of a state machine, which holds more beside it, or another SDK's; or serde cannot write the new one.
    pub fn with<T: Serialize>(&self, state: &T) -> Result<State, CodecError> {
        let body = crate::state::author_s_replaced(&self.body, state)?;
        Ok(State { version: self.version, body })
    }
}

impl std::fmt::Display for SystemError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            SystemError::Refused(refusal) => refusal.fmt(f),
            SystemError::Timeout => f.write_str("it did not come to the end of a message in time"),
            SystemError::Failed { step, reason } => write!(f, "{step}: {reason:?}"),
            SystemError::Ended => f.write_str("it ended meanwhile"),
        }
    }
}

impl std::error::Error for SystemError {}
