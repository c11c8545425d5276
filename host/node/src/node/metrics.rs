//! What a node tells a monitoring system: OpenMetrics 1.0, in text.
//!
//! Owns the names of the metrics, which stay the same from release to release. Each app is a label; processes come and go,
//! and are none.

#[cfg(test)]
mod tests;

use std::fmt::Write;
use std::time::UNIX_EPOCH;

use skep_runtime::engine::Class;
use skep_runtime::inspect::AppUsage;

use super::Node;

/// As OpenMetrics wants it.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What a metric is.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Gauge,
    Counter,
}

/// A metric of each app.
struct OfApps {
    name: &'static str,
    kind: Kind,
    /// What the name ends with, if it has a unit.
    unit: &'static str,
    help: &'static str,
    of: fn(&AppUsage) -> Option<u64>,
}

const fn of_apps(
    name: &'static str,
    kind: Kind,
    unit: &'static str,
    help: &'static str,
    of: fn(&AppUsage) -> Option<u64>,
) -> OfApps {
    OfApps { name, kind, unit, help, of }
}

const OF_APPS: &[OfApps] = {
    use Kind::{Counter, Gauge};
    &[
        of_apps("processes", Gauge, "", "Processes, supervisors among them.", |app| Some(app.processes)),
        of_apps("instances", Gauge, "", "Live instances.", |app| Some(app.instances)),
        of_apps("memory_bytes", Gauge, "bytes", "Linear memory of live instances, and saved states.", |app| {
            Some(app.memory_bytes)
        }),
        of_apps("timers", Gauge, "", "Timers that run.", |app| Some(app.timers)),
        of_apps("mailbox_messages", Gauge, "", "Events that wait in mailboxes.", |app| Some(app.mailbox_messages)),
        of_apps("mailbox_bytes", Gauge, "bytes", "Bodies of the events that wait.", |app| Some(app.mailbox_bytes)),
        of_apps("throttled_processes", Gauge, "", "Processes that wait for fuel.", |app| Some(app.throttled)),
        of_apps("budget_processes", Gauge, "", "How many processes there may be.", |app| app.bounds.processes),
        of_apps("budget_instances", Gauge, "", "How many live instances there may be.", |app| app.bounds.instances),
        of_apps("budget_memory_bytes", Gauge, "bytes", "How much memory there may be.", |app| app.bounds.memory_bytes),
        of_apps("budget_timers", Gauge, "", "How many timers may run.", |app| app.bounds.timers),
        of_apps("budget_mailbox_bytes", Gauge, "bytes", "How many bytes may wait in mailboxes.", |app| {
            app.bounds.mailbox_bytes
        }),
        of_apps("budget_fuel_per_second", Gauge, "", "How much fuel flows in every second.", |app| {
            app.bounds.fuel.map(|rate| rate.per_second)
        }),
        of_apps("fuel", Counter, "", "Fuel used, about one for each instruction.", |app| Some(app.fuel_used)),
        of_apps("messages_received", Counter, "", "Events that processes were handed.", |app| Some(app.messages_in)),
        of_apps("messages_sent", Counter, "", "Messages, calls and replies sent.", |app| Some(app.messages_out)),
        of_apps("messages_dropped", Counter, "", "Dropped because a mailbox was full.", |app| Some(app.dropped)),
        of_apps("restarts", Counter, "", "Children restarted by supervisors.", |app| Some(app.restarts)),
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
    let classes = [("small", Class::Small), ("large", Class::Large)];
    let classes = classes.map(|(class, of)| (class, node.runtime.engine().usage(of)));
    head(&mut text, "skep_class_instances", "gauge", "", "Live instances of each class, of all apps.");
    for (class, usage) in classes {
        let _ = writeln!(text, "skep_class_instances{{class=\"{class}\"}} {}", usage.live);
    }
    head(&mut text, "skep_class_instances_limit", "gauge", "", "How many instances of each class there may be.");
    for (class, usage) in classes {
        let _ = writeln!(text, "skep_class_instances_limit{{class=\"{class}\"}} {}", usage.limit);
    }
    of_all(&mut text, &node.runtime.usage());
    text.push_str("# EOF\n");
    text
}

fn of_all(text: &mut String, apps: &[AppUsage]) {
    for OfApps { name, kind, unit, help, of } in OF_APPS {
        let (word, suffix) = match kind {
            Kind::Gauge => ("gauge", ""),
            Kind::Counter => ("counter", "_total"),
        };
        head(text, &format!("skep_app_{name}"), word, unit, help);
        for app in apps {
            if let Some(value) = of(app) {
                let _ = writeln!(text, "skep_app_{name}{suffix}{{app=\"{}\"}} {value}", escaped(&app.app));
            }
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
