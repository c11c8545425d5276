//! Signatures of modules, in the format of minisign: whoever has its key files and its command can use either.
//!
//! `admission` is a node's rule about whose code it runs, `secret` makes keys and signs. A signature is a file beside the
//! module's, as minisign leaves it. Never decides where code comes from.

pub mod admission;
pub mod secret;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// A signature larger than this is none: one without comments has 250 bytes, and it travels in a request's line.
pub const SIGNATURE_BYTES: usize = 4 << 10;

/// Where the signature of a file is.
#[must_use]
pub fn path(file: &Path) -> PathBuf {
    let mut path = OsString::from(file);
    path.push(".minisig");
    path.into()
}

/// The signature beside a file, if there is one.
pub fn beside(file: &Path) -> io::Result<Option<String>> {
    let path = path(file);
    let opened = match File::open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let mut text = String::new();
    opened.take(SIGNATURE_BYTES as u64 + 1).read_to_string(&mut text)?;
    if text.len() > SIGNATURE_BYTES {
        let why = format!("it has more than {SIGNATURE_BYTES} bytes, and is no signature");
        return Err(io::Error::new(io::ErrorKind::InvalidData, why));
    }
    Ok(Some(text))
}
