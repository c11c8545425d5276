//! The behaviour of a state machine: states, the events that each takes, and what follows. OTP's gen_statem.
//!
//! Owns the trait and the events as its handlers see them. What a handler may answer is in `step`, what is held back
//! between events in `held`, the order of things in `machine`. Never decodes a state: `state` does.

mod held;
mod machine;
mod step;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec::Message;
use crate::context::Context;
use crate::outcome::Start;
use crate::reference::From;
use crate::types::{Answer, Change, Ended, ExitReason, Lost};

pub use held::{Held, TimeoutKind};
pub use machine::{Machine, Snapshot};
pub use step::{
    Entered, First, Inserts, OfEntry, OfEvent, OfStart, Step, Transition, first_state, keep_state, next_state,
    repeat_state, stop,
};

/// A process that is in one of several states, and takes each event as its state says.
///
/// The struct is the data, which all states share; `State` says in which state it is. Write it with
/// [`#[state_machine]`](macro@crate::state_machine), which fills in the types that are not mentioned, and export it with
/// `export!(machine …)`.
///
/// ```
/// use skep_sdk::prelude::*;
/// use std::time::Duration;
///
/// /// A door that opens for ten seconds to whoever knows the code.
/// #[derive(Serialize, Deserialize)]
/// pub struct Door { code: String }
///
/// #[derive(Serialize, Deserialize, PartialEq)]
/// pub enum State { Locked, Open }
///
/// #[derive(Serialize, Deserialize)]
/// pub enum Request { Unlock(String), Pass }
///
/// #[state_machine]
/// impl StateMachine for Door {
///     type Args = String;
///     type State = State;
///     type Call = Request;
///     type Reply = bool;
///
///     fn init(code: String, _: &Context) -> Start<(Self, First<Self>)> {
///         Ok((Door { code }, first_state(State::Locked)))
///     }
///
///     fn handle(&mut self, state: &State, event: StateEvent<Self>, _: &Context) -> Transition<Self> {
///         match (state, event) {
///             (State::Locked, StateEvent::Call(Request::Unlock(code), from)) if code == self.code => {
///                 next_state(State::Open).reply(from, true).state_timeout(Duration::from_secs(10), ())
///             }
///             (_, StateEvent::Call(Request::Unlock(_), from)) => keep_state().reply(from, false),
///             (State::Open, StateEvent::Call(Request::Pass, from)) => keep_state().reply(from, true),
///             // Whoever wants to pass waits until the door is open.
///             (State::Locked, StateEvent::Call(Request::Pass, _)) => keep_state().postpone(),
///             (State::Open, StateEvent::Timeout(TimeoutKind::State, ())) => next_state(State::Locked),
///             _ => keep_state(),
///         }
///     }
///
///     type Timeout = ();
/// }
///
/// skep_sdk::export!(machine Door);
/// # fn main() {
/// # use skep_sdk::testing::Harness;
/// # let mut door = Harness::<Door>::start("1234".into()).unwrap().always_hibernating();
/// # let waits = door.call_open(Request::Pass);
/// # assert_eq!(door.reply_to(&waits), None);
/// # assert_eq!(door.call(Request::Unlock("1234".into())), Ok(true));
/// # assert_eq!(door.reply_to(&waits), Some(true));
/// # door.advance(Duration::from_secs(10));
/// # assert!(matches!(door.server().map(Machine::state), Some(State::Locked)));
/// # }
/// ```
///
/// # The order of things
///
/// As in gen_statem, after an event: its replies go out; if the state changed, [`enter`](StateMachine::enter) runs and the
/// state timeout of the old state is called off; what was postponed comes before all other events, oldest first; what was
/// inserted comes before that; then timeouts are set, and one of no time at all comes when nothing is left of these, before
/// whatever arrives from outside. Of several things that a step says of the same timeout the last counts.
/// A state has changed if the new value is not equal to the old one.
///
/// # What survives
///
/// State and data, and with them what the machine holds: events that are postponed or inserted, with their callers, and
/// which timer is which timeout. All of it is saved when the process hibernates or is upgraded. Postponed events stay as
/// they came and are decoded when they are tried again, so that after an upgrade the new code reads them, as it reads what
/// waits in the mailbox.
///
/// # Versions
///
/// What is saved is a [`Snapshot`]: `{state, data}`. For a new layout keep the old one as a struct with these two fields,
/// and say how today's snapshot comes from it; the rest is as with servers.
///
/// ```
/// # use skep_sdk::prelude::*;
/// mod v1 {
///     #[derive(serde::Serialize, serde::Deserialize)]
///     pub struct Snapshot { pub state: String, pub data: Door }
///     #[derive(serde::Serialize, serde::Deserialize)]
///     pub struct Door { pub code: String }
/// }
///
/// #[derive(Serialize, Deserialize)]
/// pub struct Door { codes: Vec<String> }
///
/// #[derive(Serialize, Deserialize, PartialEq)]
/// pub enum State { Locked, Open }
///
/// impl Migrate<v1::Snapshot> for Snapshot<Door> {
///     fn migrate(old: v1::Snapshot, _: &MigrateContext) -> Result<Self, Failure> {
///         let state = if old.state == "open" { State::Open } else { State::Locked };
///         Ok(Snapshot { state, data: Door { codes: vec![old.data.code] } })
///     }
/// }
/// # #[state_machine]
/// # impl StateMachine for Door {
/// #     type State = State;
/// #     fn init(_: (), _: &Context) -> Start<(Self, First<Self>)> { Err(NotStarted::Ignore) }
/// #     fn handle(&mut self, _: &State, _: StateEvent<Self>, _: &Context) -> Transition<Self> { keep_state() }
/// # }
///
/// skep_sdk::export!(machine Door, version = 2, from = [v1::Snapshot]);
/// # fn main() {}
/// ```
///
/// # Where it differs from OTP
///
/// - One handler takes state and event together, as OTP's `handle_event` does; an enum and a `match` are Rust's state
///   functions. So there is no module to push or pop.
/// - A wrong answer, a wrong action or a wrong time does not compile.
/// - An entry that inserts an event, for one, does not compile; see [`enter`](StateMachine::enter):
///
/// ```compile_fail,E0277
/// # use skep_sdk::prelude::*;
/// # #[derive(Serialize, Deserialize)]
/// # pub struct Door;
/// # #[state_machine]
/// # impl StateMachine for Door {
/// #     type State = ();
/// #     type Internal = String;
/// #     fn init(_: (), _: &Context) -> Start<(Self, First<Self>)> { Ok((Door, first_state(()))) }
/// #     fn handle(&mut self, _: &(), _: StateEvent<Self>, _: &Context) -> Transition<Self> { keep_state() }
/// fn enter(&mut self, _: &(), _: &(), _: &Context) -> Entered<Self> {
///     keep_state().next_event("creak".to_owned())
/// }
/// # }
/// ```
///
/// - What is held is bounded, by [`HELD_EVENTS`](StateMachine::HELD_EVENTS) and
///   [`HELD_BYTES`](StateMachine::HELD_BYTES); beyond that the process ends with the reason `limit`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no state machine",
    note = "write #[state_machine] impl StateMachine for {Self} {{ … }}"
)]
pub trait StateMachine: Serialize + DeserializeOwned + 'static {
    /// The states. Two that are equal are the same state.
    type State: Serialize + DeserializeOwned + PartialEq + 'static;
    /// What `init` is given. With `#[state_machine]` unless mentioned: `()`.
    type Args: Message;
    /// What can be asked. Unless mentioned: nothing.
    type Call: Message;
    /// What is answered. Unless mentioned: `()`.
    type Reply: Message;
    /// What can be asked without an answer. Unless mentioned: nothing.
    type Cast: Message;
    /// What plain messages are understood. Unless mentioned: none.
    type Info: Message;
    /// What it tells itself: inserted events. Unless mentioned: nothing.
    type Internal: Message;
    /// What its timeouts carry. Unless mentioned: nothing.
    type Timeout: Message;

    /// How many events it may hold back, postponed and inserted together.
    const HELD_EVENTS: usize = 1_000;
    /// How many bytes of bodies they may have. A state must stay below the limit `body_bytes`, 1 MiB unless the manifest
    /// says otherwise.
    const HELD_BYTES: usize = 512 * 1024;

    /// Makes the machine, and says in which state it begins. Whoever started the process waits for it.
    ///
    /// # Errors
    ///
    /// The process does not start; see [`NotStarted`](crate::NotStarted).
    fn init(args: Self::Args, context: &Context) -> Start<(Self, First<Self>)>;

    /// Takes an event in this state.
    fn handle(&mut self, state: &Self::State, event: StateEvent<Self>, context: &Context) -> Transition<Self>;

    /// Runs when a state is entered: after a change, after [`repeat_state`], and at the start, where `from` is that state
    /// too. An entry changes no state, postpones and inserts nothing: the compiler sees to that.
    fn enter(&mut self, from: &Self::State, to: &Self::State, context: &Context) -> Entered<Self> {
        let _ = (from, to, context);
        keep_state()
    }

    /// Runs last: after a stop or a failure, or when the supervisor ends a process that traps exits; not after a panic.
    fn terminate(&mut self, state: &Self::State, reason: &ExitReason, context: &Context) {
        let _ = (state, reason, context);
    }
}

/// What happens to a state machine.
#[derive(Debug)]
pub enum StateEvent<M: StateMachine> {
    /// Somebody waits for a reply: give it with [`Step::reply`], now or in any later step, or with [`From::reply`].
    Call(M::Call, From<M>),
    /// A request that wants no reply.
    Cast(M::Cast),
    /// A plain message.
    Info(M::Info),
    /// What the machine told itself.
    Internal(M::Internal),
    /// Time is up.
    Timeout(TimeoutKind, M::Timeout),
    /// What became of a request, or the result of a task.
    Answer(Answer),
    /// A monitored process ended.
    Down(Lost),
    /// Something has changed that this process watches: a registry, or process groups.
    Change(Change),
    /// An exit signal, where this process traps exits.
    Exit(Ended),
}
