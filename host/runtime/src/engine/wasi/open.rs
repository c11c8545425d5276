//! Opening what a path leads to within a granted folder: files and folders, and nothing that could block for ever.
//!
//! A FIFO, a socket or a device in a granted folder is seen and can be removed, but not opened. The kernel resolves the
//! path, beneath the folder, in one step: who swaps names at the same time gains nothing. Blocks, so it runs on a thread
//! for that.

use std::fs::File;
use std::io;

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use wasmtime_wasi::p2::bindings::filesystem::types::{DescriptorFlags, OpenFlags};

/// How often a path is tried whose parts are renamed meanwhile.
const ATTEMPTS: usize = 64;

/// What a guest wants to open.
#[derive(Clone)]
pub(super) struct Wanted {
    pub(super) path: String,
    /// Whether a link at its end is followed.
    pub(super) follow: bool,
    pub(super) how: OpenFlags,
    pub(super) flags: DescriptorFlags,
}

/// What was opened.
pub(super) enum Opened {
    File(File),
    Folder(File),
}

impl Wanted {
    /// Whether it needs the right to change the folder.
    pub(super) fn changes(&self) -> bool {
        self.how.intersects(OpenFlags::CREATE | OpenFlags::TRUNCATE) || self.flags.contains(DescriptorFlags::WRITE)
    }

    /// As the system has it. Without waiting for whoever is at the other end: it may be a FIFO by now.
    fn flags(&self) -> OFlags {
        let writes = self.changes();
        let reads = self.flags.contains(DescriptorFlags::READ) || !self.flags.contains(DescriptorFlags::WRITE);
        let mut flags = match (reads, writes) {
            (true, true) => OFlags::RDWR,
            (false, true) => OFlags::WRONLY,
            (_, false) => OFlags::RDONLY,
        };
        flags |= OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        flags.set(OFlags::CREATE, self.how.contains(OpenFlags::CREATE));
        flags.set(OFlags::EXCL, self.how.contains(OpenFlags::EXCLUSIVE));
        flags.set(OFlags::TRUNC, self.how.contains(OpenFlags::TRUNCATE));
        flags.set(OFlags::DIRECTORY, self.how.contains(OpenFlags::DIRECTORY));
        flags.set(OFlags::NOFOLLOW, !self.follow);
        flags
    }
}

/// Opens a path beneath a folder. `name` is asked before a new name is made.
pub(super) fn open(folder: &File, wanted: &Wanted, name: impl FnOnce() -> io::Result<()>) -> io::Result<Opened> {
    match look(folder, &wanted.path, wanted.follow) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound && wanted.how.contains(OpenFlags::CREATE) => name()?,
        Err(error) => return Err(error),
    }
    let file = beneath(folder, &wanted.path, wanted.flags(), Mode::from_raw_mode(0o666))?;
    match admitted(&file)? {
        FileType::Directory => Ok(Opened::Folder(file)),
        _ => Ok(Opened::File(file)),
    }
}

/// What a path leads to, without opening it; refused if it is neither file nor folder nor link.
pub(super) fn look(folder: &File, path: &str, follow: bool) -> io::Result<File> {
    let mut flags = OFlags::PATH | OFlags::CLOEXEC;
    flags.set(OFlags::NOFOLLOW, !follow);
    let seen = beneath(folder, path, flags, Mode::empty())?;
    admitted(&seen)?;
    Ok(seen)
}

/// The kind of a file, if a guest may have one of its kind.
fn admitted(file: &File) -> io::Result<FileType> {
    match FileType::from_raw_mode(rustix::fs::fstat(file)?.st_mode) {
        kind @ (FileType::RegularFile | FileType::Directory | FileType::Symlink) => Ok(kind),
        _ => Err(Errno::PERM.into()),
    }
}

fn beneath(folder: &File, path: &str, flags: OFlags, mode: Mode) -> io::Result<File> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    let mode = if flags.contains(OFlags::CREATE) { mode } else { Mode::empty() };
    for _ in 0..ATTEMPTS {
        match rustix::fs::openat2(folder, path, flags, mode, resolve) {
            Ok(file) => return Ok(file.into()),
            Err(Errno::AGAIN | Errno::INTR) => {}
            // A path that leads out of the folder.
            Err(Errno::XDEV) => return Err(Errno::PERM.into()),
            // What has nobody at its other end is a FIFO or a socket.
            Err(Errno::NXIO) => return Err(Errno::PERM.into()),
            Err(error) => return Err(error.into()),
        }
    }
    Err(Errno::BUSY.into())
}
