//! The smallest server worth having.
//!
//! Owns one number, which calls read and change. Start with it when writing a server of your own.

use skep_sdk::prelude::*;

/// The server, which is its own state.
#[derive(Serialize, Deserialize)]
pub struct Counter {
    count: i64,
}

/// What can be asked; the reply is the count.
#[derive(Serialize, Deserialize)]
pub enum Request {
    /// What it is.
    Get,
    /// What it is after adding this.
    Add(i64),
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
        if let Request::Add(n) = request {
            self.count += n;
        }
        reply(self.count)
    }
}

skep_sdk::export!(Counter);

#[cfg(test)]
mod tests {
    use skep_sdk::testing::Harness;

    use super::*;

    #[test]
    fn a_request_it_does_not_know_ends_it_with_a_reason() {
        let mut counter = Harness::<Counter>::start(0).expect("init succeeds");
        let Err(CallError::Ended(ExitReason::Failed(why))) = counter.call_json(r#""Fly""#) else {
            panic!("it should have failed");
        };
        assert!(why.starts_with("cannot decode a call: unknown variant `Fly`"), "{why}");
    }

    #[test]
    fn counts_also_when_hibernated_after_every_call() {
        let mut counter = Harness::<Counter>::start(40).expect("init succeeds").always_hibernating();
        assert_eq!(counter.call(Request::Add(1)), Ok(41));
        assert_eq!(counter.call(Request::Add(1)), Ok(42));
        assert_eq!(counter.call(Request::Get), Ok(42));
    }

    #[test]
    fn answers_json_in_json() {
        let mut counter = Harness::<Counter>::start(1).expect("init succeeds");
        assert_eq!(counter.call_json(r#"{"Add":2}"#).as_deref(), Ok("3"));
        assert_eq!(counter.call_json(r#""Get""#).as_deref(), Ok("3"));
    }
}
