//! Version 2 of `bench-hoard`: it also keeps how often it was asked.
//!
//! Owns what version 1 owns, and that number. Goes back as well, so that both ways can be measured. Part of `skep bench`.

use skep_sdk::prelude::*;

/// The layout of version 1.
mod v1 {
    #[derive(serde::Serialize, serde::Deserialize)]
    pub struct Hoard {
        pub numbers: Vec<u64>,
    }
}

/// The server, which is its own state.
#[derive(Serialize, Deserialize)]
pub struct Hoard {
    numbers: Vec<u64>,
    asked: u64,
}

/// Nobody counted the questions until now.
impl Migrate<v1::Hoard> for Hoard {
    fn migrate(v1::Hoard { numbers }: v1::Hoard, _: &MigrateContext) -> Result<Self, Failure> {
        Ok(Hoard { numbers, asked: 0 })
    }
}

/// Version 1 has no place for the number of questions.
impl Revert<v1::Hoard> for Hoard {
    fn revert(&self) -> Result<v1::Hoard, Failure> {
        Ok(v1::Hoard { numbers: self.numbers.clone() })
    }
}

#[server]
impl Server for Hoard {
    type Args = u64;
    type Call = ();
    type Reply = u64;

    fn init(size: u64, _: &Context) -> Start<Self> {
        Ok(Hoard { numbers: (1..=size).map(|number| u64::MAX - number).collect(), asked: 0 })
    }

    fn handle_call(&mut self, (): (), _: From<Self>, _: &Context) -> Outcome<u64> {
        self.asked += 1;
        reply(self.numbers.len() as u64)
    }
}

skep_sdk::export!(Hoard, version = 2, from = [v1::Hoard], back_to = 1);

#[cfg(test)]
mod tests {
    use skep_sdk::testing::Harness;

    use super::*;

    #[test]
    fn keeps_the_numbers_on_the_way_up_and_on_the_way_down() {
        let old = Harness::<bench_hoard::Hoard>::start(1_000).expect("init succeeds");
        let mut new = old.upgrade::<Hoard>().expect("it takes the state over");
        assert_eq!(new.call(()), Ok(1_000));
        let mut old = new.upgrade::<bench_hoard::Hoard>().expect("it goes back");
        assert_eq!(old.call(()), Ok(1_000));
    }
}
