//! Steps with registries, groups and topics.
//!
//! Owns their shapes and how each is performed. Part of `steps`, and shared with it.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use skep_sdk::prelude::*;
use skep_sdk::{Entry, Raw};

use super::{Content, Given, pid, show};

/// One thing to do with a registry. Keys are JSON values.
#[derive(Clone, Debug, Deserialize)]
#[allow(missing_docs, reason = "the fields are those of the contract's functions")]
pub enum RegistryStep {
    /// Brings `{"Ok":null}` or `{"Err":refusal}`.
    Register {
        key: Value,
        #[serde(default)]
        value: Value,
    },
    /// Brings `{"Ok":count}`.
    Unregister { key: Value },
    /// Brings `{"Ok":[{"key":…,"pid":…,"value":…}]}`.
    Lookup { key: Value },
    /// As `Lookup`.
    Entries,
    /// Brings `{"Ok":count}`.
    Count,
    /// Without `of`: its own. Brings `{"Ok":[key]}`.
    Keys {
        #[serde(default)]
        of: Option<Given<Pid>>,
    },
    /// Brings `{"Ok":value}`.
    Update { key: Value, value: Value },
    /// Sends each holder's own value to it. Brings whether there was any.
    Dispatch { key: Value },
    /// Brings `{"Ok":mark}`.
    Listen,
    /// Brings whether it was listening.
    Unlisten { mark: Given<Mark> },
    /// Does the steps while it has the lock. Brings `{"Ok":results}`, with null for the results when the time was up.
    Lock {
        key: Value,
        #[serde(default)]
        timeout_ms: Option<u64>,
        #[serde(default)]
        steps: Vec<Value>,
    },
}

/// One thing to do with a group of the scope `pg`, or of another.
#[derive(Clone, Debug, Deserialize)]
#[allow(missing_docs, reason = "the fields are those of the contract's functions")]
pub enum GroupStep {
    /// Without `pid`: itself. Brings `{"Ok":null}` or `{"Err":refusal}`.
    Join {
        #[serde(default)]
        pid: Option<Given<Pid>>,
    },
    /// Without `pid`: itself. Brings `{"Ok":whether it was a member}`.
    Leave {
        #[serde(default)]
        pid: Option<Given<Pid>>,
    },
    /// Brings `{"Ok":[pid]}`.
    Members,
    /// Brings `{"Ok":[group]}`.
    Groups,
    /// Brings `{"Ok":[mark,[pid]]}`.
    Monitor,
    /// All of the scope. Brings `{"Ok":[mark,[[group,pid]]]}`.
    MonitorAll,
    /// Brings whether there was one.
    Demonitor { mark: Given<Mark> },
}

/// One thing to do with a topic.
#[derive(Clone, Debug, Deserialize)]
#[allow(missing_docs, reason = "the fields are those of the contract's functions")]
pub enum TopicStep {
    /// Brings `{"Ok":null}` or `{"Err":refusal}`.
    Subscribe,
    /// Brings `{"Ok":count}`.
    Unsubscribe,
    /// Brings `{"Ok":count}`.
    Broadcast { body: Content },
    /// As `Broadcast`, but not to itself.
    BroadcastToOthers { body: Content },
}

fn shown(holder: Holder<Value, Raw>) -> Value {
    json!({ "key": holder.key, "pid": holder.pid, "value": Content(holder.value.0) })
}

fn raw(value: Value) -> Raw {
    Raw(Content::from(value).0)
}

pub(super) fn registry(
    name: String,
    step: RegistryStep,
    results: &[Value],
    context: &Context,
) -> Result<Value, String> {
    let registry: Registry<Value, Raw> = Registry::of_name(name);
    let all = |holders: Vec<Holder<Value, Raw>>| holders.into_iter().map(shown).collect::<Vec<_>>();
    match step {
        RegistryStep::Register { key, value } => show(registry.register(context, key, raw(value))),
        RegistryStep::Unregister { key } => show(registry.unregister(context, key)),
        RegistryStep::Lookup { key } => show(registry.lookup(context, key).map(all)),
        RegistryStep::Entries => show(registry.entries(context).map(all)),
        RegistryStep::Count => show(registry.count(context)),
        RegistryStep::Keys { of } => {
            let of = of.map_or_else(|| Ok(context.me()), |of| pid(of, results))?;
            show(registry.keys(context, of))
        }
        RegistryStep::Update { key, value } => {
            let updated = registry.update_value(context, key, |_| raw(value));
            show(updated.map(|Raw(body)| Content(body)))
        }
        RegistryStep::Dispatch { key } => show(registry.dispatch(context, key, |holders| {
            for holder in holders {
                if let Err(refusal) = context.send(holder.pid, &holder.value) {
                    context.warn(&refusal.to_string());
                }
            }
        })),
        RegistryStep::Listen => show(registry.listen(context)),
        RegistryStep::Unlisten { mark } => {
            super::mark(mark, results).and_then(|mark| show(registry.unlisten(context, mark)))
        }
        RegistryStep::Lock { key, timeout_ms, steps } => {
            let act = || {
                let mut results = Vec::new();
                for step in steps {
                    let result = super::read(step).map(|step| super::perform(step, &results, context));
                    results.push(match result {
                        Ok(Ok(result)) | Err(result) => result,
                        Ok(Err(_)) => super::wrong("not while it has a lock"),
                    });
                }
                results
            };
            show(registry.lock(context, key, timeout_ms.map(Duration::from_millis), act))
        }
    }
}

pub(super) fn group(
    scope: Option<String>,
    name: String,
    step: GroupStep,
    results: &[Value],
    context: &Context,
) -> Result<Value, String> {
    // The names of scopes are constants elsewhere; here a script says them.
    let scope: Scope = serde_json::from_value(json!(scope.as_deref().unwrap_or("pg"))).map_err(|e| e.to_string())?;
    let group = scope.group(name);
    let who = |given: Option<Given<Pid>>| given.map_or_else(|| Ok(context.me()), |given| pid(given, results));
    match step {
        GroupStep::Join { pid } => who(pid).and_then(|pid| show(group.join_pid(context, pid))),
        GroupStep::Leave { pid } => who(pid).and_then(|pid| show(group.leave_pid(context, pid))),
        GroupStep::Members => show(group.members(context)),
        GroupStep::Groups => show(scope.groups(context)),
        GroupStep::Monitor => show(group.monitor(context)),
        GroupStep::MonitorAll => show(scope.monitor(context)),
        GroupStep::Demonitor { mark } => {
            super::mark(mark, results).and_then(|mark| show(group.demonitor(context, mark)))
        }
    }
}

pub(super) fn topic(name: String, step: TopicStep, context: &Context) -> Result<Value, String> {
    let topic: Topic<Raw> = Topic::of_name(name);
    match step {
        TopicStep::Subscribe => show(topic.subscribe(context)),
        TopicStep::Unsubscribe => show(topic.unsubscribe(context)),
        TopicStep::Broadcast { body } => show(topic.broadcast(context, Raw(body.0))),
        TopicStep::BroadcastToOthers { body } => show(topic.broadcast_to_others(context, Raw(body.0))),
    }
}

/// A change as the journal has it: `{"mark":…,"added":{…}}`, `{"mark":…,"removed":{…}}` or `{"mark":…,"missed":true}`.
pub(super) fn entry(change: Change) -> Value {
    let mark = change.mark;
    match change.what {
        Changed::Added(Entry { key, pid, value }) => {
            json!({ "mark": mark, "added": { "key": key, "pid": pid, "value": Content(value) } })
        }
        Changed::Removed(removal) => json!({ "mark": mark, "removed": removal }),
        Changed::Missed => json!({ "mark": mark, "missed": true }),
    }
}
