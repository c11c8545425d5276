//! Guests that want more memory than they may have: one by one, all at once, while saving, from the beginning.

use serde_json::{Value, json};
use skep_runtime::kernel::{ExitReason, SpawnError};
use skep_runtime::spec::Keep;
use skep_tests::Child;

use super::{CLASSES, MODES, add, app, beside_the_neighbour, crash, ended, live};

fn hog(memory_bytes: usize) -> Child {
    Child::new("hog", "memory-hog", &Value::Null).limits(|limits| limits.memory_bytes = memory_bytes)
}

#[tokio::test(flavor = "multi_thread")]
async fn taking_too_much_ends_the_taker() {
    let _turn = crate::turn().await;
    let app = app(Keep::WhileItFits, []).await;
    for (memory_bytes, class) in CLASSES {
        let crimes = [
            ("many blocks", json!({ "Many": { "bytes": 64 << 10 } })),
            ("many crumbs", json!({ "Many": { "bytes": 100 } })),
            ("one giant", json!({ "Giant": { "bytes": 1_u64 << 30 } })),
            ("one a little too large", json!({ "Giant": { "bytes": memory_bytes } })),
        ];
        for (what, crime) in crimes {
            let before = live(&app, class);
            add(&app, hog(memory_bytes)).await.expect("it starts");
            assert_eq!(live(&app, class), before + 1, "it lives in the {class:?} class");
            let end = beside_the_neighbour(&app, &format!("{what}, {class:?} class"), app.call("hog", crime)).await;
            assert_eq!(ended(end), ExitReason::limit("memory"), "{what}");
            assert_eq!(crashes_of_the_hog(&app).await, (ExitReason::limit("memory"), Some("call")), "{what}");
            assert_eq!(live(&app, class), before, "its place is free");
        }
    }
    app.stop().await;
}

/// The latest crash: the label is used again and again.
async fn crashes_of_the_hog(app: &skep_tests::TestApp) -> (ExitReason, Option<&'static str>) {
    super::gone(app, "hog").await;
    super::crashes(app, "hog").pop().expect("a report")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fits_is_given() {
    let _turn = crate::turn().await;
    let app = app(Keep::WhileItFits, [hog(4 << 20)]).await;
    assert_eq!(app.ask("hog", json!({ "Take": { "bytes": 2 << 20 } })).await, json!(2 << 20));
    assert_eq!(app.ask("hog", json!({ "Giant": { "bytes": 1 << 20 } })).await, json!(3 << 20));
    assert_eq!(ended(app.call("hog", json!({ "Giant": { "bytes": 1 << 20 } })).await), ExitReason::limit("memory"));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_save_that_takes_memory_ends_the_process() {
    let _turn = crate::turn().await;
    let app = app(Keep::Never, [hog(4 << 20)]).await;
    beside_the_neighbour(&app, "memory in `save`", app.ask("hog", json!("GrowInSave"))).await;
    assert_eq!(crash(&app, "hog").await.0, ExitReason::limit("memory"));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_needs_more_from_the_beginning_does_not_start() {
    let _turn = crate::turn().await;
    for keep in MODES {
        let app = app(keep, []).await;
        let end = add(&app, hog(64 << 10)).await;
        assert_eq!(end, Err(SpawnError::Failed(ExitReason::limit("memory"))));
        assert_eq!(crash(&app, "hog").await.0, ExitReason::limit("memory"));
        app.stop().await;
    }
}
