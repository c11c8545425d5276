//! States of processes as an operator reads and writes them: JSON, without what the SDK keeps beside the author's own.
//!
//! Owns the knowledge that a server of the SDK saves a MessagePack map whose `state` is the author's. What else is in there
//! is left as it is, byte for byte. Called by the control API; the runtime asks the code itself whether it takes a state.

mod messagepack;

use std::ops::Range;

use serde_json::value::RawValue;
use skep_runtime::kernel::{Body, State};

use super::body::Readable;

/// The author's own part of a state.
#[must_use]
pub fn readable(state: &State) -> Readable {
    match &state.body {
        Body::MessagePack(bytes) => match author_s(bytes) {
            Some(place) => Readable::from(&Body::MessagePack(bytes[place].to_vec())),
            None => Readable::from(&state.body),
        },
        body => Readable::from(body),
    }
}

/// The present state with another one of the author's in it, in the form that the present one has.
///
/// # Errors
///
/// The present one is bytes of a form that only the guest knows.
pub fn replaced(present: State, wanted: &RawValue) -> Result<State, String> {
    let body = match present.body {
        Body::MessagePack(mut bytes) => {
            let value: serde_json::Value = serde_json::from_str(wanted.get()).map_err(|error| error.to_string())?;
            let encoded = rmp_serde::to_vec_named(&value).map_err(|error| error.to_string())?;
            match author_s(&bytes) {
                Some(place) => drop(bytes.splice(place, encoded)),
                None => bytes = encoded,
            }
            Body::MessagePack(bytes)
        }
        Body::Json(_) => Body::Json(wanted.get().to_owned()),
        Body::Text(_) => Body::Text(serde_json::from_str(wanted.get()).map_err(|_| "its state is a text".to_owned())?),
        Body::Raw(_) => return Err("its state is bytes that only its own code knows to read".to_owned()),
    };
    Ok(State { version: present.version, body })
}

/// Where the author's state lies, if a server of the SDK has saved this.
fn author_s(bytes: &[u8]) -> Option<Range<usize>> {
    messagepack::value_of(bytes, "sdk")?;
    messagepack::value_of(bytes, "state")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn saved(value: &serde_json::Value) -> State {
        State { version: 3, body: Body::MessagePack(rmp_serde::to_vec_named(value).expect("it is plain data")) }
    }

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).expect("it is JSON")
    }

    fn shown(state: &State) -> String {
        serde_json::to_string(&readable(state)).expect("it is plain data")
    }

    #[test]
    fn of_a_server_of_the_sdk_the_authors_own_state_is_shown_and_replaced_and_the_rest_is_left() {
        let state = saved(&json!({ "sdk": 1, "more": [1, { "state": 2 }], "state": { "count": 40 }, "last": "x" }));
        assert_eq!(shown(&state), r#"{"form":"messagepack","body":{"count":40}}"#);
        let other = replaced(state, &raw(r#"{"count": 7, "long": "0123456789012345678901234567890123456789"}"#));
        let long = "0123456789012345678901234567890123456789";
        let expected = json!({
            "sdk": 1, "more": [1, { "state": 2 }], "state": { "count": 7, "long": long }, "last": "x"
        });
        assert_eq!(other, Ok(saved(&expected)));
    }

    #[test]
    fn any_other_state_is_shown_and_replaced_as_a_whole_in_its_own_form() {
        let state = saved(&json!({ "state": 1 }));
        assert_eq!(shown(&state), r#"{"form":"messagepack","body":{"state":1}}"#);
        assert_eq!(replaced(state, &raw("[2]")), Ok(saved(&json!([2]))));
        let of = |body| State { version: 1, body };
        assert_eq!(replaced(of(Body::Json("1".into())), &raw("[ 2 ]")), Ok(of(Body::Json("[ 2 ]".into()))));
        assert_eq!(replaced(of(Body::Text("a".into())), &raw("\"b\"")), Ok(of(Body::Text("b".into()))));
        assert!(replaced(of(Body::Text("a".into())), &raw("2")).is_err());
        assert!(replaced(of(Body::Raw(vec![1])), &raw("2")).is_err());
    }
}
