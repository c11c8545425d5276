//! Saved states: versions, migrations, refusals.

use skep_sdk::prelude::*;
use skep_sdk::testing::Harness;
use skep_sdk::types::State;
use skep_sdk::{Cause, Codec, Message};

mod v1 {
    #[derive(serde::Serialize, serde::Deserialize)]
    pub struct Counter {
        pub count: i64,
    }
}

mod v2 {
    #[derive(serde::Serialize, serde::Deserialize)]
    pub struct Counter {
        pub count: i64,
        pub step: i64,
    }
}

impl Migrate<v1::Counter> for v2::Counter {
    fn migrate(old: v1::Counter, _: &MigrateContext) -> Result<Self, Failure> {
        if old.count < 0 { Err("below zero".into()) } else { Ok(v2::Counter { count: old.count, step: 1 }) }
    }
}

#[derive(Serialize, Deserialize)]
struct Counter {
    counts: Vec<i64>,
    step: i64,
}

impl Migrate<v2::Counter> for Counter {
    fn migrate(old: v2::Counter, _: &MigrateContext) -> Result<Self, Failure> {
        Ok(Counter { counts: vec![old.count], step: old.step })
    }
}

#[server]
impl Server for Counter {
    fn init(_: (), _: &Context) -> Start<Self> {
        Ok(Counter { counts: Vec::new(), step: 1 })
    }
}

skep_sdk::export!(Counter, version = 3, from = [v1::Counter, v2::Counter]);

#[derive(Serialize, Deserialize)]
struct Envelope<T> {
    sdk: u32,
    state: T,
}

fn restore<T: serde::Serialize + serde::de::DeserializeOwned>(
    version: u32,
    sdk: u32,
    state: T,
) -> Result<Vec<i64>, String> {
    let body = Envelope { sdk, state }.encode(Codec::Messagepack).expect("it can be written");
    let counter = Harness::<Counter>::restore(State { version, body }, Cause::Wake)?;
    Ok(counter.server().map(|server| server.counts.clone()).unwrap_or_default())
}

#[test]
fn what_cannot_be_taken_over_says_why() {
    let state = || v1::Counter { count: -1 };
    assert_eq!(restore(1, 1, state()), Err("below zero".into()));
    assert_eq!(restore(4, 1, state()), Err("this code reads states of versions [1, 2, 3], not 4".into()));
    assert_eq!(restore(0, 1, state()), Err("this code reads states of versions [1, 2, 3], not 0".into()));
    assert_eq!(restore(1, 9, state()), Err("the state was saved by a newer SDK (envelope 9, known is 1)".into()));
    assert_eq!(restore(3, 9, state()), Err("the state was saved by a newer SDK (envelope 9, known is 1)".into()));
    assert_eq!(restore(3, 1, state()), Err("cannot read the state: missing field `counts`".into()));
}

#[test]
fn a_state_climbs_from_any_version() {
    assert_eq!(restore(1, 1, v1::Counter { count: 4 }), Ok(vec![4]));
    assert_eq!(restore(2, 1, v2::Counter { count: 5, step: 2 }), Ok(vec![5]));
    assert_eq!(restore(3, 1, Counter { counts: vec![6, 7], step: 2 }), Ok(vec![6, 7]));
}

#[test]
fn a_fresh_state_has_the_newest_version() {
    let mut counter = Harness::<Counter>::start(()).expect("init succeeds");
    assert_eq!(counter.save().map(|state| state.version), Ok(3));
}

/// A server whose state is only a part of it, and which acts where it must not.
struct Cache {
    keys: Vec<String>,
    length: usize,
}

#[server]
impl Server for Cache {
    type Args = Vec<String>;
    type Call = ();
    type Reply = usize;
    type State = Vec<String>;

    fn init(keys: Vec<String>, _: &Context) -> Start<Self> {
        Ok(Cache { length: keys.len(), keys })
    }

    fn handle_call(&mut self, (): (), _: From<Self>, _: &Context) -> Outcome<usize> {
        reply(self.length)
    }

    fn save(&self) -> Result<Saved<'_, Vec<String>>, Failure> {
        if self.keys.is_empty() { Err("nothing to save".into()) } else { Ok(Saved::Borrowed(&self.keys)) }
    }

    fn restore(keys: Vec<String>, context: &MigrateContext) -> Result<Self, Failure> {
        context.log(Level::Debug, "restored");
        Ok(Cache { length: keys.len(), keys })
    }
}

skep_sdk::export!(Cache);

#[test]
fn a_server_may_save_a_part_of_itself_or_refuse() {
    let mut full = Harness::<Cache>::start(vec!["a".into()]).expect("init succeeds").always_hibernating();
    assert_eq!((full.call(()), full.call(())), (Ok(1), Ok(1)));
    let mut empty = Harness::<Cache>::start(Vec::new()).expect("init succeeds");
    assert_eq!(empty.save().map(|_| ()), Err("nothing to save".into()));
}
