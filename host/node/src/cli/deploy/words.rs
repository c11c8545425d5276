//! A plan, what was done of it, and how far it is, in words.

use std::fmt::Display;

use super::super::demo::grouped;
use super::super::failure::Failure;
use super::super::replace::time;
use super::super::safe;
use crate::control::protocol::{DeployStep, Deployed, Step};
use crate::node::plan::{Change, ChildDoes, ChildStep, Does, Kind, ModuleDoes, ModuleStep, Plan};

/// A step of a plan: what is done, with whom, and the rest.
type Row = (&'static str, String, String);

/// The whole plan.
pub(super) fn plan(plan: &Plan, node: &str) -> String {
    let heading = match plan.does {
        Does::Start => "would be started:",
        Does::Change => "would change:",
        Does::Nothing => "runs as the manifest says: there is nothing to do",
    };
    let mut text = format!("{} on {} {heading}\n", safe::line(&plan.app), safe::line(node));
    for (title, rows) in [
        ("modules", plan.modules.iter().flat_map(module).collect::<Vec<Row>>()),
        ("registries", plan.registries.iter().map(registry).collect()),
        ("budget", plan.budget.iter().map(registry).collect()),
        ("children", plan.children.iter().flat_map(child).collect()),
    ] {
        if rows.is_empty() {
            continue;
        }
        text.push_str(&format!("  {title}\n"));
        let shown: Vec<(&str, String, String)> =
            rows.iter().map(|(does, who, what)| (*does, safe::line(who), safe::line(what))).collect();
        let width = shown.iter().map(|(_, who, _)| who.chars().count()).max().unwrap_or_default();
        for (does, who, what) in shown {
            let line = format!("    {does:<8} {who:<width$}  {what}");
            text.push_str(line.trim_end());
            text.push('\n');
        }
    }
    text
}

fn module(ModuleStep { module, does }: &ModuleStep) -> Vec<Row> {
    let row = |does, what: String| vec![(does, module.clone(), what)];
    match does {
        ModuleDoes::Add { to } => row("add", to.to_string()),
        ModuleDoes::Upgrade { from, to } => row("upgrade", format!("{from} → {to}")),
        ModuleDoes::Remove { from } => row("remove", from.to_string()),
        ModuleDoes::Change { changes } => changed(module, changes),
    }
}

fn registry(Change { what, from, to, when }: &Change) -> Row {
    ("change", what.clone(), format!("{from} → {to}, {when}"))
}

fn child(step: &ChildStep) -> Vec<Row> {
    let who = match &step.through {
        Some(last) => format!("{} to {} ({})", step.child, last.rsplit('/').next().unwrap_or(last), step.count),
        None => step.child.clone(),
    };
    match &step.does {
        ChildDoes::Start { kind } => vec![("start", who, self::kind(kind))],
        ChildDoes::Stop { kind } => vec![("stop", who, self::kind(kind))],
        ChildDoes::Change { changes } => changed(&who, changes),
    }
}

fn changed(who: &str, changes: &[Change]) -> Vec<Row> {
    let row =
        |Change { what, from, to, when }: &Change| ("change", who.to_owned(), format!("{what} {from} → {to}, {when}"));
    changes.iter().map(row).collect()
}

fn kind(kind: &Kind) -> String {
    match kind {
        Kind::Process { module } => module.clone(),
        Kind::Supervisor { processes } => format!("supervisor of {}", count(*processes, "process", "processes")),
    }
}

fn count(number: impl Into<u64> + Display + Copy, one: &str, several: &str) -> String {
    let number = number.into();
    format!("{} {}", grouped(number), if number == 1 { one } else { several })
}

/// What was done, in a line; warnings after it.
pub(super) fn done(plan: &Plan, done: &Deployed, node: &str) -> String {
    let mut parts = Vec::new();
    if let Some(figures) = &done.upgraded {
        let processes = count(figures.processes as u64, "process", "processes");
        parts.push(format!("{processes} upgraded (pause at most {})", time(figures.pause_max_us)));
    }
    for (children, what) in [(&done.stopped, "stopped"), (&done.started, "started")] {
        if !children.is_empty() {
            parts.push(format!("{} {what}", count(children.len() as u64, "child", "children")));
        }
    }
    let parts = match (plan.does, parts.is_empty()) {
        (Does::Start, _) => ": it is up".to_owned(),
        (_, true) => String::new(),
        (_, false) => format!(": {}", parts.join(", ")),
    };
    let mut text = format!("{}\n", safe::line(&format!("deployed {} on {node}{parts}", plan.app)));
    for warning in &done.warnings {
        text.push_str(&format!("warning: {}\n", safe::line(warning)));
    }
    text
}

/// Children that did not start.
pub(super) fn failed(plan: &Plan, done: &Deployed) -> Failure {
    let children = count(done.failed.len() as u64, "child", "children");
    let lines: Vec<String> = done.failed.iter().map(|failed| format!("{}: {}", failed.child, failed.reason)).collect();
    Failure::new(format!("{children} of `{}` did not start; everything else is done", plan.app))
        .detail(lines.join("\n"))
        .remedy("`skep logs` has more; deploying again tries to start what did not")
}

/// How far it is.
pub(super) fn step(step: &DeployStep) -> String {
    match step {
        DeployStep::Stopping { child } => format!("stopping {child}"),
        DeployStep::Starting { child } => format!("starting {child}"),
        DeployStep::Upgrading { upgrade } => match upgrade {
            Step::Checking => "upgrading: checking".to_owned(),
            Step::Suspending { done, total } => format!("upgrading: suspending {done}/{total}"),
            Step::Migrating { done, total } => format!("upgrading: migrating {done}/{total}"),
            Step::Committing => "upgrading: committing".to_owned(),
            Step::RollingBack => "upgrading: going back".to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::protocol::FailedChild;
    use crate::node::code::CodeId;
    use crate::node::code::history::Figures;
    use crate::node::plan::When;

    fn sample(does: Does) -> Plan {
        let code = |letter: &str, version| CodeId { digest: letter.repeat(64), version };
        let change = |what: &str, when| Change { what: what.into(), from: "1".into(), to: "2".into(), when };
        let child = |child: &str, does| ChildStep { child: child.into(), through: None, count: 1, does };
        let modules = [
            ("counter", ModuleDoes::Upgrade { from: code("a", Some(1)), to: code("b", Some(2)) }),
            ("store", ModuleDoes::Add { to: code("c", None) }),
            ("store", ModuleDoes::Change { changes: vec![change("limits.timers", When::NextSpawn)] }),
        ];
        let changes = vec![change("limits.memory", When::NextInstance), change("args", When::NextStart)];
        let pool = child("parsers/parser.1", ChildDoes::Change { changes });
        Plan {
            app: "shop".into(),
            does,
            modules: modules.map(|(module, does)| ModuleStep { module: module.into(), does }).into(),
            registries: vec![Change {
                what: "users".into(),
                from: "none".into(),
                to: "unique".into(),
                when: When::Now,
            }],
            budget: vec![change("memory", When::Now)],
            children: vec![
                ChildStep { through: Some("parsers/parser.8".into()), count: 8, ..pool },
                child("c\u{1b}ache", ChildDoes::Stop { kind: Kind::Process { module: "store".into() } }),
                child("web", ChildDoes::Start { kind: Kind::Supervisor { processes: 1_000 } }),
            ],
        }
    }

    #[test]
    fn a_plan_is_a_table() {
        let expected = "\
shop on blue would change:
  modules
    upgrade  counter  version 1 (aaaaaaaaaaaa) → version 2 (bbbbbbbbbbbb)
    add      store    cccccccccccc
    change   store    limits.timers 1 → 2, for processes spawned from then on
  registries
    change   users  none → unique, at once
  budget
    change   memory  1 → 2, at once
  children
    change   parsers/parser.1 to parser.8 (8)  limits.memory 1 → 2, with its next instance
    change   parsers/parser.1 to parser.8 (8)  args 1 → 2, at its next start
    stop     c\\u{1b}ache                       store
    start    web                               supervisor of 1,000 processes
";
        assert_eq!(plan(&sample(Does::Change), "blue"), expected);
        let nothing = Plan {
            does: Does::Nothing,
            modules: vec![],
            registries: vec![],
            budget: vec![],
            children: vec![],
            ..sample(Does::Nothing)
        };
        assert_eq!(plan(&nothing, "blue"), "shop on blue runs as the manifest says: there is nothing to do\n");
    }

    #[test]
    fn what_was_done_is_a_line() {
        let nothing = Deployed {
            upgraded: None,
            stopped: Vec::new(),
            started: Vec::new(),
            failed: Vec::new(),
            warnings: Vec::new(),
        };
        assert_eq!(done(&sample(Does::Start), &nothing, "blue"), "deployed shop on blue: it is up\n");
        assert_eq!(done(&sample(Does::Change), &nothing, "blue"), "deployed shop on blue\n");
        let much = Deployed {
            upgraded: Some(Figures { processes: 3, pause_max_us: 1_500, ..Figures::default() }),
            stopped: vec!["a".into()],
            started: vec!["b".into(), "c".into()],
            failed: vec![FailedChild { child: "d".into(), reason: "no".into() }],
            warnings: vec!["disk full".into()],
        };
        let expected = "deployed shop on blue: 3 processes upgraded (pause at most 1.5 ms), 1 child stopped, 2 children \
                        started\nwarning: disk full\n";
        assert_eq!(done(&sample(Does::Change), &much, "blue"), expected);
        let failure = failed(&sample(Does::Change), &much).to_string();
        assert_eq!(failure, "1 child of `shop` did not start; everything else is done");
    }
}
