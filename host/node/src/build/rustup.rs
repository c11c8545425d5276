//! Asks rustup for a target.
//!
//! Owns how long that may take, and remembering for a while that it failed. Never lets rustup install a toolchain.
//! Called when the active toolchain lacks a target.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::discover::Workspace;
use super::output;
use super::process::{self, Ended, Line};
use super::report::{Event, Report};
use super::{BuildError, Target, environment, toolchain};

/// A target is some 20 MB: enough for a slow line, and an end where a firewall swallows every packet.
const DOWNLOAD_LIMIT: Duration = Duration::from_secs(120);

/// How long a failure is remembered where another way is open: a machine without a network should not look for one at
/// every build, and one that was only on the train should find it again.
const MEMORY: Duration = Duration::from_secs(24 * 60 * 60);

/// Adds a target to one of rustup's toolchains, or says what prevents it.
pub(super) fn add_target(
    target: Target,
    toolchain: &str,
    sysroot: Option<&Path>,
    report: &mut dyn Report,
) -> Result<Result<(), String>, BuildError> {
    report.event(Event::AddingTarget { target, toolchain });
    let mut command = Command::new("rustup");
    // Named, so that rustup has no toolchain to look for. A backtrace of its own would hide what it says.
    environment::clean(&mut command).env("RUST_BACKTRACE", "0");
    command.args(["target", "add", "--toolchain", toolchain, target.triple()]);
    let mut said = Vec::new();
    let ended = process::run(&mut command, Some(DOWNLOAD_LIMIT), &mut |line| {
        let (Line::Out(text) | Line::Err(text)) = line;
        report.event(Event::Output(&text));
        said.push(text);
    })?;
    Ok(match ended {
        Ended::Well if sysroot.is_some_and(|root| toolchain::has_target(root, target)) => Ok(()),
        Ended::Well => Err(format!("rustup added {target} to another toolchain than the active one")),
        Ended::Badly(_) => Err(format!("rustup could not get it: {}", gist(&said))),
        Ended::OutOfTime => Err(format!("rustup could not get it within {} s", DOWNLOAD_LIMIT.as_secs())),
    })
}

/// The error and its innermost cause.
fn gist(said: &[String]) -> String {
    let error = said.iter().find_map(|line| line.strip_prefix("error: "));
    let cause = said.iter().rev().map(|line| line.trim()).find(|line| !line.is_empty());
    match (error, cause) {
        (Some(error), Some(cause)) if !cause.ends_with(error) => {
            let cause = cause.trim_start_matches(|c: char| c.is_ascii_digit() || c == ':').trim_start();
            format!("{error} ({cause})")
        }
        (Some(error), _) => error.to_owned(),
        (None, Some(cause)) => cause.to_owned(),
        (None, None) => "it does not say why".to_owned(),
    }
}

/// Remembers, beside what is built, which toolchain could not get a target.
pub(super) struct Memory {
    file: PathBuf,
}

impl Memory {
    pub fn of(workspace: &Workspace, target: Target) -> Self {
        Memory { file: output::folder(workspace).join(format!(".rustup-lacks-{target}")) }
    }

    /// Whether this toolchain failed within the last day.
    pub fn failed_lately(&self, toolchain: &str) -> bool {
        let age = fs::metadata(&self.file).and_then(|file| file.modified()).map(|changed| changed.elapsed());
        // A time in the future is a clock that was set back: forget it.
        let fresh = matches!(age, Ok(Ok(age)) if age < MEMORY);
        fresh && fs::read_to_string(&self.file).is_ok_and(|name| name == toolchain)
    }

    /// If it cannot be written down, the next build only takes longer.
    pub fn remember(&self, toolchain: &str) {
        let _ = fs::write(&self.file, toolchain);
    }

    pub fn forget(&self) {
        let _ = fs::remove_file(&self.file);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gist_of_a_failure_is_its_error_and_its_cause() {
        let said = [
            "info: downloading component rust-std",
            "error: component download failed for rust-std-wasm32-wasip1",
            "",
            "Caused by:",
            "    0: could not download file",
            "    1: dns error",
        ];
        let table: [(&[&str], &str); 4] = [
            (&said, "component download failed for rust-std-wasm32-wasip1 (dns error)"),
            (&said[..2], "component download failed for rust-std-wasm32-wasip1"),
            (&["Killed"], "Killed"),
            (&[], "it does not say why"),
        ];
        for (lines, expected) in table {
            let lines: Vec<String> = lines.iter().map(|&line| line.to_owned()).collect();
            assert_eq!(gist(&lines), expected);
        }
    }
}
