//! Whether a runtime is the same after ten million spawns and exits, a million wakes and an hour of both: memory, mappings,
//! open files, instances and the table.
//!
//! `cargo bench -p skep-tests --bench steady [-- SPAWNS WAKES MINUTES]`. Prints what there was before and after, and fails if
//! anything has grown that must not.

use std::time::Duration;

use skep_tests::steady::{Load, app, work};

const SPAWNS: u64 = 10_000_000;
const WAKES: u64 = 1_000_000;
const MINUTES: u64 = 60;

#[tokio::main]
async fn main() {
    let mut given = std::env::args().filter_map(|argument| argument.parse().ok());
    let mut next = |unless: u64| given.next().unwrap_or(unless);
    let load = Load { spawns: next(SPAWNS), wakes: next(WAKES), mixed: Duration::from_secs(60 * next(MINUTES)) };
    println!("{load:?}, a tenth of it to warm up");
    let app = app().await;
    let (before, after) = work(&app, load).await;
    println!("before {before:?}\nafter  {after:?}\n{:?}", app.runtime.metrics());
    app.stop().await;
    let grown = after.grown_since(&before);
    assert!(grown.is_empty(), "grown: {grown:?}");
}
