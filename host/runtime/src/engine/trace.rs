//! Where a guest was when it trapped, in words: one function a line, innermost first.

use wasmtime::WasmBacktrace;

use crate::api::convert::TRACE_BYTES;
use crate::api::text::cut;

/// Frames that are captured. Enough to get past those of a language's panic machinery.
pub const FRAMES: usize = 48;
/// Frames that are told.
const SHOWN: usize = 24;
/// As many frames of one function in a row are taken for a recursion without end.
const RECURSION: usize = 16;

/// Parts of the names of functions between a Rust panic and the code that caused it.
const PANIC_MACHINERY: [&str; 8] = [
    "rust_begin_unwind",
    "rust_panic",
    "panic_fmt",
    "core::panicking::",
    "std::panicking::",
    "core::option::unwrap_failed",
    "core::option::expect_failed",
    "core::result::unwrap_failed",
];

/// The names of the functions on a guest's stack.
#[derive(Default)]
pub struct Trace(Vec<String>);

impl Trace {
    /// What wasmtime captured with an error.
    pub fn of(error: &wasmtime::Error) -> Self {
        let frames = error.downcast_ref::<WasmBacktrace>().map(WasmBacktrace::frames).unwrap_or_default();
        let names = frames.iter().map(|frame| match frame.func_name() {
            Some(name) => format!("{:#}", rustc_demangle::demangle(name)),
            None => format!("function {}", frame.func_index()),
        });
        Trace(names.collect())
    }

    /// Whether one function fills the stack.
    pub fn is_recursion(&self) -> bool {
        self.0.chunk_by(|a, b| a == b).any(|run| run.len() >= RECURSION)
    }

    /// The frames worth telling, one a line.
    pub fn text(&self) -> String {
        let panic = self.0.iter().rposition(|name| PANIC_MACHINERY.iter().any(|part| name.contains(part)));
        let own = &self.0[panic.map_or(0, |last| last + 1)..];
        cut(own[..own.len().min(SHOWN)].join("\n"), TRACE_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(names: &[&str]) -> Trace {
        Trace(names.iter().map(|&name| name.to_owned()).collect())
    }

    #[test]
    fn a_rust_panic_begins_at_the_code_that_caused_it() {
        let names =
            ["__rust_abort", "std::panicking::panic_with_hook", "rust_begin_unwind", "core::panicking::panic_fmt"];
        let all = [&names[..], &["core::option::unwrap_failed", "counter::handle", "run"]].concat();
        assert_eq!(trace(&all).text(), "counter::handle\nrun");
        assert_eq!(trace(&["a", "b"]).text(), "a\nb");
        assert_eq!(trace(&[]).text(), "");
    }

    #[test]
    fn recursion_is_one_name_many_times() {
        assert!(trace(&["f"; 16]).is_recursion());
        assert!(!trace(&["f"; 15]).is_recursion());
    }
}
