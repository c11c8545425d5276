//! Finds the guests of a folder.
//!
//! Owns what makes a package a guest, and the reading of `[package.metadata.skep]`. Never compiles. Called once
//! a build.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::toolchain::Cargo;
use super::{BuildError, Request, Target, process};

/// Measured: with 16 KiB in place of rustc's 1 MiB an instance starts several times faster, and a server that keeps its
/// state on the heap needs no more.
const STACK_KIB: u32 = 16;
/// Linear memory is 4 GiB at most, and a stack beyond this is a mistake in the manifest.
const STACK_KIB_MAX: u32 = 64 * 1024;

/// A cargo workspace with guests in it; a lone crate is one too.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Workspace {
    pub root: PathBuf,
    /// cargo's target folder, where everything built goes.
    pub target_dir: PathBuf,
    /// Never empty; sorted by package.
    pub guests: Vec<Guest>,
}

/// A package that becomes a component.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Guest {
    pub package: String,
    pub manifest: PathBuf,
    pub target: Target,
    pub stack_kib: u32,
}

/// The workspaces with guests that were asked for.
pub(super) fn workspaces(cargo: &Cargo, request: &Request) -> Result<Vec<Workspace>, BuildError> {
    let dir = fs::canonicalize(&request.dir).map_err(|source| BuildError::File {
        action: "read",
        path: request.dir.clone(),
        source,
    })?;
    let mut found: Vec<Workspace> = Vec::new();
    let mut seen: Vec<PathBuf> = Vec::new();
    for project in projects(&dir)? {
        if seen.contains(&project.join("Cargo.toml")) {
            continue;
        }
        let (manifests, workspace) = read(metadata(cargo, &project)?, &dir)?;
        seen.extend(manifests);
        found.extend(workspace);
    }
    if found.is_empty() {
        return Err(BuildError::NoGuests { dir });
    }
    restrict(found, &request.packages, &dir)
}

/// The folder itself if it is a project, or the projects directly in it.
pub(super) fn projects(dir: &Path) -> Result<Vec<PathBuf>, BuildError> {
    if dir.join("Cargo.toml").is_file() {
        return Ok(vec![dir.to_owned()]);
    }
    let unreadable = |source| BuildError::File { action: "read", path: dir.to_owned(), source };
    let mut projects = Vec::new();
    for entry in fs::read_dir(dir).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.join("Cargo.toml").is_file() {
            projects.push(path);
        }
    }
    projects.sort();
    Ok(projects)
}

/// All packages of the workspace that this folder belongs to.
pub(super) fn metadata(cargo: &Cargo, dir: &Path) -> Result<Metadata, BuildError> {
    let unreadable = |output| BuildError::Metadata { dir: dir.to_owned(), output };
    let mut command = cargo.command(dir);
    command.args(["metadata", "--no-deps", "--format-version", "1"]);
    let answer = process::ask(&mut command)?.map_err(unreadable)?;
    serde_json::from_str(&answer).map_err(|error| unreadable(error.to_string()))
}

/// What of cargo's answer matters here.
#[derive(Deserialize)]
pub(super) struct Metadata {
    pub packages: Vec<Package>,
    workspace_root: PathBuf,
    target_directory: PathBuf,
}

#[derive(Deserialize)]
pub(super) struct Package {
    name: String,
    pub manifest_path: PathBuf,
    targets: Vec<CargoTarget>,
    pub dependencies: Vec<Dependency>,
    metadata: Option<PackageMetadata>,
}

#[derive(Deserialize)]
struct CargoTarget {
    kind: Vec<String>,
}

#[derive(Deserialize)]
pub(super) struct Dependency {
    name: String,
    /// `dev`, `build`, or none for an ordinary one.
    pub kind: Option<String>,
    /// Where it is, if it is not fetched from elsewhere.
    pub path: Option<PathBuf>,
}

#[derive(Deserialize)]
struct PackageMetadata {
    skep: Option<serde_json::Value>,
}

/// `[package.metadata.skep]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
struct Settings {
    wasi: bool,
    stack_kib: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { wasi: false, stack_kib: STACK_KIB }
    }
}

/// All manifests of a workspace, and those of its packages beneath `dir` that are guests, if there are any.
fn read(metadata: Metadata, dir: &Path) -> Result<(Vec<PathBuf>, Option<Workspace>), BuildError> {
    let mut guests = Vec::new();
    for package in metadata.packages.iter().filter(|package| package.manifest_path.starts_with(dir)) {
        guests.extend(guest(package)?);
    }
    guests.sort_by(|a, b| a.package.cmp(&b.package));
    let manifests = metadata.packages.into_iter().map(|package| package.manifest_path).collect();
    let workspace = (!guests.is_empty()).then_some(Workspace {
        root: metadata.workspace_root,
        target_dir: metadata.target_directory,
        guests,
    });
    Ok((manifests, workspace))
}

fn guest(package: &Package) -> Result<Option<Guest>, BuildError> {
    let wrong = |problem: String| BuildError::Manifest { manifest: package.manifest_path.clone(), problem };
    let has_target = |kinds: &[&str]| {
        package.targets.iter().any(|target| target.kind.iter().any(|kind| kinds.contains(&kind.as_str())))
    };
    let settings = match package.metadata.as_ref().and_then(|metadata| metadata.skep.clone()) {
        Some(settings) => {
            // Whatever its crate type is: a library can be compiled as a cdylib on demand.
            if !has_target(&["cdylib", "lib", "rlib"]) {
                return Err(wrong(
                    "`[package.metadata.skep]` makes it a guest, and a guest needs a `[lib]`".to_owned(),
                ));
            }
            serde_json::from_value(settings)
                .map_err(|error| wrong(format!("`[package.metadata.skep]` cannot be read: {error}")))?
        }
        None => {
            let uses_sdk = package.dependencies.iter().any(|used| used.name == "skep-sdk" && used.kind.is_none());
            if !uses_sdk || !has_target(&["cdylib"]) {
                return Ok(None);
            }
            Settings::default()
        }
    };
    if !(1..=STACK_KIB_MAX).contains(&settings.stack_kib) {
        return Err(wrong(format!("`stack-kib = {}` is not between 1 and {STACK_KIB_MAX}", settings.stack_kib)));
    }
    Ok(Some(Guest {
        package: package.name.clone(),
        manifest: package.manifest_path.clone(),
        target: if settings.wasi { Target::Wasip1 } else { Target::Unknown },
        stack_kib: settings.stack_kib,
    }))
}

/// Leaves only the packages that were asked for, each of which must be there.
fn restrict(mut found: Vec<Workspace>, packages: &[String], dir: &Path) -> Result<Vec<Workspace>, BuildError> {
    if packages.is_empty() {
        return Ok(found);
    }
    let names: Vec<String> =
        found.iter().flat_map(|workspace| &workspace.guests).map(|guest| guest.package.clone()).collect();
    if let Some(package) = packages.iter().find(|package| !names.contains(package)) {
        return Err(BuildError::UnknownPackage { package: package.clone(), dir: dir.to_owned(), found: names });
    }
    for workspace in &mut found {
        workspace.guests.retain(|guest| packages.contains(&guest.package));
    }
    found.retain(|workspace| !workspace.guests.is_empty());
    Ok(found)
}

#[cfg(test)]
mod tests;
