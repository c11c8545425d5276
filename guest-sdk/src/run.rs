//! The exported functions: from the contract's events to a server's handlers and back.
//!
//! Owns decoding, the dispatch, and taking several events in one crossing. Never keeps the server: the code made by
//! `export!` does, since a static cannot be generic. Called by that code, and by the test harness.

use crate::behaviour::Behaviour;
use crate::codec::{Codec, CodecError, Message, Never};
use crate::context::{Context, millis};
use crate::host::inbox;
use crate::outcome::{NotStarted, Outcome, Then};
use crate::reference::{From, written};
use crate::server::{Server, Timer};
use crate::state::Exported;
use crate::task::{Task, TaskContext};
use crate::types::{self, Body, Event, Level, Next, Shape};

/// The answer to `describe`.
pub fn describe<S: Exported>() -> Shape {
    crate::state::shape::<S>()
}

/// Makes the server, if there is to be one, and says so.
pub(crate) fn begin_server<S: Server>(args: Body) -> Result<(Option<S>, types::Start), String> {
    let context = Context::new();
    let args = S::Args::decode(args).map_err(|error| undecodable("the arguments of init", &error))?;
    let mut server = match S::init(args, &context) {
        Ok(server) => server,
        Err(not_started) => return Ok((None, without(not_started)?)),
    };
    match next(server.handle_started(&context).then)? {
        Next::Stop(reason) => Ok((None, types::Start::Stop(reason))),
        next => Ok((Some(server), types::Start::Ready(next))),
    }
}

/// What the contract has for an `init` that made nothing.
pub(crate) fn without(not_started: NotStarted) -> Result<types::Start, String> {
    match not_started {
        NotStarted::Ignore => Ok(types::Start::Ignore),
        NotStarted::Stop(reason) => Ok(types::Start::Stop(reason)),
        NotStarted::Failed(why) => Err(why),
    }
}

/// Handles this event, and those behind it as long as the outcome is no more than a reply: the host hands them out one
/// by one, so nothing is lost if it would rather do something else.
///
/// # Errors
///
/// The text of `failed`; what it is the fault of is the event taken last.
pub fn handle<B: Behaviour>(process: &mut B, event: Event, waiting: u32) -> Result<types::Outcome, String> {
    let mut outcome = process.take(event)?;
    for _ in 0..waiting {
        if outcome.next != Next::Wait {
            break;
        }
        match inbox::more(outcome.reply.as_ref()) {
            Some(event) => outcome = process.take(event)?,
            None => return Ok(types::Outcome { reply: None, next: Next::Wait }),
        }
    }
    Ok(outcome)
}

/// Runs a task.
///
/// # Errors
///
/// The text of `failed`.
pub fn task<T: Task>(args: Body) -> Result<Body, String> {
    let codec = Codec::of(&args);
    let args = T::Args::decode(args).map_err(|error| undecodable("the arguments of run", &error))?;
    let output = T::run(args, &TaskContext::new()).map_err(|failure| failure.0)?;
    output.encode(codec).map_err(|error| format!("cannot write the result: {error}"))
}

pub(crate) fn dispatch<S: Server>(server: &mut S, event: Event) -> Result<types::Outcome, String> {
    let context = &Context::new();
    let quiet = match event {
        Event::Call(request) => {
            let codec = Codec::of(&request.body);
            let call = S::Call::decode(request.body).map_err(|error| undecodable("a call", &error))?;
            let outcome = server.handle_call(call, From::new(request.caller, codec), context);
            let reply = outcome.reply.map(|reply| written(&reply, codec));
            return Ok(types::Outcome { reply, next: next(outcome.then)? });
        }
        Event::Cast(body) => {
            let cast = S::Cast::decode(body).map_err(|error| undecodable("a cast", &error))?;
            server.handle_cast(cast, context)
        }
        Event::Info(body) => match S::Info::decode(body) {
            Ok(info) => server.handle_info(info, context),
            Err(error) => {
                context.log(Level::Warn, &format!("dropped a message: {error}"));
                crate::outcome::noreply()
            }
        },
        Event::Answer(answer) => server.handle_answer(answer, context),
        Event::Exit(exit) => server.handle_exit(exit, context),
        Event::Down(down) => server.handle_down(down, context),
        Event::Timer(alarm) => {
            let timer = Timer::decode(alarm).map_err(|error| undecodable("a timer", &error))?;
            server.handle_timer(timer, context)
        }
        Event::Change(change) => server.handle_change(change, context),
        Event::Idle => server.handle_idle(context),
        Event::Continue(body) => {
            let step = S::Continue::decode(body).map_err(|error| undecodable("a continue", &error))?;
            server.handle_continue(step, context)
        }
    };
    let Outcome { reply: None::<Never>, then } = quiet;
    Ok(types::Outcome { reply: None, next: next(then)? })
}

fn next<C: Message>(then: Then<C>) -> Result<Next, String> {
    Ok(match then {
        Then::Wait => Next::Wait,
        Then::Idle(quiet) => Next::WaitFor(millis(quiet)),
        Then::Hibernate => Next::Hibernate,
        Then::Continue(step) => Next::Continue(written(&step, Codec::default())),
        Then::Stop(reason) => Next::Stop(reason),
        Then::Fail(why) => return Err(why),
    })
}

/// OTP's function_clause: nothing in the server takes this.
pub(crate) fn undecodable(what: &str, error: &CodecError) -> String {
    format!("cannot decode {what}: {error}")
}
