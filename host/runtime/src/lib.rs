//! Supervised, sandboxed WebAssembly processes for a Rust program.
//!
//! `engine` is everything that touches wasmtime, `api` the host functions, `shell` the processes: table, run queue,
//! clock. The rules themselves are in `skep-kernel`.
//!
//! A program makes a [`Runtime`], loads code, starts an app of supervised processes, and is, as a [`Client`], a process
//! among them: it spawns, calls, links, monitors and receives. [`Runtime::inspect`], [`Runtime::suspend`] and their
//! neighbours look into any process. What happens is told to an [`Observer`](observe::Observer).
//!
//! ```no_run
//! use skep_runtime::kernel::Body;
//! use skep_runtime::spec::{AppSpec, ModuleSpec, ProcessSpec};
//! use skep_runtime::{Runtime, RuntimeConfig};
//! use std::{sync::Arc, time::Duration};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let runtime = Runtime::new(RuntimeConfig::default(), Arc::new(()))?;
//! let counter = runtime.engine().load("counter", &std::fs::read("counter.wasm")?)?;
//! let till = ProcessSpec::new("counter").args(Body::Json("40".into())).named("till");
//! runtime.start_app(AppSpec::new("shop").module(ModuleSpec::new("counter", counter)).child(till.child("till"))).await?;
//!
//! let mut me = runtime.client("shop")?;
//! let reply = me.call("till", Body::Json(r#"{"Add":2}"#.into()), Some(Duration::from_secs(5))).await?;
//! assert_eq!(reply, Body::Json("42".into()));
//! runtime.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! `host/node/examples/embed.rs` has more, with the ends of processes and with a manifest; a test runs it with a real guest.

pub mod api;
pub mod difference;
pub mod engine;
pub mod inspect;
pub mod metrics;
pub mod observe;
pub mod reconfigure;
mod runtime;
mod shell;
pub mod spec;
pub mod system;
pub mod telemetry;
pub mod upgrade;

pub use engine::{Engine, EngineConfig, Module};
pub use runtime::{Client, Request, Runtime, RuntimeConfig, RuntimeError, SYSTEM_TIMEOUT, StartError, Trace};
pub use skep_kernel as kernel;
