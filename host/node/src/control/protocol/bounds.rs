//! How long what a request names may be.
//!
//! Owns the numbers. Fields of requests refer to these with `deserialize_with`, so that nothing beyond is ever looked up.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::de::{Deserialize, Deserializer, Error};

/// A process, a module, an app, a child: `app/name` in the longest case, each of which a manifest bounds well below.
pub(crate) const NAME_BYTES: usize = 1_024;
/// As Linux has it.
pub(crate) const PATH_BYTES: usize = 4_096;
/// Modules of one manifest that are built from crates.
pub(crate) const FILES: usize = 1_000;

pub(crate) fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    bounded(String::deserialize(deserializer)?, NAME_BYTES)
}

pub(crate) fn maybe_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Option::<String>::deserialize(deserializer)?.map(|text| bounded(text, NAME_BYTES)).transpose()
}

/// Text that is a path, or as long as one.
pub(crate) fn maybe_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Option::<String>::deserialize(deserializer)?.map(|text| bounded(text, PATH_BYTES)).transpose()
}

pub(crate) fn path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
    bounded(String::deserialize(deserializer)?, PATH_BYTES).map(PathBuf::from)
}

pub(crate) fn files<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, PathBuf>, D::Error> {
    let files = BTreeMap::<String, String>::deserialize(deserializer)?;
    if files.len() > FILES {
        return Err(D::Error::custom(format_args!("there are {} files, and there may be {FILES}", files.len())));
    }
    let one = |(name, path)| Ok((bounded(name, NAME_BYTES)?, bounded(path, PATH_BYTES)?.into()));
    files.into_iter().map(one).collect()
}

fn bounded<E: Error>(text: String, bytes: usize) -> Result<String, E> {
    match text.len() {
        length if length <= bytes => Ok(text),
        length => Err(E::custom(format_args!("a text has {length} bytes, and may have {bytes}"))),
    }
}
