//! `skep bench`: its arguments, its progress bar, its table; `pictures` has the curves.
//!
//! Owns the words. Never measures: the benchmark does.

mod pictures;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};

use super::build::Progress;
use super::failure::Failure;
use super::table::table;
use super::{Shared, output, safe};
use crate::bench::{self, BenchError, Figure, Kind, Machine, Options, Outcome, Series, Unit, Watch, Work};
use crate::build;
use crate::node::home::Home;

/// Measures what processes cost: their lives, messages, calls, restarts, upgrades
///
/// Real guests do the work, each in its sandbox, metered and preempted as everywhere. Every work is done once to warm up and
/// then some times; what is shown is the median, and in what range the rounds were. `--vs erlang` has the Erlang that is
/// installed do the same by turns. The last column says how often another time each one is: Erlang's, that of the same code
/// unmetered, that of a whole life for a restart. Absolute times say something about this machine at this moment; what
/// carries over are such ratios of one run.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  skep bench\n  skep bench ping call --vs erlang\n  skep bench idle --processes 100000 --json\n  skep bench --curves pictures --vs erlang"
)]
pub(super) struct Bench {
    /// What to measure [default: everything]
    #[arg(value_name = "WORK")]
    works: Vec<Work>,

    /// Measure three curves instead, and draw each into a file of this folder: memory.svg, latency.svg, pause.svg
    #[arg(long, value_name = "DIR", conflicts_with = "works")]
    curves: Option<PathBuf>,

    /// How many processes wait in `idle`, and at most in `wake` and in a curve
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..=3_000_000))]
    processes: u64,

    /// How often each work is done, after one time to warm up
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1000))]
    rounds: u16,

    /// Who else does the same, by turns
    #[arg(long, value_name = "WHO")]
    vs: Option<Rival>,

    /// Print JSON, for scripts: times in nanoseconds
    #[arg(long)]
    pub(super) json: bool,
}

/// Who else there is.
#[derive(Clone, Copy, ValueEnum)]
enum Rival {
    /// The Erlang that is installed
    Erlang,
}

impl Bench {
    pub(super) async fn perform(self, shared: &Shared) -> Result<(), Failure> {
        let works = if self.works.is_empty() { Work::value_variants().to_vec() } else { self.works };
        let options = Options {
            works,
            processes: self.processes,
            rounds: usize::from(self.rounds),
            erlang: matches!(self.vs, Some(Rival::Erlang)),
            home: Home::locate(shared.home.as_deref()).ok(),
        };
        if let Some(folder) = self.curves {
            return draw(&options, &folder, self.json).await;
        }
        let bar = Bar::of_works(&options);
        let outcome = bench::run(&options, &bar).await;
        bar.bar.finish_and_clear();
        let outcome = outcome?;
        if self.json { output::print_json(&outcome) } else { output::print(&in_words(&outcome)) }
    }
}

/// Measures the curves and draws them.
async fn draw(options: &Options, folder: &Path, json: bool) -> Result<(), Failure> {
    // Before anything takes its time.
    pictures::make(folder)?;
    let bar = Bar::of_curves();
    let curves = bench::curves(options, &bar).await;
    bar.bar.finish_and_clear();
    let curves = curves?;
    let written = pictures::write(&curves, folder)?;
    if json {
        return output::print_json(&curves);
    }
    let paths = written.iter().map(|path| format!("{}\n", safe::line(&path.display().to_string())));
    output::print(&format!(
        "{}\n{}\n{}",
        heading(&curves.machine, curves.erlang.as_deref()),
        pictures::in_words(&curves),
        paths.collect::<String>()
    ))
}

impl From<BenchError> for Failure {
    fn from(error: BenchError) -> Self {
        match error {
            BenchError::Manifest(error) => error.into(),
            BenchError::Deploy(error) => error.into(),
            BenchError::Runtime(error) => error.into(),
            BenchError::Start(error) => error.into(),
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

fn in_words(outcome: &Outcome) -> String {
    let is_beside = outcome.erlang.is_some();
    let rows: Vec<Vec<String>> = outcome.figures.iter().map(|figure| row(figure, is_beside)).collect();
    let mut headings = vec!["work", "figure", "skep", "range"];
    if is_beside {
        headings.extend(["erlang", "range"]);
    }
    headings.push("ratio");
    format!("{}\n{}", heading(&outcome.machine, outcome.erlang.as_deref()), table(&headings, &rows))
}

/// Where it was measured, and beside whom.
fn heading(machine: &Machine, erlang: Option<&str>) -> String {
    let mut text = format!("{}, {} processors, {}", machine.processor, machine.processors, machine.system);
    if let Some(erlang) = erlang {
        text.push_str(&format!(", beside {erlang}"));
    }
    format!("{}\n", safe::line(&text))
}

fn row(figure: &Figure, is_beside: bool) -> Vec<String> {
    let (middle, range) = (
        |series: &Series| shown(series.median, figure.unit),
        |series: &Series| format!("{}..{}", shown(series.least, figure.unit), shown(series.most, figure.unit)),
    );
    let mut row = vec![figure.work.name(), figure.name.to_owned(), middle(&figure.skep), range(&figure.skep)];
    if is_beside {
        let erlang = figure.erlang.as_ref();
        row.push(erlang.map(middle).unwrap_or_default());
        row.push(erlang.map(range).unwrap_or_default());
    }
    let erlang = figure.ratio.map(|ratio| format!("{ratio:.2} x erlang"));
    let own = figure.beside.as_ref().map(|beside| format!("{:.2} x {}", beside.ratio, beside.figure));
    row.push(erlang.into_iter().chain(own).collect::<Vec<_>>().join(", "));
    row
}

/// Three digits, in the unit that they fit in.
fn shown(value: f64, unit: Unit) -> String {
    let steps: &[(&str, f64)] = match unit {
        Unit::Nanoseconds => &[("s", 1e9), ("ms", 1e6), ("us", 1e3), ("ns", 1.0)],
        Unit::Bytes => &[("MB", 1e6), ("kB", 1e3), ("B", 1.0)],
    };
    let (name, size) = steps.iter().find(|(_, size)| value >= *size).unwrap_or(&steps[steps.len() - 1]);
    let value = value / size;
    let digits = if value < 10.0 { 2 } else { usize::from(value < 100.0) };
    format!("{value:.digits$} {name}")
}

/// How far it is.
struct Bar {
    bar: ProgressBar,
    rounds: usize,
    /// Works in the order in which they are done.
    works: Vec<Work>,
}

impl Bar {
    fn of_works(options: &Options) -> Self {
        let bar = Self::new("{spinner} {msg} [{bar:30}] {elapsed}", options.rounds, options.works.clone());
        bar.bar.set_length((options.works.len() * (options.rounds + 1)) as u64);
        bar
    }

    /// How far is not known, since the places of a curve take more and more time.
    fn of_curves() -> Self {
        Self::new("{spinner} {msg} {elapsed}", 0, Vec::new())
    }

    fn new(template: &str, rounds: usize, works: Vec<Work>) -> Self {
        let bar = if std::io::stderr().is_terminal() { ProgressBar::no_length() } else { ProgressBar::hidden() };
        bar.set_style(ProgressStyle::with_template(template).expect("it is well-formed"));
        bar.enable_steady_tick(Duration::from_millis(100));
        Bar { bar, rounds, works }
    }
}

impl Watch for Bar {
    fn round(&self, work: Work, round: usize) {
        let before = self.works.iter().position(|other| *other == work).unwrap_or_default();
        self.bar.set_position((before * (self.rounds + 1) + round) as u64);
        let what = if round == 0 { "warm-up".to_owned() } else { format!("round {round} of {}", self.rounds) };
        self.bar.set_message(format!("{}: {what}", work.name()));
    }

    fn point(&self, kind: Kind, who: &str, at: u64) {
        self.bar.set_message(format!("{} of {who} at {at}", pictures::name(kind)));
    }

    fn builder(&self) -> Box<dyn build::Report + Send> {
        Box::new(Progress::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_and_a_unit() {
        let times = [(999.0, "999 ns"), (1_234.0, "1.23 us"), (45_678.0, "45.7 us"), (2e9, "2.00 s"), (0.5, "0.50 ns")];
        for (value, text) in times {
            assert_eq!(shown(value, Unit::Nanoseconds), text);
        }
        assert_eq!(shown(612.0, Unit::Bytes), "612 B");
    }
}
