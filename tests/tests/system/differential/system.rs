//! Scenarios of system messages: what an operator asks of a server that runs or is suspended, and the mail meanwhile.
//!
//! Owns how such a request is made of Skep. A state is the journal in it.

use serde_json::{Value, json};
use skep_runtime::SYSTEM_TIMEOUT;
use skep_runtime::inspect::Suspended;
use skep_runtime::kernel::{ExitReason, Pid};
use skep_runtime::system::SystemError;

use super::skep::Stage;
use super::trace::is_script;
use super::{Scenario, at, bring, custom, hear, quietly, shutdown, tell};
use crate::conformance::system::{opened, sealed};

impl Stage {
    /// What became of a request, in the words of `probe.escript`.
    pub(super) async fn asked(&self, pid: Pid, request: &Value) -> Value {
        let runtime = &self.app.runtime;
        let done = match request.as_str() {
            Some("suspend") => runtime.suspend(pid, SYSTEM_TIMEOUT).await,
            Some("resume") => runtime.resume(pid).await,
            Some("status") => return self.status(pid),
            Some("handled") => return self.handled(pid),
            Some("state") => match runtime.state(pid, SYSTEM_TIMEOUT).await {
                Ok(state) => return noted(opened(&state)["journal"].take()),
                Err(error) => Err(error),
            },
            Some("replace badly") => {
                runtime.replace_state(pid, SYSTEM_TIMEOUT, |state| sealed(state, &json!("no probe"))).await
            }
            _ if request.get("terminate").is_some() => {
                let reason = term(&request["terminate"]);
                runtime.terminate(pid, reason, SYSTEM_TIMEOUT).await
            }
            _ => {
                let journal = request["replace"].clone();
                let replace = move |state| {
                    let mut probe = opened(&state);
                    probe["journal"] = journal;
                    sealed(state, &probe)
                };
                runtime.replace_state(pid, SYSTEM_TIMEOUT, replace).await
            }
        };
        match done {
            Ok(()) => json!("done"),
            Err(SystemError::Noproc(_)) => json!("nobody"),
            Err(SystemError::CallbackFailed(_)) => json!("failed"),
            Err(other) => panic!("{request}: {other:?}"),
        }
    }

    fn status(&self, pid: Pid) -> Value {
        let Some(inspection) = self.app.runtime.inspect(pid) else { return json!("nobody") };
        json!(if inspection.suspended == Some(Suspended::ByOperator) { "suspended" } else { "running" })
    }

    /// How many messages since it was asked last. The first time it is not known in OTP, where counting begins with it.
    fn handled(&self, pid: Pid) -> Value {
        let Some(statistics) = self.app.runtime.statistics(pid) else { return json!("nobody") };
        let before = self.counted.lock().expect("nobody panics in here").insert(pid, statistics.messages_in);
        before.map_or(Value::Null, |before| json!((statistics.messages_in - before).to_string()))
    }
}

/// Without the scripts, which the probe of Skep notes, too.
fn noted(journal: Value) -> Value {
    let Value::Array(entries) = journal else { return journal };
    entries.into_iter().filter(|entry| !is_script(entry)).collect()
}

fn term(reason: &Value) -> ExitReason {
    match reason.as_str() {
        Some("normal") => ExitReason::Normal,
        _ if reason.get("shutdown").is_some() => ExitReason::Shutdown(None),
        _ => panic!("no scenario needs this reason: {reason}"),
    }
}

fn sys(of: &str, request: Value) -> Value {
    json!({ "at": format!("${of}"), "sys": request })
}

fn words<const N: usize>(of: &str, requests: [&str; N]) -> [Value; N] {
    requests.map(|request| sys(of, json!(request)))
}

fn send(to: &str, body: &str) -> Value {
    json!({ "SendNamed": { "name": to, "body": body } })
}

pub(super) fn scenarios() -> Vec<Scenario> {
    [vec![repeated(), mail(), strangers(), states(), counted(), nobody()], ends(), stops(), signals()]
        .into_iter()
        .flatten()
        .collect()
}

fn repeated() -> Scenario {
    let steps = words(
        "a",
        ["status", "resume", "status", "suspend", "suspend", "status", "resume", "status", "resume", "status"],
    );
    Scenario::new("SYS-01 suspend and resume as often as one likes", &["a"], steps)
}

/// Of every kind, and none of it is handled before it goes on, in its order.
fn mail() -> Scenario {
    let timers = json!({ "SendAfter": { "after_ms": 0, "to": { "name": "a" }, "body": "timer" } });
    let all = json!({ "Many": [
        send("a", "one"), { "Cast": { "to": { "name": "a" }, "body": "two" } },
        { "Request": { "to": { "name": "a" }, "body": { "Echo": "three" }, "timeout_ms": null } },
        timers
    ] });
    let mut steps = vec![at("a", json!({ "Monitor": { "target": "$c" } }))];
    steps.extend(words("a", ["suspend"]));
    steps.extend([at("b", all), at("b", json!({ "Kill": { "to": "$c" } })), at("b", send("a", "last"))]);
    steps.extend(words("a", ["state", "status", "resume"]));
    // A time that is up at once is so for the clock, which may be late.
    let resume = steps.pop().expect("the last of the words");
    steps.extend([quietly(resume), hear("a", 6), at("a", json!("Me"))]);
    Scenario::new("SYS-01 HOT-03 the mail of a suspended server waits", &["a", "b", "c"], steps).in_any_order()
}

/// One who is suspended in a call is served when the other goes on.
fn strangers() -> Scenario {
    let call = json!({ "Call": { "to": "$a", "body": { "Echo": 1 }, "timeout_ms": null } });
    let mut steps = words("a", ["suspend"]).to_vec();
    steps.push(tell("b", json!([call])));
    steps.extend(words("a", ["status", "resume"]));
    Scenario::new("SYS-01 a caller of a suspended server waits", &["a", "b"], steps)
}

fn states() -> Scenario {
    let (other, more) = (json!(["other"]), json!(["other", "more"]));
    let mut steps = vec![sys("a", json!("state"))];
    for (round, journal) in [(0, other), (1, more)] {
        if round == 1 {
            steps.extend(words("a", ["suspend"]));
        }
        steps.push(sys("a", json!({ "replace": journal })));
        steps.extend(words("a", ["state", "replace badly", "state", "status"]));
    }
    steps.push(sys("a", json!("resume")));
    steps.push(at("a", json!("Journal")));
    Scenario::new("SYS-03 a state is read and replaced, running and suspended", &["a"], steps)
}

fn counted() -> Scenario {
    let mut steps = words("a", ["handled", "handled"]).to_vec();
    steps.push(at("b", json!({ "Many": [send("a", "one"), send("a", "two")] })));
    steps.push(at("a", json!("Me")));
    steps.extend(words("a", ["handled", "suspend"]));
    steps.push(at("b", send("a", "three")));
    steps.extend(words("a", ["handled", "state", "handled", "resume", "handled", "handled"]));
    Scenario::new("SYS-04 statistics count the messages that were handled", &["a", "b"], steps)
}

fn nobody() -> Scenario {
    let mut steps = vec![at("a", json!({ "Kill": { "to": "$b" } }))];
    steps.extend(words("b", ["suspend", "resume", "status", "state", "replace badly"]));
    steps.push(sys("b", json!({ "terminate": "normal" })));
    Scenario::new("SYS-05 a request to nobody", &["a", "b"], steps)
}

/// `terminate` runs, also where nothing else does.
fn ends() -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for reason in [json!("normal"), shutdown()] {
        for suspended in [false, true] {
            let mut steps = vec![
                at("a", json!({ "AtEnd": { "tell": { "name": "b" } } })),
                at("b", json!({ "Monitor": { "target": "$a" } })),
            ];
            if suspended {
                steps.extend(words("a", ["suspend"]));
                steps.push(at("b", send("a", "never handled")));
            }
            steps.push(sys("a", json!({ "terminate": reason })));
            scenarios.push(Scenario::new("SYS-05 a server is told to end", &["a", "b"], steps));
        }
    }
    scenarios
}

fn stop(who: &str, reason: &Value) -> Value {
    json!({ "StopServer": { "to": format!("${who}"), "reason": reason } })
}

/// One that runs handles its mail before it stops. One that is suspended stops at once, and its mail goes with it: what was
/// sent, whoever waits for an answer, and whoever wants to stop it, too.
fn stops() -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for reason in [json!("normal"), shutdown(), custom("x")] {
        for trap in [false, true] {
            for suspended in [false, true] {
                let at_end = json!({ "AtEnd": { "tell": { "name": "b" } } });
                let mut steps = vec![
                    at("a", json!({ "Many": [{ "TrapExit": trap }, at_end] })),
                    at("b", json!({ "Monitor": { "target": "$a" } })),
                    at("d", json!({ "Many": [{ "TrapExit": true }, { "Link": { "to": "$a" } }] })),
                ];
                if suspended {
                    steps.extend(words("a", ["suspend"]));
                    let call = json!({ "Call": { "to": "$a", "body": { "Echo": 1 }, "timeout_ms": null } });
                    steps.push(tell("c", json!([call])));
                }
                let mail = json!({ "do": [send("b", "handled")] });
                let mail = json!({ "SendNamed": { "name": "a", "body": mail } });
                steps.push(at("b", json!({ "Many": [mail, stop("a", &reason), stop("a", &reason)] })));
                steps.extend(words("a", ["resume"]));
                let title = "SYS-05 GS-14 GS-06 a server is stopped, suspended or not";
                scenarios.push(Scenario::new(title, &["a", "b", "c", "d"], steps));
            }
        }
    }
    // It cannot end as it should: whoever wanted that is told how it has.
    for suspended in [false, true] {
        let other = json!({ "AtEnd": { "steps": [{ "Stop": { "reason": custom("other") } }] } });
        let mut steps = vec![at("a", other)];
        if suspended {
            steps.extend(words("a", ["suspend"]));
        }
        steps.push(at("b", stop("a", &json!("normal"))));
        scenarios.push(Scenario::new("SYS-05 GS-14 a server that is stopped ends otherwise", &["a", "b"], steps));
    }
    scenarios
}

/// Exit signals to one who is suspended: of the parent, of a stranger, of a link.
fn signals() -> Vec<Scenario> {
    let at_end = json!({ "AtEnd": { "tell": { "name": "b" } } });
    let mut scenarios = Vec::new();
    for trap in [false, true] {
        for from in ["a", "b"] {
            let init = json!([{ "TrapExit": trap }, at_end]);
            let mut steps = vec![
                at("a", json!({ "TrapExit": true })),
                bring("c", "a", json!({ "Spawn": { "module": "probe", "args": init, "link": true } })),
            ];
            steps.extend(words("c", ["suspend"]));
            steps.push(at("b", json!({ "Send": { "to": "$c", "body": "mail" } })));
            steps.push(at(from, json!({ "Exit": { "to": "$c", "reason": custom("x") } })));
            steps.extend(words("c", ["status", "resume"]));
            steps.push(at("c", json!("Me")));
            scenarios.push(Scenario::new("SYS-01 GS-12 an exit signal to a suspended server", &["a", "b"], steps));
        }
    }
    scenarios
}
