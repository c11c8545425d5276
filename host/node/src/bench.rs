//! The benchmark: the same works by Skep's processes and by Erlang's, by turns, on the same machine.
//!
//! Owns the course of it: build and load the guests, start the app, and for each work some rounds, in which each side does
//! it once. The guests are those of `examples-wasm/bench-driver`, started and asked as any other app's. Never prints: `cli`
//! does. Called by `skep bench`.

mod app;
mod curves;
mod erlang;
mod error;
mod figures;
mod order;
mod work;

use std::path::PathBuf;

use serde::Serialize;

pub use curves::{Curve, Curves, Kind, Line, Point, curves};
pub use error::BenchError;
pub use figures::{Beside, Figure, Series, Unit};
pub use work::Work;

use app::App;
use erlang::Erlang;
use order::{Order, Took};

use crate::build;

/// What to measure.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which works, in this order; none of them matters to curves.
    pub works: Vec<Work>,
    /// How many processes wait where it matters, and are at most in a curve.
    pub processes: u64,
    /// How often each side does each work, after one time that does not count.
    pub rounds: usize,
    /// Whether Erlang does the same.
    pub erlang: bool,
    /// The node's own folder, where compiled code is kept from one run to the next.
    pub home: Option<PathBuf>,
}

/// What was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// In the order in which it was measured.
    pub figures: Vec<Figure>,
    /// The machine.
    pub machine: Machine,
    /// Which Erlang, if it took part.
    pub erlang: Option<String>,
}

/// Where it was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// Processors that this program may use.
    pub processors: usize,
    /// As it calls itself.
    pub processor: String,
    /// The system and its version.
    pub system: String,
}

/// Told how far it is.
pub trait Watch: Send + Sync {
    /// This round of this work begins; round 0 does not count.
    fn round(&self, work: Work, round: usize);

    /// This place of a curve is measured next, for this side.
    fn point(&self, kind: Kind, who: &str, at: u64);

    /// Who is told, and asked, while guests are built.
    fn builder(&self) -> Box<dyn build::Report + Send> {
        Box::new(build::Quiet)
    }
}

/// One of those who do the works.
enum Side {
    Skep(Box<App>),
    Erlang(Erlang),
}

impl Side {
    async fn obey(&mut self, order: &Order) -> Result<Took, BenchError> {
        match self {
            Side::Skep(app) => app.obey(order).await,
            Side::Erlang(erlang) => tokio::task::block_in_place(|| erlang.obey(order)),
        }
    }

    /// Ends it.
    async fn stop(self) {
        match self {
            Side::Skep(app) => app.stop().await,
            Side::Erlang(_) => {}
        }
    }

    /// Resident bytes of the program that it is.
    fn resident_bytes(&self) -> u64 {
        match self {
            Side::Skep(_) => figures::resident_bytes("self"),
            Side::Erlang(erlang) => figures::resident_bytes(&erlang.process_id().to_string()),
        }
    }
}

/// Measures. Must be called inside of a tokio runtime.
///
/// # Errors
///
/// A guest cannot be built, Erlang is wanted and is not there, or a work went wrong.
pub async fn run(options: &Options, watch: &dyn Watch) -> Result<Outcome, BenchError> {
    let (mut sides, erlang) = sides(options, watch).await?;
    let mut all = Vec::new();
    for work in &options.works {
        all.extend(rounds(*work, options, &mut sides, watch).await?);
    }
    for side in sides {
        side.stop().await;
    }
    figures::compare(&mut all);
    Ok(Outcome { figures: all, machine: Machine::this(), erlang })
}

/// Those who take part, Skep first, and which Erlang it is.
async fn sides(options: &Options, watch: &dyn Watch) -> Result<(Vec<Side>, Option<String>), BenchError> {
    // First, since it is the quicker one to say that it is not there.
    let erlang = if options.erlang { Some(Erlang::start()?) } else { None };
    let version = erlang.as_ref().map(|erlang| erlang.version().to_owned());
    let mut sides = vec![Side::Skep(Box::new(App::start(options.home.as_deref(), watch).await?))];
    sides.extend(erlang.map(Side::Erlang));
    Ok((sides, version))
}

/// All rounds of one work.
async fn rounds(
    work: Work,
    options: &Options,
    sides: &mut [Side],
    watch: &dyn Watch,
) -> Result<Vec<Figure>, BenchError> {
    let mut figures: Vec<Figure> = Vec::new();
    for round in work.first_round()..=options.rounds {
        watch.round(work, round);
        for side in &mut *sides {
            let samples = work.perform(side, options.processes).await?;
            let is_skep = matches!(side, Side::Skep(_));
            let counted = samples.into_iter().filter(|sample| sample.unit.counts_in(round));
            counted.for_each(|sample| figures::note(&mut figures, work, sample, is_skep));
        }
    }
    Ok(figures)
}

impl Machine {
    fn this() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let processor = read("/proc/cpuinfo")
            .lines()
            .find_map(|line| line.strip_prefix("model name")?.split_once(':').map(|(_, name)| name.trim().to_owned()))
            .unwrap_or_else(|| std::env::consts::ARCH.to_owned());
        let release = read("/proc/sys/kernel/osrelease");
        Machine {
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            processor,
            system: format!("{} {}", std::env::consts::OS, release.trim()).trim().to_owned(),
        }
    }
}
