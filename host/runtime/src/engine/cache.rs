//! Compiled code on disk, so that a second start compiles nothing.
//!
//! Owns one folder that nobody else can enter, and what is loaded from it: loading compiled code is running it.
//! Each file has a checksum beside it, and one that does not match is compiled again and never loaded. Nothing here
//! fails a load: what cannot be read or written is compiled, with a warning.

use std::fs::{self, DirBuilder, File};
use std::hash::{Hash, Hasher};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use wasmtime::component::Component;

/// The folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// It can be neither found nor made.
    #[error("the folder for compiled code, {}, cannot be used: {error}", folder.display())]
    Io {
        /// Which.
        folder: PathBuf,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// It is not a folder.
    #[error("{} is to hold compiled code, but is not a folder", folder.display())]
    NotAFolder {
        /// Which.
        folder: PathBuf,
    },
    /// Somebody else could put code there, which would run outside of any sandbox.
    #[error(
        "the folder for compiled code, {}, must belong to user {user} and be closed to all others, \
         but belongs to user {owner} with mode {mode:03o} (chmod 700, or name another folder)",
        folder.display()
    )]
    Open {
        /// Which.
        folder: PathBuf,
        /// Who runs this program.
        user: u32,
        /// Whose it is.
        owner: u32,
        /// Its permissions.
        mode: u32,
    },
}

/// The folder, checked.
#[derive(Debug)]
pub struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// Makes the folder if it is not there, and refuses one that others can enter.
    pub fn open(folder: &Path) -> Result<Self, CacheError> {
        let io = |error| CacheError::Io { folder: folder.to_owned(), error };
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(io)?;
        let folder = folder.canonicalize().map_err(io)?;
        let meta = fs::metadata(&folder).map_err(io)?;
        if !meta.is_dir() {
            return Err(CacheError::NotAFolder { folder });
        }
        let user = rustix::process::geteuid().as_raw();
        let (owner, mode) = (meta.uid(), meta.mode() & 0o777);
        if owner != user || mode & 0o077 != 0 {
            return Err(CacheError::Open { folder, user, owner, mode });
        }
        Ok(Cache { folder })
    }

    /// The compiled form of the component `digest` for `engine`: from disk, or by `compile`, and then kept.
    pub fn component<E>(
        &self,
        engine: &wasmtime::Engine,
        digest: &str,
        compile: impl FnOnce() -> Result<Component, E>,
        failed: impl FnOnce(wasmtime::Error) -> E,
    ) -> Result<Component, E> {
        let code = self.folder.join(format!("{}.cwasm", key(engine, digest)));
        if let Some(component) = load(engine, &code) {
            return Ok(component);
        }
        let component = compile()?;
        if let Err(error) = self.store(&code, &component.serialize().map_err(failed)?) {
            tracing::warn!(%error, folder = %self.folder.display(), "compiled code could not be kept");
        }
        Ok(component)
    }

    /// The checksum goes last: until it is there, the file counts for nothing.
    fn store(&self, code: &Path, bytes: &[u8]) -> io::Result<()> {
        self.write(code, bytes)?;
        self.write(&checksum_path(code), blake3::hash(bytes).to_hex().as_bytes())
    }

    /// Writes a file in one step, as others see it.
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let temporary = self.folder.join(format!(".{}.{count}", std::process::id()));
        let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        let written = file.write_all(bytes).and_then(|()| fs::rename(&temporary, path));
        if written.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        written
    }
}

/// Names what was compiled, by what, for what: another build, setting or processor finds another file.
fn key(engine: &wasmtime::Engine, digest: &str) -> String {
    struct Blake(blake3::Hasher);
    impl Hasher for Blake {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
        fn finish(&self) -> u64 {
            unreachable!("the whole digest is used")
        }
    }
    let mut hasher = Blake(blake3::Hasher::new());
    digest.hash(&mut hasher);
    env!("CARGO_PKG_VERSION").hash(&mut hasher);
    // wasmtime's own version is in it.
    engine.precompile_compatibility_hash().hash(&mut hasher);
    // The pool checks a module against its sizes when it is compiled; they are not part of wasmtime's hash.
    format!("{:?}", engine.get_pooling_config()).hash(&mut hasher);
    hasher.0.finalize().to_hex().to_string()
}

fn checksum_path(code: &Path) -> PathBuf {
    code.with_extension("sum")
}

/// The component in a file that is whole.
fn load(engine: &wasmtime::Engine, code: &Path) -> Option<Component> {
    let expected = fs::read_to_string(checksum_path(code)).ok()?;
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(File::open(code).ok()?).ok()?;
    if hasher.finalize().to_hex().as_str() != expected {
        tracing::warn!(file = %code.display(), "compiled code is damaged and is compiled again");
        return None;
    }
    #[allow(unsafe_code, reason = "wasmtime cannot check compiled code; this file can vouch for it")]
    // SAFETY: the file was written by `store` from a component that this wasmtime compiled: it lies in a folder that
    // only this user can enter, its name covers version and settings, and its checksum was just compared. Whoever can
    // exchange it between the two steps is this user, who can run any code anyway.
    let component = unsafe { Component::deserialize_file(engine, code) };
    component.inspect_err(|error| tracing::warn!(%error, "compiled code does not load and is compiled again")).ok()
}
