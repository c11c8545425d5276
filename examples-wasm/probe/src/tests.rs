//! The probe natively: its JSON, and that it lives in its state.

use skep_sdk::testing::{Action, Harness, World};

use super::*;

fn probe() -> Harness<Probe> {
    Harness::<Probe>::start(None).expect("init succeeds").always_hibernating()
}

fn told(probe: &mut Harness<Probe>, step: Value) -> Value {
    let reply = probe.call_json(&step.to_string()).expect("it replies");
    serde_json::from_str(&reply).expect("the reply is JSON")
}

#[test]
fn init_can_decline_in_every_way() {
    let start = |step| Harness::<Probe>::start(Some(vec![step])).map(|_| ());
    assert_eq!(start(json!("Ignore")), Err(NotStarted::Ignore));
    assert_eq!(start(json!({ "Fail": "no" })), Err(NotStarted::Failed("no".into())));
    assert_eq!(start(json!({ "StopWith": "normal" })), Err(NotStarted::Stop(ExitReason::Normal)));
    assert_eq!(start(json!({ "Stop": { "reason": "killed" } })), Err(NotStarted::Stop(ExitReason::Killed)));
}

#[test]
fn continues_run_one_after_another_before_the_queue() {
    let mut probe = Harness::<Probe>::start(Some(vec![json!({ "Continue": 2 })])).expect("init succeeds");
    probe.info(Raw(Body::Text("late".into())));
    assert_eq!(
        told(&mut probe, json!("Take")),
        json!([{ "init": [null] }, { "continue": 2 }, { "continue": 1 }, { "info": { "$text": "late" } }])
    );
}

#[test]
fn a_held_call_is_answered_later_by_anyone() {
    let mut probe = probe();
    let open = probe.call_open(json!("Hold"));
    assert_eq!(probe.reply_to(&open), None);
    let held = told(&mut probe, json!("Held"));
    assert_eq!(told(&mut probe, json!({ "ReplyTo": { "caller": held[0], "body": "elsewhere" } })), json!(null));
    assert_eq!(probe.reply_to(&open), Some(json!("elsewhere")));
    assert_eq!(told(&mut probe, json!({ "Release": { "body": 1 } })), json!(true));
    assert_eq!(told(&mut probe, json!({ "Release": { "body": 1 } })), json!(false));
}

#[test]
fn timers_fire_in_order_and_can_be_called_off() {
    let mut probe = probe();
    let marks = told(
        &mut probe,
        json!({ "Many": [
            { "StartTimer": { "after_ms": 20, "body": "second" } },
            { "StartTimer": { "after_ms": 10, "body": "first" } },
            { "StartTimer": { "after_ms": 15, "body": "never" } },
            { "Left": { "mark": { "step": 0 } } },
            { "Cancel": { "mark": { "step": 2 } } },
            { "Cancel": { "mark": { "step": 2 } } }
        ] }),
    );
    assert_eq!(marks, json!([1, 2, 3, 20, 15, null]));
    probe.advance(Duration::from_millis(30));
    assert_eq!(
        told(&mut probe, json!("Take")),
        json!([{ "timer": { "mark": 2, "body": "first" } }, { "timer": { "mark": 1, "body": "second" } }])
    );
}

#[test]
fn aliases_close_by_themselves_or_when_told() {
    let mut probe = probe();
    let opened = told(
        &mut probe,
        json!({ "Many": [
            { "OpenAlias": { "once": true } },
            { "OpenAlias": { "once": false } },
            { "MonitorWith": { "target": "nobody", "tag": "mine", "alias": "demonitor" } },
            { "Send": { "to": { "step": 1 }, "body": "to myself" } },
            { "Send": { "to": { "step": 2 }, "body": "as long as the loss is not told" } }
        ] }),
    );
    let alias = |step: usize| serde_json::from_value::<Alias>(opened[step]["alias"].clone()).expect("an alias");
    let say = |text: &str| Raw(Body::Json(format!("\"{text}\"")));
    told(&mut probe, json!("Take"));
    for step in [0, 0, 1, 2] {
        probe.info_through(alias(step), say(&step.to_string()));
    }
    assert_eq!(told(&mut probe, json!("Take")), json!([{ "info": "0" }, { "info": "1" }]));
    let close = json!({ "Unalias": { "alias": opened[1]["alias"] } });
    assert_eq!((told(&mut probe, close.clone()), told(&mut probe, close)), (json!(true), json!(false)));
    probe.info_through(alias(1), say("late"));
    assert_eq!(told(&mut probe, json!("Take")), json!([]));
}

#[test]
fn a_reply_through_an_alias_ends_its_monitor_and_a_tag_comes_with_a_loss() {
    let mut world = World::new();
    let (worker, gone) = (world.pid(), world.pid());
    let mut probe = Harness::<Probe>::start_in(world.dead(gone), None).expect("init succeeds").always_hibernating();
    let watch = json!({ "MonitorWith": { "target": worker, "tag": [1, 2], "alias": "reply-demonitor" } });
    let watched = told(&mut probe, json!({ "Many": [watch, watch] }));
    let alias = serde_json::from_value::<Alias>(watched[0]["alias"].clone()).expect("an alias");
    probe.info_through(alias, Raw(Body::Json("1".into())));
    probe.down(1, ExitReason::Killed);
    probe.down(2, ExitReason::Killed);
    let lost = json!({ "mark": 2, "target": { "pid": worker }, "reason": "killed", "tag": { "json": "[1,2]" } });
    assert_eq!(told(&mut probe, json!("Take")), json!([{ "info": 1 }, { "down": lost }]));
    assert_eq!(told(&mut probe, json!({ "IsAlive": { "pid": worker } })), json!(true));
    assert_eq!(told(&mut probe, json!({ "IsAlive": { "pid": gone } })), json!(false));
    let refused = Err(CallError::Ended(ExitReason::Failed("an alias cannot be monitored".into())));
    assert_eq!(probe.call(json!({ "Monitor": { "target": { "alias": alias } } })), refused);
}

#[test]
fn idle_is_called_off_by_whatever_comes() {
    let mut probe = probe();
    told(&mut probe, json!({ "Idle": { "after_ms": 100 } }));
    probe.advance(Duration::from_millis(50));
    probe.cast(Raw(Body::Json("1".into())));
    probe.advance(Duration::from_millis(500));
    assert_eq!(told(&mut probe, json!("Take")), json!([{ "cast": 1 }]));
    told(&mut probe, json!({ "Idle": { "after_ms": 100 } }));
    probe.advance(Duration::from_millis(100));
    assert_eq!(told(&mut probe, json!("Take")), json!(["idle"]));
}

#[test]
fn calls_and_sends_reach_others() {
    let mut world = World::new().on_call(|_, body| Ok(body));
    let other = world.pid();
    let mut probe = Harness::<Probe>::start_in(world.named("bank", other), None).expect("init succeeds");
    assert_eq!(told(&mut probe, json!({ "Call": { "to": "bank", "body": [1] } })), json!({ "Ok": [1] }));
    assert_eq!(told(&mut probe, json!({ "Send": { "to": other, "body": { "$text": "x" } } })), json!({ "Ok": null }));
    assert_eq!(
        told(&mut probe, json!({ "SendNamed": { "name": "nobody", "body": 1 } }))["Err"]["unknown"],
        json!("nobody holds the name nobody")
    );
    let sent = Action::Send { to: Address::Pid(other), body: Body::Text("x".into()) };
    assert!(probe.actions().contains(&sent));
}

#[test]
fn the_end_is_told_with_its_reason() {
    let mut world = World::new();
    let observer = world.pid();
    let mut probe = Harness::<Probe>::start_in(world, None).expect("init succeeds").always_hibernating();
    told(&mut probe, json!({ "AtEnd": { "tell": observer } }));
    assert_eq!(told(&mut probe, json!({ "ReplyAndStop": { "custom": { "text": "tired" } } })), json!(null));
    assert_eq!(probe.ended(), Some(&ExitReason::custom("tired")));
    let told = Body::Json(r#"{"terminated":{"custom":{"text":"tired"}}}"#.into());
    assert_eq!(probe.actions(), [Action::Send { to: Address::Pid(observer), body: told }]);
}

#[test]
fn a_cast_may_be_a_script() {
    let mut probe = probe();
    probe.cast(Raw(Body::Json(r#"{"do":["Me",{"Monitor":{"target":"nobody"}}]}"#.into())));
    let journal = told(&mut probe, json!("Take"));
    assert_eq!(journal[1]["did"][1], json!(1));
    assert_eq!(journal[2], json!({ "down": { "mark": 1, "target": { "name": "nobody" }, "reason": "noproc" } }));
    assert!(told(&mut probe, json!("Restores")).as_u64() > Some(1));
}
