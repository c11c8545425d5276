//! Version 2 of `counter`: it also counts how often something was added.
//!
//! Owns what version 1 owns, and that number. Shows a step up from an older layout, and one down again.

use std::collections::BTreeMap;

use skep_sdk::prelude::*;

/// Of how many clients it keeps the last note; those of others are out of order.
const CLIENTS: usize = 1_000;

/// The layout of version 1.
mod v1 {
    #[derive(serde::Serialize, serde::Deserialize)]
    pub struct Counter {
        pub count: i64,
        pub noted: std::collections::BTreeMap<u64, i64>,
        pub violations: i64,
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
}

/// Nobody counted the additions until now.
impl Migrate<v1::Counter> for Counter {
    fn migrate(old: v1::Counter, _: &MigrateContext) -> Result<Self, Failure> {
        let v1::Counter { count, noted, violations } = old;
        Ok(Counter { count, noted, violations, additions: 0 })
    }
}

/// Version 1 has no place for the number of additions.
impl Revert<v1::Counter> for Counter {
    fn revert(&self) -> Result<v1::Counter, Failure> {
        Ok(v1::Counter { count: self.count, noted: self.noted.clone(), violations: self.violations })
    }
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
    /// How often something was added since version 2.
    Additions,
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
        Ok(Counter { count: start, noted: BTreeMap::new(), violations: 0, additions: 0 })
    }

    fn handle_call(&mut self, request: Request, _: From<Self>, _: &Context) -> Outcome<i64> {
        reply(match request {
            Request::Get => self.count,
            Request::Add(n) => {
                self.count += n;
                self.additions += 1;
                self.count
            }
            Request::Version => 2,
            Request::Noted(client) => self.noted.get(&client).copied().unwrap_or(0),
            Request::Violations => self.violations,
            Request::Additions => self.additions,
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

skep_sdk::export!(Counter, version = 2, from = [v1::Counter], back_to = 1);

#[cfg(test)]
mod tests {
    use skep_sdk::testing::Harness;

    use super::*;

    #[test]
    fn counts_additions_also_when_hibernated_after_every_call() {
        let mut counter = Harness::<Counter>::start(40).expect("init succeeds").always_hibernating();
        assert_eq!((counter.call(Request::Add(1)), counter.call(Request::Add(1))), (Ok(41), Ok(42)));
        assert_eq!(counter.call(Request::Additions), Ok(2));
    }

    #[test]
    fn version_1_becomes_it_and_comes_back() {
        let mut old = Harness::<counter::Counter>::start(40).expect("init succeeds");
        old.cast(counter::Cast::Note { client: 7, number: 1 });
        old.cast(counter::Cast::Note { client: 7, number: 3 });

        let mut new = old.upgrade::<Counter>().expect("it goes up");
        // Whatever a client of version 1 asks.
        for (request, answer) in
            [(r#""Version""#, "2"), (r#""Get""#, "40"), (r#"{"Add":2}"#, "42"), (r#"{"Noted":7}"#, "3")]
        {
            assert_eq!(new.call_json(request).as_deref(), Ok(answer), "{request}");
        }
        assert_eq!(new.call_json(r#""Additions""#).as_deref(), Ok("1"));
        new.cast(Cast::Note { client: 7, number: 4 });

        let mut old = new.upgrade::<counter::Counter>().expect("it goes down");
        assert_eq!(old.call(counter::Request::Version), Ok(1));
        assert_eq!(old.call(counter::Request::Get), Ok(42));
        assert_eq!(old.call(counter::Request::Noted(7)), Ok(4));
        assert_eq!(old.call(counter::Request::Violations), Ok(1));
    }
}
