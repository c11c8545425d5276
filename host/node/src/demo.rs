//! The demo: the example app `tally` counts the words of a file, its server is upgraded half-way, and the host counts them
//! as well and compares.
//!
//! Owns the course of it: check the input, build and load the guests, run the app, count independently, compare, stop.
//! Never prints: `cli` does. Called by `skep demo`, and by tests.

mod app;
mod compare;
mod count;
mod error;
mod input;
mod watch;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde::Serialize;
use skep_runtime::spec::Keep;
use skep_runtime::{EngineConfig, Runtime, RuntimeConfig};
use tokio::task::JoinError;

pub use app::Upgraded;
pub use error::DemoError;
pub use watch::{Stage, Watch};

use app::{Crashes, Loaded, Tally};
use input::Input;

use crate::node::home::Home;

/// The version of the server that counts as the host does: in lower case.
const VERSION: u32 = 2;
/// How often the reader is asked how far it is, and the bar moves.
const LOOK: Duration = Duration::from_millis(100);

/// What to run.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The file to count; without one, the text that the project ships.
    pub input: Option<PathBuf>,
    /// How many parsers; without a number, one for each core.
    pub parsers: Option<usize>,
    /// The node's own folder, where compiled code is kept from one run to the next. Without one, or where the app could
    /// read it, everything is compiled anew.
    pub home: Option<PathBuf>,
    /// What becomes of the instances of processes that wait, if it is not the manifest that says so.
    pub keep: Option<Keep>,
}

/// What came of it. The field order is that of `--json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Outcome {
    /// Lines of the file.
    pub lines: u64,
    /// Of these, lines that are not valid UTF-8.
    pub rejected: u64,
    /// Words, counting each as often as it occurs.
    pub words: u64,
    /// Different words.
    pub distinct: u64,
    /// Parsers that crashed and were started anew.
    pub restarts: u64,
    /// Words that the app counted too few.
    pub lost: u64,
    /// Words that the app counted too many.
    pub doubled: u64,
    /// The ten most frequent words; equally frequent ones in the order of the alphabet.
    pub top: Vec<(String, u64)>,
    /// How long the app took, from its start to its last word.
    pub seconds: f64,
    /// Whether it is version 2 of the server that gave the result: version 1 counts words as they are written.
    pub upgraded: bool,
    /// For how many microseconds the server stood still at the upgrade.
    pub upgrade_pause_us: u64,
    /// The upgrade.
    #[serde(skip)]
    pub upgrade: Upgraded,
    /// How many pieces of the file version 1 of the server added, and how many version 2.
    #[serde(skip)]
    pub pieces: (u64, u64),
    /// The file.
    #[serde(skip)]
    pub file: PathBuf,
    /// How many bytes it has.
    #[serde(skip)]
    pub bytes: u64,
    /// How many parsers there were.
    #[serde(skip)]
    pub parsers: usize,
    /// How long the host took, which counts in one pass on one core.
    #[serde(skip)]
    pub host_seconds: f64,
    /// The lines that the host counted, and those it rejected.
    #[serde(skip)]
    pub host_lines: (u64, u64),
}

impl Outcome {
    /// Whether the app and the host agree in everything, and it was upgraded.
    #[must_use]
    pub fn agrees(&self) -> bool {
        self.upgraded && self.lost == 0 && self.doubled == 0 && self.host_lines == (self.lines, self.rejected)
    }
}

/// Runs the demo. Must be called inside of a tokio runtime.
pub async fn run(options: Options, watch: Arc<dyn Watch>) -> Result<Outcome, DemoError> {
    let input = Input::check(options.input.as_deref())?;
    let tally = Tally::read(&input, options.parsers)?;
    let crashes = Arc::new(Crashes::default());
    let engine = EngineConfig { cache: cache(options.home.as_deref(), &input), ..EngineConfig::default() };
    let config = RuntimeConfig { engine, keep: options.keep, ..RuntimeConfig::default() };
    let runtime = Runtime::new(config, crashes.clone())?;
    let parsers = tally.parsers;
    let app = tally.load(runtime.engine().clone(), watch.as_ref()).await?;
    // Whatever happens from here on, the app is stopped in order.
    let outcome = tokio::select! {
        outcome = tally_up(&runtime, app, &crashes, &input, watch.as_ref()) => outcome,
        _ = tokio::signal::ctrl_c() => Err(DemoError::Interrupted),
    };
    watch.stage(Stage::Stopping);
    runtime.shutdown().await;
    outcome.map(|outcome| Outcome { parsers, ..outcome })
}

/// Where compiled code is kept. A folder that cannot be used only costs time; one that lies where the reader may look must
/// not be used.
fn cache(home: Option<&Path>, input: &Input) -> Option<PathBuf> {
    let home = Home::create(home?).ok()?;
    let apart = !home.path().starts_with(input.folder()) && !input.folder().starts_with(home.path());
    if apart { home.cache().ok() } else { None }
}

async fn tally_up(
    runtime: &Runtime,
    Loaded { app, successor }: Loaded,
    crashes: &Crashes,
    input: &Input,
    watch: &dyn Watch,
) -> Result<Outcome, DemoError> {
    let begun = Instant::now();
    runtime.start_app(app).await?;
    let upgrade = app::run(runtime, successor, crashes, watch).await?;
    let seconds = begun.elapsed().as_secs_f64();
    let restarts = app::restarts(runtime);
    let totals = app::totals(runtime).await?;

    let begun = Instant::now();
    let counted = count(input, watch).await?;
    let host_seconds = begun.elapsed().as_secs_f64();
    input.unchanged()?;
    watch.stage(Stage::Comparing);
    let host_lines = (counted.lines, counted.rejected);
    let compare::Compared { lost, doubled, top } = compare::compare(runtime, counted.words).await?;
    Ok(Outcome {
        lines: totals.lines,
        rejected: totals.rejected,
        words: totals.words,
        distinct: totals.distinct,
        restarts,
        lost,
        doubled,
        top,
        seconds,
        upgraded: totals.version == VERSION,
        upgrade_pause_us: u64::try_from(upgrade.pause.as_micros()).unwrap_or(u64::MAX),
        upgrade,
        pieces: (totals.pieces_before, totals.pieces.saturating_sub(totals.pieces_before)),
        file: input.path().to_owned(),
        bytes: input.bytes(),
        parsers: 0,
        host_seconds,
        host_lines,
    })
}

/// Counts on a thread of its own, and tells how far it is.
async fn count(input: &Input, watch: &dyn Watch) -> Result<count::Counted, DemoError> {
    let done = Arc::new(AtomicU64::new(0));
    let (path, progress) = (input.path().to_owned(), Arc::clone(&done));
    let mut counting = tokio::task::spawn_blocking(move || count::count(&path, &progress));
    let mut tick = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            counted = &mut counting => return finished(counted),
            _ = tick.tick() => {
                watch.stage(Stage::Checking { done: done.load(Ordering::Relaxed), bytes: input.bytes() });
            }
        }
    }
}

/// What a blocking task returned; its panic goes on here.
fn finished<T>(task: Result<T, JoinError>) -> T {
    match task.map_err(JoinError::try_into_panic) {
        Ok(value) => value,
        Err(Ok(panic)) => std::panic::resume_unwind(panic),
        Err(Err(cancelled)) => panic!("nobody cancels it: {cancelled}"),
    }
}
