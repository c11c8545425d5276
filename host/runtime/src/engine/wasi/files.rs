//! Operations on files that Skep performs in its own way: opening, and whatever writes.
//!
//! Owns no path and no file. Everything else of `wasi:filesystem` is wasmtime's.

use std::any::Any;
use std::fs::File;
use std::io;
use std::sync::{Arc, Weak};

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, LinkerInstance, Resource, ResourceTable, ResourceType};
use wasmtime_wasi::filesystem::{Descriptor, Dir, WasiFilesystem, WasiFilesystemCtxView, WasiFilesystemView};
use wasmtime_wasi::p2::bindings::filesystem::types::{
    self as files, DescriptorFlags, ErrorCode, Filesize, HostDescriptor, NewTimestamp, OpenFlags, PathFlags,
};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, FsError};
use wasmtime_wasi::{FsPerms, OpenMode};

use super::Wasi;
use super::open::{self, Opened, Wanted};
use super::streams::{Reader, Writer};
use crate::engine::context::Context;
use crate::engine::ledger::Ledger;

/// The interface of file operations, as the linker has it.
const FILES: &str = "wasi:filesystem/types@0.2.12";
/// What a new name in a folder counts as written: about what it takes on a disk.
const NAME_BYTES: u64 = 4 << 10;

type Outcome<T> = Result<T, FsError>;
/// As the contract has it.
type Answer<T> = wasmtime::Result<(Result<T, ErrorCode>,)>;

fn answer<T>(outcome: Outcome<T>) -> Answer<T> {
    Ok((outcome.map(Ok).or_else(|error| error.downcast().map(Err))?,))
}

/// Files and folders that an instance has opened and not closed, whatever holds them: a descriptor, a stream, a read under
/// way. And what counts as one: sockets, and requests under way.
#[derive(Default)]
pub(super) struct OpenFiles(Vec<Weak<dyn Any + Send + Sync>>);

/// What keeps a place among the open files of an instance, for what is no file.
pub(super) type Place = Arc<dyn Any + Send + Sync>;

impl OpenFiles {
    fn count(&mut self) -> usize {
        self.0.retain(|file| file.strong_count() > 0);
        self.0.len()
    }

    pub(super) fn any(&self) -> bool {
        self.0.iter().any(|file| file.strong_count() > 0)
    }
}

/// Files as they are seen by operations on them: none at all where nothing may act, so that each operation traps.
fn open_files(context: &mut Context) -> WasiFilesystemCtxView<'_> {
    if context.phase.may_act() {
        return context.filesystem();
    }
    let wasi = context.wasi();
    WasiFilesystemCtxView { ctx: wasi.context.filesystem(), table: &mut wasi.nothing }
}

/// The table of what may be used, and the rest of an instance's WASI.
fn parts(context: &mut Context) -> (&mut ResourceTable, &mut Parts) {
    let may_act = context.phase.may_act();
    let Wasi { table, nothing, parts, .. } = context.wasi();
    (if may_act { table } else { nothing }, parts)
}

/// What operations on files need beside the table.
pub(super) struct Parts {
    pub(super) ledger: Arc<Ledger>,
    pub(super) limits: skep_kernel::FileLimits,
    pub(super) opened: OpenFiles,
}

impl Parts {
    fn write(&self, bytes: u64) -> io::Result<()> {
        self.ledger.write(bytes, self.limits.written_bytes)
    }

    fn is_full(&mut self) -> bool {
        self.opened.count() >= self.limits.open
    }

    /// A place among the open files, if there is one.
    pub(super) fn place(&mut self) -> Option<Place> {
        if self.is_full() {
            return None;
        }
        let place: Place = Arc::new(());
        self.opened.0.push(Arc::downgrade(&place));
        Some(place)
    }
}

/// The folder behind a descriptor.
fn folder(table: &ResourceTable, descriptor: &Resource<Descriptor>) -> Outcome<Dir> {
    match table.get(descriptor)? {
        Descriptor::Dir(folder) => Ok(folder.clone()),
        Descriptor::File(_) => Err(ErrorCode::NotDirectory.into()),
    }
}

/// The file behind a descriptor that was opened for this.
fn file(table: &ResourceTable, descriptor: &Resource<Descriptor>, mode: OpenMode) -> Outcome<Arc<File>> {
    match table.get(descriptor)? {
        Descriptor::Dir(_) => Err(ErrorCode::IsDirectory.into()),
        Descriptor::File(file) if mode == OpenMode::WRITE && file.perms.write_not_permitted() => {
            Err(ErrorCode::NotPermitted.into())
        }
        Descriptor::File(file) => Ok(Arc::clone(&file.file)),
    }
}

async fn open_at(
    context: &mut Context,
    (descriptor, path_flags, path, how, flags): (Resource<Descriptor>, PathFlags, String, OpenFlags, DescriptorFlags),
) -> Outcome<Resource<Descriptor>> {
    let (table, parts) = parts(context);
    let folder = folder(table, &descriptor)?;
    let wanted = Wanted { path, follow: path_flags.contains(PathFlags::SYMLINK_FOLLOW), how, flags };
    check(&wanted, folder.perms)?;
    if parts.is_full() {
        return Err(ErrorCode::Quota.into());
    }
    let mut mode = OpenMode::empty();
    mode.set(OpenMode::WRITE, wanted.changes());
    mode.set(OpenMode::READ, flags.contains(DescriptorFlags::READ) || !flags.contains(DescriptorFlags::WRITE));
    let (ledger, limit) = (Arc::clone(&parts.ledger), parts.limits.written_bytes);
    let (dir, counted) = (Arc::clone(&folder.dir), Arc::clone(&ledger));
    let work = ledger.blocking(move || open::open(&dir, &wanted, || counted.write(NAME_BYTES, limit))).await;
    let (descriptor, file): (_, Weak<File>) = match work.await? {
        Opened::Folder(opened) => {
            let folder = Dir::new(opened, folder.perms, mode, false);
            let file = Arc::downgrade(&folder.dir);
            (Descriptor::Dir(folder), file)
        }
        Opened::File(opened) => {
            let opened = wasmtime_wasi::filesystem::File::new(opened, folder.perms, mode, false);
            let file = Arc::downgrade(&opened.file);
            (Descriptor::File(opened), file)
        }
    };
    let pushed = table.push(descriptor)?;
    parts.opened.0.push(file);
    Ok(pushed)
}

/// What no folder of these rights allows, and what makes no sense.
fn check(wanted: &Wanted, rights: FsPerms) -> Outcome<()> {
    let synchronous = DescriptorFlags::FILE_INTEGRITY_SYNC
        | DescriptorFlags::DATA_INTEGRITY_SYNC
        | DescriptorFlags::REQUESTED_WRITE_SYNC;
    let makes = OpenFlags::CREATE | OpenFlags::EXCLUSIVE | OpenFlags::TRUNCATE;
    if wanted.flags.intersects(synchronous) {
        return Err(ErrorCode::Unsupported.into());
    }
    if wanted.how.contains(OpenFlags::DIRECTORY) && wanted.how.intersects(makes) {
        return Err(ErrorCode::Invalid.into());
    }
    if wanted.changes() && rights.write_not_permitted() {
        return Err(ErrorCode::NotPermitted.into());
    }
    Ok(())
}

/// Sets times through what was looked at, which may no longer be what the path leads to.
async fn set_times_at(
    context: &mut Context,
    (descriptor, path_flags, path, accessed, modified): (
        Resource<Descriptor>,
        PathFlags,
        String,
        NewTimestamp,
        NewTimestamp,
    ),
) -> Outcome<()> {
    let (table, parts) = parts(context);
    let folder = folder(table, &descriptor)?;
    if folder.perms.write_not_permitted() {
        return Err(ErrorCode::NotPermitted.into());
    }
    let follow = path_flags.contains(PathFlags::SYMLINK_FOLLOW);
    let times = rustix::fs::Timestamps { last_access: timespec(accessed)?, last_modification: timespec(modified)? };
    let dir = Arc::clone(&folder.dir);
    let set = move || {
        let seen = open::look(&dir, &path, follow)?;
        Ok::<_, io::Error>(rustix::fs::utimensat(&seen, "", &times, rustix::fs::AtFlags::EMPTY_PATH)?)
    };
    let work = parts.ledger.blocking(set).await;
    Ok(work.await?)
}

fn timespec(time: NewTimestamp) -> Outcome<rustix::fs::Timespec> {
    Ok(match time {
        NewTimestamp::NoChange => rustix::fs::Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_OMIT },
        NewTimestamp::Now => rustix::fs::Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_NOW },
        NewTimestamp::Timestamp(time) => rustix::fs::Timespec {
            tv_sec: i64::try_from(time.seconds).map_err(|_| ErrorCode::Overflow)?,
            tv_nsec: i64::from(time.nanoseconds.min(999_999_999)),
        },
    })
}

fn read_via_stream(
    context: &mut Context,
    descriptor: &Resource<Descriptor>,
    at: Filesize,
) -> Outcome<Resource<DynInputStream>> {
    let (table, parts) = parts(context);
    let file = file(table, descriptor, OpenMode::READ)?;
    let reader: DynInputStream = Box::new(Reader::new(file, at, Arc::clone(&parts.ledger)));
    Ok(table.push(reader)?)
}

fn write_via_stream(
    context: &mut Context,
    descriptor: &Resource<Descriptor>,
    at: Option<Filesize>,
) -> Outcome<Resource<DynOutputStream>> {
    let (table, parts) = parts(context);
    let file = file(table, descriptor, OpenMode::WRITE)?;
    let writer: DynOutputStream =
        Box::new(Writer::new(file, at, Arc::clone(&parts.ledger), parts.limits.written_bytes));
    Ok(table.push(writer)?)
}

async fn set_size(context: &mut Context, descriptor: Resource<Descriptor>, size: Filesize) -> Outcome<()> {
    let (table, parts) = parts(context);
    let file = file(table, &descriptor, OpenMode::WRITE)?;
    let (ledger, limit) = (Arc::clone(&parts.ledger), parts.limits.written_bytes);
    let set = move || {
        ledger.write(size.saturating_sub(file.metadata()?.len()), limit)?;
        file.set_len(size)
    };
    let work = parts.ledger.blocking(set).await;
    Ok(work.await?)
}

/// Counts what an operation writes, before wasmtime performs it.
fn count(context: &mut Context, bytes: u64) -> Outcome<()> {
    let (_, parts) = parts(context);
    Ok(parts.write(bytes)?)
}

type Store<'a> = StoreContextMut<'a, Context>;

/// What opens, and what writes through a descriptor.
fn add_opening(files: &mut LinkerInstance<'_, Context>) -> wasmtime::Result<()> {
    files.func_wrap_async("[method]descriptor.open-at", |mut store: Store<'_>, wanted| {
        Box::new(async move { answer(open_at(store.data_mut(), wanted).await) })
    })?;
    files.func_wrap_async("[method]descriptor.set-times-at", |mut store: Store<'_>, wanted| {
        Box::new(async move { answer(set_times_at(store.data_mut(), wanted).await) })
    })?;
    files.func_wrap_async("[method]descriptor.set-size", |mut store: Store<'_>, (descriptor, size)| {
        Box::new(async move { answer(set_size(store.data_mut(), descriptor, size).await) })
    })?;
    files.func_wrap("[method]descriptor.read-via-stream", |mut store: Store<'_>, (descriptor, at)| {
        answer(read_via_stream(store.data_mut(), &descriptor, at))
    })?;
    files.func_wrap("[method]descriptor.write-via-stream", |mut store: Store<'_>, (descriptor, at)| {
        answer(write_via_stream(store.data_mut(), &descriptor, Some(at)))
    })?;
    files.func_wrap("[method]descriptor.append-via-stream", |mut store: Store<'_>, (descriptor,)| {
        answer(write_via_stream(store.data_mut(), &descriptor, None))
    })
}

/// What wasmtime performs once it is counted.
fn add_counted(files: &mut LinkerInstance<'_, Context>) -> wasmtime::Result<()> {
    type Dir = Resource<Descriptor>;
    files.func_wrap_async(
        "[method]descriptor.write",
        |mut store: Store<'_>, (descriptor, bytes, at): (Dir, Vec<u8>, Filesize)| {
            Box::new(async move {
                let context = store.data_mut();
                answer(match count(context, bytes.len() as u64) {
                    Ok(()) => open_files(context).write(descriptor, bytes, at).await,
                    Err(full) => Err(full),
                })
            })
        },
    )?;
    files.func_wrap_async(
        "[method]descriptor.create-directory-at",
        |mut store: Store<'_>, (descriptor, path): (Dir, String)| {
            Box::new(async move {
                let context = store.data_mut();
                answer(match count(context, NAME_BYTES) {
                    Ok(()) => open_files(context).create_directory_at(descriptor, path).await,
                    Err(full) => Err(full),
                })
            })
        },
    )?;
    files.func_wrap_async(
        "[method]descriptor.symlink-at",
        |mut store: Store<'_>, (descriptor, to, path): (Dir, String, String)| {
            Box::new(async move {
                let context = store.data_mut();
                answer(match count(context, NAME_BYTES) {
                    Ok(()) => open_files(context).symlink_at(descriptor, to, path).await,
                    Err(full) => Err(full),
                })
            })
        },
    )?;
    files.func_wrap_async(
        "[method]descriptor.link-at",
        |mut store: Store<'_>, (descriptor, flags, from, folder, to): (Dir, PathFlags, String, Dir, String)| {
            Box::new(async move {
                let context = store.data_mut();
                answer(match count(context, NAME_BYTES) {
                    Ok(()) => open_files(context).link_at(descriptor, flags, from, folder, to).await,
                    Err(full) => Err(full),
                })
            })
        },
    )
}

/// What may be done with a descriptor in every phase: ask what it is, and let go of it. C libraries look at the granted
/// folders when they start, which some, such as Debian's, do in the first export that is called: `restore`, perhaps.
fn add_harmless(files: &mut LinkerInstance<'_, Context>) -> wasmtime::Result<()> {
    files.resource("descriptor", ResourceType::host::<Descriptor>(), |mut store, descriptor| {
        HostDescriptor::drop(&mut store.data_mut().filesystem(), Resource::new_own(descriptor))
    })?;
    files.func_wrap_async("[method]descriptor.get-type", |mut store, (descriptor,): (Resource<Descriptor>,)| {
        Box::new(async move { answer(store.data_mut().filesystem().get_type(descriptor).await) })
    })?;
    files.func_wrap_async("[method]descriptor.get-flags", |mut store, (descriptor,): (Resource<Descriptor>,)| {
        Box::new(async move { answer(store.data_mut().filesystem().get_flags(descriptor).await) })
    })
}

/// Adds `wasi:filesystem/types` over wasmtime's.
pub(super) fn add_to_linker(linker: &mut Linker<Context>) -> wasmtime::Result<()> {
    files::add_to_linker::<Context, WasiFilesystem>(linker, open_files)?;
    let mut files = linker.instance(FILES)?;
    add_harmless(&mut files)?;
    add_opening(&mut files)?;
    add_counted(&mut files)
}
