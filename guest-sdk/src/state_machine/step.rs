//! What the handlers of a state machine return.
//!
//! Owns the grammar of transitions: where to, then any number of actions. Which actions fit which handler is a matter of
//! types, so a wrong one does not compile. Never talks to the host: `machine` performs it.

use std::borrow::Borrow;
use std::marker::PhantomData;
use std::time::Duration;

use super::StateMachine;
use super::held::{HeldEvent, TimeoutKind};
use crate::codec::Codec;
use crate::reference::{From, written};
use crate::types::{self, Body, Caller, Event, ExitReason};

/// What a handler returns: a state, and what to do besides. `K` says which handler.
#[derive(Debug)]
#[must_use = "a handler has to return its step"]
pub struct Step<M: StateMachine, K> {
    pub(super) target: Target<M::State>,
    pub(super) replies: Vec<(Caller, Body)>,
    pub(super) timeouts: Vec<(TimeoutKind, Timing)>,
    pub(super) inserted: Vec<HeldEvent>,
    pub(super) postpone: bool,
    pub(super) hibernate: bool,
    handler: PhantomData<fn() -> K>,
}

/// What [`StateMachine::handle`] returns: [`next_state`], [`keep_state`], [`repeat_state`] or [`stop`].
pub type Transition<M> = Step<M, OfEvent>;
/// What [`StateMachine::enter`] returns: [`keep_state`] or [`stop`].
pub type Entered<M> = Step<M, OfEntry>;
/// What [`StateMachine::init`] returns beside the data: [`first_state`].
pub type First<M> = Step<M, OfStart>;

/// Of a handler of events.
#[derive(Debug)]
pub enum OfEvent {}
/// Of a handler of entries.
#[derive(Debug)]
pub enum OfEntry {}
/// Of `init`.
#[derive(Debug)]
pub enum OfStart {}

/// The handlers that may insert events.
#[diagnostic::on_unimplemented(
    message = "no event can be inserted here",
    note = "an entry into a state sets timeouts and replies; insert the event in the step that leads to the state, or set a timeout of no time"
)]
pub trait Inserts {}

impl Inserts for OfEvent {}
impl Inserts for OfStart {}

/// Where to.
#[derive(Debug)]
pub(super) enum Target<S> {
    Keep,
    Repeat,
    To(S),
    Stop(ExitReason),
}

/// What becomes of a timeout.
#[derive(Debug)]
pub(super) enum Timing {
    After(Duration, Body),
    Update(Body),
    Cancel,
}

fn step<M: StateMachine, K>(target: Target<M::State>) -> Step<M, K> {
    Step {
        target,
        replies: Vec::new(),
        timeouts: Vec::new(),
        inserted: Vec::new(),
        postpone: false,
        hibernate: false,
        handler: PhantomData,
    }
}

/// Begins in this state.
pub fn first_state<M: StateMachine>(state: M::State) -> First<M> {
    step(Target::To(state))
}

/// Goes over to this state. If it is equal to the present one, nothing changes, and it is as [`keep_state`].
pub fn next_state<M: StateMachine>(state: M::State) -> Transition<M> {
    step(Target::To(state))
}

/// Stays in this state.
pub fn keep_state<M: StateMachine, K>() -> Step<M, K> {
    step(Target::Keep)
}

/// Stays in this state, and enters it once more.
pub fn repeat_state<M: StateMachine>() -> Transition<M> {
    step(Target::Repeat)
}

/// Sends the replies that are given along, runs `terminate`, and ends the process with this reason.
pub fn stop<M: StateMachine, K>(reason: ExitReason) -> Step<M, K> {
    step(Target::Stop(reason))
}

impl<M: StateMachine, K> Step<M, K> {
    /// Answers a call: the one in hand, or one that was kept. Replies go out in this order.
    ///
    /// # Panics
    ///
    /// If serde cannot write the reply.
    pub fn reply(mut self, from: From<M>, reply: impl Borrow<M::Reply>) -> Self {
        self.replies.push((from.caller(), written(reply.borrow(), from.codec())));
        self
    }

    /// Sets the timeout that any event calls off: [`StateEvent::Timeout`](super::StateEvent::Timeout) after so long, if
    /// nothing else comes.
    pub fn event_timeout(self, after: Duration, content: impl Borrow<M::Timeout>) -> Self {
        self.timeout_of(TimeoutKind::Event, after, content)
    }

    /// Sets the timeout of the state that this step leads to, which a change of state calls off.
    pub fn state_timeout(self, after: Duration, content: impl Borrow<M::Timeout>) -> Self {
        self.timeout_of(TimeoutKind::State, after, content)
    }

    /// Sets the timeout of this name, which lasts until it goes off, is set anew or is called off.
    pub fn timeout(self, name: &str, after: Duration, content: impl Borrow<M::Timeout>) -> Self {
        self.timeout_of(TimeoutKind::named(name), after, content)
    }

    /// Sets a timeout of any kind; one of that kind that runs is replaced.
    ///
    /// # Panics
    ///
    /// If serde cannot write the content.
    pub fn timeout_of(self, kind: TimeoutKind, after: Duration, content: impl Borrow<M::Timeout>) -> Self {
        self.timing(kind, Timing::After(after, written(content.borrow(), Codec::default())))
    }

    /// Gives a timeout another content, and leaves its time as it is. Without such a timeout it goes off at once.
    ///
    /// # Panics
    ///
    /// If serde cannot write the content.
    pub fn update_timeout(self, kind: TimeoutKind, content: impl Borrow<M::Timeout>) -> Self {
        self.timing(kind, Timing::Update(written(content.borrow(), Codec::default())))
    }

    /// Calls a timeout off: it does not go off afterwards, even if its time is up already.
    pub fn cancel_timeout(self, kind: TimeoutKind) -> Self {
        self.timing(kind, Timing::Cancel)
    }

    fn timing(mut self, kind: TimeoutKind, timing: Timing) -> Self {
        self.timeouts.push((kind, timing));
        self
    }

    /// Gives the instance back, unless there is an event to handle first.
    pub fn hibernate(self) -> Self {
        Step { hibernate: true, ..self }
    }
}

/// Inserted events. That the handler may is asked of each of these, and not of all together: so the compiler says why not.
impl<M: StateMachine, K> Step<M, K> {
    /// Inserts an event of the machine's own, to be handled before all others; several in this order.
    ///
    /// # Panics
    ///
    /// If serde cannot write it.
    pub fn next_event(self, event: impl Borrow<M::Internal>) -> Self
    where
        K: Inserts,
    {
        self.inserted(HeldEvent::Internal(written(event.borrow(), Codec::default())))
    }

    /// Inserts a call, as if this caller had made it: to hand a call on to another state in another form.
    ///
    /// # Panics
    ///
    /// If serde cannot write it.
    pub fn next_call(self, call: impl Borrow<M::Call>, from: From<M>) -> Self
    where
        K: Inserts,
    {
        let body = written(call.borrow(), from.codec());
        self.inserted(HeldEvent::Outer(Event::Call(types::Request { caller: from.caller(), body })))
    }

    /// Inserts a cast, as if it had come from outside.
    ///
    /// # Panics
    ///
    /// If serde cannot write it.
    pub fn next_cast(self, cast: impl Borrow<M::Cast>) -> Self
    where
        K: Inserts,
    {
        self.inserted(HeldEvent::Outer(Event::Cast(written(cast.borrow(), Codec::default()))))
    }

    /// Inserts a plain message, as if it had come from outside.
    ///
    /// # Panics
    ///
    /// If serde cannot write it.
    pub fn next_info(self, info: impl Borrow<M::Info>) -> Self
    where
        K: Inserts,
    {
        self.inserted(HeldEvent::Outer(Event::Info(written(info.borrow(), Codec::default()))))
    }

    fn inserted(mut self, event: HeldEvent) -> Self {
        self.inserted.push(event);
        self
    }
}

impl<M: StateMachine> Step<M, OfEvent> {
    /// Keeps the event in hand, and brings it again when the state has changed. A call that is postponed stays open.
    pub fn postpone(self) -> Self {
        Step { postpone: true, ..self }
    }
}
