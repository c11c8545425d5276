//! What a process sees of the outside through WASI beside files: environment, arguments, clocks, random numbers.
//!
//! Owns what is passed on of each to a child that a guest spawns. What the manifest's own text says is the child's
//! whoever starts it; what is the host's is passed on as far as the parent has it.

use std::collections::BTreeMap;

/// What a process sees of the outside.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Outside {
    /// Variables of its environment, by name.
    pub env: BTreeMap<String, Variable>,
    /// Its arguments, after the name of its module, which comes first if there are any.
    pub argv: Vec<String>,
    /// How exact its clocks are.
    pub clocks: Clocks,
    /// Where its random numbers come from.
    pub random: Randomness,
}

/// The value of a variable.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Variable {
    /// This one.
    Value(String),
    /// That of the host, as it is when the process gets an instance; without the variable if the host has none.
    OfHost,
}

/// How exact the clocks of WASI are, the least exact first. Timers of the process go on whatever is said here, and with
/// them `skep:process/timers.now`, which counts milliseconds and so is never finer than [`Clocks::Coarse`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Clocks {
    /// They stand still: the beginning of the year 2000, for each start the same.
    Frozen,
    /// Rounded down to whole milliseconds, which is too coarse to watch what others do on the same processor.
    #[default]
    Coarse,
    /// As the host has them, to the nanosecond.
    Real,
}

/// Where random numbers come from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Randomness {
    /// The host, and nobody can foresee them.
    #[default]
    Real,
    /// A generator with this seed: the same ones after each start. No secrets can be made of them.
    Seeded(u64),
}

impl Outside {
    /// This as far as `parent` has it too.
    #[must_use]
    pub(super) fn within(&self, parent: &Outside) -> Outside {
        let held = |(name, variable): &(&String, &Variable)| {
            **variable != Variable::OfHost || parent.env.get(*name) == Some(&Variable::OfHost)
        };
        Outside {
            env: self.env.iter().filter(held).map(|(name, variable)| (name.clone(), variable.clone())).collect(),
            argv: self.argv.clone(),
            clocks: self.clocks.min(parent.clocks),
            random: match (self.random, parent.random) {
                (Randomness::Real, Randomness::Seeded(seed)) => Randomness::Seeded(seed),
                (own, _) => own,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_the_hosts_is_passed_on_as_far_as_the_parent_has_it() {
        let env = |variables: &[(&str, Variable)]| Outside {
            env: variables.iter().map(|(name, variable)| ((*name).to_owned(), variable.clone())).collect(),
            ..Outside::default()
        };
        let value = |text: &str| Variable::Value(text.to_owned());
        let parent = env(&[("HOME", Variable::OfHost), ("LANG", value("C"))]);
        let child = env(&[
            ("HOME", Variable::OfHost),
            ("PATH", Variable::OfHost),
            ("LANG", Variable::OfHost),
            ("OWN", value("x")),
        ]);
        assert_eq!(child.within(&parent), env(&[("HOME", Variable::OfHost), ("OWN", value("x"))]));
    }

    #[test]
    fn arguments_are_the_childs_own() {
        let child = Outside { argv: vec!["-v".to_owned()], ..Outside::default() };
        assert_eq!(child.within(&Outside::default()), child);
    }

    #[test]
    fn a_child_sees_no_better_clock_than_its_parent() {
        let clocks = |clocks| Outside { clocks, ..Outside::default() };
        for (own, parents, passed_on) in [
            (Clocks::Real, Clocks::Real, Clocks::Real),
            (Clocks::Real, Clocks::Coarse, Clocks::Coarse),
            (Clocks::Coarse, Clocks::Real, Clocks::Coarse),
            (Clocks::Coarse, Clocks::Frozen, Clocks::Frozen),
        ] {
            assert_eq!(clocks(own).within(&clocks(parents)), clocks(passed_on), "{own:?} of {parents:?}");
        }
    }

    #[test]
    fn who_has_no_real_randomness_passes_on_its_seed() {
        use Randomness::{Real, Seeded};
        let random = |random| Outside { random, ..Outside::default() };
        for (own, parents, passed_on) in [
            (Real, Real, Real),
            (Real, Seeded(7), Seeded(7)),
            (Seeded(1), Seeded(7), Seeded(1)),
            (Seeded(1), Real, Seeded(1)),
        ] {
            assert_eq!(random(own).within(&random(parents)), random(passed_on), "{own:?} of {parents:?}");
        }
    }
}
