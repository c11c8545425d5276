//! `skep build`, and how a build is shown while it goes on.
//!
//! Owns the words for a build's events. Builds nothing itself.

use std::io::{BufRead, IsTerminal, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use indicatif::ProgressBar;

use super::failure::Failure;
use super::{output, safe};
use crate::build::{self, Consent, Event, Freshness, Report, Request};

/// Builds guests: crates in, components out
///
/// Builds every guest crate beneath a folder and leaves its component in `<target folder>/skep/<package>.wasm`. Finds a
/// compiler for WebAssembly itself: the active toolchain, else through rustup, else Debian's packages;
/// SKEP_GUEST_TOOLCHAIN=installed|rustup|debian forces one of them.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  skep build\n  skep build ./guests --package counter\n  skep build --json | jq -r '.[].path'"
)]
pub(super) struct Build {
    /// A guest crate, a workspace, or a folder with several of either
    #[arg(default_value = ".")]
    dir: PathBuf,

    /// Only this package; may be given several times
    #[arg(long, short, value_name = "NAME")]
    package: Vec<String>,

    /// Print JSON, for scripts
    #[arg(long)]
    pub(super) json: bool,
}

impl Build {
    pub(super) fn perform(self) -> Result<(), Failure> {
        let request = Request::new(self.dir).only(self.package);
        let mut progress = Progress::default();
        let built = build::guests(&request, &mut progress);
        progress.finish();
        let built = built?;
        if self.json {
            let guests: Vec<_> = built
                .iter()
                .map(|guest| {
                    serde_json::json!({
                        "package": guest.package,
                        "path": guest.path,
                        "target": guest.target.to_string(),
                        "size": guest.size,
                        "unchanged": guest.freshness == Freshness::Unchanged,
                    })
                })
                .collect();
            return output::print_json(&guests);
        }
        let lines = built.iter().map(|guest| format!("{}\n", safe::line(&guest.path.display().to_string())));
        output::print(&lines.collect::<String>())
    }
}

/// Shows a build on standard error: steps as lines, and on a terminal what the compiler says right now.
#[derive(Default)]
pub(super) struct Progress {
    spinner: Option<ProgressBar>,
}

impl Progress {
    /// Takes the moving part away.
    pub(super) fn finish(&mut self) {
        if let Some(spinner) = self.spinner.take() {
            spinner.finish_and_clear();
        }
    }

    #[allow(clippy::print_stderr, reason = "nothing is left to tell that standard error is closed")]
    fn step(&mut self, text: &str) {
        self.finish();
        eprintln!("{}", safe::line(text));
    }

    fn moving(&mut self, text: &str) {
        let spinner = self.spinner.get_or_insert_with(|| {
            let spinner = ProgressBar::new_spinner();
            spinner.enable_steady_tick(Duration::from_millis(100));
            spinner
        });
        spinner.set_message(safe::line(text));
    }
}

impl Report for Progress {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Waiting { lock } => self.step(&format!("waiting for another build, which holds {}", lock.display())),
            Event::RouteChosen { target, compiler, .. } => {
                self.moving(&format!("compiling for {target} with {compiler}"));
            }
            Event::AddingTarget { target, toolchain } => {
                self.step(&format!("adding {target} to {toolchain} with rustup"))
            }
            Event::RouteFailed { target, route, problem } => {
                self.step(&format!("{}: no way to {target}: {problem}", route.name()));
            }
            Event::Installing { packages, .. } => self.step(&format!("installing {}", packages.join(" "))),
            Event::Compiling { package, target } => self.step(&format!("building {package} for {target}")),
            Event::Output(line) => self.moving(line),
            Event::Wrapped { package, size, freshness, .. } => {
                let news = if freshness == Freshness::Unchanged { ", unchanged" } else { "" };
                self.step(&format!("built {package}: {} kB{news}", size.div_ceil(1_000)));
            }
        }
    }

    #[allow(clippy::print_stderr, reason = "a question to the person at the terminal, not output")]
    fn may_install(&mut self, packages: &[String], commands: &[String]) -> Consent {
        let (stdin, mut stderr) = (std::io::stdin(), std::io::stderr());
        if !stdin.is_terminal() || !stderr.is_terminal() {
            return Consent::Refused;
        }
        self.finish();
        eprintln!("To build guests, {} must be installed, by:\n  {}", packages.join(" "), commands.join("\n  "));
        eprint!("Run this? [y/N] ");
        let _ = stderr.flush();
        let mut answer = String::new();
        match stdin.lock().read_line(&mut answer) {
            Ok(_) if matches!(answer.trim(), "y" | "Y" | "yes") => Consent::Given,
            _ => Consent::Refused,
        }
    }
}
