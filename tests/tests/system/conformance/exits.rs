//! EXIT: exit signals and reasons, from whom to whom, and who hears what.

use serde_json::{Value, json};
use skep_runtime::kernel::supervisor::Restart;
use skep_tests::{Child, TestApp, eventually, in_both_modes};

use super::{custom, dead, heard, journal_behind, monitor, of_kind, probes, reason, shutdown, spawn, through};

/// Has one probe link with another.
async fn link(app: &TestApp, by: &str, to: &str) {
    assert_eq!(app.ask(by, json!({ "Link": { "to": app.pid_text(to) } })).await, json!({ "Ok": null }));
}

/// The exit signals that a probe was handed, once it has the first.
async fn exits(app: &TestApp, name: &str) -> Vec<Value> {
    heard(app, name, "exit", 1).await
}

#[tokio::test(flavor = "multi_thread")]
async fn exit_01_normal_from_another_is_ignored_unless_trapped() {
    in_both_modes(probes(["a", "b"]), async |app| {
        let (a, b) = (app.pid("a").to_text(), app.pid("b"));
        let exit = json!({ "Exit": { "to": b.to_text(), "reason": "normal" } });
        app.ask("a", exit.clone()).await;
        assert_eq!(journal_behind(app, "b", "a").await, [] as [Value; 0]);
        assert_eq!(app.pid("b"), b);
        app.ask("b", json!({ "TrapExit": true })).await;
        app.ask("a", exit).await;
        assert_eq!(exits(app, "b").await, [json!({ "pid": a, "reason": "normal" })]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn exit_03_an_exit_signal_to_oneself_cannot_be_stopped_but_trapped() {
    in_both_modes(probes(["o"]), async |app| {
        for own in [custom("me"), json!("normal"), shutdown()] {
            let script = json!([
                "Me",
                { "Exit": { "to": { "step": 0 }, "reason": own } },
                { "SendNamed": { "name": "o", "body": "it was stopped" } }
            ]);
            let pid = spawn(app, "o", json!([{ "AtEnd": { "tell": { "name": "o" } } }])).await;
            let mark = monitor(app, "o", pid.clone()).await;
            app.ask("o", json!({ "Send": { "to": pid, "body": { "do": script } } })).await;
            assert_eq!(reason(app, "o", &mark).await, own);
            let journal = app.ask("o", json!("Take")).await;
            assert_eq!(of_kind(journal.as_array().expect("a journal"), "info"), [] as [Value; 0]);

            let pid = spawn(app, "o", json!([{ "TrapExit": true }])).await;
            through(app, "o", &pid, json!({ "Exit": { "to": pid, "reason": own } })).await;
            let journal = through(app, "o", &pid, json!("Journal")).await;
            assert_eq!(journal[1], json!({ "exit": { "pid": pid, "reason": own } }));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn exit_04_kill_ends_even_who_traps_and_observers_see_killed() {
    let victim = Child::probe("victim").restart(Restart::Transient);
    in_both_modes([probes(["o", "peer"]), vec![victim]].concat(), async |app| {
        let victim = app.pid("victim");
        app.steps("victim", json!([{ "TrapExit": true }, { "AtEnd": { "tell": { "name": "o" } } }])).await;
        app.ask("peer", json!({ "TrapExit": true })).await;
        link(app, "peer", "victim").await;
        let mark = monitor(app, "o", victim.to_text()).await;
        app.ask("o", json!({ "Kill": { "to": victim.to_text() } })).await;
        assert_eq!(reason(app, "o", &mark).await, json!("killed"));
        assert_eq!(exits(app, "peer").await, [json!({ "pid": victim.to_text(), "reason": "killed" })]);
        // To its supervisor it is no orderly end.
        let next = eventually("the restart", || app.whereis("victim").filter(|&pid| pid != victim)).await;
        assert_ne!(next, victim);
        assert_eq!(heard(app, "o", "info", 0).await, [] as [Value; 0], "it ran no cleanup");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn exit_05_kill_is_passed_on_as_an_ordinary_killed() {
    in_both_modes(probes(["a", "b", "c", "d", "o"]), async |app| {
        app.ask("d", json!({ "TrapExit": true })).await;
        for (by, to) in [("a", "b"), ("c", "b"), ("c", "d")] {
            link(app, by, to).await;
        }
        let c = app.pid_text("c");
        let marks = [monitor(app, "o", app.pid_text("b")).await, monitor(app, "o", c.clone()).await];
        app.ask("o", json!({ "Kill": { "to": app.pid_text("a") } })).await;
        for mark in &marks {
            assert_eq!(reason(app, "o", mark).await, json!("killed"));
        }
        assert_eq!(exits(app, "d").await, [json!({ "pid": c, "reason": "killed" })]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn exit_07_a_linked_end_takes_the_untrapping_along_with_the_identical_reason() {
    let ends = [
        json!({ "StopWith": custom("tired") }),
        json!({ "Fail": "no" }),
        json!({ "Panic": "oh no" }),
        json!({ "Stop": { "reason": { "limit": "patience" } } }),
    ];
    in_both_modes(probes(["o"]), async |app| {
        for end in &ends {
            // o watches a, b and c; they are linked in a row, and d, at its end, traps.
            let mut row = Vec::new();
            for _ in 0..4 {
                row.push(spawn(app, "o", Value::Null).await);
            }
            let (d, others) = row.split_last().expect("four of them");
            through(app, "o", d, json!({ "TrapExit": true })).await;
            for pair in row.windows(2) {
                through(app, "o", &pair[0], json!({ "Link": { "to": pair[1] } })).await;
            }
            let mut marks = Vec::new();
            for pid in others {
                marks.push(monitor(app, "o", pid.clone()).await);
            }
            app.ask("o", json!({ "Send": { "to": row[0], "body": { "do": [end] } } })).await;
            let first = reason(app, "o", &marks[0]).await;
            for mark in &marks[1..] {
                assert_eq!(reason(app, "o", mark).await, first);
            }
            let journal = app.ask("o", json!({ "Call": { "to": { "pid": d }, "body": "Journal" } })).await;
            assert_eq!(journal["Ok"], json!([{ "exit": { "pid": row[2], "reason": first } }]), "{end}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn exit_07_a_linked_normal_end_is_ignored_or_trapped() {
    in_both_modes(probes(["a", "b", "trapping"]), async |app| {
        let a = app.pid_text("a");
        app.ask("trapping", json!({ "TrapExit": true })).await;
        link(app, "a", "b").await;
        link(app, "trapping", "a").await;
        let mark = monitor(app, "b", a.clone()).await;
        app.ask("a", json!({ "ReplyAndStop": "normal" })).await;
        assert_eq!(exits(app, "trapping").await, [json!({ "pid": a, "reason": "normal" })]);
        assert_eq!(reason(app, "b", &mark).await, json!("normal"), "b lives");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn exit_08_shutdown_over_a_link_ends_like_any_other_reason() {
    in_both_modes(probes(["o"]), async |app| {
        for orderly in [shutdown(), json!({ "shutdown": { "text": "for the night" } })] {
            let first = spawn(app, "o", Value::Null).await;
            let second = spawn(app, "o", json!([{ "Link": { "to": first } }])).await;
            let mark = monitor(app, "o", second).await;
            through(app, "o", &first, json!({ "ReplyAndStop": orderly })).await;
            assert_eq!(reason(app, "o", &mark).await, orderly);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn exit_12_a_large_reason_reaches_links_and_monitors_unchanged() {
    let large = "x\u{e9}\u{1f41d}".repeat(20_000);
    let reasons = [json!({ "custom": { "text": large } }), json!({ "shutdown": { "json": format!("[\"{large}\"]") } })];
    // A body is a value in JSON, in a message in JSON, in a journal: the probes need some room for all that.
    let roomy = |name: &str| Child::probe(name).limits(|limits| limits.memory_bytes = 32 << 20);
    in_both_modes(["o", "peer", "first", "second"].map(roomy), async |app| {
        for (name, reason_of) in ["first", "second"].iter().zip(&reasons) {
            let pid = app.pid_text(name);
            app.ask("peer", json!({ "TrapExit": true })).await;
            link(app, "peer", name).await;
            let mark = monitor(app, "o", pid.clone()).await;
            // One of them by its own hand, and one by another's.
            if *name == "first" {
                app.send(name, &json!({ "do": [{ "Stop": { "reason": reason_of } }] }));
            } else {
                app.ask("o", json!({ "Exit": { "to": pid, "reason": reason_of } })).await;
            }
            let heard_of = reason(app, "o", &mark).await;
            assert!(heard_of == *reason_of, "{name}: another reason, of {} bytes", heard_of.to_string().len());
            let exit = &exits(app, "peer").await[0];
            assert!(*exit == json!({ "pid": pid, "reason": reason_of }), "{name}: another exit signal");
            app.ask("peer", json!("Take")).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn exit_09_a_link_to_the_dead_is_refused_or_trapped() {
    in_both_modes(probes(["a"]), async |app| {
        let dead = dead(app, "a").await;
        let link = json!({ "Link": { "to": dead } });
        assert!(app.ask("a", link.clone()).await["Err"]["unknown"].is_string(), "a refusal, and it lives");
        assert_eq!(app.steps("a", json!([{ "TrapExit": true }, link])).await, json!([false, { "Ok": null }]));
        assert_eq!(exits(app, "a").await, [json!({ "pid": dead, "reason": "noproc" })]);
    })
    .await;
}
