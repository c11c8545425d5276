//! A counter that gives its instance back after each message, as one of a million would.
//!
//! Owns a count and 48 bytes that stand for what else such a process would know. Part of `skep bench`.

use skep_sdk::prelude::*;

/// The server, which is its own state: some 64 bytes when it is saved.
#[derive(Serialize, Deserialize)]
pub struct Counter {
    count: u64,
    other: [u64; 6],
}

/// What can be asked.
#[derive(Serialize, Deserialize)]
pub enum Request {
    /// Adds, and replies the sum.
    Add(u64),
}

#[server]
impl Server for Counter {
    type Args = u64;
    type Call = Request;
    type Reply = u64;

    fn init(count: u64, _: &Context) -> Start<Self> {
        // Numbers that take the space of any numbers.
        let other = [1, 2, 3, 4, 5, 6].map(|factor: u64| (count + 1).wrapping_mul(factor << 56 | 1));
        Ok(Counter { count, other })
    }

    fn handle_started(&mut self, _: &Context) -> Outcome {
        noreply().hibernate()
    }

    fn handle_call(&mut self, Request::Add(n): Request, _: From<Self>, _: &Context) -> Outcome<u64> {
        self.count = self.count.wrapping_add(n);
        reply(self.count).hibernate()
    }
}

skep_sdk::export!(Counter);

#[cfg(test)]
mod tests {
    use skep_sdk::testing::Harness;

    use super::*;

    #[test]
    fn counts_across_instances() {
        let mut counter = Harness::<Counter>::start(5).expect("init succeeds");
        assert_eq!(counter.call(Request::Add(2)), Ok(7));
        assert_eq!(counter.call(Request::Add(2)), Ok(9));
    }
}
