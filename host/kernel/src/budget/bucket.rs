//! Fuel that flows in at a rate and is used in lumps: a token bucket, with the time given.

use std::time::Duration;

use super::FuelRate;
use crate::Time;

/// Fuel is counted in billionths, so that what flows in within a nanosecond is not lost.
const PARTS: i128 = 1_000_000_000;

/// A bucket. Using more than there is makes a debt, which is paid before anybody goes on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bucket {
    rate: FuelRate,
    /// What is there, in billionths; below zero in debt.
    level: i128,
    /// When that was.
    at: Time,
}

impl Bucket {
    /// A full one.
    #[must_use]
    pub fn new(rate: FuelRate, now: Time) -> Self {
        Bucket { rate, level: full(rate), at: now }
    }

    /// The same with another rate. A debt stays, and nothing is given.
    #[must_use]
    pub fn with(mut self, rate: FuelRate, now: Time) -> Self {
        self.refill(now);
        Bucket { rate, level: self.level.min(full(rate)), at: now }
    }

    /// Its rate.
    #[must_use]
    pub fn rate(&self) -> FuelRate {
        self.rate
    }

    fn refill(&mut self, now: Time) {
        let passed = now.saturating_sub(self.at).as_nanos();
        let flown = i128::try_from(passed).unwrap_or(i128::MAX).saturating_mul(i128::from(self.rate.per_second));
        self.level = self.level.saturating_add(flown).min(full(self.rate));
        self.at = self.at.max(now);
    }

    /// Uses so much. If that leaves a debt, until when it is paid.
    pub fn burn(&mut self, fuel: u64, now: Time) -> Option<Time> {
        self.refill(now);
        self.level -= i128::from(fuel) * PARTS;
        (self.level < 0).then(|| self.when(0, now))
    }

    /// Lets go of the debt.
    pub fn forgive(&mut self) {
        self.level = self.level.max(0);
    }

    /// How much there is; nothing in debt.
    pub fn left(&mut self, now: Time) -> u64 {
        self.refill(now);
        u64::try_from(self.level / PARTS).unwrap_or(0)
    }

    /// When there will be so much. Not later than when it is full, since more never comes.
    #[must_use]
    pub fn when(&self, fuel: u64, now: Time) -> Time {
        let missing = (i128::from(fuel.min(self.rate.burst)) * PARTS - self.level).max(0);
        let per_nano = i128::from(self.rate.per_second.max(1));
        let wait = (missing + per_nano - 1) / per_nano;
        now.saturating_add(Duration::from_nanos(u64::try_from(wait).unwrap_or(u64::MAX)))
    }
}

fn full(rate: FuelRate) -> i128 {
    i128::from(rate.burst) * PARTS
}
