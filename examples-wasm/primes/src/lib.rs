//! Counts primes by tasks that start tasks: map and reduce.
//!
//! Owns nothing: a range that is small enough is counted, any other is cut into pieces, each of which is the work of a task
//! of this same module. Copy it for work that can be divided. It needs the grant to spawn `primes`.

use std::time::Duration;

use skep_sdk::prelude::*;

/// The task.
pub struct Primes;

/// What to count.
#[derive(Clone, Serialize, Deserialize)]
pub struct Range {
    /// From this number on.
    pub from: u64,
    /// Up to this one, which is not counted.
    pub to: u64,
    /// What one task does at most.
    pub piece: u64,
}

impl Task for Primes {
    type Args = Range;
    type Output = u64;

    fn run(range: Range, context: &TaskContext) -> Result<u64, Failure> {
        if range.piece == 0 {
            return Err("a piece of nothing never comes to an end".into());
        }
        if range.to.saturating_sub(range.from) <= range.piece {
            return Ok((range.from..range.to).filter(|number| is_prime(*number)).fold(0, |count, _| count + 1));
        }
        // As they come: a sum does not mind. Linked: if one piece fails, the whole is worth nothing.
        context
            .task_stream::<Primes, _>("primes", pieces(range))
            .max_concurrency(4)
            .unordered()
            .timeout(Duration::from_secs(60))
            .try_fold(0, |sum, count| Ok(sum + count.map_err(|reason| format!("{reason:?}"))?))
    }
}

fn pieces(Range { from, to, piece }: Range) -> impl Iterator<Item = Range> {
    let step = usize::try_from(piece).unwrap_or(usize::MAX);
    (from..to).step_by(step).map(move |from| Range { from, to: to.min(from.saturating_add(piece)), piece })
}

fn is_prime(number: u64) -> bool {
    number >= 2 && (2..).take_while(|factor| factor * factor <= number).all(|factor| !number.is_multiple_of(factor))
}

skep_sdk::export!(task Primes);

#[cfg(test)]
mod tests {
    use skep_sdk::testing::{Played, World, run_task, run_task_in};

    use super::*;

    #[test]
    fn a_small_range_is_counted_by_itself() {
        assert_eq!(run_task::<Primes>(Range { from: 0, to: 100, piece: 100 }, []), Ok(25));
        assert_eq!(run_task::<Primes>(Range { from: 9, to: 3, piece: 1 }, []), Ok(0));
    }

    #[test]
    fn a_large_one_is_counted_in_pieces() {
        let mut world = World::new().on_task(|_, range| Played::run::<Primes>(range));
        assert_eq!(run_task_in::<Primes>(&mut world, Range { from: 0, to: 1_000, piece: 150 }, []), Ok(168));
    }

    #[test]
    fn without_pieces_it_fails() {
        let failed = run_task::<Primes>(Range { from: 0, to: 10, piece: 0 }, []);
        assert!(matches!(failed, Err(ExitReason::Failed(_))));
    }
}
