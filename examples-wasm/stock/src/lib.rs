//! What is in stock, as an agent: read and changed by whoever knows its name.
//!
//! Owns the numbers. Taking is looking and changing in one, so two who want the last piece do not both get it. Copy it for
//! a value that many share.

use std::collections::BTreeMap;

use skep_sdk::prelude::*;

/// How many there are of each.
#[derive(Default, Serialize, Deserialize)]
pub struct Stock {
    there: BTreeMap<String, u64>,
}

/// What can be looked for.
#[derive(Serialize, Deserialize)]
pub enum Look {
    /// How many there are of this.
    HowMany(String),
    /// How many there are altogether.
    All,
}

/// What can be changed.
#[derive(Serialize, Deserialize)]
pub enum Change {
    /// So many more of this.
    Put(String, u64),
    /// So many of this, as far as they go.
    Take(String, u64),
}

#[agent]
impl Agent for Stock {
    type Args = Option<BTreeMap<String, u64>>;
    type Get = Look;
    type Got = u64;
    type Update = Change;
    /// How many came or went.
    type Updated = u64;

    fn init(there: Option<BTreeMap<String, u64>>, _: &Context) -> Start<Self> {
        let there = there.unwrap_or_default();
        if there.contains_key("") { Err("what has no name cannot be kept".into()) } else { Ok(Stock { there }) }
    }

    fn get(&self, what: Look) -> u64 {
        match what {
            Look::HowMany(thing) => self.there.get(&thing).copied().unwrap_or(0),
            Look::All => self.there.values().sum(),
        }
    }

    fn update(&mut self, change: Change) -> u64 {
        match change {
            Change::Put(thing, number) => {
                *self.there.entry(thing).or_default() += number;
                number
            }
            Change::Take(thing, number) => {
                let there = self.there.entry(thing).or_default();
                let taken = number.min(*there);
                *there -= taken;
                taken
            }
        }
    }
}

skep_sdk::export!(agent Stock);

#[cfg(test)]
mod tests {
    use skep_sdk::testing::Harness;

    use super::*;

    #[test]
    fn nobody_takes_what_is_not_there() {
        let mut stock = Harness::<Stock>::start(None).expect("init succeeds").always_hibernating();
        assert_eq!(stock.update(Change::Put("nut".into(), 5)), Ok(5));
        assert_eq!(stock.update(Change::Take("nut".into(), 3)), Ok(3));
        assert_eq!(stock.update(Change::Take("nut".into(), 3)), Ok(2));
        assert_eq!(stock.get(Look::HowMany("nut".into())), Ok(0));
    }

    #[test]
    fn all_of_it_is_counted() {
        let mut stock = Harness::<Stock>::start(None).expect("init succeeds");
        stock.cast(Change::Put("nut".into(), 5));
        stock.cast(Change::Put("bolt".into(), 2));
        assert_eq!(stock.call_json(r#"{"Get":"All"}"#).as_deref(), Ok("7"));
    }
}
