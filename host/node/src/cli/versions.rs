//! `skep versions`.

use clap::Args;

use super::failure::Failure;
use super::replace::time;
use super::when::when;
use super::{Asking, Shared, output, table};
use crate::node::code::history::{Event, How, Outcome};
use crate::node::code::versions::{Code, Versions};

/// Shows which code runs where, and what can be gone back to
///
/// For each module: its code with the version of its states and its digest, how many processes run on it, and whether
/// they begin on it (`current`). Processes stay on older code only as tasks that had begun on it. What a rollback goes
/// back to is marked `before`; what else is kept is reached by `skep rollback NAME --to DIGEST`.
#[derive(Args)]
#[command(after_help = "Examples:\n  skep versions\n  skep versions --history\n  \
                        skep versions --json | jq '.[].code[] | select(.current)'")]
pub(super) struct VersionsOf {
    /// What became of the last upgrades and rollbacks instead
    #[arg(long)]
    history: bool,

    #[command(flatten)]
    pub(super) asking: Asking,
}

impl VersionsOf {
    pub(super) async fn perform(self, shared: &Shared) -> Result<(), Failure> {
        let client = shared.client(&self.asking).await?;
        if self.history {
            let events: Vec<Event> = client.get("/v1/upgrades").await?;
            if self.asking.json {
                return output::print_json(&events);
            }
            let headings = ["when", "what", "module", "from", "to", "processes", "pause", "result"];
            let rows: Vec<Vec<String>> = events.iter().map(event).collect();
            return output::print(&table::table(&headings, &rows));
        }
        let modules: Vec<Versions> = client.get("/v1/modules").await?;
        if self.asking.json {
            return output::print_json(&modules);
        }
        let headings = ["app", "module", "kind", "version", "digest", "state", "processes", "came", "from"];
        let rows: Vec<Vec<String>> = modules.iter().flat_map(rows).collect();
        output::print(&table::table(&headings, &rows))
    }
}

fn rows(module: &Versions) -> impl Iterator<Item = Vec<String>> {
    module.code.iter().map(move |code| {
        vec![
            module.app.clone(),
            module.module.clone(),
            module.kind.clone(),
            code.id.version.map(|version| version.to_string()).unwrap_or_default(),
            code.id.short().to_owned(),
            state(code).to_owned(),
            code.processes.to_string(),
            code.kept.as_ref().map(|kept| when(kept.came_ms)).unwrap_or_default(),
            code.kept.as_ref().map(|kept| kept.origin.clone()).unwrap_or_default(),
        ]
    })
}

fn state(code: &Code) -> &'static str {
    match (code.current, code.before, code.processes) {
        (true, ..) => "current",
        (_, true, _) => "before",
        (_, _, 0) => "kept",
        _ => "leaving",
    }
}

fn event(event: &Event) -> Vec<String> {
    let how = match event.how {
        How::Upgrade => "upgrade",
        How::Rollback => "rollback",
        How::Deploy => "deploy",
        How::Watch => "watch",
    };
    let (processes, pause, result) = match &event.outcome {
        Outcome::Done { figures } => (figures.processes.to_string(), time(figures.pause_max_us), "done".to_owned()),
        Outcome::Refused { message, .. } => (String::new(), String::new(), format!("refused: {message}")),
        Outcome::CalledOff => (String::new(), String::new(), "called off".to_owned()),
    };
    vec![
        when(event.time_ms),
        how.to_owned(),
        format!("{}/{}", event.app, event.module),
        event.from.to_string(),
        event.to.to_string(),
        processes,
        pause,
        result,
    ]
}
