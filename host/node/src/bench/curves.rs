//! The curves: what a waiting process costs by how many there are, how long a call takes by how many others compute, and how
//! long an upgrade stops a process by how large its state is.
//!
//! Owns at which places they are measured. Draws nothing: `cli` does. Called by `skep bench --curves`.

use std::mem;

use serde::Serialize;

use super::figures::{Series, percentile};
use super::order::{Order, Took};
use super::work::float;
use super::{BenchError, Machine, Options, Side, Watch, sides};

/// What is drawn against what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Resident bytes of each waiting process, against how many wait.
    Memory,
    /// Nanoseconds of a call, against how many other processes loop for ever.
    Latency,
    /// Nanoseconds that a process stands still while its code is replaced, against the bytes of its state.
    Pause,
}

/// All lines of one picture.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Curve {
    /// Which picture.
    pub kind: Kind,
    /// Skep's, then Erlang's.
    pub lines: Vec<Line>,
}

/// What was measured at some places.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    /// Whose.
    pub who: &'static str,
    /// Which of several.
    pub what: Option<&'static str>,
    /// From left to right.
    pub points: Vec<Point>,
}

/// One place.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Point {
    /// Where: a number of processes, or bytes.
    pub at: f64,
    /// What was measured there, in all rounds.
    pub measured: Series,
}

/// All that was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Curves {
    /// One for each picture.
    pub curves: Vec<Curve>,
    /// The machine.
    pub machine: Machine,
    /// Which Erlang, if it took part.
    pub erlang: Option<String>,
}

/// How many processes wait: 1, 3, 10 and so on of the thousandth part of the most.
const COUNTS: [u64; 7] = [1, 3, 10, 30, 100, 300, 1_000];
/// How many processes compute.
const LOADS: [u64; 9] = [0, 1, 2, 5, 10, 20, 50, 100, 200];
/// How many numbers, of some nine bytes each, a state has. More of them would not fit into the memory of a small guest
/// twice, as they must while one state becomes the other.
const SIZES: [u64; 6] = [1, 10, 100, 1_000, 10_000, 30_000];
/// How many processes are upgraded at once.
const UPGRADED: u64 = 100;
/// Calls for one point.
const CALLS: u64 = 200;

/// Names of the lines, as they are drawn.
const SKEP: &str = "Skep";
const ERLANG: &str = "Erlang";

/// Measures all curves; `processes` is the most that any of them has. Must be called inside of a tokio runtime.
///
/// # Errors
///
/// As [`super::run`].
pub async fn curves(options: &Options, watch: &dyn Watch) -> Result<Curves, BenchError> {
    let (mut sides, erlang) = sides(options, watch).await?;
    // Memory first: what was used once is not given back to the system.
    let memory = memory(&mut sides, options, watch).await?;
    let latency = latency(&mut sides, options, watch).await?;
    let pause = pause(&mut sides, options, watch).await?;
    for side in sides {
        side.stop().await;
    }
    Ok(Curves { curves: vec![memory, latency, pause], machine: Machine::this(), erlang })
}

/// In one round, since a second one would find the memory of the first.
async fn memory(sides: &mut [Side], options: &Options, watch: &dyn Watch) -> Result<Curve, BenchError> {
    let mut lines = Vec::new();
    for side in sides {
        // What is there once for all processes is not to be counted as the first one's.
        side.obey(&Order::Start { module: "counter", number: 1 }).await?;
        side.obey(&Order::Clear).await?;
        let before = side.resident_bytes();
        let (mut points, mut there) = (Vec::new(), 0);
        for count in counts(options.processes) {
            watch.point(Kind::Memory, side.name(), count);
            side.obey(&Order::Start { module: "counter", number: count - mem::replace(&mut there, count) }).await?;
            let bytes = float(side.resident_bytes().saturating_sub(before));
            points.push(Point { at: float(count), measured: Series::of([bytes / float(count)]) });
        }
        side.obey(&Order::Clear).await?;
        lines.push(Line { who: side.name(), what: None, points });
    }
    Ok(Curve { kind: Kind::Memory, lines })
}

/// From few to the most, each once.
fn counts(most: u64) -> Vec<u64> {
    let mut counts: Vec<u64> = COUNTS.map(|part| most * part / 1_000).into_iter().filter(|count| *count > 0).collect();
    counts.dedup();
    counts
}

async fn latency(sides: &mut [Side], options: &Options, watch: &dyn Watch) -> Result<Curve, BenchError> {
    let mut lines = empty(sides, ["median", "p99"]);
    for load in LOADS.into_iter().filter(|load| *load <= options.processes) {
        for _ in 0..options.rounds {
            for (side, lines) in sides.iter_mut().zip(&mut lines) {
                watch.point(Kind::Latency, side.name(), load);
                side.obey(&Order::Players(1)).await?;
                side.obey(&Order::Spin(load)).await?;
                let took = side.obey(&Order::Latencies(CALLS)).await?;
                side.obey(&Order::Clear).await?;
                note(lines, float(load), took);
            }
        }
    }
    Ok(Curve { kind: Kind::Latency, lines: lines.into_iter().flatten().collect() })
}

async fn pause(sides: &mut [Side], options: &Options, watch: &dyn Watch) -> Result<Curve, BenchError> {
    let mut lines = empty(sides, ["median", "p99"]);
    let number = options.processes.min(UPGRADED);
    for size in SIZES {
        // Of a state the same for all, as Skep saves it: on the way down it is some bytes smaller.
        let mut bytes = None;
        for _ in 0..options.rounds {
            for (side, lines) in sides.iter_mut().zip(&mut lines) {
                watch.point(Kind::Pause, side.name(), size);
                side.obey(&Order::Hoards { number, size }).await?;
                let took = side.obey(&Order::Upgrade("hoard")).await?;
                side.obey(&Order::Clear).await?;
                let at = *bytes.get_or_insert(float(took.state_bytes) / float(number));
                note(lines, at, took);
            }
        }
    }
    Ok(Curve { kind: Kind::Pause, lines: lines.into_iter().flatten().collect() })
}

/// Two lines for each side.
fn empty(sides: &[Side], what: [&'static str; 2]) -> Vec<[Line; 2]> {
    let lines = |side: &Side| what.map(|what| Line { who: side.name(), what: Some(what), points: Vec::new() });
    sides.iter().map(lines).collect()
}

/// Adds a round to the last point, or to a new one.
fn note(lines: &mut [Line; 2], at: f64, mut took: Took) {
    for (line, hundredths) in lines.iter_mut().zip([50, 99]) {
        let value = float(percentile(&mut took.each, hundredths));
        match line.points.last_mut() {
            Some(point) if point.at.total_cmp(&at).is_eq() => point.measured.push(value),
            _ => line.points.push(Point { at, measured: Series::of([value]) }),
        }
    }
}

impl Side {
    fn name(&self) -> &'static str {
        match self {
            Side::Skep(_) => SKEP,
            Side::Erlang(_) => ERLANG,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_end_with_the_most_and_begin_with_something() {
        assert_eq!(counts(1_000_000), [1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000]);
        assert_eq!(counts(20), [2, 6, 20]);
        assert_eq!(counts(1), [1]);
    }

    #[test]
    fn rounds_at_one_place_are_one_point() {
        let line = |what| Line { who: SKEP, what: Some(what), points: Vec::new() };
        let mut lines = [line("median"), line("p99")];
        let took = |each: [u64; 3]| Took { each: each.to_vec(), ..Took::default() };
        note(&mut lines, 1.0, took([3, 1, 2]));
        note(&mut lines, 1.0, took([30, 10, 20]));
        note(&mut lines, 2.0, took([5, 5, 5]));
        let of = |line: &Line| line.points.iter().map(|point| point.measured.rounds.clone()).collect::<Vec<_>>();
        assert_eq!(of(&lines[0]), [vec![2.0, 20.0], vec![5.0]]);
        assert_eq!(of(&lines[1]), [vec![3.0, 30.0], vec![5.0]]);
    }
}
