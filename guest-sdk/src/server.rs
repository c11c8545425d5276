//! The behaviour of a server: what it takes, and what it does.
//!
//! Owns the traits `Server` and `Protocol` and what a missing handler means, after OTP's gen_server. Never decodes a
//! body: `run` calls the handlers with typed values.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec::{Message, Never};
use crate::context::Context;
use crate::outcome::{Failure, Outcome, Start, fail, noreply};
use crate::reference::{CALL_TIMEOUT, From};
use crate::state::{MigrateContext, Saved};
use crate::types::{Alarm, Answer, Change, Ended, ExitReason, Level, Lost};

/// A process that keeps a state and answers messages, one at a time.
///
/// Write it with [`#[server]`](crate::server), which fills in the types that are not mentioned, and export it with
/// [`export!`](crate::export). Handlers that are not written do what OTP does: a call, a cast or a continue ends the
/// process with `undef`, everything else is logged and dropped.
///
/// ```
/// use skep_sdk::prelude::*;
///
/// #[derive(Serialize, Deserialize)]
/// pub struct Counter { count: i64 }
///
/// #[derive(Serialize, Deserialize)]
/// pub enum Request { Get, Add(i64) }
///
/// #[server]
/// impl Server for Counter {
///     type Args = i64;
///     type Call = Request;
///     type Reply = i64;
///
///     fn init(start: i64, _: &Context) -> Start<Self> { Ok(Counter { count: start }) }
///
///     fn handle_call(&mut self, request: Request, _: From<Self>, _: &Context) -> Outcome<i64> {
///         if let Request::Add(n) = request { self.count += n; }
///         reply(self.count)
///     }
/// }
///
/// skep_sdk::export!(Counter);
/// # fn main() {
/// # let mut counter = skep_sdk::testing::Harness::<Counter>::start(1).unwrap();
/// # assert_eq!(counter.call(Request::Add(2)), Ok(3));
/// # }
/// ```
///
/// While it waits, its instance may be taken back, and another is made of its state with the next message. What it keeps
/// outside of its state is lost then, whenever that is: a `static`, a field that serde skips, a cache of the language's
/// library. Timers, links, monitors, names and mail are the process's own, and stay. `docs/instances.md` says when.
///
/// What does not decode: a call or a cast ends the process with `failed`, as a clause that does not match does in OTP
/// (the caller learns the reason); an info is logged and dropped, since that is where everything unexpected arrives. A
/// server open to strangers takes [`Raw`](crate::Raw) and decodes by itself.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no server",
    note = "write #[server] impl Server for {Self} {{ … }}"
)]
pub trait Server: Sized + 'static {
    /// What `init` is given. With `#[server]` unless mentioned: `()`.
    type Args: Message;
    /// What can be asked. Unless mentioned: nothing.
    type Call: Message;
    /// What is answered. Unless mentioned: `()`.
    type Reply: Message;
    /// What can be asked without an answer. Unless mentioned: nothing.
    type Cast: Message;
    /// What plain messages are understood. Unless mentioned: none.
    type Info: Message;
    /// What it tells itself to do next. Unless mentioned: nothing.
    type Continue: Message;
    /// What its timers carry. Unless mentioned: nothing.
    type Timer: Message;
    /// What outlives an instance. Unless mentioned: the server itself, and `save` and `restore` are filled in too.
    type State: Serialize + DeserializeOwned;

    /// Makes the server. Whoever started the process waits for it.
    ///
    /// # Errors
    ///
    /// The process does not start; see [`NotStarted`](crate::NotStarted).
    fn init(args: Self::Args, context: &Context) -> Start<Self>;

    /// Runs at the end of `init`, and says what is first: a continue, an idle time, hibernation.
    fn handle_started(&mut self, context: &Context) -> Outcome<Never, Self::Continue> {
        let _ = context;
        noreply()
    }

    /// Answers a call, now with [`reply`](crate::reply) or later through `from`, which may be kept in the state.
    fn handle_call(
        &mut self,
        request: Self::Call,
        from: From<Self>,
        context: &Context,
    ) -> Outcome<Self::Reply, Self::Continue> {
        let _ = (request, from, context);
        fail("undef: handle_call")
    }

    /// Does what a cast asks.
    fn handle_cast(&mut self, request: Self::Cast, context: &Context) -> Outcome<Never, Self::Continue> {
        let _ = (request, context);
        fail("undef: handle_cast")
    }

    /// Takes a plain message.
    fn handle_info(&mut self, message: Self::Info, context: &Context) -> Outcome<Never, Self::Continue> {
        let _ = message;
        dropped("a message", context)
    }

    /// Takes what became of a [`request`](crate::Ref::request), or the result of a task: [`Answer::of`] says whether it
    /// is the one that was waited for, and gives it its type.
    fn handle_answer(&mut self, answer: Answer, context: &Context) -> Outcome<Never, Self::Continue> {
        let _ = answer;
        dropped("an answer", context)
    }

    /// A timer went off that [`start_timer`](Context::start_timer) had set.
    fn handle_timer(&mut self, alarm: Timer<Self::Timer>, context: &Context) -> Outcome<Never, Self::Continue> {
        let _ = alarm;
        dropped("a timer", context)
    }

    /// A monitored process ended.
    fn handle_down(&mut self, down: Lost, context: &Context) -> Outcome<Never, Self::Continue> {
        let _ = down;
        dropped("a down", context)
    }

    /// An exit signal arrived, and this process [traps exits](Context::trap_exit).
    fn handle_exit(&mut self, exit: Ended, context: &Context) -> Outcome<Never, Self::Continue> {
        let _ = exit;
        dropped("an exit signal", context)
    }

    /// Something has changed that this process watches: a registry it [listens](crate::Registry::listen) to, or process
    /// groups it [monitors](crate::Group::monitor).
    fn handle_change(&mut self, change: Change, context: &Context) -> Outcome<Never, Self::Continue> {
        let _ = change;
        dropped("a change", context)
    }

    /// Does what this process told itself to do next.
    fn handle_continue(&mut self, step: Self::Continue, context: &Context) -> Outcome<Never, Self::Continue> {
        let _ = (step, context);
        fail("undef: handle_continue")
    }

    /// Nothing came for the time that [`idle_after`](Outcome::idle_after) said.
    fn handle_idle(&mut self, context: &Context) -> Outcome<Never, Self::Continue> {
        dropped("idle", context)
    }

    /// What must outlive this instance. No message can be sent from here.
    ///
    /// # Errors
    ///
    /// A failure refuses: the process keeps its instance, is not hibernated and not upgraded.
    fn save(&self) -> Result<Saved<'_, Self::State>, Failure>;

    /// Makes the server of what was saved, in place of `init`. No message can be sent from here.
    ///
    /// # Errors
    ///
    /// A failure says that this state cannot be taken over.
    fn restore(state: Self::State, context: &MigrateContext) -> Result<Self, Failure>;

    /// Runs last: after a stop or a failure, or when the supervisor ends a process that traps exits. After a panic it
    /// does not run, for the instance is ruined (there OTP differs).
    fn terminate(&mut self, reason: &ExitReason, context: &Context) {
        let _ = (reason, context);
    }
}

/// A timer that went off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timer<T> {
    /// What `start_timer` returned.
    pub mark: crate::types::Mark,
    /// What was given to it.
    pub message: T,
}

impl<T: Message> Timer<T> {
    pub(crate) fn decode(alarm: Alarm) -> Result<Timer<T>, crate::codec::CodecError> {
        Ok(Timer { mark: alarm.mark, message: T::decode(alarm.body)? })
    }
}

fn dropped<C>(what: &str, context: &Context) -> Outcome<Never, C> {
    context.log(Level::Warn, &format!("dropped {what}: no handler takes it"));
    noreply()
}

/// What a process understands: all that a [`Ref`](crate::Ref) needs to know of it.
///
/// Every [`Server`] is one. For a server in another crate, describe it here instead of depending on that crate: two
/// guests linked into one module export the same functions twice.
///
/// ```
/// # use skep_sdk::prelude::*;
/// pub struct Bank;
///
/// impl Protocol for Bank {
///     type Args = ();
///     type Call = String;
///     type Reply = u64;
///     type Cast = Never;
///     type Info = Never;
/// }
///
/// fn balance(context: &Context) -> Result<u64, CallError> {
///     Ref::<Bank>::named("bank").call(context, "alice".to_owned())
/// }
/// ```
pub trait Protocol {
    /// What it is started with.
    type Args: Message;
    /// What can be asked.
    type Call: Message;
    /// What is answered.
    type Reply: Message;
    /// What can be asked without an answer.
    type Cast: Message;
    /// What plain messages are understood.
    type Info: Message;
    /// How long a [`call`](crate::Ref::call) waits, if nothing else is said; with `None`, for ever.
    const CALL_TIMEOUT: Option<Duration> = Some(CALL_TIMEOUT);
}

impl<S: Server> Protocol for S {
    type Args = S::Args;
    type Call = S::Call;
    type Reply = S::Reply;
    type Cast = S::Cast;
    type Info = S::Info;
}

/// The protocol of a process of which nothing is known: bodies as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Untyped {}

impl Protocol for Untyped {
    type Args = crate::codec::Raw;
    type Call = crate::codec::Raw;
    type Reply = crate::codec::Raw;
    type Cast = crate::codec::Raw;
    type Info = crate::codec::Raw;
}
