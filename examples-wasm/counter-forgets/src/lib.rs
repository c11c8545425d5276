//! A version 2 of `counter` that reads no older state.
//!
//! Owns one number. What a missing path between two versions is tried on; everything else about it is in order.

use skep_sdk::prelude::*;

/// The server, which is its own state.
#[derive(Serialize, Deserialize)]
pub struct Counter {
    count: i64,
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

#[server]
impl Server for Counter {
    type Args = i64;
    type Call = Request;
    type Reply = i64;

    fn init(start: i64, _: &Context) -> Start<Self> {
        Ok(Counter { count: start })
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

skep_sdk::export!(Counter, version = 2);

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
    fn version_1_has_no_way_to_it() {
        let old = Harness::<counter::Counter>::start(40).expect("init succeeds");
        let mut refused = old.upgrade::<Counter>().expect_err("nothing older is read");
        assert!(refused.why.starts_with("no way"), "{refused:?}");
        assert_eq!(refused.process.call(counter::Request::Get), Ok(40));
    }
}
