//! What a runtime has counted since it was made, as plain data taken at one moment.
//!
//! Owns the form of a histogram. What is being counted, and where, is the shell's; what an app uses now is told by
//! [`Runtime::usage`](crate::Runtime::usage).

use std::time::Duration;

use skep_kernel::Want;

use crate::engine::{Class, Usage};

/// Bounds of a histogram's buckets: of 1 µs and each twice the one before, up to 8.4 s, within which all lies that is not
/// out of order.
pub const BUCKETS: usize = 24;
/// One event in so many is timed, the first of each worker among them: a clock costs as much as all else that is counted.
pub const TIMED_EVERY: u64 = 16;

/// What a runtime has counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Metrics {
    /// Processes that were started, supervisors among them.
    pub spawns: u64,
    /// Of these, those that have ended.
    pub exits: u64,
    /// Events for which a process had its instance. Those that a guest pulls while it is at it are not counted.
    pub hits: u64,
    /// Instances that were made anew for a process that had given its own back.
    pub wakes: u64,
    /// Instances that were saved and given back.
    pub evictions: Evictions,
    /// Fuel that guests have used, about one for each instruction.
    pub fuel: u64,
    /// From the beginning of a wake to the restored instance: one wake in [`TIMED_EVERY`].
    pub wake_times: Histogram,
    /// From the beginning of an event to its outcome, all that the guest pulled meanwhile and all turns of others included: one
    /// event in [`TIMED_EVERY`].
    pub handle_times: Histogram,
    /// How full the small class is.
    pub small: Usage,
    /// How full the large class is.
    pub large: Usage,
}

impl Metrics {
    /// How full a class is.
    #[must_use]
    pub fn slots(&self, class: Class) -> Usage {
        match class {
            Class::Small => self.small,
            Class::Large => self.large,
        }
    }
}

/// Why an instance is given back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Eviction {
    /// Nothing came for as long as was said, or the guest asked for it.
    Idle,
    /// Somebody else found no place in the class.
    Room,
    /// A budget above it was full or nearly so.
    Budget,
}

/// For nobody, an instance goes only because it is idle.
impl From<Option<Want>> for Eviction {
    fn from(want: Option<Want>) -> Self {
        match want {
            None => Eviction::Idle,
            Some(Want::Room) => Eviction::Room,
            Some(Want::Budget) => Eviction::Budget,
        }
    }
}

/// How many instances were given back, by the reason.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Evictions {
    /// As [`Eviction::Idle`].
    pub idle: u64,
    /// As [`Eviction::Room`].
    pub room: u64,
    /// As [`Eviction::Budget`].
    pub budget: u64,
}

/// How often something took how long.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Histogram {
    /// How many lie in each bucket and in none below; the last ones are beyond all bounds.
    pub counts: [u64; BUCKETS + 1],
    /// Of all of them, in nanoseconds.
    pub sum_ns: u64,
}

impl Histogram {
    /// The upper bound of this bucket, which belongs to it.
    #[must_use]
    pub fn bound(bucket: usize) -> Duration {
        Duration::from_micros(1 << bucket.min(BUCKETS - 1))
    }

    /// Which bucket it belongs to.
    #[must_use]
    pub fn bucket(time: Duration) -> usize {
        (0..BUCKETS).find(|bucket| time <= Self::bound(*bucket)).unwrap_or(BUCKETS)
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The bound below which this part of all lies (0.5: the median); none without any, or where it lies beyond all bounds.
    #[must_use]
    pub fn quantile(&self, part: f64) -> Option<Duration> {
        #[allow(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "counts are below 2^53, and a part is between 0 and 1"
        )]
        let wanted = ((self.count() as f64 * part).ceil() as u64).max(1);
        let sums = self.counts[..BUCKETS].iter().scan(0, |sum, count| {
            *sum += count;
            Some(*sum)
        });
        sums.enumerate().find(|(_, sum)| *sum >= wanted).map(|(bucket, _)| Histogram::bound(bucket))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_time_lies_within_the_bounds_of_its_bucket() {
        for (time, bucket) in [(0, 0), (999, 0), (1_000, 0), (1_001, 1), (2_000, 1), (2_001, 2), (4_000, 2)] {
            assert_eq!(Histogram::bucket(Duration::from_nanos(time)), bucket, "{time} ns");
        }
        for bucket in 0..BUCKETS {
            assert_eq!(Histogram::bucket(Histogram::bound(bucket)), bucket);
            assert_eq!(Histogram::bucket(Histogram::bound(bucket) + Duration::from_nanos(1)), bucket + 1);
        }
        assert_eq!(Histogram::bucket(Duration::MAX), BUCKETS);
    }

    #[test]
    fn a_quantile_is_the_bound_of_the_bucket_that_it_lies_in() {
        let mut times = Histogram::default();
        assert_eq!(times.quantile(0.5), None);
        times.counts[0] = 90;
        times.counts[5] = 9;
        times.counts[BUCKETS] = 1;
        assert_eq!(times.quantile(0.5), Some(Duration::from_micros(1)));
        assert_eq!(times.quantile(0.99), Some(Duration::from_micros(32)));
        assert_eq!((times.quantile(1.0), times.count()), (None, 100), "it is beyond all bounds");
    }
}
