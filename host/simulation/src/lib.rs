//! Simulation: whole trees of processes on the kernel's real state machines, with a virtual clock, in one thread.
//!
//! A seed draws a tree, what its guests do, and who goes one step further next, so that every interleaving that the
//! runtime's threads can bring about can come up, and any can be had again. Each step is compared with plain books of what
//! must be seen ([`Invariant`]). That each invariant can fail is shown by defects planted for it ([`Bug`]).
//!
//! ```
//! use skep_simulation::{Plan, run};
//!
//! let outcome = run(&Plan::new(7));
//! assert_eq!(outcome.violation, None);
//! ```

mod account;
mod bug;
mod dice;
mod episode;
mod figures;
mod plan;
mod world;

pub use bug::{Bug, Invariant};
pub use episode::{Outcome, Violation, run, shrink, trace};
pub use figures::Figures;
pub use plan::{Feature, Plan};

pub(crate) use dice::Dice;
