//! A version 2 of `counter` whose migration refuses negative counts, with a reason.
//!
//! Owns one number. What a refused upgrade is tried on; it has no step down, so a process that came up stays.

use skep_sdk::prelude::*;

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
        match old.count {
            count if count < 0 => Err(format!("version 2 cannot count from {count}: add {} first", -count).into()),
            count => Ok(Counter { count }),
        }
    }
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
    fn a_negative_count_is_refused_and_goes_on() {
        let old = Harness::<counter::Counter>::start(-3).expect("init succeeds");
        let mut refused = old.upgrade::<Counter>().expect_err("below zero");
        assert_eq!(refused.why, "version 2 cannot count from -3: add 3 first");
        assert_eq!(refused.process.call(counter::Request::Add(3)), Ok(0));
        let new = refused.process.upgrade::<Counter>().expect("no longer below zero");
        let stays = new.upgrade::<counter::Counter>().expect_err("there is no step down");
        assert!(stays.why.starts_with("no way"), "{stays:?}");
    }
}
