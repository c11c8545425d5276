//! `skep demo`: its arguments, its progress bar, its table.
//!
//! Owns the words. Never decides what is right: the demo's outcome says.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use comfy_table::{CellAlignment, Table, presets};
use indicatif::{ProgressBar, ProgressStyle};
use parking_lot::Mutex;

use super::build::Progress;
use super::failure::Failure;
use super::{Shared, output, safe};
use crate::build;
use crate::demo::{self, DemoError, Options, Outcome, Stage, Upgraded, Watch};
use crate::manifest::units::HibernateAfter;
use crate::node::home::Home;

/// Counts the words of a file with an app that crashes on bad lines and is upgraded meanwhile, and checks that none is lost
///
/// Runs the example app `tally`: a reader streams the file to a pool of parsers, which trap on a line that is not valid
/// UTF-8 and are restarted; the reader narrows the failure down to that line. Half-way, the server that adds up is
/// replaced: version 1 counts words as they are written, version 2 in lower case, and takes over what version 1 had. Then
/// the host counts the same file by itself and compares. The exit code is 0 only if not one word was lost or doubled.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  skep demo\n  skep demo --input book.txt\n  skep demo --input book.txt --json | jq .top"
)]
pub(super) struct Demo {
    /// The file to count [default: a text in many languages with some broken lines, which comes with the project]
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,

    /// How many parsers [default: one for each core, two at least]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(2..=32))]
    parsers: Option<u16>,

    /// When waiting processes give their instances back: `always`, `never`, or a time. With `always`, the app shows that
    /// its states are whole
    #[arg(long, value_name = "WHEN")]
    hibernate_after: Option<HibernateAfter>,

    /// Print JSON, for scripts
    #[arg(long)]
    pub(super) json: bool,
}

impl Demo {
    pub(super) async fn perform(self, shared: &Shared) -> Result<(), Failure> {
        let bar = Arc::new(Bar::new());
        let options = Options {
            input: self.input,
            parsers: self.parsers.map(usize::from),
            home: Home::locate(shared.home.as_deref()).ok(),
            keep: self.hibernate_after.map(|when| when.0),
        };
        let outcome = demo::run(options, Arc::clone(&bar) as Arc<dyn Watch>).await;
        bar.bar.finish_and_clear();
        let outcome = outcome?;
        output::print(&if self.json { in_json(&outcome)? } else { in_words(&outcome) })?;
        if outcome.agrees() { Ok(()) } else { Err(Failure::new(verdict(&outcome))) }
    }
}

impl From<DemoError> for Failure {
    fn from(error: DemoError) -> Self {
        match error {
            DemoError::Manifest(error) => error.into(),
            DemoError::Deploy(error) => error.into(),
            DemoError::Runtime(error) => error.into(),
            DemoError::Start(error) => error.into(),
            error => {
                let failure = Failure::new(error.to_string());
                match error.remedy() {
                    Some(remedy) => failure.remedy(remedy),
                    None => failure,
                }
            }
        }
    }
}

/// One line, with the fields in their order.
fn in_json(outcome: &Outcome) -> Result<String, Failure> {
    let text = serde_json::to_string(outcome).map_err(|error| Failure::new(error.to_string()))?;
    Ok(safe::json(&text) + "\n")
}

fn in_words(outcome: &Outcome) -> String {
    let file = outcome.file.file_name().unwrap_or_default().to_string_lossy();
    let mut text = format!("{}: {}\n", safe::line(&file), bytes(outcome.bytes));
    if !outcome.top.is_empty() {
        let mut top = table();
        top.set_header(["word", "count"]);
        for (word, count) in &outcome.top {
            top.add_row([shortened(word), grouped(*count)]);
        }
        text.push_str(&format!("\n{}\n", aligned(top)));
    }
    let mut sums = table();
    for (what, number) in [
        ("lines", grouped(outcome.lines)),
        ("rejected lines", grouped(outcome.rejected)),
        ("words", grouped(outcome.words)),
        ("distinct words", grouped(outcome.distinct)),
        ("restarts", grouped(outcome.restarts)),
        ("pieces by version 1", grouped(outcome.pieces.0)),
        ("pieces by version 2", grouped(outcome.pieces.1)),
        ("lost", grouped(outcome.lost)),
        ("doubled", grouped(outcome.doubled)),
        ("app", format!("{} ({} parsers)", seconds(outcome.seconds), outcome.parsers)),
        ("host", format!("{} (one thread)", seconds(outcome.host_seconds))),
    ] {
        sums.add_row([what.to_owned(), number]);
    }
    text.push_str(&format!("\n{}\n\n{}\n", aligned(sums), upgraded(&outcome.upgrade)));
    if outcome.agrees() {
        text.push_str(&format!("{}\n", verdict(outcome)));
    }
    text
}

fn upgraded(upgrade: &Upgraded) -> String {
    let Upgraded { done, bytes, processes, pause } = upgrade;
    // Nothing is all of an empty file.
    let percent = (done * 100).checked_div(*bytes).unwrap_or(100);
    let processes = if *processes == 1 { "1 process".to_owned() } else { format!("{processes} processes") };
    format!("upgraded tally-server 1 -> 2 after {percent} % of the bytes: {processes}, paused {}", short(*pause))
}

fn verdict(outcome: &Outcome) -> String {
    let Outcome { lost, doubled, lines, rejected, host_lines, .. } = outcome;
    if !outcome.upgraded {
        "version 1 of tally-server gave the result, which does not count in lower case".to_owned()
    } else if outcome.agrees() {
        format!("app and host agree: after {} restarts not one word is lost or doubled", grouped(outcome.restarts))
    } else if (*lost, *doubled) == (0, 0) {
        let (host_lines, host_rejected) = host_lines;
        format!(
            "the app counts {lines} lines and rejects {rejected}, where the host counts {host_lines} and rejects \
             {host_rejected}"
        )
    } else {
        format!("the app lost {lost} words and doubled {doubled}")
    }
}

fn table() -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table
}

fn aligned(mut table: Table) -> Table {
    if let Some(numbers) = table.column_mut(1) {
        numbers.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// A word may be as long as a line.
fn shortened(word: &str) -> String {
    const SHOWN: usize = 40;
    match word.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &word[..end]),
        None => word.to_owned(),
    }
}

/// 1,234,567
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn seconds(seconds: f64) -> String {
    format!("{seconds:.3} s")
}

/// 180 µs, 12.3 ms, 1.234 s
fn short(time: Duration) -> String {
    match time.as_micros() {
        micros @ ..1_000 => format!("{micros} µs"),
        ..1_000_000 => format!("{:.1} ms", time.as_secs_f64() * 1e3),
        _ => seconds(time.as_secs_f64()),
    }
}

fn bytes(bytes: u64) -> String {
    if bytes == 1 { "1 byte".to_owned() } else { format!("{} bytes", grouped(bytes)) }
}

/// A progress bar on a terminal, and nothing elsewhere.
struct Bar {
    bar: ProgressBar,
    /// What the app is at.
    app: Mutex<String>,
}

impl Bar {
    fn new() -> Self {
        let bar = if std::io::stderr().is_terminal() { ProgressBar::no_length() } else { ProgressBar::hidden() };
        Bar { bar, app: Mutex::new("app".to_owned()) }
    }

    fn spin(&self, what: &'static str) {
        self.style("{spinner} {msg}");
        self.bar.set_message(what);
        self.bar.enable_steady_tick(Duration::from_millis(100));
    }

    fn fill(&self, what: String, done: u64, bytes: u64) {
        self.bar.disable_steady_tick();
        self.style("{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}");
        self.bar.set_message(what);
        self.bar.set_length(bytes);
        self.bar.set_position(done);
    }

    fn app(&self, what: String) {
        self.bar.set_message(what.clone());
        *self.app.lock() = what;
    }

    fn style(&self, template: &str) {
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.bar.set_style(style);
        }
    }
}

impl Watch for Bar {
    fn stage(&self, stage: Stage) {
        match stage {
            Stage::Running { done, bytes } => {
                let what = self.app.lock().clone();
                self.fill(what, done, bytes);
            }
            Stage::Upgrading => self.app("app (upgrading)".to_owned()),
            Stage::Upgraded(upgrade) => self.app(format!("app (upgraded, paused {})", short(upgrade.pause))),
            Stage::Checking { done: 0, bytes } => {
                // Speed and time left are of the host from here on.
                self.bar.reset();
                self.fill("host".to_owned(), 0, bytes);
            }
            Stage::Checking { done, bytes } => self.fill("host".to_owned(), done, bytes),
            Stage::Comparing => self.spin("comparing"),
            Stage::Stopping => self.spin("stopping"),
        }
    }

    fn builder(&self) -> Box<dyn build::Report + Send> {
        Box::new(Progress::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome() -> Outcome {
        Outcome {
            lines: 1_234,
            rejected: 2,
            words: 1_000_000,
            distinct: 2,
            restarts: 14,
            lost: 0,
            doubled: 0,
            top: vec![("the".into(), 999_000), ("über".into(), 1_000)],
            seconds: 1.5,
            upgraded: true,
            upgrade_pause_us: 180,
            upgrade: Upgraded { done: 51, bytes: 99, processes: 1, pause: Duration::from_micros(180) },
            pieces: (12, 1_014),
            file: "folder/a\u{1b}text".into(),
            bytes: 1,
            parsers: 4,
            host_seconds: 0.25,
            host_lines: (1_234, 2),
        }
    }

    #[test]
    fn json_has_the_promised_fields_in_order() {
        let expected = r#"{"lines":1234,"rejected":2,"words":1000000,"distinct":2,"restarts":14,"lost":0,"doubled":0,"top":[["the",999000],["über",1000]],"seconds":1.5,"upgraded":true,"upgrade_pause_us":180}"#;
        assert_eq!(in_json(&outcome()).ok(), Some(format!("{expected}\n")));
    }

    #[test]
    fn words_say_what_was_counted_and_whether_it_is_right() {
        let text = in_words(&outcome());
        for part in [
            "a\\u{1b}text: 1 byte\n",
            "999,000",
            "1,234",
            "1,014",
            "1.500 s (4 parsers)",
            "\nupgraded tally-server 1 -> 2 after 51 % of the bytes: 1 process, paused 180 µs\n",
            "after 14 restarts not one",
        ] {
            assert!(text.contains(part), "{part:?} is missing in:\n{text}");
        }
    }

    #[test]
    fn what_differs_is_said() {
        let table = [
            (Outcome { lost: 1, ..outcome() }, "the app lost 1 words and doubled 0"),
            (Outcome { doubled: 7, ..outcome() }, "the app lost 0 words and doubled 7"),
            (
                Outcome { upgraded: false, ..outcome() },
                "version 1 of tally-server gave the result, which does not count in lower case",
            ),
            (
                Outcome { host_lines: (1_234, 3), ..outcome() },
                "the app counts 1234 lines and rejects 2, where the host counts 1234 and rejects 3",
            ),
        ];
        for (outcome, expected) in table {
            assert!(!outcome.agrees());
            assert_eq!(verdict(&outcome), expected);
            assert!(!in_words(&outcome).contains("agree"));
        }
    }

    #[test]
    fn an_upgrade_is_told_in_one_line() {
        let table = [
            (0, 0, 1, 7, "100 % of the bytes: 1 process, paused 7 µs"),
            (0, 10, 1, 12_345, "0 % of the bytes: 1 process, paused 12.3 ms"),
            (9, 10, 0, 1_234_000, "90 % of the bytes: 0 processes, paused 1.234 s"),
        ];
        for (done, bytes, processes, micros, expected) in table {
            let upgrade = Upgraded { done, bytes, processes, pause: Duration::from_micros(micros) };
            assert_eq!(upgraded(&upgrade), format!("upgraded tally-server 1 -> 2 after {expected}"));
        }
    }

    #[test]
    fn numbers_are_grouped() {
        let table = [(0, "0"), (999, "999"), (1_000, "1,000"), (123_456, "123,456"), (1_234_567, "1,234,567")];
        for (number, text) in table {
            assert_eq!(grouped(number), text);
        }
    }
}
