//! What reaches the guest and what reaches the shell.

use skep_kernel::{Body, Cause, Event, ExitReason, Limits, Next, Outcome, Start, State};

use super::guest::{Server, ZEROS, task};
use super::{cast, fault, handled, live, ready};
use crate::engine::Soundness;

/// `cast(name "ab", raw "xyz")`, the texts lying at 512 and 516.
pub const CAST: &str = "(call $cast (i32.const 1) (i32.const 512) (i64.const 2) (i64.const 0)
                                    (i32.const 0) (i32.const 0) (i32.const 516) (i32.const 3))";
pub const IMPORT_CAST: &str = r#"(import "skep:process/messaging@0.1.0" "cast" (func $cast (param i32 i32 i64 i64 i32 i32 i32 i32)))
       (data (i32.const 512) "ab  xyz")"#;

#[test]
fn a_life_from_init_to_terminate() {
    let (mut instance, _) = live(&Server::default().build(), &Limits::default());
    let empty = || State { version: 0, body: Body::Raw(Vec::new()) };
    assert_eq!(ready(instance.init(Body::Text("args".into()))).expect("init"), Start::Ready(Next::Wait));
    let outcome = ready(instance.handle(cast(), false)).expect("handle");
    assert_eq!(outcome, Outcome { reply: None, next: Next::Wait });
    assert_eq!(ready(instance.save(None)).expect("save"), empty());
    ready(instance.restore(empty(), Cause::Upgrade { version: 3, extra: None })).expect("restore");
    ready(instance.terminate(ExitReason::failed("why"))).expect("terminate");
    assert!(instance.fuel_used() > 0);
    assert_eq!(instance.memory_bytes(), 64 << 10);
    let (mut task, _) = live(&task("", ZEROS), &Limits::default());
    assert_eq!(ready(task.run(Body::Json("1".into()))).expect("run"), Body::Raw(Vec::new()));
}

#[test]
fn a_cast_reaches_the_shell_from_handle_and_traps_in_save() {
    let guest = Server {
        more: IMPORT_CAST.into(),
        handle: format!("{CAST} {ZEROS}"),
        save: format!("{CAST} {ZEROS}"),
        ..Server::default()
    };
    let (mut instance, recorder) = live(&guest.build(), &Limits::default());
    ready(instance.handle(cast(), false)).expect("handled");
    assert_eq!(recorder.take(), ["cast Name(\"ab\") Raw(3 bytes)"]);
    let failure = ready(instance.save(None)).expect_err("nothing may act");
    assert_eq!(fault(&failure.reason).kind, "side-effect-in-save");
    assert!(recorder.take().is_empty());
}

#[test]
fn a_state_other_than_described_is_not_saved() {
    // `ok` with an empty state of this version in this form.
    let saving = |version: u32, form: u32| Server {
        save: format!(
            "(i32.store (i32.const 1028) (i32.const {version})) (i32.store8 (i32.const 1032) (i32.const {form})) {ZEROS}"
        ),
        ..Server::default()
    };
    let described = "not, as described, version 0 in raw bytes";
    for (version, form, target, words) in [
        (1, 0, None, described),
        (0, 2, None, described),
        (1, 2, None, "version 1 in JSON"),
        (0, 0, Some(7), "not, as described, version 7"),
    ] {
        let (mut instance, _) = live(&saving(version, form).build(), &Limits::default());
        let failure = ready(instance.save(target)).expect_err("it is another one");
        assert!(failure.reason.to_string().contains(words), "{}", failure.reason);
        assert_eq!(failure.instance, Soundness::Sound);
        ready(instance.terminate(ExitReason::Normal)).expect("it goes on");
    }
    let (mut instance, _) = live(&saving(7, 0).build(), &Limits::default());
    assert_eq!(ready(instance.save(Some(7))).expect("as asked").version, 7);
}

#[test]
fn a_body_beyond_the_limit_is_not_sent() {
    let guest = Server { more: IMPORT_CAST.into(), handle: format!("{CAST} {ZEROS}"), ..Server::default() };
    let (outcome, asked) = handled(&guest, &Limits { body_bytes: 2, ..Limits::default() });
    outcome.expect("a cast is never refused");
    assert_eq!(asked, ["log Warn a cast was dropped: the body has 3 bytes; 2 are allowed"]);
}

#[test]
fn a_number_beyond_the_contract_ends_the_process_and_names_the_argument() {
    let guest = Server {
        more: r#"(import "skep:process/timers@0.1.0" "start" (func $start (param i64 i32 i32 i32) (result i64)))"#
            .into(),
        handle: format!("(drop (call $start (i64.const -1) (i32.const 0) (i32.const 0) (i32.const 0))) {ZEROS}"),
        ..Server::default()
    };
    let (outcome, asked) = handled(&guest, &Limits::default());
    let reason = outcome.expect_err("refused").reason;
    assert!(matches!(&reason, ExitReason::Failed(text) if text.contains("`after-ms`")), "{reason}");
    assert!(asked.is_empty());
}

#[test]
fn mbx_04_a_wait_of_more_than_the_contract_holds_ends_the_task() {
    let import = r#"(import "skep:process/inbox@0.1.0" "receive" (func $receive (param i32 i64 i32)))"#;
    for (timeout_ms, accepted) in [(1_i64 << 53, false), (-1, false), (i64::MIN, false), ((1 << 53) - 1, true)] {
        let receive = format!("(call $receive (i32.const 1) (i64.const {timeout_ms}) (i32.const 2048)) {ZEROS}");
        let (mut instance, recorder) = live(&task(import, &receive), &Limits::default());
        let outcome = ready(instance.run(Body::Raw(Vec::new())));
        assert_eq!(outcome.is_ok(), accepted, "{timeout_ms}");
        assert_eq!(recorder.take().is_empty(), !accepted, "{timeout_ms}");
        if let Err(failure) = outcome {
            let reason = failure.reason;
            assert!(matches!(&reason, ExitReason::Failed(text) if text.contains("`timeout-ms`")), "{reason}");
        }
    }
}

#[test]
fn tmr_08_a_time_of_more_than_the_contract_holds_ends_the_process() {
    let import =
        r#"(import "skep:process/timers@0.1.0" "start-at" (func $start (param i64 i32 i32 i32) (result i64)))"#;
    for (at_ms, accepted) in
        [(1_i64 << 53, false), (-1, false), (1 << 31, true), (1 << 32, true), ((1 << 53) - 1, true)]
    {
        let start =
            format!("(drop (call $start (i64.const {at_ms}) (i32.const 0) (i32.const 0) (i32.const 0))) {ZEROS}");
        let guest = Server { more: import.into(), handle: start, ..Server::default() };
        let (outcome, asked) = handled(&guest, &Limits::default());
        match outcome {
            Ok(_) => assert_eq!((accepted, asked), (true, vec![format!("timer AtMs({at_ms}) None")])),
            Err(failure) => {
                assert!(!accepted && asked.is_empty(), "{at_ms}");
                assert!(failure.reason.to_string().contains("`at-ms`"), "{}", failure.reason);
            }
        }
    }
}

/// Asks for more until there is none, and burns some 15,000 units for each event.
fn pulling() -> Server {
    Server {
        more: r#"(import "skep:process/inbox@0.1.0" "more" (func $more (param i32 i32 i32 i32 i32)))"#.into(),
        handle: format!(
            "(local $i i32)
             (loop $next
               (local.set $i (i32.const 3000))
               (loop $burn (br_if $burn (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
               (call $more (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 2048))
               (br_if $next (i32.load8_u (i32.const 2048))))
             {ZEROS}"
        ),
        ..Server::default()
    }
}

#[test]
fn each_event_that_is_pulled_has_the_fuel_of_a_message() {
    let limits = Limits { fuel_per_message: 30_000, ..Limits::default() };
    let (mut instance, recorder) = live(&pulling().build(), &limits);
    recorder.events.lock().extend([cast(), Event::Idle, cast(), cast()]);
    ready(instance.handle(cast(), true)).expect("each within its fuel");
    assert_eq!(recorder.take().len(), 5);
    assert!(instance.fuel_used() > 5 * 10_000, "{} used", instance.fuel_used());
}

#[test]
fn a_server_cannot_receive_and_a_task_cannot_ask_for_more() {
    let import = r#"(import "skep:process/inbox@0.1.0" "receive" (func $receive (param i32 i64 i32)))"#;
    let receive = format!("(call $receive (i32.const 0) (i64.const 0) (i32.const 2048)) {ZEROS}");
    let server = Server { more: import.into(), handle: receive.clone(), ..Server::default() };
    let (outcome, _) = handled(&server, &Limits::default());
    let failure = outcome.expect_err("refused");
    assert_eq!(fault(&failure.reason).kind, "wrong-call-in-handle");

    let (mut instance, recorder) = live(&task(import, &receive), &Limits::default());
    recorder.events.lock().push_back(cast());
    ready(instance.run(Body::Raw(Vec::new()))).expect("a task may");
    assert_eq!(recorder.take(), ["receive Any None"]);
}
