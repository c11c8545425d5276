//! `skep ps`.

use clap::Args;

use super::failure::Failure;
use super::{Asking, Shared, output, table};
use crate::control::protocol::Process;

/// Lists the processes of a node
///
/// Lists the processes of a node: pid, app, child id, name, module and its version, what it is doing, messages in its
/// mailbox, and messages dropped because it was full. `instance` is `live` or `none`: a process that waits may have given its
/// own back, and `saved` is the size in bytes of the state that is left of it then. --json has more.
#[derive(Args)]
#[command(after_help = "Examples:\n  skep ps\n  skep ps --json | jq '.[] | select(.mailbox_messages > 100)'")]
pub(super) struct Ps {
    #[command(flatten)]
    pub(super) asking: Asking,
}

impl Ps {
    pub(super) async fn perform(self, shared: &Shared) -> Result<(), Failure> {
        let processes: Vec<Process> = shared.client(&self.asking).await?.get("/v1/processes").await?;
        if self.asking.json {
            return output::print_json(&processes);
        }
        let headings = [
            "pid", "app", "id", "name", "module", "version", "kind", "status", "mailbox", "dropped", "instance",
            "saved",
        ];
        let rows: Vec<Vec<String>> = processes.into_iter().map(row).collect();
        output::print(&table::table(&headings, &rows))
    }
}

fn row(process: Process) -> Vec<String> {
    vec![
        process.pid,
        process.app,
        process.id.unwrap_or_default(),
        process.name.unwrap_or_default(),
        process.module.unwrap_or_default(),
        process.version.map(|version| version.to_string()).unwrap_or_default(),
        process.kind,
        process.status,
        process.mailbox_messages.to_string(),
        process.dropped.to_string(),
        process.memory_bytes.map(|bytes| if bytes > 0 { "live" } else { "none" }.to_owned()).unwrap_or_default(),
        process.saved_bytes.map(|bytes| bytes.to_string()).unwrap_or_default(),
    ]
}
