//! Writing Skep processes in Rust.
//!
//! Skep runs each process as a WebAssembly sandbox of its own, with Erlang's manners: it shares nothing, talks by
//! messages, may crash, and is restarted by a supervisor. This crate is what such a process is written with:
//!
//! - [`Server`]: keeps a state and answers messages, one at a time, as a gen_server does.
//! - [`StateMachine`]: is in one of several states, and takes each event as that says, as a gen_statem does.
//! - [`Agent`]: a value that others read and change.
//! - [`Task`]: runs once, and may wait in the middle; [`TaskContext`] has what waits for other tasks.
//! - [`Ref`], [`From`], [`Pending`]: typed references to a process, to a caller, to an answer. All of them travel in
//!   messages and live in states.
//! - [`Context`]: what a running process can ask of the host: links, monitors, names, timers, children, the log.
//! - [`supervision`]: supervisors as data, started and asked by whoever was granted it.
//! - [`sys`]: other servers suspended, looked into, and given another state, by whoever was granted it.
//! - [`Registry`], [`Group`], [`Topic`]: processes by key, with a value each; in groups; and by what they want to hear.
//! - [`Alias`], [`Watch`], [`TimerRef`]: a second address that can be closed again, a monitor with a tag or with such an
//!   address, a timer that others may stop.
//! - [`Migrate`] and [`Revert`]: how a state in an older layout becomes one of today's, and goes back.
//! - [`testing`]: the same server in `cargo test`, without Wasm.
//!
//! ```
//! use skep_sdk::prelude::*;
//!
//! #[derive(Serialize, Deserialize)]
//! pub struct Greeter { greeted: u64 }
//!
//! #[server]
//! impl Server for Greeter {
//!     type Call = String;
//!     type Reply = String;
//!
//!     fn init(_: (), _: &Context) -> Start<Self> { Ok(Greeter { greeted: 0 }) }
//!
//!     fn handle_call(&mut self, name: String, _: From<Self>, _: &Context) -> Outcome<String> {
//!         self.greeted += 1;
//!         reply(format!("hello {name}, you are number {}", self.greeted))
//!     }
//! }
//!
//! skep_sdk::export!(Greeter);
//! # fn main() {}
//! ```
//!
//! # Versions
//!
//! A process outlives its code: when a module is replaced, each of its processes is saved by the old code and restored by
//! the new, between two messages. `version` counts the layouts of the state. To change the layout, keep the old struct
//! under a module of its own, say how the new one comes from it, and raise the number. Steps down are optional; with
//! them `back_to` lets processes return to the old code.
//!
//! ```
//! use skep_sdk::prelude::*;
//!
//! mod v1 {
//!     #[derive(serde::Serialize, serde::Deserialize)]
//!     pub struct Greeter { pub greeted: u64 }
//! }
//!
//! #[derive(Serialize, Deserialize)]
//! pub struct Greeter { greeted: u64, last: Option<String> }
//!
//! impl Migrate<v1::Greeter> for Greeter {
//!     fn migrate(old: v1::Greeter, _: &MigrateContext) -> Result<Self, Failure> {
//!         Ok(Greeter { greeted: old.greeted, last: None })
//!     }
//! }
//!
//! impl Revert<v1::Greeter> for Greeter {
//!     fn revert(&self) -> Result<v1::Greeter, Failure> { Ok(v1::Greeter { greeted: self.greeted }) }
//! }
//!
//! #[server]
//! impl Server for Greeter {
//!     type Call = String;
//!     type Reply = Option<String>;
//!
//!     fn init(_: (), _: &Context) -> Start<Self> { Ok(Greeter { greeted: 0, last: None }) }
//!
//!     fn handle_call(&mut self, name: String, _: From<Self>, _: &Context) -> Outcome<Option<String>> {
//!         self.greeted += 1;
//!         reply(self.last.replace(name))
//!     }
//! }
//!
//! skep_sdk::export!(Greeter, version = 2, from = [v1::Greeter], back_to = 1);
//! # fn main() {}
//! ```
//!
//! Each step refuses with a reason rather than lose what matters: then the upgrade is called off, and every process goes
//! on with the code and the state that it had. A field that serde can fill in (`#[serde(default)]`) needs no new version,
//! as long as older code may drop it. [`Harness::upgrade`](testing::Harness::upgrade) tries an upgrade natively.
//!
//! # Bodies
//!
//! Bodies are MessagePack with named fields. A request that comes as JSON, from a person or from a guest in another
//! language, is answered in JSON.

mod agent;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
mod arena;
mod behaviour;
#[allow(missing_docs, clippy::all, reason = "generated from wit/, which has the documentation")]
mod bindings;
mod codec;
mod context;
mod export;
mod group;
mod host;
mod outcome;
#[cfg(target_family = "wasm")]
mod panics;
mod reference;
mod registry;
mod requests;
#[doc(hidden)]
pub mod run;
mod server;
#[cfg(target_family = "wasm")]
mod slot;
mod state;
mod state_machine;
pub mod supervision;
pub mod sys;
mod task;
#[cfg(not(target_family = "wasm"))]
pub mod testing;
mod topic;
pub mod types;
mod watch;

pub use agent::{Agent, AgentCall, AgentProtocol, AgentServer};
pub use codec::{Codec, CodecError, Message, Never, Raw};
pub use context::{Child, Context, Options, SpawnError};
pub use group::{Group, Scope};
pub use outcome::{Failure, NotStarted, Outcome, Start, fail, noreply, reply};
pub use reference::{CALL_TIMEOUT, From, Pending, Ref};
pub use registry::{Holder, Registration, Registry};
pub use requests::Requests;
pub use server::{Protocol, Server, Timer, Untyped};
pub use skep_sdk_macros::{agent, server, state_machine};
pub use state::{Exported, Migrate, MigrateContext, Revert, Saved};
pub use state_machine::{
    Entered, First, Inserts, Machine, OfEntry, OfEvent, OfStart, Snapshot, StateEvent, StateMachine, Step, TimeoutKind,
    Transition, first_state, keep_state, next_state, repeat_state, stop,
};
pub use supervision::{ChildSpec, Supervisor, SupervisorRef};
pub use task::{AWAIT_TIMEOUT, OnTimeout, Task, TaskContext, TaskRef, TaskShutdown, TaskStream};
pub use topic::Topic;
pub use types::{
    Address, Alias, Answer, Body, CallError, Caller, Cause, Change, Changed, Ended as Exit, Entry, Event, ExitReason,
    Fault, Level, Lost as Down, Mark, Pid, Refusal, Removal, Upgrade, Via,
};
pub use watch::{TimerRef, Watch, Watched};

/// All that a guest usually needs, with serde's two traits.
pub mod prelude {
    pub use crate::{
        Address, Agent, Alias, Answer, Body, CallError, Change, Changed, Child, ChildSpec, Context, Down, Entered,
        Event, Exit, ExitReason, Failure, First, From, Group, Holder, Level, Machine, Mark, Migrate, MigrateContext,
        Never, NotStarted, Options, Outcome, Pending, Pid, Protocol, Ref, Refusal, Registration, Registry, Requests,
        Revert, Saved, Scope, Server, Snapshot, SpawnError, Start, StateEvent, StateMachine, Supervisor, SupervisorRef,
        Task, TaskContext, TaskRef, TaskShutdown, TimeoutKind, Timer, TimerRef, Topic, Transition, Watch, Watched,
        agent, fail, first_state, keep_state, next_state, noreply, repeat_state, reply, server, state_machine, stop,
    };
    pub use serde::{Deserialize, Serialize};
}

/// What the code made by `export!` uses. No part of the API.
#[doc(hidden)]
pub mod __private {
    pub use crate::behaviour::Behaviour;
    pub use crate::bindings::process::export_process;
    pub use crate::bindings::process::exports::skep::process::behaviour;
    pub use crate::bindings::task::export_task;
    pub use crate::bindings::task::exports::skep::process::entry;
    pub use crate::bindings::{process, task};
    #[cfg(target_family = "wasm")]
    pub use crate::panics::watch as watch_panics;
    pub use crate::run;
    #[cfg(target_family = "wasm")]
    pub use crate::slot::Slot;
    pub use crate::state::{Counted, History, Oldest, Step, Steps, Zero, steps};
    pub use crate::types::{Form, Next, Outcome, Shape, Start, State};
}
