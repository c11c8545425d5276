//! Budgets of a manifest: what an app, or all below a supervisor, may use together.
//!
//! Owns the bounds that make sense. What a budget does is the kernel's.

use std::ops::Range;

use skep_runtime::kernel::LogLimits;
use skep_runtime::kernel::budget::{BudgetSpec, FuelRate, WhenOut};
use toml::Spanned;

use super::limits::BURST_LEAST;
use super::shape::{self, OutOfFuel};
use super::units::Size;
use super::{ManifestError, Source};

/// One page of WebAssembly: with less, no guest can be instantiated.
const MEMORY_LEAST: u64 = 64 << 10;
/// Less fuel in a second is a few messages in a minute, and a pause of seconds after each.
const FUEL_LEAST: u64 = 1_000_000;
/// The largest whole number that TOML has.
const MOST: u64 = i64::MAX as u64;

/// Processes of an app that says nothing of them. Beyond, more likely than not, somebody spawns without end.
const PROCESSES: u64 = 100_000;
/// Operations of an app under way that block a thread, if it says nothing of them: with more, a slow disk of one app would
/// take all threads that there are for it.
const BLOCKING: u64 = 64;

/// The budget of an app: what `given` says, and so many processes and operations that block.
pub(super) fn of_app(given: Option<&Spanned<shape::Budget>>, source: &Source) -> Result<BudgetSpec, ManifestError> {
    let spec = budget(given, source)?;
    Ok(BudgetSpec {
        processes: spec.processes.or(Some(PROCESSES)),
        blocking_operations: spec.blocking_operations.or(Some(BLOCKING)),
        ..spec
    })
}

/// What `given` says; without it, nothing is bounded.
pub(super) fn budget(given: Option<&Spanned<shape::Budget>>, source: &Source) -> Result<BudgetSpec, ManifestError> {
    let Some(whole) = given else { return Ok(BudgetSpec::default()) };
    let given = whole.get_ref();
    let count = |key, given: &Option<Spanned<u64>>, least| count(key, given, least, source);
    let size = |key, given: &Option<Spanned<Size>>, least| {
        given.as_ref().map(|given| bounded(key, given.get_ref().0, given.span(), least, source)).transpose()
    };
    let spec = BudgetSpec {
        memory_bytes: size("memory", &given.memory, MEMORY_LEAST)?,
        instances: count("instances", &given.instances, 1)?,
        processes: count("processes", &given.processes, 1)?,
        mailbox_bytes: size("mailbox_bytes", &given.mailbox_bytes, 1)?,
        timers: count("timers", &given.timers, 0)?,
        open_files: count("open_files", &given.open_files, 0)?,
        blocking_operations: count("blocking_operations", &given.blocking_operations, 1)?,
        log: log(size("log_bytes", &given.log_bytes, 0)?, size("log_burst", &given.log_burst, BURST_LEAST)?),
        fuel: fuel(given, source)?,
    };
    if spec.is_unbounded() {
        return Err(source.error(
            whole.span(),
            "this budget bounds nothing",
            "say what there may be, as in budget = { memory = \"64MiB\", processes = 1000 }, or leave it out",
        ));
    }
    Ok(spec)
}

type Checked<T> = Result<T, ManifestError>;

fn bounded(key: &str, number: u64, span: Range<usize>, least: u64, source: &Source) -> Checked<u64> {
    if (least..=MOST).contains(&number) {
        return Ok(number);
    }
    let remedy = format!("give {least} or more, or leave the key out: without it nothing is bounded");
    Err(source.error(span, format!("`{key}` of a budget cannot be {number}"), remedy))
}

fn count(key: &str, given: &Option<Spanned<u64>>, least: u64, source: &Source) -> Checked<Option<u64>> {
    given.as_ref().map(|given| bounded(key, *given.get_ref(), given.span(), least, source)).transpose()
}

/// How fast logs are written, where anything of it is bounded: what is not said is what one process has.
fn log(bytes: Option<u64>, burst: Option<u64>) -> Option<LogLimits> {
    if bytes.is_none() && burst.is_none() {
        return None;
    }
    let one = LogLimits::default();
    Some(LogLimits {
        bytes_per_second: bytes.unwrap_or(one.bytes_per_second),
        burst: burst.unwrap_or_else(|| bytes.map_or(one.burst, |bytes| bytes.max(one.burst))),
    })
}

fn fuel(given: &shape::Budget, source: &Source) -> Checked<Option<FuelRate>> {
    let burst = count("burst", &given.burst, FUEL_LEAST, source)?;
    let Some(per_second) = count("fuel_per_second", &given.fuel_per_second, FUEL_LEAST, source)? else {
        let idle = [
            ("burst", given.burst.as_ref().map(Spanned::span)),
            ("when_out_of_fuel", given.when_out_of_fuel.as_ref().map(Spanned::span)),
        ];
        return match idle.into_iter().find_map(|(key, span)| Some((key, span?))) {
            Some((key, span)) => Err(source.error(
                span,
                format!("`{key}` goes with `fuel_per_second`, which this budget does not have"),
                "add `fuel_per_second`, such as fuel_per_second = 1_000_000_000, or remove it",
            )),
            None => Ok(None),
        };
    };
    let when_out = match given.when_out_of_fuel.as_ref().map(Spanned::get_ref) {
        None | Some(OutOfFuel::Throttle) => WhenOut::Throttle,
        Some(OutOfFuel::End) => WhenOut::End,
    };
    Ok(Some(FuelRate { per_second, burst: burst.unwrap_or(per_second), when_out }))
}
