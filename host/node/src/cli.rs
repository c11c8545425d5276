//! The `skep` command.
//!
//! Owns what can be typed and what is printed: the only place that formats for people. Each subcommand is a file that
//! makes one or two calls on `node`, `build` or `control::client`. Exit codes: 0 done, 1 failed, 2 wrong usage.

mod audit;
mod bench;
mod build;
mod chart;
mod child;
mod demo;
mod deploy;
mod elsewhere;
mod failure;
mod grants;
mod inspect;
mod json;
mod log_line;
mod logs;
mod metrics;
mod names;
mod new;
mod output;
mod ps;
mod replace;
mod run;
pub mod safe;
mod sign;
mod stop;
mod sys;
mod table;
mod talk;
mod token;
mod top;
mod tree;
mod undeploy;
mod upgrade;
mod versions;
mod when;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::control::client::{Client, is_address};
use crate::node::home::Home;
use crate::suggest;
use failure::Failure;

/// Runs supervised, sandboxed WebAssembly processes with Erlang's manners.
#[derive(Parser)]
#[command(name = "skep", version, max_term_width = 100)]
struct Cli {
    /// The node's own folder, for sockets and compiled code [default: $SKEP_HOME, else $XDG_STATE_HOME/skep, else
    /// ~/.local/state/skep]
    #[arg(long, global = true, value_name = "DIR")]
    home: Option<PathBuf>,

    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Run(run::Run),
    New(new::New),
    Build(build::Build),
    Sign(sign::Sign),
    Demo(demo::Demo),
    Bench(bench::Bench),
    Ps(ps::Ps),
    Top(top::Top),
    Tree(tree::Tree),
    Inspect(inspect::Inspect),
    Grants(grants::GrantsOf),
    Sys(sys::Sys),
    Child(child::Child),
    Names(names::Names),
    Metrics(metrics::Metrics),
    Call(talk::Call),
    Cast(talk::Cast),
    Logs(logs::Logs),
    Upgrade(upgrade::Upgrade),
    Rollback(upgrade::Rollback),
    Versions(versions::VersionsOf),
    Deploy(deploy::Deploy),
    Undeploy(undeploy::Undeploy),
    Stop(stop::Stop),
    Token(token::TokenOf),
    Audit(audit::AuditOf),
}

/// Which node, and in what form it answers: shared by all that talk to one.
#[derive(Args)]
struct Asking {
    /// Which node: its name, needed only where several run; or `https://host:port` for one elsewhere
    #[arg(long, value_name = "NODE", global = true)]
    node: Option<String>,

    #[command(flatten)]
    proof: elsewhere::Proof,

    /// Print JSON, for scripts
    #[arg(long, global = true)]
    json: bool,
}

/// What every subcommand gets beside its own arguments.
struct Shared {
    /// `--home`, as given.
    home: Option<PathBuf>,
}

impl Shared {
    /// The node that is meant.
    async fn client(&self, asking: &Asking) -> Result<Client, Failure> {
        if let Some(address) = asking.node.as_deref().filter(|node| is_address(node)) {
            return asking.proof.client(address);
        }
        let home = Home::locate(self.home.as_deref())?;
        Ok(Client::find(&home, asking.node.as_deref()).await?)
    }

    /// The folder of a node, which need not run and need not have run.
    fn folder_to_be(&self, node: Option<&str>) -> Result<PathBuf, Failure> {
        match node.filter(|node| !is_address(node)) {
            Some(node) => Ok(Home::create(&Home::locate(self.home.as_deref())?)?.folder(node)?),
            None => self.folder(node),
        }
    }

    /// The folder of the node that is meant, which need not run.
    fn folder(&self, node: Option<&str>) -> Result<PathBuf, Failure> {
        let home = Home::create(&Home::locate(self.home.as_deref())?)?;
        let known = home.known();
        match (node, &known[..]) {
            (Some(node), _) if is_address(node) => {
                Err(Failure::usage("this is done where the node runs, by its owner")
                    .remedy("give the node's name, on its own machine"))
            }
            (Some(node), known) if known.iter().any(|name| name == node) => Ok(home.folder(node)?),
            (Some(node), known) => Err(Failure::new(format!("there has been no node named `{node}` here"))
                .remedy(suggest::remedy(node, "nodes", known.iter().map(String::as_str)))),
            (None, [only]) => Ok(home.folder(only)?),
            (None, []) => Err(Failure::usage(format!("there has been no node in {}", home.path().display()))
                .remedy("give the name that it will have, with --node")),
            (None, several) => Err(Failure::usage(format!("there are several nodes: {}", several.join(", ")))
                .remedy(format!("choose one, such as `--node {}`", several[0]))),
        }
    }
}

impl Command {
    /// Whether what goes wrong is printed as JSON.
    fn json(&self) -> bool {
        match self {
            Command::Run(run) => run.json,
            Command::New(new) => new.json,
            Command::Build(build) => build.json,
            Command::Sign(sign) => sign.json,
            Command::Demo(demo) => demo.json,
            Command::Bench(bench) => bench.json,
            Command::Ps(ps::Ps { asking }) | Command::Stop(stop::Stop { asking }) => asking.json,
            Command::Sys(sys) => sys.json(),
            Command::Token(token) => token.json,
            Command::Audit(audit) => audit.json,
            Command::Tree(tree::Tree { asking, .. })
            | Command::Inspect(inspect::Inspect { asking, .. })
            | Command::Grants(grants::GrantsOf { asking, .. })
            | Command::Child(child::Child { asking, .. })
            | Command::Names(names::Names { asking, .. })
            | Command::Metrics(metrics::Metrics { asking })
            | Command::Top(top::Top { asking, .. })
            | Command::Call(talk::Call { asking, .. })
            | Command::Cast(talk::Cast { asking, .. })
            | Command::Logs(logs::Logs { asking, .. })
            | Command::Deploy(deploy::Deploy { asking, .. })
            | Command::Undeploy(undeploy::Undeploy { asking, .. })
            | Command::Upgrade(upgrade::Upgrade { asking, .. })
            | Command::Rollback(upgrade::Rollback { asking, .. })
            | Command::Versions(versions::VersionsOf { asking, .. }) => asking.json,
        }
    }

    async fn perform(self, shared: &Shared) -> Result<(), Failure> {
        match self {
            Command::Run(run) => run.perform(shared).await,
            Command::New(new) => new.perform(),
            Command::Build(build) => build.perform(),
            Command::Sign(sign) => sign.perform(),
            Command::Demo(demo) => demo.perform(shared).await,
            Command::Bench(bench) => bench.perform(shared).await,
            Command::Ps(ps) => ps.perform(shared).await,
            Command::Top(top) => top.perform(shared).await,
            Command::Tree(tree) => tree.perform(shared).await,
            Command::Inspect(inspect) => inspect.perform(shared).await,
            Command::Grants(grants) => grants.perform(shared).await,
            Command::Sys(sys) => sys.perform(shared).await,
            Command::Child(child) => child.perform(shared).await,
            Command::Names(names) => names.perform(shared).await,
            Command::Metrics(metrics) => metrics.perform(shared).await,
            Command::Call(call) => call.perform(shared).await,
            Command::Cast(cast) => cast.perform(shared).await,
            Command::Logs(logs) => logs.perform(shared).await,
            Command::Upgrade(upgrade) => upgrade.perform(shared).await,
            Command::Rollback(rollback) => rollback.perform(shared).await,
            Command::Versions(versions) => versions.perform(shared).await,
            Command::Deploy(deploy) => deploy.perform(shared).await,
            Command::Undeploy(undeploy) => undeploy.perform(shared).await,
            Command::Stop(stop) => stop.perform(shared).await,
            Command::Token(token) => token.perform(shared),
            Command::Audit(audit) => audit.perform(shared),
        }
    }
}

/// Does what the command line says.
#[must_use]
pub fn main() -> ExitCode {
    let Cli { home, command } = Cli::parse();
    let json = command.json();
    let performed = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(tokio) => {
            let performed = tokio.block_on(command.perform(&Shared { home }));
            // A compiler or a terminal that still blocks a thread is not waited for.
            tokio.shutdown_background();
            performed
        }
        Err(error) => Err(Failure::new(format!("cannot start: {error}"))),
    };
    match performed {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.print(json);
            failure.exit_code()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_grammar_is_sound_and_every_command_shows_an_example() {
        let mut command = Cli::command();
        command.build();
        command.clone().debug_assert();
        for sub in command.get_subcommands_mut().filter(|sub| sub.get_name() != "help") {
            let help = sub.render_long_help().to_string();
            assert!(help.contains("Example"), "{}", sub.get_name());
            assert!(help.contains("--json"), "{}", sub.get_name());
        }
    }
}
