//! What a guest sees of WASI, through the adapter that every wasip1 module gets.

use std::fs;
use std::sync::Arc;

use skep_kernel::{Body, Cause, ExitReason, Limits, State};

use super::guest::{Server, ZEROS};
use super::recorder::Recorder;
use super::{cast, engine, fault, handled, live, poll_once, ready};
use crate::engine::{Failure, Instance, InstantiateError, Module};
use crate::spec::{Access, FolderGrant, Grants};

const IMPORTS: &str = r#"
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "path_open"
        (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_prestat_dir_name" (func $name (param i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_fdstat_get" (func $status (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "environ_sizes_get" (func $environ (param i32 i32) (result i32)))
    (data (i32.const 512) "first\nsecond") (data (i32.const 600) "new.txt")
    ;; One vector: 512, of 12 bytes.
    (data (i32.const 640) "\00\02\00\00\0c\00\00\00")"#;

fn server(handle: &str) -> Server {
    Server { more: IMPORTS.into(), pages: 16, handle: handle.into(), ..Server::default() }
}

#[test]
fn output_is_logged_line_by_line() {
    let guest =
        server(&format!("(drop (call $write (i32.const 1) (i32.const 640) (i32.const 1) (i32.const 660))) {ZEROS}"));
    let (outcome, asked) = handled(&guest, &Limits::default());
    outcome.expect("handled");
    assert_eq!(asked, ["log Info first", "log Info second"], "the second when the instance goes");
}

#[test]
fn an_exit_status_is_the_reason_and_standard_error_its_text() {
    let end = |handle: &str| handled(&server(handle), &Limits::default()).0.expect_err("it ends").reason;
    assert_eq!(end("(call $exit (i32.const 0)) unreachable"), ExitReason::Normal);
    // The adapter knows success and failure only.
    assert_eq!(end("(call $exit (i32.const 3)) unreachable"), ExitReason::failed("exit status 1"));
    let says = "(drop (call $write (i32.const 2) (i32.const 640) (i32.const 1) (i32.const 660)))";
    assert_eq!(end(&format!("{says} (call $exit (i32.const 1)) unreachable")), ExitReason::failed("first\nsecond"));
    assert_eq!(fault(&end(&format!("{says} unreachable"))).message, "first\nsecond");
}

#[test]
fn output_without_end_gives_way_and_runs_out_of_fuel() {
    let write = "(drop (call $write (i32.const 1) (i32.const 640) (i32.const 1) (i32.const 660)))";
    let limits = Limits { fuel_per_message: 2_000_000, ..Limits::default() };
    let (mut instance, recorder) = live(&server(&format!("(loop {write} (br 0)) unreachable")).build(), &limits);
    let mut call = std::pin::pin!(instance.handle(cast(), false));
    for _ in 0..3 {
        assert!(poll_once(call.as_mut()).is_pending());
        let lines = recorder.take().len();
        assert!((1..1_000).contains(&lines), "{lines} lines in one turn");
    }
    assert_eq!(ready(call).expect_err("it ends").reason, ExitReason::limit("fuel"));
}

#[test]
fn the_environment_is_empty() {
    let guest = server(&format!(
        "(drop (call $environ (i32.const 700) (i32.const 704)))
         (if (i32.load (i32.const 700)) (then unreachable)) {ZEROS}"
    ));
    handled(&guest, &Limits::default()).0.expect("no variables");
}

/// Makes `new.txt` in the first folder, or traps.
const CREATE: &str = "(if (call $open (i32.const 3) (i32.const 0) (i32.const 600) (i32.const 7) (i32.const 1)
                             (i64.const 66) (i64.const 0) (i32.const 0) (i32.const 704)) (then unreachable))";

fn create(module: &Module, grants: &Grants) -> (Instance, Result<(), Failure>) {
    let calls: Arc<Recorder> = Recorder::new();
    let mut instance = ready(module.instantiate(calls, &Limits::default(), grants)).expect("it starts");
    assert!(!instance.holds_files());
    let outcome = ready(instance.handle(cast(), false)).map(|_| ());
    (instance, outcome)
}

#[test]
fn a_folder_is_seen_as_far_as_it_was_granted_and_never_while_saving() {
    let guest = Server { save: format!("{CREATE} {ZEROS}"), ..server(&format!("{CREATE} {ZEROS}")) };
    let module = engine().load("guest", &guest.build()).expect("it loads");
    assert!(module.needs_wasi());
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("new.txt");
    let grant = |access| {
        let grant = FolderGrant { host: folder.path().into(), guest: "/data".into(), access };
        Grants { folders: vec![grant], ..Grants::default() }
    };

    assert!(create(&module, &Grants::default()).1.is_err(), "without a grant");
    assert!(create(&module, &grant(Access::Read)).1.is_err(), "to read only");
    assert!(!file.exists());
    let (mut instance, outcome) = create(&module, &grant(Access::Write));
    outcome.expect("granted");
    assert!(file.exists() && instance.holds_files());
    fs::remove_file(&file).expect("it is there");
    let failure = ready(instance.save(None)).expect_err("nothing may act");
    assert_eq!(fault(&failure.reason).kind, "side-effect-in-save");
    assert!(!file.exists());
}

/// Looks at the first folder, as a C library does when it starts, or traps.
const LOOK: &str = "(if (i32.or (call $name (i32.const 3) (i32.const 704) (i32.const 5))
                            (call $status (i32.const 3) (i32.const 720))) (then unreachable))";

#[test]
fn a_c_library_may_begin_anywhere() {
    let look = || format!("{LOOK} {ZEROS}");
    let guest = Server { save: look(), restore: look(), ..server(ZEROS) };
    let module = engine().load("guest", &guest.build()).expect("it loads");
    let folder = tempfile::tempdir().expect("a folder");
    let grant = FolderGrant { host: folder.path().into(), guest: "/data".into(), access: Access::Read };
    let grants = Grants { folders: vec![grant], ..Grants::default() };
    let start = || ready(module.instantiate(Recorder::new(), &Limits::default(), &grants)).expect("it starts");
    ready(start().save(None)).expect("it may look");
    let state = State { version: 0, body: Body::Raw(Vec::new()) };
    ready(start().restore(state, Cause::Wake)).expect("it may look");
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let module = engine().load("guest", &server(&format!("{CREATE} {ZEROS}")).build()).expect("it loads");
    let grant = FolderGrant { host: "/nowhere/at/all".into(), guest: "/data".into(), access: Access::Read };
    let grants = Grants { folders: vec![grant], ..Grants::default() };
    match ready(module.instantiate(Recorder::new(), &Limits::default(), &grants)) {
        Err(InstantiateError::Failed(reason)) => assert!(reason.to_string().contains("/nowhere/at/all"), "{reason}"),
        Err(InstantiateError::Full | InstantiateError::OverBudget(_)) => panic!("full"),
        Ok(_) => panic!("it started"),
    }
}
