//! Answers who is known by what.

use std::collections::HashMap;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use skep_runtime::inspect::ProcessInfo;
use skep_runtime::kernel::Pid;

use super::{Answer, Refusal, Shared, TreeQuery};
use crate::control::protocol::Known;

/// Names first, then what is in registries, groups and topics, app by app.
pub(super) async fn names(State(node): Shared, query: Result<Query<TreeQuery>, QueryRejection>) -> Answer<Vec<Known>> {
    let Query(TreeQuery { app }) = query?;
    let apps = node.runtime.apps();
    if let Some(wanted) = &app
        && !apps.iter().any(|known| **known == **wanted)
    {
        return Err(Refusal::unknown_app(wanted, &apps));
    }
    let processes = node.runtime.processes();
    let by_pid: HashMap<Pid, &ProcessInfo> = processes.iter().map(|process| (process.pid, process)).collect();
    let mut all = Vec::new();
    for name in apps.iter().filter(|known| app.as_deref().is_none_or(|app| app == &***known)) {
        let mut named: Vec<Known> =
            processes.iter().filter(|process| process.app == *name).filter_map(Known::by_name).collect();
        named.sort_by(|a, b| a.key.cmp(&b.key));
        all.extend(named);
        let entries = node.runtime.entries(name).unwrap_or_default();
        all.extend(entries.iter().map(|entry| Known::by_entry(name, entry, by_pid.get(&entry.pid).copied())));
    }
    Ok(Json(all))
}
