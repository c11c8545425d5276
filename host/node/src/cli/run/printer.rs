//! The log of a node in the foreground, on its terminal.

use std::io::{IsTerminal, Write};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;

use crate::cli::log_line::{self, Colour};
use crate::cli::safe;
use crate::node::log::{Entry, Log, What};

/// A thread that prints the log. Standard error may block for as long as it likes; only this thread waits for it.
pub(super) struct Printer(JoinHandle<()>);

impl Printer {
    pub(super) fn start(log: &Log, json: bool) -> Self {
        let following = log.follow(usize::MAX, |_| true);
        Printer(std::thread::spawn(move || {
            let colour = Colour::on(std::io::stderr().is_terminal());
            let print = |entry: &Entry| {
                // Where nobody reads, nothing is printed; `skep logs` still has it.
                let _ = if json {
                    let text = serde_json::to_string(entry).unwrap_or_default();
                    writeln!(std::io::stdout(), "{}", safe::json(&text))
                } else {
                    std::io::stderr().write_all(log_line::line(entry, colour).as_bytes())
                };
            };
            following.past.iter().for_each(|entry| print(entry));
            let Some(mut future) = following.future else { return };
            loop {
                match future.blocking_recv() {
                    Ok(entry) => print(&entry),
                    Err(RecvError::Lagged(lines)) => print(&Entry::now(What::Suppressed { lines })),
                    Err(RecvError::Closed) => return,
                }
            }
        }))
    }

    /// Waits until everything is printed, but not for ever for a terminal that stands still.
    pub(super) fn finish(self) {
        const PATIENCE: Duration = Duration::from_secs(1);
        const STEP: Duration = Duration::from_millis(5);
        let mut waited = Duration::ZERO;
        while !self.0.is_finished() && waited < PATIENCE {
            std::thread::sleep(STEP);
            waited += STEP;
        }
    }
}
