//! SUP-24, SUP-26: children whose end is their supervisor's; and restarts that wait.

use skep_runtime::kernel::supervisor::{AutoShutdown, Backoff};
use skep_runtime::observe::{Decision, Report};

use super::*;

fn significant(mut child: Child, restart: Restart) -> Child {
    (child.spec.significant, child.spec.restart) = (true, restart);
    child
}

fn ending(auto_shutdown: AutoShutdown, children: impl IntoIterator<Item = Child>) -> SupervisorSpec<Blueprint> {
    SupervisorSpec { auto_shutdown, ..supervisor(children) }
}

#[tokio::test(flavor = "multi_thread")]
async fn sup_24_any_significant_end_for_good_stops_the_rest_and_the_supervisor() {
    in_both_modes(probes(["o"]), async |app| {
        let children = [teller("a"), significant(teller("b"), Restart::Transient), teller("c")];
        let sup = add(app, inner(ending(AutoShutdown::AnySignificant, children))).await;
        let mark = monitor(app, "o", sup.to_text()).await;
        assert_eq!(told(app, 3).await, ["a up", "b up", "c up"]);
        // A crash is what restarts are for.
        assert!(app.call("b", json!({ "Fail": "crash" })).await.is_err());
        assert_eq!(told(app, 2).await, ["b down", "b up"]);
        app.ask("b", json!({ "ReplyAndStop": "normal" })).await;
        assert_eq!(reason(app, "o", &mark).await, shutdown());
        assert_eq!(told(app, 3).await, ["b down", "c down", "a down"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sup_24_all_significant_waits_for_the_last() {
    in_both_modes(probes(["o"]), async |app| {
        let children =
            [significant(teller("a"), Restart::Transient), significant(teller("b"), Restart::Temporary), teller("c")];
        let sup = add(app, inner(ending(AutoShutdown::AllSignificant, children))).await;
        let mark = monitor(app, "o", sup.to_text()).await;
        assert_eq!(told(app, 3).await.len(), 3);
        assert!(app.call("b", json!({ "Fail": "crash" })).await.is_err());
        app.ask("c", json!({ "ReplyAndStop": "normal" })).await;
        assert_eq!(told(app, 3).await, ["b down", "c down", "c up"], "the supervisor serves");
        app.ask("a", json!({ "ReplyAndStop": "normal" })).await;
        assert_eq!(reason(app, "o", &mark).await, shutdown());
        assert_eq!(told(app, 2).await, ["a down", "c down"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sup_26_a_supervisor_above_ends_only_if_the_one_below_is_significant() {
    let below = || ending(AutoShutdown::AnySignificant, [significant(teller("a"), Restart::Transient)]);
    let nested = |significant| {
        let mut spec = ChildSpec::supervisor("below", Blueprint::Supervisor(below().into()));
        (spec.restart, spec.significant) = (Restart::Transient, significant);
        Child { spec }
    };
    in_both_modes(probes(["o"]), async |app| {
        for climbs in [false, true] {
            let above = inner(ending(AutoShutdown::AnySignificant, [teller("z"), nested(climbs)]));
            let sup = add(app, above).await;
            let mark = monitor(app, "o", sup.to_text()).await;
            assert_eq!(told(app, 2).await, ["z up", "a up"]);
            app.ask("a", json!({ "ReplyAndStop": "normal" })).await;
            if climbs {
                assert_eq!(reason(app, "o", &mark).await, shutdown());
            } else {
                eventually("the supervisor below to end", || app.whereis("a").is_none().then_some(())).await;
                let stopped = async || child(app, sup, "below").await.expect("its spec is known").status;
                while stopped().await != ChildStatus::Stopped {}
                assert_eq!(ask(app, root(app), Request::TerminateChild("inner".into())).await, Ok(Answer::Done));
            }
            assert_eq!(told(app, 2).await, ["a down", "z down"]);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sup_26_significant_for_nothing_is_refused() {
    in_both_modes(probes(["o"]), async |app| {
        let spec = significant(teller("a"), Restart::Transient).spec;
        let refused = ask(app, root(app), Request::StartChild(spec)).await;
        let expected = SpecError::SignificantForNothing("a".into());
        assert_eq!(refused, Err(RequestError::Invalid(expected)));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn restarts_in_a_row_wait_and_the_tree_says_how_long() {
    in_both_modes(probes(["o"]), async |app| {
        let hour = Duration::from_secs(3_600);
        let backoff = Some(Backoff { first: hour, most: hour });
        let sup = add(app, inner(SupervisorSpec { backoff, ..supervisor([teller("a")]) })).await;
        assert!(app.call("a", json!({ "Fail": "once" })).await.is_err());
        assert_eq!(told(app, 3).await, ["a up", "a down", "a up"], "the first restart is at once");
        assert!(app.call("a", json!({ "Fail": "twice" })).await.is_err());
        assert_eq!(told(app, 1).await, ["a down"]);
        let tree = eventually("the wait", || {
            let root = app.runtime.tree("test")?;
            let inner = root.children.into_iter().find(|child| &*child.id == "inner")?;
            inner.children.into_iter().find(|child| child.restart_in.is_some())
        });
        let waiting = tree.await;
        assert_eq!((&*waiting.id, waiting.status), ("a", "restarting"));
        assert!(waiting.restart_in.expect("it waits") <= hour);
        let decided: Vec<Decision> = app
            .reports()
            .into_iter()
            .filter_map(|report| match report {
                Report::Crash { about, .. } => Some(about.decision),
                _ => None,
            })
            .collect();
        assert_eq!(decided, [Decision::Restarting { restarts: 1 }, Decision::RestartingLater]);
        // Nothing is held up by it.
        assert_eq!(ask(app, sup, Request::TerminateChild("a".into())).await, Ok(Answer::Done));
        let again = ask(app, sup, Request::RestartChild("a".into())).await;
        assert!(matches!(again, Ok(Answer::Started(Some(_)))), "{again:?}");
        assert_eq!(told(app, 1).await, ["a up"]);
    })
    .await;
}
