//! What a panic says before it becomes a trap.
//!
//! Owns the hook that writes one line into the log, at level error, which begins with `panicked at `: the host takes the
//! last such line for the text of the fault. Only in Wasm, where the text would be lost otherwise.

use std::panic::PanicHookInfo;

use crate::host::log;
use crate::types::Level;

/// Sets the hook. Doing so again costs next to nothing.
pub fn watch() {
    std::panic::set_hook(Box::new(report));
}

fn report(panic: &PanicHookInfo<'_>) {
    let message = panic.payload_as_str().unwrap_or("a panic without a text");
    let line = match panic.location() {
        Some(place) => format!("panicked at {}:{}: {message}", place.file(), place.line()),
        None => format!("panicked at an unknown place: {message}"),
    };
    log::log(Level::Error, &line);
}
