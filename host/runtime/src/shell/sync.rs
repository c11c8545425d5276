//! What all that is built of whose steps threads can interleave: the run queue, the table, a process under its lock.
//!
//! Those files name nothing else that threads share, so that `tests/interleavings` can put other things in these places, and
//! try the very same code under any order of the threads' steps.

pub(super) use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence};
pub(super) use std::thread_local;

pub(super) use crossbeam_deque::{Injector, Steal, Stealer, Worker};
pub(super) use parking_lot::{Condvar, Mutex, MutexGuard};
pub(super) use rand::random;

pub(super) use super::sharded::Sharded;
