//! HOT: another spec for an app that runs. Who stays keeps its pid; what is gone stops, what is new starts, in order.

use std::sync::Arc;

use serde_json::{Value, json};
use skep_runtime::kernel::supervisor::{ChildSpec, RequestError, Restart, Strategy, SupervisorSpec};
use skep_runtime::kernel::{CallError, ExitReason, Pid, SpawnError};
use skep_runtime::reconfigure::{NotStartedReason, Progress, Reconfiguration, ReconfigureError, Reconfigured};
use skep_runtime::spec::{AppSpec, Blueprint, Keep};
use skep_runtime::{Request, RuntimeError};
use skep_tests::app::supervisor;
use skep_tests::{Child, TestApp, eventually, in_both_modes};

use super::{heard, monitor, probes, process, reason};

type Tree = SupervisorSpec<Blueprint>;

/// A probe that says to `o` when it is up, and, if it is stopped in order, when it goes down.
fn teller(id: &str) -> Child {
    let say = |what: &str| json!({ "SendNamed": { "name": "o", "body": format!("{id} {what}") } });
    let args = json!([{ "TrapExit": true }, { "AtEnd": { "steps": [say("down")] } }, say("up")]);
    Child::new(id, "probe", &args).restart(Restart::Permanent)
}

fn nested(id: &str, spec: Tree) -> Child {
    Child { spec: ChildSpec::supervisor(id, Blueprint::Supervisor(Arc::new(spec))) }
}

/// What `o` has heard, once it is so much; forgotten afterwards.
async fn told(app: &TestApp, count: usize) -> Vec<Value> {
    heard(app, "o", "info", count).await;
    super::of_kind(app.ask("o", json!("Take")).await.as_array().expect("a journal"), "info")
}

/// Gives the app another tree, beside `o`.
async fn becomes(app: &TestApp, children: Vec<Child>) -> Result<Reconfigured, ReconfigureError> {
    let children = probes(["o"]).into_iter().chain(children);
    becomes_tree(app, supervisor(children)).await
}

async fn becomes_tree(app: &TestApp, root: Tree) -> Result<Reconfigured, ReconfigureError> {
    let spec = app.runtime.app_spec("test").expect("it runs");
    app.runtime.reconfigure(Reconfiguration::new(AppSpec { root, ..spec }), |_| {}).await
}

fn texts(paths: &[skep_runtime::difference::Path]) -> Vec<String> {
    paths.iter().map(ToString::to_string).collect()
}

fn pids<const N: usize>(app: &TestApp, names: [&str; N]) -> [Pid; N] {
    names.map(|name| app.pid(name))
}

/// The tree in a line: ids, `-` before what does not run.
fn shown(app: &TestApp) -> String {
    fn line(node: &skep_runtime::inspect::TreeNode) -> String {
        let mark = if node.pid.is_some() { "" } else { "-" };
        let children: Vec<String> = node.children.iter().map(line).collect();
        let children = if children.is_empty() { String::new() } else { format!("({})", children.join(" ")) };
        format!("{mark}{}{children}", node.id)
    }
    line(&app.runtime.tree("test").expect("it runs"))
}

#[tokio::test(flavor = "multi_thread")]
async fn hot_17_a_spec_alone_starts_stops_and_restarts_nobody() {
    in_both_modes([probes(["o"]), vec![teller("a"), teller("b")]].concat(), async |app| {
        told(app, 2).await;
        let (root, before) = (app.runtime.root("test").expect("it runs"), pids(app, ["o", "a", "b"]));
        let spec = supervisor([teller("n"), teller("b"), teller("a")]);
        app.runtime.supervise(root, Request::Replace(spec)).await.expect("it makes sense");
        assert_eq!(shown(app), "root(-n b a o)");
        assert_eq!(pids(app, ["o", "a", "b"]), before);
        assert_eq!(heard(app, "o", "info", 0).await, [] as [Value; 0]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hot_17_what_is_gone_stops_in_reverse_then_what_is_new_starts_in_order() {
    let children = vec![
        teller("a"),
        teller("b"),
        nested("p", supervisor(["c", "d", "e"].map(teller))),
        nested("q", supervisor(["f", "g"].map(teller))),
    ];
    in_both_modes([probes(["o"]), children].concat(), async |app| {
        assert_eq!(told(app, 7).await.len(), 7);
        let before = pids(app, ["a", "d"]);
        let done = becomes(
            app,
            vec![
                teller("n"),
                nested("p", supervisor(["m", "d"].map(teller))),
                nested("r", supervisor(["x", "y"].map(teller))),
                teller("a"),
            ],
        );
        let done = done.await.expect("it makes sense");
        assert_eq!(texts(&done.stopped), ["q", "p/e", "p/c", "b"]);
        assert_eq!(texts(&done.started), ["n", "p/m", "r"]);
        assert_eq!((done.failed.len(), done.upgraded), (0, None));
        let heard = told(app, 9).await;
        assert_eq!(heard, ["g down", "f down", "e down", "c down", "b down", "n up", "m up", "x up", "y up"]);
        assert_eq!(shown(app), "root(o n p(m d) r(x y) a)");
        assert_eq!(pids(app, ["a", "d"]), before, "who stays, stays");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hot_17_a_supervisor_that_is_restarted_begins_from_the_new_spec() {
    let children = vec![nested("p", supervisor(["a", "b"].map(teller)))];
    in_both_modes([probes(["o"]), children].concat(), async |app| {
        told(app, 2).await;
        let spec = Tree { strategy: Strategy::OneForAll, ..supervisor(["b", "c"].map(teller)) };
        becomes(app, vec![nested("p", spec)]).await.expect("it makes sense");
        assert_eq!(told(app, 2).await, ["a down", "c up"]);
        let old = pids(app, ["b", "c"]);
        let p = app.runtime.tree("test").expect("it runs").children[1].pid.expect("it runs");
        app.runtime.kill(p);
        eventually("both to be back", || {
            Some(["b", "c"].map(|name| app.whereis(name)))
                .filter(|new| new.iter().zip(old).all(|(new, old)| new.is_some_and(|new| new != old)))
        })
        .await;
        eventually("it to be up", || (shown(app) == "root(o p(b c))").then_some(())).await;
        // The strategy is the new one too: the end of one is a restart of both.
        told(app, 2).await;
        app.runtime.kill(app.pid("b"));
        let heard = told(app, 3).await;
        assert_eq!(heard, ["c down", "b up", "c up"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hot_19_what_makes_no_sense_is_refused_before_anything_changes() {
    in_both_modes([probes(["o"]), vec![teller("a"), nested("p", supervisor([teller("b")]))]].concat(), async |app| {
        told(app, 2).await;
        let (before, pids_before) = (shown(app), pids(app, ["o", "a", "b"]));
        let no_window = Tree { max_seconds: 0, ..supervisor([teller("b")]) };
        let cases = [
            (vec![teller("x"), teller("x")], "supervisor root: two children have the id \"x\""),
            (vec![nested("p", no_window)], "supervisor p: max_seconds must be at least 1"),
            (
                vec![nested("p", supervisor([Child::new("c", "nothing", &Value::Null)]))],
                "child p/c: there is no module called nothing",
            ),
        ];
        for (children, expected) in cases {
            let refused = becomes(app, children).await.expect_err(expected);
            assert_eq!(refused.to_string(), expected);
        }
        let spec = app.runtime.app_spec("test").expect("it runs");
        let other = Reconfiguration::new(AppSpec { name: "other".into(), ..spec });
        let refused = app.runtime.reconfigure(other, |_| {}).await.expect_err("it does not run");
        assert!(matches!(refused, ReconfigureError::NoSuchApp(_)), "{refused}");
        assert_eq!((shown(app), pids(app, ["o", "a", "b"])), (before, pids_before));
        assert_eq!(heard(app, "o", "info", 0).await, [] as [Value; 0]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_that_does_not_start_is_reported_and_the_rest_stands() {
    let bad = |id| Child::new(id, "probe", &json!([{ "Fail": "no" }])).restart(Restart::Permanent);
    let children = vec![nested("p", Tree { strategy: Strategy::OneForAll, ..supervisor([teller("a")]) })];
    in_both_modes([probes(["o"]), children].concat(), async |app| {
        told(app, 1).await;
        let group = |children: Vec<Child>| Tree { strategy: Strategy::OneForAll, ..supervisor(children) };
        let wanted = || vec![nested("p", group(vec![bad("x"), teller("a"), teller("b")])), teller("c"), bad("y")];
        for _ in 0..2 {
            let done = becomes(app, wanted()).await.expect("it makes sense");
            let failed: Vec<String> = done.failed.iter().map(|failed| failed.child.to_string()).collect();
            assert_eq!(failed, ["p/x", "y"]);
            let why = NotStartedReason::Refused(RequestError::Failed(SpawnError::Failed(ExitReason::failed("no"))));
            assert_eq!(done.failed[0].why, why);
            assert_eq!(shown(app), "root(o p(a b) c)");
        }
        assert_eq!(told(app, 2).await, ["b up", "c up"], "and the second time only those are tried that failed");
        // The group's next restart does not try again what did not start.
        app.runtime.kill(app.pid("a"));
        assert_eq!(told(app, 3).await, ["b down", "a up", "b up"]);
        assert_eq!(shown(app), "root(o p(a b) c)");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_can_become_another_kind_of_child() {
    let children = vec![teller("a").restart(Restart::Temporary), nested("b", supervisor([teller("c")]))];
    in_both_modes([probes(["o"]), children].concat(), async |app| {
        told(app, 2).await;
        let spec = vec![
            nested("a", supervisor([teller("d")])),
            Child { spec: ChildSpec { id: "b".into(), ..teller("e").restart(Restart::Temporary).spec } },
        ];
        let done = becomes(app, spec).await.expect("it makes sense");
        assert_eq!(
            (texts(&done.stopped), texts(&done.started)),
            (vec!["b".into(), "a".into()], vec!["a".into(), "b".into()])
        );
        assert_eq!(told(app, 4).await, ["c down", "a down", "d up", "e up"]);
        assert_eq!(shown(app), "root(o a(d) b)");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_count_from_now_on() {
    let with = |mailbox: usize, timers: usize| {
        teller("a").limits(|limits| (limits.mailbox_messages, limits.timers) = (mailbox, timers))
    };
    in_both_modes([probes(["o"]), vec![with(10, 10)]].concat(), async |app| {
        told(app, 1).await;
        let before = app.pid("a");
        becomes(app, vec![with(10, 0)]).await.expect("it makes sense");
        assert_eq!(app.pid("a"), before);
        let mark = monitor(app, "o", "a").await;
        app.send("a", &json!({ "do": [{ "StartTimer": { "after_ms": 100_000, "body": null } }] }));
        assert_eq!(reason(app, "o", &mark).await.to_string(), r#"{"limit":"timers"}"#);
        // The one that is restarted has them from its birth.
        eventually("its restart", || app.whereis("a").filter(|pid| *pid != before)).await;
        assert_eq!(process(app, "a").timers, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_counts_with_the_next_instance_in_whatever_class() {
    let hog = |memory_bytes: usize| {
        let hog = Child::new("hog", "memory-hog", &Value::Null).restart(Restart::Permanent);
        hog.limits(|limits| limits.memory_bytes = memory_bytes)
    };
    let take = |bytes: u32| json!({ "Take": { "bytes": bytes } });
    // Given back after every message, so that the next message finds the next instance.
    let app = TestApp::start(Keep::Never, probes(["o"]).into_iter().chain([hog(2 << 20)])).await;
    let before = app.pid("hog");
    for (memory_bytes, fits) in [(64 << 20, 32 << 20), (3 << 20, 1 << 20)] {
        becomes(&app, vec![hog(memory_bytes)]).await.expect("it makes sense");
        eventually("it to sleep", || (process(&app, "hog").status == "hibernating").then_some(())).await;
        assert_eq!(app.ask("hog", take(fits)).await, json!(fits));
        assert_eq!(app.pid("hog"), before);
    }
    eventually("it to sleep", || (process(&app, "hog").status == "hibernating").then_some(())).await;
    let mark = monitor(&app, "o", "hog").await;
    let ended = app.call("hog", take(32 << 20)).await.expect_err("it is too much now");
    assert_eq!(ended, CallError::Ended(ExitReason::limit("memory")));
    assert_eq!(reason(&app, "o", &mark).await.to_string(), r#"{"limit":"memory"}"#);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_was_reconfigured_says_so_and_one_that_ended_cannot_be() {
    in_both_modes(probes(["o"]), async |app| {
        let mut steps = Vec::new();
        let spec = app.runtime.app_spec("test").expect("it runs");
        let root = supervisor(probes(["o"]).into_iter().chain([teller("a")]));
        let wanted = AppSpec { root: root.clone(), ..spec.clone() };
        app.runtime.reconfigure(Reconfiguration::new(wanted), |step| steps.push(step)).await.expect("it makes sense");
        assert!(matches!(&steps[..], [Progress::Starting(path)] if path.to_string() == "a"), "{steps:?}");
        assert_eq!(app.runtime.app_spec("test").expect("it runs").root, root);
        let done = app.runtime.reconfigure(Reconfiguration::new(spec), |_| {}).await.expect("it makes sense");
        assert_eq!(texts(&done.stopped), ["a"]);
    })
    .await;
    let app = TestApp::start(Keep::default(), probes(["o"])).await;
    let spec = app.runtime.app_spec("test").expect("it runs");
    app.runtime.kill(app.runtime.root("test").expect("it runs"));
    assert_eq!(app.runtime.app_gave_up("test").await.expect("it is known"), Some(ExitReason::Killed));
    assert!(app.runtime.has_ended("test"));
    let refused = app.runtime.reconfigure(Reconfiguration::new(spec.clone()), |_| {}).await.expect_err("it has ended");
    assert!(matches!(refused, ReconfigureError::Ended(_)), "{refused}");
    app.runtime.stop_app("test").await.expect("it is known still");
    assert!(matches!(app.runtime.app_gave_up("test").await, Err(RuntimeError::NoSuchApp(_))));
    app.runtime.start_app(spec).await.expect("its name is free");
    let (gave_up, stopped) = tokio::join!(app.runtime.app_gave_up("test"), app.runtime.stop_app("test"));
    assert_eq!((gave_up.expect("it is known"), stopped.expect("it is known")), (None, ExitReason::Shutdown(None)));
}
