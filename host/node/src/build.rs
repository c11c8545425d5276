//! Compiles guest crates and leaves components: what stands behind `skep build`, and what tests and the demo call.
//!
//! Owns finding the guests of a folder, choosing among the three ways to a compiler for WebAssembly, the flags that
//! make a guest cheap to start, and where components are put. Never prints and never asks: it tells a [`Report`].
//! Blocks for as long as the compiler does, so async code calls it on a thread of its own.
//!
//! ```no_run
//! use skep::build::{self, Quiet, Request};
//!
//! let request = Request::new("examples-wasm").only(["counter"]);
//! for guest in build::guests(&request, &mut Quiet)? {
//!     println!("{} is in {}", guest.package, guest.path.display());
//! }
//! # Ok::<(), build::BuildError>(())
//! ```
//!
//! Three ways lead to a compiler, tried in this order ([`Route`]): the active toolchain has the target; rustup gets it;
//! Debian's newer Rust builds the standard library for it. `SKEP_GUEST_TOOLCHAIN=installed|rustup|debian` forces one.
//!
//! A guest is a package with a library that depends on `skep-sdk` and is a `cdylib`, or one that says so:
//!
//! ```toml
//! [package.metadata.skep]
//! wasi = true       # it needs std's files, clock and so on: wasm32-wasip1 in place of wasm32-unknown-unknown
//! stack-kib = 64    # a larger shadow stack than 16 KiB
//! ```

mod compile;
mod debian;
mod discover;
mod environment;
mod error;
mod output;
mod process;
mod report;
mod route;
mod rustup;
mod sources;
mod toolchain;

use std::path::PathBuf;

pub use error::BuildError;
pub use report::{Consent, Event, Quiet, Report};
pub use route::{Route, Target};
pub use sources::sources;

use discover::Guest;
use toolchain::Cargo;

/// What to build, and how.
#[derive(Clone, Debug)]
pub struct Request {
    /// A guest crate, a workspace, or a folder that holds several of either.
    pub dir: PathBuf,
    /// Only these packages; all if there are none.
    pub packages: Vec<String>,
    /// The only route to try. Without one, `SKEP_GUEST_TOOLCHAIN` decides, and without that the machine.
    pub route: Option<Route>,
    /// Whether cargo may write `Cargo.lock`.
    pub lockfile: Lockfile,
    /// How the compiler writes its diagnostics.
    pub diagnostics: Diagnostics,
}

/// Whether cargo may write `Cargo.lock`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lockfile {
    /// As in any `cargo build`.
    #[default]
    MayChange,
    /// An existing one stays as it is, and a build that would need another one fails.
    AsIs,
}

/// How the compiler writes its diagnostics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Diagnostics {
    /// Text only.
    #[default]
    Plain,
    /// With a terminal's colours.
    Coloured,
}

impl Request {
    /// Every guest beneath `dir`.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Request {
            dir: dir.into(),
            packages: Vec::new(),
            route: None,
            lockfile: Lockfile::default(),
            diagnostics: Diagnostics::default(),
        }
    }

    /// Only these packages.
    #[must_use]
    pub fn only<P: Into<String>>(mut self, packages: impl IntoIterator<Item = P>) -> Self {
        self.packages = packages.into_iter().map(Into::into).collect();
        self
    }
}

/// A guest that is ready to be loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    /// The cargo package.
    pub package: String,
    /// The component: `<target folder>/skep/<package>.wasm`.
    pub path: PathBuf,
    /// What it was compiled for.
    pub target: Target,
    /// Its size in bytes.
    pub size: u64,
    /// Whether the file is another one than before.
    pub freshness: Freshness,
}

/// Whether a component's file had to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// It was not there, or differed.
    Written,
    /// It was there already, and was not touched.
    Unchanged,
}

/// Builds the guests of a folder, in the order of their names.
pub fn guests(request: &Request, report: &mut dyn Report) -> Result<Vec<Built>, BuildError> {
    let forced = match request.route {
        Some(route) => Some(route),
        None => Route::from_environment()?,
    };
    let cargo = match Cargo::in_path() {
        Some(cargo) => cargo,
        None => debian::cargo(forced, report)?,
    };
    let workspaces = discover::workspaces(&cargo, request)?;
    let mut built = Vec::new();
    for workspace in &workspaces {
        let _lock = output::lock(workspace, report)?;
        for target in [Target::Unknown, Target::Wasip1] {
            let guests: Vec<&Guest> = workspace.guests.iter().filter(|guest| guest.target == target).collect();
            if guests.is_empty() {
                continue;
            }
            let compiler = route::compiler(target, forced, workspace, &cargo, report)?;
            for guest in guests {
                let module = compiler.compile(guest, workspace, request, report)?;
                built.push(output::component(guest, workspace, &module, report)?);
            }
        }
    }
    built.sort_by(|a, b| a.package.cmp(&b.package));
    Ok(built)
}
