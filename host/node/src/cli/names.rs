//! `skep names`.

use clap::Args;

use super::failure::Failure;
use super::{Asking, Shared, output, table};
use crate::control::protocol::Known;
use crate::node::body::Readable;

/// Shows who is known by what
///
/// Shows who is known by what: the names of processes, the keys they hold in registries with their values, the groups they
/// are members of, and the topics they are subscribed to.
#[derive(Args)]
#[command(after_help = "Examples:\n  skep names\n  skep names chat --json | jq '.[] | select(.kind == \"topic\")'")]
pub(super) struct Names {
    /// Only this app
    app: Option<String>,

    #[command(flatten)]
    pub(super) asking: Asking,
}

impl Names {
    pub(super) async fn perform(self, shared: &Shared) -> Result<(), Failure> {
        let path = match &self.app {
            Some(app) => format!("/v1/names?app={}", super::logs::escaped(app)),
            None => "/v1/names".to_owned(),
        };
        let known: Vec<Known> = shared.client(&self.asking).await?.get(&path).await?;
        if self.asking.json {
            return output::print_json(&known);
        }
        let headings = ["app", "kind", "in", "key", "pid", "id", "value"];
        let rows: Vec<Vec<String>> = known.into_iter().map(row).collect();
        output::print(&table::table(&headings, &rows))
    }
}

fn row(known: Known) -> Vec<String> {
    let value = match known.value {
        Some(Readable::Json(json) | Readable::MessagePack(json)) if json.get() != "null" => json.get().to_owned(),
        Some(Readable::Text(text)) => text,
        Some(Readable::Raw(hexadecimal)) => format!("{} bytes", hexadecimal.len() / 2),
        Some(Readable::Json(_) | Readable::MessagePack(_)) | None => String::new(),
    };
    let (table, id) = (known.table.unwrap_or_default(), known.id.unwrap_or_default());
    vec![known.app, known.kind, table, known.key, known.pid, id, value]
}
