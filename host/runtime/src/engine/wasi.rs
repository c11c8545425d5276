//! What a guest sees of WASI: nothing of the host but clocks, random numbers and the folders that were granted.
//!
//! Owns the WASI context of one instance and the linking of WASI. Standard input is closed, output goes into the log
//! line by line, there are no arguments, no environment and no network. Made for components that import WASI only.
//! File operations run on a pool of threads for blocking work, never on the thread that runs the guest.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use wasmtime::component::{Linker, LinkerInstance, Resource, ResourceTable, ResourceType};
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystem, WasiFilesystemCtxView, WasiFilesystemView};
use wasmtime_wasi::p2::FsError;
use wasmtime_wasi::p2::bindings::filesystem::types::{self as files, HostDescriptor};
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use super::context::Context;
use super::output::{LineWriter, Tail, Work};
use crate::api::Syscalls;
use crate::observe::Level;
use crate::spec::{Access, Grants};

/// Resources of WASI that one instance may hold at once, such as open files. Most programs hold a handful.
const RESOURCES: usize = 4_096;
/// The interface of file operations, as the linker has it.
const FILES: &str = "wasi:filesystem/types@0.2.12";
/// Random bytes for one request: the host produces them without giving way.
const RANDOM_BYTES: u64 = 16 << 10;

/// A granted folder cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("the granted folder {} cannot be opened: {error}", folder.display())]
pub struct FolderError {
    /// Which, on the host.
    pub folder: PathBuf,
    /// What the system said.
    pub error: io::Error,
}

/// The WASI of one instance.
pub struct Wasi {
    context: WasiCtx,
    table: ResourceTable,
    /// Always empty: what files are looked up in where nothing may act.
    nothing: ResourceTable,
    errors: Arc<Mutex<Tail>>,
    output: Arc<Work>,
    granted_folders: usize,
}

impl Wasi {
    /// Opens the granted folders; without `syscalls` output goes nowhere.
    pub fn new(syscalls: Option<&Arc<dyn Syscalls>>, grants: &Grants) -> Result<Self, FolderError> {
        let errors = Arc::new(Mutex::new(Tail::default()));
        let output = Arc::new(Work::default());
        let writer = |level, tail| LineWriter::new(syscalls.cloned(), level, tail, output.clone());
        let mut builder = WasiCtxBuilder::new();
        builder
            .stdout(writer(Level::Info, None))
            .stderr(writer(Level::Warn, Some(errors.clone())))
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false)
            .max_random_size(RANDOM_BYTES);
        for grant in &grants.folders {
            let permissions = match grant.access {
                Access::Read => FsPerms::ReadOnly,
                Access::Write => FsPerms::ReadWrite,
            };
            builder.preopened_dir(&grant.host, &grant.guest, permissions).map_err(|error| FolderError {
                folder: grant.host.clone(),
                error: io::Error::other(error.root_cause().to_string()),
            })?;
        }
        let mut table = ResourceTable::new();
        table.set_max_capacity(RESOURCES);
        Ok(Wasi {
            context: builder.build(),
            table,
            nothing: ResourceTable::new(),
            errors,
            output,
            granted_folders: grants.folders.len(),
        })
    }

    /// The end of what the guest wrote to its standard error.
    #[must_use]
    pub fn standard_error(&self) -> String {
        self.errors.lock().text()
    }

    /// What its output has cost.
    pub(super) fn output(&self) -> &Work {
        &self.output
    }

    /// Whether the guest holds open files, or folders beyond those granted, which a saved state would not bring back.
    pub fn holds_files(&mut self) -> bool {
        let mut folders = 0;
        self.table.iter_mut().any(|resource| match resource.downcast_ref::<Descriptor>() {
            Some(Descriptor::File(_)) => true,
            Some(Descriptor::Dir(_)) => {
                folders += 1;
                folders > self.granted_folders
            }
            None => false,
        })
    }
}

impl Context {
    /// The WASI of this instance. A component that uses what it did not import does not exist; if it did, it would get
    /// one that denies everything.
    fn wasi(&mut self) -> &mut Wasi {
        self.wasi.get_or_insert_with(|| {
            let denied = Wasi::new(None, &Grants::default());
            Box::new(denied.expect("without folders nothing can fail"))
        })
    }
}

impl WasiView for Context {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let wasi = self.wasi();
        WasiCtxView { ctx: &mut wasi.context, table: &mut wasi.table }
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

/// What may be done with a descriptor in every phase: ask what it is, and let go of it. C libraries look at the granted
/// folders when they start, which some, such as Debian's, do in the first export that is called: `restore`, perhaps.
fn add_harmless(files: &mut LinkerInstance<'_, Context>) -> wasmtime::Result<()> {
    fn outcome<T>(answer: Result<T, FsError>) -> wasmtime::Result<(Result<T, files::ErrorCode>,)> {
        Ok((answer.map(Ok).or_else(|error| error.downcast().map(Err))?,))
    }
    files.resource("descriptor", ResourceType::host::<Descriptor>(), |mut store, descriptor| {
        HostDescriptor::drop(&mut store.data_mut().filesystem(), Resource::new_own(descriptor))
    })?;
    files.func_wrap_async("[method]descriptor.get-type", |mut store, (descriptor,): (Resource<Descriptor>,)| {
        Box::new(async move { outcome(store.data_mut().filesystem().get_type(descriptor).await) })
    })?;
    files.func_wrap_async("[method]descriptor.get-flags", |mut store, (descriptor,): (Resource<Descriptor>,)| {
        Box::new(async move { outcome(store.data_mut().filesystem().get_flags(descriptor).await) })
    })
}

/// Adds all of WASI 0.2 as far as it exists here.
pub fn add_to_linker(linker: &mut Linker<Context>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    linker.allow_shadowing(true);
    files::add_to_linker::<Context, WasiFilesystem>(linker, open_files)?;
    add_harmless(&mut linker.instance(FILES)?)?;
    linker.allow_shadowing(false);
    Ok(())
}
