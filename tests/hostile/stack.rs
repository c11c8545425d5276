//! A recursion without end.

use serde_json::{Value, json};
use skep_tests::Child;

use super::{CLASSES, MODES, add, app, beside_the_neighbour, crash, ended, fault};

#[tokio::test(flavor = "multi_thread")]
async fn a_recursion_without_end_is_understood_as_one() {
    let _turn = crate::turn().await;
    for keep in MODES {
        let app = app(keep, []).await;
        for (memory_bytes, class) in CLASSES {
            let label = format!("recursive-{class:?}");
            let recursive =
                Child::new(&label, "stack-overflow", &Value::Null).limits(|limits| limits.memory_bytes = memory_bytes);
            add(&app, recursive).await.expect("it starts");
            assert_eq!(app.ask(&label, json!({ "Depth": 100 })).await, json!(100));
            let overflow = app.call(&label, json!("Overflow"));
            let end = ended(beside_the_neighbour(&app, &format!("stack overflow, {class:?} class"), overflow).await);
            let fault = fault(&end);
            assert_eq!(fault.kind, "memory-out-of-bounds", "the stack of Rust lies in its memory");
            assert!(fault.message.ends_with("probably a recursion without end"), "{}", fault.message);
            assert!(fault.trace.starts_with("stack_overflow::descend\n"), "{}", fault.trace);
            assert_eq!(crash(&app, &label).await, (end.clone(), Some("call")));
        }
        app.stop().await;
    }
}
