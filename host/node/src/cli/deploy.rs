//! `skep deploy`.
//!
//! Owns the order of building, showing and asking. What a plan is and what it does is the node's to say.

mod words;

use std::collections::BTreeMap;
use std::io::{BufRead, IsTerminal, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use indicatif::ProgressBar;

use super::build::Progress;
use super::failure::Failure;
use super::{Asking, Shared, output, safe};
use crate::control::client::{Client, ClientError};
use crate::control::protocol::{Agreed, DeployLine, Deployed, Problem, Proposal, Wanted};
use crate::manifest::units::Time;
use crate::manifest::{Manifest, Place, Source};
use crate::node::deploy;
use crate::node::home::Home;
use crate::node::plan::{Does, Plan};

/// Starts or changes an app on a node that runs
///
/// Builds what the manifest names, has the node check all of it, and shows what would be done; then does that. An app that
/// is not there is started. One that is there becomes what the manifest says: modules are upgraded, all or none; children
/// with the same id keep their pid; those that are no longer listed are stopped, the last one first; new ones are started.
/// What takes effect only at a process's next start is shown as such.
///
/// What does not fit is refused before anything changes. Once it is doing, the node goes on to the end, also if this
/// command is stopped.
#[derive(Args)]
#[command(after_help = "Examples:\n  skep deploy app.toml\n  skep deploy app.toml --node blue --yes --wait 30s\n  \
                        skep deploy app.toml --yes --json | jq .plan")]
pub(super) struct Deploy {
    /// The app's manifest
    #[arg(value_name = "APP.TOML")]
    manifest: PathBuf,

    /// Do it without asking; needed where there is no terminal to ask on
    #[arg(long, short)]
    yes: bool,

    /// How long processes in the middle of something are waited for at an upgrade: milliseconds, or text such as `30s`
    #[arg(long, default_value = "5s", value_name = "TIME")]
    wait: Time,

    #[command(flatten)]
    pub(super) asking: Asking,
}

impl Deploy {
    pub(super) async fn perform(self, shared: &Shared) -> Result<(), Failure> {
        if !self.yes && !can_ask() {
            let message = "`skep deploy` asks before it changes anything, and there is no terminal to ask on";
            return Err(Failure::usage(message).remedy("add --yes to have it done without asking"));
        }
        let manifest = Manifest::read(&self.manifest, &Home::locate(shared.home.as_deref())?)?;
        let client = shared.client(&self.asking).await?;
        let source = manifest.source.clone();
        let path = std::path::absolute(&self.manifest)
            .map_err(|error| Failure::new(format!("cannot find {}: {error}", self.manifest.display())))?;
        let wanted = Wanted { manifest: path, files: built(manifest).await? };

        let spinner = Spinner::new("checking");
        let proposed = client.post::<Proposal>("/v1/plan", &wanted).await;
        spinner.finish();
        let Proposal { id, plan } = proposed.map_err(|error| located(error, &source))?;
        self.show(&plan, client.node())?;
        if plan.does == Does::Nothing {
            return if self.asking.json { self.print(&client, &plan, None) } else { Ok(()) };
        }
        if !self.yes && !ask() {
            return Err(Failure::new("not deployed: nothing was changed"));
        }
        let done = self.apply(&client, wanted, id, &source).await?;
        if self.asking.json {
            self.print(&client, &plan, Some(&done))?;
        } else {
            output::print(&words::done(&plan, &done, client.node()))?;
        }
        if done.failed.is_empty() { Ok(()) } else { Err(words::failed(&plan, &done)) }
    }

    /// The plan for people. With `--json` standard output is for scripts.
    #[allow(clippy::print_stderr, reason = "what is asked about, where standard output belongs to a script")]
    fn show(&self, plan: &Plan, node: &str) -> Result<(), Failure> {
        let text = words::plan(plan, node);
        match (self.asking.json, self.yes) {
            (false, _) => output::print(&text),
            (true, false) => {
                eprint!("{text}");
                Ok(())
            }
            (true, true) => Ok(()),
        }
    }

    fn print(&self, client: &Client, plan: &Plan, done: Option<&Deployed>) -> Result<(), Failure> {
        output::print_json(&serde_json::json!({ "node": client.node(), "plan": plan, "done": done }))
    }

    async fn apply(&self, client: &Client, wanted: Wanted, id: String, source: &Source) -> Result<Deployed, Failure> {
        let Wanted { manifest, files } = wanted;
        let wait_ms = u64::try_from(self.wait.0.as_millis()).ok();
        let request = Agreed { manifest, files, agreed: id, wait_ms };
        let body = serde_json::to_vec(&request).map_err(|error| Failure::new(error.to_string()))?;
        let spinner = Spinner::new("deploying");
        let mut last = None;
        let answered = client.post_lines("/v1/deploy", body, |line| {
            let unreadable = |error| Failure::new(format!("the node said something unknown, {error}: {line}"));
            match serde_json::from_str(line).map_err(unreadable)? {
                DeployLine::Progress(step) => spinner.show(&words::step(&step)),
                DeployLine::Done(done) => last = Some(Ok(done)),
                DeployLine::Refused(problem) => last = Some(Err(problem)),
            }
            Ok::<(), Failure>(())
        });
        let answered = answered.await;
        spinner.finish();
        answered?;
        match last {
            Some(Ok(done)) => Ok(done),
            Some(Err(problem)) => Err(located(ClientError::Refused(problem), source)),
            None => Err(Failure::new(format!("node `{}` ended before it said what came of it", client.node()))
                .remedy("see what the node itself printed; `skep run` starts it again")),
        }
    }
}

/// Builds on a thread of its own, since it blocks.
async fn built(manifest: Manifest) -> Result<BTreeMap<String, PathBuf>, Failure> {
    let building = tokio::task::spawn_blocking(move || {
        let mut progress = Progress::default();
        let built = deploy::built(&manifest, &mut progress);
        progress.finish();
        built
    });
    let built = building.await.map_err(|error| Failure::new(format!("building failed: {error}")))??;
    let absolute = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
    Ok(built.into_iter().map(|(module, path)| (module.to_string(), absolute(path))).collect())
}

/// A refusal of the node, with the place in the manifest as it was typed.
fn located(error: ClientError, source: &Source) -> Failure {
    let spot = match &error {
        ClientError::Refused(Problem { place: Some(spot), .. }) => Some(spot.start..spot.end),
        _ => None,
    };
    let failure = Failure::from(error);
    // The file may have been written anew since it was read here.
    match spot.filter(|span| source.text.get(span.clone()).is_some()) {
        Some(span) => failure.place(&Place { source: source.clone(), span }),
        None => failure,
    }
}

fn can_ask() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

#[allow(clippy::print_stderr, reason = "a question to the person at the terminal, not output")]
fn ask() -> bool {
    eprint!("apply? [y/N] ");
    let _ = std::io::stderr().flush();
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).is_ok() && is_yes(&answer)
}

fn is_yes(answer: &str) -> bool {
    matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
}

/// Something that moves on a terminal, and nothing elsewhere.
struct Spinner(ProgressBar);

impl Spinner {
    fn new(what: &str) -> Self {
        let bar = if std::io::stderr().is_terminal() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        bar.enable_steady_tick(Duration::from_millis(100));
        let spinner = Spinner(bar);
        spinner.show(what);
        spinner
    }

    fn show(&self, what: &str) {
        self.0.set_message(safe::line(what));
    }

    fn finish(&self) {
        self.0.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::is_yes;

    #[test]
    fn only_a_yes_is_a_yes() {
        for yes in ["y\n", "Y", "yes\r\n", " Yes "] {
            assert!(is_yes(yes), "{yes:?}");
        }
        for no in ["", "\n", "n", "no", "yess", "j", "yes please", "1"] {
            assert!(!is_yes(no), "{no:?}");
        }
    }
}
