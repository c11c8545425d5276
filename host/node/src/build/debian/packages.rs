//! Installs Debian packages, where that is allowed.
//!
//! Owns who may do it: root at once, another user after a yes and through `sudo`, and nobody else. Never removes a
//! package. Called with the packages of the Debian route.

use std::process::Command;

use super::super::process::{self, Ended, Line};
use super::super::report::{Consent, Event, Report};
use super::super::toolchain::{self, Debian};
use super::super::{BuildError, environment};

/// Said where this route ends before it begins.
pub(super) const NO_APT: &str = "this system has no apt-get to install Debian's Rust with";

/// `--no-remove`: `rustc-web` replaces Debian's older `rustc`, and whether that one can go is not for a build to say.
/// The timeout: another installation may be under way, and will end.
const INSTALL: [&str; 7] =
    ["apt-get", "install", "--yes", "--no-install-recommends", "--no-remove", "--option", "DPkg::Lock::Timeout=300"];

/// Which of these packages are not installed.
pub(super) fn missing(wanted: &[&str]) -> Result<Debian, BuildError> {
    if toolchain::program("apt-get").is_none() || toolchain::program("dpkg-query").is_none() {
        return Ok(Debian::Absent);
    }
    let mut command = Command::new("dpkg-query");
    environment::clean(&mut command).args(["--show", "--showformat", "${Package} ${db:Status-Status}\\n"]);
    // It fails where one is unknown, and still answers for the others.
    let (Ok(answer) | Err(answer)) = process::ask(command.args(wanted))?;
    Ok(Debian::Missing(not_among(wanted, &answer)))
}

fn not_among(wanted: &[&str], answer: &str) -> Vec<String> {
    let installed = |package: &str| answer.lines().any(|line| line.strip_suffix(" installed") == Some(package));
    wanted.iter().filter(|package| !installed(package)).map(|&package| package.to_owned()).collect()
}

/// Installs these packages, if there are any.
pub(super) fn install(packages: &[String], report: &mut dyn Report) -> Result<(), BuildError> {
    if packages.is_empty() {
        return Ok(());
    }
    let root = rustix::process::geteuid().is_root();
    // A package that is known may be gone from the archive, where the lists are older: then once more with new ones.
    let attempts = if all_known(packages)? { &[Lists::AsTheyAre, Lists::Refresh][..] } else { &[Lists::Refresh] };
    let described =
        |lists| -> Vec<String> { commands(packages, root, lists).iter().map(|words| words.join(" ")).collect() };
    if !root {
        let commands = described(attempts[0]);
        if toolchain::program("sudo").is_none() || report.may_install(packages, &commands) == Consent::Refused {
            return Err(BuildError::PackagesMissing { commands: described(Lists::Refresh) });
        }
    }
    let mut outcome = Ok(());
    for &lists in attempts {
        report.event(Event::Installing { packages, commands: &described(lists) });
        outcome = commands(packages, root, lists).iter().try_for_each(|words| execute(words, root, report));
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}

/// Whether the lists of what can be had are fetched first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lists {
    AsTheyAre,
    Refresh,
}

fn commands(packages: &[String], root: bool, lists: Lists) -> Vec<Vec<String>> {
    let mut commands: Vec<Vec<&str>> = Vec::new();
    if lists == Lists::Refresh {
        commands.push(vec!["apt-get", "update"]);
    }
    commands.push(INSTALL.into_iter().chain(packages.iter().map(String::as_str)).collect());
    if !root {
        for words in &mut commands {
            words.insert(0, "sudo");
        }
    }
    commands.into_iter().map(|words| words.into_iter().map(str::to_owned).collect()).collect()
}

/// Whether the lists of this machine have all these packages.
fn all_known(packages: &[String]) -> Result<bool, BuildError> {
    let mut command = Command::new("apt-cache");
    environment::clean(&mut command).args(["show", "--quiet", "--no-all-versions"]).args(packages);
    Ok(process::ask(&mut command)?.is_ok())
}

fn execute(words: &[String], root: bool, report: &mut dyn Report) -> Result<(), BuildError> {
    let mut command = Command::new(&words[0]);
    environment::clean(&mut command).args(&words[1..]).env("DEBIAN_FRONTEND", "noninteractive");
    let mut output = String::new();
    let ended = if root {
        process::run(&mut command, None, &mut |line| {
            let (Line::Out(text) | Line::Err(text)) = line;
            report.event(Event::Output(&text));
            output.push_str(&text);
            output.push('\n');
        })?
    } else {
        // sudo asks for a password on the terminal that the consent came from.
        process::attended(&mut command)?
    };
    if ended == Ended::Well { Ok(()) } else { Err(BuildError::Install { command: words.join(" "), output }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_fully_installed_counts() {
        let answer = "cargo-web installed\nrust-web-src config-files\nrustc-web not-installed\n\
                      dpkg-query: no packages found matching wasi-libc\n";
        let wanted = ["rustc-web", "cargo-web", "rust-web-src", "wasi-libc", "cargo"];
        assert_eq!(not_among(&wanted, answer), ["rustc-web", "rust-web-src", "wasi-libc", "cargo"]);
    }

    #[test]
    fn the_commands_that_are_said_are_those_that_are_run() {
        let said = |root, lists| -> Vec<String> {
            commands(&["wasi-libc".to_owned()], root, lists).iter().map(|words| words.join(" ")).collect()
        };
        let install =
            "apt-get install --yes --no-install-recommends --no-remove --option DPkg::Lock::Timeout=300 wasi-libc";
        assert_eq!(said(true, Lists::AsTheyAre), [install]);
        assert_eq!(said(true, Lists::Refresh), ["apt-get update", install]);
        assert_eq!(said(false, Lists::Refresh), ["sudo apt-get update".to_owned(), format!("sudo {install}")]);
    }
}
