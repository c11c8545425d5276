//! `skep metrics`.

use clap::Args;

use super::failure::Failure;
use super::{Asking, Shared, output, safe};
use crate::control::protocol::Usage;

/// Prints what apps use, for a monitoring system
///
/// Prints what apps use as OpenMetrics text, which Prometheus reads: as the node itself answers GET /metrics, over TLS for
/// whoever has a token that may read. With --json the same of each app as objects.
#[derive(Args)]
#[command(after_help = "Examples:\n  skep metrics | grep memory\n  \
                        skep metrics > /var/lib/node_exporter/skep.prom\n  skep metrics --json | jq '.[].memory_bytes'")]
pub(super) struct Metrics {
    #[command(flatten)]
    pub(super) asking: Asking,
}

impl Metrics {
    pub(super) async fn perform(self, shared: &Shared) -> Result<(), Failure> {
        let client = shared.client(&self.asking).await?;
        if self.asking.json {
            let usage: Vec<Usage> = client.get("/v1/usage").await?;
            return output::print_json(&usage);
        }
        client.lines("/metrics", |line| output::print(&format!("{}\n", safe::line(line)))).await
    }
}
