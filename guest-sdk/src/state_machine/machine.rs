//! A state machine as it runs: which event is next, and what follows from a handler's step. OTP's gen_statem, in its order.
//!
//! Owns state, data and what is held between events. One event is handled in each crossing; if another waits inside, the
//! host is asked to continue with it before all mail, so that each has its own fuel, and an exit signal can come between.
//! Called by `run`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::held::{Held, HeldEvent, TimeoutKind};
use super::step::{Step, Target, Timing};
use super::{StateEvent, StateMachine};
use crate::behaviour::Behaviour;
use crate::codec::{Codec, CodecError, Message};
use crate::context::{Context, millis};
use crate::host::{messaging, timers};
use crate::outcome::Failure;
use crate::reference::From;
use crate::run::{undecodable, without};
use crate::state::{MigrateContext, Saved};
use crate::types::{Body, Caller, Event, ExitReason, Level, Next, Outcome, Start};

/// State and data: what is saved of a machine, and what a migration makes.
#[derive(Debug, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Snapshot<M: StateMachine> {
    /// The state that it is in.
    pub state: M::State,
    /// What all states share.
    pub data: M,
}

/// A state machine that runs.
pub struct Machine<M: StateMachine> {
    now: Snapshot<M>,
    held: Held,
}

/// What becomes of the machine after a step.
enum After {
    Goes { hibernate: bool },
    Stops(ExitReason),
}

impl<M: StateMachine> Machine<M> {
    /// The state that it is in.
    pub fn state(&self) -> &M::State {
        &self.now.state
    }

    /// What all states share.
    pub fn data(&self) -> &M {
        &self.now.data
    }

    fn handle(&mut self, event: HeldEvent) -> Result<Next, String> {
        if !matches!(event, HeldEvent::Timeout(TimeoutKind::Event, _)) {
            self.call_off(&TimeoutKind::Event);
        }
        let context = &Context::new();
        let seen = match seen::<M>(event.clone()) {
            Ok(seen) => seen,
            Err(("a message", error)) => {
                context.log(Level::Warn, &format!("dropped a message: {error}"));
                return Ok(self.next(false));
            }
            Err((what, error)) => return Err(undecodable(what, &error)),
        };
        let Some(seen) = seen else { return Ok(self.next(false)) };
        let step = self.now.data.handle(&self.now.state, seen, context);
        Ok(match self.follow(step, Some(event), context) {
            After::Stops(reason) => Next::Stop(reason),
            After::Goes { hibernate } => self.next(hibernate),
        })
    }

    /// Does what a handler said, in gen_statem's order.
    fn follow<K>(&mut self, step: Step<M, K>, event: Option<HeldEvent>, context: &Context) -> After {
        let Step { target, replies, mut timeouts, inserted, postpone, mut hibernate, .. } = step;
        send(replies);
        let left = match target {
            Target::Stop(reason) => return After::Stops(reason),
            Target::Keep => None,
            Target::Repeat => Some(None),
            Target::To(state) if state == self.now.state => None,
            Target::To(state) => Some(Some(std::mem::replace(&mut self.now.state, state))),
        };
        if let (true, Some(event)) = (postpone, event) {
            self.held.postpone(event);
        }
        if matches!(left, Some(Some(_))) {
            self.call_off(&TimeoutKind::State);
            self.held.retry();
        }
        if let Some(left) = left {
            let from = left.as_ref().unwrap_or(&self.now.state);
            let entered = self.now.data.enter(from, &self.now.state, context);
            send(entered.replies);
            if let Target::Stop(reason) = entered.target {
                return After::Stops(reason);
            }
            timeouts.extend(entered.timeouts);
            hibernate |= entered.hibernate;
        }
        self.held.insert(inserted);
        self.time_all(timeouts);
        match self.beyond() {
            Some(what) => After::Stops(ExitReason::Limit(what.to_owned())),
            None => After::Goes { hibernate },
        }
    }

    /// Of each timeout the last that is said of it counts, as in gen_statem; those that are due are so in their order.
    fn time_all(&mut self, mut timeouts: Vec<(TimeoutKind, Timing)>) {
        let mut last = Vec::new();
        while let Some((kind, timing)) = timeouts.pop() {
            if last.iter().all(|(said, _)| *said != kind) {
                last.push((kind, timing));
            }
        }
        for (kind, timing) in last.into_iter().rev() {
            self.time(kind, timing);
        }
    }

    fn time(&mut self, kind: TimeoutKind, timing: Timing) {
        match timing {
            Timing::Cancel => self.call_off(&kind),
            Timing::Update(content) if self.held.update(&kind, &content) => {}
            Timing::After(Duration::ZERO, content) | Timing::Update(content) => {
                self.call_off(&kind);
                self.held.due_now(kind, content);
            }
            Timing::After(after, content) => {
                self.call_off(&kind);
                // The content stays here, where it can be changed.
                let mark = timers::start(millis(after), &Body::Raw(Vec::new()));
                self.held.started(kind, mark, content);
            }
        }
    }

    fn call_off(&mut self, kind: &TimeoutKind) {
        if let Some(mark) = self.held.forget(kind) {
            timers::cancel(mark);
        }
    }

    fn beyond(&self) -> Option<&'static str> {
        let (events, bytes) = self.held.size();
        if events > M::HELD_EVENTS {
            Some("held events")
        } else if bytes > M::HELD_BYTES {
            Some("held bytes")
        } else {
            None
        }
    }

    fn next(&self, hibernate: bool) -> Next {
        if self.held.is_waiting() {
            Next::Continue(Body::Raw(Vec::new()))
        } else if hibernate {
            Next::Hibernate
        } else {
            Next::Wait
        }
    }
}

fn send(replies: Vec<(Caller, Body)>) {
    for (caller, body) in replies {
        messaging::reply(caller, &body);
    }
}

/// An event as the author sees it. None: nothing of his.
fn seen<M: StateMachine>(event: HeldEvent) -> Result<Option<StateEvent<M>>, (&'static str, CodecError)> {
    let within = |what: &'static str| move |error| (what, error);
    Ok(Some(match event {
        HeldEvent::Internal(body) => StateEvent::Internal(Message::decode(body).map_err(within("an inserted event"))?),
        HeldEvent::Timeout(kind, body) => {
            StateEvent::Timeout(kind, Message::decode(body).map_err(within("a timeout"))?)
        }
        HeldEvent::Outer(Event::Call(request)) => {
            let codec = Codec::of(&request.body);
            let call = Message::decode(request.body).map_err(within("a call"))?;
            StateEvent::Call(call, From::new(request.caller, codec))
        }
        HeldEvent::Outer(Event::Cast(body)) => StateEvent::Cast(Message::decode(body).map_err(within("a cast"))?),
        HeldEvent::Outer(Event::Info(body)) => StateEvent::Info(Message::decode(body).map_err(within("a message"))?),
        HeldEvent::Outer(Event::Answer(answer)) => StateEvent::Answer(answer),
        HeldEvent::Outer(Event::Down(down)) => StateEvent::Down(down),
        HeldEvent::Outer(Event::Exit(exit)) => StateEvent::Exit(exit),
        HeldEvent::Outer(Event::Change(change)) => StateEvent::Change(change),
        HeldEvent::Outer(Event::Timer(_) | Event::Idle | Event::Continue(_)) => return Ok(None),
    }))
}

impl<M: StateMachine> Behaviour for Machine<M> {
    type Layout = Snapshot<M>;
    const HOLDS: bool = true;

    fn begin(args: Body) -> Result<(Option<Self>, Start), String> {
        let context = &Context::new();
        let args = M::Args::decode(args).map_err(|error| undecodable("the arguments of init", &error))?;
        let (data, mut first) = match M::init(args, context) {
            Ok(made) => made,
            Err(not_started) => return Ok((None, without(not_started)?)),
        };
        let state = match std::mem::replace(&mut first.target, Target::Repeat) {
            Target::To(state) => state,
            Target::Stop(reason) => return Ok((None, Start::Stop(reason))),
            Target::Keep | Target::Repeat => return Err("init must say in which state it begins".to_owned()),
        };
        let mut machine = Machine { now: Snapshot { state, data }, held: Held::default() };
        Ok(match machine.follow(first, None, context) {
            After::Stops(reason) => (None, Start::Stop(reason)),
            After::Goes { hibernate } => {
                let next = machine.next(hibernate);
                (Some(machine), Start::Ready(next))
            }
        })
    }

    fn take(&mut self, event: Event) -> Result<Outcome, String> {
        let event = match event {
            Event::Continue(_) => self.held.next(),
            Event::Timer(alarm) => self.held.went_off(alarm.mark),
            event => Some(HeldEvent::Outer(event)),
        };
        // None: a timeout that was called off when its time was up already.
        let next = match event {
            Some(event) => self.handle(event)?,
            None => self.next(false),
        };
        Ok(Outcome { reply: None, next })
    }

    fn kept(&self) -> Result<Saved<'_, Snapshot<M>>, Failure> {
        Ok(Saved::Borrowed(&self.now))
    }

    fn held(&self) -> Option<&Held> {
        (!self.held.is_empty()).then_some(&self.held)
    }

    fn again(state: Snapshot<M>, held: Option<Held>, _: &MigrateContext) -> Result<Self, Failure> {
        Ok(Machine { now: state, held: held.unwrap_or_default() })
    }

    fn end(&mut self, reason: &ExitReason) {
        self.now.data.terminate(&self.now.state, reason, &Context::new());
    }
}
