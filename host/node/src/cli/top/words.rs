//! The tables of `skep top` in words.

use super::super::table;
use super::{Rates, Row, Shown};
use crate::control::protocol::{Total, Usage};

/// The columns of apps.
const OF_APPS: [&str; 12] = [
    "app",
    "processes",
    "instances",
    "memory",
    "mailboxes",
    "timers",
    "files",
    "fuel",
    "messages",
    "throttled",
    "dropped",
    "restarts",
];

/// Apps first, then so many of their processes.
pub(super) fn table(shown: &Shown, most: usize) -> String {
    let each = |word: &str| if shown.per_second { format!("{word}/s") } else { word.to_owned() };
    let (fuel, messages) = (each("fuel"), each("messages"));
    let of_apps = OF_APPS.map(|word| match word {
        "fuel" => fuel.as_str(),
        "messages" => messages.as_str(),
        word => word,
    });
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

/// One app, and below it each of its supervisors that has a budget: each figure beside what there may be.
pub(super) fn app(app: &Usage, rates: &Option<Rates>) -> Vec<Vec<String>> {
    let messages = match rates {
        Some(rates) => rates.each(app.messages_in, rates.messages.get(&app.app).copied().unwrap_or(0)),
        None => app.messages_in,
    };
    let mut row = total(&app.app, &app.total, rates);
    row.extend([count(messages), app.throttled.to_string(), app.dropped.to_string(), app.restarts.to_string()]);
    let below = app.supervisors.iter().map(|(path, below)| {
        let mut row = total(&under(path), below, rates);
        row.resize(OF_APPS.len(), String::new());
        row
    });
    std::iter::once(row).chain(below).collect()
}

/// What the row of a supervisor is called.
pub(super) fn under(path: &str) -> String {
    format!("└ {path}")
}

/// What one budget counts.
fn total(name: &str, total: &Total, rates: &Option<Rates>) -> Vec<String> {
    let budget = &total.budget;
    let (fuel, most) = match rates {
        Some(rates) => {
            let before = rates.fuel.get(name).copied().unwrap_or(0);
            (rates.each(total.fuel_used, before), budget.fuel_per_second)
        }
        None => (total.fuel_used, None),
    };
    let plain = |count: u64| count.to_string();
    vec![
        name.to_owned(),
        of(total.processes, budget.processes, plain),
        of(total.instances, budget.instances, plain),
        of(total.memory_bytes, budget.memory_bytes, size),
        of(total.mailbox_bytes, budget.mailbox_bytes, size),
        of(total.timers, budget.timers, plain),
        of(total.open_files, budget.open_files, plain),
        of(fuel, most, count),
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
