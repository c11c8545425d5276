//! The works, what is measured of each, and how often one round repeats what is quick. Names are those of `skep bench`.

use serde::{Deserialize, Serialize};

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Work {
    /// A process is started, gets one message and ends; one after the other
    Spawn,
    /// A message and one back, between two processes
    Ping,
    /// Four processes send to one
    FanIn,
    /// A message around a ring of many processes
    Ring,
    /// Processes that wait, each with a state of its own: created, resident, called
    Idle,
    /// Work that only computes
    Cpu,
}

impl Work {
    /// As it is typed.
    #[must_use]
    pub fn name(self) -> String {
        clap::ValueEnum::to_possible_value(&self).map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

/// In what something is measured. Less is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
pub struct Sample {
    /// What.
    pub name: &'static str,
    /// In what.
    pub unit: Unit,
    /// How much.
    pub value: f64,
}

/// How much is done in a round.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// Lives, one after the other.
    pub lives: u64,
    /// Round trips.
    pub passes: u64,
    /// Hops around the ring.
    pub hops: u64,
    /// Processes in the ring.
    pub ring: u64,
    /// Messages of all senders.
    pub drops: u64,
    /// Processes that wait.
    pub waiting: u64,
    /// Calls of those that wait.
    pub calls: u64,
    /// Which number of Fibonacci.
    pub fib: u32,
    /// Bytes of which a digest is taken.
    pub sha_bytes: usize,
}

/// Who sends where four send to one.
pub const SENDERS: u64 = 4;

impl Sizes {
    /// What is measured.
    pub const WHOLE: Sizes = Sizes {
        lives: 20_000,
        passes: 200_000,
        hops: 1_000_000,
        ring: 1_000,
        drops: 1_000_000,
        waiting: 1_000_000,
        calls: 100_000,
        fib: 35,
        sha_bytes: 16 << 20,
    };
}

/// Who does the works.
pub trait Rival {
    /// One round of a work, and what was measured; nothing if it cannot do such a work.
    ///
    /// # Errors
    ///
    /// Something else happened than should have.
    fn perform(&mut self, work: Work, sizes: &Sizes) -> anyhow::Result<Vec<Sample>>;
}

/// So much for each of so many.
#[must_use]
pub fn each(name: &'static str, begun: std::time::Instant, times: u64) -> Sample {
    Sample { name, unit: Unit::Nanoseconds, value: begun.elapsed().as_secs_f64() * 1e9 / float(times) }
}

/// What has become resident on top of what was before, for each of so many.
#[must_use]
pub fn resident(before: u64, times: u64) -> Sample {
    let bytes = resident_bytes().saturating_sub(before);
    Sample { name: "resident", unit: Unit::Bytes, value: float(bytes) / float(times) }
}

/// How much memory this program has resident; nothing where the system does not say.
#[must_use]
pub fn resident_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = text.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or_default().saturating_mul(u64::try_from(rustix::param::page_size()).unwrap_or(4096))
}

/// The next of some numbers that look like random ones (xorshift).
pub fn random(seed: &mut u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed
}

#[allow(clippy::cast_precision_loss, reason = "figures to look at")]
fn float(number: u64) -> f64 {
    number as f64
}
