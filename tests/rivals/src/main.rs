//! The works of `skep bench` by others, on the same machine: RUSM, and bare wasmtime as the floor.
//!
//! Owns the order: for each work some rounds, in which each rival does it once, after one that does not count. `README.md`
//! says how to run it with Skep and Erlang beside.

mod figures;
mod floor;
#[cfg(feature = "rusm")]
mod rusm;
mod table;
mod work;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::{Parser, ValueEnum as _};
use mimalloc::MiMalloc;

use figures::{Outcome, Who};
use floor::Floor;
use work::{Rival, Sizes, Work};

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Where `skep build` leaves the guest that only computes.
const CPU: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/skep/bench-cpu.wasm");

/// The works of `skep bench` by RUSM and by bare wasmtime
#[derive(Parser)]
#[command(max_term_width = 100)]
struct Arguments {
    /// What to measure [default: everything]
    #[arg(value_name = "WORK")]
    works: Vec<Work>,

    /// How often each does each work, after one time to warm up
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1000))]
    rounds: u16,

    /// Only this one; may be given several times [default: everybody]
    #[arg(long, value_name = "WHO")]
    only: Vec<Who>,

    /// How many processes wait in `idle`
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..=3_000_000))]
    processes: u64,

    /// What `skep bench --json` has printed, to be shown beside
    #[arg(long, value_name = "FILE")]
    with: Option<PathBuf>,

    /// The component of examples-wasm/bench-cpu, as `skep build` leaves it
    #[arg(long, value_name = "FILE", default_value = CPU, hide_default_value = true)]
    cpu_guest: PathBuf,

    /// Put the table into this page, in the place of the one that is there
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    into: Option<PathBuf>,

    /// Print JSON, for scripts: times in nanoseconds
    #[arg(long)]
    json: bool,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let works = if arguments.works.is_empty() { Work::value_variants() } else { &arguments.works };
    let sizes = Sizes { waiting: arguments.processes, ..Sizes::WHOLE };
    let mut outcome = Outcome::new(arguments.with.as_deref())?;
    for work in works {
        // Each work begins anew, or one would find the memory of the one before.
        let mut rivals = rivals(&arguments)?;
        // The first round does not count, where what is measured is not how much memory comes on top.
        for round in usize::from(*work == Work::Idle)..=usize::from(arguments.rounds) {
            for (who, rival) in &mut rivals {
                eprintln!("{} by {who:?}: round {round} of {}", work.name(), arguments.rounds);
                let samples = rival.perform(*work, &sizes);
                let samples = samples.with_context(|| format!("{} by {who:?}", work.name()))?;
                let counted = samples.into_iter().filter(|sample| sample.unit.counts_in(round));
                counted.for_each(|sample| outcome.note(*work, *who, sample));
            }
        }
    }
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&outcome)?);
    } else if let Some(path) = arguments.into {
        let page = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        std::fs::write(&path, table::put(&page, &table::markdown(&outcome))?)?;
    } else {
        print!("{}", table::plain(&outcome));
    }
    Ok(())
}

/// Everybody who takes part.
fn rivals(arguments: &Arguments) -> Result<Vec<(Who, Box<dyn Rival>)>> {
    let takes_part = |who: &Who| arguments.only.is_empty() || arguments.only.contains(who);
    let mut rivals: Vec<(Who, Box<dyn Rival>)> = Vec::new();
    for who in Who::value_variants().iter().filter(|who| takes_part(who)) {
        match who {
            #[cfg(feature = "rusm")]
            Who::Rusm => rivals.push((Who::Rusm, Box::new(rusm::Rusm::new()?))),
            #[cfg(not(feature = "rusm"))]
            Who::Rusm => eprintln!("RUSM is left out: this was built without it"),
            Who::Floor => rivals.push((Who::Floor, Box::new(floor(&arguments.cpu_guest)?))),
        }
    }
    Ok(rivals)
}

fn floor(cpu_guest: &Path) -> Result<Floor> {
    Floor::new(cpu_guest).map_err(|error| anyhow::anyhow!("{error:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// But for the guest that only computes, which is built elsewhere.
    const WORKS: [Work; 5] = [Work::Spawn, Work::Ping, Work::FanIn, Work::Ring, Work::Idle];
    const TINY: Sizes =
        Sizes { lives: 3, passes: 5, hops: 20, ring: 7, drops: 40, waiting: 10, calls: 30, fib: 5, sha_bytes: 100 };

    fn does(rival: &mut dyn Rival, works: &[Work]) {
        for work in works {
            let samples = rival.perform(*work, &TINY).unwrap_or_else(|error| panic!("{work:?}: {error:?}"));
            assert!(!samples.is_empty(), "{work:?}");
            for sample in samples {
                // Of so few processes the system need not show the memory.
                assert!(sample.value > 0.0 || sample.unit == work::Unit::Bytes, "{work:?}: {sample:?}");
            }
        }
    }

    #[test]
    fn the_floor_does_each_work() {
        let mut floor = floor(Path::new("nowhere.wasm")).expect("it can be made");
        does(&mut floor, &WORKS);
        let why = floor.perform(Work::Cpu, &TINY).expect_err("there is no guest");
        assert!(why.to_string().contains("nowhere.wasm"), "{why}");
    }

    #[cfg(feature = "rusm")]
    #[test]
    fn rusm_does_each_work() {
        let mut rusm = rusm::Rusm::new().expect("it can be made");
        does(&mut rusm, &WORKS);
        does(&mut rusm, &[Work::Cpu]);
    }
}
