//! MON: one-way, one-shot, each on its own, and behind everything that was said before.

use serde_json::{Value, json};
use skep_tests::in_both_modes;

use super::{custom, dead, heard, journal_behind, loss, monitor, probes, reason, spawn, through};

#[tokio::test(flavor = "multi_thread")]
async fn mon_01_a_monitor_is_one_way_and_tells_once() {
    in_both_modes(probes(["o", "p", "watched"]), async |app| {
        let watched = app.pid_text("watched");
        // One watcher ends before the watched, which must not mind.
        let watcher = spawn(app, "o", Value::Null).await;
        through(app, "o", &watcher, json!({ "Monitor": { "target": watched } })).await;
        let mark = monitor(app, "o", watcher.clone()).await;
        app.ask("o", json!({ "Kill": { "to": watcher } })).await;
        reason(app, "o", &mark).await;
        assert_eq!(journal_behind(app, "watched", "o").await, [] as [Value; 0]);
        assert_eq!(app.pid_text("watched"), watched);

        let mark = monitor(app, "p", watched.clone()).await;
        app.ask("watched", json!({ "ReplyAndStop": custom("x") })).await;
        let expected = json!({ "mark": mark, "target": { "pid": watched }, "reason": custom("x") });
        assert_eq!(loss(app, "p", &mark).await, expected);
        let again = monitor(app, "p", watched.clone()).await;
        assert_eq!(reason(app, "p", &again).await, json!("noproc"));
        assert_eq!(heard(app, "p", "down", 2).await[0], expected, "and not twice");
        assert_eq!(app.ask("p", json!({ "Demonitor": { "mark": mark } })).await, json!(false), "it has fired");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mon_02_watching_the_dead_or_unknown_brings_noproc() {
    in_both_modes(probes(["o"]), async |app| {
        let dead = dead(app, "o").await;
        for target in [json!({ "pid": dead }), json!({ "name": "nobody" })] {
            let mark = monitor(app, "o", target.clone()).await;
            let expected = json!({ "mark": mark, "target": target, "reason": "noproc" });
            assert_eq!(loss(app, "o", &mark).await, expected);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mon_03_monitors_on_one_process_are_independent() {
    in_both_modes(probes(["o", "watched"]), async |app| {
        let watched = app.pid_text("watched");
        let mut marks = Vec::new();
        for target in [json!(watched), json!("watched"), json!(watched), json!(watched)] {
            marks.push(monitor(app, "o", target).await);
        }
        let demonitor = json!({ "Demonitor": { "mark": marks[2], "flush": true } });
        assert_eq!(app.steps("o", json!([demonitor, demonitor])).await, json!([true, false]));
        app.ask("o", json!({ "Kill": { "to": watched } })).await;
        for mark in [&marks[0], &marks[1], &marks[3]] {
            assert_eq!(reason(app, "o", mark).await, json!("killed"));
        }
        assert_eq!(heard(app, "o", "down", 3).await.len(), 3);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mon_04_a_monitor_by_name_binds_to_its_holder_of_that_moment() {
    in_both_modes(probes(["o", "first"]), async |app| {
        let first = app.pid_text("first");
        let second = spawn(app, "o", Value::Null).await;
        let mark = monitor(app, "o", "first").await;
        assert_eq!(app.ask("first", json!({ "Unregister": { "name": "first" } })).await, json!(true));
        let register = json!({ "Register": { "name": "first", "pid": second } });
        assert_eq!(app.ask("o", register).await, json!({ "Ok": null }));

        let other = monitor(app, "o", second.clone()).await;
        app.ask("o", json!({ "Kill": { "to": second } })).await;
        reason(app, "o", &other).await;
        let downs = heard(app, "o", "down", 1).await;
        assert_eq!(downs.len(), 1, "it does not follow the name: {downs:?}");

        through(app, "o", &first, json!({ "ReplyAndStop": custom("x") })).await;
        let expected = json!({ "mark": mark, "target": { "name": "first" }, "reason": custom("x") });
        assert_eq!(loss(app, "o", &mark).await, expected);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mon_07_a_tag_comes_with_the_loss_also_of_nobody() {
    in_both_modes(probes(["o", "p", "watched"]), async |app| {
        let watch = |target: Value, tag: Value| json!({ "MonitorWith": { "target": target, "tag": tag } });
        let watched = app.pid_text("watched");
        let dead = dead(app, "o").await;
        let marks = app
            .steps(
                "o",
                json!([
                    watch(json!(watched), json!({ "which": [1, 2] })),
                    watch(json!("watched"), json!({ "$raw": [0, 255] })),
                    watch(json!(dead), json!({ "$text": "dead" })),
                    watch(json!("nobody"), json!("nobody")),
                    { "Monitor": { "target": watched } }
                ]),
            )
            .await;
        app.ask("p", json!({ "Kill": { "to": watched } })).await;
        let tag = async |mark: &Value| loss(app, "o", mark).await["tag"].take();
        assert_eq!(tag(&marks[0]["mark"]).await, json!({ "json": "{\"which\":[1,2]}" }));
        assert_eq!(tag(&marks[1]["mark"]).await, json!({ "raw": [0, 255] }));
        assert_eq!(tag(&marks[2]["mark"]).await, json!({ "text": "dead" }));
        assert_eq!(tag(&marks[3]["mark"]).await, json!({ "json": "\"nobody\"" }));
        assert_eq!(tag(&marks[4]).await, Value::Null);
        assert_eq!(reason(app, "o", &marks[3]["mark"]).await, json!("noproc"));

        let watcher = spawn(app, "o", Value::Null).await;
        let mark = monitor(app, "o", watcher.clone()).await;
        let too_much = json!({ "do": [watch(json!("p"), json!({ "$zeros": 1025 }))] });
        app.ask("o", json!({ "Send": { "to": watcher, "body": too_much } })).await;
        assert_eq!(reason(app, "o", &mark).await, json!({ "limit": "tag" }));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mon_06_the_last_messages_come_before_the_loss() {
    in_both_modes(probes(["o"]), async |app| {
        let o = app.pid_text("o");
        for round in 0..10 {
            let name = format!("last-{round}");
            let init = json!([{ "Register": { "name": name } }]);
            let pid = spawn(app, "o", init).await;
            monitor(app, "o", pid.clone()).await;
            monitor(app, "o", name).await;
            app.ask("o", json!("Take")).await;
            let words = json!([
                { "Send": { "to": o, "body": 1 } },
                { "SendNamed": { "name": "o", "body": 2 } },
                { "Cast": { "to": { "name": "o" }, "body": 3 } },
                { "Send": { "to": { "pid": o }, "body": 4 } },
                { "Stop": { "reason": custom("x") } }
            ]);
            app.ask("o", json!({ "Send": { "to": pid, "body": { "do": words } } })).await;
            heard(app, "o", "down", 2).await;
            let Value::Array(journal) = app.ask("o", json!("Take")).await else { panic!("no journal") };
            let expected = [json!({ "info": 1 }), json!({ "info": 2 }), json!({ "cast": 3 }), json!({ "info": 4 })];
            assert_eq!(journal[..4], expected, "{journal:?}");
            assert_eq!(journal.len(), 6, "{journal:?}");
        }
    })
    .await;
}
