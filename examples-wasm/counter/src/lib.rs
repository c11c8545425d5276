//! A small server: it counts, and checks that numbered notes arrive in order.
//!
//! Owns one number, which calls read and change, and the number of each client's last note. Start with it when writing a
//! server of your own; `counter-v2` and `counter-v3` are what became of it later.

use std::collections::BTreeMap;

use skep_sdk::prelude::*;

/// Of how many clients it keeps the last note; those of others are out of order.
const CLIENTS: usize = 1_000;

/// The server, which is its own state.
#[derive(Serialize, Deserialize)]
pub struct Counter {
    count: i64,
    /// The number of each client's last note.
    noted: BTreeMap<u64, i64>,
    violations: i64,
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
    /// The number of the last note of this client; 0 if there was none.
    Noted(u64),
    /// How many notes were not the next of their client: lost, doubled or out of order.
    Violations,
}

/// What can be told.
#[derive(Serialize, Deserialize)]
pub enum Cast {
    /// A note, which each client numbers from 1 on.
    Note {
        /// Whose it is.
        client: u64,
        /// Which it is.
        number: i64,
    },
}

#[server]
impl Server for Counter {
    type Args = i64;
    type Call = Request;
    type Reply = i64;
    type Cast = Cast;

    fn init(start: i64, _: &Context) -> Start<Self> {
        Ok(Counter { count: start, noted: BTreeMap::new(), violations: 0 })
    }

    fn handle_call(&mut self, request: Request, _: From<Self>, _: &Context) -> Outcome<i64> {
        reply(match request {
            Request::Get => self.count,
            Request::Add(n) => {
                self.count += n;
                self.count
            }
            Request::Version => 1,
            Request::Noted(client) => self.noted.get(&client).copied().unwrap_or(0),
            Request::Violations => self.violations,
        })
    }

    fn handle_cast(&mut self, Cast::Note { client, number }: Cast, _: &Context) -> Outcome {
        let last = self.noted.get(&client).copied().unwrap_or(0);
        let room = last > 0 || self.noted.len() < CLIENTS;
        if number != last + 1 || !room {
            self.violations += 1;
        }
        // From where the client is now, so that one lost note is one violation.
        if number > last && room {
            self.noted.insert(client, number);
        }
        noreply()
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
        assert_eq!(counter.call(Request::Version), Ok(1));
    }

    #[test]
    fn answers_json_in_json() {
        let mut counter = Harness::<Counter>::start(1).expect("init succeeds");
        assert_eq!(counter.call_json(r#"{"Add":2}"#).as_deref(), Ok("3"));
        assert_eq!(counter.call_json(r#""Get""#).as_deref(), Ok("3"));
    }

    #[test]
    fn a_note_that_is_not_the_next_is_one_violation() {
        let mut counter = Harness::<Counter>::start(0).expect("init succeeds");
        // Client, number, violations so far: two clients in order, then a doubled one, a gap, and one that is late.
        for (client, number, violations) in [
            (7, 1, 0),
            (8, 1, 0),
            (7, 2, 0),
            (7, 2, 1),
            (7, 5, 2),
            (7, 6, 2),
            (7, 3, 3),
            (7, 7, 3),
            (8, 2, 3),
            (9, 0, 4),
        ] {
            counter.cast(Cast::Note { client, number });
            assert_eq!(counter.call(Request::Violations), Ok(violations), "{client} {number}");
        }
        let noted = [7, 8, 9].map(|client| counter.call(Request::Noted(client)));
        assert_eq!(noted, [Ok(7), Ok(2), Ok(0)]);
    }

    #[test]
    fn notes_of_too_many_clients_are_not_kept() {
        let mut counter = Harness::<Counter>::start(0).expect("init succeeds");
        for client in 0..=1_000 {
            counter.cast(Cast::Note { client, number: 1 });
        }
        assert_eq!(counter.call(Request::Violations), Ok(1));
        counter.cast(Cast::Note { client: 999, number: 2 });
        assert_eq!(counter.call(Request::Violations), Ok(1), "those that it keeps go on");
        assert_eq!(counter.call(Request::Noted(1_000)), Ok(0));
    }
}
