//! Typed references: to a process, to a caller that waits, to an answer that will come.
//!
//! Owns the types and the encoding of what goes through them. Never decides who may talk to whom: the host does. Used
//! by guest authors; all three may be kept in a state and sent in a message.

use std::borrow::Borrow;
use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::codec::{Codec, Message};
use crate::context::{Context, millis};
use crate::host::{messaging, timers};
use crate::server::Protocol;
use crate::types::{Address, Alias, Answer, Body, CallError, Caller, ExitReason, Mark, Pid, Refusal};

/// How long a [`call`](Ref::call) to a server waits, as in OTP.
pub const CALL_TIMEOUT: Duration = Duration::from_millis(5000);

/// A process that understands `P`, by its pid or by a name.
///
/// In JSON as an [`Address`]: `{"pid":"0.7.1f2e"}` or `{"name":"bank"}`.
pub struct Ref<P: ?Sized> {
    address: Address,
    understands: PhantomData<fn() -> P>,
}

impl<P: ?Sized> Ref<P> {
    /// Whoever holds this name when a message is sent.
    pub fn named(name: impl Into<String>) -> Ref<P> {
        Ref::at(Address::Name(name.into()))
    }

    /// This process.
    pub fn pid(pid: Pid) -> Ref<P> {
        Ref::at(Address::Pid(pid))
    }

    /// Whoever has opened this alias, while it is open.
    pub fn alias(alias: Alias) -> Ref<P> {
        Ref::at(Address::Alias(alias))
    }

    /// Whom this address means.
    pub fn at(address: Address) -> Ref<P> {
        Ref { address, understands: PhantomData }
    }

    /// The address without the type.
    pub fn address(&self) -> &Address {
        &self.address
    }
}

impl<P: ?Sized> Ref<P> {
    /// Tells a server to end with this reason, after what it has in its mailbox already, and waits until it has: OTP's
    /// `stop`. With `None` for ever. Its `terminate` runs, and its name is free afterwards.
    ///
    /// # Errors
    ///
    /// [`CallError`]: it ended with another reason, or was not there; the time was up, and it ends later; it is a task; or
    /// its name was given, and the grant `names` was not.
    pub fn stop(
        &self,
        _: &Context,
        reason: &ExitReason,
        timeout: impl Into<Option<Duration>>,
    ) -> Result<(), CallError> {
        messaging::stop_server(&self.address, reason, timeout.into().map(millis))
    }
}

impl<P: Protocol + ?Sized> Ref<P> {
    /// Asks, and waits for the reply, for as long as its protocol says: 5 seconds, for state machines for ever. This process is blocked meanwhile, no other is.
    ///
    /// # Errors
    ///
    /// [`CallError`]: the time was up, the callee ended, the call was not delivered or its reply has another shape.
    pub fn call(&self, context: &Context, request: impl Borrow<P::Call>) -> Result<P::Reply, CallError> {
        self.call_within(context, request, P::CALL_TIMEOUT)
    }

    /// As [`call`](Ref::call), waiting this long; with `None`, for ever.
    ///
    /// # Errors
    ///
    /// As `call`.
    pub fn call_within(
        &self,
        _: &Context,
        request: impl Borrow<P::Call>,
        timeout: impl Into<Option<Duration>>,
    ) -> Result<P::Reply, CallError> {
        let body = request.borrow().encode(Codec::default()).map_err(|e| unreadable("write the call", e))?;
        let reply = messaging::call(&self.address, &body, timeout.into().map(millis))?;
        P::Reply::decode(reply).map_err(|e| unreadable("read the reply", e))
    }

    /// As [`call`](Ref::call); an error ends this process, as OTP's `call` does: with the callee's reason, or `failed`
    /// and a text where there is none or it was `normal`.
    pub fn call_or_exit(&self, context: &Context, request: impl Borrow<P::Call>) -> P::Reply {
        self.call(context, request).unwrap_or_else(|error| {
            context.stop(match error {
                CallError::Ended(ExitReason::Normal) => {
                    ExitReason::Failed(format!("{} ended before it replied", self.address))
                }
                CallError::Ended(reason) => reason,
                other => ExitReason::Failed(format!("call to {}: {other}", self.address)),
            })
        })
    }

    /// Asks without waiting: what became of it arrives at `handle_answer`, whatever it is. Keep the result to know it.
    ///
    /// # Panics
    ///
    /// If serde cannot write the request.
    pub fn request(
        &self,
        _: &Context,
        request: impl Borrow<P::Call>,
        timeout: impl Into<Option<Duration>>,
    ) -> Pending<P::Reply> {
        let body = written(request.borrow(), Codec::default());
        Pending::of(messaging::request(&self.address, &body, timeout.into().map(millis)))
    }

    /// Asks for something that wants no answer. Never fails: what cannot be delivered is dropped, and the host counts it.
    ///
    /// # Panics
    ///
    /// If serde cannot write the request.
    pub fn cast(&self, _: &Context, request: impl Borrow<P::Cast>) {
        messaging::cast(&self.address, &written(request.borrow(), Codec::default()));
    }

    /// Sends a plain message.
    ///
    /// # Errors
    ///
    /// [`Refusal`]: the mailbox is full, or nobody holds the name. A process that has ended is no error.
    pub fn send(&self, context: &Context, message: impl Borrow<P::Info>) -> Result<(), Refusal> {
        context.send(self, message.borrow())
    }

    /// Sends a plain message later. [`Context::cancel`] calls it off.
    ///
    /// # Panics
    ///
    /// If serde cannot write the message.
    pub fn send_after(&self, _: &Context, after: Duration, message: impl Borrow<P::Info>) -> Mark {
        timers::send_after(millis(after), &self.address, &written(message.borrow(), Codec::default()))
    }
}

/// Writes what an author's own type cannot be expected to refuse. If it does, that is a bug in the guest.
pub(crate) fn written<T: Message>(value: &T, codec: Codec) -> Body {
    match value.encode(codec) {
        Ok(body) => body,
        Err(error) => panic!("cannot write a {}: {error}", std::any::type_name::<T>()),
    }
}

pub(crate) fn unreadable(what: &str, error: impl fmt::Display) -> CallError {
    CallError::Refused(format!("cannot {what}: {error}"))
}

/// Who waits for a reply of a `P`. It may be kept in the state, sent to another process, and answered there.
///
/// In JSON `{"caller":{"pid":"0.7.1f2e","mark":3},"codec":"json"}`.
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
#[must_use = "whoever called waits for a reply"]
pub struct From<P: ?Sized> {
    caller: Caller,
    codec: Codec,
    #[serde(skip)]
    answers: PhantomData<fn() -> P>,
}

impl<P: ?Sized> From<P> {
    pub(crate) fn new(caller: Caller, codec: Codec) -> From<P> {
        From { caller, codec, answers: PhantomData }
    }

    /// The process that waits.
    pub fn pid(&self) -> Pid {
        self.caller.pid
    }

    /// Without the type, and without what codec the caller speaks.
    pub fn caller(&self) -> Caller {
        self.caller
    }

    /// The codec that the caller speaks, in which it will be answered.
    pub fn codec(&self) -> Codec {
        self.codec
    }
}

impl<P: Protocol + ?Sized> From<P> {
    /// Answers. A caller that no longer waits is passed over in silence.
    ///
    /// # Panics
    ///
    /// If serde cannot write the reply.
    pub fn reply(self, _: &Context, reply: impl Borrow<P::Reply>) {
        messaging::reply(self.caller, &written(reply.borrow(), self.codec));
    }
}

/// An answer that will come, or the result of a task. Kept in the state until it does.
#[derive(Serialize, Deserialize)]
#[serde(transparent, bound = "")]
#[must_use = "it tells the answer from all others"]
pub struct Pending<R> {
    mark: Mark,
    #[serde(skip)]
    brings: PhantomData<fn() -> R>,
}

impl<R> Pending<R> {
    /// The request, or the monitored task, with this mark.
    pub fn of(mark: Mark) -> Pending<R> {
        Pending { mark, brings: PhantomData }
    }

    /// What the host calls it.
    pub fn mark(&self) -> Mark {
        self.mark
    }
}

impl Answer {
    /// The outcome, if this is the answer to `pending`.
    ///
    /// ```
    /// # use skep_sdk::prelude::*;
    /// # struct Shop { price: Pending<u64> }
    /// # impl Shop {
    /// fn handle_answer(&mut self, answer: Answer, context: &Context) -> Outcome {
    ///     match answer.of(&self.price) {
    ///         Some(Ok(price)) => context.info(&format!("it costs {price}")),
    ///         Some(Err(error)) => return fail(error),
    ///         None => {} // an answer to something else
    ///     }
    ///     noreply()
    /// }
    /// # }
    /// ```
    pub fn of<R: Message>(&self, pending: &Pending<R>) -> Option<Result<R, CallError>> {
        (self.mark == pending.mark).then(|| match &self.outcome {
            Ok(body) => R::decode(body.clone()).map_err(|e| unreadable("read the answer", e)),
            Err(error) => Err(error.clone()),
        })
    }
}

// By hand, since deriving would ask the same of `P`, which is only a name here.

impl<P: ?Sized> Clone for Ref<P> {
    fn clone(&self) -> Ref<P> {
        Ref::at(self.address.clone())
    }
}

impl<P: ?Sized> PartialEq for Ref<P> {
    fn eq(&self, other: &Ref<P>) -> bool {
        self.address == other.address
    }
}

impl<P: ?Sized> Eq for Ref<P> {}

impl<P: ?Sized> std::hash::Hash for Ref<P> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.address.hash(state);
    }
}

impl<P: ?Sized> fmt::Debug for Ref<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ref({})", self.address)
    }
}

impl<P: ?Sized> Serialize for Ref<P> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.address.serialize(serializer)
    }
}

impl<'de, P: ?Sized> Deserialize<'de> for Ref<P> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Ref<P>, D::Error> {
        Address::deserialize(deserializer).map(Ref::at)
    }
}

impl<P: ?Sized> std::convert::From<Ref<P>> for Address {
    fn from(reference: Ref<P>) -> Address {
        reference.address
    }
}

impl<P: ?Sized> std::convert::From<&Ref<P>> for Address {
    fn from(reference: &Ref<P>) -> Address {
        reference.address.clone()
    }
}

impl<P: ?Sized> Clone for From<P> {
    fn clone(&self) -> From<P> {
        From::new(self.caller, self.codec)
    }
}

impl<P: ?Sized> PartialEq for From<P> {
    fn eq(&self, other: &From<P>) -> bool {
        self.caller == other.caller
    }
}

impl<P: ?Sized> fmt::Debug for From<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "From({}, call {})", self.caller.pid, self.caller.mark)
    }
}

impl<R> Clone for Pending<R> {
    fn clone(&self) -> Pending<R> {
        *self
    }
}

impl<R> Copy for Pending<R> {}

impl<R> PartialEq for Pending<R> {
    fn eq(&self, other: &Pending<R>) -> bool {
        self.mark == other.mark
    }
}

impl<R> fmt::Debug for Pending<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pending({})", self.mark)
    }
}
