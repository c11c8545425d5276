//! Which folders a build reads sources from: its own, and those of crates elsewhere that its crates depend on by path.
//!
//! Owns the way from crate to crate, on cargo's word. Never compiles, and never needs the network. Called by whoever
//! builds again when a source changes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::toolchain::Cargo;
use super::{BuildError, discover};

/// This folder, and all others that a build of it reads sources from.
///
/// # Errors
///
/// If the folder, or the manifest of a crate in it or of one that it depends on, cannot be read now.
pub fn sources(dir: &Path) -> Result<Vec<PathBuf>, BuildError> {
    let unreadable = |source| BuildError::File { action: "read", path: dir.to_owned(), source };
    let dir = fs::canonicalize(dir).map_err(unreadable)?;
    let Some(cargo) = Cargo::in_path() else { return Ok(vec![dir]) };
    let mut crates = Crates::default();
    for project in discover::projects(&dir)? {
        crates.read(&cargo, &project)?;
    }
    let mut waiting: Vec<PathBuf> = crates.0.keys().filter(|folder| folder.starts_with(&dir)).cloned().collect();
    let mut seen: BTreeSet<PathBuf> = waiting.iter().cloned().collect();
    let mut folders = vec![dir];
    while let Some(folder) = waiting.pop() {
        for dependency in crates.dependencies(&cargo, &folder)? {
            if !folders.iter().any(|known| dependency.starts_with(known)) {
                folders.push(dependency.clone());
            }
            if seen.insert(dependency.clone()) {
                waiting.push(dependency);
            }
        }
    }
    Ok(folders)
}

/// Folders of crates, with those of the crates that each depends on by path, other than for its tests.
#[derive(Default)]
struct Crates(BTreeMap<PathBuf, Vec<PathBuf>>);

impl Crates {
    fn dependencies(&mut self, cargo: &Cargo, folder: &Path) -> Result<Vec<PathBuf>, BuildError> {
        if !self.0.contains_key(folder) {
            self.read(cargo, folder)?;
        }
        Ok(self.0.get(folder).cloned().unwrap_or_default())
    }

    /// Reads all crates of the workspace that this one belongs to.
    fn read(&mut self, cargo: &Cargo, folder: &Path) -> Result<(), BuildError> {
        for package in discover::metadata(cargo, folder)?.packages {
            let Some(folder) = package.manifest_path.parent() else { continue };
            let needed = package.dependencies.into_iter().filter(|used| used.kind.as_deref() != Some("dev"));
            self.0.insert(folder.to_owned(), needed.filter_map(|used| used.path).collect());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_dependencies_are_followed_however_far_and_those_of_tests_are_not() {
        let home = tempfile::tempdir().expect("a folder");
        let home = fs::canonicalize(home.path()).expect("it is there");
        let make = |name: &str, rest: &str| {
            let folder = home.join(name);
            fs::create_dir_all(folder.join("src")).expect("it is ours");
            fs::write(folder.join("src/lib.rs"), "").expect("it is ours");
            let name = folder.file_name().and_then(|name| name.to_str()).expect("plain text");
            let text = format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n{rest}");
            fs::write(folder.join("Cargo.toml"), text).expect("it is ours");
        };
        make(
            "guest",
            "[workspace]\n[dependencies]\na = { path = \"../a\" }\n[dev-dependencies]\nd = { path = \"../d\" }\n",
        );
        make(
            "a",
            "[dependencies]\nb = { path = \"../b\" }\ninner = { path = \"inner\" }\n[build-dependencies]\nc = { path = \"../c\" }\n",
        );
        make("a/inner", "[workspace]\n[dependencies]\ne = { path = \"../../e\" }\n");
        make("b", "[workspace]\n[dependencies]\na = { path = \"../a\" }\n");
        make("e", "[workspace]\n");
        make("c", "[workspace]\n");
        make("d", "[workspace]\n");
        let mut folders = sources(&home.join("guest")).expect("cargo can read them");
        folders.sort();
        assert_eq!(folders, ["a", "b", "c", "e", "guest"].map(|name| home.join(name)));

        fs::write(home.join("b/Cargo.toml"), "[package").expect("it is ours");
        assert!(sources(&home.join("guest")).is_err());
        assert!(sources(&home.join("nowhere")).is_err());
    }
}
