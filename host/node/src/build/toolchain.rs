//! What this machine has to compile with.
//!
//! Owns looking for programs, folders and packages, without changing anything. Never chooses: [`super::route`] does,
//! from what is found here.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{BuildError, Route, Target, debian, environment, process};

/// A cargo, and the compiler it is to use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cargo {
    pub program: PathBuf,
    /// Where cargo would otherwise find another one than is meant.
    pub rustc: Option<PathBuf>,
}

impl Cargo {
    /// The active one. With rustup, which toolchain that is depends on the folder it is started in.
    pub fn in_path() -> Option<Self> {
        program("cargo").map(|program| Cargo { program, rustc: None })
    }

    /// cargo, to be started in `dir`.
    pub fn command(&self, dir: &Path) -> Command {
        let mut command = Command::new(&self.program);
        environment::clean(&mut command).current_dir(dir);
        if let Some(rustc) = &self.rustc {
            command.env("RUSTC", rustc);
        }
        // cargo would take a relative one from `dir`, and the user meant it from here.
        if let Some(target_dir) = env::var_os("CARGO_TARGET_DIR")
            && let Ok(target_dir) = std::path::absolute(target_dir)
        {
            command.env("CARGO_TARGET_DIR", target_dir);
        }
        command
    }
}

/// Everything that the choice of a route depends on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Toolchain {
    /// The root of the active toolchain, if there is one.
    pub sysroot: Option<PathBuf>,
    /// Whether the standard library for the target is in it.
    pub has_target: bool,
    /// Whether rustup may be asked for the target.
    pub rustup: Rustup,
    /// What Debian has.
    pub debian: Debian,
}

/// Whether rustup can add a target to the active toolchain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Rustup {
    /// It is not installed.
    #[default]
    Absent,
    /// It is, and the active toolchain is not one of its own.
    Unmanaged,
    /// It could not, a short time ago.
    FailedLately { toolchain: String },
    /// It may be tried.
    Ready { toolchain: String },
}

/// Whether Debian's Rust can be used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Debian {
    /// This is no Debian.
    #[default]
    Absent,
    /// These packages are not installed yet; with none, all is there.
    Missing(Vec<String>),
}

/// Looks only as far as it has to: with the target installed, nothing else matters.
pub(super) fn probe(
    target: Target,
    dir: &Path,
    forced: Option<Route>,
    failed_lately: impl Fn(&str) -> bool,
) -> Result<Toolchain, BuildError> {
    let mut found = Toolchain { sysroot: sysroot(Path::new("rustc"), dir), ..Toolchain::default() };
    found.has_target = found.sysroot.as_deref().is_some_and(|root| has_target(root, target));
    found.rustup = rustup(found.sysroot.as_deref(), failed_lately);
    if !found.has_target || forced == Some(Route::Debian) {
        found.debian = debian::probe(target)?;
    }
    Ok(found)
}

/// Whether the toolchain in `sysroot` can compile for `target` as it is.
pub(super) fn has_target(sysroot: &Path, target: Target) -> bool {
    sysroot.join("lib/rustlib").join(target.triple()).join("lib").is_dir()
}

/// Where the libraries of a compiler are; none if there is no such compiler, or rustup refuses to run it.
pub(super) fn sysroot(rustc: &Path, dir: &Path) -> Option<PathBuf> {
    let mut command = Command::new(rustc);
    environment::clean(&mut command).current_dir(dir).args(["--print", "sysroot"]);
    let answer = process::ask(&mut command).ok()?.ok()?;
    Some(PathBuf::from(answer.trim())).filter(|root| root.is_absolute())
}

/// A compiler's name and version, as it says it.
pub(super) fn version(rustc: &Path, dir: &Path) -> String {
    let mut command = Command::new(rustc);
    environment::clean(&mut command).current_dir(dir).arg("--version");
    match process::ask(&mut command) {
        Ok(Ok(answer)) => answer.trim().to_owned(),
        _ => rustc.display().to_string(),
    }
}

/// rustup keeps its own toolchains in a folder of this name, and can add a target to no other.
fn rustup(sysroot: Option<&Path>, failed_lately: impl Fn(&str) -> bool) -> Rustup {
    if program("rustup").is_none() {
        return Rustup::Absent;
    }
    let managed = sysroot
        .filter(|root| root.parent().and_then(Path::file_name).is_some_and(|folder| folder == "toolchains"))
        .and_then(Path::file_name);
    match managed.map(|name| name.to_string_lossy().into_owned()) {
        None => Rustup::Unmanaged,
        Some(toolchain) if failed_lately(&toolchain) => Rustup::FailedLately { toolchain },
        Some(toolchain) => Rustup::Ready { toolchain },
    }
}

/// Where a program is, if it is in the PATH. A dangling link is none.
pub(super) fn program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}
