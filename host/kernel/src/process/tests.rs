//! Tests of one process among others: scenarios by rule of OTP, and random sequences.
//!
//! All of them move the state machines by hand; none has a thread, a clock or Wasm.

mod aliases;
mod calls;
mod circle;
mod coordinator;
mod guest;
mod invariants;
mod notation;
mod op;
mod operator;
mod takeover;
mod world;

mod dice;
mod exits;
mod holdings;
mod looks;
mod marks;
mod processes;
mod random;
mod servers;
mod sleep;
mod system;
mod tasks;
mod throttle;
mod ties;
mod timers;
mod upgrade;
