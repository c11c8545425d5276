//! What is measured, and what is said of it: medians, spreads, percentiles, ratios.

use serde::Serialize;

use super::Work;

/// In what something is measured. Less is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Nanoseconds.
    Nanoseconds,
    /// Bytes.
    Bytes,
}

impl Unit {
    /// Whether a round counts, the first of which that does is number 1. Memory comes on top only once: the next round finds it.
    #[must_use]
    pub fn counts_in(self, round: usize) -> bool {
        match self {
            Unit::Nanoseconds => round > 0,
            Unit::Bytes => round == 1,
        }
    }
}

/// One measured thing of one round.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sample {
    pub(super) name: &'static str,
    pub(super) unit: Unit,
    pub(super) value: f64,
}

/// One measured thing of all rounds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// Of which work.
    pub work: Work,
    /// What.
    pub name: &'static str,
    /// In what.
    pub unit: Unit,
    /// By Skep.
    pub skep: Series,
    /// By Erlang.
    pub erlang: Option<Series>,
    /// Skep's median by Erlang's.
    pub ratio: Option<f64>,
    /// What else of Skep's it is to be seen beside, if that was measured too.
    pub beside: Option<Beside>,
}

/// A comparison within Skep.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Beside {
    /// With which figure.
    pub figure: &'static str,
    /// How many of its medians the figure's median is.
    pub ratio: f64,
}

/// A figure by its work and its name.
type Named = (Work, &'static str);

/// Figures that say most beside another one of Skep's, and the other one.
const PAIRS: [[Named; 2]; 3] = [
    [(Work::Cpu, FIB), (Work::Cpu, FIB_UNMETERED)],
    [(Work::Cpu, SHA), (Work::Cpu, SHA_UNMETERED)],
    [(Work::Restart, MEDIAN), (Work::Spawn, LIFE)],
];
pub(super) const LIFE: &str = "a life";
pub(super) const MEDIAN: &str = "median";
pub(super) const FIB: &str = "fib(35)";
pub(super) const FIB_UNMETERED: &str = "fib(35) unmetered";
pub(super) const SHA: &str = "SHA-256 of 16 MiB";
pub(super) const SHA_UNMETERED: &str = "SHA-256 of 16 MiB unmetered";

/// The same thing, measured some times.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
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

impl Series {
    pub(super) fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut series = Series::default();
        values.into_iter().for_each(|value| series.push(value));
        series
    }

    pub(super) fn push(&mut self, value: f64) {
        self.rounds.push(value);
        let mut sorted = self.rounds.clone();
        sorted.sort_by(f64::total_cmp);
        self.median = sorted[sorted.len() / 2];
        self.least = sorted[0];
        self.most = sorted[sorted.len() - 1];
    }
}

/// Adds a sample to the figure that it belongs to.
pub(super) fn note(figures: &mut Vec<Figure>, work: Work, sample: Sample, is_skep: bool) {
    let Sample { name, unit, value } = sample;
    let at = figures.iter().position(|figure| figure.name == name).unwrap_or_else(|| {
        figures.push(Figure { work, name, unit, skep: Series::default(), erlang: None, ratio: None, beside: None });
        figures.len() - 1
    });
    let figure = &mut figures[at];
    if is_skep { &mut figure.skep } else { figure.erlang.get_or_insert_default() }.push(value);
    figure.ratio = figure.erlang.as_ref().map(|erlang| figure.skep.median / erlang.median);
}

/// Says of each figure how it stands beside the one that it is to be seen beside.
pub(super) fn compare(figures: &mut [Figure]) {
    for [one, other] in PAIRS {
        let at = |(work, name): Named| figures.iter().position(|figure| figure.work == work && figure.name == name);
        if let (Some(one), Some(other)) = (at(one), at(other)) {
            let ratio = figures[one].skep.median / figures[other].skep.median;
            figures[one].beside = Some(Beside { figure: figures[other].name, ratio });
        }
    }
}

/// The value that so many hundredths of all do not exceed.
pub(super) fn percentile(values: &mut [u64], hundredths: usize) -> u64 {
    values.sort_unstable();
    let at = (values.len() * hundredths).div_ceil(100).saturating_sub(1);
    values.get(at).copied().unwrap_or_default()
}

/// How much memory a program has resident; nothing where the system does not say.
pub(super) fn resident_bytes(process: &str) -> u64 {
    let pages = std::fs::read_to_string(format!("/proc/{process}/statm"))
        .ok()
        .and_then(|text| text.split_whitespace().nth(1)?.parse::<u64>().ok());
    pages.unwrap_or_default().saturating_mul(u64::try_from(rustix::param::page_size()).unwrap_or(4096))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let mut values: Vec<u64> = (1..=200).rev().collect();
        assert_eq!(percentile(&mut values, 50), 100);
        assert_eq!(percentile(&mut values, 99), 198);
        assert_eq!(percentile(&mut values, 100), 200);
        assert_eq!(percentile(&mut [7], 50), 7);
        assert_eq!(percentile(&mut [], 50), 0);
    }

    #[test]
    fn rounds_make_a_figure_and_two_sides_a_ratio() {
        let mut figures = Vec::new();
        for value in [30.0, 10.0, 20.0] {
            note(&mut figures, Work::Ping, Sample { name: "round trip", unit: Unit::Nanoseconds, value }, true);
        }
        note(&mut figures, Work::Ping, Sample { name: "round trip", unit: Unit::Nanoseconds, value: 5.0 }, false);
        let [figure] = &figures[..] else { panic!("one figure") };
        assert_eq!((figure.skep.median, figure.skep.least, figure.skep.most), (20.0, 10.0, 30.0));
        assert_eq!(figure.ratio, Some(4.0));
    }

    #[test]
    fn a_figure_is_seen_beside_another_one_that_was_measured() {
        let mut figures = Vec::new();
        let mut noted = |work, name, value| {
            let mut one = Vec::new();
            note(&mut one, work, Sample { name, unit: Unit::Nanoseconds, value }, true);
            figures.extend(one);
        };
        noted(Work::Cpu, FIB, 30.0);
        noted(Work::Restart, MEDIAN, 8.0);
        noted(Work::Fair, MEDIAN, 5.0);
        noted(Work::Spawn, LIFE, 2.0);
        compare(&mut figures);
        let beside: Vec<_> = figures.iter().map(|figure| figure.beside.clone()).collect();
        assert_eq!(beside, [None, Some(Beside { figure: LIFE, ratio: 4.0 }), None, None]);
    }

    #[test]
    fn this_program_is_resident() {
        assert!(resident_bytes("self") > 1 << 20);
    }
}
