//! The way to the host, or to what stands in for it.
//!
//! Owns the choice between the two and nothing else: in Wasm the generated imports, natively the test harness, which has
//! the same functions. Called by everything that acts.

#[cfg(target_family = "wasm")]
pub(crate) use crate::bindings::process::skep::process::{
    groups, inbox, links, log, messaging, names, registry, timers,
};
pub(crate) mod topics {
    //! The type is the generated one on both sides.
    pub(crate) use crate::bindings::process::skep::process::topics::Audience;
    #[cfg(target_family = "wasm")]
    pub(crate) use crate::bindings::process::skep::process::topics::{broadcast, subscribe, unsubscribe};
    #[cfg(not(target_family = "wasm"))]
    pub(crate) use crate::testing::imports::topics::{broadcast, subscribe, unsubscribe};
}
pub(crate) mod spawning {
    //! The types are the generated ones on both sides.
    #[cfg(target_family = "wasm")]
    pub(crate) use crate::bindings::process::skep::process::spawning::spawn;
    pub(crate) use crate::bindings::process::skep::process::spawning::{Child, Claim, Options, SpawnError};
    #[cfg(not(target_family = "wasm"))]
    pub(crate) use crate::testing::imports::spawning::spawn;
}
#[cfg(target_family = "wasm")]
pub(crate) use crate::supervision::wire as supervision;
#[cfg(target_family = "wasm")]
pub(crate) use crate::sys::wire as system;
#[cfg(not(target_family = "wasm"))]
pub(crate) use crate::testing::imports::{
    groups, inbox, links, log, messaging, names, registry, supervision, system, timers,
};
