//! Puts components where they are found.
//!
//! Owns the folder `<target folder>/skep`, the lock on it, and replacing a component in one step. Never compiles.
//! Called before and after the compiler.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use skep_runtime::engine::wrap;

use super::discover::{Guest, Workspace};
use super::report::{Event, Report};
use super::{BuildError, Built, Freshness};

/// Where the components of a workspace go.
pub(super) fn folder(workspace: &Workspace) -> PathBuf {
    workspace.target_dir.join("skep")
}

/// Holds off other builds of the same workspace: a compiler writes its module in place, so one could be read half
/// written, and two installing packages at once would fail. Held until the file is dropped.
pub(super) fn lock(workspace: &Workspace, report: &mut dyn Report) -> Result<File, BuildError> {
    let folder = folder(workspace);
    fs::create_dir_all(&folder).map_err(|source| BuildError::File {
        action: "create",
        path: folder.clone(),
        source,
    })?;
    let path = folder.join(".lock");
    let failed = |source| BuildError::File { action: "lock", path: path.clone(), source };
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            report.event(Event::Waiting { lock: &path });
            file.lock().map_err(failed)?;
        }
        Err(TryLockError::Error(source)) => return Err(failed(source)),
    }
    Ok(file)
}

/// Makes a component of what the compiler left, and puts it in its place if it is another one than there.
pub(super) fn component(
    guest: &Guest,
    workspace: &Workspace,
    module: &Path,
    report: &mut dyn Report,
) -> Result<Built, BuildError> {
    let bytes =
        fs::read(module).map_err(|source| BuildError::File { action: "read", path: module.to_owned(), source })?;
    let component = wrap::component(&bytes).map_err(|source| BuildError::Wrap {
        package: guest.package.clone(),
        path: module.to_owned(),
        source,
    })?;
    let path = folder(workspace).join(format!("{}.wasm", guest.package));
    let freshness = replace(&path, &component)?;
    let size = component.len() as u64;
    report.event(Event::Wrapped { package: &guest.package, path: &path, size, freshness });
    Ok(Built { package: guest.package.clone(), path, target: guest.target, size, freshness })
}

/// Whoever reads the file meanwhile sees the old one or the new one, never half of it.
fn replace(path: &Path, bytes: &[u8]) -> Result<Freshness, BuildError> {
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(Freshness::Unchanged);
    }
    let failed = |source| BuildError::File { action: "write", path: path.to_owned(), source };
    let half = path.with_extension(format!("wasm.{}", std::process::id()));
    fs::write(&half, bytes).map_err(failed)?;
    fs::rename(&half, path).map_err(failed)?;
    Ok(Freshness::Written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_is_written_only_where_it_differs() {
        let path = std::env::temp_dir().join(format!("skep-output-{}.wasm", std::process::id()));
        let changed = || fs::metadata(&path).and_then(|file| file.modified()).expect("it is there");
        assert_eq!(replace(&path, b"one").expect("written"), Freshness::Written);
        let before = changed();
        assert_eq!(replace(&path, b"one").expect("the same"), Freshness::Unchanged);
        assert_eq!(changed(), before, "untouched");
        assert_eq!(replace(&path, b"two").expect("another"), Freshness::Written);
        assert_eq!(fs::read(&path).expect("readable"), b"two");
        fs::remove_file(path).expect("its own file");
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_named() {
        let error = replace(Path::new("/no-such-folder/g.wasm"), b"one").expect_err("no folder");
        assert!(error.to_string().contains("/no-such-folder/g.wasm"), "{error}");
    }
}
