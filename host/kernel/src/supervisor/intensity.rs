//! How many restarts are too many (SUP-08, SUP-09).
//!
//! Owns the restarts of the last `max_seconds`. Time is counted in whole seconds and the window includes both its ends,
//! as in OTP's `supervisor:add_restart`: with a window of 1 s, restarts at 0.9 s and 2.1 s (seconds 0 and 2) are not in
//! one window, those at 0.0 s and 1.9 s (seconds 0 and 1) are.

use std::collections::VecDeque;

use crate::Time;

use super::spec::SupervisorSpec;

/// Whether one more restart is accepted.
#[must_use]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    Restart,
    GiveUp,
}

#[derive(Debug)]
pub(super) struct Intensity {
    max_restarts: u64,
    max_seconds: u64,
    /// Second and how many restarts it saw, oldest first: as many entries as the window has restarts or seconds,
    /// whichever is less, so that no limit is too generous for the memory.
    seen: VecDeque<(u64, u64)>,
    in_window: u64,
}

impl Intensity {
    pub(super) fn new<S>(spec: &SupervisorSpec<S>) -> Self {
        Intensity {
            max_restarts: spec.max_restarts.into(),
            max_seconds: spec.max_seconds.into(),
            seen: VecDeque::new(),
            in_window: 0,
        }
    }

    /// Takes another limit. What was counted stays counted, as far as it was not yet too old (HOT-17).
    pub(super) fn replace<S>(&mut self, spec: &SupervisorSpec<S>) {
        self.max_restarts = spec.max_restarts.into();
        self.max_seconds = spec.max_seconds.into();
    }

    /// Counts a restart, also one that is not accepted. Time does not go back between calls.
    pub(super) fn count(&mut self, now: Time) -> Verdict {
        let second = now.as_secs();
        let oldest = second.saturating_sub(self.max_seconds);
        while let Some(&(seen, restarts)) = self.seen.front()
            && seen < oldest
        {
            self.in_window -= restarts;
            self.seen.pop_front();
        }
        match self.seen.back_mut() {
            Some((last, restarts)) if *last == second => *restarts += 1,
            _ => self.seen.push_back((second, 1)),
        }
        self.in_window += 1;
        if self.in_window > self.max_restarts { Verdict::GiveUp } else { Verdict::Restart }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn intensity(max_restarts: u32, max_seconds: u32) -> Intensity {
        Intensity::new(&SupervisorSpec::<()> { max_restarts, max_seconds, ..SupervisorSpec::default() })
    }

    /// Which of the restarts at these milliseconds is one too many; they end with it.
    fn gives_up_at(max_restarts: u32, max_seconds: u32, at_ms: &[u64]) -> Option<usize> {
        let mut window = intensity(max_restarts, max_seconds);
        at_ms.iter().position(|&at| window.count(Duration::from_millis(at)) == Verdict::GiveUp)
    }

    #[test]
    fn sup_08_one_restart_above_the_limit_is_too_many() {
        assert_eq!(gives_up_at(0, 5, &[0]), Some(0));
        assert_eq!(gives_up_at(1, 5, &[0]), None);
        assert_eq!(gives_up_at(1, 5, &[0, 0]), Some(1));
        assert_eq!(gives_up_at(3, 5, &[0, 10, 20, 30]), Some(3));
    }

    #[test]
    fn sup_09_counts_whole_seconds_and_includes_both_ends() {
        // The suite's own example: 1.15 s apart is within one second.
        assert_eq!(gives_up_at(1, 1, &[0, 1_150]), Some(1));
        assert_eq!(gives_up_at(1, 1, &[0, 1_999]), Some(1));
        assert_eq!(gives_up_at(1, 1, &[0, 2_000]), None);
        assert_eq!(gives_up_at(1, 1, &[999, 2_000]), None);
        assert_eq!(gives_up_at(1, 1, &[1_000, 2_999]), Some(1));
        assert_eq!(gives_up_at(1, 1, &[1_000, 3_000]), None);
        assert_eq!(gives_up_at(2, 5, &[3_000, 4_000, 8_999]), Some(2));
        assert_eq!(gives_up_at(2, 5, &[3_000, 4_000, 9_000]), None);
        assert_eq!(gives_up_at(2, 5, &[3_000, 4_000, 9_000, 9_001]), Some(3));
    }

    #[test]
    fn a_whole_second_leaves_the_window_at_once() {
        assert_eq!(gives_up_at(3, 1, &[0, 1, 2, 2_000, 2_001, 2_002]), None);
        assert_eq!(gives_up_at(3, 1, &[0, 1, 2, 2_000, 2_001, 2_002, 2_003]), Some(6));
    }

    #[test]
    fn hot_17_another_limit_begins_with_what_was_counted() {
        let replaced = |max_restarts, max_seconds, at_ms: u64| {
            let mut window = intensity(2, 5);
            assert_eq!(window.count(Duration::from_secs(1)), Verdict::Restart);
            assert_eq!(window.count(Duration::from_secs(4)), Verdict::Restart);
            window.replace(&SupervisorSpec::<()> { max_restarts, max_seconds, ..SupervisorSpec::default() });
            window.count(Duration::from_millis(at_ms))
        };
        assert_eq!(replaced(2, 5, 5_000), Verdict::GiveUp);
        assert_eq!(replaced(3, 5, 5_000), Verdict::Restart);
        assert_eq!(replaced(2, 2, 5_000), Verdict::Restart);
        assert_eq!(replaced(1, 2, 5_000), Verdict::GiveUp);
        assert_eq!(replaced(0, 1, 60_000), Verdict::GiveUp);
        assert_eq!(replaced(2, 60, 30_000), Verdict::GiveUp);
    }

    #[test]
    fn a_generous_limit_takes_no_memory() {
        let mut window = intensity(u32::MAX, u32::MAX);
        for n in 0..10_000_u64 {
            assert_eq!(window.count(Duration::from_millis(n)), Verdict::Restart);
        }
        assert_eq!((window.seen.len(), window.in_window), (10, 10_000));
        assert_eq!(window.count(Duration::from_secs(u64::MAX)), Verdict::Restart);
        assert_eq!((window.seen.len(), window.in_window), (1, 1));
    }

    proptest! {
        /// OTP's `add_restart`, word for word: a list of all seconds, newest first.
        #[test]
        fn agrees_with_otp(max_restarts in 0..6u32, max_seconds in 1..5u32, gaps in prop::collection::vec(0..2_500u64, 0..40)) {
            let mut window = intensity(max_restarts, max_seconds);
            let (mut now_ms, mut model) = (0, Vec::<i64>::new());
            for gap in gaps {
                now_ms += gap;
                let now = i64::try_from(now_ms / 1000).expect("small");
                let threshold = now - i64::from(max_seconds);
                model = std::iter::once(now).chain(model.into_iter().take_while(|&second| second >= threshold)).collect();
                let expected = if model.len() <= max_restarts as usize { Verdict::Restart } else { Verdict::GiveUp };
                prop_assert_eq!(window.count(Duration::from_millis(now_ms)), expected);
                prop_assert!(window.seen.len() <= max_seconds as usize + 1);
            }
        }
    }
}
