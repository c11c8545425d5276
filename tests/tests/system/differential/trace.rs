//! What of a trace counts: two traces are compared when what cannot be equal is left out.
//!
//! Left out are the numbers of marks and milliseconds, the words of a refusal (OTP says `badarg`), and the inside of a trap.
//! Pids have been replaced by the names that a scenario gives them before.

use serde_json::{Map, Value, json};

/// In which order a process heard what it heard within one step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Order {
    /// It is compared.
    Counts,
    /// Several senders are at work at once, and no order is promised between them (PROC-02).
    Free,
}

/// What counts of one line: the result of a step, what was heard, who has ended.
pub(super) fn line(mut line: Value, order: Order, unordered: bool) -> Value {
    line["result"] = result(line["result"].take());
    if let (Order::Free, Some(children)) = (order, line.get_mut("children")) {
        *children = sorted(children.take());
    }
    if unordered {
        line["result"] = sorted(line["result"].take());
    }
    if let Some(Value::Object(heard)) = line.get_mut("heard") {
        for (_, entries) in heard.iter_mut() {
            *entries = journal(entries.take(), order);
        }
        heard.retain(|_, entries| *entries != json!([]));
    }
    if let Some(told) = line.get_mut("told") {
        *told = journal(told.take(), order);
    }
    line["ended"] = plain(line["ended"].take());
    line
}

/// The line without what is known to be so on this side and not on the other; as it is, if that is not so any more.
pub(super) fn without_decided(mut line: Value, decided: &Value) -> Value {
    if !decided.is_null() && line["result"] == *decided {
        line["result"] = json!("decided");
    }
    line
}

fn sorted(value: Value) -> Value {
    match value {
        Value::Array(values) => {
            let mut values: Vec<Value> = values.into_iter().map(sorted).collect();
            values.sort_by_key(Value::to_string);
            Value::Array(values)
        }
        Value::Object(fields) => fields.into_iter().map(|(key, value)| (key, sorted(value))).collect(),
        other => other,
    }
}

fn journal(entries: Value, order: Order) -> Value {
    let Value::Array(entries) = entries else { return entries };
    let mut entries: Vec<Value> = entries.into_iter().map(plain).collect();
    if order == Order::Free {
        entries.sort_by_key(Value::to_string);
    }
    Value::Array(entries)
}

/// Whether an entry is a script: the probe of Skep notes what it is told to do, too.
pub(super) fn is_script(entry: &Value) -> bool {
    entry["info"].get("do").is_some()
}

/// What a step brought: a number there is a mark or a time.
fn result(value: Value) -> Value {
    match value {
        Value::Number(_) => json!(0),
        Value::Array(results) => results.into_iter().map(result).collect(),
        other => plain(other),
    }
}

fn plain(value: Value) -> Value {
    match value {
        Value::Array(values) => values.into_iter().map(plain).collect(),
        Value::Object(fields) if fields.len() == 1 && fields.contains_key("trap") => json!("trap"),
        Value::Object(fields) => Value::Object(fields.into_iter().filter_map(field).collect()),
        other => other,
    }
}

fn field((key, value): (String, Value)) -> Option<(String, Value)> {
    let value = match key.as_str() {
        // Whether there is one says what was asked for.
        "mark" | "alias" if value.is_null() => Value::Null,
        "mark" | "alias" => json!(0),
        "Err" => error(value),
        "did" | "init" => result(value),
        // A task's results.
        "Ok" if value.is_array() => result(value),
        "because" => return None,
        _ => plain(value),
    };
    Some((key, value))
}

/// Why something was not done: in full what OTP says in full.
fn error(why: Value) -> Value {
    let kind = why.as_object().and_then(|fields| fields.keys().next()).map(String::as_str);
    match kind {
        Some("ended" | "failed") => plain(why),
        Some("refused") if why["refused"].get("taken").is_some() => plain(why),
        Some(_) => json!("refused"),
        None => why,
    }
}

/// A value with each pid replaced by its name, `$a`, and each other text left as it is.
pub(super) fn renamed(value: Value, name_of: &impl Fn(&str) -> Option<String>) -> Value {
    match value {
        Value::String(text) => Value::String(name_of(&text).unwrap_or(text)),
        Value::Array(values) => values.into_iter().map(|value| renamed(value, name_of)).collect(),
        Value::Object(fields) => {
            let fields = fields.into_iter().map(|(key, value)| (key, renamed(value, name_of)));
            Value::Object(fields.collect::<Map<_, _>>())
        }
        other => other,
    }
}

#[test]
fn what_cannot_be_equal_is_left_out_and_nothing_else() {
    let given = json!({
        "result": [3, { "Err": { "unknown": "nobody" } }, { "Err": { "ended": { "trap": { "kind": "x" } } } }, "x"],
        "heard": {
            "a": [{ "info": 2 }, { "down": { "mark": 7, "reason": "killed" } }, { "did": [5] }, { "x": { "Ok": [5] } }],
            "b": [],
        },
        "ended": { "b": { "trap": {} } },
    });
    let counts = json!({
        "result": [0, { "Err": "refused" }, { "Err": { "ended": "trap" } }, "x"],
        "heard": { "a": [{ "info": 2 }, { "down": { "mark": 0, "reason": "killed" } }, { "did": [0] }, { "x": { "Ok": [0] } }] },
        "ended": { "b": "trap" },
    });
    assert_eq!(line(given.clone(), Order::Counts, false), counts);
    let sorted =
        json!([{ "did": [0] }, { "down": { "mark": 0, "reason": "killed" } }, { "info": 2 }, { "x": { "Ok": [0] } }]);
    assert_eq!(line(given, Order::Free, false)["heard"]["a"], sorted);
    let name = |text: &str| (text == "0.1.2").then(|| "$a".to_owned());
    assert_eq!(
        line(json!({ "result": { "Ok": ["b", "a"] } }), Order::Counts, true)["result"],
        json!({ "Ok": ["a", "b"] })
    );
    let known = json!({ "result": "x" });
    assert_eq!(without_decided(known.clone(), &json!("x"))["result"], "decided");
    assert_eq!(without_decided(known.clone(), &json!("y")), known);
    assert_eq!(renamed(json!({ "pid": "0.1.2", "x": ["y"] }), &name), json!({ "pid": "$a", "x": ["y"] }));
}
