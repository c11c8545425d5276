//! What can go wrong while guests are built.
//!
//! Owns the words: what, where, and what to do about it. Never decides anything; made by every other file of
//! this module.

use std::io;
use std::path::PathBuf;

use skep_runtime::engine::wrap::WrapError;

use super::Target;

/// Why there is no component. Its text names what went wrong, where, and a remedy; [`BuildError::output`] has what a
/// compiler or package manager said.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// Nothing in the folder is a guest.
    #[error(
        "there is no guest in {dir}: a guest is a crate with `crate-type = [\"cdylib\"]` that depends on `skep-sdk`, \
         or has `[package.metadata.skep]`"
    )]
    NoGuests {
        /// Where was looked.
        dir: PathBuf,
    },
    /// A package was asked for that is not among the guests.
    #[error("there is no guest `{package}` in {dir}; the guests there: {}", list(found))]
    UnknownPackage {
        /// What was asked for.
        package: String,
        /// Where was looked.
        dir: PathBuf,
        /// The guests that are there.
        found: Vec<String>,
    },
    /// `[package.metadata.skep]`, or the crate around it, makes no sense.
    #[error("{manifest}: {problem}")]
    Manifest {
        /// The guest's `Cargo.toml`.
        manifest: PathBuf,
        /// What is wrong, and what would be right.
        problem: String,
    },
    /// cargo could not read the project.
    #[error("cargo cannot read the project in {dir}")]
    Metadata {
        /// Where it was started.
        dir: PathBuf,
        /// What it said.
        output: String,
    },
    /// `SKEP_GUEST_TOOLCHAIN` has a value that is no route.
    #[error("SKEP_GUEST_TOOLCHAIN is `{value}`, which is none of `installed`, `rustup` and `debian`")]
    UnknownRoute {
        /// Its value.
        value: String,
    },
    /// The route that was forced is closed.
    #[error(
        "guests cannot be compiled for {target} as asked: {problem}; unset SKEP_GUEST_TOOLCHAIN to try the other ways"
    )]
    RouteClosed {
        /// What for.
        target: Target,
        /// Why this route is closed.
        problem: String,
    },
    /// All routes are closed.
    #[error(
        "there is no way to compile for {target} here ({}); install Rust from https://rustup.rs and run \
         `rustup target add {target}`",
        tried.join("; ")
    )]
    NoRoute {
        /// What for.
        target: Target,
        /// Why each route is closed, in the order tried.
        tried: Vec<String>,
    },
    /// Debian packages are missing, and installing them was not allowed.
    #[error("packages are missing to compile guests; install them and build again:\n{}", indented(commands))]
    PackagesMissing {
        /// What to run.
        commands: Vec<String>,
    },
    /// `apt-get` failed.
    #[error(
        "`{command}` failed; run it by hand to see why (it never removes packages: one that stands in the way, such as \
         `rustc` or `rustup` from Debian, must be removed first)"
    )]
    Install {
        /// What was run.
        command: String,
        /// What it said.
        output: String,
    },
    /// Debian's compiler is there, the library to build with it is not.
    #[error(
        "the source of the standard library that belongs to {compiler} is not in {path}: reinstall it with \
         `apt-get install --reinstall rust-web-src`, in the same version as rustc-web"
    )]
    SourceMissing {
        /// The compiler and its version.
        compiler: String,
        /// Where it looks for the source.
        path: PathBuf,
    },
    /// There is no linker for WebAssembly.
    #[error(
        "there is no linker for WebAssembly: neither the active Rust toolchain nor Debian's `{package}` has one here"
    )]
    LinkerMissing {
        /// The package that should have had it.
        package: String,
    },
    /// A guest's code has an error.
    #[error("{package} does not compile for {target}")]
    Compile {
        /// The guest.
        package: String,
        /// What for.
        target: Target,
        /// Everything that cargo said.
        output: String,
    },
    /// cargo was content, and yet left no WebAssembly module.
    #[error("cargo left no WebAssembly module of {package}: check that a `[lib]` target is what it builds")]
    NoModule {
        /// The guest.
        package: String,
    },
    /// A guest was compiled, and is no component.
    #[error("{package} was compiled to {path}, which makes no component")]
    Wrap {
        /// The guest.
        package: String,
        /// The core module.
        path: PathBuf,
        /// Why not.
        source: WrapError,
    },
    /// A program is missing or cannot be started.
    #[error("`{program}` cannot be started: is it installed, and in the PATH?")]
    Start {
        /// The program.
        program: String,
        /// What the system said.
        source: io::Error,
    },
    /// A file or folder cannot be used.
    #[error("cannot {action} {path}")]
    File {
        /// To read, write or lock.
        action: &'static str,
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl BuildError {
    /// What the program that failed said, whole: for a compile error, the compiler's diagnostics. A report that has
    /// shown every [`super::Event::Output`] has shown it already.
    pub fn output(&self) -> Option<&str> {
        match self {
            BuildError::Metadata { output, .. }
            | BuildError::Install { output, .. }
            | BuildError::Compile { output, .. } => Some(output),
            _ => None,
        }
    }

    /// Everything there is to say, for who has shown nothing yet: text, causes and [`BuildError::output`].
    pub fn in_full(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text.push_str(&format!(": {error}"));
            cause = error.source();
        }
        if let Some(output) = self.output() {
            text.push('\n');
            text.push_str(output);
        }
        text
    }
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

fn indented(commands: &[String]) -> String {
    commands.iter().map(|command| format!("  {command}")).collect::<Vec<_>>().join("\n")
}
