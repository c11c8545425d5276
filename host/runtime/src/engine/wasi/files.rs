//! Operations on files: those that Skep performs in its own way, which open, write or list; and the others, which wait
//! their turn.
//!
//! Owns no path and no file.

use std::fs::File;
use std::io;
use std::sync::Arc;

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, LinkerInstance, Resource, ResourceTable, ResourceType};
use wasmtime_wasi::filesystem::{Descriptor, Dir, WasiFilesystem, WasiFilesystemCtxView, WasiFilesystemView};
use wasmtime_wasi::p2::bindings::filesystem::types::{
    self as files, Advice, DescriptorFlags, ErrorCode, Filesize, HostDescriptor, NewTimestamp, OpenFlags, PathFlags,
};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, FsError};
use wasmtime_wasi::{FsPerms, OpenMode};

use super::entries::Entries;
use super::open::{self, Opened, Wanted};
use super::opened::OpenFiles;
use super::streams::{Reader, Writer};
use super::{Acting, acting};
use crate::engine::context::Context;
use crate::engine::ledger::{Ledger, Permit};

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

/// Files as they are seen by operations on them: none at all where nothing may act, so that each operation traps.
fn open_files(context: &mut Context) -> WasiFilesystemCtxView<'_> {
    let Acting { context, table, .. } = acting(context);
    WasiFilesystemCtxView { ctx: context.filesystem(), table }
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
    let Acting { table, parts, .. } = acting(context);
    let folder = folder(table, &descriptor)?;
    let wanted = Wanted { path, follow: path_flags.contains(PathFlags::SYMLINK_FOLLOW), how, flags };
    check(&wanted, folder.perms)?;
    let place = parts.opened.place()?;
    let mut mode = OpenMode::empty();
    mode.set(OpenMode::WRITE, wanted.changes());
    mode.set(OpenMode::READ, flags.contains(DescriptorFlags::READ) || !flags.contains(DescriptorFlags::WRITE));
    let (ledger, limit) = (Arc::clone(&parts.ledger), parts.limits.written_bytes);
    let (dir, counted) = (Arc::clone(&folder.dir), Arc::clone(&ledger));
    let work = ledger.blocking(move || open::open(&dir, &wanted, || counted.write(NAME_BYTES, limit))).await;
    let descriptor = match work.await? {
        Opened::Folder(opened) => {
            let folder = Dir::new(opened, folder.perms, mode, false);
            parts.opened.keep(&folder.dir, place);
            Descriptor::Dir(folder)
        }
        Opened::File(opened) => {
            let opened = wasmtime_wasi::filesystem::File::new(opened, folder.perms, mode, false);
            parts.opened.keep(&opened.file, place);
            Descriptor::File(opened)
        }
    };
    Ok(table.push(descriptor)?)
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
    let Acting { table, parts, .. } = acting(context);
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
    let Acting { table, parts, .. } = acting(context);
    let file = parts.opened.hold(file(table, descriptor, OpenMode::READ)?);
    let reader: DynInputStream = Box::new(Reader::new(file, at, Arc::clone(&parts.ledger)));
    Ok(table.push(reader)?)
}

fn write_via_stream(
    context: &mut Context,
    descriptor: &Resource<Descriptor>,
    at: Option<Filesize>,
) -> Outcome<Resource<DynOutputStream>> {
    let Acting { table, parts, .. } = acting(context);
    let file = parts.opened.hold(file(table, descriptor, OpenMode::WRITE)?);
    let writer: DynOutputStream =
        Box::new(Writer::new(file, at, Arc::clone(&parts.ledger), parts.limits.written_bytes));
    Ok(table.push(writer)?)
}

async fn set_size(context: &mut Context, descriptor: Resource<Descriptor>, size: Filesize) -> Outcome<()> {
    let Acting { table, parts, .. } = acting(context);
    let file = file(table, &descriptor, OpenMode::WRITE)?;
    let (ledger, limit) = (Arc::clone(&parts.ledger), parts.limits.written_bytes);
    let set = move || {
        ledger.write(size.saturating_sub(file.metadata()?.len()), limit)?;
        file.set_len(size)
    };
    let work = parts.ledger.blocking(set).await;
    Ok(work.await?)
}

async fn read_directory(context: &mut Context, descriptor: Resource<Descriptor>) -> Outcome<Resource<Entries>> {
    let Acting { table, parts, .. } = acting(context);
    let folder = folder(table, &descriptor)?;
    let place = parts.opened.place()?;
    let entries = Entries::open(folder.dir, place, Arc::clone(&parts.ledger)).await?;
    Ok(table.push(entries)?)
}

/// Waits until an operation that wasmtime performs may block a thread. Where nothing may act, it will trap.
async fn permit(context: &mut Context) -> Option<Permit> {
    let may_act = context.phase.may_act();
    if may_act { Some(acting(context).parts.ledger.permit().await) } else { None }
}

/// Counts what an operation writes, before wasmtime performs it.
fn count(context: &mut Context, bytes: u64) -> Outcome<()> {
    Ok(acting(context).parts.write(bytes)?)
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

/// Adds what wasmtime performs: when its turn has come, and once the bytes are counted that it writes.
macro_rules! add {
    ($files:ident: $($name:literal writes $bytes:expr => $method:ident($($argument:ident: $type:ty),*);)*) => {$(
        $files.func_wrap_async(
            concat!("[method]descriptor.", $name),
            |mut store: Store<'_>, ($($argument,)*): ($($type,)*)| {
                Box::new(async move {
                    let context = store.data_mut();
                    let _permit = permit(context).await;
                    answer(match count(context, $bytes) {
                        Ok(()) => open_files(context).$method($($argument),*).await,
                        Err(full) => Err(full),
                    })
                })
            },
        )?;
    )*};
}

/// What wasmtime performs.
fn add_counted(files: &mut LinkerInstance<'_, Context>) -> wasmtime::Result<()> {
    type Dir = Resource<Descriptor>;
    add! { files:
        "advise" writes 0 => advise(file: Dir, at: Filesize, bytes: Filesize, advice: Advice);
        "sync-data" writes 0 => sync_data(file: Dir);
        "sync" writes 0 => sync(file: Dir);
        "set-times" writes 0 => set_times(file: Dir, accessed: NewTimestamp, modified: NewTimestamp);
        "read" writes 0 => read(file: Dir, bytes: Filesize, at: Filesize);
        "write" writes bytes.len() as u64 => write(file: Dir, bytes: Vec<u8>, at: Filesize);
        "stat" writes 0 => stat(file: Dir);
        "stat-at" writes 0 => stat_at(folder: Dir, flags: PathFlags, path: String);
        "metadata-hash" writes 0 => metadata_hash(file: Dir);
        "metadata-hash-at" writes 0 => metadata_hash_at(folder: Dir, flags: PathFlags, path: String);
        "readlink-at" writes 0 => readlink_at(folder: Dir, path: String);
        "create-directory-at" writes NAME_BYTES => create_directory_at(folder: Dir, path: String);
        "symlink-at" writes NAME_BYTES => symlink_at(folder: Dir, to: String, path: String);
        "link-at" writes NAME_BYTES => link_at(from: Dir, flags: PathFlags, name: String, to: Dir, path: String);
        "rename-at" writes 0 => rename_at(from: Dir, name: String, to: Dir, path: String);
        "remove-directory-at" writes 0 => remove_directory_at(folder: Dir, path: String);
        "unlink-file-at" writes 0 => unlink_file_at(folder: Dir, path: String);
    }
    Ok(())
}

/// What is in a folder.
fn add_entries(files: &mut LinkerInstance<'_, Context>) -> wasmtime::Result<()> {
    files.resource("directory-entry-stream", ResourceType::host::<Entries>(), |mut store, entries| {
        store.data_mut().wasi().table.delete(Resource::<Entries>::new_own(entries))?;
        Ok(())
    })?;
    files.func_wrap_async("[method]descriptor.read-directory", |mut store: Store<'_>, (folder,)| {
        Box::new(async move { answer(read_directory(store.data_mut(), folder).await) })
    })?;
    files.func_wrap_async(
        "[method]directory-entry-stream.read-directory-entry",
        |mut store: Store<'_>, (entries,): (Resource<Entries>,)| {
            Box::new(async move {
                answer(match acting(store.data_mut()).table.get_mut(&entries) {
                    Ok(entries) => entries.next().await,
                    Err(error) => Err(error.into()),
                })
            })
        },
    )
}

/// What may be done with a descriptor in every phase: ask what it is, and let go of it. C libraries look at the granted
/// folders when they start, which some, such as Debian's, do in the first export that is called: `restore`, perhaps.
fn add_harmless(files: &mut LinkerInstance<'_, Context>) -> wasmtime::Result<()> {
    files.resource("descriptor", ResourceType::host::<Descriptor>(), |mut store, descriptor| {
        let context = store.data_mut();
        HostDescriptor::drop(&mut context.filesystem(), Resource::new_own(descriptor))?;
        context.wasi().parts.opened.tidy();
        Ok(())
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
    add_entries(&mut files)?;
    add_counted(&mut files)
}
