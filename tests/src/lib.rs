//! What the whole-system tests stand on: guests built once, runtimes with an app of probes, reports collected.
//!
//! Nothing here decides whether a test passes, and nothing sleeps: whoever waits, waits for an event with a bound.

pub mod app;
pub mod crimes;
pub mod guests;
pub mod modes;
pub mod network;
pub mod steady;

pub use app::{Child, TestApp, eventually};
pub use modes::{MODES, in_both_modes};
