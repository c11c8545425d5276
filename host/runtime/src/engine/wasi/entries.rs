//! What is in a folder, read little by little: a folder may have more entries than there is memory.
//!
//! Owns the place in the folder. Counts as one that is open.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use wasmtime_wasi::p2::FsError;
use wasmtime_wasi::p2::bindings::filesystem::types::{DescriptorType, DirectoryEntry, ErrorCode};

use super::opened::Place;
use crate::engine::ledger::Ledger;

/// Entries read at once.
const BATCH: usize = 64;

type Entry = Result<DirectoryEntry, ErrorCode>;

/// A folder being read.
pub(super) struct Entries {
    ledger: Arc<Ledger>,
    /// None once its end was reached.
    rest: Option<Rest>,
    read: VecDeque<Entry>,
}

/// What is not read yet.
struct Rest {
    dir: Dir,
    _place: Place,
}

impl Entries {
    /// Of this folder, from its beginning.
    pub(super) async fn open(folder: Arc<std::fs::File>, place: Place, ledger: Arc<Ledger>) -> Result<Self, FsError> {
        // Opened anew: a granted folder can be looked into, but not read, and two readers do not share a place in it.
        let open = move || {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            Dir::new(rustix::fs::openat(&folder, ".", flags, Mode::empty())?)
        };
        let work = ledger.blocking(open).await;
        let dir = work.await.map_err(io::Error::from)?;
        Ok(Entries { ledger, rest: Some(Rest { dir, _place: place }), read: VecDeque::new() })
    }

    /// The next one.
    pub(super) async fn next(&mut self) -> Result<Option<DirectoryEntry>, FsError> {
        if self.read.is_empty()
            && let Some(mut rest) = self.rest.take()
        {
            let work = self.ledger.blocking(move || {
                let entries = batch(&mut rest.dir);
                (entries, rest)
            });
            let (entries, rest) = work.await.await;
            self.read = entries?;
            // Its end gives the place back.
            self.rest = (self.read.len() == BATCH).then_some(rest);
        }
        Ok(self.read.pop_front().transpose()?)
    }
}

/// The next entries: fewer at the end of the folder.
fn batch(dir: &mut Dir) -> io::Result<VecDeque<Entry>> {
    let mut entries = VecDeque::new();
    while entries.len() < BATCH
        && let Some(entry) = dir.read()
    {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let kind = match entry.file_type() {
            // Some file systems do not say.
            FileType::Unknown => match rustix::fs::statat(dir.fd()?, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(seen) => FileType::from_raw_mode(seen.st_mode),
                Err(rustix::io::Errno::NOENT) => continue,
                Err(error) => return Err(error.into()),
            },
            kind => kind,
        };
        let name = name.to_str().map(str::to_owned).map_err(|_| ErrorCode::IllegalByteSequence);
        entries.push_back(name.map(|name| DirectoryEntry { type_: descriptor_type(kind), name }));
    }
    Ok(entries)
}

fn descriptor_type(kind: FileType) -> DescriptorType {
    match kind {
        FileType::RegularFile => DescriptorType::RegularFile,
        FileType::Directory => DescriptorType::Directory,
        FileType::Symlink => DescriptorType::SymbolicLink,
        FileType::CharacterDevice => DescriptorType::CharacterDevice,
        FileType::BlockDevice => DescriptorType::BlockDevice,
        // As wasmtime has it everywhere else: guests of WASI's first preview know neither, and would trap.
        FileType::Fifo | FileType::Socket | FileType::Unknown => DescriptorType::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs::{self, File};

    use skep_kernel::Time;
    use skep_kernel::budget::{Budget, BudgetSpec, Resource};

    use super::super::opened::OpenFiles;
    use super::*;

    #[tokio::test]
    async fn a_large_folder_is_read_little_by_little_and_to_its_end() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut expected = BTreeMap::new();
        for number in 0..3 * BATCH {
            let name = format!("entry-{number}");
            let path = folder.path().join(&name);
            let made = match number % 3 {
                0 => fs::write(path, "").map(|()| DescriptorType::RegularFile),
                1 => fs::create_dir(path).map(|()| DescriptorType::Directory),
                _ => std::os::unix::fs::symlink("nowhere", path).map(|()| DescriptorType::SymbolicLink),
            };
            expected.insert(name, format!("{:?}", made.expect("it is ours")));
        }
        let budget = Budget::new("app a", None, &BudgetSpec::default(), Time::ZERO);
        let place = OpenFiles::new(1, Some(Arc::clone(&budget))).place().expect("there is room");
        let file = Arc::new(File::open(folder.path()).expect("it is there"));
        let mut entries = Entries::open(file, place, Arc::default()).await.expect("it is a folder");
        let mut seen = BTreeMap::new();
        while let Some(entry) = entries.next().await.expect("it can be read") {
            assert!(entries.read.len() < BATCH, "no more than a batch is kept");
            seen.insert(entry.name, format!("{:?}", entry.type_));
        }
        assert_eq!(seen, expected);
        assert_eq!(budget.used(Resource::OpenFiles), 0, "its end gives the place back");
        assert!(entries.next().await.expect("it is over").is_none());
    }

    #[tokio::test]
    async fn a_name_that_is_no_text_is_an_error_of_its_own() {
        use std::os::unix::ffi::OsStrExt;
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("text"), "").expect("it is ours");
        fs::write(folder.path().join(std::ffi::OsStr::from_bytes(b"\xff")), "").expect("it is ours");
        let place = OpenFiles::new(1, None).place().expect("there is room");
        let file = Arc::new(File::open(folder.path()).expect("it is there"));
        let mut entries = Entries::open(file, place, Arc::default()).await.expect("it is a folder");
        let both = [entries.next().await, entries.next().await];
        assert_eq!(both.iter().filter(|entry| entry.is_err()).count(), 1);
        assert!(entries.next().await.expect("it is over").is_none());
    }
}
