//! Writes a guest crate to begin with: what stands behind `skep new`.
//!
//! Owns the template, and finding the SDK that it depends on. Never builds it, never prints.

use std::fs::{self, DirBuilder};
use std::io;
use std::path::{Path, PathBuf};

/// The SDK of the sources that this program was built from.
const SDK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../guest-sdk");

/// The files of a crate, with `@name@`, `@Type@` and `@sdk@` to be filled in.
const TEMPLATE: [(&str, &str); 5] = [
    ("Cargo.toml", include_str!("new/template/Cargo.toml.in")),
    ("src/lib.rs", include_str!("new/template/lib.rs.in")),
    ("@name@.toml", include_str!("new/template/app.toml.in")),
    ("README.md", include_str!("new/template/README.md.in")),
    (".gitignore", include_str!("new/template/gitignore.in")),
];

/// Longer than this, a name is none: it must fit into the names of files and of nodes.
const NAME_BYTES: usize = 64;
/// Words that cargo takes as no name of a crate, or Rust as no name at all.
#[rustfmt::skip]
const NOT_NAMES: [&str; 57] = [
    "abstract", "alloc", "as", "async", "await", "become", "box", "break", "const", "continue", "core", "crate", "do",
    "dyn", "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro",
    "match", "mod", "move", "mut", "override", "priv", "proc_macro", "pub", "ref", "return", "self", "static", "std",
    "struct", "super", "test", "trait", "true", "try", "type", "typeof", "union", "unsafe", "unsized", "use",
    "virtual", "where", "while", "yield",
];
/// Crates that it depends on.
const DEPENDENCIES: [&str; 2] = ["serde", "skep_sdk"];
/// Types that the code speaks of; one of its own by such a name would hide them.
#[rustfmt::skip]
const TYPES: [&str; 43] = [
    "Address", "Answer", "Body", "Box", "CallError", "Child", "Context", "Default", "Deserialize", "Down", "Err",
    "Event", "Exit", "ExitReason", "Failure", "From", "Harness", "Level", "Mark", "Migrate", "MigrateContext", "Never",
    "NotStarted", "Ok", "Options", "Outcome", "Pending", "Pid", "Protocol", "Ref", "Refusal", "Request", "Result",
    "Revert", "Saved", "Self", "Serialize", "Server", "Start", "String", "Task", "TaskContext", "Timer",
];

/// What was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Written {
    /// The crate's folder.
    pub folder: PathBuf,
    /// The SDK that it depends on.
    pub sdk: PathBuf,
    /// Its files, within its folder.
    pub files: Vec<PathBuf>,
}

/// Why there is no new crate.
#[derive(Debug, thiserror::Error)]
pub enum NewError {
    /// The text cannot name a crate.
    #[error("a crate cannot be named `{name}`: {why}")]
    BadName {
        /// The text.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// There is something in its place.
    #[error("{} is there already", .0.display())]
    Occupied(PathBuf),
    /// The SDK is not where it should be.
    #[error("there is no SDK in {}", .0.display())]
    NoSdk(PathBuf),
    /// The SDK's path cannot be written in a manifest.
    #[error("the path {} is no text", .0.display())]
    NoText(PathBuf),
    /// A file cannot be written.
    #[error("cannot write {path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl NewError {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            NewError::BadName { .. } => "choose a name of lower-case letters, digits, `-` and `_`, such as `greeter`",
            NewError::Occupied(_) => "choose another name, or remove what is there",
            NewError::NoSdk(_) => "give the folder `guest-sdk` of Skep's sources with --sdk",
            NewError::NoText(_) => "move Skep's sources to a path of plain characters, and give it with --sdk",
            NewError::File { .. } => "is there room on the disk, and may you write there?",
        }
    }
}

/// Writes a crate of this name beneath `place`. `sdk` is where the SDK is, if it is not where this program was built.
pub fn write(name: &str, place: &Path, sdk: Option<&Path>) -> Result<Written, NewError> {
    valid_name(name).map_err(|why| NewError::BadName { name: name.to_owned(), why })?;
    let sdk = find_sdk(sdk.unwrap_or(Path::new(SDK)))?;
    let path_of_sdk = sdk.to_str().ok_or_else(|| NewError::NoText(sdk.clone()))?;
    let folder = place.join(name);
    if fs::symlink_metadata(&folder).is_ok() && !fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_none())
    {
        return Err(NewError::Occupied(folder));
    }
    let fill = |text: &str| {
        let sdk = toml::Value::String(path_of_sdk.to_owned()).to_string();
        text.replace("@name@", name).replace("@Type@", &type_name(name)).replace("@sdk@", &sdk)
    };
    let mut files = Vec::new();
    for (file, text) in TEMPLATE {
        let file = PathBuf::from(fill(file));
        put(&folder.join(&file), fill(text).as_bytes())?;
        files.push(file);
    }
    // The versions that the SDK was tested with, so that nothing newer has to be found or downloaded; what the crate does
    // not use, cargo takes out. A lone SDK has none.
    if let Ok(lock) = fs::read(sdk.join("../Cargo.lock")) {
        put(&folder.join("Cargo.lock"), &lock)?;
        files.push(PathBuf::from("Cargo.lock"));
    }
    Ok(Written { folder, sdk, files })
}

fn put(path: &Path, bytes: &[u8]) -> Result<(), NewError> {
    let folder = path.parent().unwrap_or(path);
    let made = DirBuilder::new().recursive(true).create(folder);
    let written = made.and_then(|()| fs::write(path, bytes));
    written.map_err(|source| NewError::File { path: path.to_owned(), source })
}

/// The SDK's folder with all links followed, if it is one.
fn find_sdk(given: &Path) -> Result<PathBuf, NewError> {
    let no_sdk = || NewError::NoSdk(given.to_owned());
    let path = given.canonicalize().map_err(|_| no_sdk())?;
    let manifest = fs::read_to_string(path.join("Cargo.toml")).map_err(|_| no_sdk())?;
    let manifest: toml::Table = manifest.parse().map_err(|_| no_sdk())?;
    let name = manifest.get("package").and_then(|package| package.get("name")?.as_str());
    if name == Some("skep-sdk") { Ok(path) } else { Err(no_sdk()) }
}

fn valid_name(name: &str) -> Result<(), &'static str> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    let word = name.replace('-', "_");
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        Err("it must begin with a lower-case letter")
    } else if name.len() > NAME_BYTES {
        Err("it has more than 64 characters")
    } else if !name.chars().all(allowed) {
        Err("it may have lower-case letters, digits, `-` and `_` only")
    } else if NOT_NAMES.contains(&word.as_str()) {
        Err("Rust has another use for this word")
    } else if DEPENDENCIES.contains(&word.as_str()) {
        Err("it will depend on a crate of this name")
    } else {
        Ok(())
    }
}

/// `word-count` as `WordCount`.
fn type_name(name: &str) -> String {
    let mut text = String::new();
    for word in name.split(['-', '_']) {
        let mut letters = word.chars();
        text.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        text.push_str(letters.as_str());
    }
    if TYPES.contains(&text.as_str()) { format!("My{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_names_of_types() {
        for (name, expected) in
            [("greeter", "Greeter"), ("word-count_2", "WordCount2"), ("server", "MyServer"), ("a--b-", "AB")]
        {
            assert_eq!(type_name(name), expected);
        }
    }

    #[test]
    fn what_cannot_name_a_crate_is_refused() {
        let long = "a".repeat(NAME_BYTES + 1);
        for bad in [
            "",
            "2a",
            "-a",
            "Greeter",
            "a b",
            "a/b",
            "../a",
            "ü",
            "fn",
            "std",
            "proc-macro",
            "serde",
            "skep-sdk",
            &long,
        ] {
            assert!(valid_name(bad).is_err(), "{bad}");
        }
        for good in ["greeter", "a", "word-count_2", "v1"] {
            assert_eq!(valid_name(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn a_crate_is_written_where_nothing_is() {
        let place = tempfile::tempdir().expect("a folder");
        fs::create_dir(place.path().join("greeter")).expect("an empty folder is no obstacle");
        let written = write("greeter", place.path(), None).expect("the sources are there");
        for file in &written.files {
            let text = fs::read_to_string(written.folder.join(file)).expect("it was written");
            for hole in ["@name@", "@Type@", "@sdk@"] {
                assert!(!text.contains(hole), "{hole} in {}", file.display());
            }
        }
        let again = write("greeter", place.path(), None).expect_err("there is one");
        assert!(matches!(again, NewError::Occupied(_)), "{again}");
        fs::write(place.path().join("file"), "").expect("it is ours");
        assert!(matches!(write("file", place.path(), None), Err(NewError::Occupied(_))));
        let no_sdk = write("other", place.path(), Some(place.path())).expect_err("that is no SDK");
        assert!(matches!(no_sdk, NewError::NoSdk(_)), "{no_sdk}");
        assert!(!place.path().join("other").exists(), "nothing is left behind");
    }
}
