//! MON-08 to MON-12: second addresses, which are closed by their process, by a reply, or with a monitor.

use serde_json::{Value, json};
use skep_tests::{TestApp, eventually, in_both_modes};

use super::{block, custom, heard, journal_behind, monitor, of_kind, probes, process, reason, spawn, through};

/// Opens an alias of a probe: what others address.
async fn alias(app: &TestApp, of: &str, once: bool) -> Value {
    app.ask(of, json!({ "OpenAlias": { "once": once } })).await
}

/// A monitor with an alias of this mode: its mark and what others address.
async fn watch(app: &TestApp, by: &str, target: &str, mode: &str) -> (Value, Value) {
    let mut watched = app.ask(by, json!({ "MonitorWith": { "target": target, "alias": mode } })).await;
    (watched["mark"].take(), json!({ "alias": watched["alias"] }))
}

async fn say(app: &TestApp, by: &str, to: &Value, what: &str) {
    let said = app.ask(by, json!({ "Send": { "to": to, "body": what } })).await;
    assert_eq!(said, json!({ "Ok": null }), "whatever becomes of it (MON-12)");
}

/// What a probe was told since it was asked last, once everything that `by` sent has come.
async fn told(app: &TestApp, name: &str, by: &str) -> Vec<Value> {
    let infos = of_kind(&journal_behind(app, name, by).await, "info");
    app.ask(name, json!("Take")).await;
    infos
}

#[tokio::test(flavor = "multi_thread")]
async fn mon_08_what_goes_through_a_closed_alias_is_dropped_and_what_came_before_stays() {
    in_both_modes(probes(["a", "b", "holder"]), async |app| {
        let way = alias(app, "a", false).await;
        assert_ne!(way["alias"], json!(app.pid_text("a")));
        block(app, "a", "holder").await;
        app.ask("b", json!({ "Cast": { "to": way, "body": "cast" } })).await;
        say(app, "b", &way, "sent").await;
        // It waits in the mailbox while the alias is closed, by a script that waits behind it.
        let close =
            json!({ "do": [{ "Unalias": { "alias": way["alias"] } }, { "Unalias": { "alias": way["alias"] } }] });
        let named = |body: &Value| json!({ "SendNamed": { "name": "a", "body": body } });
        app.ask("b", named(&close)).await;
        app.ask("holder", json!({ "Release": { "body": null } })).await;
        let journal = app.journal("a", |journal| of_kind(journal, "did").len() >= 2).await;
        assert_eq!(of_kind(&journal, "did")[1], json!([true, false]));
        assert!(
            journal.contains(&json!({ "cast": "cast" })) && journal.contains(&json!({ "info": "sent" })),
            "{journal:?}"
        );
        app.ask("a", json!("Take")).await;

        say(app, "b", &way, "late").await;
        app.ask("b", json!({ "Cast": { "to": way, "body": "late" } })).await;
        app.ask("b", json!({ "SendAfter": { "after_ms": 0, "to": way, "body": "late" } })).await;
        assert_eq!(journal_behind(app, "a", "b").await, [] as [Value; 0]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mon_09_an_alias_for_a_reply_takes_one_message() {
    in_both_modes(probes(["a", "b"]), async |app| {
        let way = alias(app, "a", true).await;
        for what in ["first", "second", "third", "fourth"] {
            say(app, "b", &way, what).await;
        }
        assert_eq!(told(app, "a", "b").await, [json!("first")]);
        assert_eq!(app.ask("a", json!({ "Unalias": { "alias": way["alias"] } })).await, json!(false));
        let other = alias(app, "a", true).await;
        assert_ne!(other, way);
        say(app, "b", &other, "again").await;
        assert_eq!(told(app, "a", "b").await, [json!("again")]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mon_11_an_alias_and_its_monitor_live_apart_or_together() {
    in_both_modes(probes(["o", "b"]), async |app| {
        for (mode, after_loss, after_reply) in
            [("explicit-unalias", true, true), ("demonitor", false, true), ("reply-demonitor", false, false)]
        {
            // By a loss.
            let pid = spawn(app, "o", Value::Null).await;
            let (mark, way) = watch(app, "o", &pid, mode).await;
            app.ask("b", json!({ "Kill": { "to": pid } })).await;
            assert_eq!(reason(app, "o", &mark).await, json!("killed"), "{mode}");
            app.ask("o", json!("Take")).await;
            say(app, "b", &way, "after the loss").await;
            assert_eq!(told(app, "o", "b").await.len(), usize::from(after_loss), "{mode}");

            // Taken back.
            let pid = spawn(app, "o", Value::Null).await;
            let (mark, way) = watch(app, "o", &pid, mode).await;
            assert_eq!(app.ask("o", json!({ "Demonitor": { "mark": mark } })).await, json!(true));
            say(app, "b", &way, "after that").await;
            assert_eq!(told(app, "o", "b").await.len(), usize::from(after_loss), "{mode}");

            // Closed: the monitor stays.
            let (mark, way) = watch(app, "o", &pid, mode).await;
            assert_eq!(app.ask("o", json!({ "Unalias": { "alias": way["alias"] } })).await, json!(true));
            say(app, "b", &way, "never").await;
            assert_eq!(told(app, "o", "b").await, [] as [Value; 0], "{mode}");
            through(app, "b", &pid, json!({ "ReplyAndStop": custom("x") })).await;
            assert_eq!(reason(app, "o", &mark).await, custom("x"), "{mode}");

            // Replied to: an alias for one reply ends its monitor.
            let pid = spawn(app, "o", Value::Null).await;
            let (mark, way) = watch(app, "o", &pid, mode).await;
            say(app, "b", &way, "one").await;
            say(app, "b", &way, "two").await;
            assert_eq!(told(app, "o", "b").await.len(), if after_reply { 2 } else { 1 }, "{mode}");
            assert_eq!(app.ask("o", json!({ "Demonitor": { "mark": mark } })).await, json!(after_reply), "{mode}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mon_12_nobody_can_ask_whom_an_alias_names_or_whether_it_is_open() {
    in_both_modes(probes(["a", "b", "o"]), async |app| {
        let open = alias(app, "a", false).await;
        let gone = spawn(app, "b", Value::Null).await;
        let closed = through(app, "b", &gone, json!({ "OpenAlias": { "once": true } })).await;
        app.ask("b", json!({ "Kill": { "to": gone } })).await;
        eventually("its end", || app.runtime.processes().iter().all(|one| one.pid.to_text() != gone).then_some(())).await;
        for way in [&open, &closed] {
            // Another's alias: no, be it open or not.
            assert_eq!(app.ask("b", json!({ "Unalias": { "alias": way["alias"] } })).await, json!(false));
            say(app, "b", way, "hello").await;
            // The pid of nobody, whose tag and number it is.
            assert_eq!(app.ask("b", json!({ "IsAlive": { "pid": way["alias"] } })).await, json!(false));
            assert!(app.ask("b", json!({ "Link": { "to": way["alias"] } })).await["Err"]["unknown"].is_string());
            let asker = spawn(app, "o", Value::Null).await;
            let mark = monitor(app, "o", asker.clone()).await;
            let asks = json!({ "do": [{ "Monitor": { "target": way } }] });
            app.ask("o", json!({ "Send": { "to": asker, "body": asks } })).await;
            assert_eq!(reason(app, "o", &mark).await, json!({ "failed": "an alias cannot be monitored" }));
        }
        let call = |to: &Value, timeout_ms: u64| {
            json!({ "Call": { "to": to, "body": { "Echo": 1 }, "timeout_ms": timeout_ms } })
        };
        assert_eq!(app.ask("b", call(&open, 5000)).await, json!({ "Ok": 1 }));
        assert_eq!(app.ask("b", call(&closed, 30)).await, json!({ "Err": "timeout" }));
        assert_eq!(process(app, "b").dropped, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mon_06_messages_by_pid_by_name_and_by_alias_keep_their_order_and_come_before_the_loss() {
    in_both_modes(probes(["o"]), async |app| {
        let o = app.pid_text("o");
        for _ in 0..10 {
            let way = alias(app, "o", false).await;
            let pid = spawn(app, "o", Value::Null).await;
            monitor(app, "o", pid.clone()).await;
            let words = json!([
                { "Send": { "to": o, "body": 1 } },
                { "Send": { "to": way, "body": 2 } },
                { "SendNamed": { "name": "o", "body": 3 } },
                { "Cast": { "to": way, "body": 4 } },
                { "Stop": { "reason": custom("x") } }
            ]);
            app.ask("o", json!({ "Send": { "to": pid, "body": { "do": words } } })).await;
            heard(app, "o", "down", 1).await;
            let journal = app.ask("o", json!("Take")).await;
            let expected = [json!({ "info": 1 }), json!({ "info": 2 }), json!({ "info": 3 }), json!({ "cast": 4 })];
            assert_eq!(journal.as_array().map(|journal| &journal[..4]), Some(&expected[..]), "{journal}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mon_12_nobody_is_told_to_end_through_an_alias() {
    in_both_modes(probes(["a", "b"]), async |app| {
        let way = alias(app, "a", false).await;
        let stop = json!({ "StopServer": { "to": way, "reason": "normal" } });
        let refused = json!({ "Err": { "refused": "an alias carries messages alone" } });
        assert_eq!(app.ask("b", stop).await, refused);
        assert_eq!(app.ask("a", json!({ "Echo": 1 })).await, 1);
    })
    .await;
}
