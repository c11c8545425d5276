//! `skep grants`.

use clap::Args;

use super::failure::Failure;
use super::{Asking, Shared, output, safe, table};
use crate::control::protocol::{Granted, Right};

/// Shows what a process may do, and where each right comes from
///
/// Shows what a process may do beyond computing, and where each right comes from: its child in the manifest, its module, or
/// whoever has started it, who passes on at most what it has itself. Then what it might have and has not, and which of its
/// imports refuse whatever it does. Nothing is granted that is not listed.
#[derive(Args)]
#[command(after_help = "Examples:\n  skep grants reader\n  skep grants tally/parser.3 --json | jq '.rights[].key'")]
pub(super) struct GrantsOf {
    /// Whose: a name, `app/name`, or a pid from `skep ps`
    #[arg(value_name = "NAME")]
    process: String,

    #[command(flatten)]
    pub(super) asking: Asking,
}

impl GrantsOf {
    pub(super) async fn perform(self, shared: &Shared) -> Result<(), Failure> {
        let path = format!("/v1/grants?process={}", super::logs::escaped(&self.process));
        let granted: Granted = shared.client(&self.asking).await?.get(&path).await?;
        if self.asking.json {
            return output::print_json(&granted);
        }
        output::print(&shown(&granted))
    }
}

fn shown(granted: &Granted) -> String {
    let Granted { pid, path, module, started_by, rights, withheld, refused } = granted;
    let starter = started_by.as_ref().map_or_else(String::new, |starter| format!(", started by {starter}"));
    let mut text = safe::line(&format!("{path} {pid}, module {module}{starter}"));
    text.push('\n');
    if !rights.is_empty() {
        text.push_str(&listed(&["right", "what", "from"], rights));
    }
    if !withheld.is_empty() {
        text.push('\n');
        text.push_str(&listed(&["withheld", "what", "why"], withheld));
    }
    if !refused.is_empty() {
        text.push_str("\nimported, and refused whatever it does\n");
        for import in refused {
            text.push_str(&safe::line(&format!("  {import}")));
            text.push('\n');
        }
    }
    text
}

fn listed(headings: &[&str; 3], rights: &[Right]) -> String {
    let row = |right: &Right| vec![right.key.clone(), right.what.clone(), right.why.clone()];
    table::table(headings, &rights.iter().map(row).collect::<Vec<_>>())
}
