//! The steps of a script that have to do with supervisors.
//!
//! Owns how they are performed; their shapes are the SDK's own (`Supervisor` and `Ask`, as JSON).

use serde_json::{Value, json};
use skep_sdk::prelude::*;
use skep_sdk::supervision::Ask;

/// Brings `{"Ok":{"pid":…}}` or `{"Err":…}`.
pub(super) fn start(supervisor: Supervisor, context: &Context) -> Result<Value, String> {
    super::show(context.start_supervisor(supervisor).map(|started| json!({ "pid": started.pid() })))
}

/// Brings `{"Ok":reply}` or `{"Err":…}`.
pub(super) fn ask(supervisor: Address, ask: Ask, context: &Context) -> Result<Value, String> {
    super::show(SupervisorRef::at(supervisor).ask(context, ask))
}
