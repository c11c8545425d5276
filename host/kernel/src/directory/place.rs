//! What an entry is filed under: a table, and a key in it.
//!
//! Only values: which registries an app has, and who may use what, is known elsewhere.

use std::sync::Arc;

use crate::{Body, Mark, Name};

/// Bytes that a key of a registry may have at most: a key is a short value in its text form.
pub const KEY_BYTES: usize = 1 << 10;

/// What keys belong to. Tables of different kinds may have the same name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Table {
    /// A registry, declared with its app.
    Registry(Name),
    /// A scope of process groups, whose keys are the groups.
    Scope(Name),
    /// The topics of an app.
    Topics,
}

/// How many entries a key of a registry may have. Groups and topics are duplicate.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Keys {
    /// One: the key is a name (RPG-01).
    Unique,
    /// Any number, also of one process (RPG-03).
    Duplicate,
}

/// A key of a table.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Place {
    /// The table.
    pub table: Table,
    /// The key. Two keys are the same if their bytes are.
    pub key: Name,
}

/// A key of a unique registry, as a name (OTP's `via`).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Via {
    /// The registry.
    pub registry: Name,
    /// The key.
    pub key: Name,
}

/// For people.
impl std::fmt::Display for Via {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} in {}", self.key, self.registry)
    }
}

impl From<Via> for Place {
    fn from(Via { registry, key }: Via) -> Self {
        Place { table: Table::Registry(registry), key }
    }
}

/// A key that a process is to hold from its birth on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Claim {
    /// The key.
    pub via: Via,
    /// The value under it.
    pub value: Arc<Body>,
}

/// What somebody watches.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Watched {
    /// All keys of a table, those to come too.
    Table(Table),
    /// One key.
    Key(Place),
}

/// Something in an app's directory that belongs to one process, and goes with it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Holding {
    /// All its entries under this key.
    Entries(Place),
    /// That it is told of changes.
    Watch {
        /// Of what.
        watched: Watched,
        /// Which of its watches.
        mark: Mark,
    },
    /// A lock, held or waited for.
    Lock(Place),
}

/// Whether a text can be a key; the error says what is wrong with it.
pub fn valid_key(key: &str) -> Result<(), &'static str> {
    if key.is_empty() {
        Err("a key cannot be empty")
    } else if key.len() > KEY_BYTES {
        Err("a key has at most 1024 bytes")
    } else if key.chars().any(char::is_control) {
        Err("a key has no control characters")
    } else {
        Ok(())
    }
}
