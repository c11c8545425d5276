//! `skep tree`.

use std::time::Duration;

use clap::Args;

use super::failure::Failure;
use super::{Asking, Shared, output, safe};
use crate::control::protocol::{AppTree, Branch};
use crate::manifest::units::Time;

/// Shows supervisors and their children
///
/// Shows who supervises whom, with pids, modules, their versions, and how often each was restarted.
#[derive(Args)]
#[command(after_help = "Examples:\n  skep tree\n  skep tree tally --json")]
pub(super) struct Tree {
    /// Only this app
    app: Option<String>,

    #[command(flatten)]
    pub(super) asking: Asking,
}

impl Tree {
    pub(super) async fn perform(self, shared: &Shared) -> Result<(), Failure> {
        let client = shared.client(&self.asking).await?;
        let path = match &self.app {
            Some(app) => format!("/v1/tree?app={}", super::logs::escaped(app)),
            None => "/v1/tree".to_owned(),
        };
        let trees: Vec<AppTree> = client.get(&path).await?;
        if self.asking.json {
            return output::print_json(&trees);
        }
        let mut text = String::new();
        for AppTree { app, root } in &trees {
            text.push_str(&format!("{}  {}\n", safe::line(app), about(root)));
            branches(&root.children, "", &mut text);
        }
        output::print(&text)
    }
}

fn branches(children: &[Branch], indent: &str, text: &mut String) {
    for (number, child) in children.iter().enumerate() {
        let (arm, below) = if number + 1 == children.len() { ("└─", "  ") } else { ("├─", "│ ") };
        text.push_str(&format!("{indent}{arm} {}  {}\n", safe::line(&child.id), about(child)));
        branches(&child.children, &format!("{indent}{below} "), text);
    }
}

/// Everything but the id.
fn about(branch: &Branch) -> String {
    let mut words = vec![branch.pid.clone().unwrap_or_else(|| "-".to_owned())];
    let module = branch.module.as_ref().unwrap_or(&branch.kind);
    words.push(match branch.version {
        Some(version) => format!("{module} version {version}"),
        None => module.clone(),
    });
    if branch.status != "running" {
        words.push(match branch.restart_in_ms {
            Some(ms) => format!("{} in {}", branch.status, Time(Duration::from_millis(ms))),
            None => branch.status.clone(),
        });
    }
    if let Some((used, all)) = branch.partitions {
        words.push(format!("{used} of {all} partitions"));
    }
    match branch.restarts {
        0 => {}
        1 => words.push("restarted once".to_owned()),
        times => words.push(format!("restarted {times} times")),
    }
    safe::line(&words.join("  "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn branch(id: &str, restarts: u64, children: Vec<Branch>) -> Branch {
        Branch {
            id: id.to_owned(),
            kind: if children.is_empty() { "worker" } else { "supervisor" }.to_owned(),
            pid: (restarts < 3).then(|| "<0.1>".to_owned()),
            status: if restarts < 3 { "running" } else { "restarting" }.to_owned(),
            module: children.is_empty().then(|| "m".to_owned()),
            version: (id == "a").then_some(2),
            digest: None,
            name: None,
            restarts,
            restart_in_ms: (restarts == 4).then_some(1_500),
            partitions: (id == "parts").then_some((2, 4)),
            children,
        }
    }

    #[test]
    fn branches_are_drawn() {
        let nested = branch("pool", 1, vec![branch("a", 2, vec![]), branch("b", 0, vec![])]);
        let mut text = String::new();
        let parts = branch("parts", 0, vec![branch("d", 4, vec![])]);
        branches(&[nested, branch("c", 3, vec![]), parts], "", &mut text);
        let expected = "\
├─ pool  <0.1>  supervisor  restarted once
│  ├─ a  <0.1>  m version 2  restarted 2 times
│  └─ b  <0.1>  m
├─ c  -  m  restarting  restarted 3 times
└─ parts  <0.1>  supervisor  2 of 4 partitions
   └─ d  -  m  restarting in 1500ms  restarted 4 times
";
        assert_eq!(text, expected);
    }
}
