//! The folders of a guest: opened anew for each instance, and where the manifest's check found them or not at all.
//!
//! A folder may lie in one that another guest can write to. So no link is followed on the way: who replaced a part of the
//! path by one would choose what is granted.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::PathBuf;

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use wasmtime_wasi::{FsPerms, WasiCtxBuilder};

use crate::spec::{Access, FolderGrant};

/// A granted folder cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("the granted folder {} cannot be opened: {error}", folder.display())]
pub struct FolderError {
    /// Which, on the host.
    pub folder: PathBuf,
    /// What the system said.
    pub error: io::Error,
}

/// Gives the folders that were granted.
pub(super) fn give(builder: &mut WasiCtxBuilder, granted: &[FolderGrant]) -> Result<(), FolderError> {
    for grant in granted {
        let rights = match grant.access {
            Access::Read => FsPerms::ReadOnly,
            Access::Write => FsPerms::ReadWrite,
        };
        let failed = |error| FolderError { folder: grant.host.clone(), error };
        let folder = open(grant).map_err(failed)?;
        // What the descriptor stands for, whatever has become of the path.
        let path = format!("/proc/self/fd/{}", folder.as_raw_fd());
        let given = builder.preopened_dir(path, &grant.guest, rights);
        given.map_err(|error| failed(io::Error::other(error.root_cause().to_string())))?;
    }
    Ok(())
}

fn open(grant: &FolderGrant) -> io::Result<File> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened = rustix::fs::openat2(CWD, &grant.host, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS);
    match opened {
        Err(rustix::io::Errno::LOOP) => Err(io::Error::other("a link is on the way to it; grant what it leads to")),
        opened => Ok(opened?.into()),
    }
}
