//! A guest that takes memory gets as much as it may have, to the byte.

use serde_json::{Value, json};
use skep_runtime::kernel::ExitReason;
use skep_runtime::spec::Keep;
use skep_tests::Child;

use super::{app, ended};

fn hog(memory_bytes: usize) -> Child {
    Child::new("hog", "memory-hog", &Value::Null).limits(|limits| limits.memory_bytes = memory_bytes)
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
