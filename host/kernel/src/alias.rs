//! Second addresses of processes, which say nothing of whose they are.
//!
//! Owns how an alias is made of a process's number and a mark, and how these are found again. Never knows whether it is in
//! force: that its process knows. Used by whoever carries signals; what an alias does is in `process/aliases.rs`.

use std::fmt;

use crate::secret::Secret;
use crate::{Mark, Pid};

/// A second address of a process, open until the process closes it (MON-08). Nobody can see whose it is (MON-12).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Alias {
    /// The node its process lives on; 0 is this one.
    pub node: u32,
    /// Covers the number of the process, below 2^53.
    pub id: u64,
    /// 53 random bits.
    pub tag: u64,
}

impl fmt::Debug for Alias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<alias>")
    }
}

/// What covers the numbers of processes in the aliases of one node.
#[derive(Clone, Copy, Debug)]
pub struct AliasSeal {
    secret: Secret,
}

impl AliasSeal {
    /// A seal; the secret is random.
    #[must_use]
    pub const fn new(secret: [u64; 2]) -> Self {
        AliasSeal { secret: Secret::new(secret) }
    }

    /// The alias of this process that it knows by this mark.
    #[must_use]
    pub fn close(&self, whose: Pid, Mark(tag): Mark) -> Alias {
        Alias { node: whose.node, id: whose.id ^ self.secret.of(tag), tag }
    }

    /// The number of the process that it may belong to, and by what mark that would know it.
    #[must_use]
    pub fn open(&self, alias: Alias) -> (u64, Mark) {
        (alias.id ^ self.secret.of(alias.tag), Mark(alias.tag))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pid::NUMBER_LIMIT;

    #[test]
    fn mon_12_an_alias_does_not_show_whose_it_is_and_leads_there() {
        let seal = AliasSeal::new([1, 2]);
        let pid = Pid { node: 0, id: 7, tag: 99 };
        let aliases = [3, 4].map(|mark| seal.close(pid, Mark(mark)));
        assert_ne!(aliases[0].id, aliases[1].id, "two of one process are not seen to be that");
        for (alias, mark) in aliases.into_iter().zip([3, 4]) {
            assert!(alias.id != pid.id && alias.id < NUMBER_LIMIT && alias.tag != pid.tag, "{}", alias.id);
            assert_eq!(seal.open(alias), (7, Mark(mark)));
            assert_ne!(AliasSeal::new([1, 3]).open(alias).0, 7, "without the secret nobody finds it");
        }
        let covered = (0..64).fold(0, |bits, mark| bits | seal.close(pid, Mark(mark)).id);
        assert_eq!(covered, NUMBER_LIMIT - 1, "every bit of a number is covered");
        assert_eq!(format!("{:?} {seal:?}", aliases[0]), "<alias> AliasSeal { secret: Secret }");
    }
}
