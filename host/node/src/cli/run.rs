//! `skep run`: a node in the foreground.
//!
//! Owns the order in which things are refused, the signals, and the thread that prints the log. The node's life itself is
//! `node`'s.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use clap::Args;
use skep_runtime::observe::Level;
use skep_runtime::spec::AppSpec;
use skep_runtime::{EngineConfig, RuntimeConfig};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::broadcast::error::RecvError;

use super::build::Progress;
use super::failure::Failure;
use super::log_line::{self, Colour};
use super::{Shared, safe};
use crate::control::server::{Listener, serve};
use crate::manifest::Manifest;
use crate::manifest::units::HibernateAfter;
use crate::node::deploy::Code;
use crate::node::home::{Claim, Home};
use crate::node::log::{Entry, Log, What};
use crate::node::watch::{self, Sources, Trouble};
use crate::node::{Ending, Node, Stage, body, deploy};

/// How long a second Ctrl-C waits for processes to be killed before this process ends whatever happens.
const KILL_TIME: Duration = Duration::from_secs(2);

/// Runs an app in the foreground
///
/// Builds and loads what the manifest names, starts its tree, and prints the log until Ctrl-C, `skep stop` or the end of
/// the app. Whatever is wrong with the manifest or the code is refused before anything starts. Ctrl-C (or SIGTERM) stops
/// the tree in order; a second one kills it. The exit code is 1 if the app ended by itself.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Run {
    /// The app's manifest
    #[arg(value_name = "APP.TOML")]
    manifest: PathBuf,

    /// The node's name [default: the app's]
    #[arg(long, value_name = "NAME")]
    node: Option<String>,

    /// Threads that run guests [default: one for each core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    workers: Option<u16>,

    /// When waiting processes give their instances back, whatever the manifest says: `always`, `never`, or a time. With
    /// `always`, a test shows whether the states are whole
    #[arg(long, value_name = "WHEN")]
    hibernate_after: Option<HibernateAfter>,

    /// Watch the sources: whatever changes in the folders of the manifest's crates and of those that they depend on by
    /// path, or in the files that it names, is built and upgraded in place. What does not build, or does not fit, is shown,
    /// and the old code runs on. The manifest itself is not watched
    #[arg(long)]
    watch: bool,

    /// Print the log as JSON, an object a line, on standard output
    #[arg(long)]
    pub(super) json: bool,
}

const EXAMPLES: &str = "\
Examples:
  skep run app.toml
  skep run app.toml --node blue --json > blue.log
  skep run app.toml --watch

A manifest:
  name = \"hello\"

  [modules.counter]
  path = \"counter.wasm\"           # or crate = \"../counter\"

  [supervisor]
  strategy = \"one_for_one\"        # or one_for_all, rest_for_one
  max_restarts = 3
  max_seconds = 5

  [[supervisor.children]]
  id = \"counter\"
  module = \"counter\"
  name = \"counter\"
  args = 5                        # any TOML; init gets it as JSON
  restart = \"permanent\"           # or transient, temporary
  shutdown = \"5s\"                 # or brutal_kill, infinity
  limits = { memory = \"16MiB\", fuel_per_message = 1_000_000 }
  grants = { read = [\"./data:/input\"] }

then, in another terminal:
  skep call counter '{\"Add\": 2}'";

impl Run {
    pub(super) async fn perform(self, shared: &Shared) -> Result<(), Failure> {
        let path = Home::locate(shared.home.as_deref())?;
        let manifest = Manifest::read(&self.manifest, &path)?;
        let home = Home::create(&path)?;
        let claim = home.claim(self.node.as_deref().unwrap_or(&manifest.name))?;
        let node = self.node(&home, &manifest, &claim)?;
        // As they are before the build reads them: what changes from here on is seen.
        let watched = self.watch.then(|| (Sources::of(&manifest), manifest.clone()));
        let (app, code) = loaded(&node, manifest).await?;
        let printer = Printer::start(&node.log, self.json);
        let hint = format!("`{}` is up; {}", app.name, self.hint(shared, &node));
        let up = || {
            node.log.note(Level::Info, hint);
            if let Some((sources, manifest)) = watched {
                self.watch(&node, manifest, sources);
            }
        };
        let lived = live(&node, app, code, &claim, up).await;
        node.log.close();
        printer.finish();
        lived
    }

    fn node(&self, home: &Home, manifest: &Manifest, claim: &Claim) -> Result<Arc<Node>, Failure> {
        show_host_warnings();
        let config = RuntimeConfig {
            workers: self.workers.map(usize::from),
            engine: EngineConfig { cache: Some(home.cache()?), ..EngineConfig::default() },
            keep: self.hibernate_after.map(|when| when.0),
        };
        Ok(Node::new(self.node.as_deref().unwrap_or(&manifest.name), config, claim.folder())?)
    }

    /// Upgrades what changes, for as long as the node runs.
    fn watch(&self, node: &Arc<Node>, manifest: Manifest, sources: Sources) {
        let (node, json) = (Arc::clone(node), self.json);
        tokio::spawn(async move {
            let tell = |trouble| match trouble {
                Trouble::Build(error) => Failure::from(error).print(json),
                Trouble::Upgrade(refused) => Failure::from(refused).print(json),
            };
            tokio::select! {
                () = watch::follow(&node, &manifest, sources, tell) => {}
                () = node.reaches(Stage::Stopping) => {}
            }
        });
    }

    /// What to type to talk to the node.
    fn hint(&self, shared: &Shared, node: &Node) -> String {
        let home = shared.home.as_ref().map_or_else(String::new, |home| format!(" --home {}", home.display()));
        format!("in another terminal: skep tree{home} --node {}", node.name)
    }
}

/// Builds and loads on a thread of its own, since it blocks.
async fn loaded(node: &Arc<Node>, manifest: Manifest) -> Result<(AppSpec, Vec<Code>), Failure> {
    let engine = node.runtime.engine().clone();
    let loading = tokio::task::spawn_blocking(move || {
        let mut progress = Progress::default();
        let app = deploy::load(manifest, &engine, &mut progress);
        progress.finish();
        app
    });
    let app = loading.await.map_err(|error| Failure::new(format!("loading failed: {error}")))?;
    Ok(app?)
}

/// From here on there is a socket and there are processes: everything is taken down again on every way out.
async fn live(
    node: &Arc<Node>,
    app: AppSpec,
    code: Vec<Code>,
    claim: &Claim,
    up: impl FnOnce(),
) -> Result<(), Failure> {
    let cannot = |what: &str, error: std::io::Error| Failure::new(format!("cannot {what}: {error}"));
    let listener = Listener::bind(claim.socket(), Arc::clone(&node.log))
        .map_err(|error| cannot(&format!("listen at {}", claim.socket().display()), error))?;
    let signals = Signals::catch().map_err(|error| cannot("catch signals", error))?;
    let signals = tokio::spawn(signals.obey(Arc::clone(node)));
    let name = Arc::clone(&app.name);
    let server = tokio::spawn(serve(Arc::clone(node), listener));
    let ending = match node.start(app).await {
        Some(Ok(())) => {
            node.keep(&name, code).await;
            up();
            Ok(node.live(&name).await)
        }
        Some(Err(error)) => Err(Failure::from(error)),
        None => Ok(Ending::Asked),
    };
    node.end().await;
    // It answers whoever asked for the end, and then ends too.
    let _ = server.await;
    signals.abort();
    match ending? {
        Ending::Asked => Ok(()),
        Ending::GaveUp(reason) => {
            let why = body::reason(&reason);
            Err(Failure::new(format!("`{name}` has ended: its root supervisor gave up ({why})"))
                .remedy("the log above says which child failed, and how"))
        }
    }
}

/// What asks this process to end.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Signals {
    fn catch() -> std::io::Result<Self> {
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hang_up.recv() => {}
        }
    }

    /// The first one stops in order, the second one kills.
    async fn obey(mut self, node: Arc<Node>) {
        self.next().await;
        node.log.note(Level::Info, "stopping in order; once more to kill".to_owned());
        node.ask_to_stop();
        self.next().await;
        let _ = tokio::time::timeout(KILL_TIME, node.kill()).await;
        // Whoever waits for the processes has learned it by now, or never will.
        tokio::time::sleep(KILL_TIME).await;
        std::process::exit(1);
    }
}

/// A thread that prints the log. Standard error may block for as long as it likes; only this thread waits for it.
struct Printer(JoinHandle<()>);

impl Printer {
    fn start(log: &Log, json: bool) -> Self {
        let following = log.follow(usize::MAX, |_| true);
        Printer(std::thread::spawn(move || {
            let colour = Colour::on(std::io::stderr().is_terminal());
            let print = |entry: &Entry| {
                // Where nobody reads, nothing is printed; `skep logs` still has it.
                let _ = if json {
                    let text = serde_json::to_string(entry).unwrap_or_default();
                    writeln!(std::io::stdout(), "{}", safe::json(&text))
                } else {
                    std::io::stderr().write_all(log_line::line(entry, colour).as_bytes())
                };
            };
            following.past.iter().for_each(|entry| print(entry));
            let Some(mut future) = following.future else { return };
            loop {
                match future.blocking_recv() {
                    Ok(entry) => print(&entry),
                    Err(RecvError::Lagged(lines)) => print(&Entry::now(What::Suppressed { lines })),
                    Err(RecvError::Closed) => return,
                }
            }
        }))
    }

    /// Waits until everything is printed, but not for ever for a terminal that stands still.
    fn finish(self) {
        const PATIENCE: Duration = Duration::from_secs(1);
        const STEP: Duration = Duration::from_millis(5);
        let mut waited = Duration::ZERO;
        while !self.0.is_finished() && waited < PATIENCE {
            std::thread::sleep(STEP);
            waited += STEP;
        }
    }
}

/// Warnings of the host's own libraries go to standard error; `SKEP_LOG` chooses others, such as `debug`.
fn show_host_warnings() {
    let filter = tracing_subscriber::EnvFilter::builder()
        .with_env_var("SKEP_LOG")
        .with_default_directive(tracing_subscriber::filter::LevelFilter::WARN.into())
        .from_env_lossy();
    // Fails where the embedding program has one already.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(Colour::on(std::io::stderr().is_terminal()) == Colour::Always)
        .try_init();
}
