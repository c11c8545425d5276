//! What is said of the samples of all rounds, of what Skep has measured, and of the two together.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use crate::work::{Sample, Unit, Work};

/// Who takes part, as columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Who {
    /// RUSM from crates.io
    Rusm,
    /// Bare wasmtime
    Floor,
}

/// The same thing, measured some times.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// The middle one.
    pub median: f64,
    /// The least.
    pub least: f64,
    /// The most.
    pub most: f64,
    /// All, in the order of the rounds.
    pub rounds: Vec<f64>,
}

/// One thing, by everybody who does it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// Of which work.
    pub work: String,
    /// What.
    pub name: String,
    /// In what.
    pub unit: Unit,
    /// By Skep, if its figures are there.
    pub skep: Option<Series>,
    /// By Erlang, if Skep was measured beside it.
    pub erlang: Option<Series>,
    /// By RUSM.
    pub rusm: Option<Series>,
    /// By bare wasmtime.
    pub floor: Option<Series>,
    /// How many of their medians Skep's is.
    pub ratios: Ratios,
}

/// Skep's median by others.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Ratios {
    /// By Erlang's.
    pub erlang: Option<f64>,
    /// By RUSM's.
    pub rusm: Option<f64>,
    /// By the floor's.
    pub floor: Option<f64>,
    /// By another one of Skep's own.
    pub beside: Option<Beside>,
}

/// As in Skep's JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Beside {
    /// With which figure.
    pub figure: String,
    /// How many of its medians.
    pub ratio: f64,
}

/// Where it was measured, as in Skep's JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// Processors that the program may use.
    pub processors: usize,
    /// As it calls itself.
    pub processor: String,
    /// The system and its version.
    pub system: String,
}

/// All of it.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// By work.
    pub figures: Vec<Figure>,
    /// The machine.
    pub machine: Machine,
    /// Which Erlang, if Skep was measured beside it.
    pub erlang: Option<String>,
}

/// What `skep bench --json` prints.
#[derive(Deserialize)]
struct Skeps {
    figures: Vec<SkepsFigure>,
    machine: Machine,
    erlang: Option<String>,
}

#[derive(Deserialize)]
struct SkepsFigure {
    work: String,
    name: String,
    unit: Unit,
    skep: Series,
    erlang: Option<Series>,
    beside: Option<Beside>,
}

impl Series {
    fn push(&mut self, value: f64) {
        self.rounds.push(value);
        let mut sorted = self.rounds.clone();
        sorted.sort_by(f64::total_cmp);
        self.median = sorted[sorted.len() / 2];
        self.least = sorted[0];
        self.most = sorted[sorted.len() - 1];
    }
}

impl Outcome {
    /// Nothing yet, but what Skep has measured if a file of it is named.
    ///
    /// # Errors
    ///
    /// The file is not what `skep bench --json` prints.
    pub fn new(with: Option<&Path>) -> Result<Self> {
        let Some(path) = with else {
            return Ok(Outcome { figures: Vec::new(), machine: Machine::this(), erlang: None });
        };
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        Self::of(&text).with_context(|| format!("{} is not what `skep bench --json` prints", path.display()))
    }

    fn of(text: &str) -> Result<Self> {
        let Skeps { figures, machine, erlang } = serde_json::from_str(text)?;
        let figures = figures.into_iter().map(|figure| {
            let SkepsFigure { work, name, unit, skep, erlang, beside } = figure;
            let by_erlang = erlang.as_ref().map(|erlang| skep.median / erlang.median);
            let ratios = Ratios { erlang: by_erlang, beside, ..Ratios::default() };
            Figure { work, name, unit, skep: Some(skep), erlang, rusm: None, floor: None, ratios }
        });
        Ok(Outcome { figures: figures.collect(), machine, erlang })
    }

    /// Adds a sample to the figure that it belongs to.
    pub fn note(&mut self, work: Work, who: Who, Sample { name, unit, value }: Sample) {
        let work = work.name();
        let at = self.figures.iter().position(|figure| figure.work == work && figure.name == name);
        let at = at.unwrap_or_else(|| {
            let (work, name) = (work, name.to_owned());
            let nobody = (None, None, None, None);
            let (skep, erlang, rusm, floor) = nobody;
            self.figures.push(Figure { work, name, unit, skep, erlang, rusm, floor, ratios: Ratios::default() });
            self.figures.len() - 1
        });
        let Figure { skep, rusm, floor, ratios, .. } = &mut self.figures[at];
        let (series, ratio) = match who {
            Who::Rusm => (rusm, &mut ratios.rusm),
            Who::Floor => (floor, &mut ratios.floor),
        };
        let series = series.get_or_insert_default();
        series.push(value);
        *ratio = skep.as_ref().map(|skep| skep.median / series.median);
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    const SKEPS: &str = r#"{
        "figures": [{
            "work": "ping", "name": "round trip", "unit": "nanoseconds", "ratio": 2.0, "beside": null,
            "skep": { "median": 20, "least": 10, "most": 30, "rounds": [10, 20, 30] },
            "erlang": { "median": 10, "least": 10, "most": 10, "rounds": [10] }
        }],
        "machine": { "processors": 2, "processor": "one", "system": "linux" },
        "erlang": "Erlang/OTP 25"
    }"#;

    #[test]
    fn what_skep_has_measured_is_seen_beside_the_others() {
        let mut outcome = Outcome::of(SKEPS).expect("it is what skep prints");
        let sample = |value| Sample { name: "round trip", unit: Unit::Nanoseconds, value };
        for value in [40.0, 50.0, 1.0] {
            outcome.note(Work::Ping, Who::Rusm, sample(value));
        }
        outcome.note(Work::Ping, Who::Floor, sample(5.0));
        // Another work has a figure of the same name.
        outcome.note(Work::Spawn, Who::Floor, sample(7.0));
        let [ping, spawn] = &outcome.figures[..] else { panic!("two figures: {outcome:?}") };
        assert_eq!((ping.ratios.erlang, ping.ratios.rusm, ping.ratios.floor), (Some(2.0), Some(0.5), Some(4.0)));
        assert_eq!((spawn.work.as_str(), &spawn.skep, spawn.ratios.floor), ("spawn", &None, None));
        assert_eq!(outcome.erlang.as_deref(), Some("Erlang/OTP 25"));
        assert!(Outcome::of("[]").is_err());
    }
}
