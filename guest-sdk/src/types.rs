//! The values that host and guest exchange, as Rust types.
//!
//! Owns their shapes, which follow `wit/types.wit` name by name (the bindings construct them field by field), and what
//! they look like in JSON and in a log. Never calls the host. Used by everything else here, and by guest authors.

mod bytes;
mod pid;

use serde::{Deserialize, Serialize};

pub use pid::{Alias, ParsePidError, Pid};

/// Tells one monitor, timer or request from all others of this process.
pub type Mark = u64;

/// A key of a unique registry, as a name: [`Registry::via`](crate::Registry::via) makes one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Via {
    /// The registry.
    pub registry: String,
    /// The key, in its text form.
    pub key: String,
}

/// Whom to address: a process, whoever holds a name or a key at this moment, or whoever has opened an alias.
///
/// In JSON `"0.7.1f2e"`, `{"pid":"0.7.1f2e"}`, `{"name":"bank"}`, `{"via":{"registry":"users","key":"\"ada\""}}` or
/// `{"alias":"0.99.2e1f"}`; a plain string that is no pid is read as a name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// This process and no other.
    Pid(Pid),
    /// Whoever holds this name when the message is sent.
    Name(String),
    /// Whoever holds this key when the message is sent.
    Via(Via),
    /// Whoever has opened this alias, while it is open. It cannot be monitored.
    Alias(Alias),
}

impl From<Pid> for Address {
    fn from(pid: Pid) -> Address {
        Address::Pid(pid)
    }
}

impl From<Via> for Address {
    fn from(via: Via) -> Address {
        Address::Via(via)
    }
}

impl From<Alias> for Address {
    fn from(alias: Alias) -> Address {
        Address::Alias(alias)
    }
}

impl From<&str> for Address {
    fn from(name: &str) -> Address {
        Address::Name(name.to_owned())
    }
}

impl From<String> for Address {
    fn from(name: String) -> Address {
        Address::Name(name)
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Address::Pid(pid) => pid.fmt(f),
            Address::Name(name) => name.fmt(f),
            Address::Via(via) => write!(f, "{} in {}", via.key, via.registry),
            Address::Alias(alias) => alias.fmt(f),
        }
    }
}

/// What a message or a state carries. The host does not look inside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Body {
    /// Bytes that only sender and receiver understand.
    Raw(#[serde(with = "bytes")] Vec<u8>),
    /// MessagePack, structs as maps with named fields: what this crate sends unless told otherwise.
    Messagepack(#[serde(with = "bytes")] Vec<u8>),
    /// JSON, as a person at a terminal and guests in other languages send it.
    Json(String),
    /// Plain text.
    Text(String),
}

impl Body {
    /// How many bytes it has.
    pub fn len(&self) -> usize {
        match self {
            Body::Raw(bytes) | Body::Messagepack(bytes) => bytes.len(),
            Body::Json(text) | Body::Text(text) => text.len(),
        }
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// All that must outlive an instance, in the layout that `version` counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Which layout the body has.
    pub version: u32,
    /// The state itself.
    pub body: Body,
}

/// A failure in machine terms.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Which trap or error.
    pub kind: String,
    /// What it said.
    pub message: String,
    /// Where: one frame a line, innermost first.
    pub trace: String,
}

/// Why a process ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExitReason {
    /// It had finished. Over a link this ends nobody.
    Normal,
    /// It was asked to end, as at the end of its supervisor.
    Shutdown(Option<Body>),
    /// It was killed, which cannot be trapped.
    Killed,
    /// There was no such process.
    Noproc,
    /// The node it lives on cannot be reached.
    Noconnection,
    /// A limit was reached: "memory", "fuel", "mailbox", "stack", "time" (others may come).
    Limit(String),
    /// The guest trapped.
    Trap(Fault),
    /// A handler, `init`, `save` or `restore` failed with this text.
    Failed(String),
    /// What the guest itself gave as its reason.
    Custom(Body),
}

impl ExitReason {
    /// A reason of one's own, as a word.
    ///
    /// ```
    /// # use skep_sdk::{Body, ExitReason};
    /// assert_eq!(ExitReason::custom("tired"), ExitReason::Custom(Body::Text("tired".into())));
    /// ```
    pub fn custom(text: impl Into<String>) -> ExitReason {
        ExitReason::Custom(Body::Text(text.into()))
    }
}

/// Who waits for a reply, as the host counts them. [`From`](crate::From) is the typed form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Caller {
    /// The process that called.
    pub pid: Pid,
    /// Which of its calls.
    pub mark: Mark,
}

/// A call that waits for its reply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Who waits.
    pub caller: Caller,
    /// What is asked.
    pub body: Body,
}

/// A linked process ended, or somebody sent an exit signal, and this process traps exits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// Who ended, or sent the signal.
    pub pid: Pid,
    /// Why.
    pub reason: ExitReason,
}

/// A monitored process ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// What `monitor` returned.
    pub mark: Mark,
    /// What was given to `monitor`.
    pub target: Address,
    /// Why it ended; `Noproc` if it was not there to begin with.
    pub reason: ExitReason,
    /// What was given to [`Watch::tag`](crate::Watch::tag); [`Down::tag`](crate::Down::tag) reads it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<Body>,
}

/// A timer went off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alarm {
    /// What `start_timer` returned.
    pub mark: Mark,
    /// What was given to it.
    pub body: Body,
}

/// Why a call brought no reply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CallError {
    /// The time was up. The request may still be performed; its reply goes nowhere.
    Timeout,
    /// The callee ended before it replied (`Noproc`: there was none).
    Ended(ExitReason),
    /// The call was not delivered, or its reply could not be read: the text says why.
    Refused(String),
}

impl std::fmt::Display for CallError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            CallError::Timeout => f.write_str("timeout"),
            CallError::Ended(reason) => write!(f, "the callee ended: {reason:?}"),
            CallError::Refused(why) => write!(f, "refused: {why}"),
        }
    }
}

impl std::error::Error for CallError {}

/// What became of a request. [`Answer::of`] gives it its type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// What `request` returned.
    pub mark: Mark,
    /// The reply, or why there is none.
    pub outcome: Result<Body, CallError>,
}

/// An entry of a registry, or a member of a group, as the host has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The key, in its text form, or the group's name.
    pub key: String,
    /// Whose it is.
    pub pid: Pid,
    /// Its value; of a member, null.
    pub value: Body,
}

/// An entry that is no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removal {
    /// The key, in its text form, or the group's name.
    pub key: String,
    /// Whose it was.
    pub pid: Pid,
}

/// What happened to the entries that this process watches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Changed {
    /// One came.
    Added(Entry),
    /// One went: its owner took it out, or has ended.
    Removed(Removal),
    /// The mailbox was full when something changed: nothing more comes of this watch. Watch anew.
    Missed,
}

/// Something that this process watches has changed: a registry, or process groups.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// What `listen` or `monitor` returned.
    pub mark: Mark,
    /// What happened.
    pub what: Changed,
}

/// What arrives. Servers get each case in a handler of its own; tasks receive it as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// Somebody waits for a reply.
    Call(Request),
    /// A request that wants no reply.
    Cast(Body),
    /// A plain message.
    Info(Body),
    /// What became of a request, or the result of a task.
    Answer(Answer),
    /// An exit signal, where this process traps exits.
    Exit(Ended),
    /// A monitored process ended.
    Down(Lost),
    /// A timer of this process went off.
    Timer(Alarm),
    /// Something that this process watches has changed.
    Change(Change),
    /// Nothing came for the time asked for.
    Idle,
    /// What this process told itself to do next.
    Continue(Body),
}

/// What a process does after an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Wait for the next event.
    Wait,
    /// As `Wait`, and be told `Idle` when nothing came for so many milliseconds.
    WaitFor(u64),
    /// Give the instance back now; the state is saved.
    Hibernate,
    /// Handle this next, before anything that is queued.
    Continue(Body),
    /// Run `terminate`, then end with this reason.
    Stop(ExitReason),
}

/// What `handle` returns to the host. Handlers return the typed [`Outcome`](crate::Outcome).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The reply, if the event was a call and it is answered now.
    pub reply: Option<Body>,
    /// What comes next.
    pub next: Next,
}

/// What `init` returns to the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// The process runs.
    Ready(Next),
    /// It does not run, and nothing is wrong.
    Ignore,
    /// It does not run, for this reason.
    Stop(ExitReason),
}

/// The circumstances of an upgrade.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upgrade {
    /// The version of the code being left; it may be the higher one.
    pub version: u32,
    /// What the operator gave along.
    pub extra: Option<Body>,
}

/// Why a state is being restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// By the same code, later.
    Wake,
    /// By new code.
    Upgrade(Upgrade),
    /// After a crash.
    Restart,
    /// On another node.
    Migrate,
}

/// Which body it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// [`Body::Raw`].
    Raw,
    /// [`Body::Messagepack`].
    Messagepack,
    /// [`Body::Json`].
    Json,
    /// [`Body::Text`].
    Text,
}

/// Which versions and forms of the state some code saves and restores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// What it saves.
    pub version: u32,
    /// What it restores, its own version among them.
    pub accepts: Vec<u32>,
    /// The older ones that it can save as well.
    pub steps_down: Vec<u32>,
    /// The form in which it saves all of them.
    pub writes: Form,
    /// The forms that it restores, its own among them.
    pub reads: Vec<Form>,
}

/// Why the host did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// Not granted; the text names the grant that is missing.
    Denied(String),
    /// There is no such name, module or process.
    Unknown(String),
    /// Somebody holds that name or key: this process.
    Taken(Pid),
    /// A limit was reached; the text says which.
    Limit(String),
    /// The argument makes no sense; the text says why.
    Invalid(String),
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Refusal::Denied(what) => write!(f, "denied: {what}"),
            Refusal::Unknown(what) => write!(f, "unknown: {what}"),
            Refusal::Taken(pid) => write!(f, "taken by {pid}"),
            Refusal::Limit(what) => write!(f, "limit reached: {what}"),
            Refusal::Invalid(what) => write!(f, "invalid: {what}"),
        }
    }
}

impl std::error::Error for Refusal {}

/// How much a line of the log matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Level {
    /// Every step.
    Trace,
    /// What a developer looks for.
    Debug,
    /// What an operator may want to know.
    Info,
    /// What an operator should look into.
    Warn,
    /// What went wrong.
    Error,
}
