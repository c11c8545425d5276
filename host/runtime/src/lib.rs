//! Supervised, sandboxed WebAssembly processes for a Rust program.
//!
//! `engine` is everything that touches wasmtime, `api` the host functions, `shell` the processes: table, run queue,
//! clock. The rules themselves are in `skep-kernel`.

pub mod api;
pub mod difference;
pub mod engine;
pub mod inspect;
pub mod observe;
pub mod reconfigure;
mod runtime;
mod shell;
pub mod spec;
pub mod system;
pub mod upgrade;

pub use engine::{Engine, EngineConfig, Module};
pub use runtime::{Client, Request, Runtime, RuntimeConfig, RuntimeError, SYSTEM_TIMEOUT, StartError, Trace};
pub use skep_kernel as kernel;
