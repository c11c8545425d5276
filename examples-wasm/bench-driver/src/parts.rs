//! What the other parts of the benchmark understand, as far as the driver asks it: a guest cannot depend on another one's
//! crate.

use skep_sdk::prelude::*;

/// The module `player`.
pub enum Player {}

impl Protocol for Player {
    type Args = ();
    type Call = Toss;
    type Reply = ();
    type Cast = Order;
    type Info = Never;
}

/// A request of a player.
#[derive(Serialize, Deserialize)]
pub enum Toss {
    Meet(Pid),
    Throw(u64),
    Expect(i64),
    Ping,
}

/// What no player replies to.
#[derive(Serialize, Deserialize)]
pub enum Order {
    Crash,
    Pour(u64),
    Spin,
}

/// The module `counter`.
pub enum Counter {}

impl Protocol for Counter {
    type Args = u64;
    type Call = Add;
    type Reply = u64;
    type Cast = Never;
    type Info = Never;
}

/// A request of a counter.
#[derive(Serialize, Deserialize)]
pub enum Add {
    Add(u64),
}

/// The module `hoard`.
pub enum Hoard {}

impl Protocol for Hoard {
    type Args = u64;
    type Call = ();
    type Reply = u64;
    type Cast = Never;
    type Info = Never;
}

/// The module `once`, a task.
pub enum Once {}

impl Protocol for Once {
    type Args = ();
    type Call = Never;
    type Reply = Never;
    type Cast = Never;
    type Info = ();
}
