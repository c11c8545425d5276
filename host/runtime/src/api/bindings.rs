//! Rust types and traits generated from `wit/`.
//!
//! Owns nothing by hand: a change of the contract shows here as a compile error in the file that implements it. What guests
//! export is in `engine/exports.rs`. The functions that carry a body or a text are async, so that one that has used up its
//! slice can give way; `inbox` needs the store for fuel and is linked by hand in `inbox.rs`.

#![allow(missing_docs, reason = "generated; the words are in wit/")]

/// What every guest imports.
pub mod imports {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "imports",
        imports: {
            "skep:process/messaging.me": trappable,
            "skep:process/messaging.abandon": trappable,
            "skep:process/messaging": async | trappable,
            "skep:process/spawning": async | trappable,
            "skep:process/supervision": async | trappable,
            "skep:process/system": async | trappable,
            "skep:process/links.exit": async | trappable,
            "skep:process/links.monitor": async | trappable,
            "skep:process/links.monitor-with": async | trappable,
            "skep:process/names": async | trappable,
            "skep:process/registry": async | trappable,
            "skep:process/groups": async | trappable,
            "skep:process/topics": async | trappable,
            "skep:process/timers.send-after": async | trappable,
            "skep:process/timers.start": async | trappable,
            "skep:process/timers.send-at": async | trappable,
            "skep:process/timers.start-at": async | trappable,
            "skep:process/log": async | trappable,
            default: trappable,
        },
    });
}

pub use imports::skep::process::{
    groups, inbox, links, log, messaging, names, registry, spawning, supervision, system, timers, topics, types,
};
