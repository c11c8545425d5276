//! Who has an instance, and who does without: what is said of each process, and what becomes of whoever finds no place.

use std::sync::Arc;

use serde_json::json;
use skep_runtime::engine::Class;
use skep_runtime::kernel::supervisor::{Answer, RequestError};
use skep_runtime::kernel::{ExitReason, SpawnError};
use skep_runtime::spec::{Keep, WhenFull};
use skep_runtime::telemetry::{Event, Kind, Told};
use skep_runtime::{EngineConfig, Request, RuntimeConfig, RuntimeError};
use skep_tests::app::supervisor;
use skep_tests::{Child, TestApp, eventually};

fn counter(id: &str, keep: Keep) -> Child {
    Child::new(id, "counter", &json!(0)).process(|process| process.keep = keep)
}

/// An app in which each process is kept as it says, in an engine with so many places of either class.
async fn app(slots: (u32, u32), when_full: WhenFull, children: impl IntoIterator<Item = Child>) -> TestApp {
    let engine = EngineConfig { slots: Some(slots.0), large_slots: slots.1, ..EngineConfig::default() };
    let config = RuntimeConfig { engine, when_full, ..RuntimeConfig::default() };
    TestApp::try_start_as(config, supervisor(children), Arc::default()).await.expect("it starts")
}

async fn start(app: &TestApp, child: Child) -> Result<(), SpawnError> {
    let root = app.runtime.root("test").expect("it runs");
    match app.runtime.supervise(root, Request::StartChild(child.spec)).await {
        Ok(Answer::Started(_)) => Ok(()),
        Err(RuntimeError::Refused(RequestError::Failed(error))) => Err(error),
        other => panic!("not an answer to a start: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_pinned_keeps_its_instance_while_others_take_turns() {
    let loose = |id| counter(id, Keep::WhileItFits);
    let app = app((2, 1), WhenFull::Wait, [counter("pinned", Keep::Pinned), loose("a"), loose("b"), loose("c")]).await;
    let mut told = app.runtime.subscribe(&[Kind::Hibernate], 1_000);
    for _ in 0..5 {
        for name in ["a", "b", "pinned", "c"] {
            app.ask(name, json!({ "Add": 1 })).await;
        }
    }
    let pinned = app.pid("pinned");
    let mut others = 0;
    while let Some(event) = told.try_next() {
        let Told::Event(Event::Hibernate { subject, .. }) = event else { panic!("{event:?}") };
        assert_ne!(subject.pid, pinned);
        others += 1;
    }
    assert!(others > 0, "they had two places, or one of them and the large one");
    let process = app.runtime.inspect(pinned).expect("it lives").process;
    assert_eq!(process.saved_bytes, None);
    assert_eq!(
        process.memory_bytes,
        Some(64 << 10),
        "a small guest needs one page, and each is cleared when an instance goes"
    );
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_finds_no_place_is_refused_where_that_is_how_it_is_to_be() {
    let pinned = |id| counter(id, Keep::Pinned);
    let app = app((1, 1), WhenFull::Refuse, [pinned("a"), pinned("b")]).await;
    let full = SpawnError::Failed(ExitReason::limit("instances"));
    assert_eq!(start(&app, pinned("c")).await, Err(full));
    // Whoever has begun is refused nothing, and a place that comes free is there for the next one.
    assert_eq!(app.ask("a", json!({ "Add": 2 })).await, json!(2));
    app.runtime.kill(app.pid("a"));
    eventually("a place", || (app.runtime.engine().usage(Class::Small).live == 0).then_some(())).await;
    start(&app, counter("d", Keep::WhileItFits)).await.expect("there is a place");
    start(&app, counter("e", Keep::WhileItFits)).await.expect("the one before it can give its own back");
    for name in ["d", "e", "b"] {
        assert_eq!(app.ask(name, json!("Get")).await, json!(0));
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_finds_no_place_waits_until_there_is_one() {
    let pinned = |id| counter(id, Keep::Pinned);
    let app = app((1, 1), WhenFull::Wait, [pinned("a"), pinned("b")]).await;
    let starting = start(&app, pinned("c"));
    let freeing = async {
        let is_waiting = || app.runtime.processes().iter().any(|process| process.label.as_deref() == Some("c"));
        eventually("it to be born", || is_waiting().then_some(())).await;
        app.runtime.kill(app.pid("a"));
    };
    let (started, ()) = tokio::join!(starting, freeing);
    started.expect("it has the place of the one that ended");
    assert_eq!(app.ask("c", json!({ "Add": 1 })).await, json!(1));
    app.stop().await;
}
