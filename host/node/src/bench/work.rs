//! The works: what each side does in a round, and what of it is measured.

use serde::Serialize;

use super::figures::{FIB, FIB_UNMETERED, LIFE, MEDIAN, SHA, SHA_UNMETERED, Sample, Unit, percentile};
use super::order::{Order, Took};
use super::{BenchError, Side};

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Work {
    /// A process is started, gets one message and ends; one after the other
    Spawn,
    /// A message and one back, between two processes
    Ping,
    /// A typed call of a server
    Call,
    /// Four processes send to one
    FanIn,
    /// A message around a ring of 1,000 processes
    Ring,
    /// Many processes that wait, each with a state of its own: created, resident, called
    Idle,
    /// A call of one that waits without an instance
    Wake,
    /// A call of one process while 100 others loop for ever
    Fair,
    /// Work that only computes
    Cpu,
    /// The code of processes is replaced, with their states: how long they stand still
    Upgrade,
    /// From a crash to the first answer after the restart
    Restart,
}

/// How often a round repeats what is quick.
const LIVES: u64 = 50_000;
const PASSES: u64 = 200_000;
const ASKS: u64 = 100_000;
const DROPS: u64 = 1_000_000;
const HOPS: u64 = 1_000_000;
const CALLS: u64 = 100_000;
const SENDERS: u64 = 4;
const RING: u64 = 1_000;
const SPINNERS: u64 = 100;
const LATENCIES: u64 = 200;
const CRASHES: u64 = 1_000;
const WAITING: u64 = 10_000;
const UPGRADED: u64 = 1_000;
const FIB_OF: u32 = 35;
const SHA_BYTES: u64 = 16 << 20;

impl Work {
    /// As it is typed.
    #[must_use]
    pub fn name(self) -> String {
        clap::ValueEnum::to_possible_value(&self).map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// The first round does not count, where what is measured is not how much memory comes on top.
    pub(super) fn first_round(self) -> usize {
        usize::from(self == Work::Idle)
    }

    /// One round. `processes` is how many wait where it matters.
    pub(super) async fn perform(self, side: &mut Side, processes: u64) -> Result<Vec<Sample>, BenchError> {
        let samples = match self {
            Work::Spawn => vec![each(LIFE, &side.obey(&Order::Lives(LIVES)).await?, LIVES)],
            Work::Ping => {
                side.obey(&Order::Players(2)).await?;
                vec![each("round trip", &side.obey(&Order::Throw(2 * PASSES)).await?, PASSES)]
            }
            Work::Ring => {
                side.obey(&Order::Players(RING)).await?;
                vec![each("hop", &side.obey(&Order::Throw(HOPS)).await?, HOPS)]
            }
            Work::Call => {
                side.obey(&Order::Players(1)).await?;
                vec![each("call", &side.obey(&Order::Asks(ASKS)).await?, ASKS)]
            }
            Work::FanIn => {
                side.obey(&Order::Players(1 + SENDERS)).await?;
                vec![each("message", &side.obey(&Order::FanIn(DROPS / SENDERS)).await?, DROPS)]
            }
            Work::Idle => idle(side, processes).await?,
            Work::Wake => {
                side.obey(&start("counter", processes.min(WAITING))).await?;
                vec![called(side, processes).await?]
            }
            Work::Fair => {
                side.obey(&Order::Players(1)).await?;
                side.obey(&Order::Spin(SPINNERS)).await?;
                spread(side.obey(&Order::Latencies(LATENCIES)).await?)
            }
            Work::Cpu => cpu(side).await?,
            Work::Upgrade => {
                side.obey(&start("noted", UPGRADED)).await?;
                let took = side.obey(&Order::Upgrade("noted")).await?;
                let whole = each("a process, of 1,000", &took, UPGRADED);
                [vec![whole], spread(took)].concat()
            }
            Work::Restart => spread(side.obey(&Order::Crashes { name: "victim", times: CRASHES }).await?),
        };
        side.obey(&Order::Clear).await?;
        Ok(samples)
    }
}

async fn idle(side: &mut Side, processes: u64) -> Result<Vec<Sample>, BenchError> {
    let before = side.resident_bytes();
    let created = side.obey(&start("counter", processes)).await?;
    let bytes = side.resident_bytes().saturating_sub(before);
    let resident = Sample { name: "resident", unit: Unit::Bytes, value: float(bytes) / float(processes) };
    Ok(vec![each("created", &created, processes), resident, called(side, processes).await?])
}

/// Metered as every process is, and by Skep's side the same code unmetered. Erlang has SHA-256 in C, so it is not asked.
async fn cpu(side: &mut Side) -> Result<Vec<Sample>, BenchError> {
    let (fib, sha) = (Order::Fib(FIB_OF), Order::Sha(SHA_BYTES));
    let mut samples = vec![each(FIB, &side.obey(&fib).await?, 1)];
    if let Side::Skep(app) = side {
        samples.push(each(FIB_UNMETERED, &app.unmetered(&fib)?, 1));
        samples.push(each(SHA, &app.obey(&sha).await?, 1));
        samples.push(each(SHA_UNMETERED, &app.unmetered(&sha)?, 1));
    }
    Ok(samples)
}

/// Calls at random among those that wait.
async fn called(side: &mut Side, processes: u64) -> Result<Sample, BenchError> {
    let times = processes.min(CALLS);
    let choice = Some(0x9e37_79b9_7f4a_7c15);
    Ok(each("call of one", &side.obey(&Order::Calls { times, choice }).await?, times))
}

fn start(module: &'static str, number: u64) -> Order {
    Order::Start { module, number }
}

fn each(name: &'static str, took: &Took, times: u64) -> Sample {
    Sample { name, unit: Unit::Nanoseconds, value: took.whole.as_secs_f64() * 1e9 / float(times) }
}

fn spread(mut took: Took) -> Vec<Sample> {
    let at = |name, value| Sample { name, unit: Unit::Nanoseconds, value: float(value) };
    vec![at(MEDIAN, percentile(&mut took.each, 50)), at("p99", percentile(&mut took.each, 99))]
}

#[allow(clippy::cast_precision_loss, reason = "figures to look at")]
pub(super) fn float(number: u64) -> f64 {
    number as f64
}
