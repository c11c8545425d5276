//! A version 2 of `counter` whose migration panics, and whose step down does.
//!
//! Owns one number. What an upgrade that traps is tried on.

use skep_sdk::prelude::*;

/// What it takes over of version 1.
mod v1 {
    #[derive(serde::Serialize, serde::Deserialize)]
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
        panic!("version 2 did not expect a count of {}", old.count)
    }
}

impl Revert<v1::Counter> for Counter {
    fn revert(&self) -> Result<v1::Counter, Failure> {
        panic!("version 2 does not go back from a count of {}", self.count)
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

skep_sdk::export!(Counter, version = 2, from = [v1::Counter], back_to = 1);

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
    #[should_panic(expected = "version 2 did not expect a count of 40")]
    fn the_migration_panics() {
        let old = Harness::<counter::Counter>::start(40).expect("init succeeds");
        let _ = old.upgrade::<Counter>();
    }
    #[test]
    #[should_panic(expected = "version 2 does not go back from a count of 40")]
    fn the_step_down_panics() {
        let new = Harness::<Counter>::start(40).expect("init succeeds");
        let _ = new.upgrade::<counter::Counter>();
    }
}
