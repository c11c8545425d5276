//! Where a crime is committed: an app with a neighbour, and whoever else must not notice.
//!
//! Owns who belongs to the crime and who does not, and the ways in which guests are brought to it: example guests as
//! children of the app, guests of text in an app of their own, bytes that are only loaded.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::sync::{Arc, Once};

use serde_json::{Value, json};
use skep_runtime::engine::{Compiler, RequestBounds, Resolver, SystemResolver};
use skep_runtime::inspect::{Inspection, ProcessInfo};
use skep_runtime::kernel::budget::BudgetSpec;
use skep_runtime::kernel::{Address, Body, CallError, ExitReason, Limits, Pid, SpawnError};
use skep_runtime::observe::Report;
use skep_runtime::spec::{AppSpec, Grants, Keep, ModuleSpec};
use skep_runtime::{Engine, EngineConfig};
use skep_tests::app::{SLOTS, supervisor};
use skep_tests::{Child, TestApp, eventually};
use tempfile::TempDir;

use crate::guest::{ZEROS, task};
use crate::suite::Seen;
use crate::{add, app_on, gone};

/// The app of guests that are written as text, and of those that have a budget.
pub const EVIL: &str = "evil";

/// What the runtime is like there.
#[derive(Clone, Copy)]
pub struct Place {
    /// Places for instances.
    pub slots: u32,
    /// Those of the large class.
    pub large_slots: u32,
    /// How instances are treated.
    pub keep: Keep,
    /// Who says what names of hosts stand for.
    pub resolver: fn() -> Arc<dyn Resolver>,
    /// What requests are held to.
    pub requests: RequestBounds,
}

impl Default for Place {
    fn default() -> Self {
        Place {
            slots: SLOTS,
            large_slots: 16,
            keep: Keep::WhileItFits,
            resolver: || Arc::new(SystemResolver),
            requests: RequestBounds::default(),
        }
    }
}

impl Place {
    /// Where every process is saved after each event.
    pub fn forgetful() -> Self {
        Place { keep: Keep::Never, ..Place::default() }
    }
}

/// Starts the compiler's own threads, which then stay.
fn compile_something() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let engine = Engine::new(EngineConfig { slots: Some(2), ..EngineConfig::default() }).expect("room for two");
        engine.load("something", &task("", ZEROS)).expect("it loads");
    });
}

/// A crime's surroundings.
pub struct Scene {
    pub app: TestApp,
    /// Holds the folder `in`, which is granted, and the file `secret`, which is not.
    pub folder: TempDir,
    /// Who must outlive it all.
    others: RefCell<Vec<(String, Pid)>>,
    /// The labels of those who may come to grief.
    culprits: RefCell<BTreeSet<String>>,
    /// How many crashes of the guest of text are of no interest any more.
    forgotten: Cell<usize>,
}

impl Scene {
    pub async fn new(place: Place) -> Self {
        let Place { slots, large_slots, keep, resolver, requests } = place;
        let resolver = resolver();
        let engine = EngineConfig { slots: Some(slots), large_slots, resolver, requests, ..EngineConfig::default() };
        let app = app_on(engine, keep, []).await;
        compile_something();
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("in")).expect("it is ours");
        std::fs::write(folder.path().join("secret"), "secret").expect("it is ours");
        let others = RefCell::new(vec![("neighbour".to_owned(), app.pid("neighbour"))]);
        Scene { app, folder, others, culprits: RefCell::default(), forgotten: Cell::default() }
    }

    /// Adds somebody who has nothing to do with it.
    pub async fn other(&self, child: Child) -> Pid {
        let label = child.spec.id.to_string();
        let pid = add(&self.app, child).await.expect("it starts").expect("it does not decline");
        self.others.borrow_mut().push((label, pid));
        pid
    }

    /// Counts whoever has this label among the culprits.
    pub fn also(&self, label: &str) {
        self.culprits.borrow_mut().insert(label.to_owned());
    }

    /// Adds somebody who is up to no good.
    pub async fn culprit(&self, child: Child) -> Result<Option<Pid>, SpawnError> {
        self.culprits.borrow_mut().insert(child.spec.id.to_string());
        add(&self.app, child).await
    }

    /// What becomes of a start.
    pub async fn start(&self, child: Child) -> Seen {
        match self.culprit(child).await {
            Ok(_) => Seen::Nothing,
            Err(SpawnError::Failed(reason)) => Seen::Ended(reason),
            Err(refused) => Seen::Refused(format!("{refused:?}")),
        }
    }

    /// What becomes of a process that is called with this.
    pub async fn call(&self, child: Child, request: Value) -> Seen {
        self.answer(child, request).await.err().unwrap_or(Seen::Nothing)
    }

    /// What a process answers that is called with this, or what becomes of it.
    pub async fn answer(&self, child: Child, request: Value) -> Result<Value, Seen> {
        let label = child.spec.id.to_string();
        self.culprit(child).await.expect("it starts");
        match self.app.call(&label, request).await {
            Ok(answer) => Ok(answer),
            Err(CallError::Ended(reason)) => {
                gone(&self.app, &label).await;
                let crash = self.app.crashes(&label).pop();
                assert!(reason.is_orderly() || crash.as_ref() == Some(&reason), "{crash:?} is reported for {reason}");
                Err(Seen::Ended(reason))
            }
            Err(error) => Err(Seen::Refused(format!("{error:?}"))),
        }
    }

    /// As `call`, with something that the caller hears of by the report of the end alone.
    pub async fn told(&self, child: Child, message: Value) -> Seen {
        let label = child.spec.id.to_string();
        self.culprit(child).await.expect("it starts");
        self.app.send(&label, &message);
        gone(&self.app, &label).await;
        Seen::Ended(self.app.crashes(&label).pop().unwrap_or(ExitReason::Normal))
    }

    /// What a probe called `culprit` brings for these steps, one for each.
    pub async fn steps(&self, limits: impl FnOnce(&mut Limits), steps: Value) -> Value {
        self.culprit(Child::probe("culprit").limits(limits)).await.expect("it starts");
        self.app.steps("culprit", steps).await
    }

    /// What becomes of bytes that are loaded, on an engine that has never seen them.
    pub async fn load(&self, bytes: Vec<u8>) -> Seen {
        self.load_all(vec![bytes]).await.pop().expect("one")
    }

    /// As `load`, of several.
    pub async fn load_all(&self, all: Vec<Vec<u8>>) -> Vec<Seen> {
        self.load_by(None, all).await
    }

    /// As `load`, with a compiler that may take so many seconds, and so much memory.
    pub async fn compile(&self, seconds: u64, memory_mib: u64, bytes: Vec<u8>) -> Seen {
        self.compile_all(seconds, memory_mib, vec![bytes]).await.pop().expect("one")
    }

    /// As `compile`, of several.
    pub async fn compile_all(&self, seconds: u64, memory_mib: u64, all: Vec<Vec<u8>>) -> Vec<Seen> {
        let program = env!("CARGO_BIN_EXE_skep-test-compiler").into();
        let compiler = Compiler { program, seconds, memory_bytes: memory_mib << 20 };
        self.load_by(Some(compiler), all).await
    }

    async fn load_by(&self, compiler: Option<Compiler>, all: Vec<Vec<u8>>) -> Vec<Seen> {
        let load = move || {
            let config = EngineConfig { slots: Some(2), large_slots: 1, compiler, ..EngineConfig::default() };
            let engine = Engine::new(config).expect("there is room for two");
            let loaded = |bytes: Vec<u8>| match engine.load("culprit", &bytes) {
                Ok(_) => Seen::Nothing,
                Err(error) => Seen::Refused(error.to_string()),
            };
            all.into_iter().map(loaded).collect()
        };
        tokio::task::spawn_blocking(load).await.expect("the loader does not panic")
    }

    /// What becomes of a guest of text that gets one message.
    pub async fn run(&self, guest: Vec<u8>, limits: Limits) -> Seen {
        self.run_with(guest, limits, Grants::default()).await
    }

    /// As `run`, with something granted.
    pub async fn run_with(&self, guest: Vec<u8>, limits: Limits, grants: Grants) -> Seen {
        let engine = self.app.runtime.engine().clone();
        let loaded = tokio::task::spawn_blocking(move || engine.load(EVIL, &guest)).await.expect("no panic");
        let module = match loaded {
            Ok(module) => module,
            Err(error) => return Seen::Refused(error.to_string()),
        };
        let grants = Arc::new(grants);
        let module = ModuleSpec { name: EVIL.into(), module, limits: Arc::new(limits.clone()), grants: grants.clone() };
        let child = Child::new(EVIL, EVIL, &Value::Null).process(|process| {
            (process.limits, process.grants) = (Arc::new(limits), grants);
        });
        self.culprits.borrow_mut().insert(EVIL.to_owned());
        let app = AppSpec { root: supervisor([child]), ..AppSpec::new(EVIL).module(module) };
        if let Err(error) = self.app.runtime.start_app(app).await {
            let crash = self.app.crashes(EVIL).pop().map(Seen::Ended);
            return crash.unwrap_or_else(|| Seen::Refused(error.to_string()));
        }
        self.again().await
    }

    /// What becomes of the guest of text that gets a message.
    pub async fn again(&self) -> Seen {
        // What it has used is known after each event, and not before; that of `init` comes first.
        let handled = |process: &ProcessInfo| process.fuel_used.unwrap_or(0);
        let begun = || Some(self.evil().as_ref().map_or(0, handled)).filter(|fuel| *fuel > 0 || self.evil().is_none());
        let before = eventually("it to start", begun).await;
        let hello = Body::Text("hello".into());
        // It may have ended by itself.
        let _ = self.app.runtime.cast(EVIL, &Address::Name(EVIL.into()), hello);
        let crash = || self.app.crashes(EVIL).into_iter().nth(self.forgotten.get()).map(Seen::Ended);
        // Not between what it handles and what follows from that: where it is saved each time, its `save` comes then.
        let rests = |process: ProcessInfo| {
            let now = self.app.runtime.inspect(process.pid);
            let done =
                |now: &Inspection| now.handling.is_none() && !matches!(now.process.status, "running" | "runnable");
            now.is_some_and(|now| handled(&now.process) > before && done(&now))
        };
        // Its supervisor has reported the end when it lists it no more.
        let listed = || self.app.runtime.tree(EVIL).is_some_and(|root| !root.children.is_empty());
        let over = || self.evil().map_or_else(|| !listed(), rests);
        eventually("it to end or to rest", || over().then(|| crash().unwrap_or(Seen::Nothing))).await
    }

    /// The guest of text.
    fn evil(&self) -> Option<ProcessInfo> {
        let evil = |process: &ProcessInfo| process.label.as_deref() == Some(EVIL);
        self.app.runtime.processes().into_iter().find(evil)
    }

    /// Thinks no more of the crashes of the guest of text so far.
    pub fn forget(&self) {
        self.forgotten.set(self.app.crashes(EVIL).len());
    }

    /// Starts an app of culprits that has a budget.
    pub async fn crowd(&self, budget: BudgetSpec, children: impl IntoIterator<Item = Child>) {
        let children: Vec<Child> = children.into_iter().collect();
        self.culprits.borrow_mut().extend(children.iter().map(|child| child.spec.id.to_string()));
        self.app.start_bounded(EVIL, budget, supervisor(children)).await;
    }

    /// What the culprits have logged.
    pub fn logged(&self) -> Vec<String> {
        let culprits = self.culprits.borrow();
        let of_culprits = |report| match report {
            Report::Log { subject, message, .. } => {
                subject.label.is_some_and(|label| culprits.contains(&*label)).then_some(message)
            }
            _ => None,
        };
        self.app.reports().into_iter().filter_map(of_culprits).collect()
    }

    /// Ends what is left of the crime.
    pub async fn clear(&self) {
        let _ = self.app.runtime.stop_app(EVIL).await;
        let culprits = self.culprits.borrow().clone();
        let labels = |process: &ProcessInfo| process.label.as_deref().map(str::to_owned);
        for process in self.app.runtime.processes() {
            if labels(&process).is_some_and(|label| culprits.contains(&label)) {
                self.app.runtime.kill(process.pid);
            }
        }
        for label in culprits {
            gone(&self.app, &label).await;
        }
    }

    /// Nobody else ended, or crashed and was started anew.
    pub fn others_live(&self, what: &str) {
        for (label, pid) in &*self.others.borrow() {
            assert!(self.app.is_alive(*pid), "{what}: {label} has ended");
        }
        let culprits = self.culprits.borrow();
        for report in self.app.reports() {
            if let Report::Crash { subject, reason, .. } = report {
                let label = subject.label.as_deref().unwrap_or("nobody");
                assert!(culprits.contains(label), "{what}: {label} has crashed: {reason}");
            }
        }
    }
}

/// The words of the first refusal in what steps brought, and how many there are.
pub fn refusals(results: &Value) -> Vec<String> {
    let results = results.as_array().map(Vec::as_slice).unwrap_or_default();
    results.iter().filter(|result| !result["Err"].is_null()).map(|result| result["Err"].to_string()).collect()
}

/// What is said of steps of which the last was refused.
pub fn last(results: &Value) -> Seen {
    let last = results.as_array().and_then(|results| results.last()).cloned().unwrap_or(json!(null));
    if last["Err"].is_null() { Seen::Nothing } else { Seen::Refused(last["Err"].to_string()) }
}
