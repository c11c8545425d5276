//! `skep run`: a node in the foreground.
//!
//! Owns the order in which things are refused. The node's life itself is `node`'s.

mod printer;
mod signals;

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use skep_runtime::engine::{Bound, Compiler, Most};
use skep_runtime::observe::Level;
use skep_runtime::spec::{AppSpec, WhenFull};
use skep_runtime::{EngineConfig, RuntimeConfig};

use super::Shared;
use super::build::Progress;
use super::failure::Failure;
use super::log_line::Colour;
use crate::control::server::{Doors, Listener, Remote, serve};
use crate::control::tls::Identity;
use crate::manifest::Manifest;
use crate::manifest::units::HibernateAfter;
use crate::node::deploy::Code;
use crate::node::home::{Claim, Home};
use crate::node::watch::{self, Sources, Trouble};
use crate::node::{Ending, Node, Stage, body, deploy};
use crate::signing::admission::{Admission, BadKey, Signer};
use printer::Printer;
use signals::Signals;

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

    /// Instances of small guests that live at once, beyond which those that wait give theirs up [default: 4000, or as many as
    /// the machine has room for]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    slots: Option<u32>,

    /// What becomes of a process that is started while all of them are taken and nobody can give one up: it waits for a
    /// place, or its start is refused
    #[arg(long, value_enum, default_value_t = Full::Wait, value_name = "WHAT")]
    when_full: Full,

    /// Watch the sources: whatever changes in the folders of the manifest's crates and of those that they depend on by
    /// path, or in the files that it names, is built and upgraded in place. What does not build, or does not fit, is shown,
    /// and the old code runs on. The manifest itself is not watched
    #[arg(long)]
    watch: bool,

    /// Be asked over TCP too, at this address, with TLS and by whoever has a token (`skep token new`); port 0 takes a free
    /// one
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<SocketAddr>,

    /// The certificate to show there, in PEM, with those that vouch for it [default: one that the node makes, known by its
    /// fingerprint]
    #[arg(long, value_name = "FILE", requires_all = ["listen", "tls_key"])]
    tls_cert: Option<PathBuf>,

    /// The certificate's key, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,

    /// Run only code that was signed with this key (`skep sign`): the path of a .pub file, or the key itself; may be given
    /// several times. Holds for whatever is run, deployed, upgraded or rolled back to on this node, and is remembered
    /// with its name
    #[arg(long, value_name = "KEY", conflicts_with_all = ["allow_unsigned", "watch"])]
    require_signed: Vec<String>,

    /// Forget an earlier `--require-signed`
    #[arg(long)]
    allow_unsigned: bool,

    /// Print the log as JSON, an object a line, on standard output
    #[arg(long)]
    pub(super) json: bool,
}

/// What becomes of whoever is started while there is no place.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Full {
    Wait,
    Refuse,
}

const EXAMPLES: &str = "\
Examples:
  skep run app.toml
  skep run app.toml --node blue --json > blue.log
  skep run app.toml --watch
  skep run app.toml --listen 0.0.0.0:7777

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
        self.remember_signers(&claim)?;
        let node = self.node(&home, &manifest, &claim)?;
        // As they are before the build reads them: what changes from here on is seen.
        let watched = self.watch.then(|| (Sources::of(&manifest), manifest.clone()));
        let (app, code) = loaded(&node, manifest).await?;
        let doors = self.doors(&node, &claim).await?;
        let printer = Printer::start(&node.log, self.json);
        let hint = format!("`{}` is up; {}", app.name, self.hint(shared, &node));
        let up = || {
            node.log.note(Level::Info, hint);
            if let Some((sources, manifest)) = watched {
                self.watch(&node, manifest, sources);
            }
        };
        let lived = live(&node, app, code, doors, up).await;
        node.log.close();
        printer.finish();
        lived
    }

    fn node(&self, home: &Home, manifest: &Manifest, claim: &Claim) -> Result<Arc<Node>, Failure> {
        show_host_warnings();
        self.slots.map_or(Ok(()), |slots| has_room(slots, Most::here()))?;
        let config = RuntimeConfig {
            workers: self.workers.map(usize::from),
            engine: EngineConfig {
                cache: Some(home.cache()?),
                compiler: Some(Compiler::new("/proc/self/exe".into())),
                slots: self.slots,
                ..EngineConfig::default()
            },
            keep: self.hibernate_after.map(|when| when.0),
            when_full: match self.when_full {
                Full::Wait => WhenFull::Wait,
                Full::Refuse => WhenFull::Refuse,
            },
        };
        let node = Node::new(self.node.as_deref().unwrap_or(&manifest.name), config, claim.folder())?;
        let keys = node.admission.keys();
        if keys.is_empty() {
            return Ok(node);
        }
        if self.watch {
            return Err(Failure::usage("this node runs signed code only, and nobody signs what --watch builds")
                .remedy("leave out --watch, or lift the rule with --allow-unsigned"));
        }
        node.log.note(Level::Info, format!("runs only code that was signed with {}", keys.join(" or ")));
        Ok(node)
    }

    /// Where the node will be asked.
    async fn doors(&self, node: &Node, claim: &Claim) -> Result<Doors, Failure> {
        let socket = Listener::bind(claim.socket(), Arc::clone(&node.log))
            .map_err(|error| cannot(&format!("listen at {}", claim.socket().display()), error))?;
        let Some(address) = self.listen else { return Ok(Doors { socket, remote: None }) };
        let identity = match (&self.tls_cert, &self.tls_key) {
            (Some(certificate), Some(key)) => Identity::load(certificate, key)?,
            _ => Identity::own(claim.folder())?,
        };
        let remote = Remote::bind(address, &identity, Arc::clone(&node.log)).await;
        let remote = remote.map_err(|error| cannot(&format!("listen at {address}"), error))?;
        let address = remote.address().map_err(|error| cannot("listen", error))?;
        let fingerprint = identity.fingerprint;
        node.log.note(Level::Info, format!("listens at https://{address}, certificate {fingerprint}"));
        if node.tokens.list()?.is_empty() {
            let hint = format!("nobody has a token: make one with `skep token new --node {}`", node.name);
            node.log.note(Level::Warn, hint);
        }
        Ok(Doors { socket, remote: Some(remote) })
    }

    /// What is said about whose code is run is the node's from here on.
    fn remember_signers(&self, claim: &Claim) -> Result<(), Failure> {
        let said = match &self.require_signed[..] {
            [] if self.allow_unsigned => Admission::Anyone,
            [] => return Ok(()),
            keys => {
                let signers: Result<Vec<Signer>, BadKey> = keys.iter().map(|key| Signer::given(key)).collect();
                Admission::SignedBy(signers?)
            }
        };
        Ok(said.remember(claim.folder())?)
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

/// Whether this machine has room for so many instances.
fn has_room(slots: u32, most: Most) -> Result<(), Failure> {
    if slots <= most.slots {
        return Ok(());
    }
    let (why, remedy) = match most.bound {
        Bound::Mappings { allowed, each } => (
            format!("vm.max_map_count is {allowed}, and an instance takes up to {each} mappings"),
            format!("give at most {}, or raise it: `sysctl -w vm.max_map_count=1000000`", most.slots),
        ),
        Bound::Memory { bytes, each } => (
            format!("half of its {} MiB may be theirs, and an instance holds some {} KiB", bytes >> 20, each >> 10),
            format!("give at most {}", most.slots),
        ),
    };
    Err(Failure::usage(format!("this machine has no room for {slots} instances: {why}")).remedy(remedy))
}

/// Builds and loads on a thread of its own, since it blocks.
async fn loaded(node: &Arc<Node>, manifest: Manifest) -> Result<(AppSpec, Vec<Code>), Failure> {
    let (engine, admission) = (node.runtime.engine().clone(), node.admission.clone());
    let loading = tokio::task::spawn_blocking(move || {
        let mut progress = Progress::default();
        let app = deploy::load(manifest, &engine, &admission, &mut progress);
        progress.finish();
        app
    });
    let app = loading.await.map_err(|error| Failure::new(format!("loading failed: {error}")))?;
    Ok(app?)
}

fn cannot(what: &str, error: std::io::Error) -> Failure {
    Failure::new(format!("cannot {what}: {error}"))
}

/// From here on there are processes: everything is taken down again on every way out.
async fn live(node: &Arc<Node>, app: AppSpec, code: Vec<Code>, doors: Doors, up: impl FnOnce()) -> Result<(), Failure> {
    let signals = Signals::catch().map_err(|error| cannot("catch signals", error))?;
    let signals = tokio::spawn(signals.obey(Arc::clone(node)));
    let name = Arc::clone(&app.name);
    let server = tokio::spawn(serve(Arc::clone(node), doors));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_the_way_of_more_instances_is_said() {
        let by_mappings = Most { slots: 7_941, bound: Bound::Mappings { allowed: 65_530, each: 8 } };
        let by_memory = Most { slots: 2_048, bound: Bound::Memory { bytes: 100 << 20, each: 25 << 10 } };
        assert!(has_room(7_941, by_mappings).is_ok());
        for (most, words) in [(by_mappings, "vm.max_map_count is 65530"), (by_memory, "half of its 100 MiB")] {
            let refused = format!("{:?}", has_room(8_000, most).expect_err("they are too many"));
            assert!(refused.contains("no room for 8000 instances") && refused.contains(words), "{refused}");
            assert!(refused.contains(&format!("give at most {}", most.slots)), "{refused}");
        }
    }
}
