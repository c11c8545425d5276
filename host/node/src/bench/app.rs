//! Skep's side: the app of `examples-wasm/bench-driver`, and its driver, which is asked as any other process.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Deserialize;
use skep_runtime::kernel::{Address, Body};
use skep_runtime::observe::{Observer, Report};
use skep_runtime::upgrade::Upgrade;
use skep_runtime::{EngineConfig, Module, Runtime, RuntimeConfig};

use super::order::{Order, Took};
use super::{BenchError, Watch};
use crate::manifest::{Code, Manifest};
use crate::node::deploy;
use crate::node::home::Home;

/// The folder with the guests, where this program was built.
const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples-wasm");
/// The app in its manifest.
const APP: &str = "bench";
/// Whose code is replaced, and the crates of its two versions.
const NOTED: &str = "noted";
const SUCCESSOR: &str = "counter-v2";
/// No work takes longer.
const PATIENCE: Duration = Duration::from_secs(3600);

/// The running app.
pub(super) struct App {
    runtime: Runtime,
    /// Both versions of the code that is replaced, the next one first.
    versions: [Module; 2],
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
            let code = Code::Crate { dir: Path::new(SOURCES).join(SUCCESSOR), package: None };
            let successor = deploy::app(manifest.successor(NOTED, code), &engine, report.as_mut())?;
            let app = deploy::app(manifest, &engine, report.as_mut())?;
            let code = |app: &skep_runtime::spec::AppSpec| {
                let noted = app.modules.iter().find(|module| &*module.name == NOTED);
                noted.map(|module| module.module.clone()).expect("the manifest has it")
            };
            let versions = [code(&successor), code(&app)];
            Ok::<_, BenchError>((app, versions))
        });
        let (app, versions) = loading.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?;
        runtime.start_app(app).await?;
        Ok(App { runtime, versions })
    }

    pub(super) async fn stop(self) {
        self.runtime.shutdown().await;
    }

    pub(super) async fn obey(&mut self, order: &Order) -> Result<Took, BenchError> {
        match order {
            Order::Upgrade => self.upgrade().await,
            Order::Fib(_) | Order::Sha(_) => self.ask("cpu", order).await.map(|(took, _)| took),
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
        let took = Took { whole: begun.elapsed(), each: Vec::new() };
        match answer {
            Body::Json(text) => Ok((took, text)),
            other => Err(BenchError::Failed { order: order.term(), why: format!("it answered in {}", other.form()) }),
        }
    }

    async fn upgrade(&mut self) -> Result<Took, BenchError> {
        let next = self.versions[0].clone();
        let upgrade =
            Upgrade { migrate_within: PATIENCE, wait: PATIENCE, ..Upgrade::one(APP.into(), NOTED.into(), next) };
        let done = self.runtime.upgrade(upgrade, |_| {}).await;
        let summary = done.map_err(|error| BenchError::Upgrade(Box::new(error)))?;
        self.versions.swap(0, 1);
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        Ok(Took { whole: summary.took, each: vec![nanos(summary.pause.p50), nanos(summary.pause.p99)] })
    }
}
