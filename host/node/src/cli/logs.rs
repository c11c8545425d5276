//! `skep logs`.

use std::fmt::Write;
use std::io::IsTerminal;

use clap::Args;

use super::failure::Failure;
use super::log_line::{self, Colour};
use super::{Asking, Shared, output, safe};
use crate::node::log::Entry;

/// Shows what happened on a node
///
/// Shows what guests logged, crashes and restarts: what the node remembers of them, and with --follow what happens next.
/// With --json an object a line.
#[derive(Args)]
#[command(after_help = "Examples:\n  skep logs --lines 20\n  skep logs counter --follow\n  \
                        skep logs --json | jq 'select(.kind == \"crash\")'")]
pub(super) struct Logs {
    /// Only this process: a child id, a module, or a pid
    process: Option<String>,

    /// How many of the last entries
    #[arg(long, short = 'n', default_value_t = 100, value_name = "N")]
    lines: usize,

    /// Go on with what happens next, until Ctrl-C or the end of the node
    #[arg(long, short)]
    follow: bool,

    #[command(flatten)]
    pub(super) asking: Asking,
}

impl Logs {
    pub(super) async fn perform(self, shared: &Shared) -> Result<(), Failure> {
        let client = shared.client(&self.asking).await?;
        let mut path = format!("/v1/logs?lines={}&follow={}", self.lines, self.follow);
        if let Some(process) = &self.process {
            path.push_str(&format!("&process={}", escaped(process)));
        }
        let colour = Colour::on(std::io::stdout().is_terminal());
        let json = self.asking.json;
        client
            .lines(&path, |line| {
                if json {
                    return output::print(&format!("{}\n", safe::json(line)));
                }
                match serde_json::from_str::<Entry>(line) {
                    Ok(entry) => output::print(&log_line::line(&entry, colour)),
                    Err(_) => output::print(&format!("{}\n", safe::line(line))),
                }
            })
            .await
    }
}

/// Text within a query.
pub(super) fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |mut query, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            query.push(char::from(byte));
        } else {
            let _ = write!(query, "%{byte:02X}");
        }
        query
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn queries_hold_any_text() {
        assert_eq!(super::escaped("a-1.b_~"), "a-1.b_~");
        assert_eq!(super::escaped("<0.1> & ü"), "%3C0.1%3E%20%26%20%C3%BC");
    }
}
