//! LINK: one tie a pair, made and undone from either side.

use serde_json::{Value, json};
use skep_tests::{TestApp, in_both_modes};

use super::{dead, heard, monitor, of_kind, probes, reason, spawn, through};

/// Kills a process that `a` monitors, and brings the exit signals that `a` was handed by then.
async fn exits_at_a_when_killed(app: &TestApp, pid: &str) -> Vec<Value> {
    let mark = monitor(app, "a", pid).await;
    app.ask("a", json!({ "Kill": { "to": pid } })).await;
    assert_eq!(reason(app, "a", &mark).await, json!("killed"));
    let journal = app.ask("a", json!("Take")).await;
    of_kind(journal.as_array().expect("a journal"), "exit")
}

#[tokio::test(flavor = "multi_thread")]
async fn link_01_either_side_makes_a_link_and_either_is_told() {
    in_both_modes(probes(["a"]), async |app| {
        app.ask("a", json!({ "TrapExit": true })).await;
        let a = app.pid_text("a");
        let made_by_a = spawn(app, "a", Value::Null).await;
        app.ask("a", json!({ "Link": { "to": made_by_a } })).await;
        let made_by_other = spawn(app, "a", json!([{ "Link": { "to": a } }])).await;
        for pid in [made_by_a, made_by_other] {
            let exits = exits_at_a_when_killed(app, &pid).await;
            assert_eq!(exits, [json!({ "pid": pid, "reason": "killed" })]);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn link_01_either_side_undoes_a_link() {
    in_both_modes(probes(["a"]), async |app| {
        app.ask("a", json!({ "TrapExit": true })).await;
        let a = app.pid_text("a");
        for _ in 0..5 {
            let other = spawn(app, "a", json!([{ "Link": { "to": a } }])).await;
            app.ask("a", json!({ "Unlink": { "to": other } })).await;
            assert_eq!(exits_at_a_when_killed(app, &other).await, [] as [Value; 0], "undone by who did not make it");
            let other = spawn(app, "a", Value::Null).await;
            app.ask("a", json!({ "Link": { "to": other } })).await;
            through(app, "a", &other, json!({ "Unlink": { "to": a } })).await;
            assert_eq!(exits_at_a_when_killed(app, &other).await, [] as [Value; 0], "undone by the other side");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn link_02_there_is_one_link_a_pair() {
    in_both_modes(probes(["a"]), async |app| {
        app.ask("a", json!({ "TrapExit": true })).await;
        let a = app.pid_text("a");
        let other = spawn(app, "a", json!([{ "Link": { "to": a } }])).await;
        let link = json!({ "Link": { "to": other } });
        app.steps("a", json!([link, link, { "Unlink": { "to": other } }])).await;
        assert_eq!(exits_at_a_when_killed(app, &other).await, [] as [Value; 0], "one unlink undoes all");

        let other = spawn(app, "a", json!([{ "Link": { "to": a } }])).await;
        let link = json!({ "Link": { "to": other } });
        assert_eq!(app.steps("a", json!([link, link])).await, json!([{ "Ok": null }, { "Ok": null }]));
        let exits = exits_at_a_when_killed(app, &other).await;
        assert_eq!(exits, [json!({ "pid": other, "reason": "killed" })], "one signal");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn link_05_linking_oneself_and_unlinking_a_stranger_do_nothing() {
    in_both_modes(probes(["a", "b"]), async |app| {
        let (a, b) = (app.pid_text("a"), app.pid_text("b"));
        let dead = dead(app, "a").await;
        let [b_again, gone] = [&b, &dead].map(|pid| json!({ "Unlink": { "to": pid } }));
        let steps = json!([{ "Link": { "to": a } }, b_again, gone, { "Unlink": { "to": a } }, { "Link": { "to": a } }]);
        assert_eq!(app.steps("a", steps).await, json!([{ "Ok": null }, null, null, null, { "Ok": null }]));
        assert_eq!(app.ask("a", json!("Journal")).await, json!([]), "and nothing is heard of it");
        let mark = monitor(app, "b", a).await;
        app.ask("a", json!({ "ReplyAndStop": { "custom": { "text": "alone" } } })).await;
        assert_eq!(reason(app, "b", &mark).await, json!({ "custom": { "text": "alone" } }));
        assert_eq!(heard(app, "b", "exit", 0).await, [] as [Value; 0]);
    })
    .await;
}
