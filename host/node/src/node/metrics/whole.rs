//! What concerns a node as a whole: the cache of instances, the run queue, fuel, mail, and how long wakes and events take.

use std::fmt::Write;
use std::time::Duration;

use skep_runtime::engine::Class;
use skep_runtime::inspect::AppUsage;
use skep_runtime::metrics::{BUCKETS, Histogram, Metrics, TIMED_EVERY};

use super::head;

/// A counter of the runtime.
struct Counter {
    name: &'static str,
    help: &'static str,
    of: fn(&Metrics) -> u64,
}

const COUNTERS: &[Counter] = &[
    Counter {
        name: "skep_spawns",
        help: "Processes that were started, supervisors among them.",
        of: |metrics| metrics.spawns,
    },
    Counter { name: "skep_exits", help: "Processes that have ended.", of: |metrics| metrics.exits },
    Counter {
        name: "skep_cache_hits",
        help: "Events for which a process had its instance; those that its guest pulls meanwhile are not counted.",
        of: |metrics| metrics.hits,
    },
    Counter {
        name: "skep_wakes",
        help: "Instances made anew, and restored, for a process that had given its own back.",
        of: |metrics| metrics.wakes,
    },
    Counter { name: "skep_fuel", help: "Fuel used, about one for each instruction.", of: |metrics| metrics.fuel },
];

/// All of it; `apps` is what the apps use at this moment.
pub(super) fn of_node(text: &mut String, metrics: &Metrics, apps: &[AppUsage]) {
    classes(text, metrics);
    for Counter { name, help, of } in COUNTERS {
        head(text, name, "counter", "", help);
        let _ = writeln!(text, "{name}_total {}", of(metrics));
    }
    let why = "Instances saved and given back: idle (nothing came, or the guest asked for it), room (somebody found no \
               place in the class), budget (a budget was full).";
    head(text, "skep_evictions", "counter", "", why);
    let evictions = metrics.evictions;
    for (why, count) in [("idle", evictions.idle), ("room", evictions.room), ("budget", evictions.budget)] {
        let _ = writeln!(text, "skep_evictions_total{{reason=\"{why}\"}} {count}");
    }
    let sum = |of: fn(&AppUsage) -> u64| apps.iter().map(of).sum::<u64>();
    for (name, unit, help, value) in [
        ("skep_run_queue_length", "", "Processes that wait for a worker.", sum(|app| app.runnable)),
        ("skep_mailbox_messages", "", "Events that wait in mailboxes.", sum(|app| app.mailbox_messages)),
        ("skep_mailbox_bytes", "bytes", "Their bodies.", sum(|app| app.total.mailbox_bytes)),
    ] {
        head(text, name, "gauge", unit, help);
        let _ = writeln!(text, "{name} {value}");
    }
    let wakes = "From the beginning of a wake to the restored instance";
    histogram(text, "skep_wake_seconds", wakes, "wake", &metrics.wake_times);
    let handles = "From the beginning of an event to its outcome, with what the guest pulled or waited for meanwhile and \
                   the turns of others";
    histogram(text, "skep_handle_seconds", handles, "event", &metrics.handle_times);
}

fn classes(text: &mut String, metrics: &Metrics) {
    let classes = [("small", Class::Small), ("large", Class::Large)];
    let classes = classes.map(|(class, of)| (class, metrics.slots(of)));
    head(text, "skep_class_instances", "gauge", "", "Live instances of each class, of all apps.");
    for (class, usage) in classes {
        let _ = writeln!(text, "skep_class_instances{{class=\"{class}\"}} {}", usage.live);
    }
    head(text, "skep_class_instances_limit", "gauge", "", "How many instances of each class there may be.");
    for (class, usage) in classes {
        let _ = writeln!(text, "skep_class_instances_limit{{class=\"{class}\"}} {}", usage.limit);
    }
}

/// Buckets add up, as OpenMetrics wants them.
fn histogram(text: &mut String, name: &str, what: &str, of: &str, times: &Histogram) {
    let help = format!("{what}. One {of} in {TIMED_EVERY} is timed, on each worker for itself, from the first one on.");
    head(text, name, "histogram", "seconds", &help);
    let mut sum = 0;
    for (bucket, count) in times.counts.iter().enumerate() {
        sum += count;
        let _ = match bucket {
            BUCKETS => writeln!(text, "{name}_bucket{{le=\"+Inf\"}} {sum}"),
            _ => writeln!(text, "{name}_bucket{{le=\"{}\"}} {sum}", seconds(Histogram::bound(bucket))),
        };
    }
    #[allow(clippy::cast_precision_loss, reason = "a sum of times needs no more than 53 bits")]
    let all = times.sum_ns as f64 / 1e9;
    let _ = writeln!(text, "{name}_sum {all:?}\n{name}_count {sum}");
}

/// As OpenMetrics spells it, so that everybody does alike: `1e-06`, `0.000128`.
fn seconds(bound: Duration) -> String {
    let seconds = bound.as_secs_f64();
    let short = format!("{seconds:e}");
    match short.split_once("e-") {
        Some((digits, exponent)) if seconds < 1e-4 => format!("{digits}e-{exponent:0>2}"),
        _ => format!("{seconds:?}"),
    }
}
