//! What a node tells a monitoring system: OpenMetrics 1.0, in text.
//!
//! Owns the names of the metrics, which stay the same from release to release; `docs/metrics.md` lists them. Each app is a
//! label, and each supervisor with a budget; processes come and go, and are none.

mod whole;

#[cfg(test)]
mod tests;

use std::fmt::Write;
use std::time::UNIX_EPOCH;

use skep_runtime::inspect::{AppUsage, BudgetUsage};

use super::Node;

/// As OpenMetrics wants it.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What a metric is.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Gauge,
    Counter,
}

/// A metric of apps, or of budgets.
struct Metric<T> {
    name: &'static str,
    kind: Kind,
    /// What the name ends with, if it has a unit.
    unit: &'static str,
    help: &'static str,
    of: fn(&T) -> Option<u64>,
}

const fn metric<T>(
    name: &'static str,
    kind: Kind,
    unit: &'static str,
    help: &'static str,
    of: fn(&T) -> Option<u64>,
) -> Metric<T> {
    Metric { name, kind, unit, help, of }
}

/// Of each app, and of each supervisor with a budget of its own.
const OF_BUDGETS: &[Metric<BudgetUsage>] = {
    use Kind::{Counter, Gauge};
    &[
        metric("processes", Gauge, "", "Processes, supervisors among them.", |all| Some(all.processes)),
        metric("instances", Gauge, "", "Live instances.", |all| Some(all.instances)),
        metric("memory_bytes", Gauge, "bytes", "Linear memory of live instances, and saved states.", |all| {
            Some(all.memory_bytes)
        }),
        metric("mailbox_bytes", Gauge, "bytes", "Bodies of the events that wait in mailboxes.", |all| {
            Some(all.mailbox_bytes)
        }),
        metric("timers", Gauge, "", "Timers that run.", |all| Some(all.timers)),
        metric("open_files", Gauge, "", "Files, folders and sockets that are open.", |all| Some(all.open_files)),
        metric("blocking_operations", Gauge, "", "Operations under way that block a thread.", |all| {
            Some(all.blocking_operations)
        }),
        metric("budget_processes", Gauge, "", "How many processes there may be.", |all| all.bounds.processes),
        metric("budget_instances", Gauge, "", "How many live instances there may be.", |all| all.bounds.instances),
        metric("budget_memory_bytes", Gauge, "bytes", "How much memory there may be.", |all| all.bounds.memory_bytes),
        metric("budget_mailbox_bytes", Gauge, "bytes", "How many bytes may wait in mailboxes.", |all| {
            all.bounds.mailbox_bytes
        }),
        metric("budget_timers", Gauge, "", "How many timers may run.", |all| all.bounds.timers),
        metric("budget_open_files", Gauge, "", "How many files may be open.", |all| all.bounds.open_files),
        metric("budget_blocking_operations", Gauge, "", "How many operations may block a thread.", |all| {
            all.bounds.blocking_operations
        }),
        metric("budget_log_bytes_per_second", Gauge, "", "How much may be logged in a second.", |all| {
            all.bounds.log.as_ref().map(|log| log.bytes_per_second)
        }),
        metric("budget_fuel_per_second", Gauge, "", "How much fuel flows in every second.", |all| {
            all.bounds.fuel.map(|rate| rate.per_second)
        }),
        metric("fuel", Counter, "", "Fuel used, about one for each instruction.", |all| Some(all.fuel_used)),
        metric("logged_bytes", Counter, "bytes", "What guests have logged.", |all| Some(all.logged_bytes)),
    ]
};

/// Of each app.
const OF_APPS: &[Metric<AppUsage>] = {
    use Kind::{Counter, Gauge};
    &[
        metric("mailbox_messages", Gauge, "", "Events that wait in mailboxes.", |app| Some(app.mailbox_messages)),
        metric("throttled_processes", Gauge, "", "Processes that wait for fuel.", |app| Some(app.throttled)),
        metric("runnable_processes", Gauge, "", "Processes that wait for a worker.", |app| Some(app.runnable)),
        metric("messages_received", Counter, "", "Events that processes were handed.", |app| Some(app.messages_in)),
        metric("messages_sent", Counter, "", "Messages, calls and replies sent.", |app| Some(app.messages_out)),
        metric("messages_dropped", Counter, "", "Dropped because a mailbox was full.", |app| Some(app.dropped)),
        metric("restarts", Counter, "", "Children restarted by supervisors.", |app| Some(app.restarts)),
    ]
};

/// Everything, at this moment.
#[must_use]
pub fn exposition(node: &Node) -> String {
    let mut text = String::new();
    let started = node.started.duration_since(UNIX_EPOCH).unwrap_or_default();
    head(&mut text, "skep_node", "info", "", "The node.");
    let (name, version) = (escaped(&node.name), env!("CARGO_PKG_VERSION"));
    let _ = writeln!(text, "skep_node_info{{name=\"{name}\",version=\"{version}\"}} 1");
    head(&mut text, "skep_start_time_seconds", "gauge", "seconds", "When the node was started, since 1970.");
    let _ = writeln!(text, "skep_start_time_seconds {}.{:03}", started.as_secs(), started.subsec_millis());
    let usage = node.runtime.usage();
    whole::of_node(&mut text, &node.runtime.metrics(), &usage);
    of_all(&mut text, &usage);
    text.push_str("# EOF\n");
    text
}

fn of_all(text: &mut String, apps: &[AppUsage]) {
    let label = |app: &AppUsage| format!("app=\"{}\"", escaped(&app.app));
    let of_apps: Vec<(String, &AppUsage)> = apps.iter().map(|app| (label(app), app)).collect();
    let totals: Vec<(String, &BudgetUsage)> = apps.iter().map(|app| (label(app), &app.total)).collect();
    let below = apps.iter().flat_map(|app| {
        let labels = |path: &str| format!("{},supervisor=\"{}\"", label(app), escaped(path));
        app.supervisors.iter().map(move |(path, below)| (labels(path), below))
    });
    let below: Vec<(String, &BudgetUsage)> = below.collect();
    OF_BUDGETS.iter().for_each(|metric| samples(text, "skep_app", metric, &totals));
    OF_APPS.iter().for_each(|metric| samples(text, "skep_app", metric, &of_apps));
    if !below.is_empty() {
        OF_BUDGETS.iter().for_each(|metric| samples(text, "skep_supervisor", metric, &below));
    }
}

/// One metric, of each that has it, with its labels.
fn samples<T>(text: &mut String, prefix: &str, metric: &Metric<T>, of: &[(String, &T)]) {
    let (word, suffix) = match metric.kind {
        Kind::Gauge => ("gauge", ""),
        Kind::Counter => ("counter", "_total"),
    };
    let name = format!("{prefix}_{}", metric.name);
    head(text, &name, word, metric.unit, metric.help);
    for (labels, usage) in of {
        if let Some(value) = (metric.of)(usage) {
            let _ = writeln!(text, "{name}{suffix}{{{labels}}} {value}");
        }
    }
}

/// What comes before the samples of a metric.
fn head(text: &mut String, name: &str, kind: &str, unit: &str, help: &str) {
    let _ = writeln!(text, "# TYPE {name} {kind}");
    if !unit.is_empty() {
        let _ = writeln!(text, "# UNIT {name} {unit}");
    }
    let _ = writeln!(text, "# HELP {name} {help}");
}

/// Text within the quotes of a label.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
