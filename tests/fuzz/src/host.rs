//! A runtime that lives as long as the fuzzer, with a neighbour on it; and for each input an app of its own, of which
//! nothing must be left.
//!
//! Owns the questions after each input: does the neighbour answer, has everything ended, is everything given back? Whoever
//! finds otherwise panics, which is how the fuzzer learns of it. So is any panic of the host, also where it is contained.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use skep_runtime::engine::Compiler;
use skep_runtime::inspect::{AppUsage, BudgetUsage};
use skep_runtime::kernel::budget::BudgetSpec;
use skep_runtime::kernel::directory::Keys;
use skep_runtime::kernel::supervisor::{ChildSpec, Shutdown, SupervisorSpec};
use skep_runtime::kernel::{Address, Body, Limits, Pid};
use skep_runtime::spec::{Access, AppSpec, Blueprint, FolderGrant, Grants, Keep, ModuleSpec, ProcessSpec, SpawnGrant};
use skep_runtime::{Client, EngineConfig, Module, Runtime, RuntimeConfig};

/// How long what must happen may take, on a machine that does much else.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// The app of the input.
pub const APP: &str = "fuzz";
/// Where inputs are run.
pub struct Host {
    tokio: tokio::runtime::Runtime,
    /// The runtime.
    pub runtime: Runtime,
    folder: tempfile::TempDir,
}

/// How code is compiled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Compiled {
    /// In this process, and kept where the tests keep it for the next start of the fuzzer.
    Kept,
    /// As nodes do, in a process of its own, which is this program again: see [`compile_if_asked`]. It is not kept, since
    /// each input would leave its own.
    Apart,
}

/// Ends this process with what was compiled, if it was started for that. Before anything else.
pub fn compile_if_asked() {
    if let Some(code) = skep_runtime::engine::compile_if_asked() {
        // It does not tell its number.
        let status = (0..=u8::MAX).find(|status| ExitCode::from(*status) == code);
        std::process::exit(status.map_or(1, i32::from));
    }
}

/// The host.
///
/// # Panics
///
/// If it was not made.
#[must_use]
pub fn host() -> &'static Host {
    HOST.get().expect("it was made")
}

/// Makes the host.
///
/// # Panics
///
/// If the machine cannot run one.
pub fn make(compiled: Compiled) -> &'static Host {
    HOST.get_or_init(|| {
        let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let tokio = tokio.expect("there are threads");
        let engine = engine(64, compiled);
        let config = RuntimeConfig { workers: Some(1), engine, ..RuntimeConfig::default() };
        let runtime = tokio.block_on(async { Runtime::new(config, Arc::new(())) }).expect("a runtime");
        let host = Host { tokio, runtime, folder: tempfile::tempdir().expect("a folder") };
        let counter = host.load("counter", &skep_tests::guests::bytes("counter"));
        let process = ProcessSpec::new("counter").args(Body::Json("0".into())).named("counter");
        let neighbour = AppSpec::new("neighbour").module(ModuleSpec::new("counter", counter));
        host.wait(host.runtime.start_app(neighbour.child(process.child("counter")))).expect("the neighbour starts");
        host
    })
}

static HOST: OnceLock<Host> = OnceLock::new();

/// An engine with room for so many guests.
#[must_use]
pub fn engine(slots: u32, compiled: Compiled) -> EngineConfig {
    let cache = (compiled == Compiled::Kept).then(skep_tests::guests::cache);
    let compiler = (compiled == Compiled::Apart).then(|| Compiler::new("/proc/self/exe".into()));
    EngineConfig { slots: Some(slots), large_slots: 2, cache, compiler, ..EngineConfig::default() }
}

impl Host {
    /// Runs a future to its end, on this thread.
    pub fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.tokio.block_on(future)
    }

    /// A module that must load.
    ///
    /// # Panics
    ///
    /// If it does not.
    #[must_use]
    pub fn load(&self, name: &str, bytes: &[u8]) -> Module {
        self.runtime.engine().load(name, bytes).unwrap_or_else(|error| panic!("{name} does not load: {error}"))
    }

    /// A folder to grant, with a file in it. It is the same for all inputs, which may have written into it.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        let _ = std::fs::write(self.folder.path().join("file"), b"some text\n");
        self.folder.path().to_owned()
    }

    /// Starts the app of an input.
    ///
    /// # Panics
    ///
    /// If it does not start.
    #[must_use]
    pub fn begin(&'static self, spec: AppSpec) -> Session {
        self.wait(self.runtime.start_app(spec)).expect("the app starts");
        let client = self.runtime.client(APP).expect("the app is there");
        Session { host: self, client, before: self.used() }
    }

    fn used(&self) -> AppUsage {
        self.runtime.usage().into_iter().find(|usage| &*usage.app == APP).expect("the app is there")
    }

    /// All of the app but its own supervisors.
    fn guests(&self) -> Vec<Pid> {
        let tree = self.runtime.tree(APP).expect("the app is there");
        let own: Vec<Pid> = tree.pid.into_iter().chain(tree.children.iter().filter_map(|child| child.pid)).collect();
        let processes = self.runtime.processes().into_iter();
        let guests = processes.filter(|process| &*process.app == APP && process.kind != "client");
        guests.map(|process| process.pid).filter(|pid| !own.contains(pid)).collect()
    }

    /// Waits until something is so.
    fn until(&self, what: &str, mut is_so: impl FnMut() -> bool) {
        let begun = Instant::now();
        while !is_so() {
            assert!(begun.elapsed() < PATIENCE, "{what}: {:#?} {:#?}", self.runtime.processes(), self.runtime.usage());
            std::thread::sleep(Duration::from_micros(100));
        }
    }
}

/// What an app has of what is counted and given back.
fn held(usage: &AppUsage) -> [u64; 7] {
    let BudgetUsage {
        processes, instances, memory_bytes, mailbox_bytes, timers, open_files, blocking_operations, ..
    } = usage.total;
    [processes, instances, memory_bytes, mailbox_bytes, timers, open_files, blocking_operations]
}

/// The app of one input.
pub struct Session {
    host: &'static Host,
    /// A process among its own.
    pub client: Client,
    before: AppUsage,
}

impl Session {
    /// The end of it: the neighbour must answer, and nothing may be left.
    ///
    /// # Panics
    ///
    /// If something is.
    pub fn end(self) {
        let Session { host, client, before } = self;
        let runtime = &host.runtime;
        let asked =
            runtime.call("neighbour", Address::Name("counter".into()), Body::Json("\"Get\"".into()), Some(PATIENCE));
        assert_eq!(host.wait(asked), Ok(Body::Json("0".into())), "the neighbour");
        let me = client.pid();
        host.until("all guests end", || {
            // Each may have started another one meanwhile, or is restarted.
            let guests = host.guests();
            guests.iter().for_each(|pid| runtime.kill(*pid));
            guests.is_empty()
        });
        host.until("everything is given back", || {
            held(&host.used()).iter().zip(held(&before)).all(|(now, then)| *now <= then)
        });
        host.until("no entry is left", || runtime.entries(APP).is_some_and(|entries| entries.is_empty()));
        for name in ["a", "b", "first", "second"] {
            assert_eq!(runtime.whereis(APP, name).filter(|pid| *pid != me), None, "{name} is held by the dead");
        }
        drop(client);
        host.wait(runtime.kill_app(APP)).expect("it was there");
        host.until("the app ends", || runtime.processes().iter().all(|process| &*process.app != APP));
    }
}

/// A module as part of the app: what guests spawn of it has these rights.
#[must_use]
pub fn module(name: &str, module: &Module, grants: &Grants) -> ModuleSpec {
    ModuleSpec { limits: Arc::new(limits()), grants: Arc::new(grants.clone()), ..ModuleSpec::new(name, module.clone()) }
}

/// An app for the guests of an input.
#[must_use]
pub fn app(modules: Vec<ModuleSpec>) -> AppSpec {
    let budget = BudgetSpec { processes: Some(40), ..BudgetSpec::default() };
    let workers = SupervisorSpec { name: Some("workers".into()), max_restarts: 50, ..SupervisorSpec::dynamic(None) };
    let mut child = ChildSpec::supervisor("workers", Blueprint::Supervisor(Arc::new(workers)));
    child.shutdown = Shutdown::BrutalKill;
    // Guests may end `workers` as often as they like.
    let root = SupervisorSpec { max_restarts: 1_000_000, max_seconds: 1, ..SupervisorSpec::default() };
    AppSpec { modules, root, ..AppSpec::new(APP) }
        .budget(budget)
        .registry("users", Keys::Unique)
        .registry("badges", Keys::Duplicate)
        .child(child)
}

/// Bounds that an input reaches soon.
#[must_use]
pub fn limits() -> Limits {
    Limits {
        mailbox_messages: 100,
        mailbox_bytes: 64 << 10,
        body_bytes: 16 << 10,
        timers: 20,
        links: 20,
        monitors: 20,
        entries: 20,
        entry_bytes: 4 << 10,
        aliases: 20,
        requests: 20,
        supervisors: 4,
        children: 8,
        memory_bytes: 1 << 20,
        fuel_per_message: 2_000_000,
        init_timeout: Duration::from_millis(20),
        ..Limits::default()
    }
}

/// Rights, one bit for each kind.
#[must_use]
pub fn grants(bits: u8, host: &Host) -> Grants {
    let all = |bit: u8, names: &[&str]| -> Vec<_> {
        if bits & bit == 0 { Vec::new() } else { names.iter().map(|name| (*name).into()).collect() }
    };
    let mut grants = Grants {
        register: all(2, &["*"]),
        look_up: all(2, &["*"]),
        supervise: all(4, &["workers"]),
        supervisors: bits & 4 != 0,
        registries: all(8, &["users", "badges"]),
        groups: all(8, &["pg"]),
        topics: all(8, &["*"]),
        control: all(16, &["*"]),
        apps: all(32, &["neighbour/counter"]),
        ..Grants::default()
    };
    if bits & 1 != 0 {
        grants.spawn = ["server", "task", "counter"].map(|module| SpawnGrant { module: module.into(), most: 8 }).into();
    }
    if bits & 64 != 0 {
        grants.folders = vec![FolderGrant { host: host.folder(), guest: "/data".into(), access: Access::Write }];
    }
    grants
}

/// How to make a process of an input.
#[must_use]
pub fn process(module: &str, args: Vec<u8>, grants: &Grants, keep: Keep) -> ProcessSpec {
    let spec = ProcessSpec::new(module).args(Body::Raw(args)).granted(grants.clone());
    ProcessSpec { limits: Arc::new(limits()), keep, ..spec }
}
