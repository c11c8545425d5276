//! The file to count: that it is one, which folder holds it, and that it stays as it is.
//!
//! Owns the refusals that spare the app a start in vain. Never reads the file.

use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::DemoError;
use super::app::shipped_text;

/// A regular file, with all links followed.
#[derive(Clone, Debug)]
pub(super) struct Input {
    path: PathBuf,
    stamp: Stamp,
}

/// What tells a file from what it was before.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    bytes: u64,
    modified: Option<SystemTime>,
}

impl From<Metadata> for Stamp {
    fn from(file: Metadata) -> Self {
        Stamp { bytes: file.len(), modified: file.modified().ok() }
    }
}

impl Input {
    /// Checks the file that was given, or takes the one that the project ships.
    pub(super) fn check(given: Option<&Path>) -> Result<Self, DemoError> {
        let shipped = shipped_text();
        let given = given.unwrap_or(&shipped);
        let refused = |problem: String, remedy| Err(DemoError::Input { path: given.to_owned(), problem, remedy });
        let file = match fs::metadata(given) {
            Ok(file) => file,
            Err(error) => return refused(format!("cannot be read: {error}"), "give the path of a file that is there"),
        };
        if file.is_dir() {
            return refused("is a folder".to_owned(), "give the path of one file in it");
        }
        if !file.is_file() {
            let remedy = "the file is read twice, so save what comes from a pipe or a device to a file first";
            return refused("is no regular file".to_owned(), remedy);
        }
        if let Err(error) = fs::File::open(given) {
            return refused(format!("cannot be opened: {error}"), "give yourself the right to read it");
        }
        // The app may read one folder, so a link has to be followed before that folder is chosen.
        let path = match given.canonicalize() {
            Ok(path) if path.to_str().is_some() => path,
            Ok(_) => {
                let remedy = "rename it, or give a copy: WASI has no other paths";
                return refused("has a path that is not UTF-8".to_owned(), remedy);
            }
            Err(error) => return refused(format!("cannot be found: {error}"), "give the path of a file that is there"),
        };
        Ok(Input { path, stamp: file.into() })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The one folder that holds it.
    pub(super) fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("/"))
    }

    /// Its name in there.
    pub(super) fn name(&self) -> &str {
        self.path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
    }

    /// How many bytes it has.
    pub(super) fn bytes(&self) -> u64 {
        self.stamp.bytes
    }

    /// Checks that nobody has written to it.
    pub(super) fn unchanged(&self) -> Result<(), DemoError> {
        match fs::metadata(&self.path).map(Stamp::from) {
            Ok(stamp) if stamp == self.stamp => Ok(()),
            _ => Err(DemoError::Changed(self.path.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(path: &Path) -> (String, String) {
        let error = Input::check(Some(path)).expect_err("it should be refused");
        (error.to_string(), error.remedy().unwrap_or_default().to_owned())
    }

    #[test]
    fn what_is_no_file_is_refused_with_a_remedy() {
        let folder = tempfile::tempdir().expect("a folder");
        let (problem, remedy) = refusal(&folder.path().join("nothing"));
        assert!(problem.contains("nothing cannot be read: "), "{problem}");
        assert_eq!(remedy, "give the path of a file that is there");
        let (problem, remedy) = refusal(folder.path());
        assert!(problem.ends_with(" is a folder"), "{problem}");
        assert_eq!(remedy, "give the path of one file in it");
        let (problem, _) = refusal(Path::new("/dev/null"));
        assert_eq!(problem, "/dev/null is no regular file");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_followed_to_the_folder_of_the_file() {
        let (real, other) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        fs::write(real.path().join("text"), "words").expect("it can be written");
        let link = other.path().join("link");
        std::os::unix::fs::symlink(real.path().join("text"), &link).expect("it can be linked");
        let input = Input::check(Some(&link)).expect("a file");
        assert_eq!(input.folder(), real.path().canonicalize().expect("it is there"));
        assert_eq!((input.name(), input.bytes()), ("text", 5));
    }

    #[test]
    fn a_change_is_noticed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("text");
        fs::write(&path, "words").expect("it can be written");
        let input = Input::check(Some(&path)).expect("a file");
        assert!(input.unchanged().is_ok());
        fs::write(&path, "more words").expect("it can be written");
        assert!(matches!(input.unchanged(), Err(DemoError::Changed(_))));
    }
}
