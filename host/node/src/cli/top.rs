//! `skep top`.
//!
//! Owns which columns there are and what they are sorted by. Rates are the difference between two looks.

#[cfg(test)]
mod tests;
mod words;

use std::collections::HashMap;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::failure::Failure;
use super::{Asking, Shared, output};
use crate::control::client::Client;
use crate::control::protocol::{Process, Usage};
use crate::manifest::units::Time;

/// Shows what apps and their processes use
///
/// Shows what apps use, each beside what its budget allows, and below that their processes, those that use most first. On a
/// terminal the table is drawn anew until Ctrl-C, and fuel and messages are those of a second; with --once, or in a pipe,
/// it is printed once, and they are those since the start. With --json there is everything.
#[derive(Args)]
#[command(after_help = "Examples:\n  skep top\n  skep top --app shop --sort memory\n  skep top --once | head\n  \
                        skep top --json | jq '.apps[] | {app, memory_bytes}'")]
pub(super) struct Top {
    /// Only this app
    #[arg(long, value_name = "APP")]
    app: Option<String>,

    /// What comes first
    #[arg(long, short, value_enum, default_value_t = Sort::Fuel, value_name = "KEY")]
    sort: Sort,

    /// Print the table once
    #[arg(long)]
    once: bool,

    /// How long to wait between two tables
    #[arg(long, default_value = "2s", value_name = "TIME")]
    every: Time,

    /// How many processes to show; without it as many as 20 on a terminal, and else all
    #[arg(long, short = 'n', value_name = "N")]
    lines: Option<usize>,

    #[command(flatten)]
    pub(super) asking: Asking,
}

/// What processes are sorted by, the most first.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Sort {
    Fuel,
    Memory,
    Mailbox,
    Messages,
    Pid,
}

/// Processes that are shown on a terminal.
const LINES: usize = 20;
/// Clears a terminal, and begins at its top.
const CLEAR: &str = "\x1b[H\x1b[2J\x1b[3J";

/// What a node says at one moment.
#[derive(Serialize)]
struct Look {
    apps: Vec<Usage>,
    processes: Vec<Process>,
    #[serde(skip)]
    at: Option<Instant>,
}

impl Top {
    pub(super) async fn perform(self, shared: &Shared) -> Result<(), Failure> {
        let client = shared.client(&self.asking).await?;
        if self.asking.json {
            return output::print_json(&self.look(&client).await?);
        }
        let terminal = std::io::stdout().is_terminal();
        if self.once || !terminal {
            let look = self.look(&client).await?;
            return output::print(&words::table(&self.sorted(&look, None), self.lines.unwrap_or(usize::MAX)));
        }
        if self.every.0 < Duration::from_millis(100) {
            return Err(Failure::usage("`--every` must be 100ms or more").remedy("give a time such as 2s"));
        }
        let mut before = None;
        loop {
            let look = self.look(&client).await?;
            output::print(&self.frame(&look, before.as_ref()))?;
            before = Some(look);
            tokio::time::sleep(self.every.0).await;
        }
    }

    async fn look(&self, client: &Client) -> Result<Look, Failure> {
        let apps: Vec<Usage> = client.get("/v1/usage").await?;
        let processes: Vec<Process> = client.get("/v1/processes").await?;
        let at = Some(Instant::now());
        let Some(wanted) = &self.app else { return Ok(Look { apps, processes, at }) };
        if !apps.iter().any(|app| app.app == *wanted) {
            let known = apps.iter().map(|app| app.app.as_str());
            return Err(Failure::new(format!("there is no app named `{wanted}`"))
                .remedy(crate::suggest::remedy(wanted, "apps", known)));
        }
        let apps = apps.into_iter().filter(|app| app.app == *wanted).collect();
        Ok(Look { apps, processes: processes.into_iter().filter(|process| process.app == *wanted).collect(), at })
    }

    /// What a terminal is drawn anew with.
    fn frame(&self, look: &Look, before: Option<&Look>) -> String {
        format!("{CLEAR}{}", words::table(&self.sorted(look, before), self.lines.unwrap_or(LINES)))
    }

    /// What is shown of a look, and of the one before it.
    fn sorted(&self, look: &Look, before: Option<&Look>) -> Shown {
        let seconds = before.and_then(|before| Some(look.at?.duration_since(before.at?).as_secs_f64()));
        let rates = before.zip(seconds).map(|(before, seconds)| Rates::since(before, seconds));
        let mut rows: Vec<Row> = look
            .processes
            .iter()
            .filter(|process| process.kind != "client")
            .map(|process| row(process, &rates))
            .collect();
        let key = |row: &Row| match self.sort {
            Sort::Fuel => row.fuel,
            Sort::Memory => row.memory,
            Sort::Mailbox => row.process.mailbox_messages as u64,
            Sort::Messages => row.messages,
            Sort::Pid => 0,
        };
        // The order in which they were born is that of the list, and stays where nothing else decides.
        rows.sort_by_key(|row| std::cmp::Reverse(key(row)));
        let apps = look.apps.iter().flat_map(|app| words::app(app, &rates)).collect();
        Shown { apps, rows, per_second: rates.is_some() }
    }
}

/// What is shown.
struct Shown {
    apps: Vec<Vec<String>>,
    rows: Vec<Row>,
    per_second: bool,
}

/// A process, with what it uses.
struct Row {
    process: Process,
    memory: u64,
    fuel: u64,
    messages: u64,
}

/// What had been used some seconds ago.
struct Rates {
    /// Fuel of apps and their supervisors, by what their rows are called.
    fuel: HashMap<String, u64>,
    /// Messages of apps.
    messages: HashMap<String, u64>,
    processes: HashMap<String, (u64, u64)>,
    seconds: f64,
}

impl Rates {
    fn since(before: &Look, seconds: f64) -> Self {
        let fuel = before.apps.iter().flat_map(|app| {
            let below = app.supervisors.iter().map(|(path, below)| (words::under(path), below.fuel_used));
            std::iter::once((app.app.clone(), app.total.fuel_used)).chain(below)
        });
        let messages = before.apps.iter().map(|app| (app.app.clone(), app.messages_in));
        let processes = before.processes.iter().map(|process| (process.pid.clone(), used(process)));
        Rates {
            fuel: fuel.collect(),
            messages: messages.collect(),
            processes: processes.collect(),
            seconds: seconds.max(0.001),
        }
    }

    /// For each second since then.
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "what people see is rounded anyway"
    )]
    fn each(&self, now: u64, before: u64) -> u64 {
        (now.saturating_sub(before) as f64 / self.seconds).round() as u64
    }
}

fn used(process: &Process) -> (u64, u64) {
    (process.fuel_used.unwrap_or(0), process.messages_in)
}

fn row(process: &Process, rates: &Option<Rates>) -> Row {
    let (mut fuel, mut messages) = used(process);
    if let Some(rates) = rates {
        // One that was not there before has used all of it since.
        let (fuel_then, messages_then) = rates.processes.get(&process.pid).copied().unwrap_or_default();
        (fuel, messages) = (rates.each(fuel, fuel_then), rates.each(messages, messages_then));
    }
    let memory = (process.memory_bytes.unwrap_or(0) + process.saved_bytes.unwrap_or(0)) as u64;
    Row { process: process.clone(), memory, fuel, messages }
}
