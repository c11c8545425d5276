//! What a guest sees of environment, arguments, clocks and random numbers, as far as it was granted.

use std::sync::Arc;

use skep_kernel::Limits;

use super::guest::{Server, ZEROS};
use super::recorder::Recorder;
use super::{cast, engine, ready};
use crate::spec::{Clocks, Grants, Outside, Randomness, Variable};

const IMPORTS: &str = r#"
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "environ_sizes_get" (func $environ_sizes (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "environ_get" (func $environ (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "args_get" (func $args (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "clock_time_get" (func $time (param i32 i64 i32) (result i32)))
    (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
    (func $say (param $from i32) (param $length i32)
        (i32.store (i32.const 640) (local.get $from))
        (i32.store (i32.const 644) (local.get $length))
        (i32.store8 (i32.add (local.get $from) (local.get $length)) (i32.const 10))
        (i32.store (i32.const 644) (i32.add (local.get $length) (i32.const 1)))
        (drop (call $write (i32.const 1) (i32.const 640) (i32.const 1) (i32.const 660))))
    ;; So many random bytes, each as one of sixteen letters.
    (func $letters (param $count i32) (local $at i32)
        (drop (call $random (i32.const 4096) (local.get $count)))
        (loop $next
            (i32.store8 offset=4096 (local.get $at)
                (i32.add (i32.const 97) (i32.and (i32.load8_u offset=4096 (local.get $at)) (i32.const 15))))
            (local.set $at (i32.add (local.get $at) (i32.const 1)))
            (br_if $next (i32.lt_u (local.get $at) (local.get $count))))
        (call $say (i32.const 4096) (local.get $count)))"#;

/// What a guest says that was granted this, and which ledger it used, new if none is given.
fn said(handle: &str, outside: Outside, before: Option<&Arc<Recorder>>) -> (Vec<String>, Arc<Recorder>) {
    let guest = Server { more: IMPORTS.into(), pages: 16, handle: format!("{handle} {ZEROS}"), ..Server::default() };
    let module = engine().load("guest", &guest.build()).expect("it loads");
    let recorder = before.cloned().unwrap_or_else(Recorder::new);
    let grants = Grants { outside, ..Grants::default() };
    let mut instance = ready(module.instantiate(recorder.clone(), &Limits::default(), &grants)).expect("it starts");
    ready(instance.handle(cast(), false)).expect("handled");
    drop(instance);
    (recorder.take(), recorder)
}

#[test]
fn variables_and_arguments_are_those_that_were_granted() {
    let show = |sizes: &str, get: &str| {
        format!(
            "(drop (call {sizes} (i32.const 700) (i32.const 704)))
             (drop (call {get} (i32.const 2048) (i32.const 4096)))
             (if (i32.load (i32.const 704)) (then (call $say (i32.const 4096) (i32.load (i32.const 704)))))"
        )
    };
    let all = format!("{} {}", show("$environ_sizes", "$environ"), show("$args_sizes", "$args"));
    let env = [
        ("LANG", Variable::Value("C".to_owned())),
        ("CARGO_MANIFEST_DIR", Variable::OfHost),
        ("SKEP_NO_SUCH_VARIABLE", Variable::OfHost),
    ];
    let outside = Outside {
        env: env.map(|(name, variable)| (name.to_owned(), variable)).into(),
        argv: vec!["-v".to_owned(), "a b".to_owned()],
        ..Outside::default()
    };
    let here = env!("CARGO_MANIFEST_DIR");
    let expected = [format!("log Info CARGO_MANIFEST_DIR={here}\0LANG=C\0"), "log Info guest\0-v\0a b\0".to_owned()];
    assert_eq!(said(&all, outside, None).0, expected);
    assert_eq!(said(&all, Outside::default(), None).0, [""; 0], "none, and not even a name");
}

/// Traps unless this is true of the time that the clock shows, which is on the stack.
fn shows(clock: u32, is_right: &str) -> String {
    format!(
        "(if (call $time (i32.const {clock}) (i64.const 0) (i32.const 704)) (then unreachable))
         (i64.load (i32.const 704)) {is_right} (if (then) (else unreachable))"
    )
}

#[test]
fn clocks_are_as_exact_as_was_granted() {
    let clocks = |clocks| Outside { clocks, ..Outside::default() };
    let frozen = shows(0, "(i64.const 946684800000000000) i64.eq") + &shows(1, "i64.eqz");
    said(&format!("{frozen} {frozen}"), clocks(Clocks::Frozen), None);
    let whole = "(i64.const 1000000) i64.rem_u i64.eqz";
    let after_2020 = shows(0, "(i64.const 1577836800000000000) i64.gt_u");
    said(&format!("{after_2020} {} {}", shows(0, whole), shows(1, whole)), Outside::default(), None);
    // Until it shows a part of a millisecond.
    let exact = format!(
        "(loop (drop (call $time (i32.const 1) (i64.const 0) (i32.const 704)))
        (br_if 0 (i64.eqz (i64.rem_u (i64.load (i32.const 704)) (i64.const 1000000))))) {after_2020}"
    );
    said(&exact, clocks(Clocks::Real), None);
}

#[test]
fn a_seed_makes_the_same_numbers_for_each_start_and_goes_on_in_the_next_instance() {
    let seeded = |seed| Outside { random: Randomness::Seeded(seed), ..Outside::default() };
    let letters = "(call $letters (i32.const 40))";
    let (first, recorder) = said(letters, seeded(7), None);
    assert_eq!(first.len(), 1);
    assert_eq!(said(letters, seeded(7), None).0, first, "another start");
    assert_ne!(said(letters, seeded(8), None).0, first, "another seed");
    let (second, _) = said(letters, seeded(7), Some(&recorder));
    assert_ne!(second, first, "the next instance of the same process");
    let twice = format!("{letters} {letters}");
    assert_eq!(said(&twice, seeded(7), None).0, [first.clone(), second].concat());
    let real = || said(letters, Outside::default(), None).0;
    assert_ne!(real(), real());
}
