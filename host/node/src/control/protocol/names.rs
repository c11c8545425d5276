//! Who is known by what: names, keys of registries, members of groups, subscribers to topics.

use serde::{Deserialize, Serialize};
use skep_runtime::inspect::{EntryInfo, ProcessInfo};
use skep_runtime::kernel::directory::Table;

use crate::node::body::Readable;

/// One of `GET /v1/names`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Known {
    /// The app.
    pub app: String,
    /// `name`, `registry`, `group` or `topic`.
    pub kind: String,
    /// The registry, or the scope of the group.
    pub table: Option<String>,
    /// The name, the key as JSON, the group or the topic.
    pub key: String,
    /// The process, without the tag.
    pub pid: String,
    /// Its child id.
    pub id: Option<String>,
    /// What a registry has for it.
    pub value: Option<Readable>,
}

impl Known {
    /// A process with the name that it holds, if it holds one.
    #[must_use]
    pub fn by_name(process: &ProcessInfo) -> Option<Self> {
        Some(Known {
            app: process.app.to_string(),
            kind: "name".to_owned(),
            table: None,
            key: process.name.as_deref()?.to_owned(),
            pid: process.pid.to_string(),
            id: process.label.as_deref().map(str::to_owned),
            value: None,
        })
    }

    /// An entry of an app, and the process that it is of, unless that has just ended.
    #[must_use]
    pub fn by_entry(app: &str, entry: &EntryInfo, process: Option<&ProcessInfo>) -> Self {
        let (kind, table) = match &entry.table {
            Table::Registry(name) => ("registry", Some(name.to_string())),
            Table::Scope(name) => ("group", Some(name.to_string())),
            Table::Topics => ("topic", None),
        };
        Known {
            app: app.to_owned(),
            kind: kind.to_owned(),
            value: (kind == "registry").then(|| Readable::from(&*entry.value)),
            table,
            key: entry.key.to_string(),
            pid: entry.pid.to_string(),
            id: process.and_then(|process| process.label.as_deref()).map(str::to_owned),
        }
    }
}
