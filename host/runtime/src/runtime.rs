//! What an embedding program holds: a runtime, its apps, and a way to talk to their processes.

mod client;
mod inspect;
mod reconfigure;
mod system;
mod usage;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::available_parallelism;
use std::time::Duration;

use parking_lot::Mutex;
use skep_kernel::budget::Budget;
use skep_kernel::directory::Keys;
use skep_kernel::supervisor::{Answer, ChildKind, ChildStatus, ChildView, RequestError, RouteError, SupervisorSpec};
use skep_kernel::{Address, Body, CallError, Event, ExitReason, Name, Pid, Signal, SpawnError};
use tokio::sync::watch;

pub use client::Client;
pub use system::{SYSTEM_TIMEOUT, Trace};

use crate::engine::{Engine, EngineConfig, EngineError, LoadError, Module};
use crate::inspect::{EntryInfo, ProcessInfo, TreeNode};
use crate::observe::Observer;
use crate::shell::{self, App, Cell, Content, Policy, Shell};
use crate::spec::{AppSpec, Blueprint, Keep, ModuleSpec, WhenFull};
use crate::upgrade::{ModuleInfo, Progress, Summary, Upgrade, UpgradeError};

/// How a runtime is made.
#[derive(Clone, Debug, Default)]
pub struct RuntimeConfig {
    /// Threads that run guests; as many as there are cores, unless said.
    pub workers: Option<usize>,
    /// The engine.
    pub engine: EngineConfig,
    /// What becomes of whoever is started while all places for instances are taken.
    pub when_full: WhenFull,
    /// Overrides what every process says about its instance. [`Keep::Never`] is the mode for tests.
    pub keep: Option<Keep>,
}

/// Why a runtime did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// The engine could not be made.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// No thread could be started.
    #[error("no thread for the scheduler: {0}")]
    Threads(#[from] std::io::Error),
    /// It was called outside of a tokio runtime, which serves the guests' files.
    #[error("a runtime must be made inside of a tokio runtime")]
    NoTokio,
    /// There is no such app.
    #[error("no app called {0}")]
    NoSuchApp(Name),
    /// There is no such supervisor.
    #[error("no supervisor with the pid {0}")]
    NoSuchSupervisor(Pid),
    /// The supervisor refused.
    #[error("the supervisor refused: {0:?}")]
    Refused(RequestError),
    /// A key leads to nobody.
    #[error("{0}")]
    NoRoute(RouteError),
    /// The supervisor ended before it answered.
    #[error("the supervisor ended before it answered")]
    SupervisorEnded,
}

/// Why an app did not start. Nothing of it runs.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// There is one of this name.
    #[error("an app called {0} runs already")]
    Taken(Name),
    /// A module does not compile for the memory that a process of it may use.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Its root supervisor did not start: a child failed, or the spec makes no sense.
    #[error("the root supervisor did not start: {0:?}")]
    Failed(SpawnError),
}

/// Processes, and everything they need. Clones are the same runtime; it is taken down with the last of them.
#[derive(Clone)]
pub struct Runtime {
    inner: Arc<Inner>,
}

struct Inner {
    shell: Arc<Shell>,
    apps: Mutex<HashMap<Name, Running>>,
}

/// An app that runs.
#[derive(Clone)]
struct Running {
    app: Arc<App>,
    root: Pid,
    /// The process that started the root, whose exit signal is an order.
    owner: Pid,
    ended: watch::Receiver<Option<ExitReason>>,
    /// Whether it was told to end.
    told: Arc<AtomicBool>,
    /// The tree as it was last given.
    spec: Arc<SupervisorSpec<Blueprint>>,
    /// Held by whoever changes the app.
    reconfiguring: Arc<tokio::sync::Mutex<()>>,
}

impl Runtime {
    /// A runtime without apps. Must be called inside of a tokio runtime.
    pub fn new(config: RuntimeConfig, observer: Arc<dyn Observer>) -> Result<Self, RuntimeError> {
        let tokio = tokio::runtime::Handle::try_current().map_err(|_| RuntimeError::NoTokio)?;
        let engine = Engine::new(config.engine)?;
        let workers = config.workers.unwrap_or_else(|| available_parallelism().map_or(1, usize::from)).max(1);
        let shell = Shell::new(engine, observer, Policy { keep: config.keep, when_full: config.when_full }, workers);
        shell.start(&tokio)?;
        Ok(Runtime { inner: Arc::new(Inner { shell, apps: Mutex::default() }) })
    }

    /// The engine, for loading modules.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.inner.shell.engine
    }

    /// Starts an app: its root supervisor and, in order, all of its children. Returns when they are up; if one fails,
    /// those before it are stopped and nothing remains.
    pub async fn start_app(&self, spec: AppSpec) -> Result<(), StartError> {
        if self.inner.apps.lock().contains_key(&spec.name) {
            return Err(StartError::Taken(spec.name));
        }
        prepare(&spec.modules, &spec.root).await?;
        let budget = Budget::new(format!("app {}", spec.name), None, &spec.budget, self.inner.shell.now());
        let app = App::new(Arc::clone(&spec.name), budget, spec.modules, spec.registries);
        let mut owner = shell::Client::new(&self.inner.shell, Arc::clone(&app), Some("app".into()));
        let tree = Arc::new(spec.root);
        let root = Blueprint::Supervisor(Arc::clone(&tree));
        let pid = owner.spawn("root".into(), &root).await.map_err(StartError::Failed)?;
        let (ending, ended) = watch::channel(None);
        let started = Arc::clone(&app);
        let running = Running {
            app,
            root: pid,
            owner: owner.pid(),
            ended,
            told: Arc::default(),
            spec: tree,
            reconfiguring: Arc::default(),
        };
        if let Some(other) = self.inner.apps.lock().insert(Arc::clone(&spec.name), running) {
            // Two starts of one name at once: the first one stays.
            self.inner.apps.lock().insert(Arc::clone(&spec.name), other);
            return Err(StartError::Taken(spec.name));
        }
        self.inner.shell.apps.put(&started);
        tokio::spawn(async move {
            let reason = owner.down(pid).await;
            let _ = ending.send(Some(reason));
        });
        Ok(())
    }

    fn app(&self, name: &str) -> Result<Running, RuntimeError> {
        self.inner.apps.lock().get(name).cloned().ok_or_else(|| RuntimeError::NoSuchApp(name.into()))
    }

    /// Stops an app, children in reverse order, and says how its root supervisor ended.
    pub async fn stop_app(&self, name: &str) -> Result<ExitReason, RuntimeError> {
        let running = self.app(name)?;
        running.is_told();
        let signal = Signal::Exit { from: running.owner, reason: ExitReason::Shutdown(None) };
        let _ = self.inner.shell.deliver(running.root, signal);
        let reason = self.app_ended(name).await?;
        self.forget(name);
        Ok(reason)
    }

    fn forget(&self, app: &str) {
        self.inner.shell.apps.remove(app);
        self.inner.apps.lock().remove(app);
    }

    /// Ends an app at once: everything in it is killed.
    pub async fn kill_app(&self, name: &str) -> Result<ExitReason, RuntimeError> {
        let running = self.app(name)?;
        running.is_told();
        let _ = self.inner.shell.deliver(running.root, Signal::Kill);
        let reason = self.app_ended(name).await?;
        self.forget(name);
        Ok(reason)
    }

    /// Waits until the root supervisor of an app has ended, and says why.
    pub async fn app_ended(&self, name: &str) -> Result<ExitReason, RuntimeError> {
        let mut ended = self.app(name)?.ended;
        let reason = match ended.wait_for(Option::is_some).await {
            Ok(reason) => reason.clone(),
            Err(_) => None,
        };
        Ok(reason.unwrap_or(ExitReason::Killed))
    }

    /// Waits until an app has ended. If it did so by itself, neither stopped nor killed by this runtime's owner, says why.
    pub async fn app_gave_up(&self, name: &str) -> Result<Option<ExitReason>, RuntimeError> {
        let running = self.app(name)?;
        let reason = self.app_ended(name).await?;
        Ok((!running.told.load(Ordering::SeqCst)).then_some(reason))
    }

    /// Whether an app's root supervisor has ended. Its name is free once it is stopped all the same.
    #[must_use]
    pub fn has_ended(&self, app: &str) -> bool {
        self.app(app).is_ok_and(|running| running.ended.borrow().is_some())
    }

    /// The apps that were started and not yet stopped.
    #[must_use]
    pub fn apps(&self) -> Vec<Name> {
        let mut names: Vec<Name> = self.inner.apps.lock().keys().cloned().collect();
        names.sort();
        names
    }

    /// Who holds a name within an app.
    #[must_use]
    pub fn whereis(&self, app: &str, name: &str) -> Option<Pid> {
        self.app(app).ok()?.app.whereis(name)
    }

    /// Whom an address means now, within an app.
    #[must_use]
    pub fn resolve(&self, app: &str, address: &Address) -> Option<Pid> {
        self.app(app).ok()?.app.resolve(address)
    }

    /// Calls a process and waits for the reply. The target is told if the caller stops waiting, by nothing at all.
    pub async fn call(&self, app: &str, to: Address, body: Body, timeout: Option<Duration>) -> Result<Body, CallError> {
        let mut client = self.client(app).map_err(|error| CallError::Refused(error.to_string().into()))?;
        client.call(to, body, timeout).await
    }

    /// Sends a cast. What cannot be delivered is dropped.
    pub fn cast(&self, app: &str, to: &Address, body: Body) -> Result<(), CallError> {
        self.message(app, to, Event::Cast(body))
    }

    /// Sends a message, which arrives as `info`.
    pub fn send(&self, app: &str, to: &Address, body: Body) -> Result<(), CallError> {
        self.message(app, to, Event::Info(body))
    }

    fn message(&self, app: &str, to: &Address, event: Event) -> Result<(), CallError> {
        let Running { app, .. } = self.app(app).map_err(|error| CallError::Refused(error.to_string().into()))?;
        let way = self.inner.shell.way(&app, to).ok_or(CallError::Ended(ExitReason::Noproc))?;
        self.inner.shell.deliver_on(&way, event).map(|_| ()).map_err(CallError::from)
    }

    /// Sends an exit signal, as an operator.
    pub fn exit(&self, pid: Pid, reason: ExitReason) {
        let _ = self.inner.shell.deliver(pid, Signal::Exit { from: pid, reason });
    }

    /// Kills a process, as an operator.
    pub fn kill(&self, pid: Pid) {
        let _ = self.inner.shell.deliver(pid, Signal::Kill);
    }

    /// Asks a supervisor something: to start, stop, restart or forget a child.
    pub async fn supervise(&self, supervisor: Pid, request: Request) -> Result<Answer, RuntimeError> {
        self.inner.shell.supervise(supervisor, request).await
    }

    /// The process of a partitioned supervisor that a key leads to (DSUP-09).
    pub fn route(&self, supervisor: Pid, key: &[u8]) -> Result<Pid, RuntimeError> {
        let cell = self.inner.shell.table.get(supervisor).ok_or(RuntimeError::NoSuchSupervisor(supervisor))?;
        match &cell.content {
            Content::Supervisor(overseer) => overseer.route(key).map_err(RuntimeError::NoRoute),
            Content::Guest(_) | Content::Client(_) => Err(RuntimeError::NoSuchSupervisor(supervisor)),
        }
    }

    /// The pid of an app's root supervisor.
    #[must_use]
    pub fn root(&self, app: &str) -> Option<Pid> {
        Some(self.app(app).ok()?.root)
    }

    /// Replaces code in running processes, in one transaction. Dropping the future calls it off.
    pub async fn upgrade(
        &self,
        upgrade: Upgrade,
        progress: impl FnMut(Progress) + Send,
    ) -> Result<Summary, UpgradeError> {
        let Running { app, .. } = self.app(&upgrade.app).map_err(|_| UpgradeError::NoSuchApp(upgrade.app.clone()))?;
        crate::shell::upgrade::run(&self.inner.shell, &app, upgrade, progress).await
    }

    /// The modules of an app, by name.
    #[must_use]
    pub fn modules(&self, app: &str) -> Option<Vec<ModuleInfo>> {
        let Running { app, .. } = self.app(app).ok()?;
        Some(crate::shell::upgrade::modules(&self.inner.shell, &app))
    }

    /// All processes at this moment, in the order of their birth.
    #[must_use]
    pub fn processes(&self) -> Vec<ProcessInfo> {
        self.inner.shell.table.all().iter().map(|cell| info(cell)).collect()
    }

    /// All entries of an app's registries, groups and topics, in the order of their keys.
    #[must_use]
    pub fn entries(&self, app: &str) -> Option<Vec<EntryInfo>> {
        let Running { app, .. } = self.app(app).ok()?;
        let mut entries = Vec::new();
        for shard in app.directories() {
            entries.extend(shard.lock().iter().map(|(place, pid, value)| EntryInfo {
                table: place.table.clone(),
                key: Arc::clone(&place.key),
                pid,
                value: Arc::clone(value),
            }));
        }
        entries.sort_by(|a, b| (&a.table, &a.key, a.pid).cmp(&(&b.table, &b.key, b.pid)));
        Some(entries)
    }

    /// The registries of an app, and how many entries a key of each may have.
    #[must_use]
    pub fn registries(&self, app: &str) -> Option<BTreeMap<Name, Keys>> {
        Some(self.app(app).ok()?.app.registries())
    }

    /// The tree of an app.
    #[must_use]
    pub fn tree(&self, app: &str) -> Option<TreeNode> {
        let Running { root, ended, .. } = self.app(app).ok()?;
        let has_ended = ended.borrow().is_some();
        let view = ChildView {
            id: "root".into(),
            status: if has_ended { ChildStatus::Stopped } else { ChildStatus::Running(root) },
            kind: ChildKind::Supervisor,
            restart: skep_kernel::supervisor::Restart::Temporary,
            restarts: 0,
            restart_at: None,
        };
        Some(self.node(&view, None))
    }

    fn node(&self, view: &ChildView, blueprint: Option<&Blueprint>) -> TreeNode {
        let cell = view.status.pid().and_then(|pid| self.inner.shell.table.get(pid));
        let children = match cell.as_deref().map(|cell| &cell.content) {
            Some(Content::Supervisor(overseer)) => {
                overseer.children().iter().map(|(child, blueprint)| self.node(child, blueprint.as_ref())).collect()
            }
            _ => Vec::new(),
        };
        let planned = match blueprint {
            Some(Blueprint::Process(spec)) => Some(Arc::clone(&spec.module)),
            Some(Blueprint::Supervisor(_)) | None => None,
        };
        TreeNode {
            id: Arc::clone(&view.id),
            kind: view.kind,
            pid: view.status.pid(),
            status: status_word(view.status),
            module: cell.as_ref().and_then(|cell| cell.module().cloned()).or(planned),
            code: cell.as_deref().and_then(inspect::code),
            restarts: view.restarts,
            restart_in: view.restart_at.map(|at| at.saturating_sub(self.inner.shell.now())),
            name: cell.as_ref().and_then(|cell| cell.process.lock().name().cloned()),
            partitions: match cell.as_deref().map(|cell| &cell.content) {
                Some(Content::Supervisor(overseer)) => overseer.partitions(),
                _ => None,
            },
            children,
        }
    }

    /// Stops every app in order, then the scheduler.
    pub async fn shutdown(&self) {
        for name in self.apps() {
            // One that has ended by itself needs no stopping.
            let _ = self.stop_app(&name).await;
        }
        self.inner.shell.stop();
    }
}

/// What a supervisor may be asked.
#[derive(Clone, Debug)]
pub enum Request<S = Blueprint> {
    /// Add a child and start it.
    StartChild(skep_kernel::supervisor::ChildSpec<S>),
    /// Start a child as the supervisor's template says (DSUP-01). Its `init` gets the template's arguments, or these, or
    /// the pair of both where there are both; null is none. They must be JSON or MessagePack to be paired.
    StartFromTemplate(Option<Body>),
    /// Stop a child, and keep its spec.
    TerminateChild(Name),
    /// Stop a child of a supervisor whose children come and go (DSUP-02).
    TerminatePid(Pid),
    /// Use so many partitions (DSUP-09).
    Resize(usize),
    /// Start a child that is down.
    RestartChild(Name),
    /// Forget a child that is down.
    DeleteChild(Name),
    /// Take another spec: nobody is started, stopped or restarted (HOT-17). A supervisor above that restarts this one
    /// knows nothing of it; [`Runtime::reconfigure`] tells all of them.
    Replace(SupervisorSpec<S>),
    /// List the children.
    WhichChildren,
    /// Count the children.
    CountChildren,
}

impl Running {
    /// Notes that its end is an order, unless it came before that.
    fn is_told(&self) {
        if self.ended.borrow().is_none() {
            self.told.store(true, Ordering::SeqCst);
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.shell.stop();
    }
}

/// Compiles what the app will need, in a thread that may take its time: no scheduler thread should.
async fn prepare(modules: &[ModuleSpec], root: &SupervisorSpec<Blueprint>) -> Result<(), LoadError> {
    let mut wanted: Vec<(Module, usize)> =
        modules.iter().map(|module| (module.module.clone(), module.limits.memory_bytes)).collect();
    let by_name = modules.iter().map(|module| (&*module.name, &module.module)).collect();
    collect_wanted(&by_name, root, &mut wanted);
    let compiled = tokio::task::spawn_blocking(move || {
        wanted.iter().try_for_each(|(module, memory_bytes)| module.prepare(*memory_bytes))
    });
    compiled.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}

fn collect_wanted(
    modules: &HashMap<&str, &Module>,
    supervisor: &SupervisorSpec<Blueprint>,
    wanted: &mut Vec<(Module, usize)>,
) {
    for child in &supervisor.children {
        match &child.start {
            Blueprint::Process(spec) => {
                let module = modules.get(&*spec.module);
                wanted.extend(module.map(|module| ((*module).clone(), spec.limits.memory_bytes)));
            }
            Blueprint::Supervisor(spec) => collect_wanted(modules, spec, wanted),
        }
    }
}

fn status_word(status: ChildStatus) -> &'static str {
    match status {
        ChildStatus::Stopped => "stopped",
        ChildStatus::Starting => "starting",
        ChildStatus::Running(_) => "running",
        ChildStatus::Stopping(_) => "stopping",
        ChildStatus::Restarting => "restarting",
    }
}

fn info(cell: &Cell) -> ProcessInfo {
    let code = inspect::code(cell);
    let usage = inspect::usage(cell);
    let process = cell.process.lock();
    ProcessInfo {
        pid: cell.pid,
        app: Arc::clone(&cell.app.name),
        label: cell.label.clone(),
        module: cell.module().cloned(),
        code,
        name: process.name().cloned(),
        kind: match (&cell.content, process.kind()) {
            (Content::Supervisor(_), _) => "supervisor",
            (Content::Client(_), _) => "client",
            (Content::Guest(guest), _) if guest.module().is_command() => "command",
            (Content::Guest(_), skep_kernel::process::Kind::Task) => "task",
            (Content::Guest(_), _) => "server",
        },
        status: process.status(),
        mailbox_messages: process.mailbox().len(),
        mailbox_bytes: process.mailbox().bytes(),
        dropped: process.mailbox().dropped(),
        links: process.links().count(),
        timers: process.timers_running(),
        saved_bytes: process.saved_bytes(),
        memory_bytes: usage.map(|usage| usage.memory_bytes()),
        fuel_used: usage.map(|usage| usage.fuel()),
        statistics: process.statistics(),
    }
}
