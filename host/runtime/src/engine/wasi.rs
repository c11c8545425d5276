//! What a guest sees of WASI: nothing of the host but what was granted.
//!
//! Owns the WASI context of one instance and the linking of WASI. Standard input is closed, output goes into the log
//! line by line. Made for components that import WASI only. File operations and the look-up of names run on a pool of threads
//! for blocking work, never on the thread that runs the guest.

mod clocks;
mod console;
mod costs;
mod entries;
mod environment;
mod errors;
mod files;
mod folders;
mod http;
mod network;
mod open;
mod opened;
mod random;
mod streams;

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use skep_kernel::FileLimits;
use wasmtime::component::{Linker, ResourceTable};
use wasmtime_wasi::filesystem::Descriptor;
use wasmtime_wasi::{I32Exit, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use super::config::EngineConfig;
use super::context::Context;
use super::output::{LineWriter, Tail, Work};
use super::wrap::exit;
use crate::api::Syscalls;
use crate::observe::Level;
use crate::spec::{Grants, Output, Randomness};

use clocks::Clock;
use files::Parts;
use folders::FolderError;
use http::Http;
pub use http::RequestBounds;
use network::Reach;
pub use network::{Pins, Resolver, SystemResolver, Uplink};
use opened::{OpenFiles, Place};
pub use random::Streams;

/// Resources of WASI that one instance may hold at once, such as streams. Most programs hold a handful. The host keeps up to
/// 16 KiB for one, such as a list of headers: 16 MiB in all.
const RESOURCES: usize = 1_024;
/// Random bytes for one request: the host produces them without giving way.
const RANDOM_BYTES: u64 = 16 << 10;

/// What a guest is called, and what it is.
#[derive(Clone, Copy)]
pub struct Program<'a> {
    /// Its first argument, where it has any.
    pub name: &'a str,
    /// Whether it is a command, which has standard streams and a first argument always.
    pub is_command: bool,
}

/// The WASI of one instance.
pub struct Wasi {
    context: WasiCtx,
    table: ResourceTable,
    /// Always empty: what takes the place of the table where nothing may act.
    nothing: ResourceTable,
    errors: Arc<Mutex<Tail>>,
    output: Arc<Work>,
    granted_folders: usize,
    parts: Parts,
    reach: Reach,
    http: Http,
    /// What sockets hold among the open files, by where they are in the table.
    sockets: BTreeMap<u32, Place>,
}

impl Wasi {
    /// Opens the granted folders; without `syscalls` output goes nowhere. `program` is what it is given to.
    pub fn new(
        syscalls: Option<&Arc<dyn Syscalls>>,
        limits: &FileLimits,
        grants: &Grants,
        program: Program<'_>,
        uplink: &Arc<Uplink>,
    ) -> Result<Self, FolderError> {
        let errors = Arc::new(Mutex::new(Tail::default()));
        let output = Arc::new(Work::default());
        let console = syscalls.filter(|_| program.is_command).map(|syscalls| syscalls.console()).unwrap_or_default();
        let writer = |level, tail| LineWriter::new(syscalls.cloned(), level, tail, output.clone());
        let owner = match console.output {
            Output::Log => None,
            Output::To(owner) => Some(owner),
        };
        let ledger = syscalls.map(|syscalls| syscalls.ledger()).unwrap_or_default();
        let clock = || Clock { exactness: grants.outside.clocks, start: ledger.start() };
        let mut builder = WasiCtxBuilder::new();
        builder
            .stdout(writer(Level::Info, None).owned_by(owner))
            .stderr(writer(Level::Warn, Some(errors.clone())))
            .wall_clock(clock())
            .monotonic_clock(clock())
            .max_random_size(RANDOM_BYTES);
        if let Randomness::Seeded(seed) = grants.outside.random {
            ledger.streams(seed).give(&mut builder);
        }
        environment::give(&mut builder, &grants.outside, program);
        if let Some(syscalls) = syscalls {
            console::give(&mut builder, &console.input, syscalls, &ledger)?;
        }
        folders::give(&mut builder, &grants.folders)?;
        let reach = Reach::new(&grants.network, &ledger, uplink);
        reach.give(&mut builder);
        let opened = OpenFiles::new(limits.open, syscalls.and_then(|syscalls| syscalls.budget()));
        let mut table = ResourceTable::new();
        table.set_max_capacity(RESOURCES);
        Ok(Wasi {
            context: builder.build(),
            table,
            nothing: ResourceTable::new(),
            errors,
            output,
            granted_folders: grants.folders.len(),
            parts: Parts { ledger, limits: limits.clone(), opened },
            http: Http::new(reach.clone()),
            reach,
            sockets: BTreeMap::new(),
        })
    }

    /// Denies everything: for a module that is tried out.
    pub fn denied() -> Self {
        let program = Program { name: "", is_command: false };
        let uplink = Arc::new(Uplink::new(&EngineConfig::default()));
        let denied = Wasi::new(None, &FileLimits::default(), &Grants::default(), program, &uplink);
        denied.expect("without folders nothing can fail")
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

    /// Whether the guest holds open files, or folders beyond those granted, or sockets, or requests, which a saved state
    /// would not bring back.
    pub fn holds_files(&mut self) -> bool {
        let descriptors = self.table.iter_mut().filter(|resource| resource.is::<Descriptor>());
        self.parts.opened.any() || descriptors.count() > self.granted_folders
    }
}

impl Context {
    /// The WASI of this instance. A component that uses what it did not import does not exist; if it did, it would get
    /// one that denies everything.
    fn wasi(&mut self) -> &mut Wasi {
        self.wasi.get_or_insert_with(|| Box::new(Wasi::denied()))
    }
}

/// What an operation of a guest has to do with.
struct Acting<'a> {
    context: &'a mut WasiCtx,
    /// Of what may be used: empty where nothing may act, so that each operation traps.
    table: &'a mut ResourceTable,
    parts: &'a mut Parts,
    reach: &'a Reach,
}

fn acting(context: &mut Context) -> Acting<'_> {
    let may_act = context.phase.may_act();
    let Wasi { context, table, nothing, parts, reach, .. } = context.wasi();
    Acting { context, table: if may_act { table } else { nothing }, parts, reach }
}

impl WasiView for Context {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let wasi = self.wasi();
        WasiCtxView { ctx: &mut wasi.context, table: &mut wasi.table }
    }
}

/// Adds all of WASI 0.2 as far as it exists here.
pub fn add_to_linker(linker: &mut Linker<Context>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    linker.allow_shadowing(true);
    files::add_to_linker(linker)?;
    costs::add_to_linker(linker)?;
    errors::add_to_linker(linker)?;
    network::add_to_linker(linker)?;
    http::add_to_linker(linker)?;
    linker.allow_shadowing(false);
    linker.instance(exit::INTERFACE)?.func_wrap(exit::FUNCTION, |_, (status,): (u32,)| -> wasmtime::Result<()> {
        Err(I32Exit(status.cast_signed()).into())
    })?;
    Ok(())
}
