//! Tests of one process among others: scenarios by rule of OTP, and random sequences.
//!
//! All of them move the state machines by hand; none has a thread, a clock or Wasm.

mod calls;
mod guest;
mod invariants;
mod notation;
mod world;

mod exits;
mod processes;
mod servers;
mod sleep;
mod ties;
mod timers;
