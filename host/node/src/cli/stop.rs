//! `skep stop`.

use clap::Args;

use super::failure::Failure;
use super::{Asking, Shared, output};
use crate::control::protocol::Halted;

/// Stops a node
///
/// Stops every app in order, children in reverse of their start, each with the time that its `shutdown` gives it. Returns
/// when all is stopped.
#[derive(Args)]
#[command(after_help = "Examples:\n  skep stop\n  skep stop --node tally --json")]
pub(super) struct Stop {
    #[command(flatten)]
    pub(super) asking: Asking,
}

impl Stop {
    pub(super) async fn perform(self, shared: &Shared) -> Result<(), Failure> {
        let client = shared.client(&self.asking).await?;
        let halted: Halted = client.post("/v1/stop", &()).await?;
        if self.asking.json {
            output::print_json(&halted)
        } else {
            output::print(&format!("{} has stopped\n", client.node()))
        }
    }
}
