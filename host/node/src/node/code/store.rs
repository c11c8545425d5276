//! The module store: code that ran, so that there is a way back to it.
//!
//! Owns a folder with one file for each piece of code, named after its digest, and an index of which module ran which.
//! Never loads code: what it hands out are the bytes as they came, checked against their digest, and nothing in it is
//! compiled code. One node has one store, in a folder that its claim keeps others out of.
//!
//! ```text
//! <home>/nodes/<name>/modules/index.json       which module ran what, and in which order
//! <home>/nodes/<name>/modules/<digest>.wasm    the code
//! ```

mod index;

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use parking_lot::{Mutex, RwLock};

use crate::node::file;
use index::{Index, IndexError};
pub use index::{Kept, Ran};

/// The code store of a node.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    /// Held while files are written, so that reading the index never waits for a disk.
    writing: Mutex<()>,
    index: RwLock<Index>,
}

/// Why code could not be kept, or is not there any more.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder, or a file in it, cannot be used.
    #[error("cannot {action} {path}: {source}")]
    File {
        /// To create, read, write or remove.
        action: &'static str,
        /// What.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file of some code is gone.
    #[error("the code {} is kept no more: {path} is missing", super::short(digest))]
    Missing {
        /// Its digest.
        digest: String,
        /// Where it was.
        path: PathBuf,
        /// Where it came from.
        origin: String,
    },
    /// The file of some code is not what it was.
    #[error("the kept code {} is damaged: {path} has another digest ({})", super::short(digest), super::short(found))]
    Damaged {
        /// Its digest.
        digest: String,
        /// Where it is.
        path: PathBuf,
        /// The digest of what is there.
        found: String,
        /// Where it came from.
        origin: String,
    },
}

impl StoreError {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            StoreError::File { .. } => "is there room on the disk, and does the folder belong to you?".to_owned(),
            StoreError::Missing { origin, .. } | StoreError::Damaged { origin, .. } => {
                format!("take the file from where it came, if it is still there: `skep upgrade` with {origin}")
            }
        }
    }
}

/// Code that begins to run.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    /// Of which app.
    pub app: &'a str,
    /// The module's name within the app.
    pub module: &'a str,
    /// As which it is kept. Its digest is that of `bytes`.
    pub code: &'a super::CodeId,
    /// The code.
    pub bytes: &'a [u8],
    /// Where it came from, such as the path of a file.
    pub origin: &'a str,
    /// The signature that came with it.
    pub signature: Option<&'a str>,
}

impl Store {
    /// Opens the store in this folder, or begins one. An index that cannot be read is put aside with all its code, and
    /// what was wrong with it is returned: what there was to go back to is lost, and the node can run.
    pub fn open(folder: PathBuf) -> Result<(Self, Option<String>), StoreError> {
        crate::node::home::private_folder(&folder).map_err(|error| StoreError::File {
            action: "use",
            path: folder.clone(),
            source: io::Error::other(error),
        })?;
        let (index, damage) = match Index::read(&folder.join("index.json")) {
            Ok(index) => (index, None),
            Err(IndexError::Unreadable(source)) => {
                return Err(StoreError::File { action: "read", path: folder.join("index.json"), source });
            }
            Err(IndexError::Damaged(why)) => {
                let aside = put_aside(&folder)?;
                let message = format!(
                    "the index of kept code cannot be read ({why}): it is put aside in {}, and a new one is begun; older \
                     code is rolled back to by `skep upgrade` with its file",
                    aside.display()
                );
                (Index::default(), Some(message))
            }
        };
        Ok((Store { folder, writing: Mutex::default(), index: RwLock::new(index) }, damage))
    }

    /// What is kept of a module; nothing if it never ran here.
    #[must_use]
    pub fn ran(&self, app: &str, module: &str) -> Ran {
        self.index.read().ran(app, module)
    }

    /// A module's app was started with this code. `running` are the digests that some process of it runs on.
    pub fn started(&self, arrival: Arrival<'_>, running: &[String]) -> Result<(), StoreError> {
        self.keep(arrival, running, |ran| ran.started(&arrival.code.digest))
    }

    /// A module was upgraded to this code; `left` is the digest of what it ran before.
    pub fn upgraded(&self, arrival: Arrival<'_>, left: &str, running: &[String]) -> Result<(), StoreError> {
        self.keep(arrival, running, |ran| ran.upgraded(left, &arrival.code.digest))
    }

    /// A module was taken back to code that is kept.
    pub fn rolled_back(&self, app: &str, module: &str, digest: &str, running: &[String]) -> Result<(), StoreError> {
        self.change(app, module, running, |ran| ran.rolled_back(digest))
    }

    /// The bytes of code that is kept, checked.
    pub fn bytes(&self, kept: &Kept) -> Result<Vec<u8>, StoreError> {
        let path = self.path(&kept.code.digest);
        let digest = kept.code.digest.clone();
        let bytes = fs::read(&path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => {
                StoreError::Missing { digest: digest.clone(), path: path.clone(), origin: kept.origin.clone() }
            }
            _ => StoreError::File { action: "read", path: path.clone(), source },
        })?;
        match self::digest(&bytes) {
            found if found == digest => Ok(bytes),
            found => Err(StoreError::Damaged { digest, path, found, origin: kept.origin.clone() }),
        }
    }

    fn keep(&self, arrival: Arrival<'_>, running: &[String], change: impl FnOnce(&mut Ran)) -> Result<(), StoreError> {
        let path = self.path(&arrival.code.digest);
        {
            let _one_at_a_time = self.writing.lock();
            // What is there may be damaged, and then this mends it.
            if !fs::read(&path).is_ok_and(|there| there == arrival.bytes) {
                file::replace(&path, arrival.bytes).map_err(failed("write", &path))?;
            }
        }
        let kept = Kept {
            code: arrival.code.clone(),
            bytes: arrival.bytes.len() as u64,
            came_ms: crate::node::log::now_ms(),
            origin: arrival.origin.to_owned(),
            signature: arrival.signature.map(str::to_owned),
        };
        self.change(arrival.app, arrival.module, running, |ran| {
            ran.keep(kept);
            change(ran);
        })
    }

    /// Changes the index, and then removes what nobody refers to any more. A crash in between leaves files that the next
    /// change removes, never an index that refers to nothing.
    fn change(
        &self,
        app: &str,
        module: &str,
        running: &[String],
        change: impl FnOnce(&mut Ran),
    ) -> Result<(), StoreError> {
        let _one_at_a_time = self.writing.lock();
        let mut index = self.index.read().clone();
        let ran = index.entry(app, module);
        change(ran);
        ran.forget(running);
        let path = self.folder.join("index.json");
        file::replace(&path, index.to_json().as_bytes()).map_err(failed("write", &path))?;
        let wanted = index.digests();
        *self.index.write() = index;
        self.remove_all_but(&wanted)
    }

    fn remove_all_but(&self, wanted: &BTreeSet<String>) -> Result<(), StoreError> {
        for entry in fs::read_dir(&self.folder).map_err(failed("read", &self.folder))? {
            let path = entry.map_err(failed("read", &self.folder))?.path();
            let digest = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
            let is_unwanted = match path.extension().and_then(|extension| extension.to_str()) {
                Some("wasm") => !wanted.contains(digest),
                // Where a crash came between writing a file and putting it in its place.
                Some("half") => true,
                _ => false,
            };
            if is_unwanted {
                fs::remove_file(&path).map_err(failed("remove", &path))?;
            }
        }
        Ok(())
    }

    fn path(&self, digest: &str) -> PathBuf {
        self.folder.join(format!("{digest}.wasm"))
    }
}

/// The digest by which code is known.
#[must_use]
pub fn digest(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}

/// Moves the folder out of the way, over the one that was moved there before.
fn put_aside(folder: &Path) -> Result<PathBuf, StoreError> {
    let aside = folder.with_extension("damaged");
    match fs::remove_dir_all(&aside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed("remove", &aside)(error)),
        _ => {}
    }
    fs::rename(folder, &aside).map_err(failed("move", folder))?;
    crate::node::home::private_folder(folder).map_err(|error| failed("create", folder)(io::Error::other(error)))?;
    Ok(aside)
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::File { action, path, source }
}

#[cfg(test)]
mod tests;
