//! The code of apps: which runs, which is kept, and how one takes the other's place.
//!
//! Owns no rule of an upgrade itself: the runtime performs it as a transaction. What is around it is here: whom an
//! operator means (`target`), what is kept for a way back (`store`), what happened (`history`), what to do about a refusal
//! (`refused`).

pub mod history;
mod keep;
pub mod refused;
pub mod store;
pub mod target;
pub mod upgrade;
pub mod versions;

use std::fmt;

use serde::{Deserialize, Serialize};
use skep_runtime::Module;

/// Letters of a digest that are shown: 48 bits, which no operator's modules share by chance.
const SHOWN: usize = 12;

/// Which code, in a listing.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CodeId {
    /// The BLAKE3 digest of its bytes, in hexadecimal.
    pub digest: String,
    /// The version of the states that it writes; none for a task.
    pub version: Option<u32>,
}

impl CodeId {
    /// The beginning of the digest, for people.
    #[must_use]
    pub fn short(&self) -> &str {
        short(&self.digest)
    }
}

impl From<&Module> for CodeId {
    fn from(module: &Module) -> Self {
        CodeId { digest: module.digest().to_owned(), version: module.shape().map(|shape| shape.version) }
    }
}

/// `version 2 (0123456789ab)`
impl fmt::Display for CodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.version {
            Some(version) => write!(f, "version {version} ({})", self.short()),
            None => f.write_str(self.short()),
        }
    }
}

/// The beginning of a digest, for people.
#[must_use]
pub fn short(digest: &str) -> &str {
    digest.get(..SHOWN).unwrap_or(digest)
}
