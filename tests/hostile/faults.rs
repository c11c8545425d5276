//! Every way to come to grief in a handler: how the caller, the operator and the neighbour learn of it.

use serde_json::{Value, json};
use skep_runtime::kernel::supervisor::Restart;
use skep_runtime::kernel::{Body, CallError, ExitReason, SpawnError};
use skep_runtime::observe::Report;
use skep_runtime::spec::Keep;
use skep_tests::app::BREAKS_THE_OBSERVER;
use skep_tests::{Child, TestApp, eventually};

use super::{CLASSES, MODES, add, app, beside_the_neighbour, cast, crash, crashes, ended, fault, gone};

/// What must come of it.
#[derive(Clone)]
pub(super) enum End {
    /// A trap of this kind, whose message contains this, in a function of the guest whose name contains that.
    Trap(&'static str, &'static str, &'static str),
    /// Exactly this.
    Exactly(ExitReason),
}

impl End {
    /// Whether a reason is what was expected, in words if not.
    pub(super) fn check(&self, what: &str, reason: &ExitReason) {
        match self {
            End::Exactly(expected) => assert_eq!(reason, expected, "{what}"),
            End::Trap(kind, message, function) => {
                let fault = fault(reason);
                assert_eq!(fault.kind, *kind, "{what}");
                assert!(fault.message.contains(message), "{what}: {}", fault.message);
                assert!(fault.trace.contains(function), "{what}: no {function} in\n{}", fault.trace);
            }
        }
    }
}

fn text(text: &str) -> std::sync::Arc<Body> {
    Body::Text(text.into()).into()
}

/// Ways that a handler has, and their ends.
fn ways() -> Vec<(Value, End)> {
    vec![
        (json!({ "Panic": "on purpose" }), End::Trap("unreachable", "on purpose", "trapper::")),
        (json!("Unreachable"), End::Trap("unreachable", "unreachable", "trapper::")),
        (json!("OutOfBounds"), End::Trap("memory-out-of-bounds", "out of bounds", "trapper::")),
        (json!({ "Fail": "no" }), End::Exactly(ExitReason::failed("no"))),
        (json!({ "StopNow": { "custom": { "text": "mine" } } }), End::Exactly(ExitReason::Custom(text("mine")))),
        (json!({ "StopNow": "killed" }), End::Exactly(ExitReason::Killed)),
        (json!({ "StopNow": { "limit": "fuel" } }), End::Exactly(ExitReason::limit("fuel"))),
    ]
}

fn trapper(label: &str, args: &Value, memory_bytes: usize) -> Child {
    Child::new(label, "trapper", args).limits(|limits| limits.memory_bytes = memory_bytes)
}

/// How an event reaches the trapper. The reason that a caller learns, if there is one.
async fn provoke(app: &TestApp, label: &str, kind: &str, how: &Value) -> Option<ExitReason> {
    match kind {
        "call" => return Some(ended(app.call(label, json!({ "Here": how })).await)),
        "cast" => cast(app, label, &json!({ "Here": how })),
        "info" => app.send(label, &json!({ "Here": how })),
        "continue" => assert_eq!(app.ask(label, json!({ "Continue": how })).await, json!(null)),
        other => panic!("no such kind: {other}"),
    }
    None
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_comes_to_grief_ends_its_process_alone() {
    let _turn = crate::turn().await;
    for keep in MODES {
        let app = app(keep, []).await;
        let everything = async {
            let mut number = 0;
            for (memory_bytes, class) in CLASSES {
                for kind in ["call", "cast", "info", "continue"] {
                    for (how, end) in ways() {
                        number += 1;
                        let label = format!("trapper-{number}");
                        let what = format!("{how} in {kind} ({keep:?}, {class:?})");
                        add(&app, trapper(&label, &Value::Null, memory_bytes)).await.expect("it starts");
                        let told = provoke(&app, &label, kind, &how).await;
                        let (reason, handling) = crash(&app, &label).await;
                        assert!(told.is_none_or(|told| told == reason), "{what}: the caller learns the same");
                        assert_eq!(handling, Some(kind), "{what}");
                        end.check(&what, &reason);
                    }
                }
            }
        };
        beside_the_neighbour(&app, &format!("traps, errors and stops ({keep:?})"), everything).await;
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_is_no_crash_unless_its_reason_is() {
    let _turn = crate::turn().await;
    for keep in MODES {
        let app = app(keep, []).await;
        for (number, (reason, crashed)) in
            [(json!("normal"), None), (json!({ "shutdown": null }), None), (json!("killed"), Some(ExitReason::Killed))]
                .into_iter()
                .enumerate()
        {
            for (way, label) in ["Stop", "StopNow"].map(|way| (way, format!("{way}-{number}"))) {
                add(&app, trapper(&label, &Value::Null, 4 << 20)).await.expect("it starts");
                cast(&app, &label, &json!({ "Here": { way: reason } }));
                gone(&app, &label).await;
                let reasons: Vec<ExitReason> = crashes(&app, &label).into_iter().map(|(reason, _)| reason).collect();
                assert_eq!(reasons, crashed.clone().into_iter().collect::<Vec<_>>(), "{way} with {reason}");
            }
        }
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_init_that_comes_to_grief_is_the_starters_answer() {
    let _turn = crate::turn().await;
    let app = app(Keep::WhileItFits, []).await;
    let mut number = 0;
    for (memory_bytes, class) in CLASSES {
        for (how, end) in ways() {
            number += 1;
            let label = format!("trapper-{number}");
            let what = format!("{how} in init ({class:?})");
            let start = add(&app, trapper(&label, &json!({ "Init": how }), memory_bytes)).await;
            let Err(SpawnError::Failed(reason)) = start else { panic!("{what}: {start:?}") };
            end.check(&what, &reason);
            assert_eq!(crash(&app, &label).await, (reason, Some("init")), "{what}");
        }
    }
    for (how, answer) in
        [(json!("Ignore"), Ok(None)), (json!({ "Stop": "normal" }), Err(SpawnError::Failed(ExitReason::Normal)))]
    {
        assert_eq!(add(&app, trapper("trapper", &json!({ "Init": how }), 4 << 20)).await, answer);
        assert_eq!(crashes(&app, "trapper"), []);
    }
    app.stop().await;
}

/// Not the guest's fault, but it is the guest's process in whose name the host failed.
#[tokio::test(flavor = "multi_thread")]
async fn a_panic_in_a_host_function_ends_the_process_that_called_it_and_nothing_else() {
    let _turn = crate::turn().await;
    for keep in MODES {
        let app = super::app(keep, [Child::probe("unlucky").restart(Restart::Permanent)]).await;
        let first = app.pid("unlucky");
        let ended = app.call("unlucky", json!({ "Log": BREAKS_THE_OBSERVER })).await;
        let Err(CallError::Ended(ExitReason::Trap(fault))) = ended else { panic!("it should have ended: {ended:?}") };
        assert_eq!(fault.kind, "host-panic");
        assert!(fault.message.contains("the observer is broken"), "{}", fault.message);
        eventually("the restart", || app.whereis("unlucky").filter(|pid| *pid != first)).await;
        assert_eq!(app.ask("unlucky", json!({ "Echo": 1 })).await, json!(1));
        assert_eq!(app.ask("neighbour", json!("Get")).await, json!(0));
        assert_eq!(app.stop().await, ExitReason::Shutdown(None));
    }
}

/// A limit's reason is a word, which has no room for the place; the crash report has.
#[tokio::test(flavor = "multi_thread")]
async fn a_limit_that_ends_a_process_is_reported_with_the_place() {
    let _turn = crate::turn().await;
    let spinner = Child::new("spinner", "spinner", &Value::Null).limits(|limits| limits.fuel_per_message = 1_000_000);
    let hog = Child::new("hog", "memory-hog", &Value::Null);
    let app = app(Keep::WhileItFits, [spinner, hog]).await;
    for (label, request, limit, function) in [
        ("spinner", json!("Spin"), "fuel", "spinner::"),
        ("hog", json!({ "Many": { "bytes": 65_536 } }), "memory", "memory_hog::"),
    ] {
        let Err(CallError::Ended(reason)) = app.call(label, request).await else { panic!("{label} should have ended") };
        assert_eq!(reason, ExitReason::limit(limit));
        let trace = || {
            app.reports().into_iter().find_map(|report| match report {
                Report::Crash { subject, trace, .. } if subject.label.as_deref() == Some(label) => Some(trace),
                _ => None,
            })
        };
        let trace = eventually("the report", trace).await;
        assert!(trace.contains(function), "{function} is not in\n{trace}");
    }
    app.stop().await;
}
