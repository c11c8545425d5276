//! How a guest can end, and what its exit reason says.

use skep_kernel::{ExitReason, Limits};

use super::calls::{CAST, IMPORT_CAST};
use super::guest::{Server, ZEROS};
use super::{cast, fault, handled, live, ready};
use crate::engine::Soundness;

fn end_of(more: &str, handle: &str, limits: &Limits) -> ExitReason {
    let guest = Server { more: more.into(), handle: handle.into(), ..Server::default() };
    let failure = handled(&guest, limits).0.expect_err("it ends");
    assert_eq!(failure.instance, Soundness::Ruined);
    failure.reason
}

#[test]
fn limits_end_a_guest_by_name() {
    let frugal = Limits { fuel_per_message: 50_000, ..Limits::default() };
    let tight = Limits { memory_bytes: 128 << 10, ..Limits::default() };
    let recursion = "(func $deep (param i32) (result i32) (i32.add (call $deep (local.get 0)) (local.get 0)))";
    let grow = "(if (i32.eq (memory.grow (i32.const 2)) (i32.const -1)) (then unreachable)) (i32.const 1024)";
    for (more, handle, limits, limit) in [
        ("", "(loop (br 0)) unreachable", &frugal, "fuel"),
        (IMPORT_CAST, &format!("(loop {CAST} (br 0)) unreachable"), &frugal, "fuel"),
        (recursion, "(call $deep (i32.const 1))", &Limits::default(), "stack"),
        ("", grow, &tight, "memory"),
    ] {
        assert_eq!(end_of(more, handle, limits), ExitReason::limit(limit));
    }
    let roomy = Server { handle: grow.into(), ..Server::default() };
    handled(&roomy, &Limits::default()).0.expect("there is room for three pages");
}

#[test]
fn traps_have_a_kind_a_message_and_a_trace() {
    let limits = Limits::default();
    for (handle, kind) in [
        ("unreachable", "unreachable"),
        ("(i32.load (i32.const -4))", "memory-out-of-bounds"),
        ("(i32.div_u (i32.const 1) (i32.const 0))", "division-by-zero"),
        ("(i32.const 65532)", "malformed"),
        // An outcome of neither `ok` nor `err`.
        ("(i32.store8 (i32.const 1024) (i32.const 9)) (i32.const 1024)", "malformed"),
    ] {
        let reason = end_of("", handle, &limits);
        assert_eq!(fault(&reason).kind, kind, "{reason}");
        assert!(!fault(&reason).message.is_empty());
    }
    let reason = end_of("(func $inner unreachable)", "(call $inner) unreachable", &limits);
    assert_eq!(fault(&reason).trace, "inner\nhandle");
}

#[test]
fn a_panic_that_was_logged_is_the_message() {
    let log = r#"(import "skep:process/log@0.1.0" "log" (func $log (param i32 i32 i32)))
                 (data (i32.const 512) "panicked at src/lib.rs:7: no")"#;
    let handle = "(call $log (i32.const 4) (i32.const 512) (i32.const 28)) unreachable";
    let reason = end_of(log, handle, &Limits::default());
    assert_eq!(reason.to_string(), "trap: unreachable: panicked at src/lib.rs:7: no");
}

#[test]
fn stop_ends_with_exactly_the_reason_given() {
    let stop = r#"(import "skep:process/links@0.1.0" "stop" (func $stop (param i32 i32 i32 i32 i32 i32 i32)))"#;
    let handle = "(call $stop (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
                              (i32.const 0)) unreachable";
    assert_eq!(end_of(stop, handle, &Limits::default()), ExitReason::Noproc);
}

#[test]
fn an_error_leaves_the_instance_sound() {
    // `err("no")`: the tag, then pointer and length at the payload's alignment of eight.
    let handle = r#"(i32.store8 (i32.const 1024) (i32.const 1))
                    (i32.store (i32.const 1032) (i32.const 512)) (i32.store (i32.const 1036) (i32.const 2))
                    (i32.const 1024)"#;
    let guest = Server {
        more: r#"(data (i32.const 512) "no")"#.into(),
        handle: handle.into(),
        save: "(i32.const 3001)".into(),
        ..Server::default()
    };
    let (mut instance, _) = live(&guest.build(), &Limits::default());
    let failure = ready(instance.handle(cast(), false)).expect_err("an error");
    assert_eq!((failure.reason, failure.instance), (ExitReason::failed("no"), Soundness::Sound));
    assert!(ready(instance.save(None)).is_err(), "misaligned");
}

#[test]
fn after_a_trap_nothing_can_be_called() {
    let guest = Server { handle: "unreachable".into(), save: ZEROS.into(), ..Server::default() };
    let (mut instance, _) = live(&guest.build(), &Limits::default());
    assert!(ready(instance.handle(cast(), false)).is_err());
    let failure = ready(instance.save(None)).expect_err("ruined");
    assert_eq!(failure.instance, Soundness::Ruined);
}
