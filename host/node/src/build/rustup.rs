//! Asks rustup for a target.
//!
//! Owns how long that may take, and remembering for a while that it failed. Never lets rustup install a toolchain.
//! Called when the active toolchain lacks a target.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
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

/// The error and its innermost cause, of the whole chain that rustup prints in a line.
fn gist(said: &[String]) -> String {
    let last = || said.iter().rev().map(|line| line.trim()).find(|line| !line.is_empty());
    let Some(chain) = said.iter().find_map(|line| line.strip_prefix("error: ")).or_else(last) else {
        return "it does not say why".to_owned();
    };
    match (chain.split_once(": "), chain.rsplit_once(": ")) {
        (Some((error, _)), Some((_, cause))) => format!("{error} ({cause})"),
        _ => chain.to_owned(),
    }
}

/// Remembers which toolchain could get no target: in this process, and beside what is built for the next one.
pub(super) struct Memory {
    file: PathBuf,
}

/// A build of several workspaces waits for a silent network once.
static FAILED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

impl Memory {
    pub fn of(workspace: &Workspace) -> Self {
        Memory { file: output::folder(workspace).join(".rustup-failed") }
    }

    /// Whether this toolchain failed in this process, or within the last day.
    pub fn failed_lately(&self, toolchain: &str) -> bool {
        failed_here().contains(toolchain) || self.noted(toolchain)
    }

    fn noted(&self, toolchain: &str) -> bool {
        let age = fs::metadata(&self.file).and_then(|file| file.modified()).map(|changed| changed.elapsed());
        // A time in the future is a clock that was set back: forget it.
        let fresh = matches!(age, Ok(Ok(age)) if age < MEMORY);
        fresh && fs::read_to_string(&self.file).is_ok_and(|name| name == toolchain)
    }

    /// If it cannot be written down, the next build only takes longer.
    pub fn remember(&self, toolchain: &str) {
        failed_here().insert(toolchain.to_owned());
        let _ = fs::write(&self.file, toolchain);
    }

    /// It worked after all.
    pub fn forget(&self, toolchain: &str) {
        failed_here().remove(toolchain);
        let _ = fs::remove_file(&self.file);
    }
}

fn failed_here() -> MutexGuard<'static, BTreeSet<String>> {
    // Nothing panics while it is held.
    FAILED.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gist_of_a_failure_is_its_error_and_its_cause() {
        let chain = "error: download failed for rust-std: could not download 'https://there': dns error: no such host";
        let table: [(&[&str], &str); 4] = [
            (&["info: downloading", chain, "info: rolled back"], "download failed for rust-std (no such host)"),
            (&["error: toolchain 'x' is not installed", ""], "toolchain 'x' is not installed"),
            (&["Killed", ""], "Killed"),
            (&[], "it does not say why"),
        ];
        for (lines, expected) in table {
            let lines: Vec<String> = lines.iter().map(|&line| line.to_owned()).collect();
            assert_eq!(gist(&lines), expected);
        }
    }

    #[test]
    fn a_failure_is_remembered_for_its_toolchain_until_it_works() {
        let target_dir = std::env::temp_dir().join(format!("skep-rustup-memory-{}", std::process::id()));
        let workspace = Workspace { root: PathBuf::new(), target_dir: target_dir.clone(), guests: Vec::new() };
        fs::create_dir_all(output::folder(&workspace)).expect("a folder");
        let memory = Memory::of(&workspace);
        assert!(!memory.failed_lately("test-stable"));
        memory.remember("test-stable");
        assert!(memory.failed_lately("test-stable") && memory.noted("test-stable"));
        assert!(!memory.failed_lately("test-nightly"));
        memory.forget("test-stable");
        assert!(!memory.failed_lately("test-stable"));
        fs::remove_dir_all(target_dir).expect("its own folder");
    }
}
