//! Guests that send what nobody wants, in numbers or sizes that nobody wants, and in other people's names.

use serde_json::{Value, json};
use skep_runtime::kernel::Limits;
use skep_runtime::kernel::process::MADE_UP;
use skep_tests::{Child, eventually};

use crate::scene::{Scene, last};
use crate::suite::{Seen, crimes};

crimes! {
    Messages;

    a_flood_of_messages: "sends to one who takes nothing, without end", Limit("fuel"), 64 MiB =>
        |scene| flood(scene, "Send", |limits| limits.fuel_per_message = 300_000_000);
    a_flood_of_casts: "casts to one who takes nothing, without end", Limit("fuel"), 64 MiB =>
        |scene| flood(scene, "Cast", |limits| limits.fuel_per_message = 300_000_000);
    a_flood_of_answers: "asks without end, and brings as many answers upon itself", Limit("mailbox"), 64 MiB =>
        |scene| flood(scene, "Request", |limits| {
            (limits.mailbox_messages, limits.links, limits.requests, limits.timers, limits.monitors) = (1_000, 8, 8, 8, 0);
        });
    more_than_a_mailbox_holds: "sends 130 messages to one who takes nothing and may have 100", Throttled, 32 MiB =>
        |scene| beyond(scene, 130);
    a_giant_body: "sends a body beyond the limit", Refused("limit"), 32 MiB =>
        |scene| to_neighbour(scene, |to| json!({ "Send": { "to": to, "body": { "$zeros": 1_048_577 } } }));
    a_giant_body_to_one_who_takes_less: "sends a body that its receiver may not take", Refused("limit"), 32 MiB =>
        |scene| small_receiver(scene);
    a_giant_reply_to_a_call: "replies to a call with more than a body may have", Limit("body"), 32 MiB =>
        |scene| scene.call(
            Child::probe("culprit").limits(|limits| limits.body_bytes = 1_000),
            json!({ "Many": [{ "Echo": "x".repeat(300) }, "Journal", "Journal", "Journal", "Journal"] }));
    forged_pids: "addresses a thousand pids that were never given", Limit("pids that were never given"), 32 MiB =>
        |scene| guesses(scene);
    forged_marks: "cancels timers, requests and monitors of others, by their numbers", Nothing, 32 MiB =>
        |scene| marks(scene);
    a_forged_caller: "answers calls that nobody made to it", Nothing, 32 MiB =>
        |scene| callers(scene);
    a_reply_to_the_call_of_another: "answers a call that somebody else holds, of which it has heard", Nothing, 32 MiB =>
        |scene| anothers_call(scene, 1);
    two_replies_to_one_call: "answers such a call twice", Nothing, 32 MiB =>
        |scene| anothers_call(scene, 2);
    an_alias_of_another: "closes the alias of another process", Nothing, 32 MiB =>
        |scene| alias(scene);
    calls_in_a_circle: "calls one who calls it", Refused("deadlock: accomplice"), 32 MiB =>
        |scene| circle(scene);
    a_message_to_the_neighbour: "sends what the neighbour does not understand", Nothing, 32 MiB =>
        |scene| to_neighbour(scene, |to| json!({ "Send": { "to": to, "body": { "$raw": [255, 0, 193] } } }));
    a_signal_to_the_supervisor: "sends its own supervisor messages and replies", Nothing, 32 MiB =>
        |scene| supervisor(scene);
}

/// A process that takes nothing, because it waits for one that answers nobody.
async fn sink(scene: &Scene, limits: impl FnOnce(&mut Limits)) {
    scene.other(Child::probe("holder")).await;
    let sink = scene.other(Child::probe("sink").limits(limits)).await;
    let waits = json!({ "do": [{ "Call": { "to": { "name": "holder" }, "body": "Hold", "timeout_ms": null } }] });
    scene.app.send("sink", &waits);
    let blocked = || scene.app.runtime.inspect(sink).is_some_and(|sink| sink.process.status == "blocked");
    eventually("the sink to block", || blocked().then_some(())).await;
}

fn order(by: &str, times: Option<u64>) -> Value {
    json!({ "Flood": { "to": { "name": "sink" }, "times": times, "bytes": 100, "by": by } })
}

async fn flood(scene: &Scene, by: &str, limits: impl FnOnce(&mut Limits)) -> Seen {
    sink(scene, |_| {}).await;
    scene.call(Child::new("culprit", "mailbox-flooder", &Value::Null).limits(limits), order(by, None)).await
}

async fn beyond(scene: &Scene, times: u64) -> Seen {
    sink(scene, |limits| limits.mailbox_messages = 100).await;
    scene.culprit(Child::new("culprit", "mailbox-flooder", &Value::Null)).await.expect("it starts");
    let count = scene.app.ask("culprit", order("Send", Some(times))).await;
    assert_eq!((count["sent"].as_u64(), count["refused"].as_u64()), (Some(100), Some(times - 100)));
    scene.app.ask("culprit", order("Cast", Some(times))).await;
    let sink = scene.app.runtime.inspect(scene.app.pid("sink")).expect("it lives").process;
    assert_eq!((sink.mailbox_messages, sink.dropped), (100, times));
    Seen::Throttled
}

async fn to_neighbour(scene: &Scene, step: impl FnOnce(Value) -> Value) -> Seen {
    let to = json!({ "pid": scene.app.pid_text("neighbour") });
    last(&scene.steps(|_| {}, json!([step(to)])).await)
}

async fn small_receiver(scene: &Scene) -> Seen {
    scene.other(Child::probe("small").limits(|limits| limits.body_bytes = 1_000)).await;
    let send = json!({ "Send": { "to": { "name": "small" }, "body": { "$zeros": 1_001 } } });
    last(&scene.steps(|_| {}, json!([send])).await)
}

async fn guesses(scene: &Scene) -> Seen {
    let victim = scene.app.pid("neighbour");
    let guess = |number: u16| {
        let pid = format!("0.{}.{:x}", victim.id, victim.tag ^ (1 + u64::from(number)));
        json!({ "Cast": { "to": { "pid": pid }, "body": { "Add": 1_000 } } })
    };
    let script: Vec<Value> = (0..=MADE_UP).map(guess).collect();
    let guesser = Child::probe("culprit").limits(|limits| limits.memory_bytes = 16 << 20);
    scene.told(guesser, json!({ "do": script })).await
}

async fn marks(scene: &Scene) -> Seen {
    scene.other(Child::probe("victim")).await;
    let mine = json!([
        { "StartTimer": { "after_ms": 3_600_000, "body": 1 } },
        { "Monitor": { "target": { "name": "neighbour" } } },
    ]);
    let theirs = scene.app.steps("victim", mine).await;
    let number = theirs[0].as_u64().or_else(|| theirs[1].as_u64()).unwrap_or(1);
    let tries = (0..200_u64).map(|step| (number + step).saturating_sub(100)).flat_map(|mark| {
        [
            json!({ "Cancel": { "mark": mark } }),
            json!({ "Abandon": { "mark": mark } }),
            json!({ "Demonitor": { "mark": mark, "flush": true } }),
        ]
    });
    let results = scene.steps(|_| {}, Value::from_iter(tries)).await;
    assert!(!results.to_string().contains("true"), "it had none: {results}");
    // Whoever was told a timer's owner and mark may cancel it; others would have to guess the pid as well.
    let stranger = json!([{ "CancelOf": { "owner": "0.1.7", "mark": theirs[0] } }]);
    assert_eq!(scene.app.steps("culprit", stranger).await, json!([null]));
    let left = scene.app.steps("victim", json!([{ "Left": { "mark": theirs[0] } }])).await;
    assert!(left[0].as_u64().is_some_and(|left| left > 0), "it still runs: {left}");
    Seen::Nothing
}

async fn callers(scene: &Scene) -> Seen {
    sink(scene, |_| {}).await;
    let held = scene.app.ask("holder", json!("Held")).await;
    let real = held[0]["mark"].as_u64().expect("the sink waits for an answer");
    let made_up = (0..500).filter(|mark| *mark != real);
    let replies = made_up
        .map(|mark| json!({ "ReplyTo": { "caller": { "pid": held[0]["pid"], "mark": mark }, "body": "not mine" } }));
    scene.steps(|_| {}, Value::from_iter(replies)).await;
    let sink = scene.app.runtime.inspect(scene.app.pid("sink")).expect("it lives").process;
    assert_eq!(sink.status, "blocked", "it still waits for its answer");
    Seen::Nothing
}

/// What a process may do that has heard of a call which another one holds.
async fn anothers_call(scene: &Scene, times: usize) -> Seen {
    sink(scene, |_| {}).await;
    let held = scene.app.ask("holder", json!("Held")).await;
    let reply = json!({ "ReplyTo": { "caller": held[0], "body": "answered" } });
    scene.steps(|_| {}, Value::from(vec![reply; times])).await;
    scene.app.ask("holder", json!({ "Release": { "body": "too late or the only one" } })).await;
    let journal = scene.app.journal("sink", |journal| !journal.is_empty()).await;
    let answers = Value::from(journal).to_string();
    let arrived = answers.matches("answered").count() + answers.matches("too late").count();
    assert_eq!(arrived, 1, "one call, one answer: {answers}");
    Seen::Nothing
}

async fn alias(scene: &Scene) -> Seen {
    scene.other(Child::probe("victim")).await;
    let alias = scene.app.ask("victim", json!({ "OpenAlias": { "once": false } })).await;
    let results = scene.steps(|_| {}, json!([{ "Unalias": { "alias": alias["alias"] } }])).await;
    assert_eq!(results, json!([false]));
    let still = json!([{ "Send": { "to": alias, "body": "it is open" } }]);
    scene.app.steps("culprit", still).await;
    scene.app.journal("victim", |journal| Value::from(journal.to_vec()).to_string().contains("it is open")).await;
    Seen::Nothing
}

async fn circle(scene: &Scene) -> Seen {
    scene.culprit(Child::probe("accomplice")).await.expect("it starts");
    let back = json!({ "Call": { "to": { "name": "culprit" }, "body": { "Echo": 1 }, "timeout_ms": null } });
    let results =
        scene.steps(|_| {}, json!([{ "Call": { "to": { "name": "accomplice" }, "body": back, "timeout_ms": null } }]));
    let results = results.await;
    Seen::Refused(results.to_string())
}

async fn supervisor(scene: &Scene) -> Seen {
    let root = scene.app.runtime.root("test").expect("the app runs").to_text();
    let to = json!({ "pid": root });
    let steps = json!([
        { "Send": { "to": to, "body": { "do": ["Panic"] } } },
        { "Cast": { "to": to, "body": "nonsense" } },
        { "Call": { "to": to, "body": "nonsense", "timeout_ms": 50 } },
        { "ReplyTo": { "caller": { "pid": root, "mark": 1 }, "body": "nonsense" } },
        { "Exit": { "to": root, "reason": "normal" } },
    ]);
    scene.steps(|_| {}, steps).await;
    assert!(scene.app.runtime.tree("test").is_some());
    Seen::Nothing
}
