//! A version 2 of `counter` whose migration never ends.
//!
//! Owns one number. What the fuel of an upgrade is tried on.

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
    fn migrate(_: v1::Counter, _: &MigrateContext) -> Result<Self, Failure> {
        spin()
    }
}

/// A function of its own also when optimised, so that a backtrace shows it.
#[inline(never)]
fn spin() -> ! {
    loop {
        std::hint::black_box(());
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
    fn it_claims_to_read_version_1() {
        assert_eq!(Harness::<Counter>::describe().accepts, [1, 2]);
        // That the migration never ends cannot be shown here, where nobody ends it; but what comes before it is in order.
        let mut old = Harness::<counter::Counter>::start(40).expect("init succeeds");
        assert_eq!(old.save().map(|state| state.version), Ok(1));
    }
}
