//! Makes an app of a manifest: builds what is to be built, reads, compiles and tries out all code.
//!
//! Owns the promise that an app whose code does not do is refused as a whole, before anything of it starts. Blocks for as
//! long as compilers do. Called by `skep run`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::path::{Path, PathBuf};

use skep_runtime::engine::LoadError;
use skep_runtime::kernel::Name;
use skep_runtime::kernel::supervisor::SupervisorSpec;
use skep_runtime::spec::{AppSpec, Blueprint};
use skep_runtime::{Engine, Module};

use crate::build::{self, BuildError, Report, Request};
use crate::manifest::{self, Manifest, ManifestError, Place};
use crate::signing::{self, admission::Admission};

/// A module's file larger than this is refused unread. Python's is 18 MB.
pub const MODULE_BYTES: usize = 512 << 20;

/// Why an app is refused. Nothing of it runs.
#[derive(Debug, thiserror::Error)]
pub enum DeployError {
    /// The manifest says something that its code does not bear out.
    #[error(transparent)]
    Refused(#[from] ManifestError),
    /// A guest could not be built.
    #[error("module `{module}` cannot be built: {error}")]
    Build {
        /// The module.
        module: Name,
        /// Where the manifest names its crate.
        place: Place,
        /// Why not.
        error: Box<BuildError>,
    },
}

/// Loads the code of all modules, whoever made it.
pub fn app(manifest: Manifest, engine: &Engine, report: &mut dyn Report) -> Result<AppSpec, DeployError> {
    load(manifest, engine, &Admission::Anyone, report).map(|(app, _)| app)
}

/// Loads the code of all modules, if all of it is admitted, and brings it as it was read too.
pub fn load(
    manifest: Manifest,
    engine: &Engine,
    admission: &Admission,
    report: &mut dyn Report,
) -> Result<(AppSpec, Vec<Code>), DeployError> {
    let (mut loaded, mut read) = (Vec::new(), Vec::new());
    for module in &manifest.modules {
        let code = code(module, &manifest, report)?;
        let refused = |why: &dyn Display, remedy: &str| {
            let problem = format!("module `{}`: {}: {why}", module.name, code.path.display());
            manifest.source.error(module.place.clone(), problem, remedy)
        };
        let admitted = admission.check(&code.bytes, code.signature.as_deref());
        admitted.map_err(|error| refused(&error, error.remedy()))?;
        let fresh = engine.load(&module.name, &code.bytes).map_err(|error| refused(&error, remedy(&error)))?;
        prepare(module, &fresh, &manifest)?;
        loaded.push(fresh);
        read.push(code);
    }
    let named = manifest.modules.iter().zip(&loaded);
    manifest.check_commands(|name| named.clone().any(|(module, code)| &*module.name == name && code.is_command()))?;
    Ok((manifest.into_app(loaded), read))
}

/// Builds the modules that come from crates, and says where the component of each is.
pub fn built(manifest: &Manifest, report: &mut dyn Report) -> Result<BTreeMap<Name, PathBuf>, DeployError> {
    let crates = manifest.modules.iter().filter(|module| matches!(module.code, manifest::Code::Crate { .. }));
    crates.map(|module| Ok((module.name.clone(), path(module, manifest, report)?))).collect()
}

/// The code of a module, as it was read.
#[derive(Clone, Debug)]
pub struct Code {
    /// Which module.
    pub module: Name,
    /// The file that it was read from.
    pub path: PathBuf,
    /// WebAssembly.
    pub bytes: Vec<u8>,
    /// The signature beside the file, if there is one.
    pub signature: Option<String>,
}

impl Code {
    /// Where it came from, for listings.
    #[must_use]
    pub fn origin(&self) -> String {
        std::path::absolute(&self.path).unwrap_or_else(|_| self.path.clone()).display().to_string()
    }
}

/// Builds a module if it is to be built, and reads its code.
pub fn code(module: &manifest::Module, manifest: &Manifest, report: &mut dyn Report) -> Result<Code, DeployError> {
    let path = path(module, manifest, report)?;
    let (bytes, signature) = read(&path).map_err(|Refused { problem, remedy }| {
        let problem = format!("module `{}`: {problem}", module.name);
        manifest.source.error(module.place.clone(), problem, remedy)
    })?;
    Ok(Code { module: module.name.clone(), path, bytes, signature })
}

/// What is wrong with a module's file.
struct Refused {
    problem: String,
    remedy: &'static str,
}

/// Where the module's code is, once it is built.
fn path(module: &manifest::Module, manifest: &Manifest, report: &mut dyn Report) -> Result<PathBuf, DeployError> {
    let (dir, package) = match &module.code {
        manifest::Code::File(path) => return Ok(path.clone()),
        manifest::Code::Crate { dir, package } => (dir, package),
    };
    let place = module.place.clone();
    let request = Request::new(dir).only(package.clone());
    let mut built = build::guests(&request, report).map_err(|error| DeployError::Build {
        module: module.name.clone(),
        place: Place { source: manifest.source.clone(), span: place.clone() },
        error: Box::new(error),
    })?;
    if built.len() > 1 {
        let packages: Vec<String> = built.iter().map(|guest| format!("`{}`", guest.package)).collect();
        let problem = format!("module `{}`: there are several guests in {}", module.name, dir.display());
        let remedy = format!("choose one with `package`: {}", packages.join(", "));
        return Err(manifest.source.error(place, problem, remedy).into());
    }
    match built.pop() {
        Some(guest) => Ok(guest.path),
        None => {
            let problem = format!("module `{}`: there is no guest in {}", module.name, dir.display());
            Err(manifest.source.error(place, problem, "give the folder of a crate that depends on `skep-sdk`").into())
        }
    }
}

fn read(path: &Path) -> Result<(Vec<u8>, Option<String>), Refused> {
    let unreadable = |error: std::io::Error| Refused {
        problem: format!("cannot read {}: {error}", path.display()),
        remedy: "check the path, which begins at the manifest's folder; `skep build` makes the file of a crate",
    };
    let metadata = std::fs::metadata(path).map_err(unreadable)?;
    if !metadata.is_file() || metadata.len() > MODULE_BYTES as u64 {
        let problem = format!("{} is not a file of at most {} MiB", path.display(), MODULE_BYTES >> 20);
        return Err(Refused { problem, remedy: "give the path of a .wasm file" });
    }
    let bytes = std::fs::read(path).map_err(unreadable)?;
    let signature = signing::beside(path).map_err(|error| Refused {
        problem: format!("cannot read {}: {error}", signing::path(path).display()),
        remedy: "sign the module anew, or remove the file",
    })?;
    Ok((bytes, signature))
}

/// Compiles for every class of engine that a process of this module will need, while nothing waits for it.
fn prepare(module: &manifest::Module, loaded: &Module, manifest: &Manifest) -> Result<(), ManifestError> {
    let mut sizes = BTreeSet::from([module.limits.memory_bytes]);
    memory_sizes(&manifest.root, &module.name, &mut sizes);
    for memory_bytes in sizes {
        loaded.prepare(memory_bytes).map_err(|error| {
            let problem = format!("module `{}`: {error}", module.name);
            manifest.source.error(module.place.clone(), problem, remedy(&error))
        })?;
    }
    Ok(())
}

fn memory_sizes(supervisor: &SupervisorSpec<Blueprint>, module: &str, sizes: &mut BTreeSet<usize>) {
    for child in &supervisor.children {
        match &child.start {
            Blueprint::Process(spec) if &*spec.module == module => {
                sizes.insert(spec.limits.memory_bytes);
            }
            Blueprint::Process(_) => {}
            Blueprint::Supervisor(nested) => memory_sizes(nested, module, sizes),
        }
    }
}

/// What to do about code that cannot be loaded.
pub(super) fn remedy(error: &LoadError) -> &'static str {
    match error {
        LoadError::Unreadable(_) => "give a WebAssembly component, as `skep build` makes it",
        LoadError::NoKind { .. } => "export a process: in Rust with `skep_sdk::export!`",
        LoadError::UnknownImport { .. } | LoadError::Mismatch { .. } => {
            "build the guest against this version's `wit` folder and SDK"
        }
        LoadError::NoCompiler { .. } => {
            "see whether this machine has memory left, and whether `skep` may start processes"
        }
        LoadError::Failed { .. } => "correct the guest; a test of it would show the same",
        _ => "build the guest anew with `skep build`",
    }
}
