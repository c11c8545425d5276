//! The app `tally`: from its sources to an answer.
//!
//! Owns what the demo changes in the app's manifest (the input, one parser for each core, and later the server's code),
//! and the questions it asks the app. Never counts anything.

mod course;
mod questions;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::available_parallelism;

use parking_lot::Mutex;
use skep_runtime::kernel::supervisor::{ChildSpec, SupervisorSpec};
use skep_runtime::kernel::{Body, Name};
use skep_runtime::observe::{Observer, Report};
use skep_runtime::spec::{Access, AppSpec, Blueprint, FolderGrant, Grants, ProcessSpec};
use skep_runtime::{Engine, Module};

pub use course::Upgraded;
pub(super) use course::run;
pub(super) use questions::{page, restarts, totals};

use super::input::Input;
use super::{DemoError, Watch, finished};
use crate::manifest::{Code, Manifest};
use crate::node::deploy;

/// The folder with the guests, where this program was built.
const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples-wasm");
/// Where the reader finds the folder with the input.
const FOLDER: &str = "/input";
/// The child whose arguments and grants depend on the input.
const READER: &str = "reader";
/// The module that is upgraded.
const SERVER_MODULE: &str = "server";
/// The crate of its version 2. The manifest names version 1.
const SUCCESSOR: &str = "tally-server-v2";
/// The supervisor with the pool.
const PARSERS: &str = "parsers";
/// Fewer parsers would leave nobody to go on while one is restarted.
const PARSERS_LEAST: usize = 2;
/// More parsers would not have more to do: one reader feeds them.
const PARSERS_MOST: usize = 32;

/// The text that the project ships.
pub(super) fn shipped_text() -> PathBuf {
    Path::new(SOURCES).join("tally/texts/many-voices.txt")
}

/// The app as it is to be run, not yet built.
pub(super) struct Tally {
    manifest: Manifest,
    /// How many parsers it will have.
    pub(super) parsers: usize,
}

impl Tally {
    /// Makes the manifest fit the input.
    pub(super) fn read(input: &Input, parsers: Option<usize>) -> Result<Self, DemoError> {
        let path = Path::new(SOURCES).join("tally/tally.toml");
        if !path.is_file() {
            return Err(DemoError::NoSources(path));
        }
        // The demo has no folder of its own that a guest could get at.
        let mut manifest = Manifest::read(&path, Path::new("/nonexistent"))?;
        let parsers = parsers.unwrap_or_else(|| available_parallelism().map_or(1, usize::from));
        let parsers = parsers.clamp(PARSERS_LEAST, PARSERS_MOST);
        for child in &mut manifest.root.children {
            match (&*child.id, &mut child.start) {
                (READER, Blueprint::Process(spec)) => point_at(Arc::make_mut(spec), input),
                (PARSERS, Blueprint::Supervisor(pool)) => resize(Arc::make_mut(pool), parsers),
                _ => {}
            }
        }
        Ok(Tally { manifest, parsers })
    }

    /// Builds the guests and compiles them to machine code; the server's version 2 as well, so that the upgrade need not
    /// wait for compilers.
    pub(super) async fn load(self, engine: Engine, watch: &dyn Watch) -> Result<Loaded, DemoError> {
        let mut report = watch.builder();
        let loading = move || {
            let code = Code::Crate { dir: Path::new(SOURCES).join(SUCCESSOR), package: None };
            let successor = deploy::app(self.manifest.successor(SERVER_MODULE, code), &engine, report.as_mut())?;
            let app = deploy::app(self.manifest, &engine, report.as_mut())?;
            let code = successor.modules.into_iter().next().map(|module| module.module);
            Ok(Loaded { app, successor: code.expect("the app has a server") })
        };
        finished(tokio::task::spawn_blocking(loading).await)
    }
}

/// All code that the demo runs.
pub(super) struct Loaded {
    pub(super) app: AppSpec,
    /// What the server is upgraded to.
    pub(super) successor: Module,
}

/// Lets the reader read this file, and nothing beyond its folder; and has it keep the end back until the upgrade.
fn point_at(reader: &mut ProcessSpec, input: &Input) {
    let file = format!("{FOLDER}/{}", input.name());
    reader.args = Body::Json(serde_json::json!({ "file": file, "keep_end": true }).to_string());
    let folder = FolderGrant { host: input.folder().to_owned(), guest: FOLDER.to_owned(), access: Access::Read };
    reader.grants = Arc::new(Grants { folders: vec![folder], ..Grants::default() });
}

/// As many of the pool's first child as wanted.
fn resize(pool: &mut SupervisorSpec<Blueprint>, size: usize) {
    let Some(first) = pool.children.first().cloned() else { return };
    let Blueprint::Process(spec) = &first.start else { return };
    let numbered = |number: usize| -> ChildSpec<Blueprint> {
        let name: Name = format!("parser.{number}").into();
        let spec = ProcessSpec { name: Some(Arc::clone(&name)), ..ProcessSpec::clone(spec) };
        ChildSpec { id: name, start: Blueprint::Process(Arc::new(spec)), ..first.clone() }
    };
    pool.children = (1..=size).map(numbered).collect();
}

/// Remembers the last crash, in case the app gives up. Parsers crash by the thousand, so nothing is printed.
#[derive(Default)]
pub(super) struct Crashes {
    last: Mutex<Option<String>>,
}

impl Crashes {
    /// The last crash in one line.
    pub(super) fn last(&self) -> Option<String> {
        self.last.lock().clone()
    }
}

impl Observer for Crashes {
    fn report(&self, report: Report) {
        if let Report::Crash { subject, reason, .. } = report {
            let who = subject.label.as_deref().unwrap_or("a process").to_owned();
            *self.last.lock() = Some(format!("{who}: {reason}"));
        }
    }
}
