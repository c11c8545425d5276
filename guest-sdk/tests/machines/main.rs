//! The rules of a state machine, run natively by a machine that does what its events say: after gen_statem_SUITE. Each is
//! checked with the instance kept, and with the machine hibernated after every event.
//!
//! Owns that machine. What is postponed and inserted is tested in `events`, and so on.

#![allow(missing_docs, reason = "a test")]

mod ends;
mod events;
mod timeouts;
mod upgrades;

use std::time::Duration;

use skep_sdk::prelude::*;
use skep_sdk::testing::Harness;

/// Writes down what it sees, and does what the event says.
#[derive(Default, Serialize, Deserialize)]
pub struct Scribe {
    seen: Vec<String>,
    /// What each entry does, as in `Told`.
    on_entry: Vec<Act>,
    /// The state that postpones timeouts.
    #[serde(default)]
    postpones: Option<u8>,
}

/// An event: what it is called, and what it makes the machine do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Told(String, Vec<Act>);

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Act {
    Next(u8),
    Repeat,
    /// The event is for another state than this.
    PostponeIn(u8),
    Insert(Told),
    InsertCast(Told),
    Time(TimeoutKind, u64, String),
    Update(TimeoutKind, String),
    Cancel(TimeoutKind),
    OnEntry(Vec<Act>),
    /// Timeouts are for another state than this.
    PostponeTimeouts(u8),
    Stop(ExitReason),
    Hibernate,
    /// Twice as much of the same, for ever.
    Breed,
}

use Act::{Breed, Cancel, Insert, InsertCast, Next, OnEntry, PostponeIn, Repeat, Time, Update};

#[state_machine]
impl StateMachine for Scribe {
    type State = u8;
    type Args = Vec<Act>;
    type Call = Told;
    type Reply = String;
    type Cast = Told;
    type Info = Told;
    type Internal = Told;
    type Timeout = String;

    const HELD_EVENTS: usize = 20;
    const HELD_BYTES: usize = 2_000;

    fn init(acts: Vec<Act>, _: &Context) -> Start<(Self, First<Self>)> {
        let mut first = first_state(1);
        let mut scribe = Scribe::default();
        for act in acts {
            match act {
                Insert(told) => first = first.next_event(told),
                OnEntry(acts) => scribe.on_entry = acts,
                Act::PostponeTimeouts(state) => scribe.postpones = Some(state),
                Time(kind, after, content) => first = first.timeout_of(kind, ms(after), content),
                _ => return Err("not at the start".into()),
            }
        }
        Ok((scribe, first))
    }

    fn handle(&mut self, state: &u8, event: StateEvent<Self>, _: &Context) -> Transition<Self> {
        let (kind, told, from) = match event {
            StateEvent::Call(told, from) => ("call", told, Some(from)),
            StateEvent::Cast(told) => ("cast", told, None),
            StateEvent::Info(told) => ("info", told, None),
            StateEvent::Internal(told) => ("own", told, None),
            StateEvent::Timeout(kind, content) => {
                self.seen.push(format!("{kind:?} {content} in {state}"));
                return if self.postpones == Some(*state) { keep_state().postpone() } else { keep_state() };
            }
            _ => return keep_state(),
        };
        let Told(name, acts) = told.clone();
        self.seen.push(format!("{kind} {name} in {state}"));
        if acts.iter().any(|act| matches!(act, PostponeIn(other) if other == state)) {
            let next = acts.iter().find_map(|act| if let Next(state) = act { Some(*state) } else { None });
            return next.map_or_else(keep_state, next_state).postpone();
        }
        let mut step = acts.iter().fold(keep_state(), |step, act| match act {
            Next(state) => next_state(*state),
            Repeat => repeat_state(),
            Act::Stop(reason) => stop(reason.clone()),
            _ => step,
        });
        for act in acts {
            step = match act {
                Insert(told) => step.next_event(told),
                InsertCast(told) => step.next_cast(told),
                Breed => step.next_event(&told).next_event(&told),
                OnEntry(acts) => {
                    self.on_entry = acts;
                    step
                }
                act => timed(step, act),
            };
        }
        match from {
            Some(from) => step.reply(from, format!("to {name}")),
            None => step,
        }
    }

    fn enter(&mut self, from: &u8, to: &u8, _: &Context) -> Entered<Self> {
        self.seen.push(format!("from {from} to {to}"));
        let acts = std::mem::take(&mut self.on_entry);
        let step = acts.iter().fold(keep_state(), |step, act| match act {
            Act::Stop(reason) => stop(reason.clone()),
            _ => step,
        });
        acts.into_iter().fold(step, timed)
    }

    fn terminate(&mut self, state: &u8, reason: &ExitReason, context: &Context) {
        context.info(&format!("ends in {state}: {reason:?}"));
    }
}

fn timed<K>(step: skep_sdk::Step<Scribe, K>, act: Act) -> skep_sdk::Step<Scribe, K> {
    match act {
        Time(kind, after, content) => step.timeout_of(kind, ms(after), content),
        Update(kind, content) => step.update_timeout(kind, content),
        Cancel(kind) => step.cancel_timeout(kind),
        Act::Hibernate => step.hibernate(),
        _ => step,
    }
}

skep_sdk::export!(machine Scribe);

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn json(told: &Told) -> String {
    match skep_sdk::Message::encode(told, skep_sdk::Codec::Json) {
        Ok(Body::Json(text)) => text,
        other => panic!("it cannot be written: {other:?}"),
    }
}

fn told(name: &str, acts: impl Into<Vec<Act>>) -> Told {
    Told(name.to_owned(), acts.into())
}

fn named(name: &str) -> TimeoutKind {
    TimeoutKind::named(name)
}

fn time(kind: &TimeoutKind, after: u64, content: &str) -> Act {
    Time(kind.clone(), after, content.to_owned())
}

fn scribe(acts: impl Into<Vec<Act>>) -> Harness<Scribe> {
    Harness::start(acts.into()).expect("init succeeds")
}

/// The same in both ways of keeping instances.
fn both(acts: impl Into<Vec<Act>>, test: impl Fn(&mut Harness<Scribe>)) {
    let acts = acts.into();
    test(&mut scribe(acts.clone()));
    test(&mut scribe(acts).always_hibernating());
}

fn seen(scribe: &Harness<Scribe>) -> Vec<&str> {
    let machine = scribe.server().expect("it lives");
    machine.data().seen.iter().map(String::as_str).collect()
}
