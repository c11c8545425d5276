//! Guests that loop: they share the processors with everybody else until their fuel or their time is up.

use serde_json::json;
use skep_runtime::engine::Class;
use skep_runtime::kernel::supervisor::Shutdown;
use skep_runtime::kernel::{Address, Body, CallError, ExitReason};
use skep_runtime::spec::Keep;
use skep_tests::{Child, eventually};
use tokio::task::JoinSet;

use super::{MODES, app, beside_the_neighbour, crashes, gone, is_spinning, live};

fn spinner(id: &str) -> Child {
    Child::new(id, "spinner", &json!(null))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_spins_is_preempted_and_delays_nobody() {
    let _turn = crate::turn().await;
    for keep in MODES {
        // Several for each processor, and none ever runs out of fuel.
        let names: Vec<String> = (0..8).map(|number| format!("spinner-{number}")).collect();
        let endless = |id: &String| spinner(id).limits(|limits| limits.fuel_per_message = 1 << 52);
        let app = app(keep, names.iter().map(endless)).await;
        let mut spinning = JoinSet::new();
        let spin = async {
            for name in &names {
                let (runtime, to) = (app.runtime.clone(), Address::Name(name.as_str().into()));
                let body = Body::Json(r#""Spin""#.into());
                spinning.spawn(async move { runtime.call("test", to, body, None).await });
            }
            for name in &names {
                eventually("a spinner to spin", || is_spinning(&app, app.pid(name)).then_some(())).await;
            }
        };
        beside_the_neighbour(&app, &format!("8 spinners ({keep:?})"), spin).await;
        for name in &names {
            assert!(is_spinning(&app, app.pid(name)), "it spins all the while");
            app.runtime.kill(app.pid(name));
        }
        while let Some(end) = spinning.join_next().await {
            assert_eq!(end.expect("no panic"), Err(CallError::Ended(ExitReason::Killed)));
        }
        for name in &names {
            gone(&app, name).await;
            assert_eq!(crashes(&app, name), [], "killed, not crashed");
        }
        let kept = u32::from(keep == Keep::WhileItFits);
        eventually("their places", || (live(&app, Class::Small) == kept).then_some(())).await;
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spinner_is_stopped_in_order_without_waiting_for_it() {
    let _turn = crate::turn().await;
    let endless = spinner("spinner").limits(|limits| limits.fuel_per_message = 1 << 52).shutdown(Shutdown::Infinity);
    let app = app(Keep::WhileItFits, [endless]).await;
    let (runtime, to) = (app.runtime.clone(), Address::Name("spinner".into()));
    let call = tokio::spawn(async move { runtime.call("test", to, Body::Json(r#""Spin""#.into()), None).await });
    eventually("the spinner to spin", || is_spinning(&app, app.pid("spinner")).then_some(())).await;
    assert_eq!(app.stop().await, ExitReason::Shutdown(None));
    assert_eq!(call.await.expect("no panic"), Err(CallError::Ended(ExitReason::Shutdown(None))));
}
