//! A task that does what its arguments say, step by step, and brings what each step brought.
//!
//! Owns the steps that only a task can do: waiting in the middle, for anything or for certain marks. The other steps it
//! shares with `probe`. The host's conformance tests start it.

#[path = "../../probe/src/steps.rs"]
pub mod steps;
pub mod tasks;

use std::time::Duration;

use serde_json::Value;
use skep_sdk::prelude::*;

use steps::Step;

/// The task.
pub struct ProbeTask;

impl Task for ProbeTask {
    /// The steps, in order.
    type Args = Vec<Value>;
    /// What each brought, in the same order.
    type Output = Vec<Value>;

    fn run(steps: Vec<Value>, context: &TaskContext) -> Result<Vec<Value>, Failure> {
        let mut results = Vec::new();
        for step in steps {
            if let Some(step) = tasks::read(&step) {
                results.push(tasks::perform(step, &results, context)?);
                continue;
            }
            let result = match steps::read(step).map(|step| steps::perform(step, &results, context)) {
                Ok(Ok(result)) | Err(result) => result,
                Ok(Err(step)) => perform(*step, &results, context)?,
            };
            results.push(result);
        }
        Ok(results)
    }
}

fn perform(step: Step, results: &[Value], context: &TaskContext) -> Result<Value, Failure> {
    match step {
        Step::Receive { timeout_ms } => Ok(shown(context.receive(timeout_ms.map(Duration::from_millis)))),
        Step::ReceiveOnly { marks, timeout_ms } => {
            let marks: Result<Vec<Mark>, String> = marks.into_iter().map(|mark| steps::mark(mark, results)).collect();
            Ok(shown(context.receive_only(&marks?, timeout_ms.map(Duration::from_millis))))
        }
        Step::ReceiveWhere { text, timeout_ms } => {
            let wanted = |event: &Event| steps::entry(event.clone()).to_string().contains(&text);
            Ok(shown(context.receive_where(wanted, timeout_ms.map(Duration::from_millis))))
        }
        Step::Fail(why) => Err(why.into()),
        _ => Ok(steps::wrong("a task cannot do this")),
    }
}

fn shown(event: Option<Event>) -> Value {
    event.map_or(Value::Null, steps::entry)
}

skep_sdk::export!(task ProbeTask);

#[cfg(test)]
mod tests {
    use serde_json::json;
    use skep_sdk::testing::run_task;

    use super::*;

    fn run(steps: Value, events: impl IntoIterator<Item = Event>) -> Result<Value, ExitReason> {
        let steps = serde_json::from_value(steps).expect("these are steps");
        run_task::<ProbeTask>(steps, events).map(Value::Array)
    }

    #[test]
    fn a_failure_is_the_reason() {
        assert_eq!(run(json!([{ "Fail": "no" }]), []), Err(ExitReason::Failed("no".into())));
        let stop = json!([{ "Stop": { "reason": "normal" } }]);
        assert_eq!(run(stop, []), Err(ExitReason::Normal));
    }

    #[test]
    fn tasks_of_its_own_are_waited_for() {
        use skep_sdk::testing::{Played, World, run_task_in};
        let mut world = World::new().on_task(|_, args| Played::run::<ProbeTask>(args));
        let steps = json!([
            { "StartTask": { "steps": ["Me"] } },
            { "Await": { "task": { "step": 0 } } },
            { "Stream": { "items": [["Me"], [{ "Fail": "no" }]], "max": 1 } },
            { "Receive": { "timeout_ms": 0 } }
        ]);
        let steps = serde_json::from_value(steps).expect("these are steps");
        let results = run_task_in::<ProbeTask>(&mut world, steps, []).expect("it lives");
        assert_eq!(results[1], json!(["0.1.a11ce"]));
        assert_eq!(results[2], json!([{ "Ok": ["0.1.a11ce"] }, { "Err": { "failed": "no" } }]));
        assert_eq!(results[3], json!(null));
    }

    #[test]
    fn a_receive_by_choice_leaves_the_rest_in_place() {
        let infos = ["a", "b", "c", "b"].map(|text| Event::Info(Body::Text(text.into())));
        let results = run(
            json!([
                { "StartTimer": { "after_ms": 10, "body": "now" } },
                { "ReceiveWhere": { "text": "b" } },
                { "ReceiveWhere": { "text": "now" } },
                { "ReceiveWhere": { "text": "none", "timeout_ms": 20 } },
                { "ReceiveWhere": { "text": "c", "timeout_ms": 0 } },
                { "Receive": { "timeout_ms": 0 } },
                { "Receive": { "timeout_ms": 0 } },
                { "Receive": { "timeout_ms": 0 } },
                "Now"
            ]),
            infos,
        );
        let info = |text: &str| json!({ "info": { "$text": text } });
        let timer = json!({ "timer": { "mark": 1, "body": "now" } });
        let expected = json!([1, info("b"), timer, null, info("c"), info("a"), info("b"), null, 30]);
        assert_eq!(results, Ok(expected));
    }

    #[test]
    fn selective_receive_leaves_the_rest_in_place() {
        let infos = ["a", "b"].map(|text| Event::Info(Body::Text(text.into())));
        let results = run(
            json!([
                { "StartTimer": { "after_ms": 10, "body": "now" } },
                { "ReceiveOnly": { "marks": [{ "step": 0 }] } },
                { "Receive": { "timeout_ms": 0 } },
                { "Receive": { "timeout_ms": 0 } },
                { "Receive": { "timeout_ms": 0 } }
            ]),
            infos,
        );
        assert_eq!(
            results,
            Ok(json!([
                1,
                { "timer": { "mark": 1, "body": "now" } },
                { "info": { "$text": "a" } },
                { "info": { "$text": "b" } },
                null
            ]))
        );
    }
}
