//! A state machine that is a table: its states, and what each does with which event, are in its arguments.
//!
//! Owns nothing but that table and how many events it has handled. It tells a process of that name about each event, so that
//! nobody has to ask it, which would be an event too. The host's conformance tests drive it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use skep_sdk::prelude::*;
use skep_sdk::{Inserts, Raw, Step};

/// The table.
#[derive(Serialize, Deserialize)]
pub struct ProbeMachine {
    /// Who is told of what happens.
    tell: String,
    /// The state that it begins in.
    first: String,
    /// What to do at the start.
    #[serde(default)]
    start: Vec<Action>,
    /// What to do on entering a state.
    #[serde(default)]
    enter: BTreeMap<String, Vec<Action>>,
    /// By state and event, such as `open ring`. An event without a rule changes nothing.
    #[serde(default)]
    rules: BTreeMap<String, Rule>,
    /// Events with rules that it handles at most: a table may lead in a circle.
    #[serde(default = "many")]
    most: u64,
}

fn many() -> u64 {
    u64::MAX
}

/// What an event leads to.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Rule {
    goes: Goes,
    does: Vec<Action>,
}

/// Where to.
#[derive(Clone, Default, Serialize, Deserialize)]
pub enum Goes {
    /// Nowhere.
    #[default]
    Keep,
    /// Into the same state again.
    Repeat,
    /// Into this state.
    To(String),
    /// To its end.
    Stop(ExitReason),
}

/// What to do besides. Words are what events carry.
#[derive(Clone, Serialize, Deserialize)]
pub enum Action {
    /// Answers the call in hand.
    Reply(Value),
    /// Keeps the event for another state.
    Postpone,
    /// An event of its own.
    Internal(String),
    /// A cast, as if it had come from outside.
    Cast(String),
    /// A message, as if it had come from outside.
    Info(String),
    /// The call in hand, with this word.
    Call(String),
    /// Sets a timeout.
    After(TimeoutKind, u64, String),
    /// Gives a timeout another word.
    Update(TimeoutKind, String),
    /// Calls a timeout off.
    Cancel(TimeoutKind),
    /// Gives the instance back.
    Hibernate,
}

impl Action {
    fn inserts(&self) -> bool {
        matches!(self, Action::Internal(_) | Action::Cast(_) | Action::Info(_) | Action::Call(_))
    }
}

/// An event in a form in which all are alike.
struct Seen {
    kind: &'static str,
    word: Value,
    from: Option<From<ProbeMachine>>,
}

#[state_machine]
impl StateMachine for ProbeMachine {
    type State = String;
    type Args = ProbeMachine;
    type Call = Value;
    type Reply = Value;
    type Cast = Value;
    type Info = Value;
    type Internal = Value;
    type Timeout = Value;

    fn init(table: ProbeMachine, _: &Context) -> Start<(Self, First<Self>)> {
        let mut first = first_state(table.first.clone());
        for action in &table.start {
            first = if action.inserts() { inserting(first, action, None) } else { any(first, action, None) };
        }
        Ok((table, first))
    }

    fn enter(&mut self, from: &String, to: &String, context: &Context) -> Entered<Self> {
        self.say(context, &json!({ "enter": to, "from": from }));
        let mut step = keep_state();
        for action in self.enter.get(to).into_iter().flatten() {
            step = any(step, action, None);
        }
        step
    }

    fn handle(&mut self, state: &String, event: StateEvent<Self>, context: &Context) -> Transition<Self> {
        let seen = seen(event);
        self.say(context, &json!({ "state": state, "kind": seen.kind, "word": seen.word }));
        let event = format!("{state} {}", seen.word.as_str().unwrap_or_default());
        match self.rules.get(&event).cloned() {
            Some(rule) if self.most > 0 => {
                self.most -= 1;
                transition(rule, seen.from)
            }
            _ => keep_state(),
        }
    }

    fn terminate(&mut self, state: &String, reason: &ExitReason, context: &Context) {
        self.say(context, &json!({ "terminated": reason, "state": state }));
    }
}

impl ProbeMachine {
    fn say(&self, context: &Context, what: &Value) {
        if let Err(refusal) = context.send(self.tell.as_str(), &Raw(Body::Json(what.to_string()))) {
            context.warn(&format!("nobody told: {refusal}"));
        }
    }
}

fn seen(event: StateEvent<ProbeMachine>) -> Seen {
    let other = |kind, word| Seen { kind, word, from: None };
    match event {
        StateEvent::Call(word, from) => Seen { kind: "call", word, from: Some(from) },
        StateEvent::Cast(word) => other("cast", word),
        StateEvent::Info(word) => other("info", word),
        StateEvent::Internal(word) => other("internal", word),
        StateEvent::Timeout(TimeoutKind::Event, word) => other("event timeout", word),
        StateEvent::Timeout(TimeoutKind::State, word) => other("state timeout", word),
        StateEvent::Timeout(TimeoutKind::Named(_), word) => other("named timeout", word),
        StateEvent::Answer(_) => other("answer", Value::Null),
        StateEvent::Down(_) => other("down", Value::Null),
        StateEvent::Change(_) => other("change", Value::Null),
        StateEvent::Exit(_) => other("exit", Value::Null),
    }
}

fn transition(rule: Rule, from: Option<From<ProbeMachine>>) -> Transition<ProbeMachine> {
    let mut step = match rule.goes {
        Goes::Keep => keep_state(),
        Goes::Repeat => repeat_state(),
        Goes::To(state) => next_state(state),
        Goes::Stop(reason) => stop(reason),
    };
    for action in &rule.does {
        let from = from.as_ref();
        step = match action {
            Action::Postpone => step.postpone(),
            action if action.inserts() => inserting(step, action, from),
            action => any(step, action, from),
        };
    }
    step
}

type Caller<'a> = Option<&'a From<ProbeMachine>>;

/// The one who called, once more: a table may answer twice.
fn again(from: &From<ProbeMachine>) -> From<ProbeMachine> {
    serde_json::from_value(json!(from)).expect("it is plain data")
}

/// An action that every handler may take; what only some may does nothing in the others.
fn any<K>(step: Step<ProbeMachine, K>, action: &Action, from: Caller) -> Step<ProbeMachine, K> {
    match (action, from) {
        (Action::Reply(reply), Some(from)) => step.reply(again(from), reply),
        (Action::After(kind, ms, word), _) => step.timeout_of(kind.clone(), Duration::from_millis(*ms), json!(word)),
        (Action::Update(kind, word), _) => step.update_timeout(kind.clone(), json!(word)),
        (Action::Cancel(kind), _) => step.cancel_timeout(kind.clone()),
        (Action::Hibernate, _) => step.hibernate(),
        _ => step,
    }
}

/// An action that inserts an event.
fn inserting<K: Inserts>(step: Step<ProbeMachine, K>, action: &Action, from: Caller) -> Step<ProbeMachine, K> {
    match (action, from) {
        (Action::Internal(word), _) => step.next_event(json!(word)),
        (Action::Cast(word), _) => step.next_cast(json!(word)),
        (Action::Info(word), _) => step.next_info(json!(word)),
        (Action::Call(word), Some(from)) => step.next_call(json!(word), again(from)),
        _ => step,
    }
}

skep_sdk::export!(machine ProbeMachine);

#[cfg(test)]
mod tests {
    use skep_sdk::testing::Harness;

    use super::*;

    fn machine(table: Value) -> Harness<ProbeMachine> {
        let table = serde_json::from_value(table).expect("it is a table");
        Harness::start(table).expect("it starts").always_hibernating()
    }

    fn state(machine: &Harness<ProbeMachine>) -> Option<String> {
        machine.server().map(|machine| machine.state().clone())
    }

    #[test]
    fn a_table_says_what_happens() {
        let mut machine = machine(json!({
            "tell": "o", "first": "a",
            "start": [{ "Internal": "begin" }],
            "enter": { "b": [{ "After": ["state", 10, "over"] }] },
            "rules": {
                "a begin": { "goes": { "To": "b" } },
                "a ask": { "does": [{ "Reply": 1 }] },
                "b ask": { "does": ["Postpone"] },
                "b over": { "goes": { "To": "a" } },
                "a end": { "goes": { "Stop": "normal" }, "does": [{ "Reply": "bye" }] },
            },
        }));
        assert_eq!(state(&machine).as_deref(), Some("b"));
        let asked = machine.call_open(json!("ask"));
        assert_eq!(machine.reply_to(&asked), None);
        machine.advance(Duration::from_millis(10));
        assert_eq!(machine.reply_to(&asked), Some(json!(1)));
        assert_eq!(machine.call(json!("end")), Ok(json!("bye")));
        assert_eq!(machine.ended(), Some(&ExitReason::Normal));
    }

    #[test]
    fn a_circle_ends() {
        let mut machine = machine(json!({
            "tell": "o", "first": "a", "most": 3,
            "rules": { "a x": { "does": [{ "Internal": "x" }] } },
        }));
        machine.cast(json!("x"));
        assert_eq!(state(&machine).as_deref(), Some("a"));
    }
}
