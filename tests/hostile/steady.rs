//! A little of what the benchmark `steady` does for hours, where nobody else does anything in this program.

use std::time::Duration;

use skep_tests::steady::{Load, app, work};

#[tokio::test(flavor = "multi_thread")]
async fn a_runtime_is_the_same_after_thousands_of_spawns_and_wakes() {
    let _turn = crate::turn().await;
    let app = app().await;
    let load = Load { spawns: 4_000, wakes: 4_000, mixed: Duration::from_secs(2) };
    let (before, after) = work(&app, load).await;
    let (grown, seen) = (after.grown_since(&before), app.runtime.metrics());
    assert!(grown.is_empty(), "{grown:?}\n{before:?}\n{after:?}");
    assert!(seen.exits >= load.spawns && seen.wakes > 0, "{seen:?}");
    app.stop().await;
}
