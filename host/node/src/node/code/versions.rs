//! Which code runs where, and which is kept beside it.
//!
//! Owns putting together what the runtime has and what the store has. Changes nothing.

use serde::{Deserialize, Serialize};
use skep_runtime::engine::ModuleKind;
use skep_runtime::upgrade::ModuleInfo;

use super::CodeId;
use super::store::Ran;
use crate::node::Node;

/// A module of an app that runs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Versions {
    /// The app.
    pub app: String,
    /// The module.
    pub module: String,
    /// `server` or `task`.
    pub kind: String,
    /// Its code: the current one, then what still runs, then what is kept, the latest first.
    pub code: Vec<Code>,
}

/// One piece of code of a module.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Code {
    /// Which.
    #[serde(flatten)]
    pub id: CodeId,
    /// Whether processes begin on it.
    pub current: bool,
    /// Whether `skep rollback` goes back to it.
    pub before: bool,
    /// How many processes run on it.
    pub processes: usize,
    /// What is known of it, if it is kept.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub kept: Option<Provenance>,
}

/// Where kept code comes from.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Provenance {
    /// Its size.
    pub bytes: u64,
    /// When it came, in milliseconds since 1970.
    pub came_ms: u64,
    /// From where, such as the path of a file.
    pub origin: String,
}

impl Node {
    /// The code of all apps.
    #[must_use]
    pub fn versions(&self) -> Vec<Versions> {
        let mut all = Vec::new();
        for app in self.runtime.apps() {
            for module in self.runtime.modules(&app).unwrap_or_default() {
                all.push(versions(&app, &module, &self.store.ran(&app, &module.name)));
            }
        }
        all
    }
}

fn versions(app: &str, module: &ModuleInfo, ran: &Ran) -> Versions {
    let current = CodeId::from(&module.current);
    let before = ran.before(&current.digest);
    let mut running: Vec<(CodeId, usize)> =
        module.running.iter().map(|(code, processes)| (CodeId::from(code), *processes)).collect();
    running.sort_by_key(|(code, _)| code.digest != current.digest);
    let kept = ran.kept().iter().rev().map(|kept| (kept.code.clone(), 0));
    let mut code: Vec<Code> = Vec::new();
    for (id, processes) in running.into_iter().chain(kept) {
        if code.iter().any(|known| known.id.digest == id.digest) {
            continue;
        }
        let kept = ran.get(&id.digest).map(|kept| Provenance {
            bytes: kept.bytes,
            came_ms: kept.came_ms,
            origin: kept.origin.clone(),
        });
        code.push(Code {
            current: id.digest == current.digest,
            before: before == Some(id.digest.as_str()),
            processes,
            kept,
            id,
        });
    }
    let kind = match module.current.kind() {
        ModuleKind::Server(_) => "server",
        ModuleKind::Task => "task",
        ModuleKind::Command => "command",
    };
    Versions { app: app.to_owned(), module: module.name.to_string(), kind: kind.to_owned(), code }
}
