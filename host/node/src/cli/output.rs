//! Standard output.
//!
//! Owns what happens when its reader has gone: as with `head`, nothing.

use std::io::{self, Write};

use serde::Serialize;

use super::failure::Failure;
use super::{json, safe};

/// Prints text as it is: it must be safe already.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => Err(Failure::new(format!("cannot write to standard output: {error}"))),
        Ok(()) => Ok(()),
    }
}

/// Prints a value as JSON.
pub(super) fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string(value).map_err(|error| Failure::new(error.to_string()))?;
    print(&format!("{}\n", safe::json(&json::pretty(&text))))
}
