//! Keeps as many numbers as it is told: a state of any size, to be taken over by version 2.
//!
//! Owns the numbers, and does nothing with them. Part of `skep bench`.

use skep_sdk::prelude::*;

/// The server, which is its own state: some nine bytes for each number when it is saved.
#[derive(Serialize, Deserialize)]
pub struct Hoard {
    numbers: Vec<u64>,
}

#[server]
impl Server for Hoard {
    type Args = u64;
    type Call = ();
    type Reply = u64;

    fn init(size: u64, _: &Context) -> Start<Self> {
        // Numbers that take the space of any numbers.
        Ok(Hoard { numbers: (1..=size).map(|number| u64::MAX - number).collect() })
    }

    fn handle_call(&mut self, (): (), _: From<Self>, _: &Context) -> Outcome<u64> {
        reply(self.numbers.len() as u64)
    }
}

skep_sdk::export!(Hoard);

#[cfg(test)]
mod tests {
    use skep_sdk::testing::Harness;

    use super::*;

    #[test]
    fn keeps_as_many_as_it_is_told() {
        let mut hoard = Harness::<Hoard>::start(1_000).expect("init succeeds").always_hibernating();
        assert_eq!(hoard.call(()), Ok(1_000));
    }
}
