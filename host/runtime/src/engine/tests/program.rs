//! Commands written as text: core modules of wasip1, as a compiler makes of a `main`. The whole-system tests include this
//! file too.

/// A program with these imports and this as its `_start`.
pub fn program(start: &str) -> Vec<u8> {
    let text = format!(
        r#"(module
            (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
            (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "path_open"
                (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes (param i32 i32) (result i32)))
            (memory (export "memory") 1)
            (data (i32.const 512) "hello\n") (data (i32.const 520) "held")
            (func $vector (param $from i32) (param $length i32)
                (i32.store (i32.const 640) (local.get $from))
                (i32.store (i32.const 644) (local.get $length)))
            (func $say (param $to i32) (param $from i32) (param $length i32) (local $errno i32)
                (call $vector (local.get $from) (local.get $length))
                (local.set $errno (call $write (local.get $to) (i32.const 640) (i32.const 1) (i32.const 660)))
                (if (local.get $errno) (then (call $exit (i32.add (i32.const {WRITE_FAILS}) (local.get $errno))))))
            (func (export "_start") (local $times i32) {start}))"#
    );
    wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// How a program exits that cannot write, plus the number of the error.
pub const WRITE_FAILS: u32 = 200;
/// What WASI calls `io`, an error of input or output.
pub const IO: u32 = 29;

/// Copies its input to its output, and exits with how often it has read.
pub const CAT: &str = "(block $end
        (loop $next
            (call $vector (i32.const 1024) (i32.const 100))
            (if (call $read (i32.const 0) (i32.const 640) (i32.const 1) (i32.const 664)) (then (call $exit (i32.const 98))))
            (br_if $end (i32.eqz (i32.load (i32.const 664))))
            (local.set $times (i32.add (local.get $times) (i32.const 1)))
            (call $say (i32.const 1) (i32.const 1024) (i32.load (i32.const 664)))
            (br $next)))
    (call $exit (local.get $times))";

/// Opens the file `held` of its first folder and keeps it open, or traps.
pub const HOLD: &str = "(if (call $path_open (i32.const 3) (i32.const 0) (i32.const 520) (i32.const 4) (i32.const 0)
                             (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 704)) (then unreachable))";

/// Computes for ever.
pub const SPIN: &str = "(loop (br 0))";
