//! Version 3 of `counter`: it also keeps its last counts.
//!
//! Owns what version 2 owns, and a short history. Shows a chain of steps: a process of version 1 takes both, up and down.

use std::collections::{BTreeMap, VecDeque};

use skep_sdk::prelude::*;

/// Of how many clients it keeps the last note; those of others are out of order.
const CLIENTS: usize = 1_000;
/// How many counts it keeps.
const HISTORY: usize = 8;

/// The layout of version 1.
mod v1 {
    #[derive(serde::Serialize, serde::Deserialize)]
    pub struct Counter {
        pub count: i64,
        pub noted: std::collections::BTreeMap<u64, i64>,
        pub violations: i64,
    }
}

/// The layout of version 2.
mod v2 {
    #[derive(serde::Serialize, serde::Deserialize)]
    pub struct Counter {
        pub count: i64,
        pub noted: std::collections::BTreeMap<u64, i64>,
        pub violations: i64,
        pub additions: i64,
    }
}

/// The server, which is its own state.
#[derive(Serialize, Deserialize)]
pub struct Counter {
    count: i64,
    /// The number of each client's last note.
    noted: BTreeMap<u64, i64>,
    violations: i64,
    additions: i64,
    /// What it was after each of the last changes, the oldest first.
    history: VecDeque<i64>,
}

impl Migrate<v1::Counter> for v2::Counter {
    fn migrate(old: v1::Counter, _: &MigrateContext) -> Result<Self, Failure> {
        let v1::Counter { count, noted, violations } = old;
        Ok(v2::Counter { count, noted, violations, additions: 0 })
    }
}

/// The history begins with what is known.
impl Migrate<v2::Counter> for Counter {
    fn migrate(old: v2::Counter, _: &MigrateContext) -> Result<Self, Failure> {
        let v2::Counter { count, noted, violations, additions } = old;
        Ok(Counter { count, noted, violations, additions, history: VecDeque::from([count]) })
    }
}

/// Version 2 has no place for the history.
impl Revert<v2::Counter> for Counter {
    fn revert(&self) -> Result<v2::Counter, Failure> {
        let Counter { count, noted, violations, additions, history: _ } = self;
        Ok(v2::Counter { count: *count, noted: noted.clone(), violations: *violations, additions: *additions })
    }
}

/// Version 1 has no place for the number of additions.
impl Revert<v1::Counter> for v2::Counter {
    fn revert(&self) -> Result<v1::Counter, Failure> {
        Ok(v1::Counter { count: self.count, noted: self.noted.clone(), violations: self.violations })
    }
}

/// What can be asked; the reply is a number, as in version 1, except to what is new.
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
    /// How often something was added since version 2.
    Additions,
    /// What it was after each of the last changes, the oldest first.
    History,
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

/// A number or several, as they are: older clients find what they expect.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Reply {
    /// To everything but [`Request::History`].
    Number(i64),
    /// To that.
    History(VecDeque<i64>),
}

#[server]
impl Server for Counter {
    type Args = i64;
    type Call = Request;
    type Reply = Reply;
    type Cast = Cast;

    fn init(start: i64, _: &Context) -> Start<Self> {
        let history = VecDeque::from([start]);
        Ok(Counter { count: start, noted: BTreeMap::new(), violations: 0, additions: 0, history })
    }

    fn handle_call(&mut self, request: Request, _: From<Self>, _: &Context) -> Outcome<Reply> {
        reply(Reply::Number(match request {
            Request::Get => self.count,
            Request::Add(n) => {
                self.count += n;
                self.additions += 1;
                self.remember();
                self.count
            }
            Request::Version => 3,
            Request::Noted(client) => self.noted.get(&client).copied().unwrap_or(0),
            Request::Violations => self.violations,
            Request::Additions => self.additions,
            Request::History => return reply(Reply::History(self.history.clone())),
        }))
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

impl Counter {
    fn remember(&mut self) {
        if self.history.len() == HISTORY {
            self.history.pop_front();
        }
        self.history.push_back(self.count);
    }
}

skep_sdk::export!(Counter, version = 3, from = [v1::Counter, v2::Counter], back_to = 1);

#[cfg(test)]
mod tests {
    use skep_sdk::testing::Harness;

    use super::*;

    #[test]
    fn keeps_its_last_counts_and_no_more() {
        let mut counter = Harness::<Counter>::start(0).expect("init succeeds").always_hibernating();
        for n in 1..=9 {
            assert_eq!(counter.call(Request::Add(1)), Ok(Reply::Number(n)));
        }
        assert_eq!(counter.call(Request::History), Ok(Reply::History((2..=9).collect())));
    }

    #[test]
    fn version_1_becomes_it_in_two_steps_and_comes_back() {
        let mut old = Harness::<counter::Counter>::start(40).expect("init succeeds");
        old.cast(counter::Cast::Note { client: 7, number: 1 });

        let mut new = old.upgrade::<Counter>().expect("it goes up");
        // Whatever a client of version 1 asks.
        for (request, answer) in
            [(r#""Version""#, "3"), (r#""Get""#, "40"), (r#"{"Add":2}"#, "42"), (r#"{"Noted":7}"#, "1")]
        {
            assert_eq!(new.call_json(request).as_deref(), Ok(answer), "{request}");
        }
        assert_eq!(new.call_json(r#""History""#).as_deref(), Ok("[40,42]"));

        let mut old = new.upgrade::<counter::Counter>().expect("it goes down");
        assert_eq!(old.call(counter::Request::Version), Ok(1));
        assert_eq!(old.call(counter::Request::Get), Ok(42));
        assert_eq!(old.call(counter::Request::Noted(7)), Ok(1));
    }

    #[test]
    fn version_2_keeps_its_additions_both_ways() {
        let mut old = Harness::<counter_v2::Counter>::start(1).expect("init succeeds");
        assert_eq!(old.call(counter_v2::Request::Add(1)), Ok(2));
        let mut new = old.upgrade::<Counter>().expect("it goes up");
        assert_eq!(new.call(Request::Add(1)), Ok(Reply::Number(3)));
        assert_eq!(new.call(Request::Additions), Ok(Reply::Number(2)));
        assert_eq!(new.call(Request::History), Ok(Reply::History([2, 3].into())));
        let mut old = new.upgrade::<counter_v2::Counter>().expect("it goes down");
        assert_eq!(old.call(counter_v2::Request::Version), Ok(2));
        assert_eq!(old.call(counter_v2::Request::Additions), Ok(2));
    }
}
