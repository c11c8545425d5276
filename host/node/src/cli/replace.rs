//! Code being replaced, as it is shown: a bar while it goes on, then what was done or why not.
//!
//! Owns the words. Used by `skep upgrade` and `skep rollback`.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::demo::grouped;
use super::failure::Failure;
use super::{Asking, output, safe};
use crate::control::client::Client;
use crate::control::protocol::{Step, UpgradeLine, Upgraded};

/// Sends the request, shows how far it is, and prints what came of it.
pub(super) async fn replace(client: &Client, asking: &Asking, path: &str, bytes: Vec<u8>) -> Result<(), Failure> {
    let bar = Bar::new();
    let mut last = None;
    let answered = client.post_lines(path, bytes, |line| {
        let unreadable = |error| Failure::new(format!("the node said something unknown, {error}: {line}"));
        match serde_json::from_str(line).map_err(unreadable)? {
            UpgradeLine::Progress(step) => bar.show(step),
            UpgradeLine::Done(done) => last = Some(Ok(done)),
            UpgradeLine::Refused(problem) => last = Some(Err(problem)),
        }
        Ok::<(), Failure>(())
    });
    let answered = answered.await;
    bar.0.finish_and_clear();
    answered?;
    let done = match last {
        Some(Ok(done)) => done,
        Some(Err(problem)) => return Err(Failure::from(problem)),
        None => {
            return Err(Failure::new(format!("node `{}` ended before it said what came of it", client.node()))
                .remedy("see what the node itself printed; `skep run` starts it again"));
        }
    };
    if asking.json { output::print_json(&done) } else { output::print(&in_words(&done)) }
}

fn in_words(done: &Upgraded) -> String {
    let Upgraded { app, module, from, to, figures, warnings } = done;
    let count = |number: usize| grouped(number as u64);
    let pauses = [figures.pause_p50_us, figures.pause_p99_us, figures.pause_max_us].map(time);
    let mut text = safe::line(&format!("{app}/{module}: {from} → {to}")) + "\n";
    for (what, number) in [
        ("processes", count(figures.processes)),
        ("migrated", count(figures.migrated)),
        ("of them hibernated", count(figures.hibernated)),
        ("of them waited for", count(figures.waited_for)),
        ("tasks left on the old code", count(figures.tasks)),
        ("bytes of state", grouped(figures.state_bytes)),
        ("pause p50 / p99 / max", pauses.join(" / ")),
        ("took", time(figures.took_us)),
    ] {
        text.push_str(&format!("  {what:<28}{number}\n"));
    }
    for warning in warnings {
        text.push_str(&format!("warning: {}\n", safe::line(warning)));
    }
    text
}

/// Three digits or more of a time in microseconds.
pub(super) fn time(us: u64) -> String {
    let duration = Duration::from_micros(us);
    match us {
        0..1_000 => format!("{us} µs"),
        1_000..1_000_000 => format!("{:.1} ms", duration.as_secs_f64() * 1e3),
        _ => format!("{:.2} s", duration.as_secs_f64()),
    }
}

/// A bar on a terminal, and nothing elsewhere.
struct Bar(ProgressBar);

impl Bar {
    fn new() -> Self {
        Bar(if std::io::stderr().is_terminal() { ProgressBar::no_length() } else { ProgressBar::hidden() })
    }

    fn show(&self, step: Step) {
        let (what, filled) = match step {
            Step::Checking => ("checking", None),
            Step::Suspending { done, total } => ("suspending", Some((done, total))),
            Step::Migrating { done, total } => ("migrating", Some((done, total))),
            Step::Committing => ("committing", None),
            Step::RollingBack => ("going back", None),
        };
        let template = if filled.is_some() { "{msg} {wide_bar} {pos}/{len}" } else { "{spinner} {msg}" };
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.0.set_style(style);
        }
        self.0.set_message(what);
        if let Some((done, total)) = filled {
            self.0.set_length(total as u64);
            self.0.set_position(done as u64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::code::CodeId;
    use crate::node::code::history::Figures;

    #[test]
    fn the_summary_says_what_was_done() {
        let code = |letter: &str, version| CodeId { digest: letter.repeat(64), version: Some(version) };
        let figures = Figures {
            processes: 1_003,
            migrated: 1_000,
            hibernated: 20,
            waited_for: 1,
            not_begun: 3,
            tasks: 2,
            state_bytes: 1_024_000,
            pause_p50_us: 850,
            pause_p99_us: 1_250,
            pause_max_us: 2_500_000,
            took_us: 3_000_000,
        };
        let done = Upgraded {
            app: "shop".into(),
            module: "ti\u{1b}ll".into(),
            from: code("a", 1),
            to: code("b", 2),
            figures,
            warnings: vec!["disk full".into()],
        };
        let expected = "\
shop/ti\\u{1b}ll: version 1 (aaaaaaaaaaaa) → version 2 (bbbbbbbbbbbb)
  processes                   1,003
  migrated                    1,000
  of them hibernated          20
  of them waited for          1
  tasks left on the old code  2
  bytes of state              1,024,000
  pause p50 / p99 / max       850 µs / 1.2 ms / 2.50 s
  took                        3.00 s
warning: disk full
";
        assert_eq!(in_words(&done), expected);
    }
}
