//! Numbers that only their maker can make.
//!
//! Owns how a number is hidden behind a secret. SipHash, keyed by what goes in first: whoever sees many results learns
//! neither the secret nor the next one.

use std::fmt;
use std::hash::{DefaultHasher, Hasher};

use crate::pid::NUMBER_LIMIT;

/// What a maker knows and nobody else.
#[derive(Clone, Copy)]
pub(crate) struct Secret([u64; 2]);

impl Secret {
    pub(crate) const fn new(random: [u64; 2]) -> Self {
        Secret(random)
    }

    /// 53 bits that belong to this number.
    pub(crate) fn of(self, number: u64) -> u64 {
        let mut hash = DefaultHasher::new();
        for part in [self.0[0], self.0[1], number] {
            hash.write_u64(part);
        }
        hash.finish() % NUMBER_LIMIT
    }
}

/// Without what it is.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}
