//! Compiles one guest with cargo.
//!
//! Owns the flags that make a guest cheap to start, and hearing from cargo where the module is. Never wraps it, and
//! never chooses the compiler. Called once a guest.
//!
//! One cargo for each guest, and not one for all: only `cargo rustc --crate-type cdylib` optimises across crates where
//! the package is an `rlib` as well, as those with tests of their own are (5 % less code where it was measured), and it
//! takes the size of the stack for this guest alone. What guests have in common, the standard library above all, is
//! still compiled once.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::discover::{Guest, Workspace};
use super::process::{self, Ended, Line};
use super::report::{Event, Report};
use super::toolchain::Cargo;
use super::{BuildError, Diagnostics, Lockfile, Request, Target};

/// Set over a guest's own profile. `strip` leaves the names of functions, which a fault's trace shows.
const PROFILE: [(&str, &str); 6] = [
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1"),
    ("CARGO_PROFILE_RELEASE_DEBUG", "false"),
    ("CARGO_PROFILE_RELEASE_LTO", "true"),
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "3"),
    ("CARGO_PROFILE_RELEASE_PANIC", "abort"),
    ("CARGO_PROFILE_RELEASE_STRIP", "debuginfo"),
];

/// A compiler that is ready.
pub(super) struct Compiler {
    pub target: Target,
    pub cargo: Cargo,
    /// Further variables for cargo.
    pub variables: Vec<(String, OsString)>,
    /// Further arguments for cargo.
    pub arguments: Vec<&'static str>,
    /// Arguments for rustc where it links the guest.
    pub linking: Vec<String>,
}

impl Compiler {
    /// A toolchain that has the target: it needs nothing more.
    pub fn active(target: Target, cargo: &Cargo) -> Self {
        Compiler { target, cargo: cargo.clone(), variables: Vec::new(), arguments: Vec::new(), linking: Vec::new() }
    }

    /// The core module of a guest.
    pub fn compile(
        &self,
        guest: &Guest,
        workspace: &Workspace,
        request: &Request,
        report: &mut dyn Report,
    ) -> Result<PathBuf, BuildError> {
        report.event(Event::Compiling { package: &guest.package, target: self.target });
        let mut command = self.cargo.command(&workspace.root);
        command.envs(PROFILE).envs(self.variables.iter().map(|(name, value)| (name, value)));
        // Takes the place of the flags in `[build]` of the project's configuration, which are for the host's linker and
        // processor. It repeats what the profile says.
        command.env(for_target(self.target, "RUSTFLAGS"), "-Cpanic=abort");
        let colour = match request.diagnostics {
            Diagnostics::Plain => "never",
            Diagnostics::Coloured => "always",
        };
        command.env("CARGO_TERM_COLOR", colour);
        command.args(["rustc", "--release", "--lib", "--crate-type", "cdylib"]);
        command.args(["--target", self.target.triple(), "--message-format", "json-render-diagnostics"]);
        command.args(compact(&workspace.root).into_iter().flatten());
        command.args(&self.arguments).arg("--manifest-path").arg(&guest.manifest);
        // A cargo that started this program may hold the lock on the folder above until this program ends.
        command.arg("--target-dir").arg(workspace.target_dir.join("guests"));
        if request.lockfile == Lockfile::AsIs && workspace.root.join("Cargo.lock").is_file() {
            command.arg("--locked");
        }
        command.arg("--").arg(format!("-Clink-arg=-zstack-size={}", guest.stack_kib * 1024)).args(&self.linking);

        let mut module = None;
        let mut output = String::new();
        let ended = process::run(&mut command, None, &mut |line| match line {
            Line::Out(message) => module = artifact(&message, &guest.manifest).or(module.take()),
            Line::Err(text) => {
                report.event(Event::Output(&text));
                output.push_str(&text);
                output.push('\n');
            }
        })?;
        if ended != Ended::Well {
            return Err(BuildError::Compile { package: guest.package.clone(), target: self.target, output });
        }
        module.ok_or_else(|| BuildError::NoModule { package: guest.package.clone() })
    }
}

/// Settings for a package that every guest of the SDK links and that has tables of two sizes. Whatever a guest has as data is
/// copied into each of its instances, and what makes it need a second page costs each life a tenth.
fn compact(root: &Path) -> Option<[&'static str; 2]> {
    let lock = std::fs::read_to_string(root.join("Cargo.lock"));
    // Cargo warns of settings for a package that is not there. Without a lock file this build will make one: the next is to be
    // the same.
    let is_linked = |lock: String| lock.lines().any(|line| line == r#"name = "zmij""#);
    lock.map_or(true, is_linked).then_some(["--config", r#"profile.release.package.zmij.opt-level="s""#])
}

/// The variable in which cargo takes a setting for a target.
pub(super) fn for_target(target: Target, setting: &str) -> String {
    format!("CARGO_TARGET_{}_{setting}", target.triple().to_uppercase().replace('-', "_"))
}

/// One of cargo's messages, as far as it matters.
#[derive(Deserialize)]
struct Message {
    reason: String,
    manifest_path: Option<PathBuf>,
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

/// The module, if this message says that it is there.
fn artifact(message: &str, manifest: &Path) -> Option<PathBuf> {
    let message: Message = serde_json::from_str(message).ok()?;
    if message.reason != "compiler-artifact" || message.manifest_path.as_deref() != Some(manifest) {
        return None;
    }
    message.filenames.into_iter().find(|file| file.extension().is_some_and(|extension| extension == "wasm"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_package_that_is_there_is_made_small() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(compact(folder.path()).is_some(), "it will be there");
        let locked = |packages: &str| {
            std::fs::write(folder.path().join("Cargo.lock"), packages).expect("written");
            compact(folder.path()).is_some()
        };
        assert!(!locked("[[package]]\nname = \"zmijka\"\n"));
        assert!(locked("[[package]]\nname = \"serde\"\n\n[[package]]\nname = \"zmij\"\nversion = \"1.0.0\"\n"));
    }

    #[test]
    fn the_module_is_the_one_of_the_guest() {
        let message = |reason: &str, manifest: &str, file: &str| {
            let files = ["/target/libg.rlib", file];
            serde_json::json!({ "reason": reason, "manifest_path": manifest, "filenames": files }).to_string()
        };
        let ours = "/g/Cargo.toml";
        let table = [
            (message("compiler-artifact", ours, "/target/g.wasm"), Some("/target/g.wasm")),
            (message("compiler-artifact", ours, "/target/build-script"), None),
            (message("compiler-artifact", "/other/Cargo.toml", "/target/other.wasm"), None),
            (message("build-script-executed", ours, "/target/g.wasm"), None),
            (r#"{"reason":"build-finished","success":true}"#.to_owned(), None),
            ("a macro printed this".to_owned(), None),
        ];
        for (message, expected) in table {
            assert_eq!(artifact(&message, Path::new(ours)), expected.map(PathBuf::from), "{message}");
        }
    }

    #[test]
    fn a_variable_for_a_target_is_spelled_as_cargo_reads_it() {
        assert_eq!(for_target(Target::Unknown, "LINKER"), "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER");
        assert_eq!(for_target(Target::Wasip1, "RUSTFLAGS"), "CARGO_TARGET_WASM32_WASIP1_RUSTFLAGS");
    }
}
