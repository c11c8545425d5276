//! The text is read as strictly as the specification of OpenMetrics allows.

use std::collections::BTreeMap;

use skep_runtime::engine::Usage;
use skep_runtime::kernel::budget::{BudgetSpec, FuelRate, WhenOut};
use skep_runtime::metrics::{BUCKETS, Evictions, Histogram, Metrics};

use super::*;

fn total(whose: &str, bounds: BudgetSpec) -> BudgetUsage {
    BudgetUsage {
        whose: whose.into(),
        processes: 3,
        instances: 2,
        memory_bytes: 4_096,
        mailbox_bytes: 60,
        timers: 1,
        open_files: 7,
        blocking_operations: 0,
        fuel_used: 1_000_000_007,
        logged_bytes: 11,
        bounds,
    }
}

fn usage(app: &str) -> AppUsage {
    AppUsage {
        app: app.into(),
        total: total(&format!("app {app}"), BudgetSpec::default()),
        supervisors: BTreeMap::new(),
        mailbox_messages: 5,
        throttled: 0,
        runnable: 2,
        messages_in: 70,
        messages_out: 80,
        dropped: 9,
        restarts: 10,
    }
}

/// A metric family: its kind, unit and samples by their labels.
#[derive(Debug, Default)]
struct Family {
    kind: String,
    unit: String,
    help: bool,
    samples: BTreeMap<String, f64>,
}

/// Reads it, or says what is wrong with which line.
fn read(text: &str) -> Result<BTreeMap<String, Family>, String> {
    let body = text.strip_suffix("# EOF\n").ok_or("it does not end with # EOF")?;
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let mut open = String::new();
    for line in body.split_terminator('\n') {
        let wrong = |why: &str| format!("{why}: {line:?}");
        if let Some(meta) = line.strip_prefix("# ") {
            let mut words = meta.splitn(3, ' ');
            let (what, name, rest) = (words.next(), words.next(), words.next());
            let (Some(name), Some(rest)) = (name, rest) else { return Err(wrong("no metadata")) };
            if what == Some("TYPE") {
                is_name(name).then_some(()).ok_or_else(|| wrong("no name of a metric"))?;
                let known = ["gauge", "counter", "info", "histogram"].contains(&rest);
                known.then_some(()).ok_or_else(|| wrong("no type"))?;
                let family = Family { kind: rest.to_owned(), ..Family::default() };
                if families.insert(name.to_owned(), family).is_some() {
                    return Err(wrong("a family twice, or in two pieces"));
                }
                open = name.to_owned();
                continue;
            }
            if name != open {
                return Err(wrong("metadata of another family"));
            }
            let family = families.get_mut(&open).ok_or_else(|| wrong("no TYPE before it"))?;
            if !family.samples.is_empty() {
                return Err(wrong("metadata behind samples"));
            }
            match what {
                Some("UNIT") if name.ends_with(&format!("_{rest}")) => family.unit = rest.to_owned(),
                Some("HELP") if !rest.is_empty() => family.help = true,
                _ => return Err(wrong("no metadata that is known")),
            }
            continue;
        }
        let family = families.get_mut(&open).ok_or_else(|| wrong("a sample of no family"))?;
        let suffixes: &[&str] = match family.kind.as_str() {
            "counter" => &["_total"],
            "info" => &["_info"],
            "histogram" => &["_bucket", "_sum", "_count"],
            _ => &[""],
        };
        let of = |suffix: &&'static str| Some((line.strip_prefix(&format!("{open}{suffix}"))?, *suffix));
        let (rest, suffix) = suffixes.iter().find_map(of).ok_or_else(|| wrong("a sample of another family"))?;
        let (labels, value) = match rest.strip_prefix('{') {
            Some(rest) => rest.rsplit_once("} ").ok_or_else(|| wrong("labels without an end"))?,
            None => ("", rest.strip_prefix(' ').ok_or_else(|| wrong("no value"))?),
        };
        labels_are_sound(labels).then_some(()).ok_or_else(|| wrong("bad labels"))?;
        let value: f64 = value.parse().map_err(|_| wrong("no number"))?;
        if value < 0.0 || (family.kind == "info" && value != 1.0) {
            return Err(wrong("a value that cannot be"));
        }
        let key = if family.kind == "histogram" { format!("{suffix} {labels}") } else { labels.to_owned() };
        if family.samples.insert(key, value).is_some() {
            return Err(wrong("the same labels twice"));
        }
    }
    Ok(families)
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !["_total", "_info", "_created", "_bucket"].iter().any(|suffix| name.ends_with(suffix))
}

/// `a="b",c="d"`, with `\\`, `\"` and `\n` escaped and nothing else.
fn labels_are_sound(mut labels: &str) -> bool {
    while !labels.is_empty() {
        let Some((name, rest)) = labels.split_once("=\"") else { return false };
        let mut escaped = false;
        let end = rest.char_indices().find(|(_, c)| match (escaped, c) {
            (true, _) => {
                escaped = false;
                false
            }
            (false, '\\') => {
                escaped = true;
                false
            }
            (false, c) => *c == '"',
        });
        let Some((end, _)) = end else { return false };
        let sound = rest[..end].replace("\\\\", "").replace("\\\"", "").replace("\\n", "");
        if !is_name(name) || sound.contains(['\\', '\n']) {
            return false;
        }
        labels = match &rest[end + 1..] {
            "" => "",
            more => match more.strip_prefix(',') {
                Some(more) => more,
                None => return false,
            },
        };
    }
    true
}

#[test]
fn every_app_is_a_sample_of_every_metric_that_it_has() {
    let bounds = BudgetSpec {
        memory_bytes: Some(64 << 20),
        fuel: Some(FuelRate { per_second: 5, burst: 6, when_out: WhenOut::End }),
        ..BudgetSpec::default()
    };
    let mut text = String::new();
    let mut odd = usage("od\"d\\ a\npp");
    odd.total.bounds = bounds;
    let few = BudgetSpec { open_files: Some(9), ..BudgetSpec::default() };
    odd.supervisors.insert("odd/below".to_owned(), BudgetUsage { timers: 0, ..total("supervisor below", few) });
    of_all(&mut text, &[usage("tally"), odd]);
    text.push_str("# EOF\n");
    let families = read(&text).unwrap_or_else(|why| panic!("{why}\n{text}"));
    let odd = r#"app="od\"d\\ a\npp""#;
    for (name, kind, of_tally, of_odd) in [
        ("skep_app_memory_bytes", "gauge", Some(4_096.0), Some(4_096.0)),
        ("skep_app_fuel", "counter", Some(1_000_000_007.0), Some(1_000_000_007.0)),
        ("skep_app_restarts", "counter", Some(10.0), Some(10.0)),
        ("skep_app_budget_memory_bytes", "gauge", None, Some(67_108_864.0)),
        ("skep_app_budget_fuel_per_second", "gauge", None, Some(5.0)),
        ("skep_app_budget_processes", "gauge", None, None),
    ] {
        let family = families.get(name).unwrap_or_else(|| panic!("no {name}"));
        let of = |labels: &str| family.samples.get(labels).copied();
        assert_eq!((family.kind.as_str(), of(r#"app="tally""#), of(odd)), (kind, of_tally, of_odd), "{name}");
    }
    let below = format!(r#"{odd},supervisor="odd/below""#);
    for (name, value) in [
        ("skep_supervisor_timers", Some(0.0)),
        ("skep_supervisor_logged_bytes", Some(11.0)),
        ("skep_supervisor_budget_open_files", Some(9.0)),
        ("skep_supervisor_budget_timers", None),
    ] {
        let family = families.get(name).unwrap_or_else(|| panic!("no {name}"));
        assert_eq!((family.samples.get(&below).copied(), family.samples.len()), (value, value.iter().len()), "{name}");
    }
    assert!(families.values().all(|family| family.help));
    let units = families.iter().filter(|(name, _)| name.ends_with("_bytes"));
    assert!(units.clone().count() == 10 && units.clone().all(|(_, family)| family.unit == "bytes"));
}

/// What a node has counted, each of it another number.
fn counted() -> Metrics {
    let mut times = Histogram { sum_ns: 1_500_000_000, ..Histogram::default() };
    times.counts[0] = 3;
    times.counts[BUCKETS] = 1;
    Metrics {
        spawns: 11,
        exits: 12,
        hits: 13,
        wakes: 14,
        evictions: Evictions { idle: 15, room: 16, budget: 17 },
        fuel: 18,
        wake_times: times,
        handle_times: Histogram::default(),
        small: Usage { live: 19, limit: 20 },
        large: Usage { live: 21, limit: 22 },
    }
}

fn of_a_node() -> BTreeMap<String, Family> {
    let mut text = String::new();
    whole::of_node(&mut text, &counted(), &[usage("one"), usage("two")]);
    text.push_str("# EOF\n");
    read(&text).unwrap_or_else(|why| panic!("{why}\n{text}"))
}

#[test]
fn what_concerns_the_node_as_a_whole_is_a_sample_each() {
    let families = of_a_node();
    for (name, labels, value) in [
        ("skep_spawns", "", 11.0),
        ("skep_exits", "", 12.0),
        ("skep_cache_hits", "", 13.0),
        ("skep_wakes", "", 14.0),
        ("skep_evictions", r#"reason="idle""#, 15.0),
        ("skep_evictions", r#"reason="room""#, 16.0),
        ("skep_evictions", r#"reason="budget""#, 17.0),
        ("skep_fuel", "", 18.0),
        ("skep_class_instances", r#"class="small""#, 19.0),
        ("skep_class_instances_limit", r#"class="large""#, 22.0),
        ("skep_run_queue_length", "", 4.0),
        ("skep_mailbox_messages", "", 10.0),
        ("skep_mailbox_bytes", "", 120.0),
        ("skep_wake_seconds", r#"_bucket le="1e-06""#, 3.0),
        ("skep_wake_seconds", r#"_bucket le="6.4e-05""#, 3.0),
        ("skep_wake_seconds", r#"_bucket le="0.000128""#, 3.0),
        ("skep_wake_seconds", r#"_bucket le="8.388608""#, 3.0),
        ("skep_wake_seconds", r#"_bucket le="+Inf""#, 4.0),
        ("skep_wake_seconds", "_sum ", 1.5),
        ("skep_wake_seconds", "_count ", 4.0),
        ("skep_handle_seconds", "_count ", 0.0),
    ] {
        let family = families.get(name).unwrap_or_else(|| panic!("no {name}"));
        assert_eq!(family.samples.get(labels), Some(&value), "{name} {labels}: {:?}", family.samples);
    }
    assert!(families.values().all(|family| family.help));
}

#[test]
fn the_page_lists_each_metric_and_no_other() {
    let page = include_str!("../../../../../docs/metrics.md");
    let is_listed = |name: &str| page.contains(&format!("| `{name}` "));
    let of_budgets = OF_BUDGETS.iter().map(|metric| (metric.name, metric.kind));
    let of_apps = OF_APPS.iter().map(|metric| (metric.name, metric.kind));
    let full =
        |(name, kind): (&str, Kind)| format!("skep_app_{name}{}", if kind == Kind::Counter { "_total" } else { "" });
    let mut known: Vec<String> = of_budgets.chain(of_apps).map(full).collect();
    known.extend(of_a_node().into_iter().map(|(name, family)| match family.kind.as_str() {
        "counter" => format!("{name}_total"),
        _ => name,
    }));
    known.extend(["skep_node_info", "skep_start_time_seconds"].map(str::to_owned));
    let unlisted: Vec<&String> = known.iter().filter(|name| !is_listed(name)).collect();
    assert!(unlisted.is_empty(), "docs/metrics.md does not list {unlisted:?}");
    let listed = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    let gone: Vec<&str> =
        listed.map(|(name, _)| name).filter(|name| !known.iter().any(|known| known == name)).collect();
    assert!(gone.is_empty(), "docs/metrics.md lists what there is not: {gone:?}");
}

#[test]
fn the_reader_of_these_tests_is_strict() {
    let good = "# TYPE a gauge\n# HELP a A.\na{b=\"c\"} 1\n# TYPE d counter\nd_total 2\n# EOF\n";
    assert!(read(good).is_ok(), "{:?}", read(good));
    for (bad, instead) in [
        ("# EOF\n", ""),
        ("# EOF\n", "# EOF\n\n"),
        ("d_total", "d"),
        ("a{", "e{"),
        ("\"c\"", "\"c"),
        ("\"c\"", "\"c\\x\""),
        ("} 1", "} one"),
        ("} 1", "} -1"),
        ("# TYPE d counter", "# TYPE a counter"),
        ("# TYPE d counter", "# TYPE d total"),
        ("# HELP a A.\n", "# UNIT a seconds\n"),
        ("} 1\n", "} 1\na{b=\"c\"} 2\n"),
    ] {
        let text = good.replacen(bad, instead, 1);
        assert!(read(&text).is_err(), "{text}");
    }
}

/// What a node really answers is read by the tests of the command.
#[test]
fn names_of_nodes_are_escaped() {
    assert_eq!(escaped("a\"b\\c\nd"), "a\\\"b\\\\c\\nd");
}
