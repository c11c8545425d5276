//! The arguments of a child that are put together from two: those of a template, or those that a supervisor gives to all
//! its children, and the child's own (DSUP-01, DSUP-07).
//!
//! Erlang appends one list to another. Here `init` has one argument: the pair of the two, or the one that is there. Looks
//! into bodies no further than to find out whether there is anything in them.

use std::borrow::Cow;

use skep_kernel::Body;

/// MessagePack's nil, and the beginning of an array of two.
const NIL: &[u8] = &[0xc0];
const PAIR: u8 = 0x92;

/// Both, the first one first.
pub(super) fn joined(first: &Body, then: &Body) -> Result<Body, &'static str> {
    match (first, then) {
        (only, nothing) | (nothing, only) if is_nothing(nothing) => Ok(only.clone()),
        (Body::Json(first), Body::Json(then)) => Ok(Body::Json(format!("[{first},{then}]"))),
        _ => {
            let mut pair = vec![PAIR];
            pair.extend_from_slice(&packed(first)?);
            pair.extend_from_slice(&packed(then)?);
            Ok(Body::MessagePack(pair))
        }
    }
}

/// Whether a body says that there is nothing.
fn is_nothing(body: &Body) -> bool {
    match body {
        Body::Json(text) => text.trim() == "null",
        Body::MessagePack(bytes) => bytes == NIL,
        Body::Raw(bytes) => bytes.is_empty(),
        Body::Text(text) => text.is_empty(),
    }
}

/// The body as MessagePack, which says all that JSON can.
fn packed(body: &Body) -> Result<Cow<'_, [u8]>, &'static str> {
    match body {
        Body::MessagePack(bytes) => Ok(Cow::Borrowed(bytes)),
        Body::Json(text) => {
            let value: serde_json::Value =
                serde_json::from_str(text).map_err(|_| "arguments that are to be put together are no JSON")?;
            let packed = rmp_serde::to_vec(&value).map_err(|_| "arguments cannot be written as MessagePack")?;
            Ok(Cow::Owned(packed))
        }
        Body::Raw(_) | Body::Text(_) => Err("only JSON and MessagePack arguments can be put together"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Body {
        Body::Json(text.into())
    }

    fn pack(text: &str) -> Body {
        let value: serde_json::Value = serde_json::from_str(text).expect("it is JSON");
        Body::MessagePack(rmp_serde::to_vec(&value).expect("it is small"))
    }

    #[test]
    fn dsup_07_what_all_have_comes_first() {
        assert_eq!(joined(&json("{\"a\":1}"), &json("[2]")), Ok(json("[{\"a\":1},[2]]")));
        assert_eq!(joined(&pack("{\"a\":1}"), &pack("[2]")), Ok(pack("[{\"a\":1},[2]]")));
        // A template in a manifest is JSON, a guest's own arguments are MessagePack.
        assert_eq!(joined(&json("{\"a\":-1}"), &pack("\"x\"")), Ok(pack("[{\"a\":-1},\"x\"]")));
        assert_eq!(joined(&pack("1"), &json("2.5")), Ok(pack("[1,2.5]")));
    }

    #[test]
    fn dsup_01_without_one_there_is_the_other() {
        for nothing in [json("null"), json(" null "), pack("null"), Body::Raw(Vec::new()), Body::Text(String::new())] {
            for other in [json("1"), pack("1"), Body::Raw(vec![1]), Body::Text("x".into())] {
                assert_eq!(joined(&nothing, &other), Ok(other.clone()));
                assert_eq!(joined(&other, &nothing), Ok(other.clone()));
            }
        }
    }

    #[test]
    fn what_has_no_pairs_is_refused() {
        for odd in [Body::Raw(vec![1]), Body::Text("x".into()), json("{")] {
            assert!(joined(&odd, &pack("1")).is_err());
            assert!(joined(&pack("1"), &odd).is_err());
        }
    }
}
