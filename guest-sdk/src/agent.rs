//! The behaviour of an agent: a value that others read and change. Elixir's Agent.
//!
//! Owns the traits and the server that an agent is. A function cannot travel between two sandboxes, so what can be done to
//! the value is a type, and the functions stay with the agent. Called by `run`, as any server.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::codec::{Codec, Message, Never, Raw};
use crate::context::Context;
use crate::host::messaging;
use crate::outcome::{Failure, Outcome, Start, noreply, reply};
use crate::reference::{CALL_TIMEOUT, From, Ref, unreadable, written};
use crate::server::Server;
use crate::state::{MigrateContext, Saved};
use crate::types::CallError;

/// A process around one value, which others read and change.
///
/// The struct is the value. Elixir's `get` and `update` take functions; here they take what to look for and what to change,
/// as values of two types, and the agent has the functions. An update may bring something, and then it is Elixir's
/// `get_and_update`. One runs at a time; if one panics, the agent ends.
///
/// Write it with [`#[agent]`](macro@crate::agent), which fills in the types that are not mentioned, and export it with
/// `export!(agent …)`.
///
/// ```
/// use skep_sdk::prelude::*;
/// use std::collections::BTreeMap;
///
/// #[derive(Default, Serialize, Deserialize)]
/// pub struct Stock(BTreeMap<String, u64>);
///
/// #[derive(Serialize, Deserialize)]
/// pub enum Look { HowMany(String) }
///
/// #[derive(Serialize, Deserialize)]
/// pub enum Change { Put(String, u64), TakeOne(String) }
///
/// #[agent]
/// impl Agent for Stock {
///     type Get = Look;
///     type Got = u64;
///     type Update = Change;
///     type Updated = bool;
///
///     fn init(_: (), _: &Context) -> Start<Self> { Ok(Stock::default()) }
///
///     fn get(&self, Look::HowMany(thing): Look) -> u64 { self.0.get(&thing).copied().unwrap_or(0) }
///
///     fn update(&mut self, change: Change) -> bool {
///         match change {
///             Change::Put(thing, number) => { *self.0.entry(thing).or_default() += number; true }
///             Change::TakeOne(thing) => match self.0.get_mut(&thing) {
///                 Some(left @ 1..) => { *left -= 1; true }
///                 _ => false,
///             },
///         }
///     }
/// }
///
/// skep_sdk::export!(agent Stock);
///
/// /// Anybody else, with the agent's name or pid.
/// fn take_a_nut(context: &Context) -> Result<bool, CallError> {
///     let stock = Ref::<Stock>::named("stock");
///     stock.cast(context, Change::Put("nut".into(), 7));
///     assert_eq!(stock.get(context, Look::HowMany("nut".into()))?, 7);
///     stock.update(context, Change::TakeOne("nut".into()))
/// }
/// # fn main() {
/// # let mut stock = skep_sdk::testing::Harness::<Stock>::start(()).unwrap().always_hibernating();
/// # stock.cast(Change::Put("nut".into(), 1));
/// # assert_eq!(stock.update(Change::TakeOne("nut".into())), Ok(true));
/// # assert_eq!(stock.update(Change::TakeOne("nut".into())), Ok(false));
/// # assert_eq!(stock.get(Look::HowMany("nut".into())), Ok(0));
/// # }
/// ```
///
/// A person says `skep call stock '{"Get":{"HowMany":"nut"}}'`, or `{"Update":…}`.
///
/// The value is all there is to save: it outlives the instance, and goes over to new code as a server's state does, with
/// `version`, `from` and [`Migrate`](crate::Migrate).
#[diagnostic::on_unimplemented(message = "`{Self}` is no agent", note = "write #[agent] impl Agent for {Self} {{ … }}")]
pub trait Agent: Serialize + DeserializeOwned + 'static {
    /// What `init` is given. With `#[agent]` unless mentioned: `()`.
    type Args: Message;
    /// What can be looked for. Unless mentioned: nothing.
    type Get: Serialize + DeserializeOwned;
    /// What is found. Unless mentioned: `()`.
    type Got: Message;
    /// What can be changed. Unless mentioned: nothing.
    type Update: Serialize + DeserializeOwned;
    /// What a change brings. Unless mentioned: `()`.
    type Updated: Message;

    /// Makes the value. Whoever started the process waits for it.
    ///
    /// # Errors
    ///
    /// The process does not start; see [`NotStarted`](crate::NotStarted).
    fn init(args: Self::Args, context: &Context) -> Start<Self>;

    /// Finds something, and changes nothing.
    fn get(&self, what: Self::Get) -> Self::Got;

    /// Changes the value.
    fn update(&mut self, change: Self::Update) -> Self::Updated;
}

/// What an agent understands: all that a [`Ref`] needs to know of it.
///
/// Every [`Agent`] is one. For an agent in another crate, describe it here; see [`Protocol`](crate::Protocol) for why.
pub trait AgentProtocol {
    /// What can be looked for.
    type Get: Serialize + DeserializeOwned;
    /// What is found.
    type Got: Message;
    /// What can be changed.
    type Update: Serialize + DeserializeOwned;
    /// What a change brings.
    type Updated: Message;
}

impl<A: Agent> AgentProtocol for A {
    type Get = A::Get;
    type Got = A::Got;
    type Update = A::Update;
    type Updated = A::Updated;
}

/// A call to an agent, as it travels. The reply is what was found, or what the change brought.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AgentCall<G, U> {
    /// Looks.
    Get(G),
    /// Changes.
    Update(U),
}

impl<A: AgentProtocol + ?Sized> Ref<A> {
    /// Has an agent look, and waits 5 seconds for what it finds.
    ///
    /// # Errors
    ///
    /// As [`call`](Ref::call).
    pub fn get(&self, context: &Context, what: A::Get) -> Result<A::Got, CallError> {
        self.ask(context, AgentCall::<A::Get, A::Update>::Get(what))
    }

    /// Has an agent change its value, and waits 5 seconds for what that brings. A [`cast`](Ref::cast) does not wait.
    ///
    /// # Errors
    ///
    /// As [`call`](Ref::call).
    pub fn update(&self, context: &Context, change: A::Update) -> Result<A::Updated, CallError> {
        self.ask(context, AgentCall::<A::Get, A::Update>::Update(change))
    }

    fn ask<R: Message>(&self, _: &Context, call: AgentCall<A::Get, A::Update>) -> Result<R, CallError> {
        let body = call.encode(Codec::default()).map_err(|error| unreadable("write the call", error))?;
        let timeout_ms = crate::context::millis(CALL_TIMEOUT);
        let reply = messaging::call(self.address(), &body, Some(timeout_ms))?;
        R::decode(reply).map_err(|error| unreadable("read the reply", error))
    }
}

/// The server that an agent is.
#[derive(Debug)]
pub struct AgentServer<A>(A);

impl<A> AgentServer<A> {
    /// The value.
    pub fn value(&self) -> &A {
        &self.0
    }
}

impl<A: Agent> Server for AgentServer<A> {
    type Args = A::Args;
    type Call = AgentCall<A::Get, A::Update>;
    type Reply = Raw;
    type Cast = A::Update;
    type Info = Never;
    type Continue = Never;
    type Timer = Never;
    type State = A;

    fn init(args: A::Args, context: &Context) -> Start<Self> {
        A::init(args, context).map(AgentServer)
    }

    fn handle_call(&mut self, call: Self::Call, from: From<Self>, _: &Context) -> Outcome<Raw> {
        let codec = from.codec();
        reply(Raw(match call {
            AgentCall::Get(what) => written(&self.0.get(what), codec),
            AgentCall::Update(change) => written(&self.0.update(change), codec),
        }))
    }

    fn handle_cast(&mut self, change: A::Update, _: &Context) -> Outcome {
        self.0.update(change);
        noreply()
    }

    fn save(&self) -> Result<Saved<'_, A>, Failure> {
        Ok(Saved::Borrowed(&self.0))
    }

    fn restore(value: A, _: &MigrateContext) -> Result<Self, Failure> {
        Ok(AgentServer(value))
    }
}
