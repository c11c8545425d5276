//! The counter in three versions, up and down.

use serde_json::json;
use skep_tests::in_both_modes;

use super::{counter, version};

#[tokio::test(flavor = "multi_thread")]
async fn a_counter_goes_up_and_comes_back() {
    in_both_modes([counter("a"), counter("b")], async |app| {
        let pids = [app.pid("a"), app.pid("b")];
        assert_eq!(app.ask("a", json!({ "Add": 2 })).await, json!(42));
        let codes = [("counter-v2", 2), ("counter-v3", 3), ("counter", 1), ("counter-v3", 3), ("counter-v2", 2)];
        for (code, number) in codes {
            let summary =
                app.upgrade("counter", app.load(code)).await.unwrap_or_else(|error| panic!("{code}: {error}"));
            assert_eq!((summary.migrated, summary.tasks, summary.not_begun), (2, 0, 0), "{code}");
            assert!(summary.state_bytes > 0 && summary.pause.max >= summary.pause.p50, "{summary:?}");
            assert_eq!([app.pid("a"), app.pid("b")], pids, "{code}");
            assert_eq!(version(app, "a").await, number, "{code}");
            assert_eq!(version(app, "b").await, number, "{code}");
            assert_eq!(app.ask("a", json!("Get")).await, json!(42), "{code}");
            assert_eq!(app.ask("b", json!("Get")).await, json!(40), "{code}");
        }
    })
    .await;
}
