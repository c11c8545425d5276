//! Grief in the hooks: `save`, `restore` and `terminate`.

use serde_json::{Value, json};
use skep_runtime::kernel::ExitReason;
use skep_runtime::observe::{Level, Report};
use skep_runtime::spec::Keep;
use skep_tests::{Child, TestApp};

use super::faults::End;
use super::{add, app, beside_the_neighbour, cast, crash, ended};

/// What ruins an instance in a hook of the state.
fn ways(side_effect: &'static str) -> Vec<(Value, End)> {
    vec![
        (json!({ "Panic": "on purpose" }), End::Trap("unreachable", "on purpose", "trapper::")),
        (json!("Unreachable"), End::Trap("unreachable", "unreachable", "trapper::")),
        (json!("OutOfBounds"), End::Trap("memory-out-of-bounds", "out of bounds", "trapper::")),
        (json!("Act"), End::Trap(side_effect, "`kill` was called in", "trapper::")),
    ]
}

async fn trapper(app: &TestApp, label: &str) {
    add(app, Child::new(label, "trapper", &Value::Null)).await.expect("it starts");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_save_that_traps_ends_the_process_after_its_reply() {
    let _turn = crate::turn().await;
    let app = app(Keep::Never, []).await;
    let everything = async {
        for (number, (how, end)) in ways("side-effect-in-save").into_iter().enumerate() {
            let label = format!("trapper-{number}");
            trapper(&app, &label).await;
            assert_eq!(app.ask(&label, json!({ "Save": how })).await, json!(null), "the reply goes before");
            end.check(&format!("{how} in save"), &crash(&app, &label).await.0);
        }
    };
    beside_the_neighbour(&app, "traps in `save`", everything).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_traps_or_refuses_ends_the_process_before_the_event() {
    let _turn = crate::turn().await;
    let app = app(Keep::Never, []).await;
    let refusal = (json!({ "Fail": "no" }), End::Exactly(ExitReason::failed("no")));
    let everything = async {
        for (number, (how, end)) in ways("side-effect-in-restore").into_iter().chain([refusal]).enumerate() {
            let label = format!("trapper-{number}");
            trapper(&app, &label).await;
            assert_eq!(app.ask(&label, json!({ "Restore": how })).await, json!(null));
            app.sleeps(&label).await;
            let told = ended(app.call(&label, json!("Nowhere")).await);
            let (reason, _) = crash(&app, &label).await;
            assert_eq!(told, reason);
            end.check(&format!("{how} in restore"), &reason);
        }
    };
    beside_the_neighbour(&app, "traps in `restore`", everything).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_save_that_refuses_leaves_the_process_alive_and_is_told_once() {
    let _turn = crate::turn().await;
    let app = app(Keep::Never, [Child::new("trapper", "trapper", &Value::Null)]).await;
    app.ask("trapper", json!({ "Save": { "Fail": "not now" } })).await;
    for _ in 0..5 {
        app.ask("trapper", json!("Nowhere")).await;
    }
    let warning = |report| match report {
        Report::Log { subject, level: Level::Warn, message } if subject.label.as_deref() == Some("trapper") => {
            Some(message)
        }
        _ => None,
    };
    let warnings: Vec<String> = app.reports().into_iter().filter_map(warning).collect();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("not now"), "{warnings:?}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn grief_in_terminate_is_why_the_process_ended() {
    let _turn = crate::turn().await;
    let mut ways = ways("");
    ways.pop();
    let stop = json!({ "Stop": { "limit": "patience" } });
    ways.push((stop, End::Exactly(ExitReason::limit("patience"))));
    for keep in super::MODES {
        let app = app(keep, []).await;
        for (number, (how, end)) in ways.iter().enumerate() {
            let label = format!("trapper-{number}");
            trapper(&app, &label).await;
            app.ask(&label, json!({ "Terminate": how })).await;
            cast(&app, &label, &json!({ "Here": { "Stop": "normal" } }));
            let (reason, handling) = crash(&app, &label).await;
            end.check(&format!("{how} in terminate"), &reason);
            assert_eq!(handling, Some("terminate"));
        }
        app.stop().await;
    }
}
