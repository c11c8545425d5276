//! Upgrades as tables and as random stories: what is ordered after what is told.
//!
//! A line holds inputs on the left, separated by `;`, and all orders that follow on the right. Processes are numbers.
//!
//! - told: `found 1 2`, `closed 3`, `1 stops`, `1 moves`, `1 fails`, `1 gone`, `lull`, `time up`, `cancel`
//! - ordered: `suspend 1`, `close`, `open`, `migrate 1`, `commit`, `1 on new`, `1 on old`, `done`, `failed: …`

mod members;
mod paths;
mod phases;
mod random;

use std::time::Duration;

use super::*;
use crate::ExitReason;

/// Runs a story, line by line.
fn check(lines: &[(&str, &str)]) -> Transaction {
    let mut upgrade = Transaction::default();
    for (number, (told, expected)) in lines.iter().enumerate() {
        let mut out = Vec::new();
        for input in told.split(';') {
            upgrade.step(read(input.trim()), &mut out);
        }
        assert_eq!(show(&out), *expected, "line {number}: {told}");
    }
    upgrade
}

fn pid(number: u64) -> Pid {
    Pid { node: 0, id: number, tag: number }
}

fn read(input: &str) -> Input {
    let pids = |rest: &[&str]| rest.iter().map(|number| pid(number.parse().expect("a number"))).collect();
    let words: Vec<&str> = input.split(' ').collect();
    match words[..] {
        ["found", ref rest @ ..] => Input::Found(pids(rest)),
        ["closed", ref rest @ ..] => Input::Closed(pids(rest)),
        ["lull"] => Input::Lull,
        ["time", "up"] => Input::TimeUp,
        ["cancel"] => Input::Cancel,
        [who, what] => Input::News { pid: pids(&[who])[0], news: news(what) },
        _ => panic!("what is {input}?"),
    }
}

fn news(what: &str) -> News {
    match what {
        "stops" => stops(),
        "moves" => News::Migrated { bytes: 8 },
        "fails" => News::NotMigrated(refused()),
        "gone" => News::Gone,
        other => panic!("what is {other}?"),
    }
}

fn stops() -> News {
    News::Suspended { at: Duration::ZERO, mail: Mail::NotWaitedFor, begun: true, hibernated: false }
}

fn refused() -> NotMigrated {
    NotMigrated { step: MigrationStep::Restore, reason: ExitReason::failed("no"), trace: String::new() }
}

fn show(orders: &[Order]) -> String {
    orders.iter().map(show_order).collect::<Vec<_>>().join(", ")
}

fn show_order(order: &Order) -> String {
    let all = |pids: &[Pid]| pids.iter().map(|pid| format!(" {}", pid.id)).collect::<String>();
    match order {
        Order::Suspend(pid) => format!("suspend {}", pid.id),
        Order::Close => "close".into(),
        Order::Open => "open".into(),
        Order::Migrate(pid) => format!("migrate {}", pid.id),
        Order::Commit => "commit".into(),
        Order::Resume(pid, Verdict::Commit) => format!("{} on new", pid.id),
        Order::Resume(pid, Verdict::RollBack) => format!("{} on old", pid.id),
        Order::End(Ok(())) => "done".into(),
        Order::End(Err(Failure::Busy(pids))) => format!("failed: busy{}", all(pids)),
        Order::End(Err(Failure::TooSlow(pids))) => format!("failed: slow{}", all(pids)),
        Order::End(Err(Failure::NotMigrated(pid, why))) => format!("failed: {} {}", pid.id, why.reason),
        Order::End(Err(Failure::Cancelled)) => "failed: cancelled".into(),
    }
}
