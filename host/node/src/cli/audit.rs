//! `skep audit`.

use clap::Args;

use super::failure::Failure;
use super::table::table;
use super::when::when;
use super::{Shared, output};
use crate::node::audit::{Audit, Entry};

/// Shows who asked a node for what, and what came of it
///
/// All that may change something is written down, and all that was turned away; what only looks is not. `who` is the
/// user on the node's own machine, or the name of a token. Bodies of messages are not in it. It is read from the node's
/// folder, whether the node runs or not; the latest entries are kept, some 25,000 of them.
#[derive(Args)]
#[command(after_help = "Examples:\n  skep audit\n  skep audit --lines 1000 --node tally\n  \
                        skep audit --json | jq 'select(.result != \"done\")'")]
pub(super) struct AuditOf {
    /// The last entries
    #[arg(long, short = 'n', default_value = "100", value_name = "N")]
    lines: usize,

    /// Which node; needed only where there are several
    #[arg(long, value_name = "NAME")]
    node: Option<String>,

    /// Print JSON, an object a line
    #[arg(long)]
    pub(super) json: bool,
}

impl AuditOf {
    pub(super) fn perform(self, shared: &Shared) -> Result<(), Failure> {
        let entries = Audit::of(&shared.folder(self.node.as_deref())?).read();
        let latest = &entries[entries.len().saturating_sub(self.lines)..];
        if self.json {
            let lines = latest.iter().filter_map(|entry| serde_json::to_string(entry).ok());
            return output::print(&lines.map(|line| super::safe::json(&line) + "\n").collect::<String>());
        }
        let row = |entry: &Entry| {
            let Entry { time_ms, who, from, action, target, result, took_ms } = entry.clone();
            let took = format!("{took_ms} ms");
            vec![when(time_ms), who, from.unwrap_or_default(), action, target.unwrap_or_default(), result, took]
        };
        let rows: Vec<Vec<String>> = latest.iter().map(row).collect();
        output::print(&table(&["time", "who", "from", "did", "to", "result", "took"], &rows))
    }
}
