//! Turns every way in which a guest's code can end into an exit reason.
//!
//! Owns the words: `limit` names and the kinds of faults stay the same from release to release. Never decides what
//! becomes of the process. Called by `instance` after each entry into a guest.

use std::any::Any;
use std::sync::Arc;

use skep_kernel::{ExitReason, Fault};
use wasmtime::Trap;
use wasmtime::component::ResourceTableError;
use wasmtime_wasi::I32Exit;

use super::context::{Context, Misuse, Phase};
use super::limits::Refused;
use super::trace::Trace;
use crate::api::Ended;
use crate::api::convert::TEXT_BYTES;
use crate::api::text::{cut, cut_front};

/// The reason for an error that wasmtime returned from a guest.
pub(crate) fn reason(error: &wasmtime::Error, context: &mut Context) -> ExitReason {
    if let Some(Ended(reason)) = error.downcast_ref() {
        return reason.clone();
    }
    if let Some(I32Exit(status)) = error.downcast_ref() {
        return match status {
            0 => ExitReason::Normal,
            // What it said is in the log.
            status if context.phase == Phase::Command => ExitReason::failed(format!("exit status {status}")),
            status => ExitReason::failed(with_words(format!("exit status {status}"), context)),
        };
    }
    let trace = Trace::of(error);
    if let Some(misuse) = error.downcast_ref::<Misuse>() {
        return fault(&misuse_kind(misuse), misuse.to_string(), &trace);
    }
    if error.is::<ResourceTableError>() && !context.phase.may_act() {
        let message =
            format!("a file or a socket was used in `{}`, where nothing may act but the log", context.phase.name());
        return fault(&format!("side-effect-in-{}", context.phase.name()), message, &trace);
    }
    if let Some(Trap::OutOfFuel) = error.downcast_ref() {
        return ExitReason::limit("fuel");
    }
    if let Some(refused) = context.limiter.take_refused() {
        return match refused {
            Refused::Own => ExitReason::limit("memory"),
            Refused::Budget(which) => ExitReason::limit(&which.to_string()),
        };
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow) => ExitReason::limit("stack"),
        Some(&trap) => trapped(trap, &trace, context),
        None => {
            let text = error.root_cause().to_string();
            // wasmtime has no type for it: `set_hostcall_fuel`.
            if text.contains("too much data is being copied") {
                return ExitReason::limit("body");
            }
            fault("malformed", cut(text, TEXT_BYTES), &trace)
        }
    }
}

/// The reason for a panic in a host function, caught around the poll of the guest: a bug of the host, contained.
#[must_use]
pub fn host_panic(payload: &(dyn Any + Send)) -> ExitReason {
    fault("host-panic", cut(panic_text(payload).to_owned(), TEXT_BYTES), &Trace::default())
}

/// What a panic says.
pub(super) fn panic_text(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("a panic without a text")
}

fn fault(kind: &str, message: String, trace: &Trace) -> ExitReason {
    ExitReason::Trap(Arc::new(Fault { kind: kind.to_owned(), message, trace: trace.text() }))
}

fn misuse_kind(misuse: &Misuse) -> String {
    match misuse {
        Misuse::SideEffect { phase, .. } => format!("side-effect-in-{}", phase.name()),
        Misuse::Elsewhere { phase, .. } => format!("wrong-call-in-{}", phase.name()),
    }
}

fn trapped(trap: Trap, trace: &Trace, context: &mut Context) -> ExitReason {
    let text = trap.to_string();
    let mut text = text.strip_prefix("wasm trap: ").unwrap_or(&text).to_owned();
    if trap == Trap::MemoryOutOfBounds && trace.is_recursion() {
        text.push_str("; one function fills the stack: probably a recursion without end");
    }
    fault(kind(trap), with_words(text, context), trace)
}

/// What the guest itself said last, or `otherwise`.
fn with_words(otherwise: String, context: &mut Context) -> String {
    if let Some(words) = context.last_words.take() {
        return words;
    }
    let errors = context.wasi.as_ref().map(|wasi| wasi.standard_error()).unwrap_or_default();
    if errors.is_empty() { otherwise } else { cut_front(&errors, TEXT_BYTES).to_owned() }
}

/// One stable word for each trap; whatever breaks the rules of components is `malformed`.
fn kind(trap: Trap) -> &'static str {
    match trap {
        Trap::UnreachableCodeReached => "unreachable",
        Trap::MemoryOutOfBounds => "memory-out-of-bounds",
        Trap::TableOutOfBounds => "table-out-of-bounds",
        Trap::IndirectCallToNull | Trap::NullReference => "null-function",
        Trap::BadSignature => "wrong-function-type",
        Trap::IntegerOverflow => "integer-overflow",
        Trap::IntegerDivisionByZero => "division-by-zero",
        Trap::BadConversionToInteger => "bad-conversion-to-integer",
        _ => "malformed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_the_host_keeps_its_text() {
        for payload in [Box::new("here") as Box<dyn Any + Send>, Box::new(String::from("here"))] {
            let ExitReason::Trap(fault) = host_panic(payload.as_ref()) else { panic!("not a trap") };
            assert_eq!((fault.kind.as_str(), fault.message.as_str()), ("host-panic", "here"));
        }
        assert!(matches!(host_panic(&7_u8), ExitReason::Trap(_)));
    }
}
