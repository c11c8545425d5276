//! A version 2 of `counter` whose states are JSON, and which reads no other: it answers the contract by hand, as a guest
//! in another language does.
//!
//! Owns one number. What a state in an unknown form is tried on; everything else about it is in order.

use std::cell::Cell;

use serde_json::{Value, json};
use skep_sdk::__private::behaviour::Guest;
use skep_sdk::__private::{Form, Next, Outcome, Shape, Start, State};
use skep_sdk::{Body, Cause, Event, ExitReason};

/// The version of its state, and the older one whose layout is the same.
const VERSIONS: [u32; 2] = [2, 1];

thread_local! {
    static COUNT: Cell<i64> = const { Cell::new(0) };
}

/// What the host calls.
pub struct Exports;

impl Guest for Exports {
    fn describe() -> Shape {
        let [version, older] = VERSIONS;
        let steps_down = vec![older];
        Shape { version, accepts: VERSIONS.to_vec(), steps_down, writes: Form::Json, reads: vec![Form::Json] }
    }

    fn init(args: Body) -> Result<Start, String> {
        COUNT.set(number(&value(&args)?)?);
        Ok(Start::Ready(Next::Wait))
    }

    fn handle(event: Event, _: u32) -> Result<Outcome, String> {
        let reply = match event {
            Event::Call(request) => Some(Body::Json(answer(&value(&request.body)?)?.to_string())),
            _ => None,
        };
        Ok(Outcome { reply, next: Next::Wait })
    }

    fn save(target: Option<u32>) -> Result<State, String> {
        let version = target.unwrap_or(VERSIONS[0]);
        if !VERSIONS.contains(&version) {
            return Err(format!("this code writes versions {VERSIONS:?}, not {version}"));
        }
        Ok(State { version, body: Body::Json(json!({ "count": COUNT.get() }).to_string()) })
    }

    fn restore(state: State, _: Cause) -> Result<(), String> {
        COUNT.set(number(&value(&state.body)?["count"])?);
        Ok(())
    }

    fn terminate(_: ExitReason) -> Result<(), String> {
        Ok(())
    }
}

/// What `counter` can be asked.
fn answer(request: &Value) -> Result<i64, String> {
    if let Some(more) = request.get("Add") {
        COUNT.set(COUNT.get() + number(more)?);
    }
    if request == "Version" { Ok(VERSIONS[0].into()) } else { Ok(COUNT.get()) }
}

fn value(body: &Body) -> Result<Value, String> {
    let Body::Json(text) = body else { return Err("it is no JSON".to_owned()) };
    serde_json::from_str(text).map_err(|error| error.to_string())
}

fn number(value: &Value) -> Result<i64, String> {
    value.as_i64().ok_or_else(|| format!("{value} is no number"))
}

#[cfg(target_family = "wasm")]
skep_sdk::__private::export_process!(Exports with_types_in skep_sdk::__private::process);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_saves_json_and_reads_nothing_else() {
        assert_eq!(Exports::init(Body::Json("40".into())), Ok(Start::Ready(Next::Wait)));
        assert_eq!(answer(&json!({ "Add": 2 })), Ok(42));
        let saved = Exports::save(None).expect("it saves");
        assert_eq!(saved, State { version: 2, body: Body::Json(r#"{"count":42}"#.into()) });
        assert_eq!(Exports::save(Some(1)).map(|state| state.version), Ok(1));
        assert!(Exports::save(Some(3)).is_err());
        COUNT.set(0);
        Exports::restore(saved, Cause::Wake).expect("it reads");
        assert_eq!((answer(&json!("Get")), answer(&json!("Version"))), (Ok(42), Ok(2)));
        let other = State { version: 1, body: Body::Messagepack(vec![0x80]) };
        assert_eq!(Exports::restore(other, Cause::Wake), Err("it is no JSON".to_owned()));
    }
}
