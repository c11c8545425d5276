//! A node: what turns the runtime into something that an operator runs and talks to.
//!
//! `manifest` is what an app says of itself, `build` makes guests, `bench` measures, `node` runs apps and keeps their log, `control` is the
//! node's HTTP API and its client, `signing` is about whose code is run, and `cli` is the `skep` command, the only place that formats for people.

pub mod bench;
pub mod build;
pub mod cli;
pub mod control;
pub mod demo;
pub mod manifest;
pub mod new;
pub mod node;
pub mod signing;
pub mod suggest;
