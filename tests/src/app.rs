//! A runtime with one app, made from a list of children, and a way to talk to them in JSON.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use skep_runtime::kernel::budget::BudgetSpec;
use skep_runtime::kernel::directory::Keys;
use skep_runtime::kernel::supervisor::{ChildSpec, Restart, Shutdown, Strategy, SupervisorSpec};
use skep_runtime::kernel::{Address, Body, CallError, ExitReason, Limits, Name, Pid};
use skep_runtime::observe::{Level, Observer, Report};
use skep_runtime::spec::{AppSpec, Blueprint, Charge, Console, Grants, Keep, ModuleSpec, ProcessSpec, SpawnGrant};
use skep_runtime::upgrade::{Progress, Summary, Upgrade, UpgradeError};
use skep_runtime::{EngineConfig, Module, Runtime, RuntimeConfig, StartError};

use crate::guests;

/// How long a test waits for what must happen.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Instances of the small class in a test's engine. Each costs two memory mappings from the start, and as many engines
/// live at once as tests run: with the default, eight of them are too many for one program.
pub const SLOTS: u32 = 256;

/// Collects reports.
#[derive(Default)]
pub struct Reports(std::sync::Mutex<Vec<Report>>);

impl Reports {
    /// What was reported so far.
    #[must_use]
    pub fn all(&self) -> Vec<Report> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }
}

/// A guest that logs this line finds the host's observer broken: it panics, in the middle of a host function.
pub const BREAKS_THE_OBSERVER: &str = "break the observer";

impl Observer for Reports {
    fn report(&self, report: Report) {
        if let Report::Log { message, .. } = &report {
            assert!(message != BREAKS_THE_OBSERVER, "the observer is broken, as was asked for");
        }
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(report);
    }
}

/// A child of a test's root supervisor: a guest under a name.
#[derive(Clone)]
pub struct Child {
    /// What becomes of it when it ends, and so on.
    pub spec: ChildSpec<Blueprint>,
}

impl Child {
    /// A guest, named as its id, temporary, with everything granted that needs no folder.
    #[must_use]
    pub fn new(id: &str, guest: &str, args: &Value) -> Self {
        let process = ProcessSpec {
            module: guest.into(),
            args: Body::Json(args.to_string()),
            name: Some(id.into()),
            claim: None,
            limits: Arc::default(),
            grants: Arc::new(all_grants()),
            keep: Keep::default(),
            console: Console::default(),
            charge: Charge::default(),
            awaited: None,
        };
        let mut spec = ChildSpec::worker(id, Blueprint::Process(Arc::new(process)));
        spec.restart = Restart::Temporary;
        Child { spec }
    }

    /// A probe.
    #[must_use]
    pub fn probe(id: &str) -> Self {
        Child::new(id, "probe", &Value::Null)
    }

    /// With another restart type.
    #[must_use]
    pub fn restart(mut self, restart: Restart) -> Self {
        self.spec.restart = restart;
        self
    }

    /// With another way to be stopped.
    #[must_use]
    pub fn shutdown(mut self, shutdown: Shutdown) -> Self {
        self.spec.shutdown = shutdown;
        self
    }

    /// With other bounds.
    #[must_use]
    pub fn limits(self, change: impl FnOnce(&mut Limits)) -> Self {
        self.process(|process| change(Arc::make_mut(&mut process.limits)))
    }

    /// With anything else changed of how it is made.
    #[must_use]
    pub fn process(mut self, change: impl FnOnce(&mut ProcessSpec)) -> Self {
        if let Blueprint::Process(spec) = &self.spec.start {
            let mut spec = ProcessSpec::clone(spec);
            change(&mut spec);
            self.spec.start = Blueprint::Process(Arc::new(spec));
        }
        self
    }
}

/// What a test's guests may: spawn any guest, and use names.
fn all_grants() -> Grants {
    Grants {
        folders: Vec::new(),
        spawn: GUESTS.iter().map(|name| SpawnGrant::any(name)).collect(),
        register: vec!["*".into()],
        look_up: vec!["*".into()],
        supervise: vec!["workers".into()],
        supervisors: true,
        registries: registries().into_keys().collect(),
        groups: vec!["pg".into(), "rooms".into()],
        topics: vec!["*".into()],
        control: vec!["*".into()],
        ..Grants::default()
    }
}

/// The registries of a test's app: one of each kind.
fn registries() -> BTreeMap<Name, Keys> {
    [("users", Keys::Unique), ("badges", Keys::Duplicate)].map(|(name, keys)| (name.into(), keys)).into()
}

/// The guests that tests use as modules.
const GUESTS: &[&str] = &[
    "chat-lobby",
    "chat-user",
    "counter",
    "counter-json",
    "counters",
    "door",
    "mailbox-flooder",
    "memory-hog",
    "primes",
    "probe",
    "probe-machine",
    "probe-net",
    "probe-task",
    "spinner",
    "stack-overflow",
    "stock",
    "trapper",
];

/// A supervisor of these children, one for one, that tolerates much.
#[must_use]
pub fn supervisor(children: impl IntoIterator<Item = Child>) -> SupervisorSpec<Blueprint> {
    SupervisorSpec {
        strategy: Strategy::OneForOne,
        max_restarts: 1_000,
        max_seconds: 1,
        ..SupervisorSpec::new(children.into_iter().map(|child| child.spec).collect())
    }
}

/// A runtime with one app, called `test`.
pub struct TestApp {
    /// The runtime.
    pub runtime: Runtime,
    reports: Arc<Reports>,
}

impl TestApp {
    /// An app with these children, in either mode of [`Keep`].
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub async fn start(keep: Keep, children: impl IntoIterator<Item = Child>) -> Self {
        Self::try_start(keep, supervisor(children))
            .await
            .unwrap_or_else(|error| panic!("the app does not start: {error}"))
    }

    /// As [`TestApp::start`], with a root supervisor of one's own.
    ///
    /// # Errors
    ///
    /// What kept it from starting.
    pub async fn try_start(keep: Keep, root: SupervisorSpec<Blueprint>) -> Result<Self, StartError> {
        Self::try_start_on(EngineConfig { slots: Some(SLOTS), ..EngineConfig::default() }, keep, root).await
    }

    /// As [`TestApp::try_start`], on an engine of other sizes; compiled code lies where it always does.
    ///
    /// # Errors
    ///
    /// What kept it from starting.
    pub async fn try_start_on(
        engine: EngineConfig,
        keep: Keep,
        root: SupervisorSpec<Blueprint>,
    ) -> Result<Self, StartError> {
        let config = RuntimeConfig { engine, keep: Some(keep), ..RuntimeConfig::default() };
        Self::try_start_as(config, root, Arc::new(Reports::default())).await
    }

    /// As [`TestApp::try_start`], with reports that outlive an app that does not start.
    ///
    /// # Errors
    ///
    /// What kept it from starting.
    pub async fn try_start_reporting(
        keep: Keep,
        root: SupervisorSpec<Blueprint>,
        reports: Arc<Reports>,
    ) -> Result<Self, StartError> {
        let engine = EngineConfig { slots: Some(SLOTS), ..EngineConfig::default() };
        Self::try_start_as(RuntimeConfig { engine, keep: Some(keep), ..RuntimeConfig::default() }, root, reports).await
    }

    /// As [`TestApp::try_start_reporting`], with all said of the runtime but where compiled code lies.
    ///
    /// # Errors
    ///
    /// What kept it from starting.
    ///
    /// # Panics
    ///
    /// If there can be no such runtime.
    pub async fn try_start_as(
        config: RuntimeConfig,
        root: SupervisorSpec<Blueprint>,
        reports: Arc<Reports>,
    ) -> Result<Self, StartError> {
        Self::try_start_with(config, &[], root, reports).await
    }

    /// As [`TestApp::try_start_as`], with code of these names beside the example guests.
    ///
    /// # Errors
    ///
    /// What kept it from starting.
    ///
    /// # Panics
    ///
    /// If there can be no such runtime, or the code cannot be loaded.
    pub async fn try_start_with(
        mut config: RuntimeConfig,
        more: &[(&str, Vec<u8>)],
        root: SupervisorSpec<Blueprint>,
        reports: Arc<Reports>,
    ) -> Result<Self, StartError> {
        config.engine.cache = Some(guests::cache());
        let observer: Arc<dyn Observer> = reports.clone();
        let runtime = Runtime::new(config, observer).unwrap_or_else(|error| panic!("no runtime: {error}"));
        let guests = GUESTS.iter().map(|name| module(&runtime, name, &guests::bytes(name)));
        let modules = guests.chain(more.iter().map(|(name, bytes)| module(&runtime, name, bytes))).collect();
        let app = TestApp { runtime, reports };
        app.runtime.start_app(AppSpec { modules, registries: registries(), root, ..AppSpec::new("test") }).await?;
        Ok(app)
    }

    /// One more app on the same runtime, with these children.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub async fn start_beside(&self, app: &str, children: impl IntoIterator<Item = Child>) {
        self.start_bounded(app, BudgetSpec::default(), supervisor(children)).await;
    }

    /// As [`TestApp::start_beside`], with a budget and a root supervisor of its own.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub async fn start_bounded(&self, name: &str, budget: BudgetSpec, root: SupervisorSpec<Blueprint>) {
        let spec = self.runtime.app_spec("test").unwrap_or_else(|| panic!("the app has ended"));
        let spec = AppSpec { name: name.into(), budget, root, ..spec };
        self.runtime.start_app(spec).await.unwrap_or_else(|error| panic!("{name} does not start: {error}"));
    }

    /// Calls a child by name with a JSON value.
    ///
    /// # Errors
    ///
    /// What became of the call.
    pub async fn call(&self, name: &str, request: Value) -> Result<Value, CallError> {
        self.call_in("test", name, request).await
    }

    /// As [`TestApp::call`], in another app.
    ///
    /// # Errors
    ///
    /// What became of the call.
    pub async fn call_in(&self, app: &str, name: &str, request: Value) -> Result<Value, CallError> {
        let (to, body) = (Address::Name(name.into()), Body::Json(request.to_string()));
        let reply = self.runtime.call(app, to, body, Some(PATIENCE)).await?;
        Ok(match reply {
            Body::Json(text) => serde_json::from_str(&text).unwrap_or(Value::String(text)),
            Body::Text(text) => Value::String(text),
            Body::Raw(bytes) | Body::MessagePack(bytes) => Value::from(bytes),
        })
    }

    /// Calls a child that must answer.
    ///
    /// # Panics
    ///
    /// If it does not.
    pub async fn ask(&self, name: &str, request: Value) -> Value {
        let shown = request.to_string();
        self.call(name, request).await.unwrap_or_else(|error| panic!("{name} does not answer {shown}: {error:?}"))
    }

    /// Performs steps in a probe, and brings their results.
    ///
    /// # Panics
    ///
    /// If it does not answer, or a step was written wrongly.
    pub async fn steps(&self, name: &str, steps: Value) -> Value {
        let results = self.ask(name, serde_json::json!({ "Many": steps })).await;
        assert!(!results.to_string().contains("\"script\""), "a step is wrong: {results}");
        results
    }

    /// Sends an info to a child.
    ///
    /// # Panics
    ///
    /// If nobody has the name.
    pub fn send(&self, name: &str, message: &Value) {
        self.runtime
            .send("test", &Address::Name(name.into()), Body::Json(message.to_string()))
            .unwrap_or_else(|error| panic!("{name} does not take {message}: {error:?}"));
    }

    /// A probe's journal, once it satisfies `enough`; it is not cleared.
    ///
    /// # Panics
    ///
    /// If that does not come about.
    pub async fn journal(&self, name: &str, enough: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let started = Instant::now();
        loop {
            let Value::Array(journal) = self.ask(name, Value::from("Journal")).await else { panic!("no journal") };
            if enough(&journal) {
                return journal;
            }
            assert!(started.elapsed() < PATIENCE, "{name} has only this in its journal: {journal:?}");
            tokio::task::yield_now().await;
        }
    }

    /// The pid of a child by name, if it has one now.
    #[must_use]
    pub fn whereis(&self, name: &str) -> Option<Pid> {
        self.runtime.whereis("test", name)
    }

    /// The pid of a child that must be there.
    ///
    /// # Panics
    ///
    /// If it is not.
    #[must_use]
    pub fn pid(&self, name: &str) -> Pid {
        self.whereis(name).unwrap_or_else(|| panic!("nobody is called {name}"))
    }

    /// The pid as a script writes it.
    #[must_use]
    pub fn pid_text(&self, name: &str) -> String {
        self.pid(name).to_text()
    }

    /// Waits until a process has given its instance back, which under [`Keep::Never`] it does once nothing waits for it. A
    /// message that comes sooner is still handled by the same instance.
    pub async fn sleeps(&self, name: &str) {
        let asleep = || self.runtime.inspect(self.whereis(name)?)?.process.saved_bytes.map(|_| ());
        eventually(&format!("{name} to give its instance back"), asleep).await;
    }

    /// Whether a process exists.
    #[must_use]
    pub fn is_alive(&self, pid: Pid) -> bool {
        self.runtime.processes().iter().any(|process| process.pid == pid)
    }

    /// What was reported so far.
    #[must_use]
    pub fn reports(&self) -> Vec<Report> {
        self.reports.all()
    }

    /// The lines that processes of this label have logged, and what the host says in their name.
    #[must_use]
    pub fn log_lines(&self, label: &str) -> Vec<(Level, String)> {
        let lines = self.reports().into_iter().filter_map(|report| match report {
            Report::Log { subject, level, message } if subject.label.as_deref() == Some(label) => {
                Some((level, message))
            }
            _ => None,
        });
        lines.collect()
    }

    /// Why processes of this label crashed so far.
    #[must_use]
    pub fn crashes(&self, label: &str) -> Vec<ExitReason> {
        self.reports()
            .into_iter()
            .filter_map(|report| match report {
                Report::Crash { subject, reason, .. } if subject.label.as_deref() == Some(label) => Some(reason),
                _ => None,
            })
            .collect()
    }

    /// Loads a guest that is no module of the app yet.
    ///
    /// # Panics
    ///
    /// If it cannot be loaded.
    #[must_use]
    pub fn load(&self, guest: &str) -> Module {
        load(&self.runtime, guest, &guests::bytes(guest))
    }

    /// The same guest under another digest.
    ///
    /// # Panics
    ///
    /// If it cannot be loaded.
    #[must_use]
    pub fn load_rebuilt(&self, guest: &str, number: u8) -> Module {
        load(&self.runtime, guest, &guests::rebuilt(guest, number))
    }

    /// Replaces a module by other code.
    ///
    /// # Errors
    ///
    /// Why it did not take place.
    pub async fn upgrade(&self, module: &str, code: Module) -> Result<Summary, UpgradeError> {
        self.upgrade_with(Upgrade::one("test".into(), module.into(), code), |_| {}).await
    }

    /// As [`TestApp::upgrade`], with everything said.
    ///
    /// # Errors
    ///
    /// Why it did not take place.
    ///
    /// # Panics
    ///
    /// If it does not end within [`PATIENCE`].
    pub async fn upgrade_with(
        &self,
        upgrade: Upgrade,
        progress: impl FnMut(Progress) + Send,
    ) -> Result<Summary, UpgradeError> {
        let upgraded = tokio::time::timeout(PATIENCE, self.runtime.upgrade(upgrade, progress)).await;
        upgraded.unwrap_or_else(|_| panic!("the upgrade does not end: {:#?}", self.runtime.tree("test")))
    }

    /// Stops the app in order, then everything else.
    ///
    /// # Panics
    ///
    /// If it does not end within [`PATIENCE`].
    pub async fn stop(self) -> ExitReason {
        let reason = tokio::time::timeout(PATIENCE, self.runtime.stop_app("test"))
            .await
            .unwrap_or_else(|_| panic!("the app does not stop: {:#?}", self.runtime.tree("test")))
            .unwrap_or_else(|error| panic!("the app does not stop: {error}"));
        self.runtime.shutdown().await;
        reason
    }
}

fn module(runtime: &Runtime, name: &str, bytes: &[u8]) -> ModuleSpec {
    let module = load(runtime, name, bytes);
    ModuleSpec { name: name.into(), module, limits: Arc::default(), grants: Arc::new(all_grants()) }
}

fn load(runtime: &Runtime, name: &str, bytes: &[u8]) -> Module {
    runtime.engine().load(name, bytes).unwrap_or_else(|error| panic!("{name} does not load: {error}"))
}

/// Waits until `ready` brings something.
///
/// # Panics
///
/// If it does not within [`PATIENCE`].
pub async fn eventually<T>(what: &str, mut ready: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    let mut asked = 0_u32;
    loop {
        if let Some(value) = ready() {
            return value;
        }
        assert!(started.elapsed() < PATIENCE, "waited in vain for {what}");
        // Most of it is there soon; what is not must not be kept from its processor by the question.
        asked += 1;
        if asked < 100 {
            tokio::task::yield_now().await;
        } else {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}
