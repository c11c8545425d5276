//! What one episode is made of: a seed, and what may happen in it.

use crate::{Bug, Dice};

/// Something that may happen in an episode, and can be left out to find the smallest that fails.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Feature {
    /// Guests call and answer, now or later.
    Calls,
    /// Guests trap and fail.
    Crashes,
    /// Guests and the operator kill.
    Kills,
    /// Guests send exit signals, and trap them.
    Exits,
    /// Guests link and unlink.
    Links,
    /// Guests monitor and take that back.
    Monitors,
    /// Guests take names and give them up.
    Names,
    /// Guests start timers and cancel them.
    Timers,
    /// Instances are given back, and there are fewer than processes.
    Hibernation,
    /// Modules are upgraded, which may be refused, fail or be called off.
    Upgrades,
    /// Guests start processes of their own.
    Spawns,
    /// The operator asks supervisors to start, stop and replace children.
    Requests,
    /// The operator suspends servers, and asks for and replaces their states.
    System,
    /// Some processes are tasks, which receive selectively.
    Tasks,
    /// Guests open aliases, send through them, and close them.
    Aliases,
    /// Guests ask whether others live.
    Alive,
    /// Guests enter registries, groups and topics, and watch them.
    Directory,
    /// Guests lock keys.
    Locks,
}

impl Feature {
    /// All of them.
    pub const ALL: [Feature; 18] = [
        Feature::Calls,
        Feature::Crashes,
        Feature::Kills,
        Feature::Exits,
        Feature::Links,
        Feature::Monitors,
        Feature::Names,
        Feature::Timers,
        Feature::Hibernation,
        Feature::Upgrades,
        Feature::Spawns,
        Feature::Requests,
        Feature::System,
        Feature::Tasks,
        Feature::Aliases,
        Feature::Alive,
        Feature::Directory,
        Feature::Locks,
    ];

    /// Its name on the command line.
    #[must_use]
    pub fn word(self) -> String {
        format!("{self:?}").to_lowercase()
    }

    /// The feature of this name.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|feature| feature.word() == word)
    }
}

/// One episode: the same plan gives the same steps.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    /// What all chance is drawn from.
    pub seed: u64,
    /// What does not happen.
    pub without: Vec<Feature>,
    /// A defect planted in what performs the kernel's actions, to show that it is found.
    pub bug: Option<Bug>,
}

impl Plan {
    /// Everything that can happen, from this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Plan { seed, without: Vec::new(), bug: None }
    }

    /// The same with a defect planted.
    #[must_use]
    pub fn with(self, bug: Bug) -> Self {
        Plan { bug: Some(bug), ..self }
    }

    pub(crate) fn has(&self, feature: Feature) -> bool {
        !self.without.contains(&feature)
    }

    pub(crate) fn dice(&self) -> Dice {
        Dice::new(self.seed)
    }

    /// The options that give this plan on the command line.
    #[must_use]
    pub fn options(&self) -> String {
        let mut options = format!("--seed {}", self.seed);
        if !self.without.is_empty() {
            let words: Vec<String> = self.without.iter().map(|feature| feature.word()).collect();
            options += &format!(" --without {}", words.join(","));
        }
        if let Some(bug) = self.bug {
            options += &format!(" --bug {}", bug.word());
        }
        options
    }
}
