//! What both sides can be told to do, and the two ways to say it: as the driver's requests, and as Erlang's terms.

use std::time::Duration;

use serde::Serialize;

/// One step of a work. The guest `bench-driver` says what each means; `bench.escript` does the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) enum Order {
    Players(u64),
    Start {
        module: &'static str,
        number: u64,
    },
    Clear,
    Lives(u64),
    Throw(u64),
    Asks(u64),
    Calls {
        times: u64,
        choice: Option<u64>,
    },
    FanIn(u64),
    Spin(u64),
    Latencies(u64),
    Crashes {
        name: &'static str,
        times: u64,
    },
    /// Of the guest `bench-cpu`.
    Fib(u32),
    /// The same. Erlang has it in C, so it is not asked.
    Sha(u64),
    /// So many processes, each with so many numbers for its state.
    Hoards {
        number: u64,
        size: u64,
    },
    /// All processes of this module go to the next version of their code. How long they stood still: by Skep's side the
    /// median and the 99th percentile, by Erlang's each.
    Upgrade(&'static str),
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Took {
    /// In all.
    pub(super) whole: Duration,
    /// Nanoseconds each, where single ones are measured.
    pub(super) each: Vec<u64>,
    /// Bytes of all states, where they went to other code by Skep's side.
    pub(super) state_bytes: u64,
}

impl Order {
    /// As Erlang's `io:read` understands it.
    pub(super) fn term(&self) -> String {
        match self {
            Order::Players(number) => format!("{{players,{number}}}."),
            Order::Start { module, number } => format!("{{start,{module},{number}}}."),
            Order::Clear => "clear.".to_owned(),
            Order::Lives(times) => format!("{{lives,{times}}}."),
            Order::Throw(passes) => format!("{{throw,{passes}}}."),
            Order::Asks(times) => format!("{{asks,{times}}}."),
            Order::Calls { times, choice: Some(seed) } => format!("{{calls,{times},{seed}}}."),
            Order::Calls { times, choice: None } => format!("{{calls,{times},first}}."),
            Order::FanIn(drops) => format!("{{fan_in,{drops}}}."),
            Order::Spin(number) => format!("{{spin,{number}}}."),
            Order::Latencies(times) => format!("{{latencies,{times}}}."),
            Order::Crashes { name, times } => format!("{{crashes,{name},{times}}}."),
            Order::Fib(n) => format!("{{fib,{n}}}."),
            Order::Sha(bytes) => format!("{{sha,{bytes}}}."),
            Order::Hoards { number, size } => format!("{{hoards,{number},{size}}}."),
            Order::Upgrade(module) => format!("{{upgrade,{module}}}."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_are_told_the_same() {
        let json = |order: &Order| serde_json::to_string(order).expect("an order is data");
        let order = Order::Calls { times: 3, choice: Some(7) };
        assert_eq!(json(&order), r#"{"Calls":{"times":3,"choice":7}}"#);
        assert_eq!(order.term(), "{calls,3,7}.");
        assert_eq!(json(&Order::Clear), r#""Clear""#);
        assert_eq!(Order::Clear.term(), "clear.");
    }
}
