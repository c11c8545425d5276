//! `skep undeploy`.

use clap::Args;

use super::failure::Failure;
use super::{Asking, Shared, output, safe};
use crate::control::protocol;

/// Stops an app of a node, and forgets it
///
/// Stops the app's children in reverse of their start, each with the time that its `shutdown` gives it. The node goes on,
/// with its other apps or without any. Returns when the app has ended.
#[derive(Args)]
#[command(after_help = "Examples:\n  skep undeploy tally\n  skep undeploy tally --node blue --json")]
pub(super) struct Undeploy {
    /// The app: the `name` in its manifest
    app: String,

    #[command(flatten)]
    pub(super) asking: Asking,
}

impl Undeploy {
    pub(super) async fn perform(self, shared: &Shared) -> Result<(), Failure> {
        let client = shared.client(&self.asking).await?;
        let request = protocol::Undeploy { app: self.app };
        let gone: protocol::Undeployed = client.post("/v1/undeploy", &request).await?;
        if self.asking.json {
            return output::print_json(&gone);
        }
        let text = format!("{} has ended on {}: {}", gone.app, client.node(), gone.reason);
        output::print(&format!("{}\n", safe::line(&text)))
    }
}
