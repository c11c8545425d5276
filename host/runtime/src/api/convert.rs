//! Between the types generated from `wit/` and those of the kernel.
//!
//! Owns the checks that every value from a guest needs wherever it appears: numbers below 2^53, names of a sane length,
//! texts cut to size. Never acts. Bodies are moved, not copied, except where a reason shares one.

use std::sync::Arc;

use skep_kernel::directory::{Via, valid_key};
use skep_kernel::pid::NUMBER_LIMIT;
use skep_kernel::{
    Address, Alias, Body, CallError, Caller, Cause, Changed, Event, ExitReason, Fault, Form, Mark, Name, Next, Outcome,
    Pid, Refusal, Shape, SpawnError, Start, State,
};

use super::Ended;
use super::bindings::types;
use super::text;

/// The longest name of a process or module, in bytes: what most file systems allow too.
pub(crate) const NAME_BYTES: usize = 255;
/// The longest text of an error: several lines of an exception, not a dump.
pub(crate) const TEXT_BYTES: usize = 4 << 10;
/// The longest backtrace that is kept.
pub(crate) const TRACE_BYTES: usize = 8 << 10;
/// The longest kind of fault, a word or two.
const KIND_BYTES: usize = 64;

/// A number from a guest, which the contract keeps below 2^53. `argument` says which, for the reason.
pub(crate) fn number(value: u64, argument: &str) -> Result<u64, Ended> {
    if value < NUMBER_LIMIT {
        return Ok(value);
    }
    Err(Ended(ExitReason::failed(format!("{argument} is {value}; numbers must stay below 2^53"))))
}

/// As [`number`], where there may be none.
pub(crate) fn maybe_number(value: Option<u64>, argument: &str) -> Result<Option<u64>, Ended> {
    value.map(|value| number(value, argument)).transpose()
}

/// A mark from a guest.
pub(crate) fn mark(value: u64) -> Result<Mark, Ended> {
    number(value, "`mark`").map(Mark)
}

/// A pid from a guest.
pub(crate) fn pid(pid: types::Pid) -> Result<Pid, Ended> {
    Ok(Pid { node: pid.node, id: number(pid.id, "`id` of a pid")?, tag: number(pid.tag, "`tag` of a pid")? })
}

/// An alias from a guest.
pub(crate) fn alias(alias: types::Alias) -> Result<Alias, Ended> {
    let types::Alias { node, id, tag } = alias;
    Ok(Alias { node, id: number(id, "`id` of an alias")?, tag: number(tag, "`tag` of an alias")? })
}

/// Whether a name can be one at all; the text says why not.
pub(crate) fn check_name(name: &str) -> Result<(), String> {
    match name.len() {
        0 => Err("a name must not be empty".into()),
        1..=NAME_BYTES => Ok(()),
        length => Err(format!("a name has at most {NAME_BYTES} bytes; this one has {length}")),
    }
}

/// A key of a registry, as a name.
pub(crate) fn via(via: types::Via) -> Result<Via, String> {
    check_name(&via.registry)?;
    valid_key(&via.key)?;
    Ok(Via { registry: via.registry.into(), key: via.key.into() })
}

/// An address from a guest.
pub(crate) fn address(address: types::Address) -> Result<Address, Ended> {
    match address {
        types::Address::Pid(to) => pid(to).map(Address::Pid),
        types::Address::Name(name) => {
            check_name(&name).map_err(|why| Ended(ExitReason::failed(why)))?;
            Ok(Address::Name(Name::from(name)))
        }
        types::Address::Via(given) => via(given).map(Address::Via).map_err(|why| Ended(ExitReason::failed(why))),
        types::Address::Alias(to) => alias(to).map(Address::Alias),
    }
}

/// A caller from a guest.
pub(crate) fn caller(caller: types::Caller) -> Result<Caller, Ended> {
    Ok(Caller { pid: pid(caller.pid)?, mark: mark(caller.mark)? })
}

/// A reason from a guest. `body_bytes` bounds the body in it.
pub(crate) fn reason(reason: types::ExitReason, body_bytes: usize) -> Result<ExitReason, Ended> {
    let bounded = |body: types::Body| {
        let body = Body::from(body);
        if body.len() > body_bytes { Err(Ended(ExitReason::limit("body"))) } else { Ok(Arc::new(body)) }
    };
    Ok(match reason {
        types::ExitReason::Normal => ExitReason::Normal,
        types::ExitReason::Shutdown(body) => ExitReason::Shutdown(body.map(bounded).transpose()?),
        types::ExitReason::Killed => ExitReason::Killed,
        types::ExitReason::Noproc => ExitReason::Noproc,
        types::ExitReason::Noconnection => ExitReason::Noconnection,
        types::ExitReason::Limit(what) => ExitReason::Limit(text::cut(what, NAME_BYTES).into()),
        types::ExitReason::Trap(fault) => ExitReason::Trap(Arc::new(Fault {
            kind: text::cut(fault.kind, KIND_BYTES),
            message: text::cut(fault.message, TEXT_BYTES),
            trace: text::cut(fault.trace, TRACE_BYTES),
        })),
        types::ExitReason::Failed(why) => ExitReason::Failed(text::cut(why, TEXT_BYTES).into()),
        types::ExitReason::Custom(body) => ExitReason::Custom(bounded(body)?),
    })
}

/// What a handler answered.
pub(crate) fn outcome(outcome: types::Outcome, body_bytes: usize) -> Result<Outcome, Ended> {
    Ok(Outcome { reply: bounded(outcome.reply, body_bytes)?, next: next(outcome.next, body_bytes)? })
}

/// What `init` answered.
pub(crate) fn start(start: types::Start, body_bytes: usize) -> Result<Start, Ended> {
    Ok(match start {
        types::Start::Ready(after) => Start::Ready(next(after, body_bytes)?),
        types::Start::Ignore => Start::Ignore,
        types::Start::Stop(why) => Start::Stop(reason(why, body_bytes)?),
    })
}

fn next(next: types::Next, body_bytes: usize) -> Result<Next, Ended> {
    Ok(match next {
        types::Next::Wait => Next::Wait,
        types::Next::WaitFor(ms) => Next::WaitFor(number(ms, "`wait-for`")?),
        types::Next::Hibernate => Next::Hibernate,
        types::Next::Continue(body) => match bounded(Some(body), body_bytes)? {
            Some(body) => Next::Continue(body),
            None => Next::Wait,
        },
        types::Next::Stop(why) => Next::Stop(reason(why, body_bytes)?),
    })
}

/// A body of a process that ends if it is too large.
pub(crate) fn bounded(body: Option<types::Body>, body_bytes: usize) -> Result<Option<Body>, Ended> {
    let body = body.map(Body::from);
    if body.as_ref().is_some_and(|body| body.len() > body_bytes) {
        return Err(Ended(ExitReason::limit("body")));
    }
    Ok(body)
}

impl From<types::Body> for Body {
    fn from(body: types::Body) -> Self {
        match body {
            types::Body::Raw(bytes) => Body::Raw(bytes),
            types::Body::Messagepack(bytes) => Body::MessagePack(bytes),
            types::Body::Json(text) => Body::Json(text),
            types::Body::Text(text) => Body::Text(text),
        }
    }
}

impl From<Body> for types::Body {
    fn from(body: Body) -> Self {
        match body {
            Body::Raw(bytes) => types::Body::Raw(bytes),
            Body::MessagePack(bytes) => types::Body::Messagepack(bytes),
            Body::Json(text) => types::Body::Json(text),
            Body::Text(text) => types::Body::Text(text),
        }
    }
}

impl From<Pid> for types::Pid {
    fn from(pid: Pid) -> Self {
        types::Pid { node: pid.node, id: pid.id, tag: pid.tag }
    }
}

impl From<Alias> for types::Alias {
    fn from(alias: Alias) -> Self {
        types::Alias { node: alias.node, id: alias.id, tag: alias.tag }
    }
}

impl From<Address> for types::Address {
    fn from(address: Address) -> Self {
        match address {
            Address::Pid(pid) => types::Address::Pid(pid.into()),
            Address::Name(name) => types::Address::Name(name.to_string()),
            Address::Via(Via { registry, key }) => {
                types::Address::Via(types::Via { registry: registry.to_string(), key: key.to_string() })
            }
            Address::Alias(alias) => types::Address::Alias(alias.into()),
        }
    }
}

impl From<ExitReason> for types::ExitReason {
    fn from(reason: ExitReason) -> Self {
        let own = |body: Arc<Body>| types::Body::from(Arc::unwrap_or_clone(body));
        match reason {
            ExitReason::Normal => types::ExitReason::Normal,
            ExitReason::Shutdown(body) => types::ExitReason::Shutdown(body.map(own)),
            ExitReason::Killed => types::ExitReason::Killed,
            ExitReason::Noproc => types::ExitReason::Noproc,
            ExitReason::Noconnection => types::ExitReason::Noconnection,
            ExitReason::Limit(what) => types::ExitReason::Limit(what.to_string()),
            ExitReason::Trap(fault) => {
                let Fault { kind, message, trace } = Arc::unwrap_or_clone(fault);
                types::ExitReason::Trap(types::Fault { kind, message, trace })
            }
            ExitReason::Failed(text) => types::ExitReason::Failed(text.to_string()),
            ExitReason::Custom(body) => types::ExitReason::Custom(own(body)),
        }
    }
}

impl From<CallError> for types::CallError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Timeout => types::CallError::Timeout,
            CallError::Ended(reason) => types::CallError::Ended(reason.into()),
            CallError::Refused(why) => types::CallError::Refused(why.to_string()),
        }
    }
}

impl From<Refusal> for types::Refusal {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Denied(grant) => types::Refusal::Denied(grant),
            Refusal::Unknown(what) => types::Refusal::Unknown(what),
            Refusal::Taken(pid) => types::Refusal::Taken(pid.into()),
            Refusal::Limit(which) => types::Refusal::Limit(which),
            Refusal::Invalid(why) => types::Refusal::Invalid(why),
        }
    }
}

impl From<SpawnError> for super::bindings::spawning::SpawnError {
    fn from(error: SpawnError) -> Self {
        match error {
            SpawnError::Refused(refusal) => Self::Refused(refusal.into()),
            SpawnError::Ignored => Self::Ignored,
            SpawnError::Failed(reason) => Self::Failed(reason.into()),
        }
    }
}

impl From<Event> for types::Event {
    fn from(event: Event) -> Self {
        match event {
            Event::Call { caller: Caller { pid, mark }, body } => types::Event::Call(types::Request {
                caller: types::Caller { pid: pid.into(), mark: mark.0 },
                body: body.into(),
            }),
            Event::Cast(body) => types::Event::Cast(body.into()),
            Event::Info(body) => types::Event::Info(body.into()),
            Event::Answer { mark, outcome } => types::Event::Answer(types::Answer {
                mark: mark.0,
                outcome: outcome.map(types::Body::from).map_err(types::CallError::from),
            }),
            Event::Exit { pid, reason } => types::Event::Exit(types::Ended { pid: pid.into(), reason: reason.into() }),
            Event::Down { mark, target, reason, tag } => types::Event::Down(types::Lost {
                mark: mark.0,
                target: target.into(),
                reason: reason.into(),
                tag: tag.map(types::Body::from),
            }),
            Event::Change { mark, what } => types::Event::Change(types::Change { mark: mark.0, what: what.into() }),
            Event::Timer { mark, body } => types::Event::Timer(types::Alarm { mark: mark.0, body: body.into() }),
            Event::Idle => types::Event::Idle,
            Event::Continue(body) => types::Event::Continue(body.into()),
            Event::Stop { .. } => unreachable!("it is an order, and never handed to a guest"),
            Event::Started { .. } => unreachable!("only native processes spawn without blocking"),
        }
    }
}

impl From<Changed> for types::Changed {
    fn from(what: Changed) -> Self {
        match what {
            Changed::Added { key, pid, value } => {
                let value = Arc::unwrap_or_clone(value).into();
                types::Changed::Added(types::Entry { key: key.to_string(), pid: pid.into(), value })
            }
            Changed::Removed { key, pid } => {
                types::Changed::Removed(types::Removal { key: key.to_string(), pid: pid.into() })
            }
            Changed::Missed => types::Changed::Missed,
        }
    }
}

impl From<types::State> for State {
    fn from(state: types::State) -> Self {
        State { version: state.version, body: state.body.into() }
    }
}

impl From<State> for types::State {
    fn from(state: State) -> Self {
        types::State { version: state.version, body: state.body.into() }
    }
}

impl From<Cause> for types::Cause {
    fn from(cause: Cause) -> Self {
        match cause {
            Cause::Wake => types::Cause::Wake,
            Cause::Upgrade { version, extra } => {
                types::Cause::Upgrade(types::Upgrade { version, extra: extra.map(types::Body::from) })
            }
            Cause::Restart => types::Cause::Restart,
            Cause::Migrate => types::Cause::Migrate,
        }
    }
}

impl From<types::Shape> for Shape {
    fn from(shape: types::Shape) -> Self {
        let types::Shape { version, accepts, steps_down, writes, reads } = shape;
        Shape {
            version,
            accepts,
            steps_down,
            writes: writes.into(),
            reads: reads.into_iter().map(Form::from).collect(),
        }
    }
}

impl From<types::Form> for Form {
    fn from(form: types::Form) -> Self {
        match form {
            types::Form::Raw => Form::Raw,
            types::Form::Messagepack => Form::MessagePack,
            types::Form::Json => Form::Json,
            types::Form::Text => Form::Text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_from_two_to_the_53_end_the_process_and_name_the_argument() {
        assert_eq!(number(NUMBER_LIMIT - 1, "`after-ms`").ok(), Some(NUMBER_LIMIT - 1));
        let Err(Ended(reason)) = number(u64::MAX, "`after-ms`") else { panic!("accepted") };
        assert!(reason.to_string().contains("`after-ms` is 18446744073709551615"), "{reason}");
        assert!(pid(types::Pid { node: 0, id: 1, tag: NUMBER_LIMIT }).is_err());
    }

    #[test]
    fn names_are_neither_empty_nor_endless() {
        assert!(check_name("").is_err());
        assert!(check_name(&"x".repeat(255)).is_ok());
        assert!(check_name(&"x".repeat(256)).is_err());
    }

    #[test]
    fn reasons_go_there_and_back() {
        let body = || Arc::new(Body::Json("{}".into()));
        for original in [
            ExitReason::Normal,
            ExitReason::Shutdown(None),
            ExitReason::Shutdown(Some(body())),
            ExitReason::Killed,
            ExitReason::Noproc,
            ExitReason::Noconnection,
            ExitReason::limit("fuel"),
            ExitReason::failed("why"),
            ExitReason::Custom(body()),
        ] {
            assert_eq!(reason(original.clone().into(), 2).ok(), Some(original));
        }
        assert!(reason(ExitReason::Custom(body()).into(), 1).is_err(), "a body beyond the limit");
    }
}
