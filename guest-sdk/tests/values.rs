//! What pids, addresses, bodies and references look like in JSON and in MessagePack, and that both are read back.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;
use skep_sdk::prelude::*;
use skep_sdk::{Codec, Message, Untyped};

const PID: Pid = Pid { node: 0, id: 7, tag: 0x1f2e };

/// Reads back what it writes, in both codecs; the JSON is this.
fn check<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(value: &T, in_json: serde_json::Value) {
    assert_eq!(serde_json::to_value(value).expect("JSON"), in_json);
    for codec in [Codec::Json, Codec::Messagepack] {
        let body = value.encode(codec).expect("it can be written");
        assert_eq!(T::decode(body).as_ref(), Ok(value), "{codec:?}");
    }
}

#[test]
fn wrong_pids_are_refused() {
    for text in ["", "0.7", "0.7.g", "0.7.1.1", "-1.7.1", "0.7.1f2e "] {
        assert!(text.parse::<Pid>().is_err(), "{text}");
        assert!(serde_json::from_value::<Pid>(json!(text)).is_err(), "{text}");
    }
    assert!(serde_json::from_value::<Pid>(json!({ "node": 0, "id": 7 })).is_err());
}

#[test]
fn json_of_what_travels() {
    check(&PID, json!("0.7.1f2e"));
    check(&Address::Pid(PID), json!({ "pid": "0.7.1f2e" }));
    check(&Address::from("bank"), json!({ "name": "bank" }));
    let alias = Alias { node: 0, id: 7, tag: 0x1f2e };
    check(&alias, json!("0.7.1f2e"));
    check(&Address::from(alias), json!({ "alias": "0.7.1f2e" }));
    check(&Ref::<Untyped>::alias(alias), json!({ "alias": "0.7.1f2e" }));
    check(&TimerRef { owner: PID, timer: 3 }, json!({ "owner": "0.7.1f2e", "timer": 3 }));
    check(&Watched { mark: 3, alias: Some(alias) }, json!({ "mark": 3, "alias": "0.7.1f2e" }));
    check(&Ref::<Untyped>::named("bank"), json!({ "name": "bank" }));
    check(&Pending::<u64>::of(3), json!(3));
    check(&ExitReason::Normal, json!("normal"));
    check(&ExitReason::custom("tired"), json!({ "custom": { "text": "tired" } }));
    check(&CallError::Ended(ExitReason::Noproc), json!({ "ended": "noproc" }));
    check(&Body::Messagepack(vec![1, 200]), json!({ "messagepack": [1, 200] }));
    check(&Refusal::Taken(PID), json!({ "taken": "0.7.1f2e" }));
}

#[test]
fn a_person_may_write_an_address_as_plain_text() {
    assert_eq!(serde_json::from_value::<Address>(json!("0.7.1f2e")).expect("a pid"), Address::Pid(PID));
    assert_eq!(serde_json::from_value::<Address>(json!("bank")).expect("a name"), Address::from("bank"));
}

#[test]
fn a_pid_is_read_where_serde_has_lost_track_of_the_codec() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(untagged)]
    enum Either {
        Pid(Pid),
        Number(u64),
    }
    check(&Either::Pid(PID), json!("0.7.1f2e"));
}

#[test]
fn logs_do_not_show_the_tag() {
    let alias = Alias { node: 0, id: 7982, tag: 0x1f2e };
    let shown = format!(
        "{PID} {PID:?} {:?} {:?} {alias:?} {}",
        Address::Pid(PID),
        Ref::<Untyped>::pid(PID),
        Address::from(alias)
    );
    assert!(!shown.contains("1f2e") && !shown.contains("7982"), "{shown}");
}

#[test]
fn text_is_a_string_or_the_name_of_a_case() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Request {
        Get,
    }
    assert_eq!(Request::decode(Body::Text("Get".into())), Ok(Request::Get));
    assert_eq!(String::decode(Body::Text("a \"word\"".into())), Ok("a \"word\"".to_owned()));
    assert!(u64::decode(Body::Text("7".into())).is_err());
}

#[test]
fn no_bytes_are_nothing_and_others_are_not_guessed_at() {
    assert_eq!(<()>::decode(Body::Raw(Vec::new())), Ok(()));
    assert_eq!(Option::<u64>::decode(Body::Raw(Vec::new())), Ok(None));
    assert!(u64::decode(Body::Raw(Vec::new())).is_err());
    assert!(u64::decode(Body::Raw(vec![7])).is_err());
}

#[test]
fn messagepack_minds_neither_new_fields_nor_their_order() {
    #[derive(Serialize, Deserialize)]
    struct New {
        added: Vec<u8>,
        b: u8,
        a: u8,
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Old {
        a: u8,
        b: u8,
    }
    let body = New { added: vec![1], b: 2, a: 1 }.encode(Codec::Messagepack).expect("it can be written");
    assert_eq!(Old::decode(body), Ok(Old { a: 1, b: 2 }));
}
