//! Tests of the supervisor: scenarios by rule of OTP, interleavings that OTP does not have, the full table of endings,
//! and random sequences. All drive the machine by hand; none has a process, a thread or a clock.

mod anything;
mod auto_shutdown;
mod backoff;
mod dice;
mod dynamic;
mod endings;
mod life;
mod partitions;
mod random;
mod rebuilds;
mod replaces;
mod requests;
mod restarts;
mod scenario;
mod shutdown;
mod table;
