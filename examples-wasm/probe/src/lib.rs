//! Does what it is told, and keeps a journal: any operation of the contract, asked for in JSON.
//!
//! Owns nothing but its journal and the callers it holds, all of it in its state, so that it goes on after losing its
//! instance at any moment. The host's conformance tests drive it; so can a person: `skep call probe '"Journal"'`.

pub mod steps;

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::{Value, json};
use skep_sdk::prelude::*;
use skep_sdk::{Message, Raw};

use steps::Step;

/// The server, which is its own state.
#[derive(Default, Serialize, Deserialize)]
pub struct Probe {
    journal: Vec<Value>,
    held: VecDeque<From<Probe>>,
    /// What a step in `init` said to do after it.
    #[serde(skip)]
    first: Option<Then>,
    at_end: Option<(Option<Address>, Vec<Value>)>,
    refuses_save: bool,
    restores: u32,
}

/// What comes after the steps.
enum Then {
    Wait,
    Hold,
    Continue(u32),
    Idle(u64),
    Hibernate,
    ReplyAndStop(ExitReason),
    StopWith(ExitReason),
    Fail(String),
    Ignore,
}

#[server]
impl Server for Probe {
    /// Steps for `init`, or nothing.
    type Args = Option<Vec<Value>>;
    /// A step.
    type Call = Value;
    type Reply = Value;
    type Cast = Raw;
    type Info = Raw;
    type Continue = u32;
    type Timer = Raw;

    fn init(steps: Option<Vec<Value>>, context: &Context) -> Start<Self> {
        let mut probe = Probe::default();
        if let Some(steps) = steps {
            let (results, then) = probe.perform_all(steps, context);
            probe.journal.push(json!({ "init": results }));
            match then {
                Then::Ignore => return Err(NotStarted::Ignore),
                Then::StopWith(reason) | Then::ReplyAndStop(reason) => return Err(NotStarted::Stop(reason)),
                Then::Fail(why) => return Err(NotStarted::Failed(why)),
                then => probe.first = Some(then),
            }
        }
        Ok(probe)
    }

    fn handle_started(&mut self, _: &Context) -> Outcome<Never, u32> {
        follow(noreply(), self.first.take().unwrap_or(Then::Wait))
    }

    fn handle_call(&mut self, step: Value, from: From<Self>, context: &Context) -> Outcome<Value, u32> {
        let (mut results, then) = self.perform_all(vec![step], context);
        match then {
            Then::Hold => {
                self.held.push_back(from);
                noreply()
            }
            then @ (Then::StopWith(_) | Then::Fail(_)) => follow(noreply(), then),
            then => follow(reply(results.pop().unwrap_or_default()), then),
        }
    }

    fn handle_cast(&mut self, Raw(body): Raw, context: &Context) -> Outcome<Never, u32> {
        self.told(Event::Cast(body.clone()), body, context)
    }

    fn handle_info(&mut self, Raw(body): Raw, context: &Context) -> Outcome<Never, u32> {
        self.told(Event::Info(body.clone()), body, context)
    }

    fn handle_timer(&mut self, timer: Timer<Raw>, context: &Context) -> Outcome<Never, u32> {
        let body = timer.message.0;
        let alarm = skep_sdk::types::Alarm { mark: timer.mark, body: body.clone() };
        self.told(Event::Timer(alarm), body, context)
    }

    fn handle_answer(&mut self, answer: Answer, _: &Context) -> Outcome<Never, u32> {
        self.note(Event::Answer(answer))
    }

    fn handle_down(&mut self, down: Down, _: &Context) -> Outcome<Never, u32> {
        self.note(Event::Down(down))
    }

    fn handle_exit(&mut self, exit: Exit, _: &Context) -> Outcome<Never, u32> {
        self.note(Event::Exit(exit))
    }

    fn handle_change(&mut self, change: Change, _: &Context) -> Outcome<Never, u32> {
        self.note(Event::Change(change))
    }

    fn handle_idle(&mut self, _: &Context) -> Outcome<Never, u32> {
        self.note(Event::Idle)
    }

    fn handle_continue(&mut self, left: u32, _: &Context) -> Outcome<Never, u32> {
        self.journal.push(json!({ "continue": left }));
        if left > 1 { noreply().then_continue(left - 1) } else { noreply() }
    }

    type State = Self;

    fn save(&self) -> Result<Saved<'_, Self>, Failure> {
        if self.refuses_save { Err("told to refuse".into()) } else { Ok(Saved::Borrowed(self)) }
    }

    fn restore(state: Self, _: &MigrateContext) -> Result<Self, Failure> {
        Ok(Probe { restores: state.restores + 1, ..state })
    }

    fn terminate(&mut self, reason: &ExitReason, context: &Context) {
        let Some((tell, steps)) = self.at_end.take() else { return };
        if let Some(to) = tell {
            let told = Body::Json(json!({ "terminated": reason }).to_string());
            if let Err(refusal) = context.send(to, &Raw(told)) {
                context.warn(&format!("nobody told of the end: {refusal}"));
            }
        }
        self.perform_all(steps, context);
    }
}

impl Probe {
    fn note(&mut self, event: Event) -> Outcome<Never, u32> {
        self.journal.push(steps::entry(event));
        noreply()
    }

    /// Notes what came; if it is a script, does it and notes the results.
    fn told(&mut self, event: Event, body: Body, context: &Context) -> Outcome<Never, u32> {
        let Some(script) = script(body) else { return self.note(event) };
        let outcome = self.note(event);
        let (results, then) = self.perform_all(script, context);
        self.journal.push(json!({ "did": results }));
        follow(outcome, then)
    }

    /// The results, and what the last step that says so wants next.
    fn perform_all(&mut self, steps: Vec<Value>, context: &Context) -> (Vec<Value>, Then) {
        let (mut results, mut then) = (Vec::new(), Then::Wait);
        for step in steps {
            let (result, next) = self.perform(step, &results, context);
            results.push(result);
            if let Some(next) = next {
                then = next;
            }
        }
        (results, then)
    }

    fn perform(&mut self, step: Value, results: &[Value], context: &Context) -> (Value, Option<Then>) {
        let step = match steps::read(step).map(|step| steps::perform(step, results, context)) {
            Ok(Ok(result)) | Err(result) => return (result, None),
            Ok(Err(step)) => *step,
        };
        let next = match step {
            Step::Many(steps) => {
                let (results, then) = self.perform_all(steps, context);
                return (Value::Array(results), Some(then));
            }
            Step::Held => return (json!(self.held.iter().map(From::caller).collect::<Vec<_>>()), None),
            Step::Release { body } => {
                let held = self.held.pop_front();
                if let Some(from) = &held {
                    context.reply_to(from.caller(), &body.0);
                }
                return (json!(held.is_some()), None);
            }
            Step::Echo(content) => {
                let body = Value::from(content);
                self.journal.push(json!({ "call": body }));
                return (body, None);
            }
            Step::Journal => return (json!(self.journal), None),
            Step::Take => return (json!(std::mem::take(&mut self.journal)), None),
            Step::Restores => return (json!(self.restores), None),
            Step::RefuseSave(refuses) => {
                self.refuses_save = refuses;
                return (Value::Null, None);
            }
            Step::AtEnd { tell, steps } => {
                self.at_end = Some((tell, steps));
                return (Value::Null, None);
            }
            Step::Hold => Then::Hold,
            Step::ReplyAndStop(reason) => Then::ReplyAndStop(reason),
            Step::StopWith(reason) => Then::StopWith(reason),
            Step::Fail(why) => Then::Fail(why),
            Step::Ignore => Then::Ignore,
            Step::Continue(times) => Then::Continue(times),
            Step::Idle { after_ms } => Then::Idle(after_ms),
            Step::Hibernate => Then::Hibernate,
            _ => return (steps::wrong("only a task can do this"), None),
        };
        (Value::Null, Some(next))
    }
}

/// What a cast, a message or a timer may carry instead of something to note: `{"do":[steps]}`.
fn script(body: Body) -> Option<Vec<Value>> {
    match Value::decode(body).ok()?.get_mut("do")?.take() {
        Value::Array(steps) => Some(steps),
        _ => None,
    }
}

fn follow<R>(outcome: Outcome<R, u32>, then: Then) -> Outcome<R, u32> {
    match then {
        Then::Wait | Then::Hold | Then::Ignore | Then::Continue(0) => outcome,
        Then::Continue(times) => outcome.then_continue(times),
        Then::Idle(after_ms) => outcome.idle_after(Duration::from_millis(after_ms)),
        Then::Hibernate => outcome.hibernate(),
        Then::ReplyAndStop(reason) | Then::StopWith(reason) => outcome.stop(reason),
        Then::Fail(why) => fail(why),
    }
}

skep_sdk::export!(Probe);

#[cfg(test)]
mod tests;
