//! Skep's side: the app of `examples-wasm/bench-driver`, and its driver, which is asked as any other process.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Deserialize;
use skep_bare::{Bare, Metering};
use skep_runtime::kernel::{Address, Body};
use skep_runtime::observe::{Observer, Report};
use skep_runtime::spec::AppSpec;
use skep_runtime::upgrade::Upgrade;
use skep_runtime::{EngineConfig, Module, Runtime, RuntimeConfig};

use super::order::{Order, Took};
use super::{BenchError, Watch};
use crate::manifest::{Code, Manifest};
use crate::node::deploy;
use crate::node::home::Home;
use crate::signing::admission::Admission;

/// The folder with the guests, where this program was built.
const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples-wasm");
/// The app in its manifest.
const APP: &str = "bench";
/// Modules whose code is replaced, and the crate of the next version of each.
const SUCCESSORS: [(&str, &str); 2] = [("noted", "counter-v2"), ("hoard", "bench-hoard-v2")];
/// The module that only computes.
const CPU: &str = "cpu";
/// No work takes longer.
const PATIENCE: Duration = Duration::from_secs(3600);

/// The running app.
pub(super) struct App {
    runtime: Runtime,
    /// Of each module whose code is replaced, both versions, the next one first.
    versions: BTreeMap<&'static str, [Module; 2]>,
    /// The code that only computes, and a server of it outside of Skep as soon as one is asked for.
    cpu: Vec<u8>,
    unmetered: Option<Bare>,
}

/// What the driver answers.
#[derive(Deserialize)]
enum Reply {
    Done,
    Took(Vec<u64>),
    Failed(String),
}

/// Crashes are a part of what is measured.
struct Silent;

impl Observer for Silent {
    fn report(&self, _: Report) {}
}

impl App {
    /// Builds, loads and starts it.
    pub(super) async fn start(home: Option<&Path>, watch: &dyn Watch) -> Result<Self, BenchError> {
        let path = Path::new(SOURCES).join("bench-driver/bench.toml");
        if !path.is_file() {
            return Err(BenchError::NoSources(path));
        }
        let manifest = Manifest::read(&path, Path::new("/nonexistent"))?;
        let cache = home.and_then(|home| Home::create(home).ok()?.cache().ok());
        let engine = EngineConfig { cache, ..EngineConfig::default() };
        let runtime = Runtime::new(RuntimeConfig { engine, ..RuntimeConfig::default() }, Arc::new(Silent))?;
        let (engine, mut report) = (runtime.engine().clone(), watch.builder());
        let loading = tokio::task::spawn_blocking(move || {
            let mut successors = Vec::new();
            for (module, name) in SUCCESSORS {
                let code = Code::Crate { dir: Path::new(SOURCES).join(name), package: None };
                successors.push(deploy::app(manifest.successor(module, code), &engine, report.as_mut())?);
            }
            let (app, codes) = deploy::load(manifest, &engine, &Admission::Anyone, report.as_mut())?;
            let code = |app: &AppSpec, name: &str| {
                let found = app.modules.iter().find(|module| &*module.name == name);
                found.map(|module| module.module.clone()).expect("the manifest has it")
            };
            let versions = SUCCESSORS.iter().zip(&successors);
            let versions = versions.map(|((name, _), successor)| (*name, [code(successor, name), code(&app, name)]));
            let cpu = codes.into_iter().find(|code| &*code.module == CPU).map(|code| code.bytes);
            let versions = versions.collect();
            Ok::<_, BenchError>((app, versions, cpu.expect("the manifest has it")))
        });
        let (app, versions, cpu) =
            loading.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?;
        runtime.start_app(app).await?;
        Ok(App { runtime, versions, cpu, unmetered: None })
    }

    pub(super) async fn stop(self) {
        self.runtime.shutdown().await;
    }

    pub(super) async fn obey(&mut self, order: &Order) -> Result<Took, BenchError> {
        match order {
            Order::Upgrade(module) => self.upgrade(module).await,
            Order::Fib(_) | Order::Sha(_) => self.ask(CPU, order).await.map(|(took, _)| took),
            order => {
                let (took, body) = self.ask("driver", order).await?;
                let failed = |why: String| BenchError::Failed { order: order.term(), why };
                match serde_json::from_str(&body).map_err(|error| failed(error.to_string()))? {
                    Reply::Done => Ok(took),
                    Reply::Took(each) => Ok(Took { each, ..took }),
                    Reply::Failed(why) => Err(failed(why)),
                }
            }
        }
    }

    async fn ask(&self, name: &str, order: &Order) -> Result<(Took, String), BenchError> {
        let failed = |error| BenchError::NoAnswer { order: order.term(), error };
        let body = Body::Json(serde_json::to_string(order).expect("an order is data"));
        let begun = Instant::now();
        let answer = self.runtime.call(APP, Address::Name(name.into()), body, Some(PATIENCE)).await.map_err(failed)?;
        let took = Took { whole: begun.elapsed(), ..Took::default() };
        match answer {
            Body::Json(text) => Ok((took, text)),
            other => Err(BenchError::Failed { order: order.term(), why: format!("it answered in {}", other.form()) }),
        }
    }

    /// Has the code that only computes do it outside of Skep, unmetered.
    pub(super) fn unmetered(&mut self, order: &Order) -> Result<Took, BenchError> {
        let failed = |error: &dyn Display| BenchError::Failed { order: order.term(), why: error.to_string() };
        let json = serde_json::to_string(order).expect("an order is data");
        tokio::task::block_in_place(|| {
            let bare = match &mut self.unmetered {
                Some(bare) => bare,
                none => none.insert(Bare::start(&self.cpu, Metering::Unmetered).map_err(|error| failed(&error))?),
            };
            let begun = Instant::now();
            bare.call(&json).map_err(|error| failed(&error))?;
            Ok(Took { whole: begun.elapsed(), ..Took::default() })
        })
    }

    async fn upgrade(&mut self, module: &'static str) -> Result<Took, BenchError> {
        let versions = self.versions.get_mut(module).expect("it has a successor");
        let next = versions[0].clone();
        let upgrade =
            Upgrade { migrate_within: PATIENCE, wait: PATIENCE, ..Upgrade::one(APP.into(), module.into(), next) };
        let done = self.runtime.upgrade(upgrade, |_| {}).await;
        let summary = done.map_err(|error| BenchError::Upgrade(Box::new(error)))?;
        versions.swap(0, 1);
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let each = vec![nanos(summary.pause.p50), nanos(summary.pause.p99)];
        Ok(Took { whole: summary.took, each, state_bytes: summary.state_bytes })
    }
}
