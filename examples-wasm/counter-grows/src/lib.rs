//! A version 2 of `counter` whose state grows more than a thousandfold in the migration.
//!
//! Owns one number and a ballast. Beyond 4 MiB of memory it traps in the migration; with more, beyond what a body may have.

use skep_sdk::prelude::*;

/// Four times the memory and sixteen times the body that a process has unless its manifest says otherwise.
const BALLAST_BYTES: usize = 16 << 20;

/// What it takes over of version 1.
mod v1 {
    #[derive(serde::Deserialize)]
    pub struct Counter {
        pub count: i64,
    }
}

/// The server, which is its own state.
#[derive(Serialize, Deserialize)]
pub struct Counter {
    count: i64,
    ballast: String,
}

/// What can be asked; the reply is a number.
#[derive(Serialize, Deserialize)]
pub enum Request {
    /// What it is.
    Get,
    /// What it is after adding this.
    Add(i64),
    /// The version of this code.
    Version,
}

impl Migrate<v1::Counter> for Counter {
    fn migrate(old: v1::Counter, _: &MigrateContext) -> Result<Self, Failure> {
        Ok(Counter { count: old.count, ballast: " ".repeat(BALLAST_BYTES) })
    }
}

#[server]
impl Server for Counter {
    type Args = i64;
    type Call = Request;
    type Reply = i64;

    fn init(start: i64, _: &Context) -> Start<Self> {
        Ok(Counter { count: start, ballast: String::new() })
    }

    fn handle_call(&mut self, request: Request, _: From<Self>, _: &Context) -> Outcome<i64> {
        match request {
            Request::Get => {}
            Request::Add(n) => self.count += n,
            Request::Version => return reply(2),
        }
        reply(self.count)
    }
}

skep_sdk::export!(Counter, version = 2, from = [v1::Counter]);

#[cfg(test)]
mod tests {
    use skep_sdk::testing::Harness;

    use super::*;

    #[test]
    fn a_fresh_one_works() {
        let mut counter = Harness::<Counter>::start(1).expect("init succeeds").always_hibernating();
        assert_eq!(counter.call(Request::Add(1)), Ok(2));
        assert_eq!(counter.call(Request::Version), Ok(2));
    }

    #[test]
    fn its_state_grows_a_thousandfold() {
        let mut old = Harness::<counter::Counter>::start(40).expect("init succeeds");
        for client in 0..1_000 {
            old.cast(counter::Cast::Note { client, number: 1 });
        }
        let before = size(&old.save().expect("it saves"));
        let mut new = old.upgrade::<Counter>().expect("natively there is room");
        let after = size(&new.save().expect("natively nothing is too large"));
        assert!(after > 1_000 * before, "{before} {after}");
    }

    fn size(state: &skep_sdk::types::State) -> usize {
        match &state.body {
            Body::Messagepack(bytes) => bytes.len(),
            other => panic!("states are MessagePack: {other:?}"),
        }
    }
}
