//! Commands: programs of wasip1 and of `wasi:cli`, which know nothing of Skep.

use std::fs;
use std::sync::Arc;

use skep_kernel::{Body, Caller, Event, ExitReason, Limits, Mark};

use super::program::{CAT, SPIN, program};
use super::recorder::{PID, Recorder};
use super::{engine, load, ready};
use crate::engine::{Instance, ModuleKind};
use crate::spec::{Console, Grants, Input, Output, Outside};

fn started(start: &str, console: Console, argv: &[&str]) -> (Instance, Arc<Recorder>) {
    let module = engine().load("program", &program(start)).expect("it loads");
    assert_eq!(*module.kind(), ModuleKind::Command);
    let recorder = Recorder::new();
    *recorder.console.lock() = console;
    let argv = argv.iter().map(|argument| (*argument).to_owned()).collect();
    let grants = Grants { outside: Outside { argv, ..Outside::default() }, ..Grants::default() };
    let instance = ready(module.instantiate(recorder.clone(), &Limits::default(), &grants)).expect("it starts");
    (instance, recorder)
}

/// How a program ends, and what it asked for.
fn ended(start: &str, console: Console, argv: &[&str]) -> (ExitReason, Vec<String>) {
    let (mut instance, recorder) = started(start, console, argv);
    let reason = match ready(instance.command()) {
        Ok(()) => ExitReason::Normal,
        Err(failure) => failure.reason,
    };
    drop(instance);
    (reason, recorder.take())
}

#[test]
fn the_exit_status_is_the_reason() {
    let end = |start: &str| ended(start, Console::default(), &[]).0;
    assert_eq!(end(""), ExitReason::Normal);
    assert_eq!(end("(call $exit (i32.const 0)) unreachable"), ExitReason::Normal);
    for status in [1, 20, 255, 256, 70_000] {
        let expected = ExitReason::failed(format!("exit status {status}"));
        assert_eq!(end(&format!("(call $exit (i32.const {status})) unreachable")), expected);
    }
    assert!(matches!(end("unreachable"), ExitReason::Trap(_)));
    assert_eq!(end(SPIN), ExitReason::limit("fuel"));
}

#[test]
fn output_goes_into_the_log_or_to_its_owner_and_errors_always_into_the_log() {
    let both = "(call $say (i32.const 1) (i32.const 512) (i32.const 6))
        (call $say (i32.const 2) (i32.const 512) (i32.const 4))";
    let logged = ended(both, Console::default(), &[]).1;
    assert_eq!(logged, ["log Info hello", "log Warn hell"]);
    let console = Console { output: Output::To("owner".into()), ..Console::default() };
    assert_eq!(ended(both, console, &[]).1, ["emit owner \"hello\\n\"", "log Warn hell"]);
}

#[test]
fn a_program_has_its_name_and_the_arguments_that_were_granted() {
    let count = "(drop (call $args_sizes (i32.const 700) (i32.const 704))) (call $exit (i32.load (i32.const 700)))";
    let status = |argv: &[&str]| ended(count, Console::default(), argv).0;
    assert_eq!(status(&[]), ExitReason::failed("exit status 1"));
    assert_eq!(status(&["-v", "x"]), ExitReason::failed("exit status 3"));
}

#[test]
fn input_is_closed_unless_it_comes_from_a_file() {
    assert_eq!(ended(CAT, Console::default(), &[]), (ExitReason::Normal, Vec::new()));
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("input");
    fs::write(&path, "x".repeat(150) + "\nend").expect("it is ours");
    let from = |path: &std::path::Path| Console { input: Input::File(path.into()), ..Console::default() };
    let (reason, asked) = ended(CAT, from(&path), &[]);
    assert_eq!(reason, ExitReason::failed("exit status 2"));
    assert_eq!(asked, [format!("log Info {}", "x".repeat(150)), "log Info end".to_owned()]);
}

#[test]
fn what_blocks_or_is_behind_a_link_is_no_input() {
    let folder = tempfile::tempdir().expect("a folder");
    let within = |name: &str| folder.path().join(name);
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, within("fifo"), rustix::fs::FileType::Fifo, mode, 0).expect("it can be made");
    fs::write(within("file"), "secret").expect("it is ours");
    std::os::unix::fs::symlink("file", within("link")).expect("it is ours");
    let module = engine().load("program", &program(CAT)).expect("it loads");
    for name in ["fifo", "link", "none", "."] {
        let recorder = Recorder::new();
        recorder.console.lock().input = Input::File(within(name));
        let started = ready(module.instantiate(recorder, &Limits::default(), &Grants::default()));
        assert!(started.is_err(), "{name}");
    }
}

#[test]
fn messages_are_input_until_an_empty_one() {
    let console = Console { input: Input::Messages, ..Console::default() };
    let (mut instance, recorder) = started(CAT, console, &[]);
    let caller = Caller { pid: PID, mark: Mark(5) };
    recorder.events.lock().extend([
        Event::Info(Body::Text("one\n".into())),
        Event::Call { caller, body: Body::Json("\"two\\n\"".into()) },
        Event::Cast(Body::Raw(b"three".to_vec())),
        Event::Cast(Body::Text(String::new())),
        Event::Info(Body::Text("too late".into())),
    ]);
    let failure = ready(instance.command()).expect_err("it exits with a number");
    assert_eq!(failure.reason, ExitReason::failed("exit status 3"));
    drop(instance);
    let asked = recorder.take();
    let lines: Vec<&str> = asked.iter().filter_map(|line| line.strip_prefix("log Info ")).collect();
    assert_eq!(lines, ["one", "two", "three"]);
    assert!(asked.iter().any(|line| line.starts_with("reply")), "a caller learns that it was taken: {asked:?}");
}

#[test]
fn a_component_that_exports_run_is_a_command() {
    let text = r#"(component
        (core module $m (func (export "run") (result i32) (i32.const 1)))
        (core instance $i (instantiate $m))
        (func $run (result (result)) (canon lift (core func $i "run")))
        (instance $exported (export "run" (func $run)))
        (export "wasi:cli/run@0.2.0" (instance $exported)))"#;
    let module = load(&wat::parse_str(text).expect("text")).expect("it loads");
    assert!(module.is_command() && module.runs_once() && !module.is_task());
    let mut instance =
        ready(module.instantiate(Recorder::new(), &Limits::default(), &Grants::default())).expect("it starts");
    assert_eq!(ready(instance.command()).expect_err("it says so").reason, ExitReason::failed("exit status 1"));
}
