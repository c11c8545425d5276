//! Which modules' sources have changed since they were looked at last.
//!
//! Owns what counts as a source: every file of a crate's folder, and of those that it depends on by path, but what is
//! built there; or the one file of a module without a crate. Polls, because that works on every file system and needs nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

use skep_runtime::kernel::Name;

use crate::build;
use crate::manifest::{Code, Manifest};

/// More files than this are not looked at: some folder of data, no sources.
const FILES_MOST: usize = 20_000;

/// Sources, as they were when they were looked at last.
#[derive(Debug)]
pub struct Sources {
    modules: Vec<Watched>,
}

/// The sources of one module.
#[derive(Debug)]
struct Watched {
    module: Name,
    code: Code,
    /// Files, and folders with all that is in them.
    roots: Vec<PathBuf>,
    /// As they were when the module was built last.
    built: Snapshot,
    /// As they were at the last look.
    seen: Snapshot,
}

/// Files with what changes when they do.
type Snapshot = BTreeMap<PathBuf, (Option<SystemTime>, u64)>;

impl Sources {
    /// The sources of all modules, as they are now.
    #[must_use]
    pub fn of(manifest: &Manifest) -> Self {
        let watched = manifest.modules.iter().map(|module| {
            let roots = roots(&module.code).unwrap_or_else(|| vec![place(&module.code)]);
            let built = snapshot(&roots);
            Watched { module: module.name.clone(), code: module.code.clone(), roots, seen: built.clone(), built }
        });
        Sources { modules: watched.collect() }
    }

    /// The modules that are to be built anew: their sources differ from what was built last, and are the same as at the
    /// look before, so that nobody is in the middle of writing them.
    pub fn look(&mut self) -> Vec<Name> {
        let mut changed = Vec::new();
        for watched in &mut self.modules {
            let now = snapshot(&watched.roots);
            if now != watched.seen {
                watched.seen = now;
            } else if now != watched.built {
                // What it depends on may be what has changed. Where that cannot be said, it will be put right where it was.
                if let Some(roots) = roots(&watched.code) {
                    watched.roots = roots;
                }
                watched.built = snapshot(&watched.roots);
                watched.seen = watched.built.clone();
                changed.push(watched.module.clone());
            }
        }
        changed
    }
}

/// Where the sources of this code are; none if that cannot be said now.
fn roots(code: &Code) -> Option<Vec<PathBuf>> {
    match code {
        Code::File(path) => Some(vec![path.clone()]),
        Code::Crate { dir, .. } => build::sources(dir).ok(),
    }
}

/// The file or the folder that the manifest names.
fn place(code: &Code) -> PathBuf {
    match code {
        Code::File(path) | Code::Crate { dir: path, .. } => path.clone(),
    }
}

fn snapshot(roots: &[PathBuf]) -> Snapshot {
    let mut files = Snapshot::new();
    let mut folders = roots.to_vec();
    while let Some(path) = folders.pop() {
        let Ok(metadata) = fs::metadata(&path) else { continue };
        if !metadata.is_dir() {
            files.insert(path, (metadata.modified().ok(), metadata.len()));
            continue;
        }
        let entries = fs::read_dir(&path).into_iter().flatten().flatten();
        folders.extend(entries.filter(is_source).map(|entry| entry.path()));
        if files.len() + folders.len() > FILES_MOST {
            break;
        }
    }
    files
}

/// Not what is hidden, what cargo makes, or a folder that is elsewhere, where it could lead in a circle.
fn is_source(entry: &fs::DirEntry) -> bool {
    let name = entry.file_name();
    let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
    let is_hidden = name.to_string_lossy().starts_with('.');
    let is_made = name == "target" || entry.path().join("CACHEDIR.TAG").exists();
    let is_elsewhere = is_link && entry.path().is_dir();
    !(is_hidden || is_made || is_elsewhere)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::manifest::Source;

    #[test]
    fn a_change_is_seen_once_and_only_when_it_is_finished() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().expect("it is in the folder")).expect("it is ours");
            fs::write(path, text).expect("it is ours");
        };
        write("a/src/lib.rs", "one");
        write("b.wasm", "one");
        let text = "name = \"x\"\n[modules.a]\ncrate = \"a\"\n[modules.b]\npath = \"b.wasm\"\n[supervisor]\n\
                    [[supervisor.children]]\nid = \"a\"\nmodule = \"a\"\n";
        let source = Source { path: folder.path().join("app.toml"), text: text.into() };
        let manifest = Manifest::parse(source, Path::new("/nowhere")).expect("it makes sense");
        let mut sources = Sources::of(&manifest);
        let none: [Name; 0] = [];
        assert_eq!(sources.look(), none);

        write("a/src/lib.rs", "one and");
        assert_eq!(sources.look(), none, "somebody may be writing");
        write("a/src/lib.rs", "one and a half");
        assert_eq!(sources.look(), none, "somebody is");
        assert_eq!(sources.look(), ["a".into()]);
        assert_eq!(sources.look(), none, "once");
        write("a/target/debug/x", "made");
        write("a/.git/x", "hidden");
        assert_eq!((sources.look(), sources.look()), (vec![], vec![]));
        write("a/src/new.rs", "");
        write("b.wasm", "another");
        assert_eq!((sources.look(), sources.look()), (vec![], vec!["a".into(), "b".into()]));
        fs::remove_file(folder.path().join("a/src/new.rs")).expect("it is ours");
        assert_eq!((sources.look(), sources.look()), (vec![], vec!["a".into()]));
    }

    #[test]
    fn a_crate_that_is_depended_on_is_watched_from_then_on() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().expect("it is in the folder")).expect("it is ours");
            fs::write(path, text).expect("it is ours");
        };
        for name in ["guest", "words"] {
            write(&format!("{name}/Cargo.toml"), &format!("[package]\nname = \"{name}\"\n[workspace]\n"));
            write(&format!("{name}/src/lib.rs"), "one");
        }
        let text = "name = \"x\"\n[modules.a]\ncrate = \"guest\"\n[supervisor]\n[[supervisor.children]]\nid = \"a\"\n\
                    module = \"a\"\n";
        let source = Source { path: folder.path().join("app.toml"), text: text.into() };
        let manifest = Manifest::parse(source, Path::new("/nowhere")).expect("it makes sense");
        let mut sources = Sources::of(&manifest);
        write("words/src/lib.rs", "another");
        assert_eq!((sources.look(), sources.look()), (vec![], vec![]), "nobody depends on it");

        let manifest = "[package]\nname = \"guest\"\n[workspace]\n[dependencies]\nwords = { path = \"../words\" }\n";
        write("guest/Cargo.toml", manifest);
        assert_eq!((sources.look(), sources.look()), (vec![], vec!["a".into()]));
        write("words/src/lib.rs", "another one");
        assert_eq!((sources.look(), sources.look()), (vec![], vec!["a".into()]));
        assert_eq!((sources.look(), sources.look()), (vec![], vec![]), "once");

        let sound = "[package]\nname = \"words\"\n[workspace]\n";
        for text in ["[package", sound] {
            write("words/Cargo.toml", text);
            assert_eq!((sources.look(), sources.look()), (vec![], vec!["a".into()]), "{text}");
        }
    }
}
