//! A node: one runtime, its log and its life, from the start of an app until everything is stopped in order.
//!
//! Owns when to stop and who waits for it. Never reads arguments and never prints: the command does; never listens: the
//! control API does.

pub mod address;
pub mod audit;
pub mod body;
pub mod children;
pub mod code;
pub mod deploy;
pub mod deployment;
pub(crate) mod file;
pub mod home;
pub mod log;
pub mod metrics;
pub mod plan;
pub mod state;
pub mod tokens;
pub mod watch;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use skep_runtime::kernel::ExitReason;
use skep_runtime::observe::{Level, Observer};
use skep_runtime::spec::AppSpec;
use skep_runtime::{Runtime, RuntimeConfig, RuntimeError, StartError};
use tokio::sync::watch::{Sender, channel};

use crate::signing::admission::{Admission, BadKey};
use audit::Audit;
use code::history::History;
use code::store::{Store, StoreError};
use log::Log;
use tokens::Tokens;

/// A runtime with a name.
pub struct Node {
    /// Its name.
    pub name: String,
    /// The processes.
    pub runtime: Runtime,
    /// What happened.
    pub log: Arc<Log>,
    /// Code that ran.
    pub store: Arc<Store>,
    /// What became of each upgrade.
    pub history: Arc<History>,
    /// When it was made.
    pub started: SystemTime,
    /// Who may ask it from elsewhere.
    pub tokens: Tokens,
    /// What was asked of it.
    pub audit: Audit,
    /// Whose code it runs. Fixed when it starts.
    pub admission: Admission,
    /// The folder that no guest may get at.
    home: PathBuf,
    /// Held by whoever changes which apps run, and how.
    deploying: tokio::sync::Mutex<()>,
    stage: Sender<Stage>,
}

/// How far a node is in its life.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Stage {
    /// At work.
    Running,
    /// Asked to stop.
    Stopping,
    /// All processes have ended.
    Stopped,
}

/// Why there is no node.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The runtime cannot be made.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// The place for code that ran cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Whose code it runs cannot be read.
    #[error(transparent)]
    Admission(#[from] BadKey),
}

/// Why a node's life is over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ending {
    /// It was asked to stop, and has.
    Asked,
    /// The app's root supervisor ended by itself, for this reason.
    GaveUp(ExitReason),
}

impl Node {
    /// A node without apps, which keeps what must outlive it in `folder`, and finds there whose code it runs. Must be called inside of a tokio runtime.
    pub fn new(name: &str, config: RuntimeConfig, folder: &Path) -> Result<Arc<Self>, NodeError> {
        let admission = Admission::remembered(folder)?;
        let log = Arc::new(Log::default());
        let (store, damage) = Store::open(folder.join("modules"))?;
        if let Some(damage) = damage {
            log.note(Level::Warn, damage);
        }
        let history = Arc::new(History::open(folder.join("upgrades.jsonl")));
        let (tokens, audit) = (Tokens::of(folder), Audit::of(folder));
        let runtime = Runtime::new(config, Arc::clone(&log) as Arc<dyn Observer>)?;
        let (stage, _) = channel(Stage::Running);
        let (name, store, started) = (name.to_owned(), Arc::new(store), SystemTime::now());
        let (home, deploying) = (home::home_of(folder).to_owned(), tokio::sync::Mutex::default());
        Ok(Arc::new(Node {
            name,
            runtime,
            log,
            store,
            history,
            started,
            tokens,
            audit,
            admission,
            home,
            deploying,
            stage,
        }))
    }

    /// Starts an app; asked to stop meanwhile, it ends what has been started and answers none.
    pub async fn start(&self, app: AppSpec) -> Option<Result<(), StartError>> {
        let _turn = self.deploying.lock().await;
        self.start_in_turn(app).await
    }

    /// As [`Node::start`], for whoever has the turn already.
    async fn start_in_turn(&self, app: AppSpec) -> Option<Result<(), StartError>> {
        tokio::select! {
            started = self.runtime.start_app(app) => Some(started),
            () = self.reaches(Stage::Stopping) => None,
        }
    }

    /// Waits until the node is asked to stop, or the app ends by itself. An app that is undeployed is no reason to end:
    /// others may run, or come.
    pub async fn live(&self, app: &str) -> Ending {
        tokio::select! {
            reason = self.gives_up(app) => match self.stage() {
                Stage::Running => Ending::GaveUp(reason),
                Stage::Stopping | Stage::Stopped => Ending::Asked,
            },
            () = self.reaches(Stage::Stopping) => Ending::Asked,
            () = self.keep_log() => Ending::Asked,
        }
    }

    /// Waits until an app ends by itself; for ever, if somebody stops it.
    async fn gives_up(&self, app: &str) -> ExitReason {
        match self.runtime.app_gave_up(app).await {
            Ok(Some(reason)) => reason,
            Ok(None) | Err(_) => std::future::pending().await,
        }
    }

    /// Stops every app in order, then the runtime and the log.
    pub async fn end(&self) {
        self.ask_to_stop();
        self.runtime.shutdown().await;
        self.log.note(Level::Info, "stopped".to_owned());
        self.log.close();
        self.stage.send_replace(Stage::Stopped);
    }

    /// Asks the node to stop every app in order. Returns at once.
    pub fn ask_to_stop(&self) {
        self.stage.send_if_modified(|stage| {
            let changes = *stage < Stage::Stopping;
            *stage = (*stage).max(Stage::Stopping);
            changes
        });
    }

    /// Kills every app, whatever it is doing.
    pub async fn kill(&self) {
        self.ask_to_stop();
        for app in self.runtime.apps() {
            // One that has ended meanwhile needs no killing.
            let _ = self.runtime.kill_app(&app).await;
        }
    }

    /// Waits until the node is so far.
    pub async fn reaches(&self, wanted: Stage) {
        // Fails only without a sender, which this is.
        let _ = self.stage.subscribe().wait_for(|stage| *stage >= wanted).await;
    }

    /// How far it is.
    #[must_use]
    pub fn stage(&self) -> Stage {
        *self.stage.borrow()
    }

    /// Closes the log's seconds. Never returns.
    async fn keep_log(&self) {
        let mut seconds = tokio::time::interval(Duration::from_secs(1));
        loop {
            seconds.tick().await;
            self.log.tick();
        }
    }
}
