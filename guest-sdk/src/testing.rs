//! Running a server or a task in `cargo test`, without Wasm.
//!
//! Owns the harness: one process, a virtual clock, and everything else told by the test. It takes the same way through
//! codecs and handlers as in Wasm. Never runs in a guest: it does not exist there.

mod action;
mod agents;
mod directory;
pub(crate) mod imports;
mod played;
mod states;
mod tasks;
pub(crate) mod world;

use std::time::Duration;

use crate::behaviour::Behaviour;
use crate::codec::{Codec, Message};
use crate::context::millis;
use crate::outcome::NotStarted;
use crate::reference::{Pending, written};
use crate::run;
use crate::state::Exported;
use crate::types::{
    Alias, Answer, Body, CallError, Cause, Ended, Event, ExitReason, Mark, Next, Pid, Request, Start, State,
};

pub use action::Action;
pub use played::Played;
pub use states::NotUpgraded;
pub use tasks::{run_task, run_task_in};
pub use world::World;

use states::restored;

/// One server under test.
///
/// ```
/// # use skep_sdk::prelude::*;
/// # #[derive(Serialize, Deserialize)]
/// # pub struct Counter { count: i64 }
/// # #[derive(Serialize, Deserialize)]
/// # pub enum Request { Get, Add(i64) }
/// # #[server]
/// # impl Server for Counter {
/// #     type Args = i64;
/// #     type Call = Request;
/// #     type Reply = i64;
/// #     fn init(start: i64, _: &Context) -> Start<Self> { Ok(Counter { count: start }) }
/// #     fn handle_call(&mut self, request: Request, _: From<Self>, _: &Context) -> Outcome<i64> {
/// #         if let Request::Add(n) = request { self.count += n; }
/// #         reply(self.count)
/// #     }
/// # }
/// # skep_sdk::export!(Counter);
/// # fn main() {
/// use skep_sdk::testing::Harness;
///
/// let mut counter = Harness::<Counter>::start(5).unwrap();
/// assert_eq!(counter.call(Request::Add(2)), Ok(7));
/// counter.hibernate();
/// assert_eq!(counter.call_json(r#"{"Add":1}"#), Ok("8".to_owned()));
/// # }
/// ```
pub struct Harness<S: Exported> {
    server: Option<S::Running>,
    world: World,
    ended: Option<ExitReason>,
    /// What it told itself to do next.
    continued: Option<Body>,
    idle_at_ms: Option<u64>,
    eager: bool,
}

/// Without the server, which need not be `Debug` for `expect_err` on an upgrade.
impl<S: Exported> std::fmt::Debug for Harness<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Harness").field("ended", &self.ended).field("world", &self.world).finish_non_exhaustive()
    }
}

impl<S: Exported> Harness<S> {
    /// Runs `init` with these arguments, with nobody else about.
    ///
    /// # Errors
    ///
    /// What `init` said, if it made no server.
    pub fn start(args: S::Args) -> Result<Harness<S>, NotStarted> {
        Harness::start_in(World::new(), args)
    }

    /// Runs `init` in surroundings that the test has prepared.
    ///
    /// # Errors
    ///
    /// As [`start`](Harness::start).
    pub fn start_in(mut world: World, args: S::Args) -> Result<Harness<S>, NotStarted> {
        let body = written(&args, Codec::default());
        let started = world::inside(&mut world, || S::Running::begin(body)).map_err(NotStarted::Stop)?;
        match started.map_err(NotStarted::Failed)? {
            (Some(server), Start::Ready(next)) => {
                let mut harness = Harness::of(server, world);
                harness.follow(next);
                harness.drain();
                Ok(harness)
            }
            (_, Start::Stop(reason)) => Err(NotStarted::Stop(reason)),
            _ => Err(NotStarted::Ignore),
        }
    }

    /// Restores a state that was saved earlier, perhaps by older code.
    ///
    /// # Errors
    ///
    /// Why it cannot be taken over.
    pub fn restore(state: State, cause: Cause) -> Result<Harness<S>, String> {
        let mut world = World::new();
        let server = restored::<S>(&mut world, state, cause)?;
        Ok(Harness::of(server, world))
    }

    fn of(server: S::Running, world: World) -> Harness<S> {
        Harness { server: Some(server), world, ended: None, continued: None, idle_at_ms: None, eager: false }
    }

    /// Hibernates after every event from now on: what works so keeps all that matters in its state.
    #[must_use]
    pub fn always_hibernating(self) -> Harness<S> {
        Harness { eager: true, ..self }
    }

    /// Calls, and handles whatever is queued until there is a reply.
    ///
    /// # Errors
    ///
    /// [`CallError::Ended`] if the server ended first; [`CallError::Timeout`] if it neither replied nor ended: then see
    /// [`call_open`](Harness::call_open).
    pub fn call(&mut self, request: S::Call) -> Result<S::Reply, CallError> {
        let reply = self.call_body(written(&request, Codec::default()))?;
        S::Reply::decode(reply).map_err(|error| CallError::Refused(error.to_string()))
    }

    /// As a person at a terminal: JSON in, JSON out.
    ///
    /// # Errors
    ///
    /// As [`call`](Harness::call).
    pub fn call_json(&mut self, request: &str) -> Result<String, CallError> {
        match self.call_body(Body::Json(request.to_owned()))? {
            Body::Json(reply) => Ok(reply),
            other => Err(CallError::Refused(format!("the reply is no JSON: {other:?}"))),
        }
    }

    fn call_body(&mut self, body: Body) -> Result<Body, CallError> {
        let open = self.open(body);
        match self.world.replies.remove(&open.mark()) {
            Some(reply) => Ok(reply),
            None => Err(self.ended.clone().map_or(CallError::Timeout, CallError::Ended)),
        }
    }

    /// Calls, expecting that the reply comes later.
    pub fn call_open(&mut self, request: S::Call) -> Pending<S::Reply> {
        self.open(written(&request, Codec::default()))
    }

    fn open(&mut self, body: Body) -> Pending<S::Reply> {
        let caller = self.world.caller();
        self.deliver(Event::Call(Request { caller, body }));
        Pending::of(caller.mark)
    }

    /// The reply to an open call, if there is one by now.
    ///
    /// # Panics
    ///
    /// If the reply is of another type, which the server's own cannot be.
    pub fn reply_to(&mut self, open: &Pending<S::Reply>) -> Option<S::Reply> {
        let body = self.world.replies.remove(&open.mark())?;
        match S::Reply::decode(body) {
            Ok(reply) => Some(reply),
            Err(error) => panic!("the reply cannot be read: {error}"),
        }
    }

    /// Casts.
    pub fn cast(&mut self, request: S::Cast) {
        self.deliver(Event::Cast(written(&request, Codec::default())));
    }

    /// Sends a plain message.
    pub fn info(&mut self, message: S::Info) {
        self.deliver(Event::Info(written(&message, Codec::default())));
    }

    /// Sends a plain message through an alias of the server.
    pub fn info_through(&mut self, alias: Alias, message: S::Info) {
        self.world.send_through(alias, written(&message, Codec::default()));
        self.deliver_all([]);
    }

    /// Answers a request, whose mark is in [`Action::Request`]. One that has an answer, or was given up, gets none.
    pub fn answer(&mut self, mark: Mark, outcome: Result<impl Message, CallError>) {
        if !self.world.answered(mark) {
            return;
        }
        let outcome = outcome.map(|value| written(&value, Codec::default()));
        self.deliver(Event::Answer(Answer { mark, outcome }));
    }

    /// Lets the monitored process end. Without such a monitor nothing happens.
    pub fn down(&mut self, mark: Mark, reason: ExitReason) {
        if let Some(lost) = self.world.lost(mark, reason) {
            self.deliver(Event::Down(lost));
        }
    }

    /// Sends an exit signal, which ends the server unless it traps exits or the reason is `Normal`.
    pub fn exit(&mut self, pid: Pid, reason: ExitReason) {
        if self.world.traps_exits {
            self.deliver(Event::Exit(Ended { pid, reason }));
        } else if reason != ExitReason::Normal {
            self.end(reason, false);
        }
    }

    /// Delivers an event as it is.
    pub fn deliver(&mut self, event: Event) {
        self.deliver_all([event]);
    }

    /// Queues all of these before the first is handled, so that the server may take them in one crossing.
    pub fn deliver_all(&mut self, events: impl IntoIterator<Item = Event>) {
        if self.ended.is_none() {
            self.idle_at_ms = None;
            self.world.inbox.extend(events);
            self.drain();
        }
    }

    /// Lets time pass: timers fire in their order, and idle if nothing comes before it.
    pub fn advance(&mut self, time: Duration) {
        let until_ms = self.world.now_ms.saturating_add(millis(time));
        while self.ended.is_none() {
            if let Some(reason) = self.world.doomed.take() {
                self.end(reason, false);
                break;
            }
            let timer = self.world.next_timer_ms().filter(|due| *due <= until_ms);
            let idle = self.idle_at_ms.filter(|due| *due <= until_ms);
            match (timer, idle) {
                (Some(due), idle) if idle.is_none_or(|idle| due <= idle) => self.world.fire_one(due),
                (_, Some(due)) => {
                    self.world.now_ms = due;
                    self.world.inbox.push_back(Event::Idle);
                }
                (_, None) => break,
            }
            if !self.world.inbox.is_empty() {
                self.idle_at_ms = None;
            }
            self.drain();
        }
        self.world.now_ms = until_ms;
    }

    /// What it did since this was asked last.
    pub fn actions(&mut self) -> Vec<Action> {
        self.world.take_actions()
    }

    /// What runs, until it has ended: the server itself, a [`Machine`](crate::Machine), the value of an agent.
    pub fn server(&self) -> Option<&S::Running> {
        self.server.as_ref()
    }

    /// Why it has ended, if it has.
    pub fn ended(&self) -> Option<&ExitReason> {
        self.ended.as_ref()
    }

    /// Its surroundings.
    pub fn world(&mut self) -> &mut World {
        &mut self.world
    }

    fn drain(&mut self) {
        while self.ended.is_none() {
            let event = self.continued.take().map(Event::Continue).or_else(|| self.world.take());
            let Some(event) = event else { break };
            self.handle(event);
        }
    }

    fn handle(&mut self, event: Event) {
        let Some(server) = &mut self.server else { return };
        // Hibernating after every event, there is no second one in the same crossing.
        let waiting = if self.eager { 0 } else { u32::try_from(self.world.inbox.len()).unwrap_or(u32::MAX) };
        match world::inside(&mut self.world, || run::handle(server, event, waiting)) {
            Ok(Ok(outcome)) => {
                self.world.settle(outcome.reply);
                if self.eager {
                    self.hibernate();
                }
                self.follow(outcome.next);
            }
            Ok(Err(why)) => self.end(ExitReason::Failed(why), true),
            Err(reason) => self.end(reason, false),
        }
    }

    fn follow(&mut self, next: Next) {
        match next {
            Next::Wait => {}
            Next::WaitFor(ms) => {
                // Whatever is queued calls it off.
                self.idle_at_ms = self.world.inbox.is_empty().then(|| self.world.now_ms.saturating_add(ms));
            }
            Next::Hibernate => self.hibernate(),
            Next::Continue(body) => self.continued = Some(body),
            Next::Stop(reason) => self.end(reason, true),
        }
    }

    fn end(&mut self, reason: ExitReason, terminate: bool) {
        let reason = match (&mut self.server, terminate) {
            (Some(server), true) => {
                world::inside(&mut self.world, || server.end(&reason)).map_or_else(|instead| instead, |()| reason)
            }
            _ => reason,
        };
        self.server = None;
        self.world.inbox.clear();
        self.ended = Some(reason);
    }
}
