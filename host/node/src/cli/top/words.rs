//! The tables of `skep top` in words.

use super::super::table;
use super::{Rates, Row, Shown};
use crate::control::protocol::Usage;

/// Apps first, then so many of their processes.
pub(super) fn table(shown: &Shown, most: usize) -> String {
    let each = |word: &str| if shown.per_second { format!("{word}/s") } else { word.to_owned() };
    let (fuel, messages) = (each("fuel"), each("messages"));
    let of_apps = [
        "app",
        "processes",
        "instances",
        "memory",
        "mailboxes",
        "timers",
        "throttled",
        &fuel,
        &messages,
        "dropped",
        "restarts",
    ];
    let mut text = table::table(&of_apps, &shown.apps);
    text.push('\n');
    let of_processes = ["pid", "app", "id", "name", "module", "status", "memory", "mailbox", &fuel, &messages];
    let rows: Vec<Vec<String>> = shown.rows.iter().take(most).map(row).collect();
    text.push_str(&table::table(&of_processes, &rows));
    let left_out = shown.rows.len().saturating_sub(most);
    if left_out > 0 {
        text.push_str(&format!("… and {left_out} more\n"));
    }
    text
}

/// One app, each figure beside what its budget allows.
pub(super) fn app(app: &Usage, rates: &Option<Rates>) -> Vec<String> {
    let (mut fuel, mut messages) = (app.fuel_used, app.messages_in);
    if let Some(rates) = rates {
        let (fuel_then, messages_then) = rates.apps.get(&app.app).copied().unwrap_or_default();
        (fuel, messages) = (rates.each(fuel, fuel_then), rates.each(messages, messages_then));
    }
    let budget = &app.budget;
    let rate = budget.fuel_per_second.filter(|_| rates.is_some());
    vec![
        app.app.clone(),
        of(app.processes, budget.processes, |count| count.to_string()),
        of(app.instances, budget.instances, |count| count.to_string()),
        of(app.memory_bytes, budget.memory_bytes, size),
        of(app.mailbox_bytes, budget.mailbox_bytes, size),
        of(app.timers, budget.timers, |count| count.to_string()),
        app.throttled.to_string(),
        of(fuel, rate, count),
        count(messages),
        app.dropped.to_string(),
        app.restarts.to_string(),
    ]
}

fn of(used: u64, most: Option<u64>, words: impl Fn(u64) -> String) -> String {
    match most {
        Some(most) => format!("{}/{}", words(used), words(most)),
        None => words(used),
    }
}

fn row(row: &Row) -> Vec<String> {
    let Row { process, memory, fuel, messages } = row;
    vec![
        process.pid.clone(),
        process.app.clone(),
        process.id.clone().unwrap_or_default(),
        process.name.clone().unwrap_or_default(),
        process.module.clone().unwrap_or_default(),
        process.status.clone(),
        size(*memory),
        process.mailbox_messages.to_string(),
        count(*fuel),
        count(*messages),
    ]
}

/// `1.2MiB`: what a person compares at a glance.
fn size(bytes: u64) -> String {
    scaled(bytes, 1024, &["B", "KiB", "MiB", "GiB", "TiB"])
}

/// `3.4M`
fn count(number: u64) -> String {
    scaled(number, 1000, &["", "k", "M", "G", "T"])
}

fn scaled(number: u64, step: u64, units: &[&str]) -> String {
    let mut factor: u64 = 1;
    let mut unit = 0;
    while unit + 1 < units.len() && number / factor >= step {
        factor *= step;
        unit += 1;
    }
    let tenths = u128::from(number % factor) * 10 / u128::from(factor);
    if unit == 0 { format!("{number}{}", units[0]) } else { format!("{}.{tenths}{}", number / factor, units[unit]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short() {
        for (number, as_size, as_count) in [
            (0, "0B", "0"),
            (999, "999B", "999"),
            (1_000, "1000B", "1.0k"),
            (1_536, "1.5KiB", "1.5k"),
            (1_048_576, "1.0MiB", "1.0M"),
            (7_340_032_000, "6.8GiB", "7.3G"),
            (u64::MAX, "16777215.9TiB", "18446744.0T"),
        ] {
            assert_eq!((size(number).as_str(), count(number).as_str()), (as_size, as_count), "{number}");
        }
    }

    #[test]
    fn what_is_bounded_stands_beside_its_bound() {
        assert_eq!(of(3, Some(1_000), |count| count.to_string()), "3/1000");
        assert_eq!(of(1_048_576, Some(67_108_864), size), "1.0MiB/64.0MiB");
        assert_eq!(of(3, None, count), "3");
    }
}
